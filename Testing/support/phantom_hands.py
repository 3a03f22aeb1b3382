"""A small phantom with a known layout, for tests of what is written for simulators."""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.export.materials import standard_materials
from ThyroidSynthLib.export.phantom import Phantom
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_maps import LabelMap

from .analytic_shapes import ellipsoid, together

NAMES = {16: "trachea", 17: "thyroid_gland", 91: "vertebrae_C6", 200: "soft_tissue", 202: "muscle"}

LEFT_CENTRE, LEFT_RADII = (-16.0, 0.0, 4.0), (9.0, 8.0, 18.0)
"""Centre in `ras_mm` and half axes in mm of the left lobe; a negative R is the patient's left."""

RIGHT_CENTRE, RIGHT_RADII = (16.0, 0.0, -4.0), (7.0, 8.0, 14.0)


def small_phantom(
    *, spacing_mm: tuple[float, float, float] = (3.0, 3.0, 3.0), axes: str = "RAS", with_surface: bool = False
) -> Phantom:
    """Return a neck of ellipsoids: skin, muscle, trachea, vertebra, and two lobes of which the left one is larger.

    Parameters
    ----------
    spacing_mm : three floats
        Edges of the voxels along R, A and S.
    axes : str
        ``"RAS"``, or ``"LPS"`` for a grid with mirrored axes, or ``"SAR"`` for one with exchanged axes.
    with_surface : bool
        Whether the thyroid is also given as a surface.
    """
    edge = np.array(spacing_mm)
    counts = np.ceil(np.array([96.0, 84.0, 60.0]) / edge).astype(int)
    matrix = np.diag([*edge, 1.0])
    matrix[:3, 3] = (-47.0, -62.0, -30.0)
    ijk = np.stack(np.meshgrid(*(np.arange(n) for n in counts), indexing="ij"), axis=-1)
    x, y, z = np.moveaxis(ijk * edge + matrix[:3, 3], -1, 0)
    array = np.zeros(counts, dtype=np.uint8)
    array[(x / 44) ** 2 + ((y + 19) / 38) ** 2 < 1] = 200
    array[(x / 40) ** 2 + ((y + 19) / 34) ** 2 < 1] = 202
    array[x**2 + (y + 38) ** 2 < 12**2] = 91
    array[x**2 + (y + 5) ** 2 < 7**2] = 16
    for (cx, cy, cz), (rx, ry, rz) in ((LEFT_CENTRE, LEFT_RADII), (RIGHT_CENTRE, RIGHT_RADII)):
        array[((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + ((z - cz) / rz) ** 2 < 1] = 17
    order = [2, 1, 0] if axes == "SAR" else [0, 1, 2]
    array, matrix = array.transpose(order), matrix[:, [*order, 3]]
    if axes == "LPS":
        matrix[:3, 3] += (matrix[:3, :3] @ (np.array(array.shape) - 1)) * (1, 1, 0)
        matrix[:3, :2] *= -1
        array = array[::-1, ::-1]
    labels = LabelMap(Volume(np.ascontiguousarray(array.transpose(2, 1, 0)), matrix), dict(NAMES))
    parts = {}
    if with_surface:
        parts[17] = together(ellipsoid(LEFT_RADII, LEFT_CENTRE), ellipsoid(RIGHT_RADII, RIGHT_CENTRE))
    return Phantom(labels, standard_materials(), parts)


def label_at(phantom: Phantom, ras_mm: tuple[float, float, float]) -> int:
    """Return the label of the voxel at a position."""
    i, j, k = np.rint(phantom.labels.volume.to_ijk(np.array(ras_mm))).astype(int)
    return int(phantom.labels.volume.array[k, j, i])
