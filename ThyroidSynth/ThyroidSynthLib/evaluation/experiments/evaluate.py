"""The evaluation of a model: all experiments in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.errors import CohortError, SynthesisError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, part_of, silent
from ThyroidSynthLib.evaluation.metrics.disentanglement import predict_features
from ThyroidSynthLib.evaluation.metrics.novelty import measure_novelty
from ThyroidSynthLib.evaluation.metrics.shape_points import ShapePoints
from ThyroidSynthLib.generation.shapes import ModelShapes
from ThyroidSynthLib.generation.steer.direct_sampling import generate
from ThyroidSynthLib.generation.steer.steering import steer_to_target
from ThyroidSynthLib.generation.thyroid import GeneratedThyroid, reconstruct, thyroid_of_code
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.model.trained_model import TrainedModel

from .cross_talk import cross_talk_of_direct_sampling, cross_talk_of_steering
from .edit_series import vary_features
from .evaluation import Evaluation, EvaluationOptions
from .independent_targets import steer_independently
from .reconstruction import Reconstruction, reconstruct_cases
from .shape_space import measure_shape_space

if TYPE_CHECKING:
    from ThyroidSynthLib.dataset.cohort import Cohort

_DEFAULTS = EvaluationOptions()
_NO_SURFACE = Surface(np.empty((0, 3)), np.empty((0, 3)))
# Largest number of shapes compared in a large cohort, limited by memory and time (about an hour).
_MOST_SHAPES = 500


def evaluate(
    model: TrainedModel,
    cohort: Cohort,
    options: EvaluationOptions = _DEFAULTS,
    *,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> Evaluation:
    """Evaluate a model with its cohort (paper, section 2.6).

    The model is fitted to the cohort's cases that are not among its training cases: they are the held-out cases. With
    `options.all_held_out` these are all cases.

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
    resolution, seed = options.resolution, options.seed

    training, held_out = (
        tuple(
            reconstruct_cases(
                model,
                cohort,
                ids,
                fit=fit,
                seed=seed,
                resolution=resolution,
                progress=part_of(progress, start, start + 0.2),
                should_stop=should_stop,
            )
        )
        for ids, fit, start in ((training_ids, False, 0.0), (held_out_ids, True, 0.2))
    )
    direct_sampling, to_target, met, points = _random_thyroids(model, options, part_of(progress, 0.4, 0.6), should_stop)
    independent = steer_independently(
        model,
        options.to_target,
        seed=seed,
        resolution=resolution,
        progress=part_of(progress, 0.6, 0.72),
        should_stop=should_stop,
    )
    moved = direct_sampling[: options.moves]
    cross_talk = {
        "to_target": cross_talk_of_steering(
            model,
            [generated.thyroid.code for generated in moved],
            resolution=resolution,
            progress=part_of(progress, 0.72, 0.82),
            should_stop=should_stop,
        )
    }
    if model.conditioning.size:
        cross_talk["direct_sampling"] = cross_talk_of_direct_sampling(
            model, moved, resolution=resolution, progress=part_of(progress, 0.82, 0.84), should_stop=should_stop
        )
    edits = None
    if options.moves:
        part = part_of(progress, 0.84, 0.87)
        edits = vary_features(model, resolution=resolution, progress=part, should_stop=should_stop)
    ids, shapes = _known_shapes(model, cohort, held_out, options, part_of(progress, 0.87, 0.9), should_stop)
    part = part_of(progress, 0.9, 0.97)
    novelty = measure_novelty(generated=points, **shapes, progress=part, should_stop=should_stop)
    shape_space = measure_shape_space(
        model,
        cohort,
        training_surface=partial(_training_surface, model, cohort, options),
        generated=[
            (generated.thyroid.code, ids["training"][index])
            for generated, index in zip(direct_sampling, novelty.nearest_generated, strict=True)
        ],
        held_out=[
            (case_id, ids["training"][index])
            for case_id, index in zip(ids["held_out"], novelty.nearest_held_out, strict=True)
        ],
        resolution=resolution,
        seed=seed,
        progress=part_of(progress, 0.97, 0.99),
        should_stop=should_stop,
    )
    check(should_stop)
    disentanglement = predict_features(model, permutations=options.permutations, seed=seed)
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
        shape_space=shape_space,
        disentanglement=disentanglement,
        notes=notes,
        seconds=time.monotonic() - started,
    )


def _random_thyroids(
    model: TrainedModel, options: EvaluationOptions, progress: ProgressCallback, should_stop: ShouldStop
) -> tuple[tuple[GeneratedThyroid, ...], tuple[GeneratedThyroid, ...], int, list[ShapePoints]]:
    """Generate random thyroids and steer the first of them; most surfaces are kept as points only."""
    direct_sampling: list[GeneratedThyroid] = []
    to_target: list[GeneratedThyroid] = []
    points: list[ShapePoints] = []
    met = 0
    shapes = ModelShapes(model)
    drawn = generate(
        model, count=options.count, seed=options.seed, resolution=options.resolution, should_stop=should_stop
    )
    for number, generated in enumerate(drawn):
        progress(number / options.count, f"Generating thyroid {number + 1} of {options.count}")
        if number < options.to_target and generated.targets:
            steered = steer_to_target(
                shapes, generated.thyroid, generated.targets, resolution=options.resolution, should_stop=should_stop
            )
            to_target.append(_without_surface(steered.applied_to(generated)))
            met += steered.met
        points.append(ShapePoints.of(generated.thyroid.surface, seed=options.seed))
        direct_sampling.append(generated if number < options.gallery else _without_surface(generated))
    return tuple(direct_sampling), tuple(to_target), met, points


