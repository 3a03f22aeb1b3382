"""Segmentation files of any format are opened in one way: the right segments, lobes joined, or a clear refusal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from support.dicom_files import LIVER_CODE, ct_series, write_seg
from support.mask_files import affine, caret_xml, two_masks, write_nifti
from support.sitk_images import write_by_sitk
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.labels import ALTERED_ENTRY, THYROID, TRACHEA
from ThyroidSynthLib.imaging.segmentations.class_maps import class_map_labels
from ThyroidSynthLib.imaging.segmentations.opening import open_segmentation, read_structure, segmentation_kind
from ThyroidSynthLib.imaging.segments import Segment, structures_among
from ThyroidSynthLib.imaging.volume_files import write_volume

SHAPE = (40, 36, 44)
GLAND, WINDPIPE = two_masks(SHAPE)
RAS = affine(degrees=8.0)
MAP = GLAND + 2 * WINDPIPE
OWN = {1: "thyroid", 2: "trachea"}
LEFT = GLAND * (np.arange(SHAPE[2]) < SHAPE[2] // 2).astype(np.uint8)
RIGHT = GLAND - LEFT
LOBES = LEFT + 2 * RIGHT + 3 * WINDPIPE
ENTRY = "~SCT^123037004^Anatomical Structure~{}~{}~Anatomic codes~{}~{}"


def count(mask) -> int:
    return int(mask.volume.array.sum())


def check(masks: dict, *, thyroid: np.ndarray = GLAND, ras: np.ndarray = RAS) -> None:
    """Compare the masks with the expected ones by size and place."""
    for structure, expected in ((THYROID, thyroid), (TRACHEA, WINDPIPE)):
        assert count(masks[structure]) == expected.sum()
        place = Volume(expected, ras).center_of_mass_ras()
        np.testing.assert_allclose(masks[structure].volume.center_of_mass_ras(), place, atol=1e-3)


def label_map(path: Path, array: np.ndarray = MAP, names: dict[int, str] | None = None) -> Path:
    if path.name.endswith((".nii", ".nii.gz")):
        return write_nifti(path, array, RAS, extensions=[(0, caret_xml(names))] if names else [])
    if path.suffix == ".mha":
        return write_by_sitk(Volume(array, RAS), path)
    write_volume(Volume(array, RAS), path)
    return path


@pytest.mark.parametrize("name", ["seg.nii.gz", "seg.nii", "Segmentation-label.nrrd", "seg.mha"])
def test_label_maps_of_any_format_are_read_with_given_labels(tmp_path, name):
    path = label_map(tmp_path / name)
    assert segmentation_kind(path) == "labels"
    assert not open_segmentation(path).named
    with pytest.raises(InputError, match=r"no label names.*--labels thyroid=N"):
        open_segmentation(path).masks()
    masks, notes = open_segmentation(path, labels=OWN).masks()
    check(masks)
    assert notes == ()


def test_a_segmentation_that_was_renamed_to_nrrd_keeps_its_segments(tmp_path):
    from ThyroidSynthLib.imaging.label_map_files import write_label_map

    write_label_map(Volume(MAP, RAS), tmp_path / "x.seg.nrrd", names={1: "thyroid", 2: "trachea"})
    renamed = (tmp_path / "x.seg.nrrd").rename(tmp_path / "x.nrrd")
    assert segmentation_kind(renamed) == "segmentation"
    check(open_segmentation(renamed).masks()[0])


def test_labels_that_do_not_occur_are_refused_with_those_that_do(tmp_path):
    path = label_map(tmp_path / "seg.nii.gz")
    with pytest.raises(InputError, match=r"no voxel has the label 5 \(thyroid\) or 7 \(trachea\).*occur: 1, 2"):
        open_segmentation(path, labels={5: "thyroid", 7: "trachea"}).masks()
    masks, notes = open_segmentation(path, labels={5: "thyroid", 2: "trachea"}).masks()
    assert masks[THYROID].is_empty
    assert count(masks[TRACHEA]) == WINDPIPE.sum()
    assert notes == ("no voxel has the label 5 (thyroid); labels that occur: 1, 2",)


def test_an_image_is_no_label_map(tmp_path):
    path = label_map(tmp_path / "mr.nii.gz", (np.arange(GLAND.size) % 5000).reshape(SHAPE).astype(np.int16))
    with pytest.raises(InputError, match="more than 4,096 different values, so it is an image"):
        open_segmentation(path, labels={9000: "thyroid"}).masks()


@pytest.mark.parametrize("name", ["p.nii.gz", "p.nrrd"])
@pytest.mark.parametrize("change", [np.float32(0.5), np.float32(-1.0)])
def test_fractional_and_negative_values_are_no_labels(tmp_path, name, change):
    array = MAP.astype(np.float32)
    array[0, 0, 0] = change
    with pytest.raises(InputError, match=rf"{name} has fractional or negative values"):
        open_segmentation(label_map(tmp_path / name, array), labels=OWN).masks()


def test_labels_that_only_the_file_names_may_be_absent(tmp_path):
    path = label_map(tmp_path / "seg.nii.gz", MAP * 0, {16: "trachea", 17: "thyroid_gland"})
    masks, notes = open_segmentation(path).masks()
    assert masks[THYROID].is_empty
    assert masks[TRACHEA].is_empty
    assert notes == ()


def test_given_labels_of_lobes_and_of_a_region_are_joined(tmp_path):
    path = label_map(tmp_path / "seg.nii.gz", LOBES)
    lobes = {1: "left thyroid lobe", 2: "right thyroid lobe", 3: "trachea"}
    masks, notes = open_segmentation(path, labels=lobes).masks()
    check(masks)
    assert notes == (
        "the thyroid was joined from its parts: right thyroid lobe (label 2) and left thyroid lobe (label 1)",
    )
    check(open_segmentation(path, labels={1: "thyroid", 2: "thyroid", 3: "trachea"}).masks()[0])


def test_a_class_map_without_a_thyroid_says_so(tmp_path):
    path = label_map(tmp_path / "seg.nii.gz", WINDPIPE * 43)
    masks, notes = open_segmentation(path, labels=class_map_labels("total-v1")).masks()
    assert set(masks) == {TRACHEA}
    assert "have no thyroid" in notes[0]
    with pytest.raises(
        InputError, match=r"label 43 \(trachea\).* have no thyroid; TotalSegmentator has one from version 2"
    ):
        open_segmentation(label_map(tmp_path / "v2.nii.gz"), labels=class_map_labels("total-v1")).masks()


def test_given_labels_that_contradict_the_names_are_refused(tmp_path):
    names = {17: "thyroid_gland", 16: "trachea", 1: "spleen"}
    path = label_map(tmp_path / "seg.nii.gz", GLAND * 17 + WINDPIPE * 16, names)
    check(open_segmentation(path, labels=class_map_labels("total-v2")).masks()[0])
    with pytest.raises(InputError, match="contradict the given labels: the thyroid is label 17"):
        open_segmentation(path, labels={1: "thyroid"})
    other = label_map(tmp_path / "mr.nii.gz", MAP, {16: "prostate", 17: "heart"})
    with pytest.raises(InputError, match="label 16 is prostate, not the trachea"):
        open_segmentation(other, labels=class_map_labels("total-v2"))
    # Names that mean nothing are replaced.
    plain = label_map(tmp_path / "plain.nii.gz", MAP, {1: "Segment 1", 2: "Segment 2"})
    check(open_segmentation(plain, labels=OWN).masks()[0])


def test_labels_beside_an_nnunet_dataset_are_found(tmp_path):
    path = label_map(tmp_path / "labelsTr" / "c_001.nii.gz")
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "thyroid": 1, "trachea": 2}}))
    masks, notes = open_segmentation(path).masks()
    check(masks)
    assert notes == (f"the labels were read from {tmp_path / 'dataset.json'}",)


def test_segments_of_dicom_can_be_named_by_their_number(tmp_path):
    masks = {"Segment A": GLAND, "Segment B": WINDPIPE, "liver": np.roll(GLAND, 5, axis=2)}
    images = ct_series(SHAPE, RAS)
    path = write_seg(tmp_path / "x.dcm", masks, images, codes_of={"liver": LIVER_CODE})
    with pytest.raises(InputError, match=r"neither a thyroid nor a trachea among its 3 segments \(Segment A"):
        open_segmentation(path).masks()
    check(open_segmentation(path, labels=OWN).masks()[0])
    # The numbers of a class map are not those of a DICOM SEG.
    named = write_seg(tmp_path / "y.dcm", {"liver": GLAND, "thyroid": GLAND, "trachea": WINDPIPE}, images)
    check(open_segmentation(named, labels={1: "thyroid", 2: "trachea"}).masks()[0])


@pytest.mark.parametrize("name", ["x.dcm", "x.seg.nrrd", "named.nii.gz", "mask.nii.gz"])
def test_a_file_that_is_chosen_for_a_structure_may_be_of_any_kind(tmp_path, name):
    from ThyroidSynthLib.imaging.label_map_files import write_label_map

    names = {1: "thyroid", 2: "trachea"}
    path = tmp_path / name
    if name == "x.dcm":
        write_seg(path, {"thyroid": GLAND, "trachea": WINDPIPE}, ct_series(SHAPE, RAS))
    elif name == "mask.nii.gz":
        label_map(path, GLAND)
    else:
        write_label_map(Volume(MAP, RAS), path, names=names)
    mask, _ = read_structure(path, THYROID)
    assert count(mask) == GLAND.sum()
    # A mask that was chosen for the thyroid is one, whatever labels other files have.
    assert count(read_structure(path, THYROID, labels=OWN)[0]) == GLAND.sum()


def test_a_segmentation_without_the_structure_it_was_chosen_for_is_refused(tmp_path):
    path = write_seg(tmp_path / "x.dcm", {"trachea": WINDPIPE}, ct_series(SHAPE, RAS))
    with pytest.raises(InputError, match=r"x\.dcm has no thyroid among its 1 segment \(trachea\)"):
        read_structure(path, THYROID)
    unnamed = label_map(tmp_path / "seg.nii.gz")
    with pytest.raises(InputError, match=r"seg\.nii\.gz has more than one label.*--labels"):
        read_structure(unnamed, THYROID)
    other = label_map(tmp_path / "only_trachea.nii.gz", WINDPIPE * 2)
    with pytest.raises(InputError, match="no voxel has the label 1"):
        read_structure(other, THYROID, labels=OWN)


def test_lobes_in_files_of_their_own_are_joined(tmp_path):
    left = label_map(tmp_path / "thyroid_left.nii.gz", LEFT)
    right = label_map(tmp_path / "thyroid_right.nii.gz", RIGHT)
    mask, _ = read_structure([right, left], THYROID)
    assert count(mask) == GLAND.sum()
    np.testing.assert_allclose(mask.volume.center_of_mass_ras(), Volume(GLAND, RAS).center_of_mass_ras(), atol=1e-3)
    turned = write_nifti(tmp_path / "turned.nii.gz", RIGHT, affine())
    with pytest.raises(InputError, match="lie on different grids"):
        read_structure([left, turned], THYROID)


def test_lobes_that_were_cropped_are_joined(tmp_path):
    paths = []
    for name, lobe in (("left", LEFT), ("right", RIGHT)):
        cropped = Volume(lobe, RAS).cropped(margin=1)
        paths.append(write_nifti(tmp_path / f"thyroid_{name}.nii.gz", cropped.array, cropped.ijk_to_ras))
    mask, _ = read_structure(paths, THYROID)
    assert count(mask) == GLAND.sum()
    place = Volume(GLAND, RAS).center_of_mass_ras()
    np.testing.assert_allclose(mask.volume.center_of_mass_ras(), place, atol=1e-3)
    assert mask.border_distance_voxels == 1
    np.testing.assert_array_equal(mask.whole().array.sum(), GLAND.sum())
    half = Volume(RIGHT, RAS @ np.array([[1, 0, 0, 0.5], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]))
    shifted = write_nifti(tmp_path / "shifted.nii.gz", half.array, half.ijk_to_ras)
    with pytest.raises(InputError, match="lie on different grids"):
        read_structure([paths[0], shifted], THYROID)


def test_one_structure_is_read_without_remarks_on_the_other(tmp_path):
    masks = {"Glnd_Thyroid_L": LEFT, "Glnd_Thyroid_R": RIGHT, "trachea": WINDPIPE, "Trachea": WINDPIPE}
    path = write_seg(tmp_path / "x.dcm", masks, ct_series(SHAPE, RAS))
    mask, notes = read_structure(path, THYROID)
    assert count(mask) == GLAND.sum()
    assert len(notes) == 1
    with pytest.raises(InputError, match=r"may be the trachea: trachea \(label 3\) and Trachea \(label 4\)"):
        read_structure(path, TRACHEA)
    alone = write_seg(tmp_path / "y.dcm", dict(list(masks.items())[:3]), ct_series(SHAPE, RAS))
    assert read_structure(alone, TRACHEA)[1] == ()


def test_the_only_segment_of_a_file_that_is_chosen_for_a_structure_needs_no_name(tmp_path):
    images = ct_series(SHAPE, RAS)
    path = write_seg(tmp_path / "x.dcm", {"Segment_1": GLAND}, images)
    mask, notes = read_structure(path, THYROID)
    assert count(mask) == GLAND.sum()
    assert notes[-1] == "its only segment, Segment_1, was taken as the thyroid_gland"
    for name, code in (("liver", LIVER_CODE), ("Thyroid nodule", LIVER_CODE), ("esophagus", LIVER_CODE)):
        other = write_seg(tmp_path / f"{name}.dcm", {name: GLAND}, images, codes_of={name: code})
        with pytest.raises(InputError, match="has no thyroid among its 1 segment"):
            read_structure(other, THYROID)


def _segments(*about: tuple[str, str]) -> list[Segment]:
    return [Segment(f"Segment_{n}", name, n, 0, entry) for n, (name, entry) in enumerate(about, start=1)]


THYROID_TYPE = "SCT^69748006^Thyroid"


@pytest.mark.parametrize(
    "about",
    [
        [("a", ENTRY.format(THYROID_TYPE, "SCT^24028007^Right", "^^", "^^")),
         ("b", ENTRY.format(THYROID_TYPE, "SCT^7771000^Left", "^^", "^^"))],
        [("a", ENTRY.format("SRT^T-B6000^Thyroid", "SRT^G-A100^Right", "^^", "^^")),
         ("b", ENTRY.format("SRT^T-B6000^Thyroid", "SRT^G-A101^Left", "^^", "^^"))],
        [("a", ENTRY.format("SCT^29565003^Right lobe", "^^", "^^", "^^")),
         ("b", ENTRY.format("SRT^T-B6200^Left lobe", "^^", "^^", "^^"))],
        [("Right lobe", ENTRY.format(THYROID_TYPE, "^^", "^^", "^^")),
         ("Left lobe", ENTRY.format(THYROID_TYPE, "^^", "^^", "^^"))],
        [("Glnd_Thyroid_R", ""), ("Glnd_Thyroid_L", "")],
        [("a", ENTRY.format("SCT^91772007^Organ", "^^", THYROID_TYPE, "SCT^24028007^Right")),
         ("b", ENTRY.format("SCT^91772007^Organ", "^^", THYROID_TYPE, "SCT^7771000^Left"))],
    ],
)  # fmt: skip
def test_lobes_are_recognised_by_code_modifier_region_and_name(about):
    chosen, notes = structures_among("f", _segments(*about))
    assert [segment.label for segment in chosen[THYROID]] == [1, 2]
    assert "joined" in notes[0]


def test_a_whole_gland_is_preferred_to_its_lobes():
    chosen, notes = structures_among("f", _segments(("thyroid left", ""), ("thyroid", ""), ("thyroid right", "")))
    assert [segment.label for segment in chosen[THYROID]] == [2]
    assert notes == (
        "thyroid left (label 1) and thyroid right (label 3) ignored, because the whole thyroid is segmented too",
    )


def test_one_lobe_is_taken_and_noted_and_two_of_one_side_are_refused():
    chosen, notes = structures_among("f", _segments(("thyroid left", "")))
    assert [segment.label for segment in chosen[THYROID]] == [1]
    assert notes == ("only the left lobe of the thyroid is segmented (thyroid left (label 1))",)
    with pytest.raises(InputError, match=r"left lobe of the thyroid: thyroid left \(label 1\) and Left thyroid lobe"):
        structures_among("f", _segments(("thyroid left", ""), ("Left thyroid lobe", "")))


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("x", ENTRY.format("SCT^91772007^Organ", "^^", THYROID_TYPE, "^^")),
        ("x", ENTRY.format("SCT^85756007^Tissue", "^^", "SRT^T-B6000^Thyroid", "^^")),
        ("x", ENTRY.format("SRT^T-B6000^Thyroid", "^^", "^^", "^^") + "|"),
        ("thyroid", ENTRY.format("SCT^85756007^Tissue", "^^", "^^", "^^")),
        ("multinodular goitre", ENTRY.format(THYROID_TYPE, "^^", "^^", "^^")),
    ],
)
def test_the_gland_is_recognised_by_type_region_or_name(name, entry):
    assert structures_among("f", _segments((name, entry)))[0][THYROID][0].label == 1


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("x", "~SCT^49755003^Morphologically Altered Structure~SCT^27925004^Nodule~^^~~SCT^69748006^Thyroid~^^"),
        ("thyroid", "~SRT^M-01000^Altered~SRT^M-03010^Nodule~^^~~SRT^T-B6000^Thyroid~^^"),
        ("x", ENTRY.format("SCT^27925004^Nodule", "^^", THYROID_TYPE, "^^")),
        ("Thyroid nodule 1", ENTRY.format(THYROID_TYPE, "^^", "^^", "^^")),
        ("x", ENTRY.format("99X^69748006^Something", "^^", "^^", "^^")),
        ("thyroid", ALTERED_ENTRY),
    ],
)
def test_a_nodule_is_not_the_gland(name, entry):
    assert structures_among("f", _segments((name, entry)))[0] == {}
