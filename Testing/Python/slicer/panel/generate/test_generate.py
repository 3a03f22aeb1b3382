"""Section "Generate": sliders that the thyroid follows, thumbnails, random seeds, similar thyroids."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import numpy as np
import pytest

from support.generate_hands import pending, record_of, rest, surface_of
from support.panel_hands import on_progress
from ThyroidSynthLib.slicer.scene.thyroids.records import FITTED, SOURCE_ROLE, read_record, write_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID, generated_thyroids
from ThyroidSynthLib.slicer.scene.volumes import features_of_segment, placement_of_patient, surface_of_segment


def drag(hands, name: str, *values: float) -> None:
    """Drag a slider's handle from value to value, processing events after each."""
    slider = getattr(hands, name)
    for value in values:
        share = (value - slider.minimum) / (slider.maximum - slider.minimum)
        inner = next(each for each in slider.children() if each.objectName == "Slider")
        inner.setValue(round(share * inner.maximum))
        hands.app.process_events()


def test_the_thyroid_follows_the_slider_in_all_views_and_no_camera_moves(made):
    node, camera = made.parameters.result, made.app.view("1").camera_node()
    nodes = made.app.scene.GetNumberOfNodes()
    before = (camera.GetPosition(), camera.GetFocalPoint())
    volumes, pictures = [], []
    for values in ((17.0,), (18.0, 19.0), (20.0, 21.0)):
        drag(made, "volumeSlider", *values)
        volumes.append(surface_of_segment(node, SEGMENT_ID).volume / 1000)
        pictures.append({name: made.app.view(name).grab().astype(int) for name in ("Red", "Green", "1")})
    assert volumes == sorted(volumes)
    assert volumes[-1] - volumes[0] > 2.0
    for name in ("Red", "Green", "1"):
        assert (np.abs(pictures[-1][name] - pictures[0][name]).max(axis=2) > 20).any(), name
    assert made.parameters.result is node
    assert (camera.GetPosition(), camera.GetFocalPoint()) == before
    assert made.app.scene.GetNumberOfNodes() == nodes
    # The record belongs to the surface that is shown.
    assert record_of(made).measured["volume_ml"] == pytest.approx(volumes[-1], rel=1e-3)


def test_the_patient_is_measured_after_a_slider_rests(ready):
    ready.click("generateButton")
    ready.measured()
    drag(ready, "volumeSlider", 20.0)
    ready.choose("tracheaSelector", "thyroid gland")
    ready.choose("tracheaSelector", "trachea")
    assert ready.ownFeaturesLabel.text == "measuring…"
    end = time.monotonic() + 0.6
    while time.monotonic() < end:
        drag(ready, "volumeSlider", 20.0 + 0.1 * (time.monotonic() % 1))
    assert ready.ownFeaturesLabel.text == "measuring…"
    assert record_of(ready).targets["volume_ml"] == pytest.approx(20.05, abs=0.11)
    ready.measured()


def test_targets_are_matched_when_the_slider_rests(made):
    drag(made, "volumeSlider", 18.0, 20.0, 22.0)
    rest(made)
    record = record_of(made)
    assert record.met
    for name, value in record.targets.items():
        assert record.measured[name] == pytest.approx(value, rel=0.03, abs=3.0 if "area" in name else 0.01)
    assert record.targets["volume_ml"] == pytest.approx(22.0, abs=0.06)
    assert record.seed == 3
    assert not made.cancelButton.enabled
    assert "measured 22" in made.volumeRangeLabel.text


def test_moving_a_slider_back_restores_the_shape(made):
    value, before = made.volumeSlider.value, record_of(made).code
    drag(made, "volumeSlider", 18.0, 21.0)
    rest(made)
    assert np.abs(np.subtract(record_of(made).code, before)).max() > 1e-2
    made.volumeSlider.setValue(value)
    rest(made)
    np.testing.assert_allclose(record_of(made).code, before, atol=0.02)


def test_a_new_target_cancels_the_exact_result_of_the_previous_one(made, monkeypatch):
    from ThyroidSynthLib.generation.steer.live_steering import LiveSteering

    settled, original = [], LiveSteering.settle

    def settle(self, targets, **callbacks):
        settled.append(targets.volume_ml)
        if len(settled) == 1:
            made.volumeSlider.setValue(25.0)
        return original(self, targets, **callbacks)

    monkeypatch.setattr(LiveSteering, "settle", settle)
    made.volumeSlider.setValue(20.0)
    rest(made)
    assert settled == [20.0, 25.0]
    assert record_of(made).targets["volume_ml"] == 25.0
    assert record_of(made).met


