"""The sliders of an edit: one feature is moved at a time, from where the thyroid stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ThyroidSynthLib.model.description import ModelDescription

# Sliders reach a little past the cohort, and past the patient's own gland where it lies outside.
_REACH = 0.25


@dataclass(frozen=True)
class EditRow:
    """How a feature appears: its widgets' names, the parameter that holds it, and its utmost limits."""

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
    """Three sliders, of which a hand moves one.

    Parameters
    ----------
    ui : object
        The section's widgets by name.
    onMoved : callable
        Called whenever a hand has moved one.

    Attributes
    ----------
    moved : tuple of str and float, or None
        The feature that is being moved, and its value; None as long as no slider was moved since values
        were shown.
    """

    def __init__(self, ui, onMoved: Callable[[], None]) -> None:
        self.moved: tuple[str, float] | None = None
        self._onMoved = onMoved
        self._sliders = {name: getattr(ui, f"edit{row.widgets}Slider") for name, row in EDIT_ROWS.items()}
        self._targets: dict[str, float] = {}
        self._shown: dict[str, float] = {}
        for name, slider in self._sliders.items():
            slider.connect("valueChanged(double)", self._slot(name))

    def show(
        self, targets: Mapping[str, float], original: Mapping[str, float], description: ModelDescription | None
    ) -> None:
        """Show the values that a thyroid stands at; `original` are those of the patient's own."""
        self._targets = dict(targets)
        for name, slider in self._sliders.items():
            lower, upper = _reach(name, original[name], description)
            blocked = slider.blockSignals(True)
            slider.minimum, slider.maximum = min(lower, targets[name]), max(upper, targets[name])
            slider.value = targets[name]
            slider.blockSignals(blocked)
            self._shown[name] = slider.value

    def enable(self, enabled: bool) -> None:
        """Let the sliders be moved, or not."""
        for slider in self._sliders.values():
            slider.enabled = enabled

    def _slot(self, name: str) -> Callable[[float], None]:
        def move(value: float) -> None:
            # The slider rounds: moved back to where it was, it means the value that was behind it.
            back = name in self._shown and abs(value - self._shown[name]) < 1e-9
            if self.moved is not None and self.moved[0] != name:
                # Another slider, before the first had come to rest: one feature is changed at a time.
                other = self.moved[0]
                blocked = self._sliders[other].blockSignals(True)
                self._sliders[other].value = self._targets[other]
                self._sliders[other].blockSignals(blocked)
            self.moved = name, self._targets[name] if back else value
            self._onMoved()

        return move


def _reach(name: str, value: float, description: ModelDescription | None) -> tuple[float, float]:
    """Give how far a slider reaches for a patient's gland, whatever it is changed to."""
    row = EDIT_ROWS[name]
    low, high = value / 2, 2 * value
    if description is not None:
        low, high = description.feature_range(name)
    margin = _REACH * (high - low)
    return max(row.lower, min(low, value) - margin), min(row.upper, max(high, value) + margin)
