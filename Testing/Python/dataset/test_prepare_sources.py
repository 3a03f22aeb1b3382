"""Preparing cohorts of sources with faults: every file accounted for, and no case lost because of another."""

from __future__ import annotations

import csv
import os
from dataclasses import replace
from pathlib import Path

import pytest

from support.mask_files import affine, caret_xml, two_masks, write_case, write_nifti
from ThyroidSynthLib.common.errors import CohortError
from ThyroidSynthLib.common.workers import Workers
from ThyroidSynthLib.dataset import case_preparation
from ThyroidSynthLib.dataset.case_sources import CaseSource, find_cases, search_cases
from ThyroidSynthLib.dataset.cases import read_case
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.dataset.finding.layouts import NO_NAMES, OTHER_FILES
from ThyroidSynthLib.dataset.prepare import PrepareOptions, check_cases, prepare_cohort
from ThyroidSynthLib.dataset.quality_table import read_quality_table

FEW = PrepareOptions(samples_per_shape=200)
THYROID, TRACHEA = two_masks()
ENDS_PROCESS = "s1"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    for case_id in ("s0", "s1", "s2"):
        write_case(tmp_path / "dataset" / case_id, THYROID, TRACHEA, affine())
    return tmp_path / "dataset"


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "quality.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("error", [KeyError("x"), RecursionError("maximum depth"), MemoryError(), ZeroDivisionError()])
def test_an_unforeseen_error_makes_only_its_case_unreadable(dataset, tmp_path, monkeypatch, error, caplog) -> None:
    def read(source: CaseSource):
        if source.id == "s1":
            raise error
        return read_case(source)

    monkeypatch.setattr(case_preparation, "read_case", read)
    with caplog.at_level("INFO", logger="ThyroidSynthLib"):
        summary = prepare_cohort(dataset, tmp_path / "c", FEW, workers=1)
    assert (summary.accepted, summary.unreadable) == (2, 1)
    (row,) = [row for row in rows(tmp_path / "c") if row["verdict"] == "unreadable"]
    assert str(dataset / "s1" / "segmentations" / "thyroid_gland.nii.gz") in row["error"]
    assert type(error).__name__ not in row["error"] and row["error"].endswith(".")
    assert "Export the segmentation again" in row["error"] or "Close other programs" in row["error"]
    assert type(error).__name__ in caplog.text


def _prepare_or_end(task):
    if task.source.id == ENDS_PROCESS:
        os.abort()
    return case_preparation.prepare_case(task)


def test_a_worker_that_crashes_costs_only_its_case(dataset, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("ThyroidSynthLib.dataset.prepare.prepare_case", _prepare_or_end)
    summary = prepare_cohort(dataset, tmp_path / "c", FEW, workers=2)
    assert (summary.accepted, summary.unreadable) == (2, 1)
    (row,) = [row for row in rows(tmp_path / "c") if row["verdict"] == "unreadable"]
    assert row["id"] == "s1" and "thyroid_gland.nii.gz" in row["error"] and "--workers 1" in row["error"]


def test_what_is_passed_over_is_in_the_table_and_is_no_case(dataset, tmp_path) -> None:
    write_nifti(dataset / "s3" / "spleen.nii.gz", THYROID, affine())
    (dataset / "notes.txt").write_text("x")
    summary = prepare_cohort(dataset, tmp_path / "c", FEW, workers=1)
    assert summary.cases == 3 and summary.passed_over == {NO_NAMES: 1, OTHER_FILES: 1}
    table = {row["reasons"]: row for row in rows(tmp_path / "c") if row["verdict"] == "passed over"}
    assert table[NO_NAMES]["files"] == f"{dataset / 's3'}: spleen.nii.gz"
    assert table[OTHER_FILES]["files"] == f"{dataset}: notes.txt"
    assert [verdict.id for verdict in read_quality_table(tmp_path / "c" / "quality.csv")] == ["s0", "s1", "s2"]


def test_folders_named_in_latin_1_keep_the_cohort_and_are_resumed(dataset, tmp_path) -> None:
    folder = Path(os.fsdecode(os.fsencode(dataset) + b"/M\xfcller"))
    write_nifti(folder / "thyroid_gland.nii.gz", THYROID, affine())
    write_nifti(folder / "trachea.nii.gz", TRACHEA, affine())
    assert prepare_cohort(dataset, tmp_path / "c", FEW, workers=2).accepted == 4
    cohort = Cohort.open(tmp_path / "c")
    assert cohort.ids == ("Müller", "s0", "s1", "s2")
    assert rows(tmp_path / "c")[0]["files"].startswith(f"{dataset}/Müller/thyroid_gland.nii.gz")
    # The record leads to the file again.
    again = CaseSource.from_json("Müller", cohort.entry("Müller")["source"])
    assert read_case(again).thyroid.array.sum() == THYROID.sum()
    assert prepare_cohort(dataset, tmp_path / "c", FEW, workers=1).reused == 4


def test_a_source_named_in_latin_1_can_be_prepared_and_resumed(tmp_path) -> None:
    source = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9tudes"))
    write_case(source / "s0", THYROID, TRACHEA, affine())
    prepare_cohort(source, tmp_path / "c", FEW, workers=1)
    assert prepare_cohort(source, tmp_path / "c", FEW, workers=1).reused == 1


@pytest.mark.parametrize("name", ["=cmd|' ' !A0", "+1", "-x", "@SUM(A1)"])
def test_no_name_becomes_a_formula_in_the_table(tmp_path, name) -> None:
    write_case(tmp_path / "d" / name, THYROID, TRACHEA, affine())
    write_nifti(tmp_path / "d" / "other" / f"{name}.nii.gz", THYROID, affine())
    prepare_cohort(tmp_path / "d", tmp_path / "c", FEW, workers=1)
    for row in rows(tmp_path / "c"):
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row.values())
    (verdict,) = read_quality_table(tmp_path / "c" / "quality.csv")
    assert Cohort.open(tmp_path / "c").ids == (verdict.id,)


