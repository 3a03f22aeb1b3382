"""A patient's thyroid edited from files to files: unchanged, changed, and changed back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.dataset.cases import Case, case_from_volumes
from ThyroidSynthLib.export.edited_case import Change, EditedCase, edit_case, write_edit
from ThyroidSynthLib.export.thyroid_files import FileOptions
from ThyroidSynthLib.generation.steer.steering import steer_to_target
from ThyroidSynthLib.generation.thyroid import reconstruct
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.targets import Targets
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.label_maps import LabelMap
from ThyroidSynthLib.imaging.ply import read_ply
from ThyroidSynthLib.imaging.segmentations.label_map_reading import read_label_map
from ThyroidSynthLib.imaging.volume_files import read_volume
from ThyroidSynthLib.model.trained_model import TrainedModel


@pytest.fixture(scope="module")
def case(small_model: TrainedModel) -> Case:
    """A gland of the model with an isthmus, its trachea's centre of mass at the origin, and an island."""
    row = int(np.argsort(small_model.features[:, 1])[-4])
    surface = reconstruct(small_model, row, resolution=64).surface
    matrix = np.diag([1.5, 1.5, 1.5, 1.0])
    matrix[:3, 3] = -39.0
    gland = voxelise(surface, Grid((53, 53, 53), matrix)).array
    gland[4, 4, 4] = 1
    trachea = np.zeros_like(gland)
    trachea[:, 23:30, 23:30] = 1
    return case_from_volumes("patient", Volume(gland, matrix), Volume(trachea, matrix))


@pytest.fixture(scope="module")
def larger(small_model: TrainedModel, case: Case) -> EditedCase:
    return edit_case(small_model, case, {"volume_ml": Change(0.2, relative=True)})


def test_without_changes_the_patients_voxels_are_kept_except_islands(
    small_model: TrainedModel, case: Case, tmp_path: Path
) -> None:
    edited = edit_case(small_model, case, {})
    document = write_edit(edited, tmp_path, model=small_model, options=FileOptions())

    own = case.thyroid_mask.whole().array
    own[4, 4, 4] = 0
    np.testing.assert_array_equal(read_volume(tmp_path / "thyroid.nii.gz").array, own)
    assert [note for note in document["notes"] if "island" in note] == [
        "1 island of the thyroid removed (0.0034 mL, 1 voxel, 41 mm away)"
    ]
    assert document["met"] and document["targets"] == {} and document["before"] == document["after"]


def test_the_target_is_met_and_the_other_features_are_held(larger: EditedCase, small_model: TrainedModel) -> None:
    before, after = larger.fit.original.measured, larger.steered.thyroid.measured
    spread = small_model.features.std(axis=0)

    assert larger.steered.met
    assert after.volume_ml == pytest.approx(1.2 * before.volume_ml, rel=0.005)
    cross_talk = np.abs(after.as_array() - before.as_array()) / spread
    assert (cross_talk[1:] <= 0.03).all()


def test_an_edit_can_be_reversed(larger: EditedCase, case: Case) -> None:
    original = larger.fit.original
    targets = Targets.of(original.measured.as_dict())
    back = steer_to_target(larger.fit.shapes, larger.steered.thyroid, targets)

    assert back.met
    assert back.thyroid.measured.as_array() == pytest.approx(original.measured.as_array(), rel=0.005)
    inside = larger.fit.shapes.label_map(back.thyroid.code, larger.mask).array
    own = larger.mask.array
    assert 2 * (inside & own).sum() / (inside.sum() + own.sum()) > 0.97


def test_features_that_are_not_held_are_free(small_model: TrainedModel, case: Case) -> None:
    edited = edit_case(small_model, case, {"volume_ml": Change(0.1, relative=True)}, held=["symmetry"])

    assert set(edited.steered.targets.as_dict()) == {"volume_ml", "symmetry"}
    assert set(edited.document(small_model)["held"]) == {"symmetry"}


def test_label_map_mesh_and_merged_map_are_written_and_listed(
    small_model: TrainedModel, case: Case, larger: EditedCase, tmp_path: Path
) -> None:
    whole, trachea = case.thyroid_mask.whole(), case.trachea_mask.whole()
    labels = np.where(whole.array, 17, np.where(trachea.array, 16, 0)).astype(np.uint8)
    patient = LabelMap(Volume(labels, whole.ijk_to_ras), {16: "trachea", 17: "thyroid_gland"})
    options = FileOptions(mesh_formats=("ply",), mesh_space="RAS", merge_into=patient)

    document = write_edit(larger, tmp_path, model=small_model, options=options)

    assert json.loads((tmp_path / "edit.json").read_text()) == document
    assert document["files"] == ["thyroid.ply", "thyroid.nii.gz", "merged.nii.gz"]
    assert document["targets"]["volume_ml"] == pytest.approx(1.2 * document["before"]["volume_ml"])
    written = read_volume(tmp_path / "thyroid.nii.gz")
    assert document["label_map"]["volume_ml"] == pytest.approx(written.array.sum() * written.voxel_volume_ml)
    assert document["label_map"]["volume_ml"] == pytest.approx(document["after"]["volume_ml"], rel=0.02)
    assert read_ply(tmp_path / "thyroid.ply").volume / 1000 == pytest.approx(document["after"]["volume_ml"], rel=1e-4)
    merged = read_label_map(tmp_path / "merged.nii.gz")
    np.testing.assert_array_equal(merged.volume.array == 17, (written.array == 1) & (labels != 16))
    np.testing.assert_array_equal(merged.volume.array == 16, labels == 16)

    with pytest.raises(OutputError, match="already holds an edit"):
        write_edit(larger, tmp_path, model=small_model, options=options)
    write_edit(larger, tmp_path, model=small_model, options=options, overwrite=True)


