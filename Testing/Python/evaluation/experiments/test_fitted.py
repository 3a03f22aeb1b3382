"""Fits as files: placed in the patient, on the patient's grid, with their quality."""

import json

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import Cancelled, InputError
from ThyroidSynthLib.dataset.case_sources import find_cases
from ThyroidSynthLib.evaluation.experiments.fits import fit_cases
from ThyroidSynthLib.export.thyroid_files import FileOptions
from ThyroidSynthLib.generation.fit import fitting
from ThyroidSynthLib.generation.fit.fitting import mismatch_notes
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.ply import read_ply
from ThyroidSynthLib.imaging.volume_files import read_volume, write_volume

ORIGIN = np.array([30.0, -20.0, 400.0])


@pytest.fixture
def patients(small_cohort, tmp_path):
    """Return two case folders: a patient with a gland of the cohort, and one whose thyroid is empty."""
    surface = small_cohort.surface(small_cohort.ids[2])
    matrix = np.diag([1.5, 1.5, 1.5, 1.0])
    matrix[:3, 3] = ORIGIN - 48.0
    grid = Grid((65, 65, 65), matrix)
    gland = voxelise(surface.moved(surface.vertices + ORIGIN), grid)
    trachea = np.zeros(grid.shape, np.uint8)
    trachea[20:45, 29:36, 29:36] = 1
    trachea = Volume(trachea, matrix)
    moved = matrix.copy()
    moved[:3, 3] += ORIGIN - trachea.center_of_mass_ras()
    for case, thyroid in (("empty", gland.array * 0), ("patient", gland.array)):
        # Moves the trachea's centre of mass to the origin, with the gland around it.
        write_volume(Volume(trachea.array, moved), tmp_path / case / "trachea.nii.gz")
        write_volume(Volume(thyroid, moved), tmp_path / case / "thyroid_gland.nii.gz")
    return tmp_path


def test_a_case_without_a_thyroid_gives_an_error_and_the_other_is_fitted(small_model, patients, tmp_path):
    out = tmp_path / "out"
    options = FileOptions(mesh_formats=("ply",))
    fits = list(fit_cases(small_model, find_cases(patients), out, options=options))
    assert [fit["id"] for fit in fits] == ["empty", "patient"]
    assert "no thyroid" in fits[0]["error"] and not (out / "empty").exists()
    found = json.loads((out / "patient" / "fit.json").read_text())
    assert found == fits[1]
    assert found["quality"]["dice"] > 0.6 and 0 < found["quality"]["assd_mm"] < 3
    assert np.allclose(np.array(found["trachea_to_ras"])[:3, 3], ORIGIN, atol=0.01)
    patient, fitted = (
        read_volume(path)
        for path in (patients / "patient" / "thyroid_gland.nii.gz", out / "patient" / "thyroid.nii.gz")
    )
    assert fitted.array.shape == patient.array.shape
    assert np.allclose(fitted.ijk_to_ras, patient.ijk_to_ras, atol=1e-3)
    overlap = 2 * (fitted.array & patient.array).sum() / (fitted.array.sum() + patient.array.sum())
    assert overlap == pytest.approx(found["quality"]["dice"], abs=0.05)


def test_a_cut_gland_is_completed_and_its_uncertainty_is_written(small_model, patients, tmp_path):
    for name in ("trachea", "thyroid_gland"):
        whole = read_volume(patients / "patient" / f"{name}.nii.gz")
        moved = whole.ijk_to_ras.copy()
        moved[:3, 3] = whole.to_ras(np.array([0, 0, 28]))
        write_volume(Volume(whole.array[28:], moved), tmp_path / "cut" / f"{name}.nii.gz")
    options = FileOptions(mesh_formats=("ply", "stl"))

    (fit,) = fit_cases(small_model, find_cases(tmp_path / "cut"), tmp_path / "out", options=options, completions=2)

    assert fit["observed"]["cut_by_scan"] and 0.3 < fit["observed"]["seen_share"] < 0.95
    assert any("completed beyond the scan" in note for note in fit["notes"])
    low, high = fit["uncertainty"]["intervals"]["volume_ml"]
    assert low < high and fit["patient"]["volume_ml"] < fit["fitted"]["volume_ml"]
    sd = fit["uncertainty"]["surface_sd_mm"]
    assert 0 < sd["in_scan"] < sd["beyond_scan"]
    folder = tmp_path / "out" / "cut"
    assert {str(path.relative_to(folder)) for path in folder.rglob("*.*")} == {*fit["files"], "fit.json"}
    thyroid, probability, other = (
        read_volume(folder / f"{name}.nii.gz") for name in ("thyroid", "probability", "completions/01")
    )
    assert thyroid.array.shape == probability.array.shape == other.array.shape
    # The grid is that of the scan, extended below it.
    assert thyroid.array.shape[0] > 37 and thyroid.array.shape[1:] == (65, 65)
    assert np.allclose(thyroid.spacing_mm, 1.5)
    assert thyroid.array.sum() * thyroid.voxel_volume_ml == pytest.approx(fit["fitted"]["volume_ml"], rel=0.03)
    assert 0 < probability.array.max() <= 1 and ((probability.array > 0) & (probability.array < 1)).any()
    header = (folder / "thyroid.ply").read_bytes().split(b"end_header")[0]
    assert b"property float uncertainty_mm" in header
    assert len(read_ply(folder / "thyroid.ply").vertices) > 100


