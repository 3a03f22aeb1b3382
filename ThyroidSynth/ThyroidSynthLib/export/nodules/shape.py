"""The closed surface of a nodule, and of the calcification in it."""

from __future__ import annotations

from functools import cache

import numpy as np

from ThyroidSynthLib.geometry.polydata import surface_of
from ThyroidSynthLib.geometry.surface import Surface

from .nodule import Nodule

# Number of bumps, their concentration (von Mises–Fisher), and the standard deviation of the logarithm of the radius.
_BUMPS = {"lobulated": (12, 8.0, 0.10), "irregular": (60, 40.0, 0.12)}
# Microcalcifications are below 1 mm, those that shadow in ultrasound above (ACR TI-RADS white paper, 2017).
_MICRO_MM = (0.5, 0.9)
_MICRO_PER_MM3, _FEWEST_MICRO, _MOST_MICRO = 0.02, 5, 40
_MACRO_MM, _MACRO_SHARE, _MOST_MACRO = (1.5, 5.0), 0.25, 3
_RIM_MM, _RIM_SHARE = (0.6, 1.2), 0.08
# Calcification stays this share of the radius away from the margin of the nodule.
_INNER = 0.95


@cache
def unit_sphere(subdivisions: int = 4) -> Surface:
    """Return a sphere of radius 1, an icosahedron whose triangles are divided in four some times."""
    from vtkmodules.vtkFiltersModeling import vtkLinearSubdivisionFilter
    from vtkmodules.vtkFiltersSources import vtkPlatonicSolidSource

    solid = vtkPlatonicSolidSource()
    solid.SetSolidTypeToIcosahedron()
    finer = vtkLinearSubdivisionFilter()
    finer.SetInputConnection(solid.GetOutputPort())
    finer.SetNumberOfSubdivisions(subdivisions)
    finer.Update()
    found = surface_of(finer.GetOutput())
    sphere = found.moved(found.vertices / np.linalg.norm(found.vertices, axis=1, keepdims=True))
    return sphere if sphere.volume > 0 else Surface(sphere.vertices, sphere.faces[:, ::-1])


def shape_of(nodule: Nodule, rng: np.random.Generator) -> Surface:
    """Return the closed surface of a nodule around the origin, with its axes along R, A and S before it is turned.

    Its extents along the three axes are its diameters, whatever its margin. The surface is star-shaped.
    """
    sphere = unit_sphere()
    vertices = sphere.vertices
    if nodule.margin in _BUMPS:
        number, concentration, spread = _BUMPS[nodule.margin]
        towards = rng.standard_normal((number, 3))
        towards /= np.linalg.norm(towards, axis=1, keepdims=True)
        bumps = np.exp(concentration * (vertices @ towards.T - 1)) @ rng.uniform(0.5, 1.0, number)
        vertices = vertices * np.exp(spread * (bumps - bumps.mean()) / bumps.std())[:, None]
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    unit = 2 * (vertices - low) / (high - low) - 1
    return sphere.moved(unit * (np.array(nodule.diameters_mm) / 2))


def calcification_in(nodule: Nodule, shape: Surface, rng: np.random.Generator) -> Surface | None:
    """Return the surface of the calcification in the shape of a nodule (`shape_of`), or None if it has none."""
    least = min(nodule.diameters_mm)
    if nodule.calcification == "rim":
        thickness = float(np.clip(_RIM_SHARE * least, *_RIM_MM))
        outer = shape.moved(shape.vertices * _INNER)
        inner = shape.moved(shape.vertices * max(_INNER - 2 * thickness / least, 0.1))
        return Surface.joined([outer, Surface(inner.vertices, inner.faces[:, ::-1])])
    if nodule.calcification == "macro":
        sizes = np.clip(_MACRO_SHARE * least, *_MACRO_MM) * rng.uniform(0.7, 1.0, rng.integers(1, _MOST_MACRO + 1))
        sizes = np.minimum(sizes, 0.6 * least)
    elif nodule.calcification == "micro":
        number = int(np.clip(_MICRO_PER_MM3 * shape.volume, _FEWEST_MICRO, _MOST_MICRO))
        sizes = np.minimum(rng.uniform(*_MICRO_MM, number), 0.3 * least)
    else:
        return None
    return _grains(nodule, shape, sizes, rng)


def _grains(nodule: Nodule, shape: Surface, sizes: np.ndarray, rng: np.random.Generator) -> Surface:
    """Return grains with these diameters (n,) in mm at random places in a shape, without overlap."""
    # A star-shaped surface: the radius of the nearest vertex's direction limits how far out a grain may lie.
    length = np.linalg.norm(shape.vertices, axis=1)
    directions = shape.vertices / length[:, None]
    sphere = unit_sphere(2 if nodule.calcification == "macro" else 1)
    centres: list[np.ndarray] = []
    grains = []
    for size in sizes:
        for _ in range(50):
            towards = rng.standard_normal(3)
            towards /= np.linalg.norm(towards)
            # The narrowest way to the surface within the cone that the grain fills.
            room = float(length[directions @ towards > 0.7].min()) * _INNER - size / 2
            centre = towards * max(room, 0.0) * rng.random() ** (1 / 3)
            apart = all(
                np.linalg.norm(centre - other) > (size + before) / 2 + 0.1
                for other, before in zip(centres, sizes, strict=False)
            )
            if apart:
                centres.append(centre)
                grains.append(sphere.moved(sphere.vertices * (size / 2) + centre))
                break
    return Surface.joined(grains)
