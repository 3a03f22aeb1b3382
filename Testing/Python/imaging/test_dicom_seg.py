"""DICOM segmentations are read in the right place, and damaged ones are refused."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from support.dicom_files import LIVER_CODE, THYROID_CODE, TRACHEA_CODE, ct_series, write_seg
from support.mask_files import affine, two_masks
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.dataset.case_sources import find_cases
from ThyroidSynthLib.dataset.cases import read_case
from ThyroidSynthLib.dataset.quality import CUT_BY_BORDER, check_case
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.labels import THYROID, TRACHEA
from ThyroidSynthLib.imaging.segmentations.opening import open_segmentation

# With an odd number of pixels per frame, frames of packed bits begin within a byte.
SHAPE = (40, 37, 45)
GLAND, WINDPIPE = two_masks(SHAPE)
RAS = affine(spacing_mm=(0.9, 1.1, 1.5), degrees=8.0)
CODES = {"a": THYROID_CODE, "b": TRACHEA_CODE}
MASKS = {"a": GLAND, "b": WINDPIPE}
LOW = {"thyroid_gland": GLAND, "trachea": WINDPIPE}


@pytest.fixture(scope="module")
def images():
    return ct_series(SHAPE, RAS)


def assert_in_place(mask, expected: np.ndarray, ras: np.ndarray = RAS) -> None:
    """Compare voxel by voxel, in patient space."""
    found = mask.volume
    assert int(found.array.sum()) == int(expected.sum())
    positions = found.to_ras(np.argwhere(found.array)[:, ::-1])
    kji = np.rint(Volume(expected, ras).to_ijk(positions))[:, ::-1].astype(int)
    assert expected[tuple(kji.T)].all()
    assert np.abs(Volume(expected, ras).to_ijk(positions)[:, ::-1] - kji).max() < 1e-3


@pytest.mark.parametrize("omit", [True, False])
def test_binary_segments_are_found_by_code_and_read_in_place(tmp_path, images, omit):
    masks = {"liver": np.roll(GLAND, 5, axis=2), **MASKS}
    path = write_seg(tmp_path / "x.dcm", masks, images, codes_of={**CODES, "liver": LIVER_CODE}, omit_empty_frames=omit)
    found, notes = open_segmentation(path).masks()
    assert_in_place(found[THYROID], GLAND)
    assert_in_place(found[TRACHEA], WINDPIPE)
    assert notes == ()
    # Frames were left out, so the extent of the scan follows from the CT that the frames refer to.
    assert found[THYROID].scan.shape == SHAPE
    assert found[THYROID].first_kji.tolist() == [int(axis.min()) for axis in np.nonzero(GLAND)]


def test_segments_without_a_known_code_are_found_by_their_label(tmp_path, images):
    found, _ = open_segmentation(write_seg(tmp_path / "x.dcm", LOW, images)).masks()
    assert_in_place(found[THYROID], GLAND)
    assert_in_place(found[TRACHEA], WINDPIPE)


def test_slices_without_a_frame_are_empty(tmp_path, images):
    # Every second slice is missing in all segments, so the spacing must be read from the header.
    comb = (np.arange(SHAPE[0]) % 2 == 0)[:, None, None].astype(np.uint8)
    thinned = {"a": GLAND * comb, "b": WINDPIPE * comb}
    found, _ = open_segmentation(write_seg(tmp_path / "x.dcm", thinned, images, codes_of=CODES)).masks()
    assert_in_place(found[THYROID], thinned["a"])
    assert_in_place(found[TRACHEA], thinned["b"])


def test_slices_from_top_to_bottom_are_read_in_place(tmp_path):
    flipped = RAS.copy()
    flipped[:3, 3] += (SHAPE[0] - 1) * RAS[:3, 2]
    flipped[:3, 2] = -RAS[:3, 2]
    found, _ = open_segmentation(
        write_seg(tmp_path / "x.dcm", MASKS, ct_series(SHAPE, flipped), codes_of=CODES)
    ).masks()
    assert_in_place(found[THYROID], GLAND, flipped)
    assert found[THYROID].scan.shape == SHAPE
    lower = min(np.flatnonzero(GLAND.any(axis=(1, 2))))
    assert found[THYROID].border_distance_voxels == min(
        lower, SHAPE[0] - 1 - max(np.flatnonzero(GLAND.any(axis=(1, 2)))), *_in_plane(GLAND)
    )


def _in_plane(mask: np.ndarray) -> list[int]:
    distances = []
    for axis in (1, 2):
        filled = np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis})))
        distances += [int(filled[0]), SHAPE[axis] - 1 - int(filled[-1])]
    return distances


def test_voxels_of_fractional_segments_are_inside_from_half_on(tmp_path, images):
    soft = np.where(GLAND, 0.6, 0.3 * np.roll(GLAND, 2, axis=1))
    masks = {"a": soft.astype(np.float32), "b": WINDPIPE.astype(np.float32)}
    path = write_seg(tmp_path / "x.dcm", masks, images, kind="FRACTIONAL", codes_of=CODES, max_fractional_value=200)
    found, notes = open_segmentation(path).masks()
    assert_in_place(found[THYROID], GLAND)
    assert_in_place(found[TRACHEA], WINDPIPE)
    assert any("fractional" in note for note in notes)


def test_label_map_segmentations_are_read_by_their_values(tmp_path, images):
    path = write_seg(tmp_path / "x.dcm", MASKS, images, kind="LABELMAP", codes_of=CODES)
    found, _ = open_segmentation(path).masks()
    assert_in_place(found[THYROID], GLAND)
    assert_in_place(found[TRACHEA], WINDPIPE)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_other_transfer_syntaxes_are_read(tmp_path, images, syntax):
    path = write_seg(tmp_path / "x.dcm", MASKS, images, codes_of=CODES)
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = syntax
    pydicom.dcmwrite(path, dataset, implicit_vr=syntax is ImplicitVRLittleEndian, little_endian=True)
    found, _ = open_segmentation(path).masks()
    assert_in_place(found[THYROID], GLAND)


def test_compressed_frames_are_decoded(tmp_path, images):
    masks = {name: mask.astype(np.float32) for name, mask in MASKS.items()}
    path = write_seg(
        tmp_path / "x.dcm",
        masks,
        images,
        kind="FRACTIONAL",
        codes_of=CODES,
        transfer_syntax_uid=pydicom.uid.RLELossless,
    )
    found, _ = open_segmentation(path).masks()
    assert_in_place(found[THYROID], GLAND)


def test_a_gland_cut_by_the_scan_is_detected_without_empty_frames(tmp_path, images):
    cut = np.roll(GLAND, SHAPE[0] - 1 - int(np.nonzero(GLAND)[0].max()), axis=0)
    write_seg(tmp_path / "case" / "x.dcm", {"a": cut, "b": cut * 0 + WINDPIPE * (cut.any(axis=(1, 2))[:, None, None])},
              images, codes_of=CODES)  # fmt: skip
    (source,) = find_cases(tmp_path / "case")
    assert source.kind == "dicom"
    assert CUT_BY_BORDER in check_case(read_case(source)).reasons
    whole = write_seg(tmp_path / "whole.dcm", MASKS, images, codes_of=CODES)
    assert CUT_BY_BORDER not in check_case(read_case(find_cases(whole)[0])).reasons


def test_the_end_of_the_scan_is_unknown_without_references_to_images(tmp_path, images):
    only = {"a": GLAND, "b": WINDPIPE * GLAND.any(axis=(1, 2))[:, None, None]}
    path = write_seg(tmp_path / "x.dcm", only, images, codes_of=CODES)
    dataset = pydicom.dcmread(path)
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        del frame.DerivationImageSequence
    dataset.save_as(path)
    found, notes = open_segmentation(path).masks()
    assert_in_place(found[THYROID], GLAND)
    assert found[THYROID].border_distance_voxels == 1
    assert any("unknown" in note for note in notes)


def test_a_folder_with_one_segmentation_is_a_case_and_one_with_two_segmentations_is_two(tmp_path, images):
    folder = tmp_path / "patient"
    write_seg(folder / "1.2.840.7", MASKS, images, codes_of=CODES)
    for image in images[:3]:
        image.save_as(folder / f"{image.InstanceNumber}.dcm", enforce_file_format=True)
    (folder / "notes.txt").write_text("nothing of the kind")
    (source,) = find_cases(folder)
    assert (source.id, source.kind) == ("patient", "dicom")
    write_seg(folder / "second.dcm", MASKS, images, codes_of=CODES)
    assert [each.id for each in find_cases(folder)] == ["1.2.840.7", "second"]


def _without(dataset: pydicom.Dataset, name: str) -> None:
    for holder in (*dataset.SharedFunctionalGroupsSequence, *dataset.PerFrameFunctionalGroupsSequence):
        if name in holder:
            delattr(holder, name)


def test_one_slice_has_the_thickness_of_the_file_or_is_refused(tmp_path, images):
    one = np.zeros_like(GLAND)
    one[20] = GLAND[20]
    path = write_seg(tmp_path / "x.dcm", {"thyroid": one}, images)
    masks, _ = open_segmentation(path).masks()
    assert masks[THYROID].volume_ml == pytest.approx(one.sum() * 0.9 * 1.1 * 1.5 / 1000)
    dataset = pydicom.dcmread(path)
    measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    for name in ("SliceThickness", "SpacingBetweenSlices"):
        if name in measures:
            delattr(measures, name)
    dataset.save_as(path)
    with pytest.raises(InputError, match="one slice and no slice thickness"):
        open_segmentation(path).masks()


def test_gaps_between_thin_slices_are_part_of_their_spacing(tmp_path, images):
    path = write_seg(tmp_path / "x.dcm", MASKS, images, codes_of=CODES)
    dataset = pydicom.dcmread(path)
    measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    # Slices of 0.75 mm at every 1.5 mm.
    measures.SliceThickness = 0.75
    if "SpacingBetweenSlices" in measures:
        del measures.SpacingBetweenSlices
    dataset.save_as(path)
    mask = open_segmentation(path).masks()[0][THYROID]
    assert_in_place(mask, GLAND)
    assert mask.volume_ml == pytest.approx(GLAND.sum() * 0.9 * 1.1 * 1.5 / 1000, rel=1e-4)


def _shift_a_frame(dataset: pydicom.Dataset) -> None:
    plane = dataset.PerFrameFunctionalGroupsSequence[3].PlanePositionSequence[0]
    plane.ImagePositionPatient = [value + 0.4 for value in plane.ImagePositionPatient]


def _repeat_a_frame(dataset: pydicom.Dataset) -> None:
    groups = dataset.PerFrameFunctionalGroupsSequence
    groups[1] = groups[0]


def _cut_short(dataset: pydicom.Dataset) -> None:
    dataset.PixelData = dataset.PixelData[:-400]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda dataset: _without(dataset, "PlanePositionSequence"), "no positions of its frames"),
        (lambda dataset: _without(dataset, "SegmentIdentificationSequence"), "which frame belongs"),
        (_shift_a_frame, "unevenly spaced"),
        (_repeat_a_frame, "at the same position"),
        (_cut_short, "too early"),
        (lambda dataset: setattr(dataset, "NumberOfFrames", 3), "describes"),
        (lambda dataset: delattr(dataset, "PixelData"), "no pixels"),
        (lambda dataset: delattr(dataset, "Rows"), "damaged or incomplete"),
    ],
)
def test_the_message_names_what_is_wrong_with_a_file(tmp_path, images, spoil, message):
    path = write_seg(tmp_path / "x.dcm", MASKS, images, codes_of=CODES)
    dataset = pydicom.dcmread(path)
    spoil(dataset)
    dataset.save_as(path)
    with pytest.raises(InputError, match=message):
        open_segmentation(path).masks()


def test_a_file_that_is_not_a_segmentation_is_refused(tmp_path, images):
    path = tmp_path / "ct.dcm"
    images[0].save_as(path, enforce_file_format=True)
    with pytest.raises(InputError, match="nor a DICOM"):
        find_cases(path)
    with pytest.raises(InputError, match="neither a NIfTI"):
        open_segmentation(path).masks()
    text = tmp_path / "x.dcm"
    text.write_text("nothing of the kind")
    with pytest.raises(InputError, match="neither a NIfTI"):
        open_segmentation(text).masks()
    with pytest.raises(InputError, match="does not exist"):
        open_segmentation(tmp_path / "gone.dcm").masks()
    neither = write_seg(tmp_path / "y.dcm", {"liver": GLAND}, images, codes_of={"liver": LIVER_CODE})
    with pytest.raises(InputError, match="neither a thyroid nor a trachea"):
        open_segmentation(neither).masks()
