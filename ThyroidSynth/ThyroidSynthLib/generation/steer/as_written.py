"""Steering to target of thyroids as they are written: after other structures or the label map took their part.

Removing an overlap, leaving voxels to other structures and filling a grid all change a thyroid after it was steered.
Here its features are measured after that, and the latent code is refined again until these meet the targets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, never, silent
from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION
from ThyroidSynthLib.generation.decode.sensitivity import Sensitivity
from ThyroidSynthLib.generation.shapes import Shapes
from ThyroidSynthLib.generation.thyroid import Thyroid

from .contact import Contact
from .steering import FINE, Objective, SteeringResult, steer_to_target


@dataclass(frozen=True)
class AsWritten:
    """A thyroid as it is written.

    Attributes
    ----------
    thyroid : Thyroid
        Its features are those of what is written.
    reduced : bool
        Whether other structures took part of it.
    cut_off : bool
        Whether the grid cuts part of it off, which no other shape of the gland could correct.
    """

    thyroid: Thyroid
    reduced: bool
    cut_off: bool = False


Finish = Callable[[Thyroid], AsWritten]
"""What happens to a thyroid between its generation and its files; `SynthesisError` if nothing of it is left."""


def steer_as_written(
    shapes: Shapes,
    steered: SteeringResult,
    finish: Finish,
    *,
    contact: Contact | None = None,
    resolution: int = DEFAULT_RESOLUTION,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> SteeringResult:
    """Refine a steered thyroid until it meets its targets as it is written.

    A thyroid of which nothing was taken is refined only if the voxels of its label map miss a target. `contact` is kept
    as in `steer_to_target`.

    Returns
    -------
    SteeringResult
        The thyroid is the whole one, before it is finished; `misfit` and `error` are those of what is written.

    Raises
    ------
    SynthesisError
        Nothing of the steered thyroid is left.
    Cancelled
        `should_stop` returned true.
    """
    written = finish(steered.thyroid)
    objective = Objective(shapes, steered.targets, contact)
    judged = replace(steered, misfit=objective.misfit(written.thyroid), error=objective.error(written.thyroid))
    tolerated = FINE if written.reduced else 1.0
    if judged.misfit <= tolerated or written.cut_off or not written.thyroid.validity.ok:
        return judged
    family = _WrittenShapes(shapes, finish)
    again = steer_to_target(
        family,
        family.thyroid(steered.thyroid.code, resolution=resolution),
        steered.targets,
        contact=contact,
        resolution=resolution,
        progress=progress,
        should_stop=should_stop,
    )
    if again.misfit >= judged.misfit:
        return judged
    whole = family.whole(again.thyroid.code)
    moved = shapes.space.length(whole.code.astype(np.float64) - steered.thyroid.code) / len(whole.code) ** 0.5
    return replace(again, thyroid=whole, rounds=steered.rounds + again.rounds, moved=steered.moved + moved)


class _WrittenShapes:
    """The shapes of a family as they are written. Derivatives are those of the whole shapes."""

    def __init__(self, shapes: Shapes, finish: Finish) -> None:
        self.model, self.space = shapes.model, shapes.space
        self._shapes, self._finish = shapes, finish
        # Whole shapes by their codes: steering decodes a few dozen at most.
        self._whole: dict[bytes, Thyroid] = {}

    def whole(self, code: np.ndarray) -> Thyroid:
        """Return the whole shape of a code that was decoded."""
        return self._whole[np.asarray(code, dtype=np.float32).tobytes()]

    def thyroid(self, code: np.ndarray, *, resolution: int = DEFAULT_RESOLUTION) -> Thyroid:
        """See `Shapes.thyroid`; `SynthesisError` also if the grid cuts part of it off."""
        whole = self._shapes.thyroid(code, resolution=resolution)
        written = self._finish(whole)
        if written.cut_off:
            raise SynthesisError("The grid of the label map cuts this thyroid off. Use a larger grid.")
        self._whole[whole.code.tobytes()] = whole
        return written.thyroid

    def sensitivity(self, thyroid: Thyroid) -> Sensitivity:
        """See `Shapes.sensitivity`."""
        return self._shapes.sensitivity(replace(self.whole(thyroid.code), measured=thyroid.measured))

    def in_small_steps(self) -> _WrittenShapes:
        """Return itself, on shapes that are faster in small steps."""
        self._shapes = self._shapes.in_small_steps()
        return self
