"""The figures of the report, as PNG data."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..anatomy.features import FEATURE_NAMES
from .statistics import Agreement

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEATURE_LABELS = {
    "volume_ml": "Volume (mL)",
    "isthmus_area_mm2": "Isthmus area (mm²)",
    "symmetry": "Symmetry",
}
COHORT_COLOUR = "#8a94a6"
MODEL_COLOUR = "#c0563f"
_INK = "#2b2f36"
_WIDTH = 9.0
_STYLE = {
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": "#9aa1ad",
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
    "figure.dpi": 160,
    "savefig.facecolor": "white",
}


def reconstruction_figure(chamfer_mm: np.ndarray, floor_mm: np.ndarray, surface_mm: np.ndarray) -> bytes:
    """Draw the reconstruction errors of the training cases beside the floor of the measure.

    Parameters
    ----------
    chamfer_mm, floor_mm : ndarray, shape (n,)
        The authors' Chamfer distance of each case, and that of a perfect model.
    surface_mm : ndarray, shape (n,)
        Average symmetric surface distance of each case.
    """
    with _figure(1, 2, height=3.0) as (figure, (left, right)):
        order = np.argsort(chamfer_mm)
        rank = np.arange(1, len(order) + 1)
        left.plot(rank, chamfer_mm[order], ".", ms=5, color=MODEL_COLOUR, label="this model")
        left.plot(rank, floor_mm[order], ".", ms=4, color=COHORT_COLOUR, label="floor: a perfect model")
        left.set(xlabel="Training case, best to worst", ylabel="Chamfer distance (mm)", title="Authors' Chamfer")
        left.set_ylim(0, 1.28 * max(chamfer_mm.max(), floor_mm.max()))
        left.legend(loc="upper left", ncols=2, handletextpad=0.2, columnspacing=1.0)
        bins = int(np.clip(len(surface_mm) // 3, 6, 24))
        edges = np.linspace(0, max(float(surface_mm.max()) * 1.05, 0.1), bins + 1)
        right.hist(surface_mm, bins=edges, color=MODEL_COLOUR, alpha=0.85)
        right.axvline(surface_mm.mean(), color=_INK, lw=1, ls="--")
        right.annotate(
            f"mean {surface_mm.mean():.2f} mm",
            (surface_mm.mean(), 0.97),
            xycoords=("data", "axes fraction"),
            xytext=(4, 0),
            textcoords="offset points",
            va="top",
        )
        right.margins(y=0.18)
        right.yaxis.get_major_locator().set_params(integer=True)
        right.set(xlabel="Average symmetric surface distance (mm)", ylabel="Cases", title="Distance over area")
        return _png(figure)


def distribution_figure(cohort: np.ndarray, generated: np.ndarray) -> bytes:
    """Draw each feature's distribution in the cohort (n, 3) and among generated thyroids (m, 3)."""
    with _figure(1, 3, height=2.9) as (figure, axes):
        for axis, name, first, second in zip(axes, FEATURE_NAMES, cohort.T, generated.T, strict=True):
            high = max(first.max(), second.max())
            low = 0.0 if name != "symmetry" else max(0.0, min(first.min(), second.min()) - 0.05)
            edges = np.linspace(low, high, 19)
            for values, colour, label in (
                (first, COHORT_COLOUR, f"cohort ({len(first)})"),
                (second, MODEL_COLOUR, f"generated ({len(second)})"),
            ):
                weights = np.full(len(values), 100 / len(values))
                axis.hist(values, bins=edges, weights=weights, color=colour, alpha=0.28)
                axis.hist(values, bins=edges, weights=weights, histtype="step", color=colour, lw=1.6, label=label)
            axis.set(xlabel=FEATURE_LABELS[name], xlim=(edges[0], edges[-1]))
            axis.margins(y=0.12)
        axes[0].set_ylabel("Share of thyroids (%)")
        _legend_above(figure, axes[0])
        return _png(figure)


def steering_figure(
    asked: Mapping[str, np.ndarray], measured: Mapping[str, np.ndarray], agreements: Mapping[str, Agreement]
) -> bytes:
    """Draw measured against asked values for each feature that was asked for."""
    names = [name for name in FEATURE_NAMES if name in asked]
    with _figure(1, len(names), height=3.6) as (figure, axes):
        for axis, name in zip(axes, names, strict=True):
            x, y = asked[name], measured[name]
            low, high = min(x.min(), y.min()), max(x.max(), y.max())
            pad = 0.06 * (high - low) or 0.5
            span = (low - pad, high + pad)
            axis.plot(span, span, color=COHORT_COLOUR, lw=1.2, zorder=1)
            axis.plot(x, y, ".", ms=5, color=MODEL_COLOUR, alpha=0.65, zorder=2, mew=0)
            axis.set(xlim=span, ylim=span, aspect="equal", xlabel="asked", ylabel="measured")
            axis.set_title(FEATURE_LABELS[name], pad=20)
            axis.annotate(
                _agreement_text(agreements[name]),
                (0, 1),
                xytext=(0, 5),
                xycoords="axes fraction",
                textcoords="offset points",
                fontsize=8.2,
            )
        return _png(figure)


def gallery_figure(pictures: Sequence[np.ndarray], captions: Sequence[str], *, columns: int = 4) -> bytes:
    """Lay pictures (pixels, pixels, 3) out in rows with a caption under each."""
    rows = -(-len(pictures) // columns)
    with _figure(rows, columns, height=rows * (_WIDTH / columns + 0.25)) as (figure, axes):
        for axis in axes:
            axis.set_axis_off()
        for axis, picture, caption in zip(axes, pictures, captions, strict=False):
            axis.imshow(picture)
            axis.text(0.5, -0.03, caption, transform=axis.transAxes, ha="center", va="top", fontsize=8.2)
        return _png(figure)


def _agreement_text(agreement: Agreement) -> str:
    parts = [] if agreement.pcc is None else [f"PCC {agreement.pcc:.3f}"]
    if agreement.slope is not None:
        parts.append(f"slope {agreement.slope:.2f}")
    return ",  ".join([*parts, f"mean |error| {agreement.mae:.2g}"])


class _figure:
    """A figure with a row or grid of axes in the report's style, without any window."""

    def __init__(self, rows: int, columns: int, *, height: float) -> None:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._style = matplotlib.rc_context(_STYLE)
        self._make = lambda: Figure(figsize=(_WIDTH, height), layout="constrained")
        self._canvas = FigureCanvasAgg
        self._shape = rows, columns

    def __enter__(self) -> tuple[Figure, np.ndarray]:
        self._style.__enter__()
        figure = self._make()
        self._canvas(figure)
        return figure, figure.subplots(*self._shape, squeeze=False).ravel()

    def __exit__(self, *error: object) -> None:
        self._style.__exit__(*error)


def _legend_above(figure: Figure, axis: Axes) -> None:
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(labels))


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    # No date and version: the same numbers give the same file.
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()
