"""Preparing a cohort: verdicts, resuming after an interruption, and what is never replaced."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.mask_files import affine, two_masks, write_case
from ThyroidSynthLib.common.errors import Cancelled, CohortError, InputError, OutputError
from ThyroidSynthLib.dataset.case_sources import SYNTHETIC_MARK, find_cases
from ThyroidSynthLib.dataset.cases import read_case
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.dataset.cohort_writing import write_cohort_from_surfaces
from ThyroidSynthLib.dataset.prepare import PrepareOptions, prepare_cohort
from ThyroidSynthLib.dataset.quality import check_case

REAL_CASE = Path(__file__).resolve().parents[2] / "Data" / "totalsegmentator_s0327"
FEW = PrepareOptions(samples_per_shape=500)


@pytest.fixture
def dataset(tmp_path) -> Path:
    """Four valid cases of different sizes and rotations, one cut by the border, and one unreadable."""
    root = tmp_path / "dataset"
    for number, shape in enumerate([(40, 36, 44), (44, 36, 44), (40, 40, 44), (40, 36, 48)]):
        write_case(root / f"s{number}", *two_masks(shape), affine(degrees=3.0 * number))
    thyroid, trachea = two_masks()
    write_case(root / "s4", thyroid[12:], trachea[12:], affine())
    write_case(root / "s5", thyroid, trachea, affine())
    (root / "s5" / "segmentations" / "trachea.nii.gz").write_bytes(b"damaged")
    return root


def _table(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "quality.csv").open(encoding="utf-8", newline="") as stream:
        return {row["id"]: row for row in csv.DictReader(stream)}


def test_refused_and_unreadable_cases_are_reported_and_do_not_stop_the_others(dataset, tmp_path):
    seen = []
    summary = prepare_cohort(
        dataset, tmp_path / "c", FEW, workers=1, progress=lambda fraction, text: seen.append((fraction, text))
    )
    cohort = Cohort.open(tmp_path / "c")
    assert cohort.ids == ("s0", "s1", "s2", "s3")
    assert (summary.cases, summary.accepted, summary.refused, summary.unreadable) == (6, 4, 1, 1)
    assert summary.reasons == {"cut by the scan's border": 1}
    table = _table(tmp_path / "c")
    assert [row["verdict"] for row in table.values()] == ["accepted"] * 4 + ["refused", "unreadable"]
    assert table["s4"]["reasons"] == "cut by the scan's border" and table["s4"]["border_distance_voxels"] == "0"
    assert "trachea.nii.gz" in table["s5"]["error"]
    not_accepted = {case["id"]: case for case in cohort.document["not_accepted"]}
    assert not_accepted["s4"]["reasons"] == ["cut by the scan's border"] and not_accepted["s5"]["error"]
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions) and fractions[-1] == pytest.approx(1.0)
    cohort.verify()


def test_shapes_are_centred_on_the_trachea_and_keep_their_volume(dataset, tmp_path):
    prepare_cohort(dataset, tmp_path / "c", replace(FEW, alignment="trachea"), workers=1)
    cohort = Cohort.open(tmp_path / "c")
    thyroid, trachea = two_masks()
    assert cohort.features[0, 0] == pytest.approx(thyroid.sum() * 1.5**3 / 1000, rel=0.02)
    origin = np.argwhere(trachea).mean(axis=0)[::-1]
    ras = affine() @ [*origin, 1]
    assert np.allclose(cohort.placement("s0").origin_ras, ras[:3], atol=1e-3)
    center = cohort.placement("s0").to_ras(cohort.surface("s0").vertices).mean(axis=0)
    expected = affine() @ [*np.argwhere(thyroid).mean(axis=0)[::-1], 1]
    assert np.allclose(center, expected[:3], atol=2.0)
    assert np.abs(cohort.samples[:, :400, :3]).max() <= 1.0 + 1e-6


def test_the_number_of_workers_changes_nothing(dataset, tmp_path):
    for count in (1, 2):
        prepare_cohort(dataset, tmp_path / f"c{count}", FEW, workers=count)
    one, two = (Cohort.open(tmp_path / f"c{count}") for count in (1, 2))
    assert one.checksum == two.checksum
    assert np.array_equal(one.samples, two.samples)
    assert _table(one.folder) == _table(two.folder)


def test_another_preparation_processes_only_new_cases(dataset, tmp_path):
    folder = tmp_path / "c"
    assert prepare_cohort(dataset, folder, FEW, workers=1).reused == 0
    before = Cohort.open(folder).checksum
    summary = prepare_cohort(dataset, folder, FEW, workers=1)
    assert summary.reused == 5  # All but the unreadable one, which is always tried again.
    assert Cohort.open(folder).checksum == before
    write_case(dataset / "s5", *two_masks(), affine())
    mask = dataset / "s1" / "segmentations" / "thyroid_gland.nii.gz"
    os.utime(mask, ns=(1, 1))
    summary = prepare_cohort(dataset, folder, FEW, workers=1)
    assert summary.reused == 4 and Cohort.open(folder).ids[-1] == "s5"


def test_missing_or_damaged_files_are_written_again(dataset, tmp_path):
    folder = tmp_path / "c"
    prepare_cohort(dataset, folder, FEW, workers=1)
    before = Cohort.open(folder).checksum
    (folder / "surfaces" / "s0.ply").unlink()
    (folder / "surfaces" / "s1.ply").write_bytes(b"ply")
    (folder / "cases" / "s2.json").write_text("{")
    with (folder / "samples.npy").open("r+b") as stream:
        stream.seek(-100, 2)
        stream.write(b"\x00" * 50)
    assert prepare_cohort(dataset, folder, FEW, workers=1).reused == 2
    cohort = Cohort.open(folder)
    cohort.verify()
    assert cohort.checksum == before


@pytest.mark.parametrize("after", [0.2, 0.39, 0.7, 0.99])
def test_a_stopped_preparation_is_resumed(dataset, tmp_path, after):
    prepare_cohort(dataset, tmp_path / "whole", FEW, workers=1)
    reached = [0.0]
    with pytest.raises(Cancelled):
        prepare_cohort(
            dataset,
            tmp_path / "c",
            FEW,
            workers=1,
            progress=lambda fraction, _: reached.__setitem__(0, fraction),
            should_stop=lambda: reached[0] >= after,
        )
    with pytest.raises(CohortError, match="not finished"):
        Cohort.open(tmp_path / "c")
    assert prepare_cohort(dataset, tmp_path / "c", FEW, workers=1).reused > 0
    assert Cohort.open(tmp_path / "c").checksum == Cohort.open(tmp_path / "whole").checksum


def test_ctrl_c_ends_at_once_and_leaves_no_process(dataset, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(
        "from ThyroidSynthLib.dataset.prepare import prepare_cohort\n"
        "if __name__ == '__main__':\n"
        f"    prepare_cohort({str(dataset)!r}, {str(tmp_path / 'c')!r}, workers=2,\n"
        "                   progress=lambda fraction, text: print(fraction, flush=True))\n"
    )
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    began = time.monotonic()
    _, errors = process.communicate(timeout=30)
    assert time.monotonic() - began < 15
    assert "KeyboardInterrupt" in errors and errors.count("Traceback") == 1
    assert prepare_cohort(dataset, tmp_path / "c", workers=1).reused > 0


def test_cases_are_included_and_excluded_manually_by_id(dataset, tmp_path):
    folder = tmp_path / "c"
    prepare_cohort(dataset, folder, FEW, workers=1)
    options = PrepareOptions(samples_per_shape=500, include=("s4",), exclude=("s0",))
    summary = prepare_cohort(dataset, folder, options, workers=1)
    assert summary.reused == 5
    assert Cohort.open(folder).ids == ("s1", "s2", "s3", "s4")
    table = _table(folder)
    assert (table["s4"]["verdict"], table["s4"]["manual_decision"]) == ("accepted", "included")
    assert table["s4"]["reasons"] == "cut by the scan's border"
    assert (table["s0"]["verdict"], table["s0"]["manual_decision"]) == ("refused", "excluded")
    with pytest.raises(InputError, match="s99"):
        prepare_cohort(dataset, folder, PrepareOptions(include=("s99",)), workers=1)
    with pytest.raises(InputError, match="both"):
        prepare_cohort(dataset, folder, PrepareOptions(include=("s0",), exclude=("s0",)), workers=1)


def test_another_cohort_is_replaced_only_with_overwrite(dataset, tmp_path):
    folder = tmp_path / "c"
    prepare_cohort(dataset, folder, FEW, workers=1)
    before = Cohort.open(folder).checksum
    other = PrepareOptions(samples_per_shape=300)
    with pytest.raises(CohortError, match="samples_per_shape was 500, now 300"):
        prepare_cohort(dataset, folder, other, workers=1)
    assert Cohort.open(folder).checksum == before
    prepare_cohort(dataset, folder, PrepareOptions(samples_per_shape=300, overwrite=True), workers=1)
    assert Cohort.open(folder).samples.shape[1] == 300


def test_a_cohort_of_surfaces_is_not_replaced(dataset, tmp_path):
    case = find_cases(dataset)[0]
    surface = check_case(read_case(case)).surface_ras
    checksum = write_cohort_from_surfaces(tmp_path / "c", [surface], ["x"], samples_per_shape=50).checksum
    with pytest.raises(CohortError, match="source was surfaces, now"):
        prepare_cohort([case], tmp_path / "c", FEW, workers=1)
    assert Cohort.open(tmp_path / "c").checksum == checksum


def test_a_folder_with_other_files_is_never_changed(dataset, tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "thesis.txt").write_text("x")
    with pytest.raises(OutputError, match="not a cohort"):
        prepare_cohort(dataset, folder, PrepareOptions(overwrite=True), workers=1)
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


def test_overwriting_a_cohort_removes_its_own_files_and_keeps_those_of_the_user(dataset, tmp_path):
    folder = tmp_path / "c"
    prepare_cohort(dataset, folder, FEW, workers=1)
    users = {
        "surfaces/mine.ply": "ply",
        "cases/mine.json": '{"id": "mine"}',
        "cases/broken.json": "{",
        "notes.txt": "x",
    }
    for name, text in users.items():
        (folder / name).write_text(text)
    removed = find_cases(dataset)[-1]
    fewer = [case for case in find_cases(dataset) if case.id != removed.id]

    prepare_cohort(fewer, folder, PrepareOptions(samples_per_shape=300, overwrite=True), workers=1)

    assert {name: (folder / name).read_text() for name in users} == users
    assert {path.stem for path in (folder / "surfaces").glob("*.ply")} == {*(case.id for case in fewer), "mine"}
    assert not (folder / "cases" / f"{removed.id}.json").exists()


def test_a_synthetic_dataset_makes_a_synthetic_cohort(dataset, tmp_path):
    prepare_cohort(dataset, tmp_path / "real", FEW, workers=1)
    assert not Cohort.open(tmp_path / "real").synthetic
    (dataset / SYNTHETIC_MARK).write_text("Not anatomy.")
    assert prepare_cohort(dataset, tmp_path / "c", FEW, workers=1).synthetic
    assert Cohort.open(tmp_path / "c").statement == "Not anatomy."


def test_without_an_accepted_case_the_reasons_are_reported(tmp_path):
    with pytest.raises(CohortError, match="cut by the scan's border"):
        prepare_cohort(REAL_CASE, tmp_path / "c", FEW, workers=1)
    assert _table(tmp_path / "c")["totalsegmentator_s0327"]["verdict"] == "refused"
    options = PrepareOptions(samples_per_shape=500, include=("totalsegmentator_s0327",))
    assert prepare_cohort(REAL_CASE, tmp_path / "c", options, workers=1).accepted == 1
    assert Cohort.open(tmp_path / "c").features[0, 0] == pytest.approx(38.36, rel=0.01)


def test_how_each_thyroid_lies_on_its_trachea_is_part_of_the_cohort(dataset, tmp_path):
    prepare_cohort(dataset, tmp_path / "c", FEW, workers=1)
    cohort = Cohort.open(tmp_path / "c")

    assert cohort.tracheas.shape == (4, 3)
    case = read_case(find_cases(dataset)[0])
    area_mm2 = case.trachea.array.sum(axis=(1, 2)).max() * 1.5**2
    assert cohort.tracheas[0, 0] == pytest.approx(np.sqrt(4 * area_mm2 / np.pi), abs=1.5)
    np.testing.assert_array_equal(cohort.part(["s1", "s3"]).tracheas, cohort.tracheas[[1, 3]])

    content = (tmp_path / "c" / "cohort.json").read_text(encoding="utf-8")
    (tmp_path / "c" / "cohort.json").write_text(content.replace('"width_mm"', '"width"'), encoding="utf-8")
    with pytest.raises(CohortError, match="width_mm"):
        Cohort.open(tmp_path / "c")
