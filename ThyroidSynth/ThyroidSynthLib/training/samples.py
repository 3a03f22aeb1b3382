"""The samples that training steps take: those of the cohort and, for sine units, some far from the surfaces.

The samples of a cohort lie on the surface or a few tenths of the `unit` frame beside it. Farther away a ReLU network
continues in straight lines, but sine units go on oscillating: without samples there, their field crosses 0 again and
leaves islands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from ThyroidSynthLib.dataset.rows.row_view import RowView
from ThyroidSynthLib.geometry.sampling import signed_distance
from ThyroidSynthLib.model.settings import TrainingSettings

from .batches import Batch, draw_batches
from .state import TrainingCohort, TrainingData

FAR_PER_SHAPE = 1000
"""Samples anywhere around a shape, for each shape."""

# How far the box of these samples reaches beyond the surfaces: farther than a decoded surface is first searched.
_MARGIN = 0.2

Stored = np.ndarray | RowView | torch.Tensor


@dataclass(frozen=True)
class TrainingSamples:
    """Positions and signed distances in the `unit` frame, on one device.

    `stored` (cases, samples, 4) are those of the cohort; `far` (cases, samples, 4) are anywhere around the
    shapes, None for a network that does not need them.
    """

    stored: Stored
    far: Stored | None

    @classmethod
    def on(cls, device: torch.device, data: TrainingData, far: np.ndarray | None) -> TrainingSamples:
        """Return the samples on a GPU, where they stay; a CPU reads those of the cohort from disk when needed."""
        if device.type == "cpu":
            return cls(data.samples, far)
        moved = None if far is None else torch.from_numpy(far).to(device)
        return cls(torch.from_numpy(np.array(data.samples)).to(device), moved)

    def batches(self, settings: TrainingSettings, rng: np.random.Generator) -> Iterator[Batch]:
        """Draw the batches of an epoch, see `draw_batches`."""
        cases, stored, _ = self.stored.shape
        return draw_batches(cases, stored, settings, rng, far=0 if self.far is None else self.far.shape[1])

    def take(self, batch: Batch, device: torch.device) -> torch.Tensor:
        """Return a copy of the samples of a batch, shape (shapes, samples, 4)."""
        taken = _rows(self.stored, batch.shapes, batch.samples, device)
        if self.far is None or batch.far is None:
            return taken
        return torch.cat([taken, _rows(self.far, batch.shapes, batch.far, device)], dim=1)


def far_samples(cohort: TrainingCohort, settings: TrainingSettings) -> np.ndarray | None:
    """Compute the SDF of every shape at random points of the box of all; None for ReLU units, which need none.

    Returns
    -------
    ndarray of float32, shape (cases, 1000, 4)
        x, y, z and the signed distance in the `unit` frame, negative inside.

    Raises
    ------
    CohortError
        The surface of a case is missing or damaged.
    """
    if settings.sine_omega is None:
        return None
    lower, upper = (cohort.frame.to_unit(corner) for corner in (cohort.frame.lower_mm, cohort.frame.upper_mm))
    rng = np.random.default_rng(0)  # As the cohort's samples, the same for every seed of a training.
    found = np.empty((len(cohort.ids), FAR_PER_SHAPE, 4), dtype=np.float32)
    for row, case_id in zip(found, cohort.ids, strict=True):
        surface = cohort.surface(case_id)
        row[:, :3] = rng.uniform(lower - _MARGIN, upper + _MARGIN, (FAR_PER_SHAPE, 3))
        row[:, 3] = signed_distance(surface.moved(cohort.frame.to_unit(surface.vertices)), row[:, :3])
    return found


def _rows(samples: Stored, shapes: np.ndarray, numbers: np.ndarray, device: torch.device) -> torch.Tensor:
    if isinstance(samples, torch.Tensor):
        return samples[torch.from_numpy(shapes).to(device)[:, None], torch.from_numpy(numbers).to(device)]
    return torch.from_numpy(samples[shapes[:, None], numbers])
