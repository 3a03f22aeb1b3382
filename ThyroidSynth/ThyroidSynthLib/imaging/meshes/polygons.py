"""Polygons as triangles."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def triangles_of(polygons: Iterable[np.ndarray] | np.ndarray, points: int) -> np.ndarray:
    """Split polygons into triangles (F, 3) that share the first corner.

    Parameters
    ----------
    polygons : iterable of ndarray (k,), or ndarray (n, k)
        The corners of each polygon; those with fewer than three are left out.
    points : int
        Number of points.

    Raises
    ------
    ValueError
        A corner does not exist.
    """
    groups: dict[int, list[np.ndarray]] = {}
    if isinstance(polygons, np.ndarray):
        groups = {polygons.shape[1]: [polygons.astype(np.int64)]}
    else:
        for polygon in polygons:
            groups.setdefault(len(polygon), []).append(np.asarray(polygon).astype(np.int64)[None])
    found = [np.empty((0, 3), dtype=np.int64)]
    for corners, parts in groups.items():
        together = np.concatenate(parts)
        found += [together[:, [0, second, second + 1]] for second in range(1, corners - 1)]
    triangles = np.concatenate(found)
    if len(triangles) and not 0 <= triangles.min() <= triangles.max() < points:
        raise ValueError("a triangle has a corner that does not exist")
    return triangles
