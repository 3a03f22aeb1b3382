"""The targets of a thyroid: their widgets, and where they are in the training cohort."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.slicer.panel.shared.wording import FEATURE_DECIMALS, featureText, featureTitle

from .histogram import Histogram, Marks

if TYPE_CHECKING:
    from ThyroidSynthLib.geometry.features import Features
    from ThyroidSynthLib.model.description import ModelDescription
    from ThyroidSynthLib.slicer.panel.shared.parameters import ThyroidSynthParameterNode


@dataclass(frozen=True)
class TargetParameter:
    """Parameters, widget names and limits of a feature in the panel."""

    value: str
    steer: str
    widgets: str
    lower: float
    upper: float


TARGETS = {
    "volume_ml": TargetParameter("volumeMl", "steerVolume", "volume", 0.1, 1000.0),
    "isthmus_area_mm2": TargetParameter("isthmusAreaMm2", "steerIsthmusArea", "isthmusArea", 0.0, 2000.0),
    "symmetry": TargetParameter("symmetry", "steerSymmetry", "symmetry", 0.0, 1.0),
}

# Sliders extend beyond the cohort's range by this share of it: there the model extrapolates.
_EXTENSION = 0.25


def targetsOf(parameters: ThyroidSynthParameterNode) -> dict[str, float]:
    """Return the features with a target, and their targets."""
    return {
        name: getattr(parameters, target.value) for name, target in TARGETS.items() if getattr(parameters, target.steer)
    }


def writeTargets(parameters: ThyroidSynthParameterNode, targets: Mapping[str, float], seed: int) -> None:
    """Set the targets, of which the features that are not given have none, and the random seed."""
    with slicer.util.NodeModify(parameters):
        parameters.seed = seed
        for name, target in TARGETS.items():
            setattr(parameters, target.steer, name in targets)
            if name in targets:
                setattr(parameters, target.value, targets[name])


def besidesTargets(parameters: ThyroidSynthParameterNode) -> dict[str, object]:
    """Return all parameters but the targets' values, which change with every move of a slider."""
    values = {target.value for target in TARGETS.values()}
    return {name: getattr(parameters, name) for name in type(parameters).__annotations__ if name not in values}


def rounded(features: Features) -> dict[str, float]:
    """Return features rounded to the sliders' decimals."""
    return {name: round(value, FEATURE_DECIMALS[name]) for name, value in features.as_dict().items()}


def percentileText(values: np.ndarray, value: float, *, synthetic: bool) -> str:
    """Return the percentile of a value among those of the training cases (n,) as text; equal ones count half."""
    cases = _("{n} synthetic training cases") if synthetic else _("{n} training cases")
    cases = cases.format(n=len(values))
    if value > values.max():
        return _("above all {cases}").format(cases=cases)
    if value < values.min():
        return _("below all {cases}").format(cases=cases)
    share = (np.sum(values < value) + 0.5 * np.sum(values == value)) / len(values)
    percent = min(max(round(100 * float(share)), 1), 99)
    return _("{ordinal} percentile of the {cases}").format(ordinal=_ordinal(percent), cases=cases)


def outsideText(name: str, values: np.ndarray, value: float) -> str:
    """Return how far a target is outside the cohort's range as text; empty when it is inside."""
    low, high, decimals = float(values.min()), float(values.max()), FEATURE_DECIMALS[name]
    # Rounded, because the sliders' steps are coarser than the cohort's values.
    if round(value, decimals) < round(low, decimals):
        text, end = _("{name} {value} is {by} below the cohort's minimum ({end})."), low
    elif round(value, decimals) > round(high, decimals):
        text, end = _("{name} {value} is {by} above the cohort's maximum ({end})."), high
    else:
        return ""
    by = featureText(name, abs(value - end))
    return text.format(name=featureTitle(name), value=featureText(name, value), by=by, end=featureText(name, end))


class TargetRow:
    """Widgets of one feature in the section "Generate": check box, slider, histogram and label.

    Attributes
    ----------
    onTicked : callable
        Called with the feature after the user has made it a target.
    """

    def __init__(self, ui, name: str) -> None:
        self._name, self._target = name, TARGETS[name]
        kinds = ("CheckBox", "Slider", "RangeLabel", "HistogramLabel")
        self._box, self._slider, self._label, histogram = (getattr(ui, self._target.widgets + kind) for kind in kinds)
        self.onTicked: Callable[[str], None] = lambda name: None
        self._box.connect("clicked(bool)", lambda checked: self.onTicked(name) if checked else None)
        self._histogram = Histogram(histogram, self._slider)
        self._described: ModelDescription | None = None
        self._values = np.empty(0)

    def makeRoom(self, value: float) -> None:
        """Extend the slider's range to a value that will be set."""
        self._slider.minimum = min(self._slider.minimum, value)
        self._slider.maximum = max(self._slider.maximum, value)

    def show(
        self,
        parameters: ThyroidSynthParameterNode,
        description: ModelDescription | None,
        measured: float | None,
        colour: tuple[float, float, float],
    ) -> None:
        """Show the target and the measured value, and where they are in the cohort."""
        value: float = getattr(parameters, self._target.value)
        steerable = description is None or description.steerable
        isTarget = steerable and getattr(parameters, self._target.steer)
        self._box.enabled = steerable
        self._slider.enabled = isTarget
        values = self._cohort(description)
        low, high = self._sliderRange(values, value)
        if (self._slider.minimum, self._slider.maximum) != (low, high):
            self._slider.minimum, self._slider.maximum = low, high
        self._label.text = self._text(values, value, measured, isTarget)
        self._histogram.show(values, Marks(value, measured, colour, isTarget))

    def warning(self, parameters: ThyroidSynthParameterNode, description: ModelDescription | None) -> str:
        """Return how far the target is outside the cohort as text; empty when it is inside or there is none."""
        if description is None or not description.steerable or not getattr(parameters, self._target.steer):
            return ""
        return outsideText(self._name, self._cohort(description), getattr(parameters, self._target.value))

    def _cohort(self, description: ModelDescription | None) -> np.ndarray:
        """Return the cohort's values (n,); the same array as long as the description is the same."""
        if description is not self._described:
            self._described = description
            column = FEATURE_NAMES.index(self._name)
            self._values = description.features[:, column] if description is not None else np.empty(0)
        return self._values

    def _sliderRange(self, values: np.ndarray, value: float) -> tuple[float, float]:
        target = self._target
        if len(values) == 0:
            return target.lower, max(value, 1.0 if target.upper == 1.0 else target.upper / 10)
        low, high = float(values.min()), float(values.max())
        margin = _EXTENSION * (high - low)
        return min(value, max(target.lower, low - margin)), max(value, min(target.upper, high + margin))

    def _text(self, values: np.ndarray, value: float, measured: float | None, isTarget: bool) -> str:
        parts = []
        if not isTarget:
            parts.append(_("free"))
        elif len(values):
            parts.append(
                percentileText(values, value, synthetic=self._described is not None and self._described.synthetic)
            )
        if measured is not None:
            parts.append(_("measured {measured}").format(measured=featureText(self._name, measured)))
        return " · ".join(parts)


def _ordinal(number: int) -> str:
    suffix = "th" if 10 < number % 100 < 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
