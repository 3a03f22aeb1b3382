"""Inputs that users reported, each with its command and the right outcome."""

from __future__ import annotations

import csv
import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from support import reported_cases as reported
from ThyroidSynthLib.cli.main import main
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.imaging.masks import read_mask
from ThyroidSynthLib.imaging.segmentations.label_map_reading import read_label_map
from ThyroidSynthLib.imaging.volume_files import read_grid

# Far more than any of these files needs, and less than they claim.
_MEMORY = 2 << 30
_SECONDS = 20.0


def run(*arguments: object) -> int:
    return main([*map(str, arguments), "--quiet"])


def prepared(source: Path, out: Path, *more: object) -> dict[str, dict[str, str]]:
    """Prepare a cohort and return the rows of its table by id."""
    small = ("--samples", 200, "--workers", 1, "--alignment", "upright")
    run("prepare", source, "--out", out, *small, *more)
    with (out / "quality.csv").open(encoding="utf-8-sig", newline="") as stream:
        return {row["id"]: row for row in csv.DictReader(stream)}


def accepted(source: Path, out: Path, *more: object) -> list[dict[str, str]]:
    """Prepare a cohort of which all cases must be accepted; return their rows."""
    rows = [row for row in prepared(source, out, *more).values() if row["verdict"] != "passed over"]
    assert [row["verdict"] for row in rows] == ["accepted"] * len(rows), rows
    return rows


def features(row: dict[str, str]) -> list[float]:
    return [float(row[name]) for name in ("surface_volume_ml", "isthmus_area_mm2", "symmetry")]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], np.ndarray]:
    """Return the row of the case without a fault, and the box of its cohort."""
    folder = tmp_path_factory.mktemp("reference")
    (row,) = accepted(reported.whole(folder / "whole"), folder / "cohort")
    frame = Cohort.open(folder / "cohort").frame
    return row, np.stack([frame.lower_mm, frame.upper_mm])


@pytest.mark.parametrize(
    ("write", "note"),
    [
        (reported.thyroid_island, "1 island of the thyroid removed (0.15 mL"),
        (reported.trachea_island, "1 island of the trachea removed (0.83 mL"),
    ],
)
def test_a_distant_island_is_removed_and_reported_and_changes_nothing(write, note, reference, tmp_path) -> None:
    (row,) = accepted(write(tmp_path / "case"), tmp_path / "cohort")

    assert note in row["notes"]
    expected, box = reference
    assert features(row) == pytest.approx(features(expected), rel=1e-4)
    frame = Cohort.open(tmp_path / "cohort").frame
    np.testing.assert_allclose(np.stack([frame.lower_mm, frame.upper_mm]), box, atol=1e-3)


@pytest.mark.parametrize(
    ("write", "number"),
    [
        (reported.lobes_in_dicom_seg, 0),
        (reported.lobes_in_slicer_segmentation, 0),
        (reported.lobes_in_files, 9),
        (reported.nnunet_dataset, 9),
        (reported.radiotherapy_names, 9),
        (reported.srt_codes, 0),
    ],
)
def test_every_way_to_name_the_thyroid_is_read(write: Callable[[Path], Path], number, tmp_path) -> None:
    """Lobes apart, labels of nnU-Net, names of TG-263, codes of SRT."""
    (row,) = accepted(write(tmp_path / "case"), tmp_path / "cohort")

    case = reported.synthetic_case(number)
    voxel_ml = abs(np.linalg.det(case.ras[:3, :3])) / 1000
    assert float(row["volume_ml"]) == pytest.approx(case.thyroid.sum() * voxel_ml, rel=1e-3)
    assert float(row["trachea_ml"]) == pytest.approx(case.trachea.sum() * voxel_ml, rel=1e-3)


@pytest.mark.parametrize(("write", "number"), [(reported.own_labels, 9), (reported.label_map_nrrd, 0)])
def test_labels_of_the_users_own_are_given_by_number(capsys, write, number, tmp_path) -> None:
    source = write(tmp_path / "case")
    assert run("prepare", source, "--out", tmp_path / "unknown") == 1
    assert "--labels thyroid=" in capsys.readouterr().err

    (row,) = accepted(source, tmp_path / "cohort", "--labels", "thyroid=1,trachea=2")

    case = reported.synthetic_case(number)
    voxel_ml = abs(np.linalg.det(case.ras[:3, :3])) / 1000
    assert float(row["volume_ml"]) == pytest.approx(case.thyroid.sum() * voxel_ml, rel=1e-3)


def test_outlines_of_radiotherapy_are_read(reference, tmp_path) -> None:
    (row,) = accepted(reported.rtstruct(tmp_path / "case"), tmp_path / "cohort")

    assert float(row["volume_ml"]) == pytest.approx(float(reference[0]["volume_ml"]), rel=0.05)
    assert float(row["trachea_ml"]) == pytest.approx(float(reference[0]["trachea_ml"]), rel=0.05)


def test_one_file_for_each_patient_is_found(tmp_path) -> None:
    rows = accepted(reported.one_file_per_patient(tmp_path / "cases"), tmp_path / "cohort")

    assert [row["id"] for row in rows] == ["p1", "p2"]


def test_metres_cost_no_other_case(tmp_path) -> None:
    rows = prepared(reported.units_metre(tmp_path / "cases"), tmp_path / "cohort")

    assert rows["good"]["verdict"] == "accepted"
    metre = rows["metre"]
    assert metre["verdict"] != "accepted" and "metre" in metre["error"] and "thyroid_gland.nii.gz" in metre["error"]