@pytest.mark.parametrize(
    ("label_format", "files"),
    [
        ("mha", ["thyroid.mha", "merged.mha"]),
        ("mhd", ["thyroid.mhd", "thyroid.raw", "merged.mhd", "merged.raw"]),
        ("raw", ["thyroid.raw", "thyroid.json", "merged.raw", "merged.json"]),
        ("nrrd", ["thyroid.nrrd", "merged.seg.nrrd"]),
    ],
)
def test_an_edit_is_written_and_replaced_in_every_format(
    small_model: TrainedModel, case: Case, larger: EditedCase, tmp_path: Path, label_format: str, files: list[str]
) -> None:
    whole = case.thyroid_mask.whole()
    patient = LabelMap(Volume(whole.array.astype(np.uint8) * 17, whole.ijk_to_ras), {17: "thyroid_gland"})
    options = FileOptions(label_format=label_format, merge_into=patient)

    document = write_edit(larger, tmp_path, model=small_model, options=options)

    assert document["files"] == files
    assert {each.name for each in tmp_path.iterdir() if not each.name.startswith(".")} == {"edit.json", *files}
    merged = read_label_map(tmp_path / document["files"][len(files) // 2])
    assert merged.names == {17: "thyroid_gland"}
    assert (merged.volume.array == 17).sum() == read_volume(tmp_path / files[0]).array.sum() > 0
    write_edit(larger, tmp_path, model=small_model, options=options, overwrite=True)


def test_targets_are_met_by_the_merged_map_although_neighbours_keep_their_voxels(
    small_model: TrainedModel, case: Case, tmp_path: Path
) -> None:
    whole = case.thyroid_mask.whole()
    wall = np.zeros_like(whole.array)
    # It fills the space around the lower half of one lobe, which the edit enlarges into it.
    wall[:26, :, 30:] = 80
    labels = np.where(whole.array, 17, wall).astype(np.uint8)
    patient = LabelMap(Volume(labels, whole.ijk_to_ras), {17: "thyroid_gland", 80: "muscle"})
    options = FileOptions(label_format="nii.gz", merge_into=patient)
    change = {"volume_ml": Change(0.2, relative=True)}

    aware = edit_case(small_model, case, change, held=[], options=options)
    document = write_edit(aware, tmp_path / "aware", model=small_model, options=options)
    target = document["targets"]["volume_ml"]
    merged = read_label_map(tmp_path / "aware" / "merged.nii.gz")
    volume_ml = np.count_nonzero(merged.volume.array == 17) * merged.volume.voxel_volume_ml
    assert document["measured_on"] == "merged map" and document["met"]
    assert volume_ml == pytest.approx(target, rel=0.02)
    assert document["written"]["volume_ml"] == pytest.approx(volume_ml)
    assert document["merged"]["overlaps"][0]["name"] == "muscle"

    # An edit that was made without knowing the map states by how much it misses the target there.
    unaware = edit_case(small_model, case, change, held=[])
    document = write_edit(unaware, tmp_path / "unaware", model=small_model, options=options)
    assert unaware.steered.met and document["met"] is False
    assert document["error"]["volume_ml"] == pytest.approx(document["merged"]["written_ml"] - target)
    assert document["error"]["volume_ml"] < -0.02 * target


def test_a_fit_far_from_the_gland_is_reported(small_model: TrainedModel, case: Case) -> None:
    gland = case.thyroid_mask.whole().array
    gland[16:38, 14:50, 6:46] = 1
    far = case_from_volumes("far", Volume(gland, case.trachea_mask.scan.ijk_to_ras), case.trachea_mask.whole())

    edited = edit_case(small_model, far, {})
    assert any("the fit is far from the given gland: Dice 0." in note for note in edited.notes)


def test_the_label_map_may_have_another_grid(small_model: TrainedModel, larger: EditedCase, tmp_path: Path) -> None:
    options = FileOptions(spacing_mm=(1.0, 1.0, 3.0))
    document = write_edit(larger, tmp_path, model=small_model, options=options, on_scan_grid=False)

    assert read_volume(tmp_path / "thyroid.nii.gz").spacing_mm == pytest.approx([1.0, 1.0, 3.0])
    assert document["label_map"]["holds_all"]


def test_a_case_without_thyroid_and_impossible_targets_are_rejected(small_model: TrainedModel, case: Case) -> None:
    empty = case_from_volumes(
        "empty", Volume(np.zeros((9, 9, 9), np.uint8), np.eye(4)), Volume(np.ones((9, 9, 9), np.uint8), np.eye(4))
    )
    with pytest.raises(InputError, match="no thyroid to edit"):
        edit_case(small_model, empty, {})
    with pytest.raises(InputError, match=r"symmetry = 1\.5 is impossible"):
        edit_case(small_model, case, {"symmetry": Change(1.5)})
    with pytest.raises(InputError, match="no feature 'weight'"):
        edit_case(small_model, case, {"weight": Change(1.0)})
