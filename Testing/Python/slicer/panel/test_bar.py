"""The bar above the tabs: name, colour and visibility of the current thyroid."""

from __future__ import annotations

import pytest

from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID


@pytest.fixture
def made(ready):
    ready.click("generateButton")
    return ready


def settled(hands) -> None:
    """Wait until the panel has followed the last change of the scene."""
    hands.app.process_events()
    hands.wait(lambda: not hands.module.widget.panel.watch.pending)
    hands.app.process_events()


def colour_shown(hands) -> tuple[int, ...]:
    return hands.currentColourButton.icon.pixmap(8, 8).toImage().pixelColor(4, 4).getRgb()[:3]


def test_without_a_thyroid_there_is_nothing_to_show_or_colour(ready):
    assert not ready.currentColourButton.visible
    assert not ready.currentShownCheckBox.visible


def test_the_current_thyroid_is_hidden_and_shown_in_the_bar(made):
    display = made.parameters.result.GetDisplayNode()
    assert made.currentShownCheckBox.checked
    made.click("currentShownCheckBox")
    assert not display.GetVisibility()
    made.click("currentShownCheckBox")
    assert display.GetVisibility()
    display.SetVisibility(False)
    settled(made)
    assert not made.currentShownCheckBox.checked


def test_the_current_thyroid_is_coloured_in_the_bar(made, monkeypatch):
    import qt

    segment = made.parameters.result.GetSegmentation().GetSegment(SEGMENT_ID)
    assert colour_shown(made) == tuple(round(255 * channel) for channel in segment.GetColor())
    monkeypatch.setattr(qt.QColorDialog, "getColor", lambda *_arguments: qt.QColor(0, 0, 255))
    made.click("currentColourButton")
    settled(made)
    assert segment.GetColor() == (0.0, 0.0, 1.0)
    assert colour_shown(made) == (0, 0, 255)


def test_undo_is_enabled_again_after_an_operation_that_leaves_the_panel_enabled(made):
    made.seedSpinBox.setValue(8)
    made.click("generateButton")
    made.measured()
    panel = made.module.widget.panel
    with panel.session.work("Measuring", blocking=False):
        panel.bar.refreshSteps()
        assert not made.undoButton.enabled
    assert made.undoButton.enabled


def test_another_thyroid_can_be_chosen_after_an_operation_during_which_the_bar_was_refreshed(made):
    panel = made.module.widget.panel
    with panel.session.work("Generating"):
        panel.bar.refresh()
        assert not made.currentSelector.enabled
    assert made.currentSelector.enabled
