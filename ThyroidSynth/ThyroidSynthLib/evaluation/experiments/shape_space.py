"""Compactness and specificity of a model, as measured for shape models (Davies et al., IEEE Trans. Med. Imaging 2002).

Their third measure, generalisation, is the surface distance of the fits of held-out cases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, silent
from ThyroidSynthLib.evaluation.metrics.compactness import compactness_summary, cumulative_variance
from ThyroidSynthLib.evaluation.metrics.statistics import summary
from ThyroidSynthLib.evaluation.metrics.surface_distances import assd
from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION
from ThyroidSynthLib.generation.decode.field import Field
from ThyroidSynthLib.generation.thyroid import thyroid_of_code
from ThyroidSynthLib.geometry.sampling import sample_surface
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.model.trained_model import TrainedModel

if TYPE_CHECKING:
    from ThyroidSynthLib.dataset.cohort import Cohort

# Largest number of shapes of which the exact surface distance is computed, of codes whose modes are, and the points at
# which the codes are compared, so many on the surface of each of some cases.
_MOST_SHAPES, _MOST_CODES = 100, 500
_SURFACES, _POINTS = 20, 50


@dataclass(frozen=True)
class ShapeSpace:
    """Compactness and specificity.

    Attributes
    ----------
    cumulative : ndarray, shape (n − 1,)
        Share of the variance of the training cases' SDFs in the first modes.
    specificity, held_out : ndarray
        ASSD in mm of generated shapes to the nearest training shape, and of held-out ones, for reference.
    """

    cumulative: np.ndarray
    specificity: np.ndarray
    held_out: np.ndarray

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers for a JSON file."""
        return {
            "compactness": compactness_summary(self.cumulative),
            "specificity_mm": {"shapes": len(self.specificity), **summary(self.specificity)},
            "specificity_of_held_out_mm": {"shapes": len(self.held_out), **summary(self.held_out)},
        }


def measure_shape_space(
    model: TrainedModel,
    cohort: Cohort,
    *,
    training_surface: Callable[[str], Surface],
    generated: Sequence[tuple[np.ndarray, str]],
    held_out: Sequence[tuple[str, str]] = (),
    resolution: int = DEFAULT_RESOLUTION,
    seed: int = 0,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> ShapeSpace:
    """Measure compactness and specificity.

    Parameters
    ----------
    training_surface : callable
        Returns the surface of a training case, given its id.
    generated : sequence of (code, id)
        Codes of generated thyroids, each with the training case whose shape is the nearest.
    held_out : sequence of (id, id)
        Held-out cases, each with the training case whose shape is the nearest.
    """
    made, known = generated[:_MOST_SHAPES], held_out[:_MOST_SHAPES]

    def specificity(surface: Surface, nearest: str, number: int) -> float:
        check(should_stop)
        progress(
            number / (len(made) + len(known)), f"Measuring the distance to the nearest training shape ({number + 1})"
        )
        return assd(surface, training_surface(nearest), seed=seed)

    return ShapeSpace(
        _modes(model, cohort, seed),
        np.array(
            [
                specificity(thyroid_of_code(model, code, resolution=resolution).surface, nearest, number)
                for number, (code, nearest) in enumerate(made)
            ]
        ),
        np.array(
            [
                specificity(cohort.surface(case_id), nearest, number)
                for number, (case_id, nearest) in enumerate(known, start=len(made))
            ]
        ),
    )


def _modes(model: TrainedModel, cohort: Cohort, seed: int) -> np.ndarray:
    """Return the cumulative variance of the training cases' SDFs at points on the surfaces of some cases of the cohort.

    The field is compared and not the code, because codes of different models have different scales.
    """
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(model.ids))[:_MOST_CODES]
    surfaces = (cohort.surface(cohort.ids[row]) for row in rng.permutation(len(cohort.ids))[:_SURFACES])
    points = np.concatenate([model.frame.to_unit(sample_surface(surface, _POINTS, rng)) for surface in surfaces])
    return cumulative_variance(np.stack([Field(model, model.codes[row])(points) for row in rows]))
