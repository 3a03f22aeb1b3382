"""Charts of the thyroids' features in Slicer's plot view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.evaluation.metrics.histograms import histogram, limits
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.slicer.panel.shared.choices import ChartKind
from ThyroidSynthLib.slicer.panel.shared.wording import FEATURE_UNITS, featureName, featureTitle
from ThyroidSynthLib.slicer.scene.display.plots import (
    BARS,
    LINE,
    OF_THYROIDS,
    POINTS,
    Chart,
    ChartView,
    Series,
)
from ThyroidSynthLib.slicer.scene.thyroids.records import read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import generated_thyroids

if TYPE_CHECKING:
    from ThyroidSynthLib.model.description import ModelDescription
    from ThyroidSynthLib.slicer.panel.shared.session import Session
    from ThyroidSynthLib.slicer.scene.thyroids.records import ThyroidRecord

_COHORT = (0.62, 0.66, 0.72)
_THYROIDS = (0.05, 0.52, 0.40)
_IDENTITY = (0.55, 0.55, 0.55)
# Height of the marks of single thyroids as a share of the highest bar, so that the axis does not cut them.
_ABOVE_AXIS = 0.02

_WITH_COHORT = {
    ChartKind.VOLUME: "volume_ml",
    ChartKind.ISTHMUS_AREA: "isthmus_area_mm2",
    ChartKind.SYMMETRY: "symmetry",
}
_WITH_TARGETS = {
    ChartKind.VOLUME_MET: "volume_ml",
    ChartKind.ISTHMUS_AREA_MET: "isthmus_area_mm2",
    ChartKind.SYMMETRY_MET: "symmetry",
}


class Charts:
    """Shows a chart while its button is checked, and restores the layout of the views afterwards."""

    def __init__(self, session: Session, ui) -> None:
        self._session, self._ui = session, ui
        self._description: ModelDescription | None = None
        self._view = ChartView(slicer.mrmlScene, OF_THYROIDS)
        self._drawn: tuple | None = None
        ui.chartButton.connect("clicked(bool)", self._onClicked)

    def describe(self, description: ModelDescription | None) -> None:
        """Follow the chosen shape model, with whose cohort thyroids are compared."""
        self._description = description
        self.update()

    def update(self) -> None:
        """Draw the chart again if it is shown and its contents have changed."""
        if self._view.shown and self._session.hasParameters and self._drawn != self._contents():
            self._draw()

    def close(self) -> None:
        """Close the chart and restore the layout, unless the user has changed it."""
        self._view.close()
        self._ui.chartButton.checked = False

    def pause(self) -> None:
        """Restore the layout for a while, because the scene is being saved."""
        self._view.pause()

    def resume(self) -> None:
        """Show the chart again."""
        self._view.resume()

    def _onClicked(self, checked: bool) -> None:
        if checked:
            self._draw()
        else:
            self.close()

    def _contents(self) -> tuple:
        records = [read_record(node) for node in generated_thyroids(slicer.mrmlScene)]
        return self._session.parameters.chart, self._description, tuple(each for each in records if each is not None)

    def _draw(self) -> None:
        self._drawn = self._contents()
        self._view.show(self._chart(*self._drawn))

    @staticmethod
    def _chart(kind: ChartKind, description: ModelDescription | None, records: Sequence[ThyroidRecord]) -> Chart:
        name = {**_WITH_COHORT, **_WITH_TARGETS}[kind]
        cohort = description.features[:, FEATURE_NAMES.index(name)] if description is not None else np.empty(0)
        return (targetChart if kind in _WITH_TARGETS else cohortChart)(name, cohort, records)


def cohortChart(name: str, cohort: np.ndarray, records: Sequence[ThyroidRecord]) -> Chart:
    """Return a chart of the distributions of a feature in the scene and in the training cohort."""
    measured = np.array([record.measured[name] for record in records if name in record.measured])
    found = histogram(cohort, measured)
    highest = max(found.cohort.max(), found.made.max())
    line = found.outline_of_made() if len(measured) else (measured, measured)
    centres = found.centres if len(cohort) else cohort
    series = (
        Series(_("Cohort ({n})").format(n=len(cohort)), BARS, centres, found.cohort, _COHORT),
        Series(_("In this scene ({n})").format(n=len(measured)), LINE, *line, _THYROIDS),
        Series(_("Single thyroids"), POINTS, measured, np.full(len(measured), _ABOVE_AXIS * highest), _THYROIDS),
    )
    return Chart(
        title=_("{feature}: in this scene and in the cohort").format(feature=featureTitle(name)),
        x_title=_axisTitle(name),
        y_title=_("Share of thyroids (%)"),
        series=series,
        x_range=(float(found.edges[0]), float(found.edges[-1])),
    )


def targetChart(name: str, cohort: np.ndarray, records: Sequence[ThyroidRecord]) -> Chart:
    """Return a scatter plot of measured values over targets, with the line of identity.

    The axes span the training cohort, so that differences are seen in proportion to its range.
    """
    pairs = [(record.targets[name], record.measured[name]) for record in records if name in record.targets]
    targets, measured = np.array(pairs, dtype=float).reshape(-1, 2).T
    ends = np.array(limits(np.concatenate([targets, measured, cohort])))
    return Chart(
        title=_("{feature}: target and measured").format(feature=featureTitle(name)),
        x_title=_("target: {axis}").format(axis=_axisTitle(name)),
        y_title=_("measured: {axis}").format(axis=_axisTitle(name)),
        series=(
            Series(_("target met"), LINE, ends, ends, _IDENTITY),
            Series(_("In this scene ({n})").format(n=len(targets)), POINTS, targets, measured, _THYROIDS),
        ),
        x_range=(float(ends[0]), float(ends[1])),
        y_range=(float(ends[0]), float(ends[1])),
    )


def _axisTitle(name: str) -> str:
    unit = FEATURE_UNITS[name]
    return f"{featureName(name)} ({unit})" if unit else featureName(name)
