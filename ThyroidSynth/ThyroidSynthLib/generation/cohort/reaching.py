"""One thyroid of a cohort: drawn, and moved until it measures what was asked, from another draw if need be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, islice

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.progress import ShouldStop, never
from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION
from ThyroidSynthLib.generation.shapes import ModelShapes
from ThyroidSynthLib.generation.steer.steering import MAX_ATTEMPTS, Targets, check_target_names, draws, generate_one
from ThyroidSynthLib.generation.steer.targeting import TOLERANCE, check_targets, steer_to_target
from ThyroidSynthLib.generation.thyroid import Thyroid
from ThyroidSynthLib.model.code_space import CodeSpace
from ThyroidSynthLib.model.prior import CodePrior, prior_of
from ThyroidSynthLib.model.shape_model import ShapeModel

MAX_STARTS = 4
"""Draws from which a wish is tried before it is called out of reach."""


@dataclass(frozen=True)
class ThyroidMaker:
    """What all thyroids of a cohort are made with.

    Attributes
    ----------
    model : ShapeModel
    prior : CodePrior
    space : CodeSpace
        Both of the model.
    seed : int
    to_target : bool
        Whether each is moved until it measures its wishes; otherwise they are only told to the network.
    resolution : int
        Grid on which surfaces are decoded and measured.
    """

    model: ShapeModel
    prior: CodePrior
    space: CodeSpace
    seed: int
    to_target: bool = False
    resolution: int = DEFAULT_RESOLUTION

    @classmethod
    def of(cls, model: ShapeModel, *, seed: int, **more: object) -> ThyroidMaker:
        """Fit what is needed to a model; `more` are other attributes."""
        return cls(model, prior_of(model), CodeSpace.of(model), seed, **more)

    def make(self, index: int, target: Targets, *, should_stop: ShouldStop = never) -> Thyroid:
        """Make thyroid number `index` of the seed: the same whatever others are made.

        To target, a draw that does not reach the wish is replaced by the next one of the same stream,
        `MAX_STARTS` times at most; then the nearest is given. `attempts` counts all draws.

        Raises
        ------
        SynthesisError
            No draw gave a valid surface.
        Cancelled
            `should_stop` returned true.
        """
        if not self.to_target:
            return generate_one(self.model, self.prior, self.seed, index, target, self.resolution)
        shapes = ModelShapes(self.model, self.space)
        best: Thyroid | None = None
        for start in islice(self._starts(index, target), MAX_STARTS):
            named = {name: value for name, value in target.items() if value is not None}
            steered = steer_to_target(
                shapes, start, named or start.targets, resolution=self.resolution, should_stop=should_stop
            ).thyroid
            if best is None or _misfit(steered) < _misfit(best):
                best = steered
            if _misfit(steered) <= 1.0:
                break
        if best is None:
            raise SynthesisError(
                f"No draw for thyroid {index + 1} gave a closed gland of one or two pieces. Train the model for longer."
            )
        return replace(best, attempts=start.attempts)

    def _starts(self, index: int, target: Targets) -> Iterator[Thyroid]:
        """Draws that were told the wish, and when none of these is valid some that were told nothing."""
        told: Mapping[str, float | None] = target if self.model.conditioning.size else {}
        found = draws(self.model, self.prior, self.seed, index, told, resolution=self.resolution)
        for first in found:
            yield from chain([first], found)
            return
        for start in draws(self.model, self.prior, self.seed, index, {}, resolution=self.resolution):
            yield replace(start, attempts=MAX_ATTEMPTS + start.attempts)


def check_cohort_targets(model: ShapeModel, targets: Iterable[Targets], *, to_target: bool) -> None:
    """Refuse wishes that no thyroid can meet, or that the model cannot hear and nobody moves it to.

    Raises
    ------
    InputError
        Names the feature and what it may be.
    """
    for target in targets:
        if to_target:
            check_targets({name: value for name, value in target.items() if value is not None})
        else:
            check_target_names(model, target)


def _misfit(thyroid: Thyroid) -> float:
    """Largest error of what was asked, in tolerances; an isthmus that is there against the wish is one."""
    measured = thyroid.measured.as_dict()
    errors = []
    for name, target in thyroid.targets.items():
        absolute, relative = TOLERANCE[name]
        errors.append(abs(measured[name] - target) / max(absolute, relative * abs(target)))
        if name == "isthmus_area_mm2" and (measured[name] == 0) != (target == 0):
            errors.append(errors[-1] + 1.0)
    return max(errors, default=0.0)
