"""Ids of cases: made of what distinguishes their paths, unique, and valid as names of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ThyroidSynthLib.dataset.finding.ids import Place, safe_id, unique_ids


@pytest.mark.parametrize(
    ("paths", "ids"),
    [
        (["p1/segmentations.nii.gz", "p2/segmentations.nii.gz"], ["p1", "p2"]),
        (["01/2020-01-01/seg.nii.gz", "02/2020-01-01/seg.nii.gz"], ["01_2020-01-01", "02_2020-01-01"]),
        (["01/2020-01-01/seg.nii.gz"], ["01_2020-01-01"]),
        (["a/x.nii.gz", "b/x.nii.gz", "y.nii.gz"], ["a_x", "b_x", "y"]),
        (["x.nii.gz", "x.seg.nrrd"], ["x.nii.gz", "x.seg.nrrd"]),
        (["Case.nii.gz", "case.nii.gz"], ["Case", "case_2"]),
        (["labelsTr/c1.nii.gz", "labelsTs/c1.nii.gz"], ["labelsTr_c1", "labelsTs_c1"]),
        (["segmentations.nii.gz"], ["root"]),
        (["0001.nii.gz"], ["0001"]),
        (["PAT1/study1/series2/x.dcm", "PAT2/study/ct/seg.dcm"], ["x", "PAT2"]),
        (["PAT1/study1/series2/seg.dcm", "PAT2/study1/seg.dcm"], ["PAT1_study1_series2", "PAT2_study1"]),
        (["PAT1/IM0001", "PAT2/1-1.dcm", "PAT3/1.2.3.4.5"], ["PAT1", "PAT2", "PAT3"]),
        (["PAT1/RS.1.2.246.352.71.4.dcm", "PAT2/rt/RTSTRUCT_2.25.11.dcm", "RS.P3.dcm"], ["PAT1", "PAT2", "RS.P3"]),
        (["a:b.nii.gz", "a?b.nii.gz"], ["a_b", "a_b_2"]),
    ],
)
def test_ids_are_made_of_what_distinguishes_the_paths(paths: list[str], ids: list[str]) -> None:
    root = Path("/data/root")
    assert unique_ids([Place(root, root / path, is_file=True) for path in paths]) == ids


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("=cmd|' /C calc'!A0", "_cmd_' _C calc'!A0"),
        ("..", "_"),
        ("-rf", "_rf"),
        (".hidden", "_hidden"),
        ("CON", "CON_"),
        ("nul.txt", "nul.txt_"),
        ("a/b\\c\n", "a_b_c_"),
        ("name. ", "name"),
        ("", "_"),
        ("M\udcfcller", "Müller"),
    ],
)
def test_ids_are_valid_names_of_files(name: str, expected: str) -> None:
    assert safe_id(name) == expected


def test_long_ids_are_shortened_and_stay_different() -> None:
    first, second = safe_id("ä" * 300 + "1"), safe_id("ä" * 300 + "2")
    assert first != second and len(first.encode()) <= 100 and first.startswith("ää")
