"""Surfaces extracted from signed distance fields and from masks."""

from __future__ import annotations

import numpy as np

from .grid import box_of
from .surface import Surface
from .volume import Volume, sitk_from_volume

_MARGIN_VOXELS = 3
# Distance of a grid point to the surface below which it counts as outside, as a share of the largest value.
_LEAST = 1e-6
# Scale of the filter that removes steps of voxels, the least distance of a grid point to the smoothed surface, both in
# voxels, and the number of rounds in which grid points are moved back to their side.
_SMOOTHING_VOXELS = 1.0
_CLEARANCE = 0.05
_ROUNDS = 10


def surface_from_sdf(values: np.ndarray, level: float = 0.0) -> Surface:
    """Return the surface on which a field (n0, n1, n2) has the value `level`, in index coordinates.

    The field is lower inside and must cross the level. The surface is closed unless it leaves the grid, consistently
    oriented, and no edge has more than two triangles.
    """
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D

    # Empty space around the surface costs as much time as the surface.
    box = box_of(values <= level, margin=1)
    part = np.ascontiguousarray(values[box], dtype=np.float32) - np.float32(level)
    # A grid point on the surface makes triangles without area, so it is moved outside.
    part[part == 0] = _LEAST * max(float(np.abs(part).max()), 1e-30)
    image = vtkImageData()
    image.SetDimensions(*part.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(part.ravel()))
    edges = vtkFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, 0.0)
    edges.ComputeNormalsOff()
    edges.ComputeScalarsOff()
    edges.Update()
    found = edges.GetOutput()
    if found.GetNumberOfCells() == 0:
        raise ValueError(f"The field has no surface at the level {level:g}.")
    vertices = vtk_to_numpy(found.GetPoints().GetData()).astype(np.float64)[:, ::-1]
    faces = vtk_to_numpy(found.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    return Surface(vertices + [axis.start for axis in box], faces.astype(np.int64))


def surface_from_sdf_volume(sdf: Volume) -> Surface:
    """Return the zero level of a volume that is negative inside, in its frame; `ValueError` if there is none."""
    surface = surface_from_sdf(sdf.array)
    # Indices are in reversed order, which mirrors the surface; so may the grid.
    mirrored = np.linalg.det(sdf.ijk_to_ras[:3, :3]) > 0
    return Surface(sdf.to_ras(surface.vertices[:, ::-1]), surface.faces[:, ::-1] if mirrored else surface.faces)


def sdf_without_islands(sdf: np.ndarray, smallest: float, *, original: np.ndarray | None = None) -> np.ndarray:
    """Remove islands from a field, and fill enclosed cavities, that have fewer than `smallest` grid points.

    Their points change sign in the result; `sdf` (n0, n1, n2), negative inside, is left as it is. A component counts as
    connected along the axes of the grid. Islands and cavities of a field `original` stay where `sdf` still has them;
    components that share no point with it are removed whatever their size.
    """
    from scipy.ndimage import label

    reference = sdf if original is None else original
    # Points outside the box are connected to each other, and to the box's outermost layer.
    box = box_of((sdf < 0) | (reference < 0), margin=1)
    values, reference = sdf[box], reference[box]
    for solid, inside, own in ((True, values < 0, reference < 0), (False, values >= 0, reference >= 0)):
        component, count = label(inside)
        if count == 1:
            continue
        removed = np.bincount(component.ravel()) < smallest
        removed[0] = False
        if original is not None:
            own_component, _ = label(own)
            own_small = own & (np.bincount(own_component.ravel()) < smallest)[own_component]
            removed[component[own_small]] = False
            if solid:
                new = np.ones(count + 1, dtype=bool)
                new[component[inside & own]] = new[0] = False
                removed |= new
        values = np.where(removed[component], -values, values)
    cleaned = sdf.copy()
    cleaned[box] = values
    return cleaned


def surface_from_mask(mask: Volume) -> Surface:
    """Return the closed surface of a binary mask, in `ras_mm`; `ValueError` if the mask is empty.

    It is also closed where the mask touches the scan's border.
    """
    return surface_from_sdf_volume(sdf_of_mask(mask))


def sdf_of_mask(mask: Volume) -> Volume:
    """Return a smooth field of a binary mask, negative inside, whose zero level is the mask's surface.

    The mask is smoothed by a level set that never moves a voxel centre across the surface (Whitaker's
    anti-aliasing), so that thin isthmuses and gaps between lobes survive and voxelising the surface on the mask's
    own grid returns the mask. Plain smoothing shrinks small glands by up to a fifth. Finally the level is shifted,
    again without moving a voxel centre across, so that the surface encloses the volume of the voxels.

    The grid is the mask's voxels with a margin around them. Next to the surface the values are approximately distances
    in voxels; further away they are constant. `ValueError` if the mask is empty.
    """
    import SimpleITK

    inside = Volume((mask.array != 0).astype(np.uint8), mask.ijk_to_ras).cropped(margin=_MARGIN_VOXELS)
    occupied = inside.array.astype(bool)
    smooth = -SimpleITK.GetArrayFromImage(SimpleITK.AntiAliasBinary(sitk_from_volume(inside), 0.05, 50))
    staircase = np.where(occupied, -1.0, 1.0)
    for share in (0.0, 0.25, 0.5, 1.0):  # Only glands of a few mL need more than the smooth field.
        values = (1 - share) * smooth + share * staircase
        level, volume = _level_of_volume(values, occupied, occupied.sum())
        if abs(volume / occupied.sum() - 1) < 0.005:
            break
    return Volume(values - level, inside.ijk_to_ras)


def smoothed_sdf(sdf: np.ndarray, volume: float) -> np.ndarray:
    """Return a field (n0, n1, n2) whose surface has no steps of voxels, in index units and negative inside.

    The field of `sdf_of_mask` follows slanted parts of a mask in steps. Here a signed distance is smoothed by a
    low-pass filter that keeps its curvature, and what then lies on the wrong side is moved back together with its
    surroundings. No grid point changes sides, so that voxelising the surface on the grid returns the same voxels.

    Parameters
    ----------
    sdf : ndarray, shape (n0, n1, n2)
        Signed distance to the surface in index units, with a margin around it.
    volume : float
        Volume in index units that the smooth surface encloses, as closely as the voxels allow.
    """
    from scipy.ndimage import gaussian_filter

    def blurred(values: np.ndarray) -> np.ndarray:
        return gaussian_filter(values, _SMOOTHING_VOXELS, mode="nearest", truncate=3.0)

    inside = sdf < 0
    once = blurred(sdf)
    values = 2 * once - blurred(once)
    # A blurred single point has this height, so that half of it is moved back in each round.
    peak = (2 * np.pi) ** -1.5 * _SMOOTHING_VOXELS**-3
    for _ in range(_ROUNDS):
        missing = np.where(inside, np.minimum(-_CLEARANCE - values, 0), np.maximum(_CLEARANCE - values, 0))
        values = values + blurred(missing) * np.float32(0.5 / peak)
    values = np.where(inside, np.minimum(values, -_CLEARANCE), np.maximum(values, _CLEARANCE))
    return values - _level_of_volume(values, inside, volume, tolerance=1e-4)[0]


def _level_of_volume(
    values: np.ndarray, inside: np.ndarray, enclosed: float, *, tolerance: float = 1e-3
) -> tuple[float, float]:
    """Return the level that encloses a volume without moving a grid point across, and the volume it encloses."""
    low, high = 0.98 * values[inside].max(), 0.98 * values[~inside].min()
    level = 0.0
    volume = surface_from_sdf(values, level).volume
    for _ in range(7):
        excess = volume / enclosed - 1
        if abs(excess) < tolerance:
            break
        low, high = (low, level) if excess > 0 else (level, high)
        level = (low + high) / 2
        volume = surface_from_sdf(values, level).volume
    return level, volume
