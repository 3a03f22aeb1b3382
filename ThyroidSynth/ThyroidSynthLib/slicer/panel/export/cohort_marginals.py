"""How a cohort of new thyroids is to be distributed: a row of small widgets for each feature, and what comes of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.generation.cohort.cohort_plan import planned_features
from ThyroidSynthLib.generation.cohort.target_distribution import WITHOUT_ISTHMUS, TargetDistribution
from ThyroidSynthLib.generation.steer.feature_space import FeatureSpace
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.slicer.panel.shared.export_choices import Spread
from ThyroidSynthLib.slicer.panel.shared.wording import featureText

if TYPE_CHECKING:
    from ThyroidSynthLib.model.description import ModelDescription
    from ThyroidSynthLib.slicer.panel.shared.session import Session

_ROWS = {"volume_ml": "cohortVolume", "isthmus_area_mm2": "cohortIsthmusArea", "symmetry": "cohortSymmetry"}
# A cohort of this size says as much of its distribution as a larger one, and is planned in a moment.
_ENOUGH = 400


def marginalText(parameters, name: str) -> str:
    """Give the distribution asked of a feature as the command line takes it."""
    row = _ROWS[name]
    kind = getattr(parameters, row + "Spread")
    first, second = getattr(parameters, row + "First"), getattr(parameters, row + "Second")
    if kind is Spread.COHORT:
        return kind.value
    if kind is Spread.FIXED:
        return f"{first:.9g}"
    if kind is Spread.LOGNORMAL:
        if not first > 0:
            raise InputError(_("A log-normal distribution needs a median above 0."))
        first = math.log(first)
    return f"{kind.value}({first:.9g}, {second:.9g})"


def targetDistribution(parameters) -> TargetDistribution:
    """Give the distributions that are asked for.

    Raises
    ------
    InputError
        The numbers make no distribution, or none that a thyroid can have.
    """
    texts = {name: marginalText(parameters, name) for name in FEATURE_NAMES}
    without = f"{parameters.cohortWithoutPercent:.9g}%" if parameters.cohortSetWithout else None
    return TargetDistribution.of_texts({**texts, WITHOUT_ISTHMUS: without})


class CohortMarginals:
    """The rows, and a line that says what thyroids of such a cohort will be asked for.

    Parameters
    ----------
    session : Session
        What the sections share.
    ui : object
        The widgets of the section "Export".
    """

    def __init__(self, session: Session, ui) -> None:
        self.session = session
        self.ui = ui
        self._description: ModelDescription | None = None
        self._told: tuple | None = None
        self._shown = False
        for name, row in _ROWS.items():
            selector = getattr(ui, row + "SpreadSelector")
            selector.connect("activated(int)", lambda index, name=name: self._onSpread(name))

    def describe(self, description: ModelDescription | None) -> None:
        """Follow the chosen shape model."""
        self._description, self._told = description, None
        if self._shown and self.session.hasParameters:
            self._tell()

    def refresh(self, *, visible: bool) -> None:
        """Show the parameters, which have changed."""
        parameters = self.session.parameters
        self._shown = visible
        self.ui.cohortMarginalsWidget.visible = visible
        for row in _ROWS.values():
            kind = getattr(parameters, row + "Spread")
            first, second = getattr(self.ui, row + "FirstSpinBox"), getattr(self.ui, row + "SecondSpinBox")
            first.visible = kind is not Spread.COHORT
            second.visible = kind not in (Spread.COHORT, Spread.FIXED)
            first.prefix, second.prefix = self._prefixes(kind)
        self.ui.cohortWithoutSpinBox.enabled = parameters.cohortSetWithout
        if visible:
            self._tell()

    def _prefixes(self, kind: Spread) -> tuple[str, str]:
        return {
            Spread.NORMAL: (_("mean "), _("SD ")),
            Spread.LOGNORMAL: (_("median "), _("log SD ")),
            Spread.UNIFORM: (_("from "), _("to ")),
        }.get(kind, ("", ""))

    def _onSpread(self, name: str) -> None:
        """Begin a kind of distribution where the training cohort lies."""
        parameters, row = self.session.parameters, _ROWS[name]
        kind = getattr(parameters, row + "Spread")
        if self._description is None or kind is Spread.COHORT:
            return
        values = self._description.features[:, FEATURE_NAMES.index(name)]
        # An area of 0 is no isthmus, and has a share of its own.
        values = values[values > 0] if (values > 0).any() else values
        first, second = float(np.median(values)), float(values.std())
        if kind is Spread.NORMAL:
            first = float(values.mean())
        elif kind is Spread.UNIFORM:
            first, second = np.percentile(values, [5, 95]).tolist()
        elif kind is Spread.LOGNORMAL:
            second = float(np.log(values).std())
        for part, value in (("First", first), ("Second", second)):
            # As many digits as the widget shows, or what is asked for is not what is read.
            setattr(parameters, row + part, round(value, getattr(self.ui, f"{row}{part}SpinBox").decimals))

    def _tell(self) -> None:
        parameters = self.session.parameters
        choices = [getattr(parameters, row + part) for row in _ROWS.values() for part in ("Spread", "First", "Second")]
        without = parameters.cohortWithoutPercent if parameters.cohortSetWithout else None
        key = (*choices, without, min(parameters.cohortCount, _ENOUGH), parameters.cohortSeed)
        if key == self._told:
            return
        self._told = key
        self.ui.cohortPlanLabel.text = self._planText()

    def _planText(self) -> str:
        """Say what the thyroids will be asked for, and whether the model can know of it."""
        if self._description is None:
            return ""
        parameters, features = self.session.parameters, self._description.features
        count = min(parameters.cohortCount, _ENOUGH)
        try:
            planned = planned_features(
                features, targetDistribution(parameters), count=count, seed=parameters.cohortSeed
            )
        except InputError as error:
            return str(error)
        ranges = []
        for column, name in enumerate(FEATURE_NAMES):
            values = planned[:, column]
            values = values[values > 0] if (values > 0).any() else values
            low, high = (featureText(name, value) for value in np.percentile(values, [5, 95]))
            ranges.append(low if low == high else _("{low} to {high}").format(low=low, high=high))
        text = _(
            "Nine in ten: volume {volume}, isthmus {area}, symmetry {symmetry}. Without isthmus: {share} %."
        ).format(
            volume=ranges[0], area=ranges[1], symmetry=ranges[2], share=round(100 * float((planned[:, 1] == 0).mean()))
        )
        far = FeatureSpace(features).far(planned)
        if len(far):
            furthest = ", ".join(map(featureText, FEATURE_NAMES, planned[far[0]]))
            text += " " + _(
                "{share} % are far outside anything the model knows and may be out of reach, such as {furthest}."
            ).format(share=max(1, round(100 * len(far) / count)), furthest=furthest)
        return text
