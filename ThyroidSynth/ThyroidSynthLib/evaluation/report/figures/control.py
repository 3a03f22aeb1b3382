"""Figures of cross-talk and of a thyroid with one feature varied at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.evaluation.experiments.edit_series import EditSeries
from ThyroidSynthLib.geometry.features import FEATURE_NAMES

from .drawing import COHORT_COLOUR, FEATURE_COLOURS, INK, MODEL_COLOUR, WIDTH, drawing, png_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHORT = {"volume_ml": "volume", "isthmus_area_mm2": "isthmus", "symmetry": "symmetry"}


def cross_talk_figure(matrices: Mapping[str, np.ndarray]) -> bytes:
    """Draw cross-talk matrices (3, 3) by title: rows are moved by one SD (NaN if not moved), columns are measured."""
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("cross_talk", ["#ffffff", MODEL_COLOUR])
    with drawing(1, max(len(matrices), 2), height=3.3) as (figure, axes):
        for axis in axes[len(matrices) :]:
            axis.set_axis_off()
        for axis, (title, matrix) in zip(axes, matrices.items(), strict=False):
            held = np.where(np.eye(3, dtype=bool), np.nan, matrix)
            axis.imshow(held, cmap=shades, vmin=0, vmax=0.6)
            for row, column in np.ndindex(3, 3):
                colour = COHORT_COLOUR if row == column else INK
                axis.text(column, row, _cell(matrix[row, column]), ha="center", va="center", fontsize=11, color=colour)
            for edge in (-0.5, 0.5, 1.5, 2.5):
                axis.axhline(edge, color="#d9dde3", lw=1)
                axis.axvline(edge, color="#d9dde3", lw=1)
            names = [_SHORT[name] for name in FEATURE_NAMES]
            axis.set_xticks(range(3), names)
            axis.set_yticks(range(3), names)
            axis.set(title=title, xlabel="change (SD)", ylabel="moved by 1 SD")
            axis.tick_params(length=0)
            axis.spines[:].set_visible(False)
        return png_of(figure)


def _cell(value: float) -> str:
    if np.isnan(value):
        return "–"
    return f"{value:.2f}" if value >= 0.095 else f"{value:.3f}" if value >= 0.001 else "< 0.001"


def edit_figure(series: EditSeries, pictures: Mapping[str, Sequence[np.ndarray]]) -> bytes:
    """Draw a training thyroid with one feature varied in each row, and the changes of all features.

    `pictures` (pixels, pixels, 3) show the thyroids of the steps by feature; none on a machine that cannot render.
    """
    shown = max(map(len, pictures.values()), default=0)
    side = WIDTH / (shown + 1.75) if shown else 2.2
    widths = [1.0] * shown + [1.55] if shown else [1.0]
    with drawing(3, shown + 1, height=3 * (side + 0.28), widths=widths) as (figure, axes):
        for row, name in zip(axes.reshape(3, -1), FEATURE_NAMES, strict=True):
            steps = series.of(name)
            for axis, picture, step in zip(row, pictures.get(name, ()), steps, strict=False):
                _show(axis, picture, step.to_target.measured.as_dict()[name], name, middle=step.by_sd == 0)
            _draw_changes(row[-1], series, name)
        handles, labels = axes[-1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=len(labels), fontsize=8.2)
        return png_of(figure)


def _show(axis: Axes, picture: np.ndarray, value: float, name: str, *, middle: bool) -> None:
    axis.imshow(picture)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(middle)
    axis.spines[:].set_color(FEATURE_COLOURS[name])
    text = {"volume_ml": f"{value:.1f} mL", "isthmus_area_mm2": f"{value:.0f} mm²", "symmetry": f"{value:.2f}"}[name]
    axis.set_xlabel(text, fontsize=8.2, color=FEATURE_COLOURS[name])


def _draw_changes(axis: Axes, series: EditSeries, name: str) -> None:
    targets = np.array([step.by_sd for step in series.of(name)])
    reach = 1.15 * max(np.abs(targets).max(), 0.5)
    axis.plot([-reach, reach], [-reach, reach], color="#d9dde3", lw=1, zorder=0)
    axis.axhline(0, color="#d9dde3", lw=1, zorder=0)
    for column, other in enumerate(FEATURE_NAMES):
        colour = FEATURE_COLOURS[other]
        steered, sampled = (series.changes(name, method)[:, column] for method in ("to_target", "direct_sampling"))
        axis.plot(targets, steered, "-o", ms=3, lw=1.5, color=colour, label=_SHORT[other])
        axis.plot(targets, sampled, ":", lw=1.3, color=colour)
    axis.set(xlim=(-reach, reach), ylim=(-reach, reach))
    axis.tick_params(labelsize=7.5)
    axis.set_xlabel(f"target {_SHORT[name]} (SD)", fontsize=8.2)
    axis.set_ylabel("measured (SD)", fontsize=8.2)
