"""How a generated cohort is distributed, beside what was asked and beside the training cohort: one picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ThyroidSynthLib.geometry.features import FEATURE_NAMES

from .drawing import COHORT_COLOUR, FEATURE_LABELS, INK, MODEL_COLOUR, Drawing, legend_above, png_of

if TYPE_CHECKING:
    from ThyroidSynthLib.generation.cohort.met_distribution import MetDistribution

_BINS = 18


def cohort_figure(found: MetDistribution) -> bytes:
    """Draw each feature as asked, as measured and in the training cohort, as PNG data."""
    targets, measured, cohort = found.targets, found.measured, found.cohort
    agreement = found.summary()["features"]
    with Drawing(1, 3, height=3.1) as (figure, axes):
        for column, (axis, name) in enumerate(zip(axes, FEATURE_NAMES, strict=True)):
            wanted = targets[np.isfinite(targets[:, column]), column]
            everything = np.concatenate([wanted, measured[:, column], cohort[:, column]])
            low = 0.0 if name != "symmetry" else max(0.0, everything.min() - 0.05)
            edges = np.linspace(low, everything.max() * 1.0001 + 1e-9, _BINS + 1)
            shares = {
                label: np.histogram(values, edges)[0] * 100 / max(len(values), 1)
                for label, values in (("cohort", cohort[:, column]), ("measured", measured[:, column]))
            }
            filled = {"fill": True, "alpha": 0.33}
            axis.stairs(shares["cohort"], edges, color=COHORT_COLOUR, label=f"training ({len(cohort)})", **filled)
            axis.stairs(shares["measured"], edges, color=MODEL_COLOUR, label=f"measured ({len(measured)})", **filled)
            if len(wanted):
                levels = np.histogram(wanted, edges)[0] * 100 / len(wanted)
                axis.stairs(levels, edges, color=INK, lw=1.2, baseline=None, label="targets")
            axis.set_title(_nearness(agreement[name]), fontsize=8.5, fontweight="normal", loc="right")
            axis.set(xlabel=FEATURE_LABELS[name], xlim=(edges[0], edges[-1]))
            axis.margins(y=0.12)
        axes[0].set_ylabel("Share of thyroids (%)")
        # The panel with most to say: a feature that was left free has no line of its own.
        targets_of = np.isfinite(targets).any(axis=0) if len(targets) else np.zeros(3, dtype=bool)
        legend_above(figure, axes[int(np.argmax(targets_of))])
        return png_of(figure)


def _nearness(agreement: Mapping[str, Any]) -> str:
    """Say how near a feature is to what was asked; nothing where it was not asked."""
    if agreement["ks_to_target"] is not None:
        return f"KS to asked {agreement['ks_to_target']:.3f}"
    error = agreement["mean_absolute_error"]
    return f"mean |error| {error:.2g}" if error is not None else ""
