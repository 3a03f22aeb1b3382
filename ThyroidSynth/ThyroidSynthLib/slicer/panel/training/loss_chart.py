"""The loss of a training as a chart in Slicer's plot view."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.slicer.scene.display.plots import LINE, OF_TRAINING, Chart, ChartView, Series

_COLOUR = (0.05, 0.52, 0.40)

Points = Sequence[tuple[float, float]]
"""Epochs and losses."""


class LossChart:
    """Shows the loss while its button is checked, and restores the layout of the views afterwards."""

    def __init__(self, button) -> None:
        self._button = button
        self._view = ChartView(slicer.mrmlScene, OF_TRAINING)
        self._points: Points = ()
        self._epochs = 0
        button.connect("toggled(bool)", lambda checked: self._draw())

    def update(self, points: Points, epochs: int) -> None:
        """Take the epochs and losses of a training of a number of epochs; no points close the chart."""
        self._points, self._epochs = points, epochs
        self._button.visible = bool(points)
        if not points:
            self._button.checked = False
        self._draw()

    def pause(self) -> None:
        """Restore the layout for a while, because the scene is being saved."""
        self._view.pause()

    def resume(self) -> None:
        """Show the chart again."""
        self._view.resume()

    def _draw(self) -> None:
        if self._button.checked and self._points:
            self._view.show(lossChart(self._points, self._epochs))
        else:
            self._view.close()


def lossChart(points: Points, epochs: int) -> Chart:
    """Return a chart of losses over all epochs of a training, which may still have to come."""
    at, losses = np.array(points, dtype=float).T
    return Chart(
        title=_("Loss of the training"),
        x_title=_("Epoch"),
        y_title=_("Loss"),
        series=(Series(_("Mean loss per epoch"), LINE, at, losses, _COLOUR),),
        x_range=(1.0, max(float(epochs), at[-1], 2.0)),
        # Below a decade, a logarithmic axis may have a single number.
        y_log=bool(losses.min() > 0 and losses.max() > 10 * losses.min()),
    )
