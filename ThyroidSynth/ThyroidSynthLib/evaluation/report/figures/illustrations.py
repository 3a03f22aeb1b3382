"""The figures of an evaluation with their captions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields

import numpy as np

from ThyroidSynthLib.evaluation.experiments.evaluation import Evaluation
from ThyroidSynthLib.evaluation.metrics.generation import METHOD_LABELS, features_of, target_agreement, targets_of
from ThyroidSynthLib.evaluation.metrics.surface_distances import SurfaceComparison
from ThyroidSynthLib.geometry.features import FEATURE_NAMES

from .control import cross_talk_figure, edit_figure
from .distributions import distribution_figure
from .drawing import Illustration
from .population import disentanglement_figure, novelty_figure
from .reconstruction_and_steering import reconstruction_figure, steering_figure
from .renders import Renders, render

NAMES = (
    "reconstruction",
    "distributions",
    "agreement_of_direct_sampling",
    "steering_to_target",
    "steering_independent",
    "cross_talk",
    "edits",
    "novelty",
    "disentanglement",
    "gallery",
    "reconstruction_examples",
    "held_out_examples",
)
"""Names of all figures; those without data are not made."""


def illustrate(evaluation: Evaluation) -> dict[str, Illustration]:
    """Make the figures of an evaluation, by name; without rendered pictures on a machine that cannot render."""
    renders = render(evaluation)
    parts = (
        _reconstruction(evaluation),
        _thyroids(evaluation),
        _steering(evaluation),
        _control(evaluation, renders),
        _populations(evaluation),
        renders.pictures,
    )
    return {illustration.name: illustration for part in parts for illustration in part}


def _reconstruction(evaluation: Evaluation) -> Iterator[Illustration]:
    found, floors = {}, []
    for kind, items in (("training", evaluation.training), ("held-out", evaluation.held_out)):
        compared = [(item.comparison, item.floor) for item in items if item.comparison is not None]
        if compared:
            found[kind] = _by_measure([comparison for comparison, _ in compared])
            floors += [floor for _, floor in compared]
    if not found:
        return
    found["floor"] = _by_measure(floors)
    yield Illustration(
        "reconstruction",
        reconstruction_figure(found),
        "Cumulative distribution over the cases from best to worst: curves further to the left are better. The dashed "
        "line is the floor, the score of a perfect model.",
    )


def _by_measure(comparisons: Sequence[SurfaceComparison]) -> dict[str, np.ndarray]:
    values = {each.name: [getattr(item, each.name) for item in comparisons] for each in fields(SurfaceComparison)}
    return {name: np.array([value for value in found if value is not None]) for name, found in values.items()}


def _thyroids(evaluation: Evaluation) -> Iterator[Illustration]:
    yield Illustration(
        "distributions",
        distribution_figure(evaluation.model.features, features_of(evaluation.direct_sampling)),
        "The paper's Figure 2 for this model: features of the training cohort and of random thyroids, measured on "
        "their surfaces. An isthmus area of 0 means two separate lobes.",
    )


def _steering(evaluation: Evaluation) -> Iterator[Illustration]:
    for name, thyroids, caption in (
        (
            "agreement_of_direct_sampling",
            evaluation.direct_sampling,
            "The paper's Figure 3 for this model. Direct sampling: the targets are a condition of the network.",
        ),
        (
            "steering_to_target",
            evaluation.to_target,
            "Steering to target: the code is refined until the measured features match.",
        ),
    ):
        targets = targets_of(thyroids) if thyroids else {}
        if targets:
            measured = dict(zip(FEATURE_NAMES, features_of(thyroids).T, strict=True))
            agreements = target_agreement(evaluation.model, thyroids, seed=evaluation.options.seed)
            yield Illustration(
                name,
                steering_figure(targets, measured, agreements),
                f"{caption} Measured against target values of {len(thyroids)} thyroids; the line is perfect agreement.",
            )
    independent = evaluation.independent
    agreements = independent.agreements(seed=evaluation.options.seed)
    if agreements:
        made = [attempt for attempt in independent.attempts if attempt.measured is not None]
        targets, measured = (np.array([getattr(each, name) for each in made]).T for name in ("targets", "measured"))
        yield Illustration(
            "steering_independent",
            steering_figure(
                dict(zip(FEATURE_NAMES, targets, strict=True)),
                dict(zip(FEATURE_NAMES, measured, strict=True)),
                agreements,
                unreached=np.array([not each.met for each in made]),
            ),
            f"Independent targets: {len(made)} thyroids with every feature drawn independently from the cohort's 5th "
            "to 95th percentile. Rings are the nearest thyroids to targets that were reported out of reach.",
        )


def _control(evaluation: Evaluation, renders: Renders) -> Iterator[Illustration]:
    matrices = {
        label.capitalize(): evaluation.cross_talk[name].matrix()
        for name, label in METHOD_LABELS.items()
        if name in evaluation.cross_talk and evaluation.cross_talk[name].moves
    }
    if matrices:
        yield Illustration(
            "cross_talk",
            cross_talk_figure(matrices),
            "Cross-talk: in each row one feature is moved by one cohort SD; the columns are the mean absolute changes "
            "of the features. The diagonal should be 1, and the shaded entries 0.",
        )
    if evaluation.edits is not None:
        yield Illustration(
            "edits",
            edit_figure(evaluation.edits, renders.edits),
            f"The paper's Figure 4 for this model: training case {evaluation.edits.id} (framed) with one feature "
            "varied in each row and the others held by steering. Solid lines: steering to target; dotted lines: direct "
            "sampling, as in the paper. The varied feature should follow the diagonal, and the others stay at 0.",
        )


def _populations(evaluation: Evaluation) -> Iterator[Illustration]:
    if len(evaluation.novelty.generated):
        yield Illustration(
            "novelty",
            novelty_figure(evaluation.novelty),
            "Left: distances to the nearest training shape with median and quartiles. If a model copies, its generated "
            "shapes are nearer to training shapes than the held-out ones are. Right: coverage, the share of held-out "
            "shapes that are nearest to a generated one (1 is best), and 1-NN accuracy of distinguishing the two "
            "populations (0.5 is best). Training shapes are given for reference.",
        )
    if evaluation.disentanglement:
        yield Illustration(
            "disentanglement",
            disentanglement_figure(evaluation.disentanglement),
            "How well the trainable codes predict each feature. In a disentangled model the dots are on the grey bars, "
            "which are the predictions of features permuted among the cases.",
        )
