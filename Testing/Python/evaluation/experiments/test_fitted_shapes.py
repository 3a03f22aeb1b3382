"""Meshes and point clouds are fitted at the centre of the trachea, and nothing is claimed that they do not show."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from support.tiny_cohort import two_lobes
from ThyroidSynthLib.api.shape_model import ShapeModel
from ThyroidSynthLib.cli.main import main
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.dataset.meshes import centres_of
from ThyroidSynthLib.evaluation.experiments.fitted_shapes import fit_shapes
from ThyroidSynthLib.evaluation.metrics.surface_distances import compare_surfaces
from ThyroidSynthLib.export.thyroid_files import FileOptions
from ThyroidSynthLib.geometry.sampling import sample_surface
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.imaging.mesh_files import read_mesh, write_mesh
from ThyroidSynthLib.model.trained_model import TrainedModel

CENTRE = np.array([20.0, -31.0, 402.0])


@pytest.fixture(scope="module")
def gland() -> Surface:
    """A thyroid in a patient, in `ras_mm`."""
    shape = two_lobes(semi_axes_mm=(9.5, 8.5, 18.0), offset_mm=9.0, right_share=0.9)
    return shape.moved(shape.vertices + CENTRE)


def points_on(gland: Surface, count: int) -> np.ndarray:
    return sample_surface(gland, count, np.random.default_rng(1))


def test_a_mesh_is_fitted_in_its_place(small_model: TrainedModel, gland: Surface) -> None:
    fitted = ShapeModel(small_model).fit(gland, trachea_centre=CENTRE)

    assert fitted.dice > 0.93 and fitted.assd_mm < 0.8
    assert compare_surfaces(gland, fitted.case.surface_ras).dice == pytest.approx(fitted.dice, abs=0.03)
    assert fitted.case.measured["volume_ml"] == pytest.approx(gland.volume / 1000, rel=1e-6)


@pytest.mark.parametrize("count", [4000, 500])
def test_points_are_fitted_as_well_as_the_mesh(small_model: TrainedModel, gland: Surface, count: int) -> None:
    fitted = ShapeModel(small_model).fit(points_on(gland, count), trachea_centre=CENTRE)

    assert compare_surfaces(gland, fitted.case.surface_ras).dice > 0.93
    assert fitted.dice is None and fitted.assd_mm is None
    assert fitted.case.comparison.points_p95_mm < 2.0
    assert fitted.case.measured == {} and any("point cloud was fitted" in note for note in fitted.notes)


def test_an_open_mesh_is_fitted_by_its_points(small_model: TrainedModel, gland: Surface) -> None:
    opened = Surface(gland.vertices, gland.faces[200:])
    fitted = ShapeModel(small_model).fit(opened, trachea_centre=CENTRE)

    assert compare_surfaces(gland, fitted.case.surface_ras).dice > 0.9
    assert fitted.dice is None and any("not closed" in note for note in fitted.notes)


def test_points_of_something_else_are_noted(small_model: TrainedModel, gland: Surface) -> None:
    far = points_on(gland, 800) * [1, 1, 2] - [0, 0, 402]
    notes = ShapeModel(small_model).fit(far, trachea_centre=CENTRE).notes

    assert any("outside the region of the training shapes" in note or "lie more than" in note for note in notes)


def test_files_are_written_for_each_shape(small_model: TrainedModel, gland: Surface, tmp_path: Path) -> None:
    write_mesh(gland, tmp_path / "a.stl")
    np.savetxt(tmp_path / "b.xyz", points_on(gland, 900))
    (tmp_path / "c.ply").write_bytes(b"ply")
    files = [(name, tmp_path / f"{name}.{suffix}") for name, suffix in (("a", "stl"), ("b", "xyz"), ("c", "ply"))]
    options = FileOptions(mesh_formats=("ply",), mesh_space="RAS")
    common = {"options": options, "space": "RAS"}
    mesh, cloud, broken = fit_shapes(small_model, files, centres_of(tuple(CENTRE)), tmp_path / "out", **common)

    assert mesh["quality"]["dice"] > 0.9 and mesh["observed"]["spacing_mm"] is None
    assert cloud["quality"]["dice"] is None and cloud["patient"] == {}
    assert "c.ply" in broken["error"]
    for name in ("a", "b"):
        folder = tmp_path / "out" / name
        assert json.loads((folder / "fit.json").read_text())["id"] == name
        assert (folder / "thyroid.nii.gz").is_file()
        bounds = np.array(read_mesh(folder / "thyroid.ply").bounds)
        # The STL states its axes, the table was read as RAS.
        np.testing.assert_allclose(bounds, gland.bounds, atol=3)
    (again,) = fit_shapes(small_model, files[:1], centres_of(tuple(CENTRE)), tmp_path / "out", **common)
    assert "--overwrite" in again["error"]


def test_the_command_fits_meshes(small_model: TrainedModel, gland: Surface, tmp_path: Path, capsys) -> None:
    small_model.save(tmp_path / "m.safetensors")
    write_mesh(gland, tmp_path / "gland.obj")
    np.save(tmp_path / "cloud.npy", points_on(gland, 600))
    centre = f"--trachea-centre={','.join(map(str, CENTRE))}"
    command = ["fit", str(tmp_path / "m.safetensors"), str(tmp_path / "gland.obj"), str(tmp_path / "cloud.npy")]

    code = main(
        [*command, centre, "--input-space", "RAS", "--out", str(tmp_path / "out"), "--quiet", "--format", "none"]
    )
    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert lines[0].startswith("cloud: 95 % of the points lie within") and lines[1].startswith("gland: Dice 0.9")
    for wrong in (["--labels", "thyroid=1,trachea=2"], ["--thyroid", "x.nii.gz"]):
        with pytest.raises(SystemExit):
            main([*command, *wrong, centre, "--out", str(tmp_path / "out2"), "--quiet"])
    with pytest.raises(SystemExit):
        main([*command, "--input-space", "RAS", "--out", str(tmp_path / "out2"), "--quiet"])


def test_impossible_input_is_refused(small_model: TrainedModel, gland: Surface) -> None:
    model = ShapeModel(small_model)
    with pytest.raises(InputError, match="Give trachea_centre"):
        model.fit(gland)
    with pytest.raises(InputError, match="three coordinates"):
        model.fit(gland, trachea_centre=(1, 2))
    with pytest.raises(InputError, match="Give \\(n, 3\\)"):
        model.fit(np.zeros((9, 3)), trachea_centre=CENTRE)
    with pytest.raises(InputError, match=r"gland\.pcd"):
        model.fit("gland.pcd", trachea_centre=CENTRE)
    with pytest.raises(InputError, match="completions"):
        model.fit(gland, trachea_centre=CENTRE, completions=-1)
