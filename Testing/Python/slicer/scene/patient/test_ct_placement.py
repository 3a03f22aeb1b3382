"""CTs whose NIfTI header holds two placements, or one that Slicer refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.mask_files import affine, two_masks, with_header, write_case, write_nifti
from ThyroidSynthLib.dataset.case_sources import find_cases
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.segmentations.class_maps import class_map_labels
from ThyroidSynthLib.slicer.scene.patient.loading import load_case
from ThyroidSynthLib.slicer.scene.volumes import grid_of_ct, volume_of_segment

THYROID, TRACHEA = two_masks()
QFORM = affine(degrees=8.0)


def rotated(degrees: float) -> np.ndarray:
    return affine(degrees=8.0 + degrees, origin=(-22.0, 31.0, -44.0))


def sheared(by: float) -> np.ndarray:
    matrix = QFORM.copy()
    matrix[:3, 0] += by * QFORM[:3, 2]
    return matrix


def stretched() -> np.ndarray:
    return affine(spacing_mm=(1.5, 1.5, 1.8), degrees=8.0)


def mirrored() -> np.ndarray:
    matrix = QFORM.copy()
    matrix[:3, 0] *= -1
    return matrix


def write_ct(path: Path, sform: np.ndarray) -> Path:
    """Write a CT with air where the trachea is, with one placement as qform and another as sform."""
    ct = np.where(TRACHEA, -1000, np.where(THYROID, 120, 40)).astype(np.int16)
    write_nifti(path, ct, QFORM, placed_by="qform")
    return with_header(with_header(path, 254, "h", 2), 280, "12f", *sform[:3].ravel())


def case_with(folder: Path, sform: np.ndarray):
    """Write a case whose masks are placed by the sform, as TotalSegmentator's are."""
    import gzip

    write_case(folder, THYROID, TRACHEA, sform)
    plain = write_ct(folder / "ct.nii", sform)
    (folder / "ct.nii.gz").write_bytes(gzip.compress(plain.read_bytes(), 1))
    plain.unlink()
    return find_cases(folder)[0]


@pytest.mark.parametrize("sform", [rotated(20.0), sheared(1.5e-2)], ids=["rotated", "sheared"])
def test_the_segmentation_lies_over_the_ct_that_slicer_shows(scene, tmp_path, sform):
    import slicer

    loaded = load_case(scene, case_with(tmp_path / "s1", sform))
    grid = grid_of_ct(loaded.ct)
    assert np.abs(grid.ijk_to_ras - sform).max() > 0.02  # Slicer took the qform
    voxels = slicer.util.arrayFromVolume(loaded.ct)
    for segment_id, value in (("trachea", -1000), ("thyroid_gland", 120)):
        volume = volume_of_segment(loaded.segmentation, segment_id)
        ijk = grid.to_ijk(volume.to_ras(np.argwhere(volume.array)[:, ::-1]))
        assert np.abs(ijk - np.rint(ijk)).max() < 0.02
        assert set(voxels[tuple(np.rint(ijk).astype(int)[:, ::-1].T)]) == {value}
    assert any("two placements" in note for note in loaded.notes)


def test_a_multi_label_file_follows_the_ct_already_in_the_scene(scene, tmp_path):
    ct = load_case(scene, case_with(tmp_path / "s1", rotated(20.0))).ct
    path = write_nifti(tmp_path / "all.nii.gz", THYROID * 17 + TRACHEA * 16, rotated(20.0))
    again = load_case(scene, find_cases(path, labels=class_map_labels("total-v2"))[0], ct=ct)
    volume = volume_of_segment(again.segmentation, "trachea")
    ijk = grid_of_ct(ct).to_ijk(volume.to_ras(np.argwhere(volume.array)[:, ::-1]))
    assert TRACHEA[tuple(np.rint(ijk).astype(int)[:, ::-1].T)].all()


def test_two_equal_placements_need_no_note(scene, tmp_path):
    assert load_case(scene, case_with(tmp_path / "s1", QFORM)).notes == ()


