"""Figures of feature distributions: of random thyroids, and of a generated cohort with its targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ThyroidSynthLib.geometry.features import FEATURE_NAMES

from .drawing import COHORT_COLOUR, FEATURE_LABELS, INK, MODEL_COLOUR, drawing, legend_above, png_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ThyroidSynthLib.generation.cohort.achieved_distribution import AchievedDistribution

_BINS = 18


def distribution_figure(cohort: np.ndarray, generated: np.ndarray) -> bytes:
    """Draw each feature's distribution in the training cohort (n, 3) and among generated thyroids (m, 3)."""
    with drawing(1, 3, height=2.9) as (figure, axes):
        for axis, name, first, second in zip(axes, FEATURE_NAMES, cohort.T, generated.T, strict=True):
            _draw_histograms(
                axis, name, [(first, COHORT_COLOUR, "cohort"), (second, MODEL_COLOUR, "generated")], np.empty(0)
            )
        axes[0].set_ylabel("Share of thyroids (%)")
        legend_above(figure, axes[0])
        return png_of(figure)


def cohort_figure(found: AchievedDistribution) -> bytes:
    """Draw the distributions of targets, measured values and training cohort for each feature."""
    targets, measured, cohort = found.targets, found.measured, found.cohort
    agreement = found.summary()["features"]
    with drawing(1, 3, height=3.1) as (figure, axes):
        for column, (axis, name) in enumerate(zip(axes, FEATURE_NAMES, strict=True)):
            samples = [
                (cohort[:, column], COHORT_COLOUR, "training"),
                (measured[:, column], MODEL_COLOUR, "measured"),
            ]
            _draw_histograms(axis, name, samples, targets[np.isfinite(targets[:, column]), column])
            axis.set_title(_error_text(agreement[name]), fontsize=8.5, fontweight="normal", loc="right")
        axes[0].set_ylabel("Share of thyroids (%)")
        # The legend of an axis with all three curves: a feature without targets has no line for them.
        has_targets = np.isfinite(targets).any(axis=0) if len(targets) else np.zeros(3, dtype=bool)
        legend_above(figure, axes[int(np.argmax(has_targets))])
        return png_of(figure)


def _draw_histograms(
    axis: Axes, name: str, samples: Sequence[tuple[np.ndarray, str, str]], targets: np.ndarray
) -> None:
    """Draw samples of a feature, each with its colour and label, as percentages over shared bins; targets as a line."""
    values = np.concatenate([targets, *(sample for sample, _, _ in samples)])
    low = max(0.0, values.min() - 0.05) if name == "symmetry" else 0.0
    edges = np.linspace(low, values.max() * 1.0001 + 1e-9, _BINS + 1)

    def percentages(sample: np.ndarray) -> np.ndarray:
        return np.histogram(sample, edges)[0] * 100 / max(len(sample), 1)

    for sample, colour, label in samples:
        heights = percentages(sample)
        axis.stairs(heights, edges, fill=True, color=colour, alpha=0.28)
        axis.stairs(heights, edges, color=colour, lw=1.6, label=f"{label} ({len(sample)})")
    if len(targets):
        axis.stairs(percentages(targets), edges, color=INK, lw=1.2, baseline=None, label="targets")
    axis.set(xlabel=FEATURE_LABELS[name], xlim=(edges[0], edges[-1]))
    axis.margins(y=0.12)


def _error_text(agreement: Mapping[str, Any]) -> str:
    """Return the error of a feature with targets as text; empty without targets."""
    if agreement["ks_to_target"] is not None:
        return f"KS to targets {agreement['ks_to_target']:.3f}"
    error = agreement["mean_absolute_error"]
    return f"MAE {error:.2g}" if error is not None else ""
