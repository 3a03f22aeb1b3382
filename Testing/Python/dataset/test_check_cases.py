"""Checking cases before a cohort is prepared, and the table of verdicts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from support.mask_files import affine, two_masks, write_case
from ThyroidSynthLib.common.errors import CohortError, InputError
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.dataset.prepare import PrepareOptions, check_cases, prepare_cohort
from ThyroidSynthLib.dataset.quality_table import read_quality_table

FEW = PrepareOptions(samples_per_shape=200)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A valid case, one cut by the border, one without a thyroid, and one unreadable."""
    root = tmp_path / "dataset"
    thyroid, trachea = two_masks()
    write_case(root / "s0", thyroid, trachea, affine())
    write_case(root / "s1", thyroid[12:], trachea[12:], affine())
    write_case(root / "s2", 0 * thyroid, trachea, affine())
    write_case(root / "s3", thyroid, trachea, affine())
    (root / "s3" / "segmentations" / "trachea.nii.gz").write_bytes(b"damaged")
    return root


def table(folder: Path):
    return {verdict.id: verdict for verdict in read_quality_table(folder / "quality.csv")}


def test_cases_are_checked_without_drawing_samples(dataset: Path, tmp_path: Path) -> None:
    seen = []
    summary = check_cases(dataset, tmp_path / "c", FEW, workers=1, progress=lambda share, text: seen.append(share))

    assert (summary.cases, summary.accepted, summary.refused, summary.unreadable) == (4, 1, 2, 1)
    assert seen[-1] == pytest.approx(1.0)
    assert not (tmp_path / "c" / "samples.npy").exists()
    with pytest.raises(CohortError, match="was not finished"):
        Cohort.open(tmp_path / "c")
    verdicts = table(tmp_path / "c")
    assert verdicts["s0"].accepted and verdicts["s0"].accepted_by_rules and verdicts["s0"].features["volume_ml"] > 1
    assert verdicts["s1"].reasons == ("cut by the scan's border",) and verdicts["s1"].features is not None
    assert verdicts["s2"].features is None and not verdicts["s2"].accepted
    assert "trachea.nii.gz" in verdicts["s3"].error and verdicts["s3"].features is None


def test_a_preparation_resumes_from_the_check_with_manual_decisions(dataset: Path, tmp_path: Path) -> None:
    check_cases(dataset, tmp_path / "c", FEW, workers=1)
    summary = prepare_cohort(dataset, tmp_path / "c", replace(FEW, include=("s1",), exclude=("s0",)), workers=1)

    assert summary.reused == 3
    assert Cohort.open(tmp_path / "c").ids == ("s1",)
    verdicts = table(tmp_path / "c")
    assert (verdicts["s0"].accepted, verdicts["s0"].accepted_by_rules) == (False, True)
    assert (verdicts["s1"].accepted, verdicts["s1"].accepted_by_rules) == (True, False)


def test_checking_without_an_accepted_case_is_no_error(dataset: Path, tmp_path: Path) -> None:
    assert check_cases(dataset / "s1", tmp_path / "c", FEW, workers=1).accepted == 0


@pytest.mark.parametrize("content", ["", "id,something\ns0,1\n", "id,verdict\ns0,accepted\n"])
def test_another_table_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "quality.csv"
    path.write_text(content)
    with pytest.raises(InputError, match="not a table of verdicts"):
        read_quality_table(path)


def test_a_missing_table_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Check the cases first"):
        read_quality_table(tmp_path / "quality.csv")
