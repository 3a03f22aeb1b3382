"""The files that the folder of every simulator has: run.py, README.txt and geometry.json."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.files import atomic_path, write_text
from ThyroidSynthLib.geometry.grid import Grid

from .contents import Medium

_AXES = {"R": "the right", "L": "the left", "A": "anterior", "P": "posterior", "S": "superior", "I": "inferior"}


def write_raw(path: Path, array: np.ndarray) -> None:
    """Write the numbers of an array [z, y, x] without a header, x fastest, little-endian."""
    with atomic_path(path) as temporary:
        array.astype(array.dtype.newbyteorder("<"), copy=False).tofile(temporary)


def write_media(path: Path, media: Iterable[Medium]) -> None:
    """Write which label and structure each number of a simulator is, as a table (CSV)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("number", "label", "structure", "material"))
    writer.writerows((each.number, each.label, each.structure, each.material.name) for each in media)
    write_text(path, text.getvalue())


def write_geometry(folder: Path, grid: Grid, towards: str) -> None:
    """Write where the voxels lie in the patient (``geometry.json``), in `ras_mm`."""
    document = {
        "size": list(grid.shape[::-1]),
        "spacing_mm": grid.spacing_mm.round(9).tolist(),
        "axes_towards": list(towards),
        "index_to_ras_mm": grid.ijk_to_ras.round(9).tolist(),
    }
    write_text(folder / "geometry.json", json.dumps(document, indent=1) + "\n")


def write_run(folder: Path, script: str, *, program: str, install: str, about: str, towards: str) -> None:
    """Write ``run.py`` and ``README.txt``.

    Parameters
    ----------
    script : str
        The script, without the lines that go to its folder.
    program, install : str
        Name of the program, and the command that installs it.
    about : str
        What the files are and what the script computes.
    towards : str
        Where the axes x, y and z increase to in the patient, as in `Volume.towards`.
    """
    head = f'"""Run {program} on the phantom in this folder."""\n\nimport os\nfrom pathlib import Path\n\n'
    # Relative names in the files of the programs start at the working directory.
    write_text(folder / "run.py", f"{head}os.chdir(Path(__file__).parent)\n\n{script.strip()}\n")
    x, y, z = (_AXES[letter] for letter in towards)
    text = (
        f"Phantom for {program}\n\n{about.strip()}\n\n"
        f"Axes: x increases to {x} of the patient, y to {y}, z to {z}. geometry.json maps an index (x, y, z) to mm in "
        "the patient (RAS). If the axes of the scan are oblique, those here are as oblique.\n\n"
        f"Install:  {install}\nRun:      python run.py\n\n"
        "The thyroid is synthetic, or a patient's that was edited. Not for clinical use.\n"
    )
    write_text(folder / "README.txt", text)
