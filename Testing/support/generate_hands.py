"""What tests of the section "Generate" look at: the shown thyroid, and whether it has followed the sliders."""

from __future__ import annotations


def pending(hands) -> bool:
    """Check whether the shown thyroid has yet to follow a slider."""
    return hands.module.widget.panel.generate.pending


def rest(hands) -> None:
    """Wait until the exact result for the sliders is shown."""
    hands.wait(lambda: not pending(hands), 60)


def record_of(hands):
    """Return the record of the shown thyroid."""
    from ThyroidSynthLib.slicer.scene.thyroids.records import read_record

    return read_record(hands.parameters.result)


def surface_of(hands):
    """Return the surface of the shown thyroid in `ras_mm`."""
    from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID
    from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment

    return surface_of_segment(hands.parameters.result, SEGMENT_ID)
