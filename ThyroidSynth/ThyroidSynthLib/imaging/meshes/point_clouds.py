"""Point clouds: points on a surface, from mesh formats without triangles, tables of positions, and NumPy arrays."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.reading import reading
from ThyroidSynthLib.geometry.grid import flip_lps_ras

from .any_mesh import MESH_SUFFIXES, read_mesh_file

CLOUD_SUFFIXES = (".xyz", ".pts", ".txt", ".csv", ".asc", ".npy")
"""Suffixes of files that hold nothing but positions."""

_REMEDY = "Write one point per line: three numbers, separated by blanks or commas."
_FEWEST = 50
_MOST = 5_000_000


def is_point_cloud_file(path: Path) -> bool:
    """Check whether a file has the name of a table of positions, and is not hidden."""
    return path.suffix.lower() in CLOUD_SUFFIXES and not path.name.startswith(".")


def read_points(path: Path | str, *, space: str | None = None) -> np.ndarray:
    """Read the points (n, 3) of a point cloud or of a mesh, in `ras_mm`.

    Parameters
    ----------
    space : str, optional
        Axes of the positions in the file, "LPS" (the default) or "RAS", unless a mesh states its own.

    Raises
    ------
    InputError
        The file is missing, damaged or of another format, or holds too few points.
    """
    path = Path(path)
    if path.suffix.lower() in MESH_SUFFIXES:
        points = read_mesh_file(path, space=space).surface.vertices
    elif is_point_cloud_file(path):
        with reading(path, "a point cloud", _REMEDY):
            points = _array(path) if path.suffix.lower() == ".npy" else _table(path)
        if not np.isfinite(points).all():
            raise InputError(f"{path} has a point without a finite position. Correct it.")
        points = flip_lps_ras(points) if (space or "LPS") == "LPS" else points
    else:
        known = ", ".join(suffix[1:] for suffix in (*MESH_SUFFIXES, *CLOUD_SUFFIXES))
        raise InputError(f"{path} is not a point cloud of a known format ({known}). Export it in one of these.")
    if not _FEWEST <= len(points) <= _MOST:
        raise InputError(f"{path} has {len(points)} points; from {_FEWEST} to {_MOST:,} can be used. Export it again.")
    return points


def _array(path: Path) -> np.ndarray:
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim != 2 or array.shape[1] < 3 or array.dtype.kind not in "fiu" or len(array) > _MOST:
        raise InputError(f"{path} is not an array of points (n, 3) but {array.dtype} {list(array.shape)}. Convert it.")
    return np.array(array[:, :3], dtype=np.float64)


def _table(path: Path) -> np.ndarray:
    """Return the first three columns of a text; lines before the first numbers, and comments, are ignored."""
    rows: list[list[float]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        words = [word for word in re.split(r"[\s,;]+", line.partition("#")[0].strip()) if word]
        try:
            values = [float(word) for word in words]
        except ValueError:
            values = []
        if len(values) >= 3:
            rows.append(values[:3])
        elif words and rows:
            raise InputError(f"{path}, line {number}, is not a point. {_REMEDY}")
    return np.array(rows, dtype=np.float64).reshape(-1, 3)
