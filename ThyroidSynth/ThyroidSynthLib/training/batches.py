"""Random batches of shapes and of samples of each shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.geometry.sampling import SURFACE_SHARE
from ThyroidSynthLib.model.settings import TrainingSettings

# Share of a shape's samples in a step that lie far from its surface, for sine units.
_FAR_SHARE = 0.15


@dataclass(frozen=True)
class Batch:
    """The shapes and samples of one training step, by number.

    Attributes
    ----------
    shapes : ndarray of int64, shape (shapes,)
        Rows of the cohort.
    samples : ndarray of int64, shape (shapes, samples)
        Rows of each shape's stored samples.
    signs : ndarray of float32, shape (shapes, 1), or None
        -1 for a shape that is mirrored in this step, 1 for the others; None if the settings never mirror.
    far : ndarray of int64, shape (shapes, far samples), or None
        Rows of each shape's samples far from the surface; None for ReLU units, which have none.
    """

    shapes: np.ndarray
    samples: np.ndarray
    signs: np.ndarray | None
    far: np.ndarray | None = None

    def part(self, rows: slice) -> Batch:
        """Return the batch of some of the shapes."""
        signs, far = (None if each is None else each[rows] for each in (self.signs, self.far))
        return Batch(self.shapes[rows], self.samples[rows], signs, far)


def draw_batches(
    cases: int, stored: int, settings: TrainingSettings, rng: np.random.Generator, *, far: int = 0
) -> Iterator[Batch]:
    """Draw the batches of an epoch: every shape once, in random order, with some of its `stored` and `far` samples."""
    order = rng.permutation(cases)
    count = settings.samples_per_shape
    count_far = round(_FAR_SHARE * count) if far else 0
    for start in range(0, cases, settings.shapes_per_step):
        shapes = order[start : start + settings.shapes_per_step]
        samples = _draw_samples(len(shapes), stored, count - count_far, settings, rng)
        signs = None
        if settings.mirrored_size:
            signs = rng.choice(np.array([-1.0, 1.0], dtype=np.float32), size=(len(shapes), 1))
        far_away = rng.integers(far, size=(len(shapes), count_far)) if far else None
        yield Batch(shapes, samples, signs, far_away)


def _draw_samples(
    shapes: int, stored: int, count: int, settings: TrainingSettings, rng: np.random.Generator
) -> np.ndarray:
    if settings.surface_share is None:
        return rng.integers(stored, size=(shapes, count))
    stored_on_surface, count_on_surface = round(stored * SURFACE_SHARE), round(count * settings.surface_share)
    on_surface = rng.integers(stored_on_surface, size=(shapes, count_on_surface))
    off_surface = rng.integers(stored_on_surface, stored, size=(shapes, count - count_on_surface))
    return np.concatenate([on_surface, off_surface], axis=1)
