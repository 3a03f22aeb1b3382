"""Warnings about doubtful results: on standard error, whatever `--quiet` and `--json` say."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from ThyroidSynthLib.cli.main import main
from ThyroidSynthLib.export import edited_case
from ThyroidSynthLib.generation.fit import fitting
from ThyroidSynthLib.generation.steer.steering import steer_to_target
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.label_map_files import write_label_map
from ThyroidSynthLib.imaging.masks import read_mask

QUIET = ("--quiet", "--json")


@pytest.fixture(autouse=True)
def short_fits(monkeypatch):
    """Fit and steer in few steps: the features of a gland and the targets do not depend on the result."""
    for name, value in {"_ROUNDS": 8, "_MORE_ROUNDS": 0, "_CORRECTIONS": 0, "_COMPARISON_ROUNDS": 1}.items():
        monkeypatch.setattr(fitting, name, value)
    monkeypatch.setattr(edited_case, "steer_to_target", partial(steer_to_target, max_rounds=1))
    monkeypatch.setattr(edited_case, "steer_as_written", lambda shapes, steered, measure, **more: steered)
    monkeypatch.setattr("ThyroidSynthLib.evaluation.experiments.fits.DEFAULT_COMPLETIONS", 1)


@pytest.fixture
def patient(dataset: Path, tmp_path: Path):
    """Write an example case whose thyroid is scaled to a volume in mL; return its folder."""

    def write(volume_ml: float) -> Path:
        folder = tmp_path / f"patient_{volume_ml:g}"
        folder.mkdir()
        names = ("thyroid_gland", "trachea")
        thyroid, trachea = (read_mask(dataset / "s0000/segmentations" / f"{name}.nii.gz").whole() for name in names)
        surface = surface_from_mask(thyroid)
        factor = (1000 * volume_ml / surface.volume) ** (1 / 3)
        # At its side, because in the middle a small one would lie in the trachea.
        fixed = surface.vertices[surface.vertices[:, 0].argmax()]
        scaled = surface.moved(fixed + factor * (surface.vertices - fixed))
        grid = thyroid.grid.grown_to_hold(scaled)
        for name, each in zip(names, (scaled, surface_from_mask(trachea)), strict=True):
            write_label_map(voxelise(each, grid), folder / f"{name}.nii.gz")
        return folder

    return write


@pytest.mark.parametrize("volume_ml", [0.8, 14.0])
def test_a_fit_flags_a_gland_that_is_unlike_the_training_cases(capsys, patient, tmp_path, volume_ml):
    folder = patient(volume_ml)
    assert main(["fit", "example", str(folder), "--format", "none", *QUIET, "--out", str(tmp_path / "fits")]) == 0
    output = capsys.readouterr()
    (fit,) = json.loads(output.out)["fits"]
    unlike = [note for note in fit["notes"] if note.startswith("the gland is unlike the training cases: volume")]
    if volume_ml == 14.0:
        assert (output.err, unlike) == ("", []) and fit["quality"]["out_of_distribution"] < 1
    else:
        warning = f"warning: {folder.name}: the model may not know such glands (out-of-distribution score"
        assert warning in output.err and unlike and fit["quality"]["out_of_distribution"] > 1


def test_an_edit_flags_the_gland_and_its_targets(capsys, patient, tmp_path):
    arguments = ["edit", "example", str(patient(80.0)), "--volume", "+1%", "--format", "none", "--mesh", "ply"]
    assert main([*arguments, *QUIET, "--out", str(tmp_path / "edit")]) == 0
    output = capsys.readouterr()
    assert "the model may not know such glands" in output.err
    assert "warning: patient_80: the targets are unlike the training cases: volume" in output.err
    document = json.loads(output.out)
    assert document["fit"]["out_of_distribution"] > 1
    assert any(note.startswith("the targets are unlike") for note in document["notes"])


@pytest.mark.parametrize("steer", [(), ("--steer",)])
def test_far_targets_and_a_doubtful_placement_are_reported_though_quiet(capsys, dataset, tmp_path, steer):
    arguments = ["generate", "example", "--volume", "80", *steer, "--format", "none", *QUIET]
    assert main([*arguments, "--out", str(tmp_path / "g")]) == 0
    output = capsys.readouterr()
    assert "warning: The targets of 1 of 1 thyroids are unlike the training cases" in output.err
    assert json.loads(output.out)["far_outside"][0]["score"] > 1

    placed = ["generate", "example", "--at", str(dataset / "s0000/segmentations/trachea.nii.gz"), "--format", "none"]
    assert main([*placed, *QUIET, "--out", str(tmp_path / "p")]) == 0
    assert "warning: The placement at" in capsys.readouterr().err
