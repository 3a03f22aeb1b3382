"""Wishes from tables, patients from paths, and steering that ends where it was asked to."""

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.generation.cohort.patient_site import generate_to_target, site_at
from ThyroidSynthLib.generation.cohort.target_table import read_targets
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.volume_files import write_volume


def test_a_table_gives_one_wish_a_row_and_empty_cells_are_free(tmp_path):
    path = tmp_path / "wishes.csv"
    path.write_text("name,symmetry,volume_ml\na,0.7,15\nb,,20.5\n")
    assert read_targets(path) == [{"volume_ml": 15.0, "symmetry": 0.7}, {"volume_ml": 20.5, "symmetry": None}]


def test_a_blank_after_a_comma_costs_no_wish(tmp_path):
    path = tmp_path / "wishes.csv"
    path.write_text("volume_ml, symmetry\n15, 0.7\n")
    assert read_targets(path) == [{"volume_ml": 15.0, "symmetry": 0.7}]


def test_a_table_saved_by_a_spreadsheet_with_semicolons_and_a_mark_is_read(tmp_path):
    path = tmp_path / "wishes.csv"
    path.write_bytes("\ufeffvolume_ml;isthmus_area_mm2\r\n15;0\r\n".encode())
    assert read_targets(path) == [{"volume_ml": 15.0, "isthmus_area_mm2": 0.0}]


@pytest.mark.parametrize(
    ("text", "fault"),
    [("a,b\n1,2\n", "none of the columns"), ("volume_ml\n", "no row"), ("volume_ml\n12\nmuch\n", "line 3: 'much'")],
)
def test_a_table_that_makes_no_sense_is_refused_with_its_fault(tmp_path, text, fault):
    path = tmp_path / "wishes.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=fault):
        read_targets(path)


def a_mask(center_ijk) -> Volume:
    array = np.zeros((30, 28, 26), np.uint8)
    i, j, k = center_ijk
    array[k - 3 : k + 4, j - 2 : j + 3, i - 2 : i + 3] = 1
    matrix = np.diag([-1.5, -1.5, 2.0, 1.0])
    matrix[:3, 3] = [40.0, 10.0, -300.0]
    return Volume(array, matrix)


@pytest.mark.parametrize("name", ["trachea.nii.gz", "some_trachea.nrrd"])
def test_a_patient_is_where_the_mask_of_the_trachea_is(tmp_path, name):
    write_volume(a_mask((12, 9, 20)), tmp_path / name)
    assert np.allclose(
        site_at(tmp_path / name, "trachea").placement.origin_ras, [40 - 18, 10 - 13.5, -300 + 40], atol=1e-3
    )


def test_a_patient_is_where_the_case_folders_trachea_is(tmp_path):
    write_volume(a_mask((12, 9, 20)), tmp_path / "trachea.nii.gz")
    write_volume(a_mask((5, 20, 10)), tmp_path / "thyroid_gland.nii.gz")
    assert np.allclose(site_at(tmp_path, "trachea").placement.origin_ras, [40 - 18, 10 - 13.5, -300 + 40], atol=1e-3)


def test_what_makes_a_placement_unreliable_is_noted(tmp_path):
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


def test_the_mask_of_a_thyroid_is_no_place(tmp_path):
    write_volume(a_mask((5, 20, 10)), tmp_path / "thyroid_gland.nii.gz")
    with pytest.raises(InputError, match="is a thyroid"):
        site_at(tmp_path / "thyroid_gland.nii.gz", "trachea")


def test_an_empty_mask_and_several_patients_are_refused(tmp_path):
    empty = a_mask((12, 9, 20))
    write_volume(Volume(empty.array * 0, empty.ijk_to_ras), tmp_path / "trachea.nii.gz")
    with pytest.raises(InputError, match="is empty"):
        site_at(tmp_path / "trachea.nii.gz", "trachea")
    for case in ("a", "b"):
        write_volume(a_mask((12, 9, 20)), tmp_path / "two" / case / "trachea.nii.gz")
    with pytest.raises(InputError, match="2 cases"):
        site_at(tmp_path / "two", "trachea")


def test_to_target_brings_the_asked_volume_nearer_than_chance(small_model):
    volume = float(np.median(small_model.features[:, 0]))
    found = list(generate_to_target(small_model, count=2, seed=3, targets={"volume_ml": volume}, resolution=32))
    assert [thyroid.index for thyroid in found] == [0, 1]
    for thyroid in found:
        assert thyroid.measured.volume_ml == pytest.approx(volume, rel=0.02)
        assert set(thyroid.targets) == {"volume_ml"}
