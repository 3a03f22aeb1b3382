"""The example scripts and the notebook of the documentation run as they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"


def run(program: Path | str, *arguments: str, folder: Path) -> str:
    """Run a Python program in a folder and return what it prints."""
    environment = {**os.environ, "MPLBACKEND": "Agg"}
    command = [sys.executable, str(program), *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_thyroid_is_steered_and_saved(tmp_path: Path) -> None:
    output = run(EXAMPLES / "first_thyroid.py", folder=tmp_path)

    assert "targets met: True" in output
    assert {path.name for path in tmp_path.iterdir()} == {"thyroid.stl", "thyroid.nii.gz"}


def test_a_cohort_of_increasing_volume_is_steered(tmp_path: Path) -> None:
    output = run(EXAMPLES / "steer_a_cohort.py", "thyroids", folder=tmp_path)

    volumes = [float(line.split(" mL")[0]) for line in output.splitlines()]
    assert volumes == pytest.approx([8, 11, 14, 17, 20, 23, 26], rel=0.02)
    assert "not met" not in output and len(list((tmp_path / "thyroids").glob("*.stl"))) == 7


def test_a_patient_is_edited(tmp_path: Path) -> None:
    output = run(EXAMPLES / "edit_a_patient.py", "edit", folder=tmp_path)

    before, after = (float(word) for word in output.split("volume_ml: ")[1].splitlines()[0].split(" -> "))
    assert after == pytest.approx(1.2 * before, rel=0.03)
    assert (tmp_path / "edit" / "edited.nii.gz").exists() and (tmp_path / "edit" / "edited.stl").exists()


def test_a_model_is_trained_and_evaluated(tmp_path: Path) -> None:
    output = run(EXAMPLES / "train_and_evaluate.py", "study", folder=tmp_path)

    assert "8 of 8 cases accepted" in output
    evaluation = json.loads((tmp_path / "study" / "evaluation" / "evaluation.json").read_text(encoding="utf-8"))
    assert evaluation["reconstruction_held_out"]["cases"] == 2
    assert (tmp_path / "study" / "evaluation" / "report.html").exists()


def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path) -> None:
    notebook = json.loads((EXAMPLES / "first_thyroid.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    program = tmp_path / "notebook.py"
    program.write_text("\n\n".join(cells), encoding="utf-8")

    output = run(program, folder=tmp_path)

    assert output.count("True") == 5 and "thyroid.stl thyroid.nii.gz" in output


def test_the_notebook_was_saved_with_its_output() -> None:
    notebook = json.loads((EXAMPLES / "first_thyroid.ipynb").read_text(encoding="utf-8"))

    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["execution_count"], "Run all cells of the notebook and save it."
            assert not any(output["output_type"] == "error" for output in cell["outputs"])
