"""A fit lies in the patient, on the patient's grid, and says how near it is."""

import json

import numpy as np
import pytest

from ThyroidSynthLib.anatomy.case_sources import find_cases
from ThyroidSynthLib.anatomy.volume import Volume, read_volume, write_volume
from ThyroidSynthLib.errors import Cancelled, InputError
from ThyroidSynthLib.evaluation.fitted import fit_cases
from ThyroidSynthLib.synthesis.grid import LabelGrid, voxelise
from ThyroidSynthLib.synthesis.thyroid_files import FileOptions
from tiny_cohort import write_tiny_cohort
from tiny_model import train_tiny_model

ORIGIN = np.array([30.0, -20.0, 400.0])


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_tiny_cohort(tmp_path_factory.mktemp("cohort") / "cohort", cases=6)


@pytest.fixture(scope="module")
def model(cohort, tmp_path_factory):
    return train_tiny_model(cohort, tmp_path_factory.mktemp("model") / "model.safetensors")


@pytest.fixture
def patients(cohort, tmp_path):
    """Two case folders: a patient with a gland of the cohort, and one whose thyroid is empty."""
    surface = cohort.surface(cohort.ids[2])
    matrix = np.diag([1.5, 1.5, 1.5, 1.0])
    matrix[:3, 3] = ORIGIN - 48.0
    grid = LabelGrid((65, 65, 65), matrix)
    gland = voxelise(surface.moved(surface.vertices + ORIGIN), grid)
    trachea = np.zeros(grid.size_kji, np.uint8)
    trachea[20:45, 29:36, 29:36] = 1
    trachea = Volume(trachea, matrix)
    moved = matrix.copy()
    moved[:3, 3] += ORIGIN - trachea.center_of_mass_ras()
    for case, thyroid in (("empty", gland.array * 0), ("patient", gland.array)):
        # The trachea's centre of mass comes to lie on the origin, and the gland stays around it.
        write_volume(Volume(trachea.array, moved), tmp_path / case / "trachea.nii.gz")
        write_volume(Volume(thyroid, moved), tmp_path / case / "thyroid_gland.nii.gz")
    return tmp_path


def test_one_case_is_fitted_and_the_other_says_why_not(model, patients, tmp_path):
    out = tmp_path / "out"
    options = FileOptions(mesh_formats=("ply",))
    fits = list(fit_cases(model, find_cases(patients), out, options=options, on_scan_grid=True))
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


def test_an_earlier_fit_is_replaced_only_when_asked(model, patients, tmp_path):
    options = FileOptions(label_format=None)
    sources = find_cases(patients / "patient")

    def fit(overwrite):
        return list(
            fit_cases(model, sources, tmp_path / "out", options=options, on_scan_grid=True, overwrite=overwrite)
        )

    assert "error" not in fit(False)[0]
    assert "already holds a fit" in fit(False)[0]["error"]
    assert "error" not in fit(True)[0]


def test_a_label_map_that_the_grid_cuts_is_said(model, patients, tmp_path):
    matrix = np.diag([1.5, 1.5, 1.5, 1.0])
    matrix[:3, 3] = ORIGIN
    options = FileOptions(grid=LabelGrid((20, 20, 20), matrix))
    (fit,) = fit_cases(model, find_cases(patients / "patient"), tmp_path / "out", options=options, on_scan_grid=False)
    assert any("beyond the grid" in note for note in fit["notes"])


def test_two_cases_of_one_name_are_refused_before_one_replaces_the_other(model, patients, tmp_path):
    twice = find_cases(patients / "patient") * 2
    with pytest.raises(InputError, match="named patient"):
        list(fit_cases(model, twice, tmp_path / "out", options=FileOptions(), overwrite=True))
    assert not (tmp_path / "out").exists()


def test_a_stop_ends_all_fits(model, patients, tmp_path):
    with pytest.raises(Cancelled):
        list(
            fit_cases(
                model,
                find_cases(patients),
                tmp_path / "out",
                options=FileOptions(),
                on_scan_grid=True,
                stop_requested=lambda: True,
            )
        )