@pytest.mark.parametrize("sform", [stretched(), mirrored()], ids=["stretched", "mirrored"])
def test_a_ct_whose_placements_stretch_or_mirror_each_other_is_left_out(scene, tmp_path, sform):
    loaded = load_case(scene, case_with(tmp_path / "s1", sform))
    assert loaded.ct is None
    assert any("two placements" in note and "ct.nii.gz" in note for note in loaded.notes)
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0
    lies_where_its_file_says(loaded, sform)


def lies_where_its_file_says(loaded, sform: np.ndarray) -> None:
    expected = Volume(TRACHEA, sform).center_of_mass_ras()
    found = volume_of_segment(loaded.segmentation, "trachea").center_of_mass_ras()
    np.testing.assert_allclose(found, expected, atol=1e-3)


def sheared_case(folder: Path, by: float):
    """Write a case whose CT has a sheared sform and no qform, which Slicer refuses."""
    ct = np.where(TRACHEA, -1000, np.where(THYROID, 120, 40)).astype(np.int16)
    write_case(folder, THYROID, TRACHEA, sheared(by))
    write_nifti(folder / "ct.nii.gz", ct, sheared(by))
    return find_cases(folder)[0]


def test_a_ct_with_nearly_straight_axes_is_shown_exactly_although_slicer_refuses_it(scene, tmp_path, slicer_app):
    import slicer

    with slicer_app.faults.expected(""):
        loaded = load_case(scene, sheared_case(tmp_path / "s1", 9e-4))
    np.testing.assert_allclose(grid_of_ct(loaded.ct).ijk_to_ras, sheared(9e-4), atol=1e-5)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(loaded.ct) == -1000, TRACHEA != 0)
    assert loaded.ct.GetDisplayNode().GetWindow() == 400
    assert loaded.notes == ()
    lies_where_its_file_says(loaded, sheared(9e-4))


def test_a_sheared_ct_is_shown_resampled_at_its_place(scene, tmp_path, slicer_app):
    import slicer

    with slicer_app.faults.expected(""):
        loaded = load_case(scene, sheared_case(tmp_path / "s1", 3e-2))
    grid = grid_of_ct(loaded.ct)
    assert grid.deviation_from_right_angles() < 1e-5
    assert any("not at right angles" in note for note in loaded.notes)
    lies_where_its_file_says(loaded, sheared(3e-2))
    trachea = volume_of_segment(loaded.segmentation, "trachea")
    ijk = np.rint(grid.to_ijk(trachea.to_ras(np.argwhere(trachea.array)[:, ::-1]))).astype(int)
    values = slicer.util.arrayFromVolume(loaded.ct)[tuple(ijk[:, ::-1].T)]
    assert np.median(values) == -1000
    assert values.mean() < -850  # Voxels at its border mix with their surroundings.


def test_the_ct_of_another_patient_is_not_used(scene, tmp_path):
    from ThyroidSynthLib.slicer.scene.patient.patients import propose_patient

    ct = load_case(scene, case_with(tmp_path / "s1", QFORM)).ct
    far = QFORM.copy()
    far[:3, 3] += [0.0, 0.0, 500.0]
    again = load_case(scene, find_cases(write_case(tmp_path / "s2", THYROID, TRACHEA, far))[0], ct=ct)
    assert again.ct is None
    assert any("is not inside 's1 CT'" in note for note in again.notes)
    assert propose_patient(scene) == (None, again.segmentation)
    near = load_case(scene, find_cases(write_case(tmp_path / "s3", THYROID, TRACHEA, QFORM))[0], ct=ct)
    assert near.ct is ct
    assert near.notes == ()


def test_masks_outside_their_own_ct_are_reported(scene, tmp_path):
    case_with(tmp_path / "s1", QFORM)
    far = QFORM.copy()
    far[:3, 3] += [0.0, 0.0, 500.0]
    write_case(tmp_path / "s1", THYROID, TRACHEA, far)
    loaded = load_case(scene, find_cases(tmp_path / "s1")[0])
    assert any("own CT" in note for note in loaded.notes)