def _without_surface(generated: GeneratedThyroid) -> GeneratedThyroid:
    return replace(generated, thyroid=replace(generated.thyroid, surface=_NO_SURFACE))


def _known_shapes(
    model: TrainedModel,
    cohort: Cohort,
    held_out: Sequence[Reconstruction],
    options: EvaluationOptions,
    progress: ProgressCallback,
    should_stop: ShouldStop,
) -> tuple[dict[str, list[str]], dict[str, list[ShapePoints]]]:
    """Sample points on the training shapes, the held-out shapes, and the held-out shapes as fitted by the model.

    Return also the ids of the training and the held-out shapes; a training code without surface is left out.
    """
    training = model.ids if options.all_held_out else set(model.ids) & set(cohort.ids)
    candidates = {"training": sorted(training), "held_out": [item.id for item in held_out]}
    surface_of: dict[str, Callable[[str], Surface]] = {
        "training": partial(_training_surface, model, cohort, options),
        "held_out": cohort.surface,
    }
    names: dict[str, list[str]] = {kind: [] for kind in candidates}
    found: dict[str, list[ShapePoints]] = {"training": [], "held_out": [], "fitted": []}
    for kind, ids in candidates.items():
        # In random order, because populations are compared by their first shapes.
        case_ids = [ids[index] for index in _drawn(len(ids), _MOST_SHAPES, options.seed)]
        for number, case_id in enumerate(case_ids):
            check(should_stop)
            progress(number / len(case_ids), f"Reading {case_id}")
            with suppress(SynthesisError):
                found[kind].append(ShapePoints.of(surface_of[kind](case_id), seed=options.seed))
                names[kind].append(case_id)
    for item in held_out:
        check(should_stop)
        if item.code is not None:
            surface = thyroid_of_code(model, item.code, resolution=options.resolution).surface
            found["fitted"].append(ShapePoints.of(surface, seed=options.seed))
    return names, found


def _training_surface(model: TrainedModel, cohort: Cohort, options: EvaluationOptions, case_id: str) -> Surface:
    """Return the surface of a training case or, if the cohort is another one, as the model has learned it."""
    if options.all_held_out:
        return reconstruct(model, model.index_of(case_id), resolution=options.resolution).surface
    return cohort.surface(case_id)


def _drawn(count: int, most: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(count)[:most]


def _cases(
    model: TrainedModel, cohort: Cohort, options: EvaluationOptions
) -> tuple[list[str], list[str], tuple[str, ...]]:
    """Choose the training and held-out cases; return their ids and notes on the choice."""
    notes = []
    shared, held_out = sorted(set(model.ids) & set(cohort.ids)), sorted(set(cohort.ids) - set(model.ids))
    if options.all_held_out:
        shared, held_out = [], sorted(cohort.ids)
        notes.append(
            "All cases of the cohort count as held out. Training shapes are those that the model has learned, which "
            "are smoother than the cases themselves."
        )
    elif not shared:
        raise CohortError(
            f"{cohort.folder} holds none of the {len(model.ids)} cases the model was trained on. "
            "Choose the cohort it was trained on, or treat all cases of this one as held out (--all-held-out)."
        )
    if not options.all_held_out and not _is_of(model, cohort):
        notes.append(
            f"The cohort is not the one the model was trained on; {len(shared)} of its {len(model.ids)} "
            "training cases are in it under the same id."
        )
    if cohort.lengths:
        notes.append(cohort.lengths)
    if not held_out:
        notes.append(
            "No case of the cohort was held out of training, so reconstruction of unseen thyroids was not measured."
        )
    if len(shared) > _MOST_SHAPES or (options.all_held_out and len(model.ids) > _MOST_SHAPES):
        notes.append(f"Nearest training shapes were searched among {_MOST_SHAPES} drawn at random.")
    chosen = []
    for kind, ids in (("training", shared), ("held-out", held_out)):
        if options.cases is not None and options.cases < len(ids):
            notes.append(f"{options.cases} of {len(ids)} {kind} cases were drawn at random.")
            ids = sorted(ids[index] for index in _drawn(len(ids), options.cases, options.seed))
        chosen.append(ids)
    return chosen[0], chosen[1], tuple(notes)


def _is_of(model: TrainedModel, cohort: Cohort) -> bool:
    """Return whether a model was trained on a cohort or on a part of it."""
    about = model.provenance.get("cohort", {})
    return cohort.checksum in (about.get("checksum"), about.get("whole", {}).get("checksum"))
