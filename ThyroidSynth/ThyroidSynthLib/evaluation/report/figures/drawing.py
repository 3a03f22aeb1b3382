"""The style of all figures of a report, and their conversion to PNG."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEATURE_LABELS = {"volume_ml": "Volume (mL)", "isthmus_area_mm2": "Isthmus area (mm²)", "symmetry": "Symmetry"}
FEATURE_COLOURS = {"volume_ml": "#c0563f", "isthmus_area_mm2": "#3b6ea5", "symmetry": "#7a7f3a"}
COHORT_COLOUR = "#8a94a6"
MODEL_COLOUR = "#c0563f"
HELD_OUT_COLOUR = "#3b6ea5"
INK = "#2b2f36"
WIDTH = 9.0
_STYLE: Any = {  # matplotlib types its keys as one literal of 300 names
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": "#9aa1ad",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.dpi": 160,
    "savefig.facecolor": "white",
}


@dataclass(frozen=True)
class Illustration:
    """A figure of the report."""

    name: str  # file name without suffix
    png: bytes
    caption: str


@contextmanager
def drawing(
    rows: int, columns: int, *, height: float, widths: list[float] | None = None
) -> Iterator[tuple[Figure, np.ndarray]]:
    """Make a figure in the report's style, without a window, and its axes row by row.

    `height` is in inches, for a width of 9 inches; `widths` are the relative widths of the columns.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure, figure.subplots(rows, columns, squeeze=False, width_ratios=widths).ravel()


def legend_above(figure: Figure, axis: Axes) -> None:
    """Put the legend of an axis above the whole figure, in one line."""
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(labels))


def png_of(figure: Figure) -> bytes:
    """Return a figure as PNG data."""
    stream = io.BytesIO()
    # Without date and version, so that the same numbers give the same file.
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()
