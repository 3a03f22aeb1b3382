"""Whether generated thyroids are new, and whether they resemble held-out ones (paper, section 3.2).

A model that copies generates shapes that lie nearer to the training shapes than held-out shapes of the same cohort do.
A shape is authentic if it is farther from its nearest training shape than the next training shape is (Alaa et al.,
"How faithful is your synthetic data?", ICML 2022). Coverage, minimum matching distance and the 1-nearest-neighbour test
(Yang et al., "PointFlow", ICCV 2019) and precision and recall (Kynkäänniemi et al., NeurIPS 2019) compare the generated
population with the held-out one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, part_of, silent

from .shape_points import DISTANCE_FROM, DISTANCE_TO, ShapePoints, distances, nearest_shape
from .statistics import share_interval, summary

# Largest populations that are compared with each other; the time grows with the square.
_MOST_COMPARED = 100
# The support of a population is the union of balls around its shapes that reach to this neighbour, as published.
_SUPPORT_NEIGHBOUR = 3


@dataclass(frozen=True)
class Population:
    """A population of shapes compared with as many held-out shapes."""

    size: int  # shapes in either population
    covered: int  # held-out shapes that are the nearest one to at least one shape of the population
    correct: int  # shapes of both populations whose nearest other shape is of their own; half if they are alike
    within: int  # shapes of the population within the support of the held-out shapes
    reached: int  # held-out shapes within the support of the population
    matching_mm: float  # minimum matching distance: mean distance of a held-out shape to the nearest of the population

    @property
    def coverage(self) -> float:
        """Share of held-out shapes that are covered."""
        return self.covered / self.size

    @property
    def accuracy(self) -> float:
        """Leave-one-out accuracy of the 1-nearest-neighbour classifier that distinguishes the populations."""
        return self.correct / (2 * self.size)


@dataclass(frozen=True)
class Novelty:
    """Distances of shapes to the nearest training shape in mm, and two comparisons with the held-out population."""

    generated: np.ndarray
    held_out: np.ndarray
    # As fitted by the model: decoded surfaces are smoother than segmentations, so slightly nearer to any shape.
    fitted: np.ndarray
    training: np.ndarray  # to the nearest other training shape
    # Index of the nearest training shape.
    nearest_generated: np.ndarray
    nearest_held_out: np.ndarray
    # Whether the shapes are authentic.
    authentic: np.ndarray
    authentic_held_out: np.ndarray
    generated_population: Population | None
    training_population: Population | None  # for reference

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers for a JSON file."""
        found: dict[str, Any] = {
            "distance": f"Chamfer from {DISTANCE_FROM} to {DISTANCE_TO} points sampled uniformly over the areas, sum "
            "of both directions, mm",
            "generated_to_training": _summary(self.generated),
            "training_to_training": _summary(self.training),
        }
        if len(self.authentic):
            count, shapes = int(self.authentic.sum()), len(self.authentic)
            found["authenticity"] = _share(count, shapes)
        if len(self.authentic_held_out):
            found["authenticity"]["of_held_out_shapes"] = float(self.authentic_held_out.mean())
        if len(self.held_out):
            found["held_out_to_training"] = _summary(self.held_out)
            found["memorisation"] = nearer_test(self.generated, self.held_out)
        if len(self.fitted):
            found["fitted_to_training"] = _summary(self.fitted)
            found["memorisation_against_fitted"] = nearer_test(self.generated, self.fitted)
        generated, training = self.generated_population, self.training_population
        if generated is not None:
            found["coverage"] = _share(generated.covered, generated.size)
            found["precision"] = _share(generated.within, generated.size)
            found["recall"] = _share(generated.reached, generated.size)
            found["matching"] = {"shapes": generated.size, "mm": generated.matching_mm}
            found["one_nn"] = {
                "shapes": generated.size,
                "accuracy": generated.accuracy,
                "interval": share_interval(generated.correct, 2 * generated.size),
            }
            if training is not None:
                found["coverage"]["of_training_shapes"] = training.coverage
                found["precision"]["of_training_shapes"] = training.within / training.size
                found["recall"]["of_training_shapes"] = training.reached / training.size
                found["matching"]["of_training_shapes"] = training.matching_mm
                found["one_nn"]["of_training_shapes"] = training.accuracy
        return found

    def rows(self) -> list[dict[str, Any]]:
        """Return every distance as a row of a table."""
        return [
            {"shape": kind, "nearest_training_mm": float(value)}
            for kind, values in (
                ("generated", self.generated),
                ("held-out", self.held_out),
                ("held-out, fitted", self.fitted),
                ("training", self.training),
            )
            for value in values
        ]


