"""Figures of novelty and disentanglement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.evaluation.metrics.disentanglement import Predictability
from ThyroidSynthLib.evaluation.metrics.novelty import Novelty, Population
from ThyroidSynthLib.evaluation.metrics.statistics import share_interval
from ThyroidSynthLib.geometry.features import FEATURE_NAMES

from .drawing import COHORT_COLOUR, FEATURE_LABELS, HELD_OUT_COLOUR, INK, MODEL_COLOUR, drawing, legend_above, png_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LIGHT = "#d9dde3"


def novelty_figure(novelty: Novelty) -> bytes:
    """Draw the distances to the nearest training shape, and coverage and 1-NN accuracy."""
    rows = [
        (label, values, colour)
        for label, values, colour in (
            ("generated", novelty.generated, MODEL_COLOUR),
            ("held-out", novelty.held_out, HELD_OUT_COLOUR),
            ("held-out, as fitted", novelty.fitted, HELD_OUT_COLOUR),
            ("training, to another", novelty.training, COHORT_COLOUR),
        )
        if len(values)
    ]
    own = novelty.generated_population
    with drawing(1, 2 if own else 1, height=3.0, widths=[1.7, 1.0] if own else None) as (figure, axes):
        jitter = np.random.default_rng(0)
        for position, (_, values, colour) in enumerate(rows):
            low, middle, high = np.percentile(values, [25, 50, 75])
            height = position + jitter.uniform(-0.22, 0.22, len(values))
            axes[0].plot(values, height, ".", ms=3.5, mew=0, alpha=0.45, color=colour, zorder=1)
            axes[0].plot([low, high], [position, position], color=INK, lw=4, solid_capstyle="butt", zorder=2)
            axes[0].plot(middle, position, "o", ms=6, mfc="white", mec=INK, zorder=3)
        axes[0].set_yticks(range(len(rows)), [f"{label} ({len(values)})" for label, values, _ in rows])
        axes[0].invert_yaxis()
        axes[0].set(xlabel="Distance to the nearest training shape (mm)", title="Novelty")
        axes[0].set_xlim(left=0)
        axes[0].tick_params(axis="y", length=0)
        if own:
            _draw_populations(axes[1], own, novelty.training_population)
        return png_of(figure)


def disentanglement_figure(found: dict[str, Predictability]) -> bytes:
    """Draw the R² of each feature predicted from the trainable codes, over the R² of permuted features."""
    names = [name for name in FEATURE_NAMES if name in found]
    with drawing(1, 1, height=0.62 * len(names) + 1.0) as (figure, (axis,)):
        for place, name in enumerate(names):
            low, high = np.percentile(found[name].null, [5, 95])
            label = "permuted features, 5th to 95th percentile" if place == 0 else None
            axis.plot([low, high], [place, place], color=_LIGHT, lw=9, solid_capstyle="butt", label=label, zorder=1)
            label = "this model" if place == 0 else None
            axis.plot(found[name].r2, place, "o", ms=8, color=MODEL_COLOUR, label=label, zorder=2)
        axis.axvline(0, color=COHORT_COLOUR, lw=1, zorder=0)
        axis.set_yticks(range(len(names)), [FEATURE_LABELS[name].split(" (")[0] for name in names])
        axis.set_ylim(len(names) - 0.5, -0.5)
        lowest = min(min(found[name].r2, np.percentile(found[name].null, 5)) for name in names)
        axis.set_xlim(min(lowest - 0.04, -0.15), 1.0)
        axis.set_xlabel("Cross-validated R² of the feature, predicted from the trainable code")
        axis.tick_params(axis="y", length=0)
        legend_above(figure, axis)
        return png_of(figure)


def _draw_populations(axis: Axes, generated: Population, training: Population | None) -> None:
    counts = {
        "coverage": (generated.covered, generated.size, training.coverage if training else None),
        "1-NN accuracy": (generated.correct, 2 * generated.size, training.accuracy if training else None),
    }
    axis.axvline(0.5, 0.0, 0.5, color=_LIGHT, lw=1.5, zorder=0)
    for place, (count, total, reference) in enumerate(counts.values()):
        low, high = share_interval(count, total)
        axis.plot([low, high], [place, place], color=MODEL_COLOUR, lw=2, zorder=1)
        label = "generated, 95% interval" if place == 0 else None
        axis.plot(count / total, place, "o", ms=8, color=MODEL_COLOUR, zorder=2, label=label)
        if reference is not None:
            label = "training shapes for reference" if place == 0 else None
            axis.plot(reference, place, "D", ms=6, mfc="white", mec=COHORT_COLOUR, mew=1.6, zorder=3, label=label)
    axis.set_yticks(range(2), counts)
    axis.set(xlim=(0, 1.02), ylim=(1.6, -0.9), title=f"Similarity to {generated.size} held-out shapes")
    axis.tick_params(axis="y", length=0)
    axis.legend(loc="upper left", fontsize=8.2, handletextpad=0.3)
