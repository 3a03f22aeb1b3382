"""The benchmark beside the authors' code: all of it but their code, for which a stand-in trains."""

from __future__ import annotations

import csv
import importlib
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import trimesh

from support.lightning_files import AuthorsModule, save_checkpoint
from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.dataset.authors import AuthorsOptions, prepare_authors_set
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.evaluation.metrics.surface_distances import chamfer
from ThyroidSynthLib.generation.steer.direct_sampling import generate
from ThyroidSynthLib.generation.thyroid import reconstruct
from ThyroidSynthLib.geometry.sampling import signed_distance
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.model.network import SDFNetwork
from ThyroidSynthLib.model.trained_model import TrainedModel

BENCHMARKS = Path(__file__).resolve().parents[2] / "Benchmarks"
CASES = 4


@pytest.fixture(scope="module")
def authors() -> ModuleType:
    """The script, which finds its neighbours in its own folder, as any script does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        return importlib.import_module("authors")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return write_tiny_cohort(tmp_path_factory.mktemp("own") / "cohort", cases=CASES, samples_per_shape=500)


@pytest.fixture(scope="module")
def published(authors: ModuleType, own: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """The same cohort after the detour through the published format, with the set in the folder ``set`` beside it."""
    folder = tmp_path_factory.mktemp("published")
    authors.write_set(own, folder / "set")
    options = AuthorsOptions(scale_mm=tuple(own.frame.scale_mm[::-1]))
    summary = prepare_authors_set(folder / "set", folder / "cohort", options)
    # A note would name the cases whose features in the table are not those measured.
    assert summary.notes == ()
    return Cohort.open(summary.folder)


def test_the_set_has_the_axes_signs_and_units_of_the_published_one(own: Cohort, published: Cohort) -> None:
    folder = published.folder.parent / "set"
    with (folder / "features.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))

    assert [row["id"] for row in table] == sorted(own.ids)
    for row in table:
        mesh = trimesh.load(folder / "ply" / f"{row['id']}.ply")
        # As the authors compute it. A mesh that faces inwards has a negative volume.
        assert float(row["volume"]) == pytest.approx(mesh.volume, rel=1e-4)
        surface = own.surface(row["id"])
        left_right = np.ptp(surface.vertices[:, 0]) / own.frame.scale_mm[0]
        assert np.ptp(mesh.vertices[:, 2]) == pytest.approx(left_right, rel=1e-5)
        with np.load(folder / "sdf" / f"{row['id']}.npz") as arrays:
            assert arrays["points"].shape == (500, 3) and arrays["sdf"].shape == (500, 1)
            deepest = arrays["points"][np.argmax(arrays["sdf"])]
            assert arrays["sdf"].max() > 0.02
            assert signed_distance(Surface(mesh.vertices, mesh.faces), deepest[None]) < -0.02


def test_the_set_is_read_as_the_cohort_that_it_was_written_from(own: Cohort, published: Cohort) -> None:
    assert published.ids == own.ids
    np.testing.assert_allclose(published.features, own.features, rtol=1e-3)
    np.testing.assert_allclose(published.frame.scale_mm, own.frame.scale_mm)
    ours, theirs = np.asarray(own.samples), np.asarray(published.samples)
    directions = np.sign(np.sum(ours[..., :3] * theirs[..., :3], axis=(0, 1)))
    np.testing.assert_allclose(theirs[..., :3] * directions, ours[..., :3], atol=1e-6)
    np.testing.assert_allclose(theirs[..., 3], ours[..., 3], atol=1e-6)


def test_what_is_missing_is_named_with_the_remedy(
    authors: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = Path(sys.executable)
    no_code = authors.what_is_missing(tmp_path, python)
    assert (
        no_code.startswith(str(tmp_path))
        and "train.py, which the authors' code has. Clone https://github.com/" in no_code
    )

    (tmp_path / authors.SCRIPT).parent.mkdir(parents=True)
    (tmp_path / authors.SCRIPT).touch()
    assert "Give one with --python" in authors.what_is_missing(tmp_path, tmp_path / "no-python")

    monkeypatch.setattr(authors, "PACKAGES", {"json": "present", "no_such_module": "absent"})
    assert f"'{python} -m pip install absent'" in authors.what_is_missing(tmp_path, python)

    monkeypatch.setattr(authors, "PACKAGES", {"json": "present"})
    assert authors.what_is_missing(tmp_path, python) == ""


STAND_IN = """
import json
import shutil

