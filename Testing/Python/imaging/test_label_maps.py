"""Label maps are read from the files that TotalSegmentator and Slicer write."""

from __future__ import annotations

import numpy as np
import pytest

from support.mask_files import affine, caret_xml, two_masks, write_case, write_nifti
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_maps import LabelMap
from ThyroidSynthLib.imaging.segmentations.class_maps import class_map_labels
from ThyroidSynthLib.imaging.segmentations.label_map_reading import read_label_map

THYROID, TRACHEA = two_masks()
MAP = np.where(TRACHEA, 16, np.where(THYROID, 17, 0)).astype(np.uint8)


def test_a_multi_label_nifti_keeps_its_numbers_and_names(tmp_path):
    names = {16: "trachea", 17: "thyroid_gland", 118: "skull"}
    path = write_nifti(tmp_path / "ml.nii.gz", MAP, affine(degrees=5), extensions=[(0, caret_xml(names))])

    found = read_label_map(path)

    assert found.names == names
    assert found.thyroid_labels() == [17]
    assert np.array_equal(found.volume.array, MAP)
    np.testing.assert_allclose(found.volume.ijk_to_ras, affine(degrees=5), atol=1e-5)


def test_a_label_map_without_names_needs_a_class_map(tmp_path):
    path = write_nifti(tmp_path / "ml.nii.gz", np.where(MAP == 0, 5, MAP).astype("f4"), affine())

    with pytest.raises(InputError, match="total-v2"):
        read_label_map(path)
    assert read_label_map(path, labels=class_map_labels("total-v2")).names == {
        5: "liver",
        16: "trachea",
        17: "thyroid_gland",
    }


def test_the_masks_of_a_folder_get_the_labels_of_totalsegmentator(tmp_path):
    write_case(tmp_path / "s1", THYROID, TRACHEA, affine())
    for name in ("skull", "implant", "spleen"):
        mask = np.zeros_like(THYROID)
        mask[0, 0, len(name)] = name != "spleen"
        write_nifti(tmp_path / "s1" / "segmentations" / f"{name}.nii.gz", mask, affine())

    found = read_label_map(tmp_path / "s1")

    assert found.names == {91: "skull", 17: "thyroid_gland", 16: "trachea", 118: "implant"}
    assert np.array_equal(found.volume.array == 17, THYROID == 1)
    assert np.array_equal(found.volume.array == 16, TRACHEA == 1)
    # A thyroid that is not there yet has its label, whether or not there is an empty mask of it.
    write_case(tmp_path / "s2", np.zeros_like(THYROID), TRACHEA, affine())
    write_case(tmp_path / "s3", None, TRACHEA, affine())
    for case in ("s2", "s3"):
        assert read_label_map(tmp_path / case).names == {16: "trachea", 17: "thyroid_gland"}
    # It is also the label of a whole gland in place of its lobes.
    write_nifti(tmp_path / "s3" / "segmentations" / "thyroid_left.nii.gz", THYROID, affine())
    lobe = read_label_map(tmp_path / "s3")
    assert lobe.names[17] == "thyroid_gland" and "thyroid_left" in lobe.names.values()
    assert read_label_map(tmp_path / "s1", labels={3: "implant", 4: "skull"}).names[4] == "skull"


def test_masks_of_a_folder_get_the_label_of_their_structure_whatever_its_name(tmp_path):
    for name, mask in (("Glnd_Thyroid", THYROID), ("Trachea", TRACHEA)):
        write_nifti(tmp_path / f"{name}.nii.gz", mask, affine())
    assert read_label_map(tmp_path).names == {17: "Glnd_Thyroid", 16: "Trachea"}
    assert read_label_map(tmp_path, labels={5: "thyroid", 6: "trachea"}).names == {5: "Glnd_Thyroid", 6: "Trachea"}
    write_nifti(tmp_path / "thyroid.nii.gz", TRACHEA, affine())
    assert read_label_map(tmp_path).names == {17: "Glnd_Thyroid", 16: "Trachea", 118: "thyroid"}


def test_a_folder_of_empty_masks_is_refused(tmp_path):
    write_case(tmp_path / "s1", np.zeros_like(THYROID), None, affine())
    with pytest.raises(InputError, match=r"All masks in .*segmentations are empty\. Choose"):
        read_label_map(tmp_path / "s1")


