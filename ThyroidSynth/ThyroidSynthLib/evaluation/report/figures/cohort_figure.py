"""The feature distributions of a generated cohort beside its targets and the training cohort."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ThyroidSynthLib.geometry.features import FEATURE_NAMES

from .drawing import COHORT_COLOUR, FEATURE_LABELS, INK, MODEL_COLOUR, drawing, legend_above, png_of

if TYPE_CHECKING:
    from ThyroidSynthLib.generation.cohort.achieved_distribution import AchievedDistribution

_BINS = 18


def cohort_figure(found: AchievedDistribution) -> bytes:
    """Draw the distributions of targets, measured values and training cohort for each feature, as PNG data."""
    targets, measured, cohort = found.targets, found.measured, found.cohort
    agreement = found.summary()["features"]
    with drawing(1, 3, height=3.1) as (figure, axes):
        for column, (axis, name) in enumerate(zip(axes, FEATURE_NAMES, strict=True)):
            given = targets[np.isfinite(targets[:, column]), column]
            everything = np.concatenate([given, measured[:, column], cohort[:, column]])
            low = 0.0 if name != "symmetry" else max(0.0, everything.min() - 0.05)
            edges = np.linspace(low, everything.max() * 1.0001 + 1e-9, _BINS + 1)
            shares = {
                label: np.histogram(values, edges)[0] * 100 / max(len(values), 1)
                for label, values in (("cohort", cohort[:, column]), ("measured", measured[:, column]))
            }
            filled = {"fill": True, "alpha": 0.33}
            axis.stairs(shares["cohort"], edges, color=COHORT_COLOUR, label=f"training ({len(cohort)})", **filled)
            axis.stairs(shares["measured"], edges, color=MODEL_COLOUR, label=f"measured ({len(measured)})", **filled)
            if len(given):
                percentages = np.histogram(given, edges)[0] * 100 / len(given)
                axis.stairs(percentages, edges, color=INK, lw=1.2, baseline=None, label="targets")
            axis.set_title(_error_text(agreement[name]), fontsize=8.5, fontweight="normal", loc="right")
            axis.set(xlabel=FEATURE_LABELS[name], xlim=(edges[0], edges[-1]))
            axis.margins(y=0.12)
        axes[0].set_ylabel("Share of thyroids (%)")
        # The legend of an axis with all three curves: a feature without targets has no line for them.
        has_targets = np.isfinite(targets).any(axis=0) if len(targets) else np.zeros(3, dtype=bool)
        legend_above(figure, axes[int(np.argmax(has_targets))])
        return png_of(figure)


def _error_text(agreement: Mapping[str, Any]) -> str:
    """Return the error of a feature with targets as text; empty without targets."""
    if agreement["ks_to_target"] is not None:
        return f"KS to targets {agreement['ks_to_target']:.3f}"
    error = agreement["mean_absolute_error"]
    return f"MAE {error:.2g}" if error is not None else ""