@pytest.mark.parametrize(("label_format", "shares"), [("seg.nrrd", "nrrd"), ("mhd", "mhd")])
def test_a_map_of_shares_is_written_beside_label_maps_of_any_format(
    small_model, patients, tmp_path, label_format, shares
):
    sources = find_cases(tmp_path / "patient")
    options = FileOptions(label_format=label_format)

    (fit,) = fit_cases(small_model, sources, tmp_path / "out", options=options, completions=2)

    folder = tmp_path / "out" / "patient"
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")} == {*fit["files"], "fit.json"}
    thyroid, probability = (read_volume(folder / name) for name in (f"thyroid.{label_format}", f"probability.{shares}"))
    assert thyroid.array.max() == 1 and probability.array.dtype == np.float32
    assert ((probability.array > 0) & (probability.array < 1)).sum() > 0


def test_islands_of_thyroid_and_trachea_are_reported_and_do_not_change_the_fit(small_model, patients, tmp_path):
    for name in ("trachea", "thyroid_gland"):
        clean = read_volume(patients / "patient" / f"{name}.nii.gz")
        array = clean.array.copy()
        array[:3, :4, :4] = 1
        write_volume(Volume(array, clean.ijk_to_ras), tmp_path / "detached" / f"{name}.nii.gz")
    sources = [*find_cases(patients / "patient"), *find_cases(tmp_path / "detached")]

    clean, detached = fit_cases(small_model, sources, tmp_path / "out", options=FileOptions(label_format=None))

    assert [note for note in detached["notes"] if "island" in note] == [
        "1 island of the thyroid removed (0.16 mL, 48 voxels, 59 mm away)",
        "1 island of the trachea removed (0.16 mL, 48 voxels, 61 mm away)",
    ]
    assert not any("island" in note for note in clean["notes"])
    assert all(detached[key] == clean[key] for key in ("code", "offset", "patient"))
    assert len(clean["code"]) == small_model.code_size and len(clean["offset"]) == small_model.network.width
    assert detached["trachea_to_ras"] == clean["trachea_to_ras"]


