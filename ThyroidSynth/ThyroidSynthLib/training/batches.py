"""Random batches of shapes and of samples of each shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.geometry.sampling import SURFACE_SHARE
from ThyroidSynthLib.model.settings import TrainingSettings


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
    """

    shapes: np.ndarray
    samples: np.ndarray
    signs: np.ndarray | None

    def part(self, rows: slice) -> Batch:
        """Return the batch of some of the shapes."""
        return Batch(self.shapes[rows], self.samples[rows], None if self.signs is None else self.signs[rows])


def draw_batches(cases: int, stored: int, settings: TrainingSettings, rng: np.random.Generator) -> Iterator[Batch]:
    """Draw the batches of an epoch: every shape once, in random order, with some of its `stored` samples."""
    order = rng.permutation(cases)
    for start in range(0, cases, settings.shapes_per_step):
        shapes = order[start : start + settings.shapes_per_step]
        samples = _draw_samples(len(shapes), stored, settings, rng)
        signs = None
        if settings.mirrored_size:
            signs = rng.choice(np.array([-1.0, 1.0], dtype=np.float32), size=(len(shapes), 1))
        yield Batch(shapes, samples, signs)


def _draw_samples(shapes: int, stored: int, settings: TrainingSettings, rng: np.random.Generator) -> np.ndarray:
    count = settings.samples_per_shape
    if settings.surface_share is None:
        return rng.integers(stored, size=(shapes, count))
    stored_on_surface, count_on_surface = round(stored * SURFACE_SHARE), round(count * settings.surface_share)
    on_surface = rng.integers(stored_on_surface, size=(shapes, count_on_surface))
    off_surface = rng.integers(stored_on_surface, stored, size=(shapes, count - count_on_surface))
    return np.concatenate([on_surface, off_surface], axis=1)
