"""`thyroidsynth prepare` and `fit` with several sources, and the listing of --dry-run."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from support.mask_files import affine, caret_xml, two_masks, write_case, write_nifti
from ThyroidSynthLib.cli.main import main

THYROID, TRACHEA = two_masks()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two cases in different layouts, a file without label names, and a text."""
    folder = tmp_path / "data"
    write_case(folder / "s1", THYROID, TRACHEA, affine())
    labels = THYROID + 2 * TRACHEA
    names = caret_xml({1: "thyroid", 2: "trachea"})
    write_nifti(folder / "p2" / "segmentations.nii.gz", labels, affine(), extensions=[(0, names)])
    write_nifti(folder / "own.nii.gz", labels, affine())
    (folder / "notes.txt").write_text("x")
    return folder


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def below(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def test_a_dry_run_lists_what_is_found_and_passed_over_and_writes_nothing(data, tmp_path, capsys) -> None:
    before = below(tmp_path)
    assert run("prepare", data, "--dry-run") == 0
    text = capsys.readouterr().out
    assert f"p2: label map, {data / 'p2' / 'segmentations.nii.gz'}" in text
    assert "thyroid_gland: label 1 (thyroid); trachea: label 2 (trachea)" in text
    assert "s1: masks" in text and "no label names: own.nii.gz" in text and "notes.txt" in text
    assert run("prepare", data, "--dry-run", "--json", "--out", tmp_path / "c") == 0
    document = json.loads(capsys.readouterr().out)
    assert [case["id"] for case in document["cases"]] == ["p2", "s1"]
    assert sum(entry["count"] for entry in document["passed_over"]) == 2
    assert below(tmp_path) == before


def test_with_the_labels_the_dry_run_finds_the_file_without_names(data, capsys) -> None:
    assert run("prepare", data, "--dry-run", "--json", "--labels", "thyroid=1,trachea=2") == 0
    document = json.loads(capsys.readouterr().out)
    assert [case["id"] for case in document["cases"]] == ["own", "p2", "s1"]
    assert document["cases"][0]["trachea"] == ["label 2 (trachea)"]


def test_a_dry_run_without_cases_says_what_was_passed_over(tmp_path, capsys) -> None:
    write_nifti(tmp_path / "spleen.nii.gz", THYROID, affine())
    assert run("prepare", tmp_path, "--dry-run") == 1
    assert "no thyroid or trachea by name, and no label names: spleen.nii.gz" in capsys.readouterr().err


def test_several_sources_are_prepared_into_one_cohort_and_the_result_states_the_rest(data, tmp_path, capsys) -> None:
    other = tmp_path / "other"
    write_case(other / "s1", THYROID, TRACHEA, affine())
    command = ("prepare", data, other, "--samples", 100, "--workers", 1, "--quiet", "--out", tmp_path / "c")
    assert run(*command) == 0
    text = capsys.readouterr().out
    assert "3 of 3 cases" in text and "Passed over: no thyroid or trachea by name, and no label names (1)." in text
    assert "notes.txt" not in text and "not segmentations" not in text
    write_case(other / "s9", THYROID, TRACHEA, affine())
    assert run(*command) == 0
    assert "1 new since the last run: s9." in capsys.readouterr().out
    assert run(*command, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["reused"], document["added"], document["removed"]) == (4, [], [])


def test_a_cohort_in_the_folder_of_its_cases_is_no_case_of_it(data, capsys, monkeypatch) -> None:
    monkeypatch.chdir(data)
    command = ("prepare", ".", "--out", "cohort", "--samples", 100, "--workers", 1, "--quiet", "--json")
    for reused in (0, 2):
        assert run(*command) == 0
        document = json.loads(capsys.readouterr().out)
        assert (document["accepted"], document["reused"]) == (2, reused)
    assert document["passed_over"]["results of ThyroidSynth"] == 1


def test_without_out_nothing_is_prepared(data, capsys) -> None:
    with pytest.raises(SystemExit):
        run("prepare", data)
    assert "--out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (["phantom", "example", "--out", "out", "--at"], {"--labels"}),
        (["generate", "example", "--out", "out", "--at"], {"--labels"}),
        (["edit", "example", "--out", "out"], {"--labels", "--thyroid", "--trachea"}),
        (["fit", "example", "--out", "out"], {"--labels", "--thyroid", "--trachea", "--trachea-centre"}),
        (["prepare", "--out", "out"], {"--labels", "--thyroid", "--trachea", "--trachea-centre"}),
        (["train", "--job", "job"], set()),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_where_no_case_is_found_a_command_names_only_options_that_it_has(command, named, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nothing").mkdir()
    assert main([*command, "nothing"]) == 1
    error = capsys.readouterr().err
    assert "nothing holds no cases (empty folder: .). Expected" in error
    assert set(re.findall(r"--[a-z-]+", error.split("holds no cases")[1])) == named
    assert ("use thyroidsynth prepare" in error) == (not named)


def test_a_mesh_or_a_single_mask_as_a_case_is_refused_with_the_options_for_it(dataset, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copy(dataset / "s0000/segmentations/thyroid_gland.nii.gz", tmp_path)
    (tmp_path / "gland.ply").write_text("ply\n")
    for command, name, end in (
        ("fit", "gland.ply", "Choose a segmentation. For meshes state the centre of the trachea (--trachea-centre)."),
        ("edit", "gland.ply", "Choose a segmentation. For input of other kinds use thyroidsynth prepare."),
        ("edit", "thyroid_gland.nii.gz", "both masks. For masks with other names use --thyroid and --trachea."),
    ):
        assert main([command, "example", name, "--out", "out"]) == 1
        assert capsys.readouterr().err.strip().endswith(end)
