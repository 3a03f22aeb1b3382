"""Where a scan ends: on which sides it cuts a gland, and which part of a surface lies in it."""

from __future__ import annotations

import numpy as np

from .grid import Grid
from .polydata import polydata_of, surface_of
from .surface import Surface
from .volume import Volume

# A layer of voxels lies beyond the scan when its centres are further out than this share of its thickness.
BEYOND_SHARE = 0.4
# Half a voxel belongs to the outermost voxels' centres on every side.
_HALF = 0.5


def cut_sides(gland: Volume, scan: Grid) -> np.ndarray:
    """Say on which sides a gland lies in the outermost voxels of a scan.

    Parameters
    ----------
    gland : Volume
        Cut to the box it fills; its voxels may be others than the scan's.

    Returns
    -------
    ndarray of bool, shape (3, 2)
        For the first and the last layer along k, j and i.
    """
    found = np.zeros((3, 2), dtype=bool)
    for axis in range(3):
        for end, (layer, outward) in enumerate(((0, -1), (gland.array.shape[axis] - 1, 1))):
            beyond = np.argwhere(np.take(gland.array, [layer], axis=axis))
            beyond[:, axis] = layer + outward
            depth = scan.depth_mm(gland.to_ras(beyond[:, ::-1]))
            found[axis, end] = depth.min() < -BEYOND_SHARE * gland.spacing_mm[2 - axis]
    return found


def part_in_scan(surface_ras: Surface, scan: Grid) -> Surface:
    """Give the part of a closed surface in `ras_mm` that lies in a scan's voxels, closed where the scan ends.

    Without triangles where no part does.
    """
    last = np.array(scan.shape[::-1]) - 1
    planes = [(axis, -_HALF, 1.0) for axis in range(3)] + [(axis, last[axis] + _HALF, -1.0) for axis in range(3)]
    return _clipped(surface_ras, scan, planes)


def parts_beyond_scan(surface_ras: Surface, scan: Grid) -> list[Surface]:
    """Give the parts of a closed surface in `ras_mm` that lie beyond a scan's sides, each closed.

    Beyond a corner of the scan a part belongs to one side only, so that no two overlap.
    """
    last = np.array(scan.shape[::-1]) - 1
    parts, inner = [], []
    for axis in (2, 1, 0):
        for level, facing in ((-_HALF, 1.0), (last[axis] + _HALF, -1.0)):
            part = _clipped(surface_ras, scan, [*inner, (axis, level, -facing)])
            if len(part.faces):
                parts.append(part)
        inner += [(axis, -_HALF, 1.0), (axis, last[axis] + _HALF, -1.0)]
    return parts


def joined(surfaces: list[Surface]) -> Surface:
    """Give several surfaces as one of several pieces."""
    first = np.cumsum([0, *(len(surface.vertices) for surface in surfaces[:-1])])
    faces = [surface.faces + start for surface, start in zip(surfaces, first, strict=True)]
    return Surface(np.concatenate([surface.vertices for surface in surfaces]), np.concatenate(faces))


def _clipped(surface_ras: Surface, scan: Grid, planes: list[tuple[int, float, float]]) -> Surface:
    """Keep what lies before planes, each given by an axis of the scan's voxels, an index and a direction."""
    from vtkmodules.vtkCommonDataModel import vtkPlane, vtkPlaneCollection
    from vtkmodules.vtkFiltersGeneral import vtkClipClosedSurface

    # VTK keeps single precision; small coordinates keep more of it.
    centre = surface_ras.vertices.mean(axis=0)
    to_index = np.linalg.inv(scan.ijk_to_ras[:3, :3])
    collection = vtkPlaneCollection()
    for axis, level, direction in planes:
        index = np.zeros(3)
        index[axis] = level
        normal = direction * to_index[axis]
        plane = vtkPlane()
        plane.SetOrigin((scan.ijk_to_ras[:3, :3] @ index + scan.ijk_to_ras[:3, 3] - centre).tolist())
        plane.SetNormal((normal / np.linalg.norm(normal)).tolist())
        collection.AddItem(plane)
    clip = vtkClipClosedSurface()
    clip.SetInputData(polydata_of(surface_ras.moved(surface_ras.vertices - centre)))
    clip.SetClippingPlanes(collection)
    clip.Update()
    found = surface_of(clip.GetOutput())
    return found.moved(found.vertices + centre)
