"""How the features of a surface change with its latent code: exact shape derivatives.

Where the field f changes by δf, its surface moves along the normal by −δf / |∇f|. Volume changes by
the integral of that motion over the surface, the midsagittal area by the integral along the section's
outline, and the overlap with the mirror image by twice the integral over the part of the surface
inside the mirror image. So the derivatives need the network only on the surface, in one forward and
one backward pass, and hold no soft stand-in for inside and outside.

These derivatives steer; what is reported is always measured on the final surface.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..anatomy.features import Features, midsagittal_outline
from ..anatomy.surface import Surface
from ..learning.model import ShapeModel
from .field import Field

_MIRROR = np.array([-1.0, 1.0, 1.0])
# Points per side of the grid on which the midsagittal plane is searched for the nearest tissue.
_PLANE_POINTS = 48


@dataclass(frozen=True)
class Sensitivity:
    """Features of a code and their derivatives.

    Attributes
    ----------
    values : ndarray, shape (3,)
        Volume in mL, signed isthmus area in mm² and symmetry. Two separate lobes have no area, and
        no derivative of it; there the signed area is a negative number that grows with the gap, so
        that steering feels its way towards and away from an isthmus.
    jacobian : ndarray, shape (3, code_size)
        ∂values/∂code.
    """

    values: np.ndarray
    jacobian: np.ndarray


def sensitivity(model: ShapeModel, code: np.ndarray, surface: Surface, measured: Features) -> Sensitivity:
    """Differentiate the features of a decoded surface.

    Parameters
    ----------
    code : ndarray, shape (code_size,)
    surface : Surface
        What the code decodes to, in `trachea_mm`.
    measured : Features
        What was measured on it.
    """
    field = Field(model, code)
    area, area_slope = _isthmus(model, field, surface, measured.isthmus_area_mm2)
    volume_slope, overlap_slope = _volume_and_overlap(model, field, surface)

    volume_mm3 = measured.volume_ml * 1000.0
    overlap_mm3 = 2 * volume_mm3 * measured.symmetry / (1 + measured.symmetry)
    union_mm3 = 2 * volume_mm3 - overlap_mm3
    symmetry_slope = (2 * volume_mm3 * overlap_slope - 2 * overlap_mm3 * volume_slope) / union_mm3**2
    return Sensitivity(
        values=np.array([measured.volume_ml, area, measured.symmetry]),
        jacobian=np.stack([volume_slope / 1000.0, area_slope, symmetry_slope]),
    )


def _volume_and_overlap(model: ShapeModel, field: Field, surface: Surface) -> tuple[np.ndarray, np.ndarray]:
    """Give ∂volume/∂code and ∂overlap/∂code in mm³, each of shape (code_size,)."""
    positions = model.frame.to_unit(surface.vertices)
    _, space, code = field.derivatives(positions)
    steepness = np.linalg.norm(space / model.frame.scale_mm, axis=1)
    a, b, c = surface.corners.transpose(1, 0, 2)
    face_area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    vertex_area = np.bincount(surface.faces.ravel(), np.repeat(face_area / 3, 3), len(surface.vertices))
    weight = -vertex_area / np.maximum(steepness, 1e-6)
    shared = field(positions * _MIRROR) < 0
    return weight @ code, 2 * (weight * shared) @ code


def _isthmus(model: ShapeModel, field: Field, surface: Surface, area: float) -> tuple[float, np.ndarray]:
    """Give the signed isthmus area in mm² and its derivative, shape (code_size,)."""
    start, end = midsagittal_outline(surface)
    if area > 0 and len(start):
        middle = np.zeros((len(start), 3))
        middle[:, 1:] = (start + end) / 2
        _, space, code = field.derivatives(model.frame.to_unit(middle))
        steepness = np.linalg.norm((space / model.frame.scale_mm)[:, 1:], axis=1)
        # Where the outline is flat the area jumps; a floor keeps the step within reason.
        weight = -np.linalg.norm(end - start, axis=1) / np.maximum(steepness, 0.3 / model.frame.scale_mm.max())
        return area, weight @ code
    return _gap(model, field, surface)


def _gap(model: ShapeModel, field: Field, surface: Surface) -> tuple[float, np.ndarray]:
    """Turn the smallest distance of the midsagittal plane to tissue into a negative area."""
    lower, upper = surface.bounds
    y = np.linspace(lower[1], upper[1], _PLANE_POINTS)
    z = np.linspace(lower[2], upper[2], _PLANE_POINTS)
    plane = np.stack(np.meshgrid([0.0], y, z, indexing="ij"), axis=-1).reshape(-1, 3)
    unit = model.frame.to_unit(plane)
    nearest = unit[[np.argmin(field(unit))]]
    value, _, code = field.derivatives(nearest)
    gap_mm = max(float(value[0]), 0.0) * float(model.frame.scale_mm.min())
    # A bridge as wide as the gap would have about this area, and it grows at about this rate.
    rate = 20.0
    return -rate * gap_mm, -rate * float(model.frame.scale_mm.min()) * code[0]
