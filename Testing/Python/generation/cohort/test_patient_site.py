"""The patient's trachea at which thyroids are placed, from any path that holds it."""

import numpy as np
import pytest

from support.mask_files import with_header
from support.reported_cases import hole_of_one_voxel, synthetic_case, write_masks
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.generation.cohort.patient_site import site_at, site_at_point
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.volume_files import write_volume


def a_mask(center_ijk) -> Volume:
    array = np.zeros((30, 28, 26), np.uint8)
    i, j, k = center_ijk
    array[k - 3 : k + 4, j - 2 : j + 3, i - 2 : i + 3] = 1
    matrix = np.diag([-1.5, -1.5, 2.0, 1.0])
    matrix[:3, 3] = [40.0, 10.0, -300.0]
    return Volume(array, matrix)


@pytest.mark.parametrize("name", ["trachea.nii.gz", "some_trachea.nrrd"])
def test_the_site_is_at_the_centre_of_mass_of_a_trachea_mask(tmp_path, name):
    write_volume(a_mask((12, 9, 20)), tmp_path / name)
    assert np.allclose(
        site_at(tmp_path / name, "trachea").placement.origin_ras, [40 - 18, 10 - 13.5, -300 + 40], atol=1e-3
    )


def test_the_site_is_at_the_trachea_of_a_case_folder(tmp_path):
    write_volume(a_mask((12, 9, 20)), tmp_path / "trachea.nii.gz")
    write_volume(a_mask((5, 20, 10)), tmp_path / "thyroid_gland.nii.gz")
    assert np.allclose(site_at(tmp_path, "trachea").placement.origin_ras, [40 - 18, 10 - 13.5, -300 + 40], atol=1e-3)


def test_a_trachea_far_from_the_thyroid_is_refused_and_islands_of_it_do_not_move_the_placement(tmp_path):
    trachea = a_mask((12, 9, 22))
    trachea.array[12:] |= trachea.array[22]
    write_volume(trachea, tmp_path / "away" / "trachea.nii.gz")
    write_volume(a_mask((5, 20, 4)), tmp_path / "away" / "thyroid_gland.nii.gz")
    detached = trachea.array.copy()
    detached[:2, -2:, -2:] = 1
    for name in ("detached", "lone"):
        write_volume(Volume(detached, trachea.ijk_to_ras), tmp_path / name / "trachea.nii.gz")
    write_volume(trachea, tmp_path / "clean" / "trachea.nii.gz")

    with pytest.raises(InputError, match=r"The trachea of .*away does not show .*: the trachea ends 15 mm from"):
        site_at(tmp_path / "away", "trachea")
    detached, lone, clean = (
        site_at(tmp_path / place, "trachea") for place in ("detached", "lone/trachea.nii.gz", "clean")
    )
    for site in (detached, lone):
        assert site.notes == ("1 island of the trachea removed (0.036 mL, 8 voxels, 35 mm away)",)
    assert clean.notes == ()
    for site in (detached, lone):
        assert np.allclose(site.placement.origin_ras, clean.placement.origin_ras)


@pytest.mark.parametrize("name", ["spleen", "vertebrae_C7", "Esophagus"])
def test_the_mask_of_another_organ_is_rejected(tmp_path, name):
    a_neck(tmp_path).rename(tmp_path / f"{name}.nii.gz")
    with pytest.raises(InputError, match="another organ by its name"):
        site_at(tmp_path / f"{name}.nii.gz", "trachea")


def test_the_mask_of_a_thyroid_is_rejected(tmp_path):
    write_volume(a_mask((5, 20, 10)), tmp_path / "thyroid_gland.nii.gz")
    with pytest.raises(InputError, match="is a thyroid"):
        site_at(tmp_path / "thyroid_gland.nii.gz", "trachea")


def test_an_empty_mask_and_several_cases_are_rejected(tmp_path):
    empty = a_mask((12, 9, 20))
    write_volume(Volume(empty.array * 0, empty.ijk_to_ras), tmp_path / "trachea.nii.gz")
    with pytest.raises(InputError, match="is empty"):
        site_at(tmp_path / "trachea.nii.gz", "trachea")
    for case in ("a", "b"):
        write_volume(a_mask((12, 9, 20)), tmp_path / "two" / case / "trachea.nii.gz")
    with pytest.raises(InputError, match="2 cases"):
        site_at(tmp_path / "two", "trachea")


