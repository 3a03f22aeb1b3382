"""The patient's label map with the thyroid replaced: on which grid, with which labels, and what it did to others."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from ThyroidSynthLib.cli.main import main
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_map_files import write_label_map
from ThyroidSynthLib.imaging.masks import read_mask
from ThyroidSynthLib.imaging.segmentations.label_map_reading import read_label_map
from ThyroidSynthLib.imaging.volume_files import read_grid, read_volume

NAMES = {170: "thyroid", 160: "trachea", 15: "esophagus", 1: "bead"}


@pytest.fixture
def patient(dataset: Path, tmp_path: Path) -> Path:
    """A segmentation with its own label values, and a bead inside the thyroid."""
    masks = dataset / "s0001" / "segmentations"
    thyroid, trachea = (read_mask(masks / f"{name}.nii.gz").whole() for name in ("thyroid_gland", "trachea"))
    esophagus = read_mask(masks / "esophagus.nii.gz").whole()
    array = np.where(esophagus.array, 15, np.where(thyroid.array, 170, np.where(trachea.array, 160, 0)))
    array[tuple(np.argwhere(thyroid.array)[len(np.argwhere(thyroid.array)) // 2])] = 1
    path = tmp_path / "patient.seg.nrrd"
    write_label_map(Volume(array.astype(np.uint8), thyroid.ijk_to_ras), path, names=NAMES)
    return path


def generated(model: Path, patient: Path, out: Path, *more: object) -> list[dict]:
    options = ("--count", 2, "--volume", 20, "--steer", "--workers", 1, "--merge-into", patient)
    # The small model of the tests has no thyroids that avoid a trachea.
    options += ("--allow-overlap", *more)
    assert main(["generate", *map(str, (model, *options)), "--out", str(out)]) == 0
    return json.loads((out / "manifest.json").read_text())["thyroids"]


def test_values_and_names_stay_and_the_bead_that_is_overwritten_loses_its_name(capsys, model, patient, tmp_path):
    entries = generated(model, patient, tmp_path / "out", "--format", "nrrd", "--merge-overlaps", "overwrite")

    before = read_label_map(patient).volume.array
    for entry in entries:
        merged = read_label_map(tmp_path / "out" / "merged" / f"{entry['id']}.seg.nrrd")
        values = {int(value) for value in np.unique(merged.volume.array)} - {0}
        assert values == set(merged.names) <= set(NAMES)
        assert all(merged.names[value] == NAMES[value] for value in values)
        counts = {value: int((merged.volume.array == value).sum()) for value in NAMES}
        lost = {value for value in (160, 15, 1) if counts[value] < (before == value).sum()}
        assert lost == {change["label"] for change in entry["merged"]["changes"]}
    table = list(csv.DictReader((tmp_path / "out" / "merged_labels.csv").open()))
    written = {label for entry in entries for label in (170, 160, 15) if entry}
    assert {int(row["label"]) for row in table} >= written
    rows = list(csv.DictReader((tmp_path / "out" / "manifest.csv").open()))
    assert all(
        bool(row["merged_changes"]) == bool(e["merged"]["changes"]) for row, e in zip(rows, entries, strict=True)
    )
    if any(entry["merged"]["changes"] for entry in entries):
        assert "other structures lost or gained voxels" in capsys.readouterr().out


@pytest.mark.parametrize("how", ["grid", "spacing"])
def test_the_merged_map_lies_on_the_grid_of_the_label_maps(capsys, model, patient, tmp_path, how):
    grid = read_grid(patient).part((5, 3, 2), (40, 60, 50))
    write_label_map(Volume(np.zeros(grid.shape, np.uint8), grid.ijk_to_ras), tmp_path / "grid.nii.gz")
    more = ("--grid", tmp_path / "grid.nii.gz") if how == "grid" else ("--spacing", "2,2,3")
    try:
        entries = generated(model, patient, tmp_path / "out", *more)
    except AssertionError:
        pytest.fail(capsys.readouterr().err)
    merged = read_label_map(tmp_path / "out" / "merged" / "t00001.nii.gz")
    labels = read_volume(tmp_path / "out" / "label_maps" / "t00001.nii.gz")
    if how == "grid":
        assert merged.volume.grid.corner_distance_mm(grid) < 1e-3
        assert merged.volume.array.shape == labels.array.shape == grid.shape
    else:
        assert merged.volume.spacing_mm == pytest.approx([2, 2, 3])
        assert labels.spacing_mm == pytest.approx([2, 2, 3])
        # The voxels of both coincide.
        offset = merged.volume.to_ijk(labels.to_ras(np.zeros(3)))
        assert offset == pytest.approx(np.round(offset), abs=1e-3)
    assert "resampled to voxels of" in " ".join(entries[0]["merged"]["notes"])
    assert merged.names.items() <= NAMES.items()
    assert (merged.volume.array == 170).sum() * merged.volume.voxel_volume_ml == pytest.approx(
        entries[0]["merged"]["written_ml"]
    )
    assert entries[0]["written"]["volume_ml"] == pytest.approx(entries[0]["merged"]["written_ml"])


def test_the_masks_of_a_folder_get_the_labels_of_totalsegmentator_or_of_the_user(model, dataset, tmp_path):
    case = dataset / "s0001"
    generated(model, case, tmp_path / "usual", "--format", "none")
    found = read_label_map(tmp_path / "usual" / "merged" / "t00001.nii.gz").names
    assert found[17] == "thyroid_gland" and found[16] == "trachea" and found[15] == "esophagus"
    generated(model, case, tmp_path / "own", "--labels", "thyroid_gland=3,trachea=4")
    found = read_label_map(tmp_path / "own" / "merged" / "t00001.nii.gz").names
    assert found[3] == "thyroid_gland" and found[4] == "trachea"


def test_an_edit_states_what_it_left_to_others(capsys, model, dataset, tmp_path):
    case = dataset / "s0001"
    out = tmp_path / "out"
    given = ("edit", model, case, "--volume", "+40%", "--hold", "--merge-into", case, "--out", out)
    assert main([*map(str, given)]) == 0
    text, document = capsys.readouterr().out, json.loads((out / "edit.json").read_text())
    assert "volume measured on the merged map" in text and "Merged map: thyroid" in text
    merged = read_label_map(out / "merged.nii.gz")
    volume_ml = (merged.volume.array == 17).sum() * merged.volume.voxel_volume_ml
    assert document["written"]["volume_ml"] == pytest.approx(volume_ml)
    target = document["targets"]["volume_ml"]
    assert document["met"] is bool(abs(volume_ml - target) <= 0.02 * target)
    assert document["error"]["volume_ml"] == pytest.approx(volume_ml - target)