def test_another_source_is_refused_before_anything_is_read(dataset, tmp_path, monkeypatch) -> None:
    thyroid, trachea = find_cases(dataset / "s0")[0].files
    first = search_cases((), thyroid=thyroid, trachea=trachea)
    prepare_cohort(first, tmp_path / "c", FEW, workers=1)
    before = Cohort.open(tmp_path / "c").checksum
    # A second pair in the folder of the first is another source, too.
    write_nifti(thyroid.with_name("other_thyroid.nii.gz"), THYROID, affine())
    other = search_cases((), thyroid=thyroid.with_name("other_thyroid.nii.gz"), trachea=trachea)
    monkeypatch.setattr(Workers, "run", lambda *_, **__: pytest.fail("cases were read"))
    for source in (other, dataset, [dataset, dataset / "s0"]):
        with pytest.raises(CohortError, match=r"source was .*, now "):
            prepare_cohort(source, tmp_path / "c", FEW, workers=1)
        with pytest.raises(CohortError, match=r"source was .*, now "):
            check_cases(source, tmp_path / "c", FEW, workers=1)
    assert Cohort.open(tmp_path / "c").checksum == before
    monkeypatch.undo()
    assert prepare_cohort(other, tmp_path / "c", replace(FEW, overwrite=True), workers=1).accepted == 1


def test_cases_that_come_and_go_between_runs_are_stated(dataset, tmp_path) -> None:
    summary = prepare_cohort(dataset, tmp_path / "c", FEW, workers=1)
    assert (summary.added, summary.removed) == ((), ())
    write_case(dataset / "s9", THYROID, TRACHEA, affine())
    (dataset / "s0" / "segmentations").rename(tmp_path / "moved")
    summary = prepare_cohort(dataset, tmp_path / "c", FEW, workers=1)
    assert (summary.added, summary.removed, summary.reused) == (("s9",), ("s0",), 2)
    assert Cohort.open(tmp_path / "c").ids == ("s1", "s2", "s9")


@pytest.mark.parametrize(
    "content", ["[]", '{"signature": []}', "[" * 100_000, "\udcff", '{"signature": 1, "shape": 3}']
)
def test_a_damaged_record_of_a_case_is_written_anew(dataset, tmp_path, content) -> None:
    check_cases(dataset, tmp_path / "c", FEW, workers=1)
    record = tmp_path / "c" / "cases" / "s1.json"
    before = record.read_bytes()
    record.write_bytes(content.encode("utf-8", "surrogateescape"))
    summary = check_cases(dataset, tmp_path / "c", FEW, workers=1)
    assert (summary.accepted, summary.reused) == (3, 2)
    assert record.read_bytes() == before


def test_a_case_is_read_again_when_the_labels_beside_it_change(tmp_path) -> None:
    write_nifti(tmp_path / "d" / "labelsTr" / "c1.nii.gz", THYROID + 2 * TRACHEA, affine())
    dataset_json = tmp_path / "d" / "dataset.json"
    dataset_json.write_text('{"labels": {"background": 0, "trachea": 1, "thyroid": 2}}')
    check_cases(tmp_path / "d", tmp_path / "c", FEW, workers=1)
    assert check_cases(tmp_path / "d", tmp_path / "c", FEW, workers=1).reused == 1
    dataset_json.write_text('{"labels": {"background": 0, "thyroid": 1, "trachea": 2}}  ')
    assert check_cases(tmp_path / "d", tmp_path / "c", FEW, workers=1).reused == 0
    (row,) = [row for row in rows(tmp_path / "c") if row["id"]]
    assert float(row["volume_ml"]) == pytest.approx(THYROID.sum() * 1.5**3 / 1000, rel=1e-3)


def test_several_sources_make_one_cohort(dataset, tmp_path) -> None:
    names = caret_xml({1: "thyroid", 2: "trachea"})
    write_nifti(
        tmp_path / "b" / "p1" / "segmentations.nii.gz", THYROID + 2 * TRACHEA, affine(), extensions=[(0, names)]
    )
    assert prepare_cohort([dataset, tmp_path / "b"], tmp_path / "c", FEW, workers=1).accepted == 4
    cohort = Cohort.open(tmp_path / "c")
    assert cohort.ids == ("p1", "s0", "s1", "s2")
    assert cohort.provenance()["source"] == f"{dataset.name}; b"
    assert prepare_cohort([dataset, tmp_path / "b"], tmp_path / "c", FEW, workers=1).reused == 4
