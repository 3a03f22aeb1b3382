"""The sliders of an edit, of which one is moved at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ThyroidSynthLib.model.description import ModelDescription

# Sliders extend beyond the cohort's range, and beyond the patient's own value outside it, by this share of the range.
_MARGIN = 0.25


@dataclass(frozen=True)
class EditRow:
    """Widget names, the parameter that holds a feature constant, and the limits of its slider in any case."""

    widgets: str
    hold: str
    lower: float
    upper: float


EDIT_ROWS = {
    "volume_ml": EditRow("Volume", "holdVolume", 0.5, 1000.0),
    "isthmus_area_mm2": EditRow("IsthmusArea", "holdIsthmusArea", 0.0, 2000.0),
    "symmetry": EditRow("Symmetry", "holdSymmetry", 0.0, 1.0),
}


class EditSliders:
    """One slider per feature.

    Attributes
    ----------
    moved : tuple of str and float, or None
        Feature and value of the slider that the user moved since values were last shown.
    """

    def __init__(self, ui, onMoved: Callable[[], None]) -> None:
        self.moved: tuple[str, float] | None = None
        self._onMoved = onMoved
        self._sliders = {name: getattr(ui, f"edit{row.widgets}Slider") for name, row in EDIT_ROWS.items()}
        self._values: dict[str, float] = {}
        self._shown: dict[str, float] = {}
        for name, slider in self._sliders.items():
            slider.connect("valueChanged(double)", lambda value, name=name: self._onValue(name, value))

    def show(
        self, values: Mapping[str, float], original: Mapping[str, float], description: ModelDescription | None
    ) -> None:
        """Show the values of an edit, with ranges that suit the features of the original gland and the model."""
        self._values = dict(values)
        for name, slider in self._sliders.items():
            lower, upper = _range(name, original[name], description)
            blocked = slider.blockSignals(True)
            slider.minimum, slider.maximum = min(lower, values[name]), max(upper, values[name])
            slider.value = values[name]
            slider.blockSignals(blocked)
            self._shown[name] = slider.value

    def enable(self, enabled: bool) -> None:
        """Enable or disable the sliders."""
        for slider in self._sliders.values():
            slider.enabled = enabled

    def _onValue(self, name: str, value: float) -> None:
        # The slider rounds what it shows: back at its start it stands for the exact value.
        back = name in self._shown and abs(value - self._shown[name]) < 1e-9
        if self.moved is not None and self.moved[0] != name:
            # One feature is changed at a time: a move of another slider that was not finished is discarded.
            other = self._sliders[self.moved[0]]
            blocked = other.blockSignals(True)
            other.value = self._values[self.moved[0]]
            other.blockSignals(blocked)
        self.moved = name, self._values[name] if back else value
        self._onMoved()


def _range(name: str, original: float, description: ModelDescription | None) -> tuple[float, float]:
    """Return the range of a slider, which does not depend on the edits made so far."""
    row = EDIT_ROWS[name]
    low, high = original / 2, 2 * original
    if description is not None:
        low, high = description.feature_range(name)
    margin = _MARGIN * (high - low)
    return max(row.lower, min(low, original) - margin), min(row.upper, max(high, original) + margin)
