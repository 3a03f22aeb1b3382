"""How thyroids measure when they are written with some options: what steering has to meet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.generation.steer.as_written import AsWritten
from ThyroidSynthLib.generation.thyroid import Thyroid
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise

from .measuring import measured_as_written
from .merging import MergeRules, replace_thyroid, resolved
from .surroundings import Surroundings
from .thyroid_files import FileOptions


@dataclass(frozen=True)
class WrittenMeasure:
    """Measures thyroids as they are written with some options, without writing them; a `Finish` for steering."""

    placement: Placement
    options: FileOptions
    surroundings: Surroundings | None = None

    def __call__(self, thyroid: Thyroid) -> AsWritten:
        """Return a thyroid as it is written; `SynthesisError` if nothing of it is left."""
        final = thyroid
        if self.surroundings is not None:
            final, _ = self.surroundings.applied_to(thyroid, self.placement)
        if not final.validity.closed:
            return AsWritten(final, reduced=final is not thyroid)
        surface = final.surface.moved(self.placement.to_ras(final.surface.vertices))
        whole, kept, cut_off = self._voxels(final, surface)
        reduced = final is not thyroid
        if whole is not None and kept is not None:
            reduced = reduced or bool(np.count_nonzero(kept.array) < np.count_nonzero(whole.array))
        features, _ = measured_as_written(final.measured, whole, kept, self.placement)
        if features.volume_ml == 0 and not cut_off:
            raise SynthesisError(
                "No voxel of the thyroid is left: it is smaller than a voxel, or lies in other structures that are "
                "kept. Use a finer grid, or let it overwrite them."
            )
        return AsWritten(replace(final, measured=features), reduced=reduced, cut_off=cut_off)

    def _filled(self, thyroid: Thyroid, surface: Surface, grid: Grid) -> Volume:
        """Return the label map of a thyroid with this surface in `ras_mm` on a grid."""
        return voxelise(surface, grid)

    def _voxels(self, thyroid: Thyroid, surface: Surface) -> tuple[Volume | None, Volume | None, bool]:
        """Return the label map, the part of it in the merged map, and whether a grid cuts the thyroid off."""
        options, whole, kept, cut_off = self.options, None, None, False
        if options.label_format is not None:
            grid = options.label_grid(surface)
            near = grid.part_of_box(grid.box_near(surface.vertices))
            whole, cut_off = self._filled(thyroid, surface, near), not grid.holds(surface)
        if options.merge_into is not None:
            patient, rules = options.merge_into, self._rules
            grid = patient.volume.grid
            part = patient.volume.part(grid.box_near(surface.vertices))
            whole = self._filled(thyroid, surface, part.grid)
            kept = replace_thyroid(replace(patient, volume=part), whole, rules).thyroid
            cut_off = cut_off or not grid.holds(surface)
        return whole, kept, cut_off

    @cached_property
    def _rules(self) -> MergeRules:
        rules, patient = self.options.merge_rules, self.options.merge_into
        return rules if patient is None else resolved(patient, rules)
