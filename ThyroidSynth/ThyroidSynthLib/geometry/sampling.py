"""Random points on surfaces, signed distances, and the SDF samples that a shape is learned from (section 2.5)."""

from __future__ import annotations

import numpy as np

from .polydata import polydata_of
from .surface import Surface

SURFACE_SHARE = 0.8
OFFSET_SD = 0.1


def sample_sdf(unit_surface: Surface, *, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw points on and around a surface, with their signed distance (paper, section 2.5).

    Four fifths lie on the surface, uniformly over its area, with distance 0. The others are randomly chosen
    surface points moved by N(0, 0.1²) along each axis.

    Parameters
    ----------
    unit_surface : Surface
        Closed surface in the `unit` frame, in which the distances are computed too. They are not lengths,
        because the frame's axes are scaled differently.
    count : int
        Number of samples; 50,000 in the paper.

    Returns
    -------
    ndarray of float32, shape (count, 4)
        x, y, z and the signed distance, negative inside.
    """
    on_surface = round(count * SURFACE_SHARE)
    points = np.zeros((count, 4), dtype=np.float32)
    points[:on_surface, :3] = sample_surface(unit_surface, on_surface, rng)
    chosen = points[rng.integers(on_surface, size=count - on_surface), :3]
    points[on_surface:, :3] = chosen + rng.normal(scale=OFFSET_SD, size=chosen.shape)
    points[on_surface:, 3] = signed_distance(unit_surface, points[on_surface:, :3])
    return points


def sample_surface(surface: Surface, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw points (count, 3) uniformly over the area of a surface, in its frame."""
    return sample_triangles(surface, count, rng)[0]


def sample_triangles(surface: Surface, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw points (count, 3) as `sample_surface` does; return them and the index (count,) of each one's triangle."""
    a, b, c = surface.corners.transpose(1, 0, 2)
    cumulative = np.cumsum(np.linalg.norm(surface.scaled_normals, axis=1))
    face = np.searchsorted(cumulative, rng.random(count) * cumulative[-1], side="right")
    u, v = rng.random((2, count, 1))
    # Fold the far half of the parallelogram back onto the triangle.
    beyond = u + v > 1
    u, v = np.where(beyond, 1 - u, u), np.where(beyond, 1 - v, v)
    return a[face] + u * (b - a)[face] + v * (c - a)[face], face


def signed_distance(surface: Surface, points: np.ndarray) -> np.ndarray:
    """Return the distance of points (n, 3) to a closed surface in the same frame, negative inside, shape (n,)."""
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
    from vtkmodules.vtkCommonCore import vtkDoubleArray
    from vtkmodules.vtkFiltersCore import vtkImplicitPolyDataDistance

    distance = vtkImplicitPolyDataDistance()
    distance.SetInput(polydata_of(surface))
    result = vtkDoubleArray()
    distance.FunctionValue(numpy_to_vtk(np.ascontiguousarray(points, dtype=np.float64)), result)
    return vtk_to_numpy(result).copy()