def test_a_click_cancels_the_exact_result_and_is_carried_out(made, monkeypatch):
    from ThyroidSynthLib.generation.steer.live_steering import LiveSteering

    original = LiveSteering.settle

    def settle(self, targets, **callbacks):
        monkeypatch.undo()
        made.randomButton.click()
        return original(self, targets, **callbacks)

    monkeypatch.setattr(LiveSteering, "settle", settle)
    made.volumeSlider.setValue(20.0)
    rest(made)
    assert record_of(made).seed == made.seedSpinBox.value != 3
    assert made.volumeSlider.enabled


def test_closing_the_scene_during_the_exact_result_is_safe(made, monkeypatch):
    done = on_progress(monkeypatch, "", lambda: made.app.scene.Clear(False))
    made.volumeSlider.setValue(20.0)
    rest(made)
    assert done
    assert not generated_thyroids(made.app.scene)
    assert made.historyWidget.isHidden()
    assert not made.cancelButton.enabled


def test_without_live_preview_only_generate_changes_the_thyroid(made):
    before = record_of(made)
    made.liveCheckBox.click()
    drag(made, "volumeSlider", 20.0)
    assert not pending(made)
    assert record_of(made) == before
    made.click("generateButton")
    assert record_of(made).targets["volume_ml"] == pytest.approx(20.0, abs=0.06)


def test_without_exact_matching_the_last_preview_stays(made):
    made.exactCheckBox.click()
    drag(made, "volumeSlider", 19.0)
    rest(made)
    assert record_of(made).met is None
    assert made.history1Button.checked


def test_a_removed_target_changes_nothing_and_an_added_one_is_followed(made):
    before = record_of(made)
    made.symmetryCheckBox.click()
    made.app.process_events()
    assert not pending(made)
    assert record_of(made) == before
    made.symmetryCheckBox.click()
    rest(made)
    assert record_of(made).measured["symmetry"] == pytest.approx(made.symmetrySlider.value, abs=0.011)


def test_a_loaded_scene_has_its_thumbnails_and_follows_the_sliders(made, tmp_path):
    made.resultSelector.setCurrentNode(None)
    made.click("randomButton")
    before = record_of(made)
    path = made.save_and_close(tmp_path)
    assert made.historyWidget.isHidden()
    made.open_scene(path)
    made.wait(lambda: not made.history2Button.isHidden())
    assert record_of(made) == before
    assert not pending(made)
    os.utime(made.parameters.model)  # The model is read again, as after a restart of the application.
    made.volumeSlider.setValue(made.volumeSlider.value + 3.0)
    rest(made)
    record = record_of(made)
    assert record.seed == before.seed
    assert record.measured["volume_ml"] == pytest.approx(made.volumeSlider.value, rel=0.03)


def test_a_thumbnail_restores_its_thyroid_targets_and_seed(made):
    first, vertices = record_of(made), surface_of(made).vertices
    made.symmetryCheckBox.click()
    made.volumeSlider.setValue(24.0)
    rest(made)
    made.click("randomButton")
    assert made.history1Button.checked
    assert not made.history3Button.checked
    made.click("history3Button")
    assert record_of(made) == first
    np.testing.assert_allclose(surface_of(made).vertices, vertices, atol=1e-3)
    assert made.seedSpinBox.value == 3
    assert made.symmetryCheckBox.checked
    assert made.volumeSlider.value == first.targets["volume_ml"]
    made.app.process_events()
    assert not pending(made)
    assert made.history1Button.checked
    assert made.history4Button.isHidden()


def test_some_thumbnails_are_kept_and_they_show_different_shapes(made):
    made.exactCheckBox.click()
    for _ in range(7):
        made.click("randomButton")
    from ThyroidSynthLib.slicer.panel.generate.recent_thyroids import LENGTH

    buttons = [getattr(made, f"history{number}Button") for number in range(1, 1 + LENGTH)]
    assert not any(button.isHidden() for button in buttons)
    assert made.historyWidget.minimumSizeHint.width() < 430
    pictures = {bytes(button.icon.pixmap(56, 56).toImage().constBits()) for button in buttons}
    assert len(pictures) == LENGTH
    assert all("seed" in button.toolTip for button in buttons)


