"""The patient's trachea at which thyroids are placed, from any path that holds it."""

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.generation.cohort.patient_site import site_at
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


def test_an_unreliable_placement_is_noted(tmp_path):
    """A trachea that ends far from the thyroid, and islands of the trachea, which do not move the placement."""
    trachea = a_mask((12, 9, 25))
    write_volume(trachea, tmp_path / "away" / "trachea.nii.gz")
    write_volume(a_mask((5, 20, 4)), tmp_path / "away" / "thyroid_gland.nii.gz")
    detached = trachea.array.copy()
    detached[:2, -2:, -2:] = 1
    for name in ("detached", "lone"):
        write_volume(Volume(detached, trachea.ijk_to_ras), tmp_path / name / "trachea.nii.gz")
    write_volume(trachea, tmp_path / "clean" / "trachea.nii.gz")

    away, detached, lone, clean = (
        site_at(tmp_path / place, "trachea") for place in ("away", "detached", "lone/trachea.nii.gz", "clean")
    )
    assert away.notes[0] == "trachea away from the thyroid"
    assert detached.notes == lone.notes == ("1 island of the trachea removed (0.036 mL, 8 voxels)",)
    assert clean.notes == ()
    for site in (detached, lone):
        assert np.allclose(site.placement.origin_ras, clean.placement.origin_ras)


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
