"""Initial values of the mirrored code dimensions."""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.dataset.rows.row_view import RowView

# Samples of a shape that are used, and the root mean square of the values.
_SAMPLES = 2000
_SD = 0.05


def asymmetry_of(samples: np.ndarray | RowView) -> np.ndarray:
    """Compute how far each shape leans to one side: in all, along its height and along its depth, float32 (n, 3).

    A gland and its mirror image get opposite values. From values near 0 a gland without one lobe was learned as a
    gland with two: the mean of itself and its mirror image. Each column that is not 0 has a root mean square of 0.05.

    The samples (n, samples per shape, 4) are in the `unit` frame. One shape is read at a time, so a large cohort may be
    on disk.
    """
    means = np.array([_means(samples[row, :_SAMPLES, :3]) for row in range(len(samples))])
    x, y, z, xz, xy = means.T
    # Height and depth are relative to the middle of the cohort.
    moments = np.stack([x, xz - x * z.mean(), xy - x * y.mean()], axis=1)
    spread = np.sqrt(np.mean(moments**2, axis=0))
    return (_SD * moments / np.where(spread > 0, spread, 1.0)).astype(np.float32)


def _means(points: np.ndarray) -> list[float]:
    x, y, z = np.asarray(points, dtype=np.float64).T
    return [x.mean(), y.mean(), z.mean(), (x * z).mean(), (x * y).mean()]