def measure_novelty(
    *,
    generated: Sequence[ShapePoints],
    training: Sequence[ShapePoints],
    held_out: Sequence[ShapePoints] = (),
    fitted: Sequence[ShapePoints] = (),
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> Novelty:
    """Measure the distances to the training shapes, and compare the generated with the held-out population.

    At most as many training shapes as there are generated shapes are compared with the other training shapes.
    """
    groups = {"generated": generated, "held_out": held_out, "fitted": fitted, "training": training[: len(generated)]}
    total = sum(map(len, groups.values()))
    nearest: dict[str, list[tuple[float, int]]] = {kind: [] for kind in groups}
    done = 0
    for kind, shapes in groups.items():
        for index, shape in enumerate(shapes):
            check(should_stop)
            progress(0.8 * done / total, f"Finding the nearest training shape ({done + 1} of {total})")
            others = training
            if kind == "training":
                others = [*training[:index], *training[index + 1 :]]
            else:
                # A copy, so that its search tree is freed; only those of the training shapes are used again.
                shape = ShapePoints(shape.few, shape.many)
            if others:
                nearest[kind].append(nearest_shape(shape, others))
            done += 1
    among = dict(enumerate(distance for distance, _ in nearest["training"]))

    def authentic(found: Sequence[tuple[float, int]]) -> np.ndarray:
        """Return whether shapes are farther from their nearest training shape than the next training shape is."""
        for index in {index for _, index in found} - set(among) if len(training) > 1 else ():
            check(should_stop)
            among[index] = nearest_shape(training[index], [*training[:index], *training[index + 1 :]])[0]
        return np.array([distance > among[index] for distance, index in found if index in among], dtype=bool)

    own = _compared(generated, held_out, part_of(progress, 0.8, 0.9), should_stop)
    reference = None
    if own is not None and len(training) >= own.size:
        reference = _compared(training[: own.size], held_out, part_of(progress, 0.9, 1.0), should_stop)
    return Novelty(
        **{kind: np.array([distance for distance, _ in values]) for kind, values in nearest.items()},
        nearest_generated=np.array([index for _, index in nearest["generated"]], dtype=int),
        nearest_held_out=np.array([index for _, index in nearest["held_out"]], dtype=int),
        authentic=authentic(nearest["generated"]),
        authentic_held_out=authentic(nearest["held_out"]),
        generated_population=own,
        training_population=reference,
    )


def nearer_test(generated: np.ndarray, unseen: np.ndarray) -> dict[str, float]:
    """Test whether generated shapes are nearer to the training shapes than unseen ones are (Mann–Whitney).

    Returns
    -------
    dict
        "p_nearer": one-sided p value; a small one indicates copies. "p_two_sided". "share_nearer": share of pairs in
        which the generated shape is the nearer one, 0.5 if there is no difference.
    """
    from scipy.stats import mannwhitneyu

    nearer = mannwhitneyu(generated, unseen, alternative="less")
    both = mannwhitneyu(generated, unseen, alternative="two-sided")
    return {
        "p_nearer": float(nearer.pvalue),
        "p_two_sided": float(both.pvalue),
        "share_nearer": 1.0 - float(nearer.statistic) / (len(generated) * len(unseen)),
    }


def compare_populations(own: np.ndarray, across: np.ndarray, other: np.ndarray) -> Population:
    """Compare a population with another one of the same size by their distances, all (n, n).

    `own` and `other` are the distances within either population, infinite on the diagonal; `across` those from each
    shape of the population (rows) to each of the other.
    """
    covered = len(np.unique(across.argmin(axis=1)))
    neighbour = min(_SUPPORT_NEIGHBOUR, len(across) - 1) - 1
    own_reach, other_reach = (np.sort(within, axis=1)[:, neighbour] for within in (own, other))
    correct = int((own.min(axis=1) < across.min(axis=1)).sum() + (other.min(axis=1) < across.min(axis=0)).sum())
    return Population(
        size=len(across),
        covered=covered,
        correct=correct,
        within=int((across <= other_reach).any(axis=1).sum()),
        reached=int((across <= own_reach[:, None]).any(axis=0).sum()),
        matching_mm=float(across.min(axis=0).mean()),
    )


def _compared(
    shapes: Sequence[ShapePoints],
    held_out: Sequence[ShapePoints],
    progress: ProgressCallback,
    should_stop: ShouldStop,
) -> Population | None:
    size = min(len(shapes), len(held_out), _MOST_COMPARED)
    if size < 2:
        return None
    check(should_stop)
    progress(0.0, f"Comparing {size} shapes with {size} held-out ones")
    first, second = shapes[:size], held_out[:size]
    own, other = distances(first, first), distances(second, second)
    check(should_stop)
    return compare_populations(own, distances(first, second), other)


def _share(count: int, size: int) -> dict[str, Any]:
    return {"shapes": size, "share": count / size, "interval": share_interval(count, size)}


def _summary(values: np.ndarray) -> dict[str, float | int | None]:
    return {"shapes": len(values), **summary(values)}
