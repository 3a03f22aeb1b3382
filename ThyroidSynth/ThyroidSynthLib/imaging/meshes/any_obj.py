"""OBJ files: positions and polygons. Own code, because VTK's reader takes corners that do not exist."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ThyroidSynthLib.geometry.surface import Surface

from .polygons import triangles_of


def read_obj(path: Path) -> Surface:
    """Read positions and polygons in the axes of the file; `ValueError` if a line is damaged."""
    points: list[list[float]] = []
    polygons: list[np.ndarray] = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        words = line.split()
        try:
            if words[:1] == ["v"]:
                points.append([float(word) for word in words[1:4]])
                if len(points[-1]) != 3:
                    raise ValueError
            elif words[:1] == ["f"]:
                corners = [int(word.partition("/")[0]) for word in words[1:]]
                # Negative numbers count from the last position that was read.
                polygons.append(np.array([each - 1 if each > 0 else len(points) + each for each in corners]))
                if 0 in corners or len(corners) < 3:
                    raise ValueError
        except ValueError:
            raise ValueError(f"line {number} is damaged") from None
    return Surface(np.array(points).reshape(-1, 3), triangles_of(polygons, len(points)))
