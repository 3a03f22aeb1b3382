"""Figures of reconstruction, steering and the gallery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.evaluation.metrics.statistics import Agreement
from ThyroidSynthLib.geometry.features import FEATURE_NAMES

from .drawing import COHORT_COLOUR, FEATURE_LABELS, HELD_OUT_COLOUR, MODEL_COLOUR, WIDTH, drawing, legend_above, png_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Measures of the reconstruction figure, and whether larger values are better.
_ERRORS = (
    ("chamfer_mm", "Chamfer, authors' definition (mm)", False),
    ("assd_mm", "ASSD (mm)", False),
    ("dice", "Dice at 1.5 mm", True),
)


def reconstruction_figure(values: Mapping[str, Mapping[str, np.ndarray]]) -> bytes:
    """Draw the cumulative distribution over the cases for three measures.

    `values` (n,) are by kind of case ("training", "held-out", "floor"), then by name of the measure.
    """
    lines = {"training": (MODEL_COLOUR, "-"), "held-out": (HELD_OUT_COLOUR, "-"), "floor": (COHORT_COLOUR, "--")}
    with drawing(1, 3, height=3.1) as (figure, axes):
        for axis, (name, label, larger_is_better) in zip(axes, _ERRORS, strict=True):
            for kind, (colour, dashes) in lines.items():
                found = np.sort(values.get(kind, {}).get(name, np.empty(0)))
                if not len(found):
                    continue
                found = found[::-1] if larger_is_better else found
                share = 100 * np.arange(1, len(found) + 1) / len(found)
                text = "floor: a perfect model" if kind == "floor" else f"{kind} ({len(found)})"
                axis.step(
                    np.r_[found[:1], found], np.r_[0, share], dashes, where="post", color=colour, lw=1.7, label=text
                )
            axis.set(xlabel=label, ylim=(0, 102))
            cases = np.concatenate([found[name] for kind, found in values.items() if kind != "floor"])
            _limit(axis, 1.0 if larger_is_better else 0.0, cases)
        axes[0].set_ylabel("Cases at least as good (%)")
        legend_above(figure, axes[0])
        return png_of(figure)


def _limit(axis: Axes, best: float, cases: np.ndarray) -> None:
    """Limit an axis to the best value and most cases, and annotate how many cases are outside."""
    away = np.abs(cases - best)
    if not len(away):
        return
    reach = min(1.06 * away.max(), 2.0 * np.percentile(away, 95)) or 1.0
    sign = 1.0 if best == 0 else -1.0
    axis.set_xlim(best, best + sign * reach)
    beyond = int((away > reach).sum())
    if beyond:
        worst = cases[away.argmax()]
        axis.annotate(
            f"{beyond} outside, up to {worst:.2g} →",
            (1, 0.04),
            xycoords="axes fraction",
            ha="right",
            fontsize=8.2,
            color=COHORT_COLOUR,
        )


def steering_figure(
    targets: Mapping[str, np.ndarray],
    measured: Mapping[str, np.ndarray],
    agreements: Mapping[str, Agreement],
    *,
    unreached: np.ndarray | None = None,
) -> bytes:
    """Draw measured against target values for each feature that has targets.

    Thyroids in `unreached` (n,), whose targets were reported out of reach, are rings and not part of the agreements.
    """
    names = [name for name in FEATURE_NAMES if name in targets]
    with drawing(1, len(names), height=3.4) as (figure, axes):
        for axis, name in zip(axes, names, strict=True):
            x, y = targets[name], measured[name]
            low, high = min(x.min(), y.min()), max(x.max(), y.max())
            pad = 0.06 * (high - low) or 0.5
            span = (low - pad, high + pad)
            axis.plot(span, span, color=COHORT_COLOUR, lw=1.2, zorder=1)
            hidden = np.zeros(len(x), dtype=bool) if unreached is None else unreached
            axis.plot(x[~hidden], y[~hidden], ".", ms=5, color=MODEL_COLOUR, alpha=0.65, zorder=2, mew=0)
            axis.plot(x[hidden], y[hidden], "o", ms=5, mfc="none", mec=COHORT_COLOUR, zorder=3)
            axis.set(xlim=span, ylim=span, aspect="equal", xlabel="target", ylabel="measured")
            axis.locator_params(nbins=5)
            axis.set_title(FEATURE_LABELS[name], pad=20)
            axis.annotate(
                _agreement_text(agreements[name]),
                (0, 1),
                xytext=(0, 5),
                xycoords="axes fraction",
                textcoords="offset points",
                fontsize=7.8,
            )
        return png_of(figure)


def gallery_figure(pictures: Sequence[np.ndarray], captions: Sequence[str], *, columns: int = 4) -> bytes:
    """Arrange pictures (pixels, pixels, 3) in rows with a caption below each."""
    rows = -(-len(pictures) // columns)
    with drawing(rows, columns, height=rows * (WIDTH / columns + 0.25)) as (figure, axes):
        for axis in axes:
            axis.set_axis_off()
        for axis, picture, caption in zip(axes, pictures, captions, strict=False):
            axis.imshow(picture)
            axis.text(0.5, -0.03, caption, transform=axis.transAxes, ha="center", va="top", fontsize=8.2)
        return png_of(figure)


def _agreement_text(agreement: Agreement) -> str:
    parts = [] if agreement.pcc is None else [f"PCC {agreement.pcc:.3f}"]
    if agreement.slope is not None:
        parts.append(f"slope {agreement.slope:.2f}")
    return ", ".join([*parts, f"MAE {agreement.mae:.2g}"])
