"""The commands that take the authors' data and models, and meshes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from support.authors_files import AuthorsFiles, write_authors_set
from support.lightning_files import AuthorsModule, save_checkpoint
from support.tiny_cohort import two_lobes
from ThyroidSynthLib.cli.main import main
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.imaging.mesh_files import write_mesh
from ThyroidSynthLib.model.trained_model import TrainedModel


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> AuthorsFiles:
    return write_authors_set(tmp_path_factory.mktemp("authors") / "set", cases=4, samples=250)


def run(*arguments: object) -> int:
    return main([str(argument) for argument in (*arguments, "--quiet")])


def test_the_published_set_and_its_checkpoint_become_a_cohort_and_a_model(
    made: AuthorsFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scale = ",".join(map(str, made.scale_mm))
    assert run("prepare", "--authors", made.folder, "--scale-mm", scale, "--out", tmp_path / "c") == 0
    assert "4 of 4 cases are in" in capsys.readouterr().out
    torch.manual_seed(0)
    columns = np.array([made.units(made.features(case_id)) for case_id in made.ids])
    save_checkpoint(AuthorsModule([*(columns[:, [n]] for n in range(3)), (4, 8)]), tmp_path / "a.ckpt")
    model = tmp_path / "m.safetensors"

    assert run("import", tmp_path / "a.ckpt", "--cohort", tmp_path / "c", "--out", model, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["cases"] == 4 and document["surface_error_mm"] > 0
    assert list(TrainedModel.load(model).ids) == made.ids
    assert run("import", tmp_path / "a.ckpt", "--out", model) == 1
    assert "exists already" in capsys.readouterr().err
    assert run("info", model) == 0


def test_a_set_without_a_scale_says_so(made: AuthorsFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("prepare", "--authors", made.folder, "--out", tmp_path / "c") == 0
    assert "lengths are in units and not in millimetres" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options",
    [["--samples", "40"], ["--labels", "thyroid=1"], ["--alignment", "upright"], ["--trachea-centre=1,2,3"], ["more"]],
)
def test_options_without_a_meaning_for_the_set_are_refused(made: AuthorsFiles, tmp_path: Path, options, capsys) -> None:
    with pytest.raises(SystemExit) as left:
        run("prepare", *options, "--authors", made.folder, "--out", tmp_path / "c")
    assert left.value.code == 2 and "cannot be combined with --authors" in capsys.readouterr().err


def test_meshes_become_a_cohort(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "meshes").mkdir()
    for number in range(2):
        shape = two_lobes(semi_axes_mm=(9.0 + number, 8.0, 16.0), offset_mm=9.0, right_share=0.9)
        write_mesh(
            shape.moved(shape.vertices + np.array([5, 6, 7])), tmp_path / "meshes" / f"g{number}.stl", space="RAS"
        )
    centre = "--trachea-centre=5,6,7"
    common = ("prepare", tmp_path / "meshes", "--out", tmp_path / "c", "--samples", 200, "--workers", 1)

    assert run(*common, centre) == 0
    cohort = Cohort.open(tmp_path / "c")
    np.testing.assert_allclose(cohort.placement("g1").origin_ras, [5, 6, 7], atol=0.05)
    assert run(*common, "--trachea-centre", "nothing.csv", "--overwrite") == 1
    assert "neither three coordinates" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(*common, "--input-space", "RAS", "--overwrite")


def test_a_model_without_a_scale_says_so_and_is_not_placed_in_a_patient(
    made: AuthorsFiles, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("prepare", "--authors", made.folder, "--out", tmp_path / "c") == 0
    model = tmp_path / "m.safetensors"
    assert run("train", tmp_path / "c", "--out", model, "--epochs", 120, "--preset", "fast") == 0
    assert "lengths are in units" in capsys.readouterr().out
    case = next(path for path in sorted(dataset.iterdir()) if path.is_dir())
    cloud = tmp_path / "cloud.xyz"
    np.savetxt(cloud, np.random.default_rng(0).normal(0, 10, (100, 3)))
    for command in (
        ("fit", model, case),
        ("fit", model, cloud, "--trachea-centre=1,2,3"),
        ("edit", model, case, "--volume", "+20%"),
        ("generate", model, "--at", case),
        ("generate", model, "--place-at", 1, 2, 3),
    ):
        assert run(*command, "--out", tmp_path / "out") == 1, command
        shown = capsys.readouterr()
        assert "not in millimetres" in shown.err + shown.out and "--scale-mm" in shown.err + shown.out
    assert run("info", model) == 0
    assert "lengths are not in millimetres" in capsys.readouterr().out
    assert run("info", tmp_path / "c") == 0
    assert "lengths are in units" in capsys.readouterr().out
