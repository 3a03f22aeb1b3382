"""Whether generated thyroids are new, and whether they are all that real ones are (paper, section 3.2).

New: not nearer to the training shapes than unseen shapes of the same cohort are. A model that copies would
be nearer. All: every held-out shape has a generated one like it, and nobody can tell the two populations
apart by their nearest neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, part_of, silent

from .shape_points import DISTANCE_FROM, DISTANCE_TO, ShapePoints, distances, nearest_distance
from .statistics import rate_interval

# Populations compared with each other, shape by shape; more take long and change little.
_MOST_COMPARED = 100


@dataclass(frozen=True)
class Population:
    """How like the held-out shapes a population of the same size is.

    Attributes
    ----------
    size : int
        Shapes in either population.
    covered : int
        Held-out shapes that are the nearest one to at least one shape of the population.
    correct : int
        Shapes of both whose nearest other shape belongs to their own population; half of them when
        the populations cannot be told apart.
    """

    size: int
    covered: int
    correct: int

    @property
    def coverage(self) -> float:
        """Share of held-out shapes that are covered."""
        return self.covered / self.size

    @property
    def accuracy(self) -> float:
        """Leave-one-out accuracy of telling the populations apart by the nearest neighbour."""
        return self.correct / (2 * self.size)


@dataclass(frozen=True)
class Novelty:
    """Distances of shapes to the nearest training shape, in mm, and two populations compared.

    Attributes
    ----------
    generated, held_out : ndarray
        Of generated and of held-out shapes.
    fitted : ndarray
        Of the held-out shapes as the model makes them: a model's shapes are smoother than segmentations,
        and so a little nearer to anything.
    training : ndarray
        Of training shapes, to the nearest other one.
    generated_population, training_population : Population or None
        Generated shapes, and as a yardstick training shapes, against held-out ones; None without these.
    """

    generated: np.ndarray
    held_out: np.ndarray
    fitted: np.ndarray
    training: np.ndarray
    generated_population: Population | None
    training_population: Population | None

    def as_dict(self) -> dict[str, Any]:
        """Give the numbers for a JSON file."""
        found: dict[str, Any] = {
            "distance": f"Chamfer from {DISTANCE_FROM} to {DISTANCE_TO} points drawn evenly over the areas, both "
            "directions added, mm",
            "generated_to_training": _spread(self.generated),
            "training_to_training": _spread(self.training),
        }
        if len(self.held_out):
            found["held_out_to_training"] = _spread(self.held_out)
            found["memorisation"] = nearer_test(self.generated, self.held_out)
        if len(self.fitted):
            found["fitted_to_training"] = _spread(self.fitted)
            found["memorisation_against_fitted"] = nearer_test(self.generated, self.fitted)
        own, yardstick = self.generated_population, self.training_population
        if own is not None:
            found["coverage"] = {
                "shapes": own.size,
                "share": own.coverage,
                "interval": rate_interval(own.covered, own.size),
            }
            found["one_nn"] = {
                "shapes": own.size,
                "accuracy": own.accuracy,
                "interval": rate_interval(own.correct, 2 * own.size),
            }
            if yardstick is not None:
                found["coverage"]["of_training_shapes"] = yardstick.coverage
                found["one_nn"]["of_training_shapes"] = yardstick.accuracy
        return found

    def rows(self) -> list[dict[str, Any]]:
        """Give every distance as a row of a table."""
        kinds = {"generated": self.generated, "held-out": self.held_out, "held-out, fitted": self.fitted}
        kinds["training"] = self.training
        return [
            {"shape": kind, "nearest_training_mm": float(value)} for kind, values in kinds.items() for value in values
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
    """Measure how near the shapes lie to the training shapes, and how like the held-out ones they are.

    Of the training shapes as many are asked for their nearest other one as there are generated shapes.

    Raises
    ------
    Cancelled
        `should_stop` returned true.
    """
    targets = training[: len(generated)]
    total = len(generated) + len(held_out) + len(fitted) + len(targets)
    nearest: list[list[float]] = []
    done = 0
    for shapes in (generated, held_out, fitted, targets):
        nearest.append([])
        for index, shape in enumerate(shapes):
            check(should_stop)
            progress(0.8 * done / total, f"Looking for the nearest training shape ({done + 1} of {total})")
            others = training
            if shapes is targets:
                others = [*training[:index], *training[index + 1 :]]
            else:
                # Its search tree ends with it; only those of the training shapes are needed again.
                shape = ShapePoints(shape.few, shape.many)
            if others:
                nearest[-1].append(nearest_distance(shape, others))
            done += 1
    own = _compared(generated, held_out, part_of(progress, 0.8, 0.9), should_stop)
    yardstick = None
    if own is not None and len(training) >= own.size:
        yardstick = _compared(training[: own.size], held_out, part_of(progress, 0.9, 1.0), should_stop)
    return Novelty(*(np.array(values) for values in nearest), own, yardstick)


def nearer_test(generated: np.ndarray, unseen: np.ndarray) -> dict[str, float]:
    """Test whether generated shapes are nearer to the training shapes than unseen ones are (Mann-Whitney).

    Returns
    -------
    dict
        "p_nearer" is one-sided: small where they are nearer, which would speak for copies. "share_nearer"
        is the share of pairs in which the generated shape is the nearer one, 0.5 where there is no difference.
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
    """Compare a population with one of the same size by their distances.

    Parameters
    ----------
    own, other : ndarray, shape (n, n)
        Distances within either population, infinite on the diagonal.
    across : ndarray, shape (n, n)
        From each shape of the population (rows) to each of the other.
    """
    covered = len(np.unique(across.argmin(axis=1)))
    correct = int((own.min(axis=1) < across.min(axis=1)).sum() + (other.min(axis=1) < across.min(axis=0)).sum())
    return Population(len(across), covered, correct)


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


def _spread(values: np.ndarray) -> dict[str, float | int | None]:
    if not len(values):
        return {"shapes": 0, "mean": None, "sd": None, "median": None}
    return {
        "shapes": len(values),
        "mean": float(values.mean()),
        "sd": float(values.std()),
        "median": float(np.median(values)),
    }