def test_a_hole_of_one_large_voxel_is_filled_and_noted(tmp_path) -> None:
    (row,) = accepted(reported.hole_of_one_voxel(tmp_path / "case"), tmp_path / "cohort")

    assert row["hole_voxels"] == "1" and "fill" in row["notes"]


def test_a_folder_named_in_latin1_is_read(model, tmp_path) -> None:
    folder = reported.latin1_folder(tmp_path)
    (row,) = accepted(folder, tmp_path / "cohort")
    assert float(row["volume_ml"]) > 5
    assert Cohort.open(tmp_path / "cohort").ids

    assert run("fit", model, folder, "--out", tmp_path / "fits") == 0
    assert len(list((tmp_path / "fits").glob("*/fit.json"))) == 1


def test_a_slab_of_trachea_below_the_gland_places_nothing_silently(capsys, tmp_path) -> None:
    source = reported.slab_of_trachea(tmp_path / "case")
    (row,) = prepared(source, tmp_path / "cohort").values()
    assert row["verdict"] == "refused" and "trachea" in row["reasons"]
    assert "9 mm" in row["notes"]
    capsys.readouterr()

    code = run("generate", "example", "--at", source, "--out", tmp_path / "g")

    output = "".join(capsys.readouterr())
    assert "trachea" in output and (code == 1 or "Check the placement" in output)


def test_a_sheared_case_is_written_with_exactly_its_sform(model, tmp_path) -> None:
    source = reported.sheared(tmp_path / "case")
    sform = read_grid(source / "ct.nii.gz").ijk_to_ras
    assert abs(sform[:3, 1] @ sform[:3, 2]) > 1e-3, "the axes are not orthogonal"

    assert run("edit", model, source, "--volume", "+20%", "--out", tmp_path / "e") == 0
    assert run("fit", model, source, "--out", tmp_path / "f") == 0
    placed = ("--at", source, "--grid", source / "ct.nii.gz")
    assert run("generate", "example", *placed, "--out", tmp_path / "g") == 0

    for written in ("e/thyroid.nii.gz", "f/case/thyroid.nii.gz", "g/label_maps/t00001.nii.gz"):
        np.testing.assert_array_equal(read_grid(tmp_path / written).ijk_to_ras, sform, written)


def test_a_gland_of_one_lobe_gets_nothing_on_the_empty_side(tmp_path) -> None:
    source = reported.one_lobe(tmp_path / "case")

    assert run("fit", "example", source, "--out", tmp_path / "f") == 0

    case = reported.synthetic_case()
    own, fitted = (read_mask(path) for path in (source / "thyroid_gland.nii.gz", tmp_path / "f/case/thyroid.nii.gz"))
    inside = fitted.whole().array > 0
    middle = case.right_half & (case.thyroid > 0)
    from scipy import ndimage

    far = ndimage.distance_transform_edt(own.whole().array == 0) * 1.5 > 12.0
    assert inside.any() and not (inside & far & middle).any()


def test_merging_keeps_label_values_and_names(tmp_path) -> None:
    patient = reported.own_label_values(tmp_path / "patient")
    trachea = ("--merge-into", patient, "--format", "nrrd")

    assert run("generate", "example", *trachea, "--out", tmp_path / "g") == 0

    merged = read_label_map(tmp_path / "g" / "merged" / "t00001.seg.nrrd")
    expected = {170: "thyroid", 160: "trachea", 15: "esophagus"}
    assert expected.items() <= merged.names.items()
    assert set(expected) <= set(np.unique(merged.volume.array))
    before = read_label_map(patient).volume.array
    np.testing.assert_array_equal(merged.volume.array[before == 160], 160)


@contextmanager
def little_memory() -> Iterator[None]:
    """Limit the memory that may be added, so that reading what a header claims fails."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.parametrize("fault", sorted(reported.DAMAGED))
@pytest.mark.parametrize("use", ["prepare", "fit", "--grid", "--at", "--merge-into"])
def test_a_damaged_file_is_refused_at_once_by_name(capsys, fault, use, tmp_path) -> None:
    (tmp_path / "in").mkdir()
    path = reported.DAMAGED[fault](tmp_path / "in")
    content = path.read_bytes()
    commands = {"prepare": ("prepare", path), "fit": ("fit", "example", path)}
    command = commands.get(use, ("generate", "example", use, path))
    started = time.monotonic()

    with little_memory():
        code = run(*command, "--out", tmp_path / "out")

    output = "".join(capsys.readouterr())
    assert time.monotonic() - started < _SECONDS
    assert code == 1, output
    assert path.name in output and "Traceback" not in output
    assert "unexpected" not in output and not any(name in output for name in ("Error:", "Error("))
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("option", "name", "content"),
    [
        ("--distribution", "distribution.json", '{"volume_ml":"\\ud800"}'),
        ("--from-table", "table.csv", 'volume_ml\n"15\n'),
    ],
)
def test_a_damaged_table_is_refused_by_name(capsys, option, name, content, tmp_path) -> None:
    path = tmp_path / name
    path.write_text(content)

    assert run("generate", "example", option, path, "--out", tmp_path / "g") == 1

    error = capsys.readouterr().err
    assert name in error and "Traceback" not in error
    assert json.dumps(error)
    assert not (tmp_path / "g").exists()
