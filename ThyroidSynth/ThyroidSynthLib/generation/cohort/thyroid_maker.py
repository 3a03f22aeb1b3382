"""Generation to target: a thyroid is drawn, steered to its targets, and drawn again if they are out of reach."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, silent
from ThyroidSynthLib.common.wording import counted
from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION
from ThyroidSynthLib.generation.shapes import ModelShapes
from ThyroidSynthLib.generation.steer.as_written import Finish, steer_as_written
from ThyroidSynthLib.generation.steer.contact import Contact
from ThyroidSynthLib.generation.steer.direct_sampling import MAX_ATTEMPTS, draws, generate_one
from ThyroidSynthLib.generation.steer.natural_contact import natural_contact, prior_in_contact
from ThyroidSynthLib.generation.steer.steering import SteeringResult, steer_to_target
from ThyroidSynthLib.generation.thyroid import GeneratedThyroid
from ThyroidSynthLib.geometry.features import smaller_side
from ThyroidSynthLib.geometry.targets import NO_TARGETS, Targets
from ThyroidSynthLib.model.code_space import CodeSpace
from ThyroidSynthLib.model.prior import CodePrior
from ThyroidSynthLib.model.trained_model import TrainedModel

MAX_STARTS = 4
"""Draws from which targets are steered to before they count as out of reach."""
_ALONE_STARTS = 8
# Largest share of the volume of a thyroid with one lobe on the other side of the midline.
_ALONE_SHARE = 0.02


@dataclass(frozen=True)
class ThyroidMaker:
    """What all thyroids of a generated cohort are made with.

    With `to_target`, thyroids are steered to their targets; otherwise they are directly sampled. With `finish` they
    meet the targets as they are written, and are returned as they are before that. With `contact` they do not enter
    the patient's rigid structures: those that are not steered keep the features of their draw, if that is possible.
    """

    model: TrainedModel
    prior: CodePrior
    space: CodeSpace
    seed: int
    to_target: bool = False
    resolution: int = DEFAULT_RESOLUTION
    finish: Finish | None = None
    contact: Contact | None = None

    @classmethod
    def of(
        cls,
        model: TrainedModel,
        *,
        seed: int,
        to_target: bool = False,
        resolution: int = DEFAULT_RESOLUTION,
        contact: Contact | None = None,
    ) -> ThyroidMaker:
        """Fit prior and code space to a model."""
        space = CodeSpace.of(model)
        return cls(model, prior_in_contact(model, contact), space, seed, to_target, resolution, contact=contact)

    def make(self, index: int, targets: Targets, *, should_stop: ShouldStop = never) -> GeneratedThyroid:
        """Make thyroid number `index` of the seed; it does not depend on the others.

        Where a steered draw does not meet the targets, the next draw of the same stream is steered, up to
        `MAX_STARTS` in all; the nearest is returned. `attempts` counts all draws. Without targets a draw is
        steered to the features that the network was given. `SynthesisError` if no draw gave a valid surface.

        A symmetry of 0 asks for one lobe. Two lobes at different heights meet it as well, so up to 8 draws are steered
        until one has at most 2 % of its volume on the other side; the one with the least is returned.
        """
        if not self.to_target and self.contact is None:
            return generate_one(self.model, self.prior, self.seed, index, targets, self.resolution)
        shapes = ModelShapes(self.model, self.space)
        best: tuple[SteeringResult, GeneratedThyroid] | None = None
        least, attempts, nothing_left = (np.inf, np.inf), 0, None
        alone = self.to_target and targets.symmetry == 0 and not targets.isthmus_area_mm2
        for start in islice(self._starts(index, targets), _ALONE_STARTS if alone else MAX_STARTS):
            drawn = Targets.of(start.thyroid.measured.as_dict())
            goal = (targets or start.targets) if self.to_target else drawn
            contact = self._contact_of(start, goal)
            result = steer_to_target(
                shapes,
                start.thyroid,
                goal,
                contact=contact,
                resolution=self.resolution,
                should_stop=should_stop,
            )
            attempts = start.attempts
            if not result.met and not self.to_target:
                # The features that were drawn are no targets; the structures matter more.
                result = steer_to_target(
                    shapes,
                    result.thyroid,
                    NO_TARGETS,
                    contact=contact,
                    resolution=self.resolution,
                    should_stop=should_stop,
                )
            if self.finish is not None and self.to_target:
                try:
                    result = steer_as_written(
                        shapes,
                        result,
                        self.finish,
                        contact=contact,
                        resolution=self.resolution,
                        should_stop=should_stop,
                    )
                except SynthesisError as error:
                    nothing_left = error
                    continue
            other_side = max(smaller_side(result.thyroid.surface), _ALONE_SHARE) if alone else 0.0
            # What meets the targets comes first, whatever its misfit.
            fault = (0.0 if alone and result.met else result.misfit, other_side)
            if best is None or fault < least:
                best, least = (result, start), fault
            if result.met and other_side <= _ALONE_SHARE:
                break
        if best is None and nothing_left is not None:
            raise nothing_left
        if best is None:
            raise SynthesisError(
                f"No draw for thyroid {index + 1} gave a closed surface of one or two components. "
                "Train the model for longer."
            )
        nearest, start = best
        steered = nearest.applied_to(start) if self.to_target else replace(start, thyroid=nearest.thyroid)
        return replace(steered, attempts=attempts)

    def _contact_of(self, start: GeneratedThyroid, targets: Targets) -> Contact | None:
        """Return how a thyroid is to lie on the structures, drawn for its features from a stream of its own."""
        if self.contact is None:
            return None
        rng = np.random.default_rng(np.random.SeedSequence([self.seed, start.index], spawn_key=(start.attempts,)))
        features, measured = targets.as_array(), start.thyroid.measured.as_array()
        return natural_contact(self.contact, self.model, np.where(np.isnan(features), measured, features), rng)

    def _starts(self, index: int, targets: Targets) -> Iterator[GeneratedThyroid]:
        """Yield draws given the targets or, if none of them is valid, draws without targets."""
        condition = targets if self.model.conditioning.size else NO_TARGETS
        found = draws(self.model, self.prior, self.seed, index, condition, resolution=self.resolution)
        for first in found:
            yield from chain([first], found)
            return
        for start in draws(self.model, self.prior, self.seed, index, NO_TARGETS, resolution=self.resolution):
            yield replace(start, attempts=MAX_ATTEMPTS + start.attempts)


def generate_to_target(
    model: TrainedModel,
    targets: Sequence[Targets],
    *,
    seed: int,
    contact: Contact | None = None,
    resolution: int = DEFAULT_RESOLUTION,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> Iterator[GeneratedThyroid]:
    """Generate one random thyroid for each set of targets, steered to them and out of the structures of a contact.

    Thyroids without targets keep the features that their draw was given.

    Raises
    ------
    SynthesisError
        No draw gave a valid surface.
    Cancelled
        `should_stop` returned true.
    """
    maker = ThyroidMaker.of(model, seed=seed, to_target=True, resolution=resolution, contact=contact)
    for index, target in enumerate(targets):
        check(should_stop)
        progress(index / len(targets), f"Thyroid {index + 1} of {len(targets)}")
        yield maker.make(index, target, should_stop=should_stop)
    progress(1.0, counted(len(targets), "thyroid"))