def test_a_fit_of_one_lobe_writes_nothing_on_the_empty_side_and_reports_what_was_removed(
    small_model, patients, tmp_path, monkeypatch
):
    # Otherwise the fit leaves nothing to remove here.
    for setting in ("_OFFSET_ROUNDS", "_CORRECTIONS"):
        monkeypatch.setattr(fitting, setting, 0)
    gland = read_volume(patients / "patient" / "thyroid_gland.nii.gz")
    gland.array[:, :, : gland.array.shape[2] // 2] = 0
    write_volume(gland, patients / "patient" / "thyroid_gland.nii.gz")

    (fit,) = fit_cases(small_model, find_cases(patients / "patient"), tmp_path / "out", options=FileOptions())

    fitted = read_volume(tmp_path / "out" / "patient" / "thyroid.nii.gz").array
    empty = np.argwhere(gland.array)[:, 2].min() - 3
    assert not fitted[:, :, :empty].any() and fitted.any()
    removed_ml = fit["observed"]["removed_ml"]
    note = f"{removed_ml:.2f} mL of the model's shape, where the gland has no part, was removed"
    assert removed_ml > 0.005 and note in fit["notes"]


def test_a_note_reports_a_fit_far_from_a_wrong_segmentation(small_model, patients, tmp_path):
    for name in ("trachea", "thyroid_gland"):
        volume = read_volume(patients / "patient" / f"{name}.nii.gz")
        array = volume.array.copy()
        if name == "thyroid_gland":
            array[12:50, 28:60, 20:44] = 1
        write_volume(Volume(array, volume.ijk_to_ras), tmp_path / "far" / f"{name}.nii.gz")
    sources = [*find_cases(tmp_path / "far"), *find_cases(patients / "patient")]

    far, near = fit_cases(small_model, sources, tmp_path / "out", options=FileOptions(label_format=None))

    quality, volumes = far["quality"], (far["fitted"]["volume_ml"], far["patient"]["volume_ml"])
    assert quality["dice"] < 0.8
    message = "the fit is far from the given gland: Dice {:.2f}, {:.1f} mL for {:.1f} mL".format(
        quality["dice"], *volumes
    )
    assert any(note.startswith(message) for note in far["notes"])
    assert json.loads((tmp_path / "out" / "far" / "fit.json").read_text())["notes"] == far["notes"]
    assert near["quality"]["dice"] > 0.8 and not any("far from the given" in note for note in near["notes"])


@pytest.mark.parametrize(
    ("measures", "end"),
    [
        ((0.11, 243.0, 25.0, 40.0), "Dice 0.11, 243.0 mL for 25.0 mL, HD95 40.0 mm"),
        ((0.9, 31.0, 25.0, 3.0), "Dice 0.90, 31.0 mL for 25.0 mL"),
        ((0.957, 5.5, 5.4, 17.5), "Dice 0.96, 5.5 mL for 5.4 mL, HD95 17.5 mm"),
        ((None, 5.5, 5.4, 1.0), "a surface is open"),
    ],
)
def test_overlap_volume_and_distance_each_make_a_fit_far_from_the_gland(measures, end):
    (note,) = mismatch_notes(*measures)
    assert note.endswith(end)
    assert mismatch_notes(0.85, 22.0, 25.0, 4.0) == ()


def test_a_whole_gland_is_not_reported_as_cut(small_model, patients, tmp_path):
    (fit,) = fit_cases(small_model, find_cases(patients / "patient"), tmp_path / "out", options=FileOptions())
    assert fit["observed"]["cut_by_scan"] is False and fit["observed"]["seen_share"] == 1.0
    assert fit["observed"]["raised_mm"] == 0.0 and fit["uncertainty"]["surface_sd_mm"]["beyond_scan"] is None
    assert fit["files"] == ["thyroid.nii.gz", "probability.nii.gz"]


def test_an_earlier_fit_is_replaced_only_with_overwrite(small_model, patients, tmp_path):
    options = FileOptions(label_format=None)
    sources = find_cases(patients / "patient")

    def fit(overwrite):
        (found,) = fit_cases(small_model, sources, tmp_path / "out", options=options, overwrite=overwrite)
        return found

    assert "error" not in fit(False)
    assert "already holds a fit" in fit(False)["error"]
    assert "error" not in fit(True)


def test_a_note_reports_a_label_map_cut_by_its_grid(small_model, patients, tmp_path):
    matrix = np.diag([1.5, 1.5, 1.5, 1.0])
    matrix[:3, 3] = ORIGIN
    options = FileOptions(grid=Grid((20, 20, 20), matrix))
    (fit,) = fit_cases(
        small_model, find_cases(patients / "patient"), tmp_path / "out", options=options, on_scan_grid=False
    )
    assert any("extends beyond the grid" in note for note in fit["notes"])
    written = read_volume(tmp_path / "out" / "patient" / "thyroid.nii.gz")
    volume_ml = written.array.sum() * written.voxel_volume_ml
    assert fit["label_map"] == {"volume_ml": pytest.approx(volume_ml), "holds_all": False}
    assert volume_ml < 0.9 * fit["fitted"]["volume_ml"]


def test_two_cases_with_the_same_id_are_refused(small_model, patients, tmp_path):
    duplicates = find_cases(patients / "patient") * 2
    with pytest.raises(InputError, match="named patient"):
        list(fit_cases(small_model, duplicates, tmp_path / "out", options=FileOptions(), overwrite=True))
    assert not (tmp_path / "out").exists()


def test_cancelling_ends_all_fits(small_model, patients, tmp_path):
    sources = find_cases(patients)
    with pytest.raises(Cancelled):
        list(fit_cases(small_model, sources, tmp_path / "out", options=FileOptions(), should_stop=lambda: True))
