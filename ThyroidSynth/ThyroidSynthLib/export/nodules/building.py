"""Nodules as closed surfaces in a gland, whose surface follows those that bulge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.features import Features, measure_features, shared_volume
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.isosurface import surface_from_sdf_volume
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume

from .gland_field import GlandField
from .grid_fitting import adjusted, fitted
from .measuring import MeasuredNodule, measure_nodules
from .nodule import Nodule
from .shape import calcification_in, shape_of

MODELLED = "Nodules are modelled by ellipsoids with a margin. They are not learned from patients."
"""What every document with nodules says about them."""

# Spacing of the grid on which the surface with its bulges is extracted: as fine as for a decoded thyroid.
_STEP_MM = 0.75
# Gland that covers a nodule that bulges, and the width of the transition from the gland's surface to it.
_COVER_MM, _BLEND_MM = 0.4, 1.5


@dataclass(frozen=True)
class BuiltNodule:
    """A nodule with its surface and that of its calcification, both closed and in `ras_mm`.

    `bulge` is the measured share of its volume outside the gland as it was.
    """

    nodule: Nodule
    surface: Surface
    calcification: Surface | None
    bulge: float


@dataclass(frozen=True)
class NodularGland:
    """A gland with nodules.

    Attributes
    ----------
    surface : Surface
        Of the gland in `ras_mm`, with all nodules inside.
    nodules : tuple of BuiltNodule
    before, with_nodules, parenchyma : Features
        Of the gland as it was, of its surface with the nodules, and of what of it is not nodule.
    """

    surface: Surface
    nodules: tuple[BuiltNodule, ...]
    before: Features
    with_nodules: Features
    parenchyma: Features

    def measured_on(
        self, labels: Volume, numbers: Sequence[int], *, calcification: int | None = None
    ) -> list[MeasuredNodule]:
        """Measure the nodules on a label map, given their labels there; see `measure_nodules`."""
        nodules = [
            (number, built.surface, built.nodule.axes, built.nodule.diameters_mm)
            for number, built in zip(numbers, self.nodules, strict=True)
        ]
        return measure_nodules(labels, nodules, calcification=calcification)

    def as_dict(self, measured: Sequence[MeasuredNodule] | None = None) -> dict[str, Any]:
        """Return what a phantom's document states about nodules, with their measures on its label map."""
        listed = []
        for number, built in enumerate(self.nodules, start=1):
            entry = {
                "name": f"thyroid_nodule_{number}",
                "material": built.nodule.material,
                **built.nodule.as_dict(),
                "volume_ml": round(built.surface.volume / 1000, 4),
                "measured_bulge": round(built.bulge, 4),
            }
            if measured is not None:
                entry["on_label_map"] = measured[number - 1].as_dict()
            listed.append(entry)
        return {
            "statement": MODELLED,
            "nodules": listed,
            "features_before_nodules": self.before.as_dict(),
            "features_with_nodules": self.with_nodules.as_dict(),
            "features_without_nodules": self.parenchyma.as_dict(),
        }


def build_nodules(
    gland: Surface, nodules: Sequence[Nodule], *, placement: Placement, grid: Grid | None = None
) -> NodularGland:
    """Build nodules at their positions, and the surface of the gland around them.

    Parameters
    ----------
    gland : Surface
        Closed surface in `ras_mm`.
    nodules : sequence of Nodule
        With positions, as from `draw_nodules`.
    placement : Placement
        Of the trachea frame, in which features are measured.
    grid : Grid, optional
        Of the label map on which the diameters are to be met. Surfaces are then made larger or smaller by up to about
        half a voxel, because voxels have steps.

    Raises
    ------
    InputError
        A nodule has no position.
    """
    built = [_built(nodule, gland, grid) for nodule in nodules]
    surface = _around(gland, [each.surface for each in built])

    def features(shape: Surface) -> Features:
        return measure_features(shape.moved(placement.to_trachea(shape.vertices)))

    before = features(gland)
    with_nodules = features(surface) if surface is not gland else before
    parenchyma = with_nodules
    if built:
        cavities = [Surface(each.surface.vertices, each.surface.faces[:, ::-1]) for each in built]
        parenchyma = features(Surface.joined([surface, *cavities]))
    return NodularGland(surface, tuple(built), before, with_nodules, parenchyma)


def _built(nodule: Nodule, gland: Surface, grid: Grid | None) -> BuiltNodule:
    if nodule.position_ras_mm is None:
        raise InputError("A nodule has no position. Draw its position first, or give one.")
    rng = np.random.default_rng(nodule.seed)
    centre, axes = np.array(nodule.position_ras_mm), nodule.axes
    form = shape_of(nodule, rng)
    inner = calcification_in(nodule, form, rng)
    surface = form.moved(form.vertices @ axes.T + centre)
    scale, shift = np.ones(3), np.zeros(3)
    if grid is not None:
        scale, shift = fitted(surface, centre, axes, np.array(nodule.diameters_mm), grid)
        surface = adjusted(surface, centre, axes, scale, shift)
    calcification = None
    if inner is not None:
        calcification = adjusted(inner.moved(inner.vertices @ axes.T + centre), centre, axes, scale, shift)
    bulge = max(0.0, 1 - shared_volume(surface, gland) / surface.volume)
    # The overlap is integrated over columns, which is exact to about this.
    return BuiltNodule(nodule, surface, calcification, 0.0 if bulge < 0.005 else bulge)


def _around(gland: Surface, nodules: Sequence[Surface]) -> Surface:
    """Return the surface of a gland that holds all nodules: the gland itself if none of them bulges."""
    if not nodules:
        return gland
    whole = Surface.joined([gland, *nodules])
    grid = Grid.around(whole, spacing_mm=_STEP_MM, margin_mm=4 * _STEP_MM)
    field = GlandField.of(gland, grid)
    bulging = [each for each in nodules if field.at(each.vertices).max() > -_COVER_MM / 2]
    if not bulging:
        return gland
    values = field.distance.array
    for nodule in bulging:
        other = GlandField.of(nodule, grid).distance.array - np.float32(_COVER_MM)
        # The smooth minimum of two distances, which has no crease where the two surfaces meet.
        share = np.clip(0.5 + 0.5 * (other - values) / _BLEND_MM, 0, 1)
        values = other * (1 - share) + values * share - _BLEND_MM * share * (1 - share)
    return surface_from_sdf_volume(Volume(values.astype(np.float32), grid.ijk_to_ras))
