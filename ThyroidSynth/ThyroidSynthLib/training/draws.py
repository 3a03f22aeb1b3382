"""What the steps of an epoch look at: shapes in random order, and random samples of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.geometry.sampling import SURFACE_SHARE
from ThyroidSynthLib.model.presets import TrainingSettings


@dataclass(frozen=True)
class Draws:
    """What one step looks at.

    Attributes
    ----------
    shapes : ndarray of int64, shape (shapes,)
        Their numbers in the cohort.
    samples : ndarray of int64, shape (shapes, samples)
        The numbers of the samples of each.
    signs : ndarray of float32, shape (shapes, 1), or None
        -1 for the shapes that are shown mirrored and 1 for the others; None where none ever is.
    """

    shapes: np.ndarray
    samples: np.ndarray
    signs: np.ndarray | None

    def of(self, part: slice) -> Draws:
        """Give what a part of the shapes has of it."""
        return Draws(self.shapes[part], self.samples[part], None if self.signs is None else self.signs[part])


def draw_steps(order: np.ndarray, stored: int, settings: TrainingSettings, rng: np.random.Generator) -> Iterator[Draws]:
    """Draw what the steps over some shapes look at, one step after the other.

    Parameters
    ----------
    order : ndarray of int64
        The shapes by number, in the order in which they are taken.
    stored : int
        Samples that are stored of a shape.
    """
    for start in range(0, len(order), settings.shapes_per_step):
        shapes = order[start : start + settings.shapes_per_step]
        samples = _samples(len(shapes), stored, settings, rng)
        signs = None
        if settings.mirrored_size:
            signs = rng.choice(np.array([-1.0, 1.0], dtype=np.float32), size=(len(shapes), 1))
        yield Draws(shapes, samples, signs)


def _samples(shapes: int, stored: int, settings: TrainingSettings, rng: np.random.Generator) -> np.ndarray:
    wanted = settings.samples_per_shape
    if settings.surface_share is None:
        return rng.integers(stored, size=(shapes, wanted))
    on_surface, wanted_on = round(stored * SURFACE_SHARE), round(wanted * settings.surface_share)
    on = rng.integers(on_surface, size=(shapes, wanted_on))
    off = rng.integers(on_surface, stored, size=(shapes, wanted - wanted_on))
    return np.concatenate([on, off], axis=1)
