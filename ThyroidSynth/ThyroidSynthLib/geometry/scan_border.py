"""The borders of a scan: which sides cut a gland, and which parts of a surface are in the scan or beyond."""

from __future__ import annotations

import numpy as np

from .grid import Grid
from .polydata import polydata_of, surface_of
from .surface import Surface
from .volume import Volume

# A layer of voxels is beyond the scan if its centres are further out than this share of its thickness.
BEYOND_SHARE = 0.4
# Voxels by which a cut structure is continued beyond the scan, so that its surface is not rounded at the border.
_CONTINUED_VOXELS = 4

# A side of the scan: the axis of its voxels (0 for i), the continuous index at which the scan ends there, and the
# direction along the axis (1 or -1) that leads into the scan.
_Side = tuple[int, float, float]


def cut_sides(gland: Volume, scan: Grid) -> np.ndarray:
    """Return on which sides a gland, cropped to its voxels, reaches the outermost voxels of a scan.

    The result is bool of shape (3, 2), for the first and the last layer along k, j and i.
    """
    found = np.zeros((3, 2), dtype=bool)
    for axis in range(3):
        for end, (layer, outward) in enumerate(((0, -1), (gland.array.shape[axis] - 1, 1))):
            beyond = np.argwhere(np.take(gland.array, [layer], axis=axis))
            beyond[:, axis] = layer + outward
            depth = scan.depth_mm(gland.to_ras(beyond[:, ::-1]))
            found[axis, end] = depth.min() < -BEYOND_SHARE * gland.spacing_mm[2 - axis]
    return found


def continued(structure: Volume, cut: np.ndarray) -> Volume:
    """Continue a cropped mask straight on at the sides (3, 2), as of `cut_sides`, at which a scan's border cuts it."""
    widths = _CONTINUED_VOXELS * cut.astype(int)
    moved = structure.ijk_to_ras.copy()
    moved[:3, 3] = structure.to_ras(-widths[::-1, 0])
    return Volume(np.pad(structure.array, widths, mode="edge"), moved)


def part_between(surface: Surface, lower_z: float, upper_z: float) -> Surface:
    """Return the part of a closed surface between two heights, closed there; without triangles if there is none."""
    slab = np.diag([1.0, 1.0, upper_z - lower_z, 1.0])
    slab[2, 3] = (lower_z + upper_z) / 2
    grid = Grid((1, 1, 1), slab)
    return _clipped(surface, grid, _sides(grid, 2))


def part_in_scan(surface_ras: Surface, scan: Grid) -> Surface:
    """Return the part of a closed surface in `ras_mm` that lies in a scan's voxels, closed where the scan ends.

    If there is no such part, the result has no triangles.
    """
    return _clipped(surface_ras, scan, [side for axis in range(3) for side in _sides(scan, axis)])


def parts_beyond_scan(surface_ras: Surface, scan: Grid) -> list[Surface]:
    """Return the parts of a closed surface in `ras_mm` that lie beyond a scan's sides, each closed.

    A part beyond a corner of the scan belongs to one side only, so that no two parts overlap.
    """
    parts = []
    within: list[_Side] = []
    for axis in (2, 1, 0):
        sides = _sides(scan, axis)
        for _, index, inwards in sides:
            part = _clipped(surface_ras, scan, [*within, (axis, index, -inwards)])
            if len(part.faces):
                parts.append(part)
        within += sides
    return parts


def _sides(scan: Grid, axis: int) -> list[_Side]:
    # Voxels extend half their size beyond their centres.
    return [(axis, -0.5, 1.0), (axis, float(scan.last_ijk[axis]) + 0.5, -1.0)]


def _clipped(surface_ras: Surface, scan: Grid, sides: list[_Side]) -> Surface:
    """Return the part of a closed surface on the inner side of each of some sides of a scan, closed again."""
    from vtkmodules.vtkCommonDataModel import vtkPlane, vtkPlaneCollection
    from vtkmodules.vtkFiltersGeneral import vtkClipClosedSurface

    # VTK keeps single precision, which is finer for small coordinates.
    centre = surface_ras.vertices.mean(axis=0)
    to_index = np.linalg.inv(scan.ijk_to_ras[:3, :3])
    planes = vtkPlaneCollection()
    for axis, index, inwards in sides:
        normal = inwards * to_index[axis]
        plane = vtkPlane()
        plane.SetOrigin((scan.to_ras(index * np.eye(3)[axis]) - centre).tolist())
        plane.SetNormal((normal / np.linalg.norm(normal)).tolist())
        planes.AddItem(plane)
    clip = vtkClipClosedSurface()
    clip.SetInputData(polydata_of(surface_ras.moved(surface_ras.vertices - centre)))
    clip.SetClippingPlanes(planes)
    clip.Update()
    part = surface_of(clip.GetOutput())
    return part.moved(part.vertices + centre)