def a_neck(tmp_path, *, top_mm: float = 40.0):
    """Write a tilted trachea of 10 mm radius from S = -60 mm to a height, in a scan that ends at 60 mm."""
    matrix = np.diag([2.0, 2.0, 2.0, 1.0])
    matrix[:3, 3] = [-40.0, -60.0, -60.0]
    blank = Volume(np.zeros((61, 61, 41), np.uint8), matrix)
    r, a, s = blank.to_ras(np.argwhere(np.ones(blank.array.shape))[:, ::-1]).T
    inside = (np.hypot(r - 4.0, a + 0.2 * s) < 10.0) & (s <= top_mm)
    write_volume(Volume(inside.reshape(blank.array.shape).astype(np.uint8), matrix), tmp_path / "trachea.nii.gz")
    return tmp_path / "trachea.nii.gz"


def test_a_given_level_sets_the_height_on_the_tracheas_axis(tmp_path):
    site = site_at(a_neck(tmp_path), "upright", level_mm=10.0)

    assert np.allclose(site.placement.origin_ras, [4.0, -2.0, 10.0], atol=0.3)
    up = np.array([0.0, -0.2, 1.0]) / np.hypot(0.2, 1.0)
    assert np.allclose(site.placement.trachea_to_ras[:3, 2], up, atol=0.02)
    assert site.notes == () and site.level == "given (10 mm)"


@pytest.mark.parametrize("level_mm", [200.0, -1000.0, float("nan"), float("inf")])
def test_a_level_far_from_the_trachea_is_refused(tmp_path, level_mm):
    with pytest.raises(InputError, match="reaches from S = -60 to 40 mm"):
        site_at(a_neck(tmp_path), "upright", level_mm=level_mm)


def test_a_model_that_is_centred_on_the_trachea_takes_no_level(tmp_path):
    assert site_at(a_neck(tmp_path), "trachea").level == "centred on the trachea"
    with pytest.raises(InputError, match="centred on the trachea"):
        site_at(a_neck(tmp_path), "trachea", level_mm=10.0)


def test_without_a_thyroid_the_level_is_estimated_from_the_upper_end_of_the_trachea(tmp_path):
    site = site_at(a_neck(tmp_path), "upright")

    # 7.5 mm along the axis, which is 7.35 mm in height.
    assert np.allclose(site.placement.origin_ras, [4.0, -6.1, 40.0 - 7.35], atol=0.5)
    assert len(site.notes) == 1 and "the level of the gland was estimated as S = 33 mm" in site.notes[0]
    assert site.level == "estimated from the trachea's upper end (33 mm)"


def test_where_the_upper_end_is_not_in_the_scan_the_message_says_how_to_place_the_gland(tmp_path):
    with pytest.raises(InputError, match=r"upper end of the trachea is not in the scan.*--level MM.*--place-at R A S"):
        site_at(a_neck(tmp_path, top_mm=60.0), "upright")


def test_a_point_is_the_origin_of_the_trachea_frame():
    site = site_at_point([3.0, -20.0, 110.0])

    assert np.allclose(site.placement.to_ras(np.zeros(3)), [3.0, -20.0, 110.0])
    assert np.allclose(site.placement.trachea_to_ras[:3, :3], np.eye(3)) and site.trachea is None
    for wrong in ([1.0, 2.0], [1.0, 2.0, float("nan")], [1.0, 2.0, 1e9]):
        with pytest.raises(InputError, match="no point in a patient"):
            site_at_point(wrong)


def test_a_case_without_a_trachea_is_refused(tmp_path):
    write_volume(a_mask((5, 20, 10)), tmp_path / "thyroid_gland.nii.gz")
    with pytest.raises(InputError, match="holds no trachea"):
        site_at(tmp_path, "upright")


def test_only_what_concerns_the_place_is_noted(tmp_path):
    """A gland that the scan cuts has its centre elsewhere; one with thick slices or a cavity is where it is."""
    case = synthetic_case()
    top = np.argwhere(case.thyroid.any(axis=(1, 2))).max() - 5
    write_masks(tmp_path / "cut", {"thyroid_gland": case.thyroid[:top], "trachea": case.trachea[:top]}, case.ras)
    thick = case.ras @ np.diag([1.0, 1.0, 4.0, 1.0])
    write_masks(tmp_path / "thick", {"thyroid_gland": case.thyroid[::4], "trachea": case.trachea[::4]}, thick)

    assert site_at(hole_of_one_voxel(tmp_path / "hole"), "upright").notes == ()
    assert site_at(tmp_path / "thick", "upright").notes == ()
    (note,) = site_at(tmp_path / "cut", "upright").notes
    assert note == "the thyroid is cut by the scan's border, so its centre is uncertain"


@pytest.mark.parametrize("alone", [True, False])
def test_a_header_with_two_places_is_noted(tmp_path, alone):
    with_header(a_neck(tmp_path), 252, "2h", 1, 2)
    path = with_header(tmp_path / "trachea.nii.gz", 268, "3f", -40.0, -60.0, -20.0)

    (note,) = site_at(path if alone else tmp_path, "trachea").notes

    assert "qform" in note and "40" in note
