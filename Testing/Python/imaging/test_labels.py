"""Thyroid, its lobes and trachea are identified by code or name."""

from __future__ import annotations

import pytest

from support.mask_files import caret_xml
from ThyroidSynthLib.imaging.labels import (
    ISTHMUS,
    LEFT,
    RIGHT,
    THYROID,
    TRACHEA,
    Part,
    names_in_extensions,
    part_called,
    part_coded,
    structure_called,
)

NAMES = {1: "spleen", 16: "trachea", 17: "thyroid_gland", 91: "skull"}


@pytest.mark.parametrize(
    "name",
    [
        *(
            "thyroid",
            "Thyroid Gland",
            "thyroid_gland",
            " THYROID-GLAND ",
            "ThyroidGland",
            "Glnd_Thyroid",
            "thyroid_mask",
        ),
        *("Schilddrüse", "schilddruese", "glándula tiroides", "Tiroide", "thyroïde", "tireoide", "Щитовидная железа"),
        *("甲状腺", "Glandula thyreoidea", "both thyroid lobes", "Thyroid.", "OAR Thyroid", "left and right thyroid"),
        *("Structure of thyroid gland", "Entire thyroid gland", "thyroid_pred", "Thyroid_manual"),
        *(
            "Glnd_Thyroid^AI",
            "*Thyroid",
            "AI_Thyroid",
            "Thyroid_DL",
            "TS thyroid gland",
            "Gl. thyroidea",
            "Skjoldbruskkjertel",
        ),
    ],
)
def test_the_thyroid_is_identified_by_its_name(name):
    assert part_called(name) == Part(THYROID)
    assert structure_called(name) is THYROID


@pytest.mark.parametrize(
    "name", ["trachea", "TRACHEA", "Luftröhre", "trachée", "Tráquea", "气管", "windpipe", "Trachea^AI", "Průdušnice"]
)
def test_the_trachea_is_identified_by_its_name(name):
    assert part_called(name) == Part(TRACHEA)


@pytest.mark.parametrize(
    ("side", "names"),
    [
        (
            LEFT,
            ["thyroid_left", "Glnd_Thyroid_L", "thyroid gland left", "Left thyroid lobe", "Schilddrüsenlappen links"],
        ),
        (
            RIGHT,
            ["thyroid-right", "GlndThyroidR", "right lobe of the thyroid gland", "Rt Thyroid", "lobo tiroideo derecho"],
        ),
        (ISTHMUS, ["thyroid isthmus", "isthmus of thyroid gland"]),
        (
            RIGHT,
            [
                "lobus dexter glandulae thyroideae",
                "lobe droit de la thyroïde",
                "THYROID (R)",
                "RThyroid",
                "Schilddrüse rechts",
                "Schilddrüse re.",
            ],
        ),
    ],
)
def test_lobes_are_identified_by_their_name(side, names):
    assert [part_called(name) for name in names] == [Part(THYROID, side)] * len(names)


@pytest.mark.parametrize(
    "name",
    [
        *("thyroid cartilage", "sternothyroid", "sterno_thyroid_left", "parathyroid", "thyroid_nodule", "thyroid bed"),
        *("PTV_Thyroid", "Thyroid_PRV", "thyroid artery left", "thyroid lobe", "thyroid_1", "Thyroid-Trachea"),
        *("tracheal wall", "Trachea_PRV", "Trachea_PRV05", "Trachea-ring", "Trachea~", "lung_trachea_bronchia"),
        *(
            "Schilddrüsenlappen",
            "lobe thyroïdien",
            "thyroïdien",
            "left",
            "lobe",
            "gland",
            "Glnd_Submand_L",
            "Trachea_L",
            "",
            " ",
            "_",
            "hyperthyroid",
        ),
    ],
)
def test_names_that_contain_thyroid_or_trachea_are_other_structures(name):
    assert part_called(name) is None


def test_a_terminology_entry_is_identified_by_its_type_not_its_region():
    context = "Segmentation category and type - 3D Slicer General Anatomy list"
    anatomy = "Anatomic codes - DICOM master list"
    gland = f"{context}~SCT^123037004^Anatomical Structure~SCT^69748006^Thyroid~^^~{anatomy}~^^~^^"
    nodule = f"{context}~SCT^49755003^Morphologically Altered~SCT^4147007^Mass~^^~{anatomy}~SCT^69748006^Thyroid~^^"
    assert part_coded(gland) == Part(THYROID)
    assert part_coded(gland + "|") == Part(THYROID)
    assert part_coded(nodule) is None
    assert part_coded("") is None


def test_names_are_found_in_any_extension_with_padding():
    extensions = [(6, b"a comment"), (4, b"\x00\x01binary"), (0, caret_xml(NAMES) + bytes(11))]
    assert names_in_extensions(extensions) == NAMES


def test_damaged_xml_and_xml_with_entities_give_no_names():
    bomb = b'<!DOCTYPE x [<!ENTITY a "b">]><LabelTable><Label Key="1">&a;</Label></LabelTable>'
    assert names_in_extensions([(0, caret_xml(NAMES)[:-20]), (0, bomb)]) == {}