def test_thumbnails_follow_the_theme(made):
    import qt

    def corner() -> int:
        return made.history1Button.icon.pixmap(56, 56).toImage().pixelColor(1, 1).lightness()

    application = qt.QApplication.instance()
    light = application.palette()
    dark = qt.QPalette(light)
    for role in (qt.QPalette.Window, qt.QPalette.Base):
        dark.setColor(role, qt.QColor(35, 37, 40))
    assert corner() > 200
    try:
        application.setPalette(dark)
        made.app.process_events()
        assert corner() < 60
    finally:
        application.setPalette(light)


def placement_of(hands):
    """Return the trachea frame of the chosen patient."""
    parameters = hands.parameters
    return placement_of_patient(
        parameters.segmentation, parameters.tracheaSegmentID, parameters.thyroidSegmentID, "upright"
    )


def test_a_thyroid_of_another_patient_is_restored_at_the_trachea_of_this_one(made, dataset):
    made.load(dataset)
    made.click("history1Button")
    placement = placement_of(made)
    np.testing.assert_allclose(record_of(made).placement.trachea_to_ras, placement.trachea_to_ras)
    assert len(generated_thyroids(made.app.scene)) == 2


def test_without_a_thyroid_one_is_generated_at_an_estimated_level_which_is_stated(ready):
    own = placement_of(ready).origin_ras
    ready.choose("thyroidSelector", "none")
    ready.parameters.segmentation.GetSegmentation().RemoveSegment("thyroid_gland")
    ready.wait(lambda: "new ones are placed at an estimated level" in ready.qualityLabel.text)
    ready.click("generateButton")
    ready.wait(lambda: ready.parameters.result is not None)

    estimated = record_of(ready).placement.origin_ras
    # Largest error of the estimate in the example cohort.
    assert 0.1 < np.linalg.norm(estimated - own) < 13.0


def test_a_similar_thyroid_has_the_features_of_the_patients_own(made):
    own = features_of_segment(made.parameters.segmentation, made.parameters.thyroidSegmentID, placement_of(made))
    made.symmetryCheckBox.click()
    made.click("similarButton")
    assert made.volumeSlider.value == pytest.approx(own.volume_ml, abs=0.06)
    assert made.isthmusAreaSlider.value == pytest.approx(own.isthmus_area_mm2, abs=0.6)
    assert made.symmetrySlider.value == pytest.approx(own.symmetry, abs=0.006)
    assert made.symmetryCheckBox.checked
    record = record_of(made)
    assert record.seed == made.seedSpinBox.value
    assert record.measured["volume_ml"] == pytest.approx(own.volume_ml, rel=0.05)
    made.app.process_events()
    assert not pending(made)


def test_a_similar_thyroid_is_near_the_fitted_shape(made, model_file):
    from ThyroidSynthLib.model.code_space import CodeSpace
    from ThyroidSynthLib.model.trained_model import TrainedModel

    model, parameters = TrainedModel.load(model_file), made.parameters
    code = tuple(float(value) for value in model.codes[5])
    fit = record_of(made)
    fit = replace(fit, kind=FITTED, code=code, source_segment=parameters.thyroidSegmentID)
    write_record(parameters.result, fit)
    parameters.result.SetNodeReferenceID(SOURCE_ROLE, parameters.segmentation.GetID())
    fitted, space = parameters.result, CodeSpace.of(model)
    made.exactCheckBox.click()

    def distance() -> float:
        return float(np.sqrt(space.length(np.subtract(record_of(made).code, code)) ** 2 / len(code)))

    made.click("similarButton")
    assert parameters.result is not fitted
    assert read_record(fitted) == fit
    near = distance()
    made.click("randomButton")
    assert near < distance()


def test_a_fitted_thyroid_is_not_replaced(made):
    node = made.parameters.result
    record = replace(record_of(made), kind=FITTED)
    write_record(node, record)
    drag(made, "volumeSlider", 20.0)
    assert not pending(made)
    made.click("randomButton")
    assert read_record(node) == record
    assert made.parameters.result is not node
