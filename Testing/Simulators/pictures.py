"""Small pictures of the results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Panel:
    """One picture: an array [row, column] that is shown with its first row at the top.

    Attributes
    ----------
    outline : ndarray of bool, optional
        A structure that is outlined.
    extent : four floats, optional
        Left, right, lower and upper end of the axes, which are then shown with their names.
    names : tuple of str
        Names of the axes.
    """

    title: str
    array: np.ndarray
    colours: str
    unit: str
    outline: np.ndarray | None = None
    extent: tuple[float, float, float, float] | None = None
    names: tuple[str, str] = ("", "")


def draw(panels: list[Panel], path: Path) -> None:
    """Draw pictures side by side in rows of three."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    count = (len(panels) + 2) // 3
    figure, axes = plt.subplots(count, 3, figsize=(12, 3.9 * count), layout="constrained", squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    for axis, panel in zip(axes.flat, panels, strict=False):
        shown = axis.imshow(panel.array, cmap=panel.colours, extent=panel.extent, aspect="auto" if panel.extent else 1)
        if panel.outline is not None:
            axis.contour(panel.outline, levels=[0.5], colors="white", linewidths=1)
        if panel.extent is None:
            axis.set_axis_off()
        axis.set_xlabel(panel.names[0])
        axis.set_ylabel(panel.names[1])
        axis.set_title(panel.title, fontsize=10)
        figure.colorbar(shown, ax=axis, shrink=0.8, label=panel.unit)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)
    plt.close(figure)
