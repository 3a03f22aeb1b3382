"""Errors are shown; closing, saving and loading the scene and reloading the module are safe."""

from __future__ import annotations

import pytest

from ThyroidSynthLib.slicer.scene.thyroids.segmentations import generated_thyroids


def test_a_folder_without_cases_is_reported_in_a_dialog(hands, tmp_path):
    hands.app.dialogs.expect("error", "holds no cases")
    hands.load(tmp_path)
    assert hands.statusLabel.text == "Loading failed."
    assert hands.loadButton.enabled


def test_a_file_that_is_no_model_is_reported_in_the_panel(hands, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"nothing of the kind")
    hands.choose_model(path)
    assert "damaged" in hands.modelInfoLabel.text
    assert not hands.generateButton.enabled


def test_a_deleted_model_file_is_reported_in_a_dialog(ready, model_file, tmp_path):
    import shutil

    copy = tmp_path / "model.safetensors"
    shutil.copy(model_file, copy)
    ready.choose_model(copy)
    copy.unlink()
    ready.app.dialogs.expect("error", "Choose a model in")
    ready.click("generateButton")


def test_a_saved_scene_restores_the_parameters(ready, model_file, tmp_path):
    import slicer

    ready.volumeSlider.setValue(21.5)
    ready.symmetryCheckBox.click()
    ready.choose("variantSelector", "Baseline (no steering)")
    ready.seedSpinBox.setValue(77)
    ready.jobPathEdit.setCurrentPath(str(tmp_path / "job"))
    ready.click("generateButton")
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear(False)
    ready.app.process_events()
    assert ready.parameters.ct is None
    assert ready.parameters.seed == 0
    slicer.util.loadScene(path)
    ready.app.process_events()
    parameters = ready.parameters
    assert parameters.seed == ready.seedSpinBox.value == 77
    assert parameters.volumeMl == pytest.approx(21.5)
    assert not parameters.steerSymmetry
    assert not ready.symmetryCheckBox.checked
    assert parameters.model == model_file
    assert parameters.job == tmp_path / "job"
    assert parameters.variant.name == "BASELINE"
    assert parameters.ct.GetName() == "s0000 CT"
    assert parameters.tracheaSegmentID == "trachea"
    assert parameters.result is generated_thyroids(ready.app.scene)[0]
    ready.click("generateButton")
    assert len(generated_thyroids(ready.app.scene)) == 1


def test_closing_the_scene_while_a_thyroid_is_generated_is_safe(ready, monkeypatch):
    import slicer

    from ThyroidSynthLib.slicer.panel.shared.session import Work

    original = Work.progress

    def close_on_the_way(self, fraction, message):
        original(self, fraction, message)
        if 0.25 < fraction < 0.9:
            slicer.mrmlScene.Clear(False)

    monkeypatch.setattr(Work, "progress", close_on_the_way)
    ready.click("generateButton")
    assert not generated_thyroids(ready.app.scene)
    assert not ready.cancelButton.enabled
    assert ready.sourcePathEdit.enabled


def test_closing_the_scene_while_a_case_is_loading_is_safe(hands, dataset, monkeypatch):
    import slicer

    from ThyroidSynthLib.slicer.panel.shared.session import Work

    original = Work.progress

    def close_on_the_way(self, fraction, message):
        original(self, fraction, message)
        if fraction == 0.8:
            slicer.mrmlScene.Clear(False)

    monkeypatch.setattr(Work, "progress", close_on_the_way)
    hands.load(dataset)
    assert hands.app.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
    assert hands.parameters.segmentation is None


def test_cancelling_loading_leaves_no_node(hands, dataset, monkeypatch):
    from ThyroidSynthLib.slicer.panel.shared.session import Work

    original = Work.progress

    def click_cancel(self, fraction, message):
        original(self, fraction, message)
        if hands.cancelButton.enabled:
            hands.cancelButton.click()

    monkeypatch.setattr(Work, "progress", click_cancel)
    hands.load(dataset)
    assert hands.app.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0
    assert hands.parameters.segmentation is None


def test_only_cancel_is_enabled_while_an_operation_runs(hands, dataset, monkeypatch):
    from ThyroidSynthLib.slicer.panel.shared.session import Work

    seen = []
    original = Work.progress

    def look(self, fraction, message):
        original(self, fraction, message)
        seen.append((hands.loadButton.enabled, hands.cancelButton.enabled))

    monkeypatch.setattr(Work, "progress", look)
    hands.load(dataset)
    assert seen
    assert set(seen) == {(False, True)}
    assert hands.loadButton.enabled


def test_parameters_are_kept_when_the_module_is_left_and_entered(ready):
    ready.seedSpinBox.setValue(5)
    ready.module.leave()
    ready.module.select()
    assert ready.seedSpinBox.value == 5
    ready.click("generateButton")


def test_the_module_can_be_reloaded(ready):
    import slicer

    ready.module.reload()
    assert slicer.modules.ThyroidSynthWidget.panel is not None


def test_the_modules_own_self_test_passes(hands):
    hands.module.widget.onTest()
