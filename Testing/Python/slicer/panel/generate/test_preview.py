"""An interrupted preview never stays: the thyroid from before is shown again, with its targets."""

from __future__ import annotations

import numpy as np
import pytest

from support.generate_hands import pending, record_of, rest, surface_of
from support.hand_edits import erase_half
from support.panel_hands import on_progress
from ThyroidSynthLib.slicer.scene.thyroids.collection import is_visible
from ThyroidSynthLib.slicer.scene.thyroids.records import read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import generated_thyroids


def drag(hands, value: float = 30.0) -> None:
    """Move the slider of the volume, and wait for a preview only."""
    hands.volumeSlider.setValue(value)
    hands.app.process_events()


def state(hands) -> tuple:
    return record_of(hands), surface_of(hands).vertices.tolist(), hands.volumeSlider.value


@pytest.fixture
def before(made):
    return state(made)


def test_cancel_ends_the_exact_result_and_the_preview(made, before, monkeypatch):
    done = on_progress(monkeypatch, "", lambda: made.cancelButton.click())
    drag(made)
    assert record_of(made) != before[0]
    rest(made)
    assert done
    assert state(made) == before
    # The next move starts from there.
    drag(made, 20.0)
    rest(made)
    assert record_of(made).measured["volume_ml"] == pytest.approx(20.0, rel=0.02)


def test_a_fault_ends_the_preview(made, before, monkeypatch):
    def fail():
        raise MemoryError

    on_progress(monkeypatch, "", fail)
    made.app.dialogs.expect("error", "memory")
    drag(made)
    rest(made)
    assert state(made) == before


def test_leaving_the_module_ends_the_preview(made, before):
    node = made.parameters.result
    drag(made)
    made.module.leave()
    assert read_record(node) == before[0]
    made.module.select()
    made.app.process_events()
    assert state(made) == before
    assert not pending(made)


def test_a_saved_scene_holds_the_exact_thyroid_and_the_drag_goes_on(made, before, tmp_path):
    import slicer

    drag(made)
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    rest(made)
    assert record_of(made).measured["volume_ml"] == pytest.approx(30.0, rel=0.02)
    slicer.mrmlScene.Clear(False)
    made.open_scene(path)
    assert record_of(made) == before[0]
    np.testing.assert_allclose(surface_of(made).vertices, np.array(before[1]), atol=1e-3)


def test_another_result_or_patient_ends_the_preview(made, before):
    node = made.parameters.result
    drag(made)
    made.resultSelector.setCurrentNode(None)
    made.app.process_events()
    assert read_record(node) == before[0]
    # The targets are the user's, for the next thyroid.
    assert made.volumeSlider.value == pytest.approx(30.0)


def test_a_cancelled_new_thyroid_ends_the_preview(made, before, monkeypatch):
    drag(made)
    on_progress(monkeypatch, "model", lambda: made.cancelButton.click())
    made.click("generateButton")
    assert (record_of(made), surface_of(made).vertices.tolist()) == before[:2]


def test_a_preview_beside_a_thyroid_edited_by_hand_is_removed(made, before, monkeypatch):
    node = made.parameters.result
    erase_half(node, made.parameters.ct)
    made.app.process_events()
    on_progress(monkeypatch, "", lambda: made.cancelButton.click())
    drag(made)
    assert made.parameters.result is not node
    rest(made)
    made.app.process_events()
    assert made.parameters.result is node
    assert generated_thyroids(made.app.scene) == [node]
    assert is_visible(node)


def test_ticking_a_free_feature_keeps_what_is_there(made):
    made.symmetryCheckBox.click()
    drag(made, 22.0)
    rest(made)
    now = record_of(made).measured["symmetry"]
    made.symmetrySlider.setValue(0.9)
    made.app.process_events()
    made.symmetryCheckBox.click()
    assert made.symmetrySlider.value == pytest.approx(now, abs=0.006)
    rest(made)
    assert record_of(made).measured["symmetry"] == pytest.approx(now, abs=0.012)
