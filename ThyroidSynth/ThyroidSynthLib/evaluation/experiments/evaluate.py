"""The evaluation of a model: what is run, and what is kept of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.errors import CohortError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, part_of, silent
from ThyroidSynthLib.evaluation.metrics.disentanglement import predict_features
from ThyroidSynthLib.evaluation.metrics.novelty import measure_novelty
from ThyroidSynthLib.evaluation.metrics.shape_points import ShapePoints
from ThyroidSynthLib.generation.shapes import ModelShapes
from ThyroidSynthLib.generation.steer.steering import generate
from ThyroidSynthLib.generation.steer.targeting import steer_to_target
from ThyroidSynthLib.generation.thyroid import Thyroid, thyroid_of_code
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.model.shape_model import ShapeModel

from .cross_talk import cross_talk_of_direct_sampling, cross_talk_of_steering
from .edit_series import vary_features
from .evaluation import Evaluation
from .independent_targets import steer_independently
from .options import EvaluationOptions
from .reconstruction import Reconstruction, fit_held_out, reconstruct_cases

if TYPE_CHECKING:
    from ThyroidSynthLib.dataset.cohort import Cohort

_ORDINARY = EvaluationOptions()
_NO_SURFACE = Surface(np.empty((0, 3)), np.empty((0, 3)))
# Of a cohort of thousands, as many shapes are compared as fit into memory and an hour.
_MOST_SHAPES = 500


def evaluate(
    model: ShapeModel,
    cohort: Cohort,
    options: EvaluationOptions = _ORDINARY,
    *,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> Evaluation:
    """Evaluate a model against its cohort (paper, section 2.6). Writes nothing.

    The cohort's cases that are not among the model's training cases are held out: the model is fitted to them.

    Raises
    ------
    CohortError
        Model and cohort share no case.
    SynthesisError
        The model gives no valid thyroids.
    Cancelled
        `should_stop` returned true.
    """
    started = time.monotonic()
    training_ids, held_out_ids, notes = _cases(model, cohort, options)
    common = {"resolution": options.resolution, "should_stop": should_stop}
    training = tuple(
        reconstruct_cases(model, cohort, training_ids, seed=options.seed, progress=part_of(progress, 0, 0.2), **common)
    )
    held_out = tuple(
        fit_held_out(model, cohort, held_out_ids, seed=options.seed, progress=part_of(progress, 0.2, 0.4), **common)
    )
    direct_sampling, to_target, met, points = _random_thyroids(model, options, part_of(progress, 0.4, 0.6), should_stop)
    independent = steer_independently(
        model, options.to_target, seed=options.seed, progress=part_of(progress, 0.6, 0.72), **common
    )
    moved = direct_sampling[: options.moves]
    cross_talk = {
        "to_target": cross_talk_of_steering(
            model, [thyroid.code for thyroid in moved], progress=part_of(progress, 0.72, 0.82), **common
        )
    }
    if model.conditioning.size:
        cross_talk["direct_sampling"] = cross_talk_of_direct_sampling(
            model, moved, progress=part_of(progress, 0.82, 0.84), **common
        )
    edits = vary_features(model, progress=part_of(progress, 0.84, 0.87), **common) if options.moves else None
    novelty = measure_novelty(
        generated=points,
        **_known_shapes(model, cohort, held_out, options, part_of(progress, 0.87, 0.9), should_stop),
        progress=part_of(progress, 0.9, 0.99),
        should_stop=should_stop,
    )
    check(should_stop)
    disentanglement = predict_features(model, permutations=options.permutations, seed=options.seed)
    progress(1.0, "Evaluated")
    return Evaluation(
        model=model,
        cohort=cohort,
        options=options,
        training=training,
        held_out=held_out,
        direct_sampling=direct_sampling,
        to_target=to_target,
        targets_met=met,
        independent=independent,
        cross_talk=cross_talk,
        edits=edits,
        novelty=novelty,
        disentanglement=disentanglement,
        notes=notes,
        seconds=time.monotonic() - started,
    )


def _random_thyroids(
    model: ShapeModel, options: EvaluationOptions, progress: ProgressCallback, should_stop: ShouldStop
) -> tuple[tuple[Thyroid, ...], tuple[Thyroid, ...], int, list[ShapePoints]]:
    """Make random thyroids and steer the first of them; of most surfaces only points are kept."""
    direct_sampling: list[Thyroid] = []
    to_target: list[Thyroid] = []
    points: list[ShapePoints] = []
    met = 0
    shapes = ModelShapes(model)
    drawn = generate(
        model, count=options.count, seed=options.seed, resolution=options.resolution, should_stop=should_stop
    )
    for number, thyroid in enumerate(drawn):
        progress(number / options.count, f"Generating thyroid {number + 1} of {options.count}")
        if number < options.to_target and thyroid.targets:
            steered = steer_to_target(
                shapes, thyroid, thyroid.targets, resolution=options.resolution, should_stop=should_stop
            )
            to_target.append(replace(steered.thyroid, surface=_NO_SURFACE))
            met += bool(steered.met)
        points.append(ShapePoints.of(thyroid.surface, seed=options.seed))
        direct_sampling.append(thyroid if number < options.gallery else replace(thyroid, surface=_NO_SURFACE))
    return tuple(direct_sampling), tuple(to_target), met, points


def _known_shapes(
    model: ShapeModel,
    cohort: Cohort,
    held_out: Sequence[Reconstruction],
    options: EvaluationOptions,
    progress: ProgressCallback,
    should_stop: ShouldStop,
) -> dict[str, list[ShapePoints]]:
    """Read the training and held-out shapes as points, and what the model makes of the latter."""
    found: dict[str, list[ShapePoints]] = {"training": [], "held_out": [], "fitted": []}
    shared = sorted(set(model.ids) & set(cohort.ids))
    for kind, ids in (("training", shared), ("held_out", [item.id for item in held_out])):
        # In random order: populations are compared by the first of them.
        case_ids = [ids[index] for index in _drawn(len(ids), _MOST_SHAPES, options.seed)]
        for number, case_id in enumerate(case_ids):
            check(should_stop)
            progress(number / len(case_ids), f"Reading {case_id}")
            found[kind].append(ShapePoints.of(cohort.surface(case_id), seed=options.seed))
    for item in held_out:
        check(should_stop)
        if item.code is not None:
            surface = thyroid_of_code(model, item.code, resolution=options.resolution).surface
            found["fitted"].append(ShapePoints.of(surface, seed=options.seed))
    return found


def _drawn(count: int, most: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(count)[:most]


def _cases(
    model: ShapeModel, cohort: Cohort, options: EvaluationOptions
) -> tuple[list[str], list[str], tuple[str, ...]]:
    """Choose the training and held-out cases, and say what a reader must know of the choice."""
    notes = []
    shared, held_out = sorted(set(model.ids) & set(cohort.ids)), sorted(set(cohort.ids) - set(model.ids))
    if not shared:
        raise CohortError(
            f"{cohort.folder} holds none of the {len(model.ids)} cases the model was trained on. "
            "Give the cohort it was trained on."
        )
    if not _is_of(model, cohort):
        notes.append(
            f"The cohort is not the one the model was trained on; {len(shared)} of its {len(model.ids)} "
            "training cases are in it under the same id."
        )
    if not held_out:
        notes.append("No case of the cohort was held out of training: how unseen thyroids are met was not measured.")
    if len(shared) > _MOST_SHAPES:
        notes.append(f"Nearest training shapes were looked for among {_MOST_SHAPES} drawn at random.")
    chosen = []
    for kind, ids in (("training", shared), ("held-out", held_out)):
        if options.cases is not None and options.cases < len(ids):
            notes.append(f"{options.cases} of {len(ids)} {kind} cases were drawn at random.")
            ids = sorted(ids[index] for index in _drawn(len(ids), options.cases, options.seed))
        chosen.append(ids)
    return chosen[0], chosen[1], tuple(notes)


def _is_of(model: ShapeModel, cohort: Cohort) -> bool:
    """Say whether a model was trained on a cohort, or on a part of it."""
    about = model.provenance.get("cohort", {})
    return cohort.checksum in (about.get("checksum"), about.get("whole", {}).get("checksum"))
