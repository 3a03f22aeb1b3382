"""The Python API: one model that samples, steers, fits and edits; its docstrings' examples run as they stand."""

from __future__ import annotations

import contextlib
import doctest
import inspect
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import ThyroidSynthLib
from support.example_case import example_dataset
from support.kept_models import kept_model
from support.reported_cases import own_labels, synthetic_case
from support.tiny_cohort import write_tiny_cohort
from support.tubes import tube_mask
from ThyroidSynthLib import EditedShape, FittedShape, ShapeModel, Targets, read_grid
from ThyroidSynthLib.common.errors import InputError, ModelError, OutputError
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.geometry.overlap import overlap_ml
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.masks import read_mask
from ThyroidSynthLib.imaging.mesh_files import read_mesh
from ThyroidSynthLib.imaging.volume_files import read_volume, write_volume


@pytest.fixture(scope="module")
def model() -> ShapeModel:
    return ShapeModel.load("example")


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example_dataset(tmp_path_factory) / "s0000"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Two cases, because one example trains with all epochs of a preset."""
    return write_tiny_cohort(tmp_path_factory.mktemp("cohort") / "cohort", cases=2, samples_per_shape=300)


@pytest.fixture(scope="module")
def edited(model: ShapeModel, case: Path) -> EditedShape:
    return model.edit(case, volume_ml=12.0, hold="symmetry")


def test_samples_repeat_with_their_seed(model: ShapeModel) -> None:
    first, second = model.sample(2, seed=7), model.sample(2, seed=7)

    for one, again in zip(first, second, strict=True):
        assert one.valid
        np.testing.assert_array_equal(one.surface.vertices, again.surface.vertices)
    assert first[0].features != first[1].features


def test_thyroids_of_a_model_at_a_patient_lie_on_the_trachea(model: ShapeModel, tmp_path: Path) -> None:
    trachea = tube_mask(width_mm=24.0, centre=(4.0, -150.0), reach_mm=(-60.0, 20.0), voxel_mm=1.5)
    write_volume(trachea, tmp_path / "trachea.nii.gz")
    vessel = tube_mask(width_mm=8.0, centre=(27.0, -162.0), reach_mm=(-60.0, 60.0))

    at_patient = model.at(tmp_path / "trachea.nii.gz", level_mm=0.0, structures=[vessel])
    drawn = at_patient.sample(2, seed=3)
    steered = at_patient.steer(volume_ml=18, isthmus_area_mm2=50)
    larger = at_patient.steer(steered, volume_ml=22)

    for shape in (*drawn, steered, larger):
        assert max(overlap_ml(shape.surface, other) for other in (trachea, vessel)) < 1e-3 * shape.features.volume_ml
        assert shape.placement is at_patient.site.placement
    free = [shape.at(tmp_path / "trachea.nii.gz", level_mm=0.0) for shape in model.sample(2, seed=3)]
    assert max(overlap_ml(shape.surface, trachea) for shape in free) > 0.05
    assert steered.met and larger.met
    assert larger.features.volume_ml == pytest.approx(22, rel=0.01)
    assert [shape.met for shape in drawn] == [None, None]
    with pytest.raises(InputError, match="no target"):
        at_patient.steer()


def test_steering_meets_the_targets_from_a_random_and_from_a_given_shape(model: ShapeModel) -> None:
    shape = model.steer(volume_ml=18, symmetry=0.6)
    larger = model.steer(shape, volume_ml=22)

    assert shape.met and shape.targets == Targets(volume_ml=18, symmetry=0.6)
    assert shape.features.volume_ml == pytest.approx(18, rel=0.02)
    assert shape.features.symmetry == pytest.approx(0.6, abs=0.01)
    assert larger.met and larger.features.volume_ml == pytest.approx(22, rel=0.02)


def test_steering_needs_a_target_and_a_shape_of_the_model(model: ShapeModel, edited: EditedShape) -> None:
    with pytest.raises(InputError, match="volume_ml"):
        model.steer()
    with pytest.raises(InputError, match="edit"):
        model.steer(edited, volume_ml=20)


def test_wherever_targets_are_given_those_unlike_the_training_cases_are_logged_once(
    model: ShapeModel, edited: EditedShape, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trachea = tube_mask(width_mm=18.0, centre=(4.0, -150.0), reach_mm=(-60.0, 20.0), voxel_mm=3.0)
    write_volume(trachea, tmp_path / "trachea.nii.gz")
    at_patient = model.at(tmp_path / "trachea.nii.gz", level_mm=0.0)
    # Nothing is made, for speed: no thyroid is drawn, or what is given with the target is refused afterwards.
    calls = {
        "sample": lambda **targets: model.sample(0, **targets),
        "steer": lambda **targets: model.steer(edited, **targets),
        "edit": lambda **targets: model.edit(tmp_path / "missing", **targets),
        "phantom": lambda **targets: model.phantom(own=True, **targets),
        "at().sample": lambda **targets: at_patient.sample(0, **targets),
        "at().steer": lambda **targets: at_patient.steer(edited, **targets),
    }
    logged = {}
    for volume_ml in (300.0, 15.0):
        for name, call in calls.items():
            caplog.clear()
            with contextlib.suppress(InputError):
                call(volume_ml=volume_ml)
            unlike = [each for each in caplog.messages if "unlike the training cases: volume 300 mL" in each]
            logged[name, volume_ml] = len(unlike)
    assert logged == {(name, volume_ml): int(volume_ml == 300.0) for name, volume_ml in logged}
    assert len(logged) == 2 * len(calls)


def test_a_shape_converts_to_meshes_and_label_maps_of_its_volume(model: ShapeModel) -> None:
    shape = model.sample(seed=3)[0]
    volume_ml = shape.features.volume_ml

    mesh = shape.to_trimesh()
    assert mesh.is_watertight and mesh.volume / 1000 == pytest.approx(volume_ml, rel=1e-4)
    assert shape.to_polydata().GetNumberOfPoints() == len(mesh.vertices)
    label_map = shape.to_label_map(spacing_mm=0.5)
    assert label_map.array.sum() * 0.125 / 1000 == pytest.approx(volume_ml, rel=0.005)


def test_a_shape_is_saved_by_its_ending_and_replaces_no_file(model: ShapeModel, tmp_path: Path) -> None:
    shape = model.sample(seed=3)[0]

    mesh = read_mesh(shape.save(tmp_path / "a.stl"))
    assert len(mesh.faces) == len(shape.surface.faces)
    label_map = read_volume(shape.save(tmp_path / "a.nii.gz", spacing_mm=1.0))
    np.testing.assert_array_equal(label_map.array, shape.to_label_map(spacing_mm=1.0).array)

    with pytest.raises(OutputError, match=r"a\.stl exists"):
        shape.save(tmp_path / "a.stl")
    with pytest.raises(OutputError, match=r"\.docx.*\.ply"):
        shape.save(tmp_path / "a.docx")
    with pytest.raises(InputError, match="spacing of 0 mm"):
        shape.save(tmp_path / "b.nii.gz", spacing_mm=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.nii.gz", "a.stl"]


def test_a_file_that_another_thread_writes_is_not_replaced(model: ShapeModel, tmp_path: Path) -> None:
    from ThyroidSynthLib.common.locks import locked_file

    shape = model.sample(seed=3)[0]
    with ThreadPoolExecutor(1) as other, locked_file(tmp_path / "a.stl"):
        for thing in (shape, model):
            with pytest.raises(OutputError, match=r"is writing .*a\.stl"):
                other.submit(thing.save, tmp_path / "a.stl").result()
    assert list(tmp_path.iterdir()) == []


def test_a_link_to_a_missing_file_is_not_replaced(model: ShapeModel, tmp_path: Path) -> None:
    link = tmp_path / "a.stl"
    link.symlink_to("unmounted/a.stl")

    for thing in (model.sample(seed=3)[0], model):
        with pytest.raises(OutputError, match=r"a\.stl exists"):
            thing.save(link)
    assert link.is_symlink()


def test_a_shape_at_a_patient_lies_at_the_trachea_on_the_scan_grid(model: ShapeModel, case: Path) -> None:
    trachea = read_mask(case / "segmentations" / "trachea.nii.gz")
    grid = read_grid(case / "ct.nii.gz")

    placed = model.sample(seed=3)[0].at(case)

    assert placed.to_label_map(grid).array.shape == grid.shape
    across = placed.surface.vertices.mean(axis=0)[:2] - trachea.volume.center_of_mass_ras()[:2]
    assert np.abs(across).max() < 25


def test_a_shape_replaces_the_thyroid_of_a_patients_label_map(
    model: ShapeModel, edited: EditedShape, case: Path, tmp_path: Path
) -> None:
    from ThyroidSynthLib.export.merging import MergeRules
    from ThyroidSynthLib.geometry.grid import Grid
    from ThyroidSynthLib.imaging.segmentations.label_map_reading import read_label_map

    whole = read_label_map(case)
    thyroid = model.sample(seed=2)[0].at(case)
    merged = thyroid.merged_into(case, rules=MergeRules(overwrite=True))
    assert merged.written_ml == pytest.approx(thyroid.features.volume_ml, rel=0.03)
    assert merged.labels.names == whole.names
    merged.save(tmp_path / "merged.nii.gz")
    assert np.array_equal(read_label_map(tmp_path / "merged.nii.gz").volume.array, merged.labels.volume.array)
    with pytest.raises(OutputError, match="exists already"):
        merged.save(tmp_path / "merged.nii.gz")
    # An edited gland has its own voxels there, and another grid is followed.
    own = edited.merged_into(case, rules=MergeRules(overwrite=True)).labels.volume.array
    assert np.array_equal(own == 17, edited.to_label_map().array == 1)
    half = Grid.around(whole.volume.grid, spacing_mm=3.0, margin_mm=0.0)
    assert thyroid.merged_into(case, grid=half).labels.volume.spacing_mm == pytest.approx([3.0, 3.0, 3.0])


def test_a_fit_reports_its_agreement_with_the_patient(model: ShapeModel, case: Path) -> None:
    with pytest.raises(InputError, match="-1 completions cannot be drawn"):
        model.fit(case, completions=-1)

    fitted = model.fit(case)

    assert isinstance(fitted, FittedShape) and fitted.valid
    assert fitted.dice is not None and fitted.dice > 0.9
    assert fitted.assd_mm < fitted.hd95_mm < 2.0
    own_ml = read_mask(case / "segmentations" / "thyroid_gland.nii.gz").volume_ml
    assert fitted.features.volume_ml == pytest.approx(own_ml, rel=0.1)


def test_an_edit_changes_what_has_a_target_and_holds_the_named_features(edited: EditedShape) -> None:
    assert edited.met
    assert edited.features.volume_ml == pytest.approx(12.0, rel=0.02)
    assert edited.features.symmetry == pytest.approx(edited.before.symmetry, abs=0.01)


def test_an_edit_without_a_change_is_the_segmentation_voxel_by_voxel(model: ShapeModel, case: Path) -> None:
    unchanged = model.edit(case)

    own = read_volume(case / "segmentations" / "thyroid_gland.nii.gz")
    np.testing.assert_array_equal(unchanged.to_label_map().array, own.array)


def test_training_cases_are_reconstructed_and_unknown_ones_refused(model: ShapeModel) -> None:
    row = int(np.argsort(model.features[:, 0])[len(model.ids) // 2])
    learned = model.reconstruct(model.ids[row])

    assert learned.features.volume_ml == pytest.approx(model.features[row, 0], rel=0.05)
    with pytest.raises(ModelError, match="nobody"):
        model.reconstruct("nobody")


def test_several_cases_are_refused(model: ShapeModel, tmp_path: Path, case: Path) -> None:
    for name in ("s0001", "s0002"):
        shutil.copytree(case / "segmentations", tmp_path / name / "segmentations")

    with pytest.raises(InputError, match="holds 2 cases: s0001, s0002"):
        model.fit(tmp_path)


def test_a_trained_model_is_saved_and_loaded(cohort: Cohort, tmp_path: Path) -> None:
    trained = ShapeModel.train(cohort, preset="fast", epochs=2)
    path = trained.save(tmp_path / "m.safetensors")

    again = ShapeModel.load(path)
    assert again.ids == cohort.ids
    np.testing.assert_allclose(again.trained.codes, trained.trained.codes, rtol=1e-6)
    with pytest.raises(OutputError, match="exists"):
        trained.save(path)


@pytest.mark.parametrize("labels", [{1: "Thyroid; whole", 2: "trachea"}, "trachea=2, thyroid=1"])
def test_the_labels_of_a_patient_are_given_by_number(model: ShapeModel, labels, tmp_path: Path) -> None:
    path = own_labels(tmp_path)
    with pytest.raises(InputError, match="more than one label"):
        model.sample()[0].at(path)

    placed = model.sample()[0].at(path, labels=labels)

    own = synthetic_case(9)
    gland = Volume(own.thyroid, own.ras).center_of_mass_ras()
    assert np.linalg.norm(placed.placement.to_trachea(gland)[2]) < 0.01
    assert placed.placement_notes == ()
    assert np.linalg.norm(placed.at_point([1.0, 2.0, 3.0]).placement.origin_ras - [1.0, 2.0, 3.0]) == 0


@pytest.mark.parametrize("labels", [{1: 2}, {"thyroid": 1}, "thyroid", "total-v99"])
def test_impossible_labels_are_refused(model: ShapeModel, labels, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"names|class map|label"):
        model.fit(own_labels(tmp_path), labels=labels)


def test_a_shape_off_the_grid_is_not_written_as_an_empty_label_map(model: ShapeModel, case: Path, tmp_path) -> None:
    grid = read_grid(case / "segmentations" / "trachea.nii.gz")
    with pytest.raises(InputError, match="mm off the grid"):
        model.sample()[0].at_point([1000.0, 0.0, 0.0]).save(tmp_path / "x.nii.gz", grid=grid)
    assert not (tmp_path / "x.nii.gz").exists()


EXAMPLES = [
    (f"{holder.__name__}{'.' + name if name else ''}", documented)
    for holder in (ShapeModel, ThyroidSynthLib.Shape, FittedShape, EditedShape)
    for name, documented in [("", holder), *inspect.getmembers(holder, callable)]
    if name in ("", *vars(holder)) and not name.startswith("_") and ">>>" in (inspect.getdoc(documented) or "")
]


@pytest.mark.parametrize(("name", "documented"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_the_examples_of_the_docstrings_run(
    name: str,
    documented: object,
    model: ShapeModel,
    case: Path,
    cohort: Cohort,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "s0327").symlink_to(case, target_is_directory=True)
    (tmp_path / "cohort").symlink_to(cohort.folder, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    names = {
        "ShapeModel": ShapeModel,
        "model": model,
        "thyroid": model.sample(seed=2)[0],
        "read_grid": read_grid,
    }

    examples = doctest.DocTestParser().get_examples(inspect.getdoc(documented) or "")

    assert examples
    for example in examples:
        exec(compile(example.source, name, "single"), names)
        output = capsys.readouterr().out
        if example.want:
            assert output == example.want


def test_every_public_method_has_an_example() -> None:
    public = [
        name for name, member in vars(ShapeModel).items() if callable(getattr(ShapeModel, name)) and name[0] != "_"
    ]

    assert {f"ShapeModel.{name}" for name in public} <= {name for name, _ in EXAMPLES}


def test_a_model_of_a_file_is_loaded_by_its_path() -> None:
    for path in (kept_model("small"), str(kept_model("small"))):
        assert ShapeModel.load(path).ids == tuple(f"tiny{number:02d}" for number in range(24))
