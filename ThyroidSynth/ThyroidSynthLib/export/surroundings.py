"""Structures around generated thyroids, with which overlap is measured or removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ThyroidSynthLib.generation.thyroid import Thyroid, Validity
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.overlap import overlap_ml, without_overlap
from ThyroidSynthLib.geometry.surface import Surface


@dataclass(frozen=True)
class Surroundings:
    """Structures of a patient, closed surfaces in `ras_mm`, that thyroids may overlap with.

    With `remove_overlap` the overlap is removed from the thyroids; otherwise it is only measured.
    """

    structures: Mapping[str, Surface]
    remove_overlap: bool = False

    def applied_to(self, thyroid: Thyroid, placement: Placement) -> tuple[Thyroid, dict[str, float]]:
        """Return a thyroid without overlap, measured again, and its overlap before with each structure, in mL.

        The thyroid itself is returned if overlap is not to be removed or there is none. `SynthesisError` if nothing of
        it is left.
        """
        if not thyroid.validity.closed:
            return thyroid, {}
        surface = thyroid.surface.moved(placement.to_ras(thyroid.surface.vertices))
        shared = {name: overlap_ml(surface, structure) for name, structure in self.structures.items()}
        touched = [name for name, volume in shared.items() if volume > 0]
        if not (self.remove_overlap and touched):
            return thyroid, shared
        for name in touched:
            surface = without_overlap(surface, self.structures[name])
        surface = surface.moved(placement.to_trachea(surface.vertices))
        validity = Validity.of(surface, touches_box=thyroid.validity.touches_box)
        return replace(thyroid, surface=surface, measured=measure_features(surface), validity=validity), shared
