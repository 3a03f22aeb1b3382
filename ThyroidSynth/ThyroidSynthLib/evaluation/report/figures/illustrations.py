"""Which pictures of an evaluation are made, each with the sentence that says how to read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.evaluation.experiments.evaluation import Evaluation
from ThyroidSynthLib.evaluation.metrics.generation import features_of, steering_agreement, targets_of
from ThyroidSynthLib.geometry.features import FEATURE_NAMES

from .control import cross_talk_figure, edit_figure
from .population import disentanglement_figure, novelty_figure
from .reconstruction_and_steering import distribution_figure, reconstruction_figure, steering_figure
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
"""What figures are called, made or not."""


@dataclass(frozen=True)
class Illustration:
    """A figure of the report.

    Attributes
    ----------
    name : str
        File name without suffix.
    png : bytes
        The picture.
    caption : str
        How to read it.
    """

    name: str
    png: bytes
    caption: str


def illustrate(evaluation: Evaluation) -> dict[str, Illustration]:
    """Make the figures of an evaluation, by name. Renders are left out where nothing can be drawn."""
    renders = render(evaluation)
    parts = (
        _reconstruction(evaluation),
        _thyroids(evaluation),
        _steering(evaluation),
        _control(evaluation, renders),
        _populations(evaluation),
        (Illustration(*picture) for picture in renders.pictures),
    )
    return {illustration.name: illustration for part in parts for illustration in part}


def _reconstruction(evaluation: Evaluation) -> Iterator[Illustration]:
    compared = {
        kind: [item for item in items if item.comparison is not None]
        for kind, items in (("training", evaluation.training), ("held-out", evaluation.held_out))
    }
    found = {kind: _by_measure([item.comparison for item in items]) for kind, items in compared.items() if items}
    if not found:
        return
    found["floor"] = _by_measure([item.floor for items in compared.values() for item in items])
    yield Illustration(
        "reconstruction",
        reconstruction_figure(found),
        "Each line climbs through the cases from best to worst: the further left, the better. Look at how far the "
        "held-out cases lie from the training cases, and both from the dashed line of a perfect model, which "
        "is the measure's own error.",
    )


def _by_measure(comparisons: list) -> dict[str, np.ndarray]:
    names = comparisons[0].as_dict()
    values = {name: [getattr(item, name) for item in comparisons] for name in names}
    return {name: np.array([value for value in found if value is not None]) for name, found in values.items()}


def _thyroids(evaluation: Evaluation) -> Iterator[Illustration]:
    yield Illustration(
        "distributions",
        distribution_figure(evaluation.model.features, features_of(evaluation.direct_sampling)),
        "The paper's Figure 2 for this model: features of the training cohort and of random thyroids, measured on "
        "their surfaces. Look for values that the cohort has and the model never gives, or the other way round. "
        "An isthmus area of 0 means two separate lobes.",
    )


def _steering(evaluation: Evaluation) -> Iterator[Illustration]:
    for name, thyroids, caption in (
        (
            "agreement_of_direct_sampling",
            evaluation.direct_sampling,
            "The paper's Figure 3 for this model. One-shot: the features go into the network as a condition.",
        ),
        ("steering_to_target", evaluation.to_target, "To target: the code is then moved until the surface fits."),
    ):
        targets = targets_of(thyroids) if thyroids else {}
        if targets:
            measured = dict(zip(FEATURE_NAMES, features_of(thyroids).T, strict=True))
            agreements = steering_agreement(evaluation.model, thyroids, seed=evaluation.options.seed)
            yield Illustration(
                name,
                steering_figure(targets, measured, agreements),
                f"{caption} Asked against measured for {len(thyroids)} thyroids: look for points off the line, which "
                "is perfect agreement, and for a cloud that is flatter than it.",
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
                unreached=np.array([not each.declared for each in made]),
            ),
            f"Independent targets: {len(made)} thyroids with every feature drawn by itself from the cohort's 5th to "
            "95th percentile. Rings are targets that the software itself said are out of reach, at the "
            "nearest it came.",
        )


def _control(evaluation: Evaluation, renders: Renders) -> Iterator[Illustration]:
    titles = {"direct_sampling": "One-shot", "to_target": "To target"}
    matrices = {
        titles[name]: evaluation.cross_talk[name].matrix()
        for name in titles
        if name in evaluation.cross_talk and evaluation.cross_talk[name].moves
    }
    if matrices:
        yield Illustration(
            "cross_talk",
            cross_talk_figure(matrices),
            "Leakage: each row moves one feature by one cohort SD, and the columns say by how much the features "
            "changed on average, whichever way. The diagonal should be 1 and everything beside it 0; what is "
            "beside it is shaded.",
        )
    if evaluation.edits is not None:
        yield Illustration(
            "edits",
            edit_figure(evaluation.edits, renders.edits),
            f"The paper's Figure 4 for this model: training case {evaluation.edits.id} (framed) with one feature "
            "varied in each row and the others held, steered to target. In the plots solid lines are steered to "
            "target and dotted ones one-shot, as published: the varied feature should follow the diagonal, and the "
            "others stay at 0.",
        )


def _populations(evaluation: Evaluation) -> Iterator[Illustration]:
    if len(evaluation.novelty.generated):
        yield Illustration(
            "novelty",
            novelty_figure(evaluation.novelty),
            "Left: how far shapes lie from the nearest training shape; bars hold the middle half, the ring is the "
            "median. A model that copies would have generated shapes far left of the held-out ones. Right: how many "
            "held-out shapes have a generated one beside them (the more the better), and how often nearest "
            "neighbours tell the two apart (0.5 is best). Training shapes in their place show what is possible.",
        )
    if evaluation.disentanglement:
        yield Illustration(
            "disentanglement",
            disentanglement_figure(evaluation.disentanglement),
            "What the trainable code alone tells of each feature. In a disentangled model the dots lie on the grey "
            "bars, which is what codes tell of features shuffled among the cases.",
        )
