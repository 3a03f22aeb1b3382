"""The evaluation of a model: what is run, and what is kept of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from ..anatomy.surface import Surface
from ..errors import CohortError, OutputError
from ..learning.model import NOTICE, ShapeModel
from ..progress import ProgressCallback, StopRequested, check, never, part_of, silent
from ..synthesis.decoding import DEFAULT_RESOLUTION
from ..synthesis.shapes import ModelShapes
from ..synthesis.steering import generate
from ..synthesis.targeting import steer_to_target
from ..synthesis.thyroid import Thyroid
from . import EVALUATION_FILE
from .generation import distribution_summary, steering_agreement, validity_summary
from .reconstruction import Reconstruction, reconstruct_cases, summarise

if TYPE_CHECKING:
    from ..anatomy.cohort import Cohort

_NO_SURFACE = Surface(np.empty((0, 3)), np.empty((0, 3)))


@dataclass(frozen=True)
class EvaluationOptions:
    """How much is evaluated.

    Attributes
    ----------
    cases : int or None
        Training cases to reconstruct, drawn by the seed; None for all.
    count : int
        Random thyroids, one-shot.
    to_target : int
        How many of them are also steered to target.
    gallery : int
        How many of them are shown.
    seed : int
        Seed of all draws and samples.
    resolution : int
        Grid points per axis of every decoded surface.
    """

    cases: int | None = None
    count: int = 200
    to_target: int = 50
    gallery: int = 12
    seed: int = 0
    resolution: int = DEFAULT_RESOLUTION

    def quick(self) -> EvaluationOptions:
        """Give a smaller evaluation that takes a minute: for looking, not for publishing."""
        limited = {
            "cases": min(self.cases or 16, 16),
            "count": min(self.count, 50),
            "to_target": min(self.to_target, 10),
        }
        return replace(self, **limited)


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found. Only the surfaces that are shown are kept, so memory stays flat.

    Attributes
    ----------
    model, cohort, options
        What was evaluated, and how much.
    reconstructions : tuple of Reconstruction
        Training cases, decoded again.
    one_shot : tuple of Thyroid
        Random thyroids; the first `options.gallery` with their surfaces.
    to_target : tuple of Thyroid
        Thyroids steered to target.
    targets_met : int
        How many of these met all their targets within tolerance.
    notes : tuple of str
        What a reader must know.
    seconds : float
        How long it took.
    """

    model: ShapeModel
    cohort: Cohort
    options: EvaluationOptions
    reconstructions: tuple[Reconstruction, ...]
    one_shot: tuple[Thyroid, ...]
    to_target: tuple[Thyroid, ...]
    targets_met: int
    notes: tuple[str, ...]
    seconds: float

    def document(self) -> dict[str, Any]:
        """Give all numbers as a dictionary for a JSON file."""
        model, seed = self.model, self.options.seed
        return {
            "kind": "evaluation",
            "format_version": 1,
            "notice": NOTICE,
            "synthetic_cohort": self.cohort.synthetic,
            "software": f"ThyroidSynth {__version__}",
            "notes": list(self.notes),
            "model": {
                "checksum": model.checksum,
                "variant": model.variant,
                "cases": len(model.ids),
                "code_size": model.code_size,
                "settings": model.settings.to_json(),
            },
            "cohort": self.cohort.provenance(),
            "options": asdict(self.options),
            "seconds": round(self.seconds, 1),
            "reconstruction": summarise(self.reconstructions),
            "validity": validity_summary(self.one_shot),
            "distributions": distribution_summary(model, self.one_shot),
            "steering": {
                "one_shot": _agreements(model, self.one_shot, seed),
                "to_target": _agreements(model, self.to_target, seed),
                "to_target_count": len(self.to_target),
                "to_target_met": self.targets_met,
            },
        }


def evaluate(
    model: ShapeModel,
    cohort: Cohort,
    options: EvaluationOptions = EvaluationOptions(),
    *,
    progress: ProgressCallback = silent,
    stop_requested: StopRequested = never,
) -> Evaluation:
    """Evaluate a model against the cohort it was trained on (paper, section 2.6). Writes nothing.

    Raises
    ------
    CohortError
        Model and cohort share no case.
    SynthesisError
        The model gives no valid thyroids.
    Cancelled
        `stop_requested` said so.
    """
    started = time.monotonic()
    ids, notes = _cases(model, cohort, options)
    reconstructions = tuple(
        reconstruct_cases(
            model,
            cohort,
            ids,
            seed=options.seed,
            resolution=options.resolution,
            progress=part_of(progress, 0.0, 0.4),
            stop_requested=stop_requested,
        )
    )
    one_shot: list[Thyroid] = []
    to_target: list[Thyroid] = []
    met = 0
    shapes = ModelShapes(model)
    tell = part_of(progress, 0.4, 1.0)
    for number, thyroid in enumerate(_random_thyroids(model, options, stop_requested)):
        tell(number / options.count, f"Generating thyroid {number + 1} of {options.count}")
        if number < options.to_target and thyroid.asked:
            steered = steer_to_target(
                shapes, thyroid, thyroid.asked, resolution=options.resolution, stop_requested=stop_requested
            )
            to_target.append(replace(steered.thyroid, surface=_NO_SURFACE))
            met += bool(steered.met)
        one_shot.append(thyroid if number < options.gallery else replace(thyroid, surface=_NO_SURFACE))
    check(stop_requested)
    progress(1.0, "Evaluated")
    return Evaluation(
        model,
        cohort,
        options,
        reconstructions,
        tuple(one_shot),
        tuple(to_target),
        met,
        notes,
        time.monotonic() - started,
    )


def check_free(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that holds an evaluation already, before an hour is spent on another one.

    Raises
    ------
    OutputError
        It does, and `overwrite` is not set.
    """
    if (folder / EVALUATION_FILE).exists() and not overwrite:
        raise OutputError(f"{folder} already holds an evaluation. Choose another folder, or ask to overwrite it.")


def _random_thyroids(model: ShapeModel, options: EvaluationOptions, stop_requested: StopRequested) -> Iterator[Thyroid]:
    return generate(
        model, count=options.count, seed=options.seed, resolution=options.resolution, stop_requested=stop_requested
    )


def _agreements(model: ShapeModel, thyroids: tuple[Thyroid, ...], seed: int) -> dict[str, Any]:
    if not thyroids:
        return {}
    return {name: found.as_dict() for name, found in steering_agreement(model, thyroids, seed=seed).items()}


def _cases(model: ShapeModel, cohort: Cohort, options: EvaluationOptions) -> tuple[list[str], tuple[str, ...]]:
    """Choose the cases to reconstruct, and say so where model and cohort do not belong together."""
    notes = []
    shared = sorted(set(model.ids) & set(cohort.ids))
    if not shared:
        raise CohortError(
            f"{cohort.folder} holds none of the {len(model.ids)} cases the model was trained on. "
            "Give the cohort it was trained on."
        )
    if model.provenance.get("cohort", {}).get("checksum") != cohort.checksum:
        notes.append(
            f"The cohort is not the one the model was trained on; {len(shared)} of its {len(model.ids)} "
            "training cases are in it under the same id."
        )
    if options.cases is not None and options.cases < len(shared):
        chosen = np.random.default_rng(options.seed).choice(len(shared), size=options.cases, replace=False)
        shared = [shared[index] for index in sorted(chosen)]
        notes.append(f"{len(shared)} training cases were drawn at random for the reconstruction errors.")
    return shared, tuple(notes)
