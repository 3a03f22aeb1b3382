"""The shape of an organ beside the thyroid for a latent code, in the box in which it was learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.dataset.organs.organ_shapes import measure_organ
from ThyroidSynthLib.generation.decode.field import Field
from ThyroidSynthLib.generation.decode.sparse_grid import evaluate_sparse
from ThyroidSynthLib.geometry.isosurface import surface_from_sdf_volume
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.model.trained_model import OrganModel

RESOLUTION = 64
# An artery of 5 mm must not be missed between the points of the coarsest grid.
_LARGEST_CELL_MM = 4.0
# Value of the points around the box, in the `unit` frame.
_OUTSIDE = 10.0


@dataclass(frozen=True)
class Organ:
    """An organ of a generated neck.

    Attributes
    ----------
    name : str
        As in the segmentations that the model was trained on.
    code : ndarray of float32, shape (code_size,)
        Whole latent code.
    surface : Surface
        Closed, in `trachea_mm`. Where the organ leaves the box in which it was learned, it ends in a flat face.
    features : dict of str to float
        By name, measured on the surface; empty if the organ is not at the level of the gland.
    """

    name: str
    code: np.ndarray
    surface: Surface
    features: dict[str, float]


def organ_of_code(organ: OrganModel, code: np.ndarray, *, resolution: int = RESOLUTION) -> Organ:
    """Decode a whole latent code (code_size,) of an organ and measure its surface.

    Islands are left out. `SynthesisError` if the code has no surface in the box.
    """
    frame, field = organ.frame, Field(organ, code)
    box = frame.to_unit(frame.lower_mm), frame.to_unit(frame.upper_mm)
    cell = _LARGEST_CELL_MM / frame.scale_mm[0]
    grid = evaluate_sparse(field, *box, resolution, largest_cell=float(cell))
    if not (grid.values < 0).any():
        raise SynthesisError(
            f"This latent code of the organ '{organ.name}' has no surface. Draw it again with another random seed."
        )
    # Closed by a layer of points around the box. Their value is so large that the flat faces lie close to the box.
    values = np.pad(grid.values, 1, constant_values=np.float32(_OUTSIDE))
    points = grid.grid.part([-1, -1, -1], values.shape)
    surface = _largest_component(surface_from_sdf_volume(Volume(values, points.ijk_to_ras)))
    surface = surface.moved(frame.to_mm(surface.vertices))
    return Organ(organ.name, np.asarray(code, dtype=np.float32), surface, measured(organ, surface))


def measured(organ: OrganModel, surface: Surface) -> dict[str, float]:
    """Measure the features of an organ's surface in `trachea_mm`, by name; empty if it is not at the gland's level."""
    values = measure_organ(surface, organ.frame)
    return {} if values is None else dict(zip(organ.feature_names, values.tolist(), strict=True))


def _largest_component(surface: Surface) -> Surface:
    components = surface.components()
    parts = [surface.of_faces(components == number) for number in range(components.max() + 1)]
    return max(parts, key=lambda part: part.volume)
