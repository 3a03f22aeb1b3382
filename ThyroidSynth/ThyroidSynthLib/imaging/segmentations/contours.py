"""Masks from closed planar contours, as radiotherapy planning draws them: one or more polygons in each plane.

Own code, because plastimatch and scikit-image are not part of Slicer, and VTK's stencils are made for closed surfaces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume

MOST_INTERPOLATED_MM = 12.0
"""Planes further apart than this are not joined: the structure may consist of two parts."""

# A slice of the grid is in a plane of contours if it is nearer than this (in slices).
_SAME_PLANE = 0.1
# Corners nearer to the centre of a voxel than this (in voxels) lie there; files round to about a hundredth of a mm.
_ON_CENTRE = 0.05
# The voxels of a CT are larger.
_SMALLEST_TRACED_MM = 0.2


@dataclass(frozen=True)
class FilledContours:
    """The mask of contours on a grid.

    Attributes
    ----------
    volume : Volume
        Part of the grid, uint8, 1 inside.
    interpolated : int
        Number of slices between two planes of contours that have none themselves.
    gap_mm : float
        Largest distance of neighbouring planes that were not joined; 0 if all were.
    """

    volume: Volume
    interpolated: int = 0
    gap_mm: float = 0.0


def fill_contours(contours: Sequence[np.ndarray], grid: Grid) -> FilledContours:
    """Fill closed planar contours on a grid whose slices k are parallel to them; beyond the grid they are cut.

    Contours of one plane are combined by exclusive or, so that a contour within another is a hole; a hole may also be
    joined to the outside by a channel of no width. A plane stands for half the distance to its neighbours. Where all
    contours were traced through the centres of the outermost voxels, as OpenCV and rt-utils do, these are inside.

    Parameters
    ----------
    contours : sequence of ndarray, shape (n, 3)
        Corners in `ras_mm`.

    Raises
    ------
    InputError
        All contours lie outside the grid.
    """
    corners = [grid.to_ijk(contour) for contour in contours]
    low, high = (
        np.clip([getattr(each, end)(axis=0) for each in corners], -1, grid.last_ijk + 1) for end in ("min", "max")
    )
    low, high = np.floor(low.min(axis=0)[:2]).astype(int), np.ceil(high.max(axis=0)[:2]).astype(int)
    low, high = np.maximum(low, 0), np.minimum(high, grid.last_ijk[:2])
    size = high - low + 1
    planes = _planes(corners)
    places = np.array(sorted(planes))
    # The outermost planes stand for half their usual distance beyond them, at least half a slice.
    usual = float(np.median(np.diff(places))) if len(places) > 1 else 1.0
    half = 0.5 * max(usual, 1.0) if usual * grid.spacing_mm[2] <= MOST_INTERPOLATED_MM else 0.5
    first, last = int(np.ceil(places[0] - half - 1e-6)), int(np.floor(places[-1] + half - 1e-6))
    if last < first:
        first = last = round(float(places[0]))
    first, last = max(first, 0), min(last, grid.shape[0] - 1)
    if last < first or (size < 1).any():
        raise InputError("the contours lie outside the images")
    traced = _are_traced([each[:, :2] for each in corners])
    filled = {
        place: _filled([each[:, :2] - low for each in flat], (int(size[1]), int(size[0])), traced=traced)
        for place, flat in planes.items()
    }
    array = np.zeros((last - first + 1, int(size[1]), int(size[0])), dtype=np.uint8)
    interpolated, gap_mm = 0, 0.0
    for k in range(first, last + 1):
        plane, between, apart_mm = _slice(k, places, filled, grid.spacing_mm[2])
        gap_mm = max(gap_mm, apart_mm)
        interpolated += between
        if plane is not None:
            array[k - first] = plane
    part = grid.part([first, int(low[1]), int(low[0])], array.shape)
    return FilledContours(Volume(array, part.ijk_to_ras), interpolated, gap_mm)


def _planes(corners: Sequence[np.ndarray]) -> dict[float, list[np.ndarray]]:
    """Return the contours (n, 3), in voxels, of each plane k; a contour that occurs twice counts once."""
    found: dict[float, list[np.ndarray]] = {}
    for each in corners:
        place = float(np.median(each[:, 2]))
        place = next((known for known in found if abs(known - place) < _SAME_PLANE), place)
        same = found.setdefault(place, [])
        if not any(each.shape == other.shape and np.allclose(each, other, atol=1e-4) for other in same):
            same.append(each)
    return found


def _slice(
    k: int, places: np.ndarray, filled: dict[float, np.ndarray], spacing_mm: float
) -> tuple[np.ndarray | None, bool, float]:
    """Return the mask of a slice, whether it was interpolated, and the distance of planes that are too far apart."""
    nearest = float(places[np.abs(places - k).argmin()])
    after = int(np.searchsorted(places, k))
    if abs(nearest - k) < _SAME_PLANE or after in (0, len(places)):
        return filled[nearest], False, 0.0
    below, above = float(places[after - 1]), float(places[after])
    if (above - below) * spacing_mm > MOST_INTERPOLATED_MM:
        return (filled[nearest] if abs(nearest - k) <= 0.5 else None), False, float((above - below) * spacing_mm)
    share = (k - below) / (above - below)
    blended = (1 - share) * _distance(filled[below]) + share * _distance(filled[above])
    # Planes denser than the slices need no interpolation worth mentioning.
    return blended < 0, (above - below) > 1 + _SAME_PLANE, 0.0


def _distance(mask: np.ndarray) -> np.ndarray:
    """Return the distance of each pixel to the outline of a mask, in pixels, negative inside."""
    from scipy.ndimage import distance_transform_edt

    if not mask.any():
        return np.full(mask.shape, float(max(mask.shape)))
    return distance_transform_edt(~mask) - distance_transform_edt(mask)


def _filled(polygons: Sequence[np.ndarray], shape: tuple[int, int], *, traced: bool) -> np.ndarray:
    """Return which pixels lie within polygons, and with `traced` also those whose centres lie on an edge."""
    if not traced:
        return _even_odd(polygons, shape)
    polygons = [np.rint(polygon).astype(int) for polygon in polygons]
    inside = _even_odd(polygons, shape)
    for polygon in polygons:
        for start, edge in zip(polygon, np.roll(polygon, -1, axis=0) - polygon, strict=True):
            column, row = (start + np.arange(np.abs(edge).max() + 1)[:, None] * np.sign(edge)).T
            within = (column >= 0) & (row >= 0) & (column < shape[1]) & (row < shape[0])
            inside[row[within], column[within]] = True
    return inside


def _are_traced(polygons: Sequence[np.ndarray]) -> bool:
    """Check whether polygons, in voxels, go from centre to centre of neighbouring voxels."""
    whole = [np.rint(polygon) for polygon in polygons]
    edges = np.abs(np.concatenate([polygon - np.roll(polygon, 1, axis=0) for polygon in whole]))
    straight = (edges.min(axis=1) == 0) | (edges[:, 0] == edges[:, 1])
    off = max(np.abs(polygon - near).max() for polygon, near in zip(polygons, whole, strict=True))
    return bool(off < _ON_CENTRE and straight.all())


def traced_voxels_mm(polygons: Sequence[np.ndarray]) -> tuple[float, float] | None:
    """Return the voxel size, in the plane, of an unknown image in which polygons (n, 2) in mm were traced, or None.

    They were traced through the centres of voxels if their corners lie on the points of a lattice. Contours halfway
    between voxels inside and outside do, too, but only on every second point; those along the faces of voxels have no
    oblique edge.
    """
    corners = np.concatenate(polygons)
    low, extent = corners.min(axis=0), np.ptp(corners, axis=0)
    sizes = np.empty(2)
    for axis in range(2):
        gaps = np.diff(np.unique(np.round(corners[:, axis], 3)))
        if not len(gaps) or gaps.min() < _SMALLEST_TRACED_MM:
            return None
        sizes[axis] = extent[axis] / np.rint(extent[axis] / np.median(gaps[gaps < 1.5 * gaps.min()]))
    places = [(polygon - low) / sizes for polygon in polygons]
    parities = {int(total) % 2 for total in np.rint(np.concatenate(places)).sum(axis=1)}
    oblique = any((np.abs(place - np.roll(place, 1, axis=0)) > 0.5).all(axis=1).any() for place in places)
    return (sizes[0], sizes[1]) if oblique and len(parities) == 2 and _are_traced(places) else None


def _even_odd(polygons: Sequence[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Return which pixel centres lie within an odd number of polygons.

    Parameters
    ----------
    polygons : sequence of ndarray, shape (n, 2)
        Corners as (column, row), pixel centres being whole numbers.
    shape : (int, int)
        Rows and columns.
    """
    crossings = np.zeros((shape[0], shape[1] + 1), dtype=np.int32)
    for polygon in polygons:
        start, end = polygon, np.roll(polygon, -1, axis=0)
        # Rows whose centres an edge crosses; a corner in a row counts for one of its two edges only.
        lowest = np.ceil(np.minimum(start[:, 1], end[:, 1])).astype(int)
        highest = np.ceil(np.maximum(start[:, 1], end[:, 1])).astype(int) - 1
        counts = np.maximum(np.minimum(highest, shape[0] - 1) - np.maximum(lowest, 0) + 1, 0)
        edges = np.repeat(np.arange(len(polygon)), counts)
        rows = np.arange(len(edges)) - np.repeat(np.cumsum(counts) - counts, counts) + np.maximum(lowest, 0)[edges]
        along = (rows - start[edges, 1]) / (end[edges, 1] - start[edges, 1])
        columns = np.ceil(start[edges, 0] + along * (end[edges, 0] - start[edges, 0])).astype(int)
        np.add.at(crossings, (rows, np.clip(columns, 0, shape[1])), 1)
    return np.cumsum(crossings[:, :-1], axis=1) % 2 == 1
