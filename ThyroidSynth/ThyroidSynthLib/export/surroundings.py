"""Structures around generated thyroids: what they share with them, and thyroids carved free of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.overlap import overlap_ml, without_overlap
from ThyroidSynthLib.geometry.surface import Surface

if TYPE_CHECKING:
    from ThyroidSynthLib.generation.thyroid import Thyroid
    from ThyroidSynthLib.geometry.frame import Placement


@dataclass(frozen=True)
class Surroundings:
    """What thyroids of one patient may overlap with.

    Attributes
    ----------
    structures : mapping of str to Surface
        Closed surfaces in `ras_mm` by name.
    carve : bool
        Whether thyroids are freed of them; otherwise the overlap is only measured.
    """

    structures: Mapping[str, Surface]
    remove_overlap: bool = False

    def applied_to(self, thyroid: Thyroid, placement: Placement) -> tuple[Thyroid, dict[str, float]]:
        """Give a thyroid, carved if that is wanted and measured again, and what it shared before, in mL.

        Raises
        ------
        SynthesisError
            Carving leaves nothing of it.
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
        validity = replace(
            thyroid.validity, closed=surface.is_closed(), components=int(surface.components().max(initial=-1)) + 1
        )
        return replace(thyroid, surface=surface, measured=measure_features(surface), validity=validity), shared
