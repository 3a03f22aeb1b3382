"""Thyroid and trachea are identified by code, name or class map."""

from __future__ import annotations

import pytest

from support.mask_files import caret_xml
from ThyroidSynthLib.imaging.labels import (
    THYROID,
    names_in_extensions,
    structure_called,
    structure_coded,
)

NAMES = {1: "spleen", 16: "trachea", 17: "thyroid_gland", 91: "skull"}


@pytest.mark.parametrize("name", ["thyroid", "Thyroid Gland", "thyroid_gland", " THYROID-GLAND "])
def test_the_thyroid_is_identified_by_its_name(name):
    assert structure_called(name) is THYROID


@pytest.mark.parametrize(
    "name", ["thyroid cartilage", "sternothyroid", "parathyroid", "thyroid_nodule", "tracheal wall", ""]
)
def test_names_that_contain_thyroid_or_trachea_are_other_structures(name):
    assert structure_called(name) is None


def test_a_terminology_entry_is_identified_by_its_type_not_its_region():
    context = "Segmentation category and type - 3D Slicer General Anatomy list"
    anatomy = "Anatomic codes - DICOM master list"
    gland = f"{context}~SCT^123037004^Anatomical Structure~SCT^69748006^Thyroid~^^~{anatomy}~^^~^^"
    nodule = f"{context}~SCT^49755003^Morphologically Altered~SCT^4147007^Mass~^^~{anatomy}~SCT^69748006^Thyroid~^^"
    assert structure_coded(gland) is THYROID
    assert structure_coded(gland + "|") is THYROID
    assert structure_coded(nodule) is None
    assert structure_coded("") is None


def test_names_are_found_in_any_extension_with_padding():
    extensions = [(6, b"a comment"), (4, b"\x00\x01binary"), (0, caret_xml(NAMES) + bytes(11))]
    assert names_in_extensions(extensions) == NAMES


def test_damaged_xml_and_xml_with_entities_give_no_names():
    bomb = b'<!DOCTYPE x [<!ENTITY a "b">]><LabelTable><Label Key="1">&a;</Label></LabelTable>'
    assert names_in_extensions([(0, caret_xml(NAMES)[:-20]), (0, bomb)]) == {}
