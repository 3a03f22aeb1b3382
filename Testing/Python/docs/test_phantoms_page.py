"""The commands and the program of the page on phantoms run as they stand there, and give what it promises."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from ThyroidSynthLib.cli.main import OK, main
from ThyroidSynthLib.imaging.masks import read_mask
from ThyroidSynthLib.imaging.volume_files import read_volume

PAGE = Path(__file__).resolve().parents[3] / "docs" / "phantoms.md"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the page's commands and its program were run."""
    folder = tmp_path_factory.mktemp("tutorial")
    text = PAGE.read_text(encoding="utf-8")
    commands = re.findall(r"^thyroidsynth (.+)$", text, re.MULTILINE)
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for command in commands:
            assert main([*shlex.split(command), "--quiet"]) == OK, command
        exec(compile(program, str(PAGE), "exec"), {})
    return folder


def _document(folder: Path) -> dict:
    return json.loads((folder / "phantom.json").read_text(encoding="utf-8"))


def test_the_patients_own_phantom_keeps_every_segmented_voxel(results: Path) -> None:
    labels = read_volume(results / "own" / "labels.nii.gz").array
    segmented = read_mask(results / "dataset" / "s0000" / "segmentations" / "esophagus.nii.gz").whole().array

    assert np.array_equal(labels == 15, segmented != 0)
    assert len(list((results / "own" / "fractions").iterdir())) >= 7


def test_the_larger_thyroid_meets_its_targets_and_neighbours_keep_their_volumes(results: Path) -> None:
    document = _document(results / "larger")

    assert document["met"]
    assert document["written"]["volume_ml"] == pytest.approx(30, rel=0.02)
    assert max(abs(each["change"]) for each in document["neighbours"]) <= 0.02
    assert {"thyroid_right_lobe", "thyroid_isthmus"} <= {each["name"] for each in document["labels"]}


def test_nodules_have_their_diameters_and_the_ct_follows_them(results: Path) -> None:
    document = _document(results / "nodular")
    nodules = document["nodules"]["nodules"]

    assert len(nodules) == 2 and all(each["on_label_map"]["met"] for each in nodules)
    assert [each["measured_bulge"] for each in nodules] == pytest.approx([0.2, 0.2], abs=0.08)
    labels = read_volume(results / "nodular" / "labels.nii.gz").array
    before = read_volume(results / "dataset" / "s0000" / "ct.nii.gz").array
    after = read_volume(results / "nodular" / "ct_synthetic.nii.gz").array
    assert after[labels >= 220].mean() < 0.5 * document["ct"]["gland_mean_hu"]
    assert after[labels == 17].mean() == pytest.approx(before[labels == 17].mean(), abs=10)
    assert 0 < (before != after).mean() < 0.5


def test_the_cohort_meets_its_targets_and_reaches_into_no_rigid_structure(results: Path) -> None:
    manifest = json.loads((results / "cohort" / "manifest.json").read_text(encoding="utf-8"))

    assert [each["met"] for each in manifest["phantoms"]] == [True] * 3
    assert [each["overlap_mm3"] for each in manifest["phantoms"]] == [{}] * 3


def test_the_program_saves_a_phantom(results: Path) -> None:
    assert _document(results / "saved")["written"]["volume_ml"] == pytest.approx(25, rel=0.01)


def test_the_other_formats_are_written(results: Path) -> None:
    names = {path.relative_to(results / "formats").as_posix() for path in (results / "formats").rglob("*.*")}

    assert {"labels.nrrd", "labels.mhd", "labels.raw", "meshes/thyroid_gland.stl", "meshes/body.vtp"} < names
    assert "labels.nii.gz" not in names
