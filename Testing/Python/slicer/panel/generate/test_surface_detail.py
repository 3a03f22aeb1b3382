"""The resolution of surfaces: chosen in Generate, coarser while a slider is dragged, saved with the scene."""

from __future__ import annotations

import pytest

from support.generate_hands import record_of, rest, surface_of
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID
from ThyroidSynthLib.slicer.scene.volumes import features_of_segment

STANDARD, FINE = "Standard (64³)", "Fine (128³)"


def choose(hands, text: str) -> None:
    hands.choose("detailSelector", text)
    rest(hands)


def faces_of(hands) -> int:
    return len(surface_of(hands).faces)


def test_a_finer_surface_matches_the_targets_after_choosing_it_a_click_and_a_drag(made):
    assert (made.detailSelector.currentText, record_of(made).resolution) == (STANDARD, 64)
    coarse = faces_of(made)
    for act in (
        lambda: choose(made, FINE),
        lambda: made.click("generateButton"),
        lambda: made.volumeSlider.setValue(made.volumeSlider.value + 2),
    ):
        act()
        rest(made)
        record = record_of(made)
        assert record.resolution == 128
        assert faces_of(made) > 3 * coarse
        assert record.met
        measured = features_of_segment(made.parameters.result, SEGMENT_ID, record.placement)
        assert measured.volume_ml == pytest.approx(record.targets["volume_ml"], rel=0.02)
    choose(made, STANDARD)
    assert record_of(made).resolution == 64
    assert faces_of(made) < 2 * coarse


def test_a_drag_uses_at_most_the_standard_resolution(made, monkeypatch):
    from ThyroidSynthLib.generation.steer.live_steering import LiveSteering

    choose(made, FINE)
    used = []
    follow = LiveSteering.follow

    def recorded(self, targets, *, resolution=64):
        followed = follow(self, targets, resolution=resolution)
        used.append(followed.resolution)
        return followed

    monkeypatch.setattr(LiveSteering, "follow", recorded)
    for step in range(1, 5):
        made.volumeSlider.setValue(made.volumeSlider.value + 0.5 * step)
        made.app.process_events()
    rest(made)
    assert used
    assert max(used) <= 64
    assert record_of(made).resolution == 128


def test_direct_sampling_uses_the_chosen_resolution(made):
    made.exactCheckBox.setChecked(False)
    choose(made, FINE)
    made.click("generateButton")
    drawn = record_of(made)
    assert (drawn.resolution, drawn.met) == (128, None)
    choose(made, STANDARD)
    assert record_of(made).code == drawn.code
    assert record_of(made).resolution == 64


def test_thumbnails_distinguish_resolutions_and_the_choice_is_saved(made, tmp_path):
    made.exactCheckBox.setChecked(False)
    made.click("generateButton")
    coarse = faces_of(made)
    choose(made, FINE)
    made.click("history2Button")
    assert (faces_of(made), record_of(made).resolution) == (coarse, 64)
    made.click("history2Button")
    assert record_of(made).resolution == 128
    path = made.save_and_close(tmp_path)
    assert made.detailSelector.currentText == STANDARD
    made.open_scene(path)
    assert made.detailSelector.currentText == FINE
    assert record_of(made).resolution == 128


def test_a_thumbnail_is_drawn_once(made, monkeypatch):
    from ThyroidSynthLib.slicer.panel.generate import recent_thyroids as history

    drawn = []
    monkeypatch.setattr(history, "shadedPixmap", lambda *arguments, **more: drawn.append(1) or _empty())
    made.module.panel.show()
    for seed in (4, 5):
        made.seedSpinBox.setValue(seed)
        made.click("generateButton")
    assert len(drawn) == 2


def _empty():
    import qt

    return qt.QPixmap(8, 8)