def test_colours_terminology_and_values_of_a_segmentation_are_read_and_written(tmp_path):
    from ThyroidSynthLib.imaging.label_map_files import write_label_map
    from ThyroidSynthLib.imaging.label_table import Look

    values = np.where(MAP == 17, 170, np.where(MAP == 16, 5, 0)).astype(np.uint8)
    names = {5: "windpipe", 170: "left"}
    looks = {5: Look((0.25, 0.5, 1.0), "A~B^1^c~^^~^^~R~^^~^^", "Segment_7"), 170: Look((0.0, 1.0, 0.125), "", "L")}
    for name in ("s.seg.nrrd", "s.nii.gz"):
        write_label_map(Volume(values, affine()), tmp_path / name, names=names, looks=looks)
        found = read_label_map(tmp_path / name)
        assert found.names == names and np.array_equal(found.volume.array, values)
        assert {label: look.colour for label, look in found.looks.items()} == {5: (0.25, 0.5, 1.0), 170: (0, 1, 0.125)}
    assert read_label_map(tmp_path / "s.seg.nrrd").looks == looks


@pytest.mark.parametrize("suffix", ["nii.gz", "seg.nrrd"])
def test_names_of_any_characters_are_written_as_far_as_they_are_text(tmp_path, suffix):
    from ThyroidSynthLib.imaging.label_map_files import write_label_map, write_names_table

    given = {
        1: "M\udcfcller",
        2: " tail\n",
        3: "",
        4: "a\x00b\x07",
        5: "Schilddrüse <&|:=> 甲状腺",
        6: "]]>",
        7: "\ud800",
    }
    array = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    labels = LabelMap(Volume(array, affine()), given)
    assert labels.names == {
        1: "M\ufffdller",
        2: "tail",
        3: "label 3",
        4: "a b",
        5: given[5],
        6: "]]>",
        7: "\ufffd",
    }
    write_label_map(labels.volume, tmp_path / f"m.{suffix}", names=labels.names)
    write_names_table(labels.names, tmp_path / "names.csv")
    assert read_label_map(tmp_path / f"m.{suffix}").names == labels.names


def test_segments_that_cover_each_other_are_reported():
    from ThyroidSynthLib.imaging.label_maps import combine_masks
    from ThyroidSynthLib.imaging.masks import mask_in_scan

    nodule = np.where(np.arange(THYROID.shape[2]) < 20, THYROID, 0)
    masks = {"thyroid": THYROID, "nodule": nodule}
    found = combine_masks(
        {name: mask_in_scan(Volume(mask, affine())) for name, mask in masks.items()},
        labels={"thyroid": 170, "nodule": 3},
    )
    shared = nodule.sum() * 1.5**3 / 1000
    assert found.notes == (f"nodule covers {shared:.2f} mL of thyroid, which a label map cannot hold twice",)


def test_masks_of_different_scans_are_refused(tmp_path):
    write_case(tmp_path / "s1", THYROID, TRACHEA, affine())
    write_nifti(tmp_path / "s1" / "segmentations" / "skull.nii.gz", THYROID, affine(origin=(0, 0, 0)))

    with pytest.raises(InputError, match="the grid of thyroid_gland differs"):
        read_label_map(tmp_path / "s1")


def test_a_slicer_segmentation_is_read_by_its_segments(tmp_path):
    from ThyroidSynthLib.imaging.label_map_files import write_label_map

    path = tmp_path / "s.seg.nrrd"
    write_label_map(Volume(MAP, affine()), path, names={16: "trachea", 17: "thyroid gland"})

    found = read_label_map(path)

    assert found.names == {16: "trachea", 17: "thyroid gland"}
    assert np.array_equal(found.volume.array, MAP)


@pytest.mark.parametrize("name", ["segmentations.nii.gz", "s.seg.nrrd"])
def test_the_only_segmentation_in_the_folder_of_a_case_is_read(tmp_path, name):
    from ThyroidSynthLib.imaging.label_map_files import write_label_map

    write_nifti(tmp_path / "ct.nii.gz", MAP.astype(np.int16) - 1000, affine())
    names = {16: "trachea", 17: "thyroid gland"}
    if name.endswith(".nrrd"):
        write_label_map(Volume(MAP, affine()), tmp_path / name, names=names)
    else:
        write_nifti(tmp_path / name, MAP, affine(), extensions=[(0, caret_xml(names))])
    assert read_label_map(tmp_path).names == names

    write_nifti(tmp_path / "second.nii.gz", MAP, affine())
    with pytest.raises(InputError, match="more than one label"):
        read_label_map(tmp_path)


@pytest.mark.parametrize("name", ["x.png", "missing.nii.gz", "empty"])
def test_a_path_that_is_not_a_label_map_is_refused(tmp_path, name):
    if name == "empty":
        (tmp_path / name).mkdir()
    with pytest.raises(InputError, match=f"{name} (is neither a NIfTI|does not exist|has neither masks)"):
        read_label_map(tmp_path / name)


def test_fractional_values_are_refused(tmp_path):
    path = write_nifti(tmp_path / "p.nii.gz", MAP.astype("f4") / 3, affine())
    with pytest.raises(InputError, match="fractional"):
        read_label_map(path, labels=class_map_labels("total-v2"))
