"""A user at the section Edit, for tests: moves sliders and waits for the exact result."""

from __future__ import annotations

from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment


def fit(hands) -> None:
    """Open the section and fit the patient's thyroid."""
    hands.open("edit")
    hands.click("fitButton")
    hands.measured()
    hands.app.process_events()


def drag(hands, feature: str, value: float) -> None:
    """Move a slider in three steps, and do not wait for the exact result."""
    slider = getattr(hands, f"edit{feature}Slider")
    before = slider.value
    for share in (0.4, 0.8, 1.0):
        slider.value = before + share * (value - before)
        hands.app.process_events()


def settle(hands) -> None:
    """Wait until the exact result of the last move is shown."""
    hands.wait(lambda: not hands.module.widget.panel.edit.moving)
    hands.app.process_events()


def change_volume(hands, factor: float) -> None:
    """Multiply the volume and wait for the exact result."""
    hands.editVolumeSlider.value = factor * hands.editVolumeSlider.value
    settle(hands)


def edited_surface(hands):
    """Return the surface of the edited thyroid in the scene, in `ras_mm`."""
    return surface_of_segment(hands.parameters.edited, SEGMENT_ID)
