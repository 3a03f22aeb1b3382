"""The widgets that set the distribution of each feature in a generated cohort."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.generation.cohort.stratification import stratified_targets
from ThyroidSynthLib.generation.cohort.target_distribution import WITHOUT_ISTHMUS, TargetDistribution
from ThyroidSynthLib.generation.steer.feature_space import FeatureSpace
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.slicer.panel.shared.choices import Spread
from ThyroidSynthLib.slicer.panel.shared.wording import FEATURE_DECIMALS, featureText

if TYPE_CHECKING:
    from ThyroidSynthLib.model.description import ModelDescription
    from ThyroidSynthLib.slicer.panel.shared.parameters import ThyroidSynthParameterNode
    from ThyroidSynthLib.slicer.panel.shared.session import Session

_ROWS = {"volume_ml": "cohortVolume", "isthmus_area_mm2": "cohortIsthmusArea", "symmetry": "cohortSymmetry"}
# The summary plans at most this many thyroids, which is enough for its percentiles and takes milliseconds.
_PLANNED = 400


def distributionText(parameters: ThyroidSynthParameterNode, name: str) -> str:
    """Return the distribution of a feature in the notation of the command line, such as ``normal(12, 5)``.

    Raises
    ------
    InputError
        The median of a log-normal distribution is not positive.
    """
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


def targetDistribution(parameters: ThyroidSynthParameterNode) -> TargetDistribution:
    """Return the distributions set in the panel.

    Raises
    ------
    InputError
        The numbers define no distribution, or values that are impossible for a thyroid.
    """
    texts = {name: distributionText(parameters, name) for name in FEATURE_NAMES}
    without = f"{parameters.cohortWithoutPercent:.9g}%" if parameters.cohortSetWithout else None
    return TargetDistribution.of_texts({**texts, WITHOUT_ISTHMUS: without})


class CohortDistributions:
    """One row of widgets per feature, and a summary of the targets that result."""

    def __init__(self, session: Session, ui) -> None:
        self.session = session
        self.ui = ui
        self._description: ModelDescription | None = None
        self._summarised: tuple | None = None
        self._visible = False
        for name, row in _ROWS.items():
            selector = getattr(ui, row + "SpreadSelector")
            selector.connect("activated(int)", lambda index, name=name: self._onSpread(name))

    def describe(self, description: ModelDescription | None) -> None:
        """Follow the chosen shape model."""
        self._description, self._summarised = description, None
        if self._visible and self.session.hasParameters:
            self._summarise()

    def refresh(self, *, visible: bool) -> None:
        """Update the widgets from the parameters."""
        parameters = self.session.parameters
        self._visible = visible
        self.ui.cohortDistributionsWidget.visible = visible
        for name in _ROWS:
            self._showNumbers(name)
        self.ui.cohortWithoutSpinBox.enabled = parameters.cohortSetWithout
        if visible:
            self._summarise()

    def _showNumbers(self, name: str) -> None:
        """Show the numbers of a distribution, rounded to the decimals that suit its kind."""
        parameters, row = self.session.parameters, _ROWS[name]
        kind, decimals = getattr(parameters, row + "Spread"), FEATURE_DECIMALS[name]
        first, second = getattr(self.ui, row + "FirstSpinBox"), getattr(self.ui, row + "SecondSpinBox")
        first.visible = kind is not Spread.COHORT
        second.visible = kind not in (Spread.COHORT, Spread.FIXED)
        first.prefix, second.prefix = {
            Spread.NORMAL: (_("mean "), _("SD ")),
            Spread.LOGNORMAL: (_("median "), _("log SD ")),
            Spread.UNIFORM: (_("from "), _("to ")),
        }.get(kind, ("", ""))
        # Blocked, because the number may belong to the kind chosen before and is not to be rounded in the parameter.
        blocked = second.blockSignals(True)
        second.decimals = {Spread.UNIFORM: decimals, Spread.LOGNORMAL: 2}.get(kind, decimals + 1)
        second.value = getattr(parameters, row + "Second")
        second.blockSignals(blocked)

    def _onSpread(self, name: str) -> None:
        """Initialise the numbers of a newly chosen distribution from the training cohort."""
        parameters, row = self.session.parameters, _ROWS[name]
        kind = getattr(parameters, row + "Spread")
        if self._description is None or kind is Spread.COHORT:
            return
        values = _present(self._description.features[:, FEATURE_NAMES.index(name)])
        first, second = float(np.median(values)), float(values.std())
        if kind is Spread.NORMAL:
            first = float(values.mean())
        elif kind is Spread.UNIFORM:
            first, second = np.percentile(values, [5, 95]).tolist()
        elif kind is Spread.LOGNORMAL:
            second = float(np.log(values).std())
        self._showNumbers(name)
        for part, value in (("First", first), ("Second", second)):
            # Rounded like the widget, so that the parameter equals the number shown.
            setattr(parameters, row + part, round(value, getattr(self.ui, f"{row}{part}SpinBox").decimals))

    def _summarise(self) -> None:
        """Update the summary if the distributions have changed."""
        parameters = self.session.parameters
        choices = [getattr(parameters, row + part) for row in _ROWS.values() for part in ("Spread", "First", "Second")]
        without = parameters.cohortWithoutPercent if parameters.cohortSetWithout else None
        key = (*choices, without, min(parameters.cohortCount, _PLANNED), parameters.cohortSeed)
        if key != self._summarised:
            self._summarised = key
            self.ui.cohortPlanLabel.text = self._summary()

    def _summary(self) -> str:
        """Return the expected ranges of the targets, and how many are far outside the training cohort."""
        if self._description is None:
            return ""
        parameters, features = self.session.parameters, self._description.features
        count = min(parameters.cohortCount, _PLANNED)
        try:
            planned = stratified_targets(
                features, targetDistribution(parameters), count=count, seed=parameters.cohortSeed
            )
        except InputError as error:
            return str(error)
        ranges = []
        for column, name in enumerate(FEATURE_NAMES):
            low, high = (featureText(name, value) for value in np.percentile(_present(planned[:, column]), [5, 95]))
            ranges.append(low if low == high else _("{low} to {high}").format(low=low, high=high))
        text = _(
            "90 % of the targets: volume {volume}, isthmus {area}, symmetry {symmetry}. Without isthmus: {share} %."
        ).format(
            volume=ranges[0], area=ranges[1], symmetry=ranges[2], share=round(100 * float((planned[:, 1] == 0).mean()))
        )
        far = FeatureSpace(features).far(planned)
        if len(far):
            furthest = ", ".join(map(featureText, FEATURE_NAMES, planned[far[0]]))
            text += " " + _(
                "{share} % are far outside the training cohort and may not be met, such as {furthest}."
            ).format(share=max(1, round(100 * len(far) / count)), furthest=furthest)
        return text


def _present(values: np.ndarray) -> np.ndarray:
    """Return the positive values, if there are any: an isthmus area of 0 means no isthmus and has its own share."""
    return values[values > 0] if (values > 0).any() else values
