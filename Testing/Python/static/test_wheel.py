"""The wheel holds every file of the library, not only Python."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]


def test_the_wheel_has_the_same_files_as_the_library(tmp_path: Path) -> None:
    # A copy, because building writes beside the sources.
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, tmp_path)
    by_products = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info", ".*")
    library = shutil.copytree(PROJECT / "ThyroidSynth", tmp_path / "ThyroidSynth", ignore=by_products)
    build = "from setuptools.build_meta import build_wheel; print(build_wheel('.'))"
    subprocess.run([sys.executable, "-c", build], cwd=tmp_path, check=True, capture_output=True)

    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("ThyroidSynthLib/")}

    expected = {path.relative_to(library).as_posix() for path in library.glob("ThyroidSynthLib/**/*") if path.is_file()}
    assert "ThyroidSynthLib/model/data/example.safetensors" in expected
    assert packed == expected