class Autodecoder:
    def fit(self, paths, target_meshes=None, epochs=100, lr=1):
        (paths / "given.json").write_text(json.dumps([target_meshes, epochs, lr]))

def main(data_dir, ckpt_path, fixed_features):
    assert fixed_features == ["volume", "isthmus_area", "symmetry"]
    Autodecoder().fit(data_dir, target_meshes=["mesh"], epochs=10_000, lr=3e-4)
    shutil.copy(data_dir / "trained.ckpt", ckpt_path)
"""


def test_their_training_runs_in_its_own_process_and_is_imported(
    authors: ModuleType, published: Cohort, tmp_path: Path
) -> None:
    (tmp_path / authors.SCRIPT).parent.mkdir(parents=True)
    (tmp_path / authors.SCRIPT).write_text(STAND_IN)
    (tmp_path / "set").mkdir()
    units = published.features / [np.prod(published.frame.scale_mm) / 1000, np.prod(published.frame.scale_mm[1:]), 1]
    module = AuthorsModule([*(units[:, [column]] for column in range(3)), (CASES, 8)])
    save_checkpoint(module, tmp_path / "set" / "trained.ckpt")

    found = authors.trained_by_authors(tmp_path, Path(sys.executable), published, tmp_path, epochs=7, threads=1)

    assert (tmp_path / "set" / "given.json").read_text() == "[null, 7, 0.0003]"
    assert found.model.ids == published.ids and found.cpu_seconds >= 0 and found.seconds > 0
    np.testing.assert_allclose(found.model.features, published.features, rtol=1e-3)


def test_an_error_of_their_code_is_shown(authors: ModuleType, published: Cohort, tmp_path: Path) -> None:
    (tmp_path / authors.SCRIPT).parent.mkdir(parents=True)
    (tmp_path / authors.SCRIPT).write_text("raise ValueError('no such anatomy')")
    with pytest.raises(SystemExit, match="ValueError: no such anatomy"):
        authors.trained_by_authors(tmp_path, Path(sys.executable), published, tmp_path, epochs=1, threads=1)


@pytest.mark.parametrize("preset", ["paper", "best"])
def test_ours_is_trained_with_the_preset_and_as_many_epochs(authors: ModuleType, own: Cohort, preset: str) -> None:
    found = authors.trained_here(preset, own, epochs=2, threads=1)

    assert found.model.ids == own.ids and found.name == f"ours, `{preset}`"
    settings = found.model.settings
    assert (settings.preset, settings.variant, settings.epochs) == (preset, "fixed", 2)


def test_a_row_states_what_was_measured(authors: ModuleType, small_model: TrainedModel, small_cohort: Cohort) -> None:
    some = small_cohort.part(small_cohort.ids[:3])
    row = authors.row_of(authors.Training("name", small_model, 12.4, 3.6), some, draws=6)
    cells = [cell.strip() for cell in row.strip("|").split("|")]

    distances = [
        chamfer(
            some.surface(case_id).vertices, reconstruct(small_model, small_model.index_of(case_id)).surface.vertices
        )
        for case_id in some.ids
    ]
    drawn = list(generate(small_model, count=6, seed=0))
    targets = np.array([each.targets.as_array() for each in drawn])
    measured = np.array([each.thyroid.measured.as_array() for each in drawn])
    pcc = [np.corrcoef(targets[:, column], measured[:, column])[0, 1] for column in range(3)]
    assert cells[:2] == ["name", "12 / 4"]
    assert cells[2].startswith(f"{np.mean(distances):.2f} mm (") and cells[3] == "0 of 3"
    assert cells[4] == " / ".join(f"{value:.3f}" for value in pcc)
    assert cells[5] == f"{np.mean(measured[:, 0] - targets[:, 0]):+.2f} mL" and cells[6] == "100%"
    assert row.count("|") == authors.HEADER.splitlines()[0].count("|")


def test_a_model_without_surfaces_has_a_row(
    authors: ModuleType, small_model: TrainedModel, small_cohort: Cohort
) -> None:
    network = small_model.network
    layers = [(layer.weight, layer.bias) for layer in network.layers]
    outside = SDFNetwork.of([*layers[:-1], (layers[-1][0], layers[-1][1] + 10)])
    some = small_cohort.part(small_cohort.ids[:2])
    row = authors.row_of(authors.Training("name", replace(small_model, network=outside), 1, 1), some, draws=2)

    assert row == "| name | 1 / 1 | – | 2 of 2 | – | – | none |"
