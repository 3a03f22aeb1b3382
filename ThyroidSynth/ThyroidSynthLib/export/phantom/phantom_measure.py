"""How thyroids measure on the label map of a phantom: what steering has to meet."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.export.measuring import measured_as_written
from ThyroidSynthLib.export.neck.neck import Neck
from ThyroidSynthLib.generation.steer.as_written import AsWritten
from ThyroidSynthLib.generation.thyroid import Thyroid
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise

from .composing import KEEP


@dataclass(frozen=True)
class PhantomMeasure:
    """Measures thyroids as they will lie in a neck, without composing it; a `Finish` for steering."""

    neck: Neck
    neighbours: str

    def __call__(self, thyroid: Thyroid) -> AsWritten:
        """Return a thyroid as it will be written; `SynthesisError` if nothing of it is left."""
        if not thyroid.validity.closed:
            return AsWritten(thyroid, reduced=False)
        placement, grid = self.neck.placement, self.neck.grid
        surface = thyroid.surface.moved(placement.to_ras(thyroid.surface.vertices))
        box = grid.box_near(surface.vertices)
        whole = voxelise(surface, grid.part_of_box(box))
        taken = self.neck.rigid.array[box] != 0
        if self.neighbours == KEEP:
            taken = taken | (self.neck.soft.array[box] != 0)
        kept = Volume(np.where(taken, 0, whole.array).astype(np.uint8), whole.ijk_to_ras)
        reduced = bool((taken & (whole.array != 0)).any())
        cut_off = not self.neck.shown.holds(surface)
        features, _ = measured_as_written(thyroid.measured, whole, kept, placement)
        if features.volume_ml == 0 and not cut_off:
            raise SynthesisError(
                "No voxel of the thyroid is left: it is smaller than a voxel, or lies in structures that keep their "
                "voxels. Use a finer grid."
            )
        return AsWritten(replace(thyroid, measured=features), reduced=reduced, cut_off=cut_off)
