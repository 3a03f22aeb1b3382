"""How all figures of a report look: one style, three colours, no window."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEATURE_LABELS = {
    "volume_ml": "Volume (mL)",
    "isthmus_area_mm2": "Isthmus area (mm²)",
    "symmetry": "Symmetry",
}
FEATURE_COLOURS = {"volume_ml": "#c0563f", "isthmus_area_mm2": "#3b6ea5", "symmetry": "#7a7f3a"}
COHORT_COLOUR = "#8a94a6"
MODEL_COLOUR = "#c0563f"
HELD_OUT_COLOUR = "#3b6ea5"
INK = "#2b2f36"
WIDTH = 9.0
_STYLE = {
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


class Drawing:
    """A figure with a grid of axes in the report's style, without any window.

    Use as a context manager, which gives the figure and its axes, row by row.

    Parameters
    ----------
    rows, columns : int
        Of the grid.
    height : float
        In inches, of a figure 9 inches wide.
    widths : list of float, optional
        Relative widths of the columns.
    """

    def __init__(self, rows: int, columns: int, *, height: float, widths: list[float] | None = None) -> None:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._style = matplotlib.rc_context(_STYLE)
        self._make = lambda: Figure(figsize=(WIDTH, height), layout="constrained")
        self._canvas = FigureCanvasAgg
        self._shape, self._widths = (rows, columns), widths

    def __enter__(self) -> tuple[Figure, np.ndarray]:
        self._style.__enter__()
        figure = self._make()
        self._canvas(figure)
        return figure, figure.subplots(*self._shape, squeeze=False, width_ratios=self._widths).ravel()

    def __exit__(self, *error: object) -> None:
        self._style.__exit__(*error)


def legend_above(figure: Figure, axis: Axes) -> None:
    """Put an axis' legend above the whole figure, in one line."""
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(labels))


def png_of(figure: Figure) -> bytes:
    """Give a figure as PNG data."""
    stream = io.BytesIO()
    # No date and version: the same numbers give the same file.
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()
