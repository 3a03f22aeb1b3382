"""A training from the panel runs in a background process that is started, monitored, stopped and found again."""

from __future__ import annotations

import pytest

from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.jobs.job import JobFolder
from ThyroidSynthLib.jobs.job_options import JobOptions, job_for

MANY = 100_000


@pytest.fixture
def cohort(tmp_path):
    write_tiny_cohort(tmp_path / "cohort")
    return tmp_path / "cohort"


@pytest.fixture
def trainer(hands, cohort, job_folder):
    hands.trainingDataPathEdit.setCurrentPath(str(cohort))
    hands.jobPathEdit.setCurrentPath(str(job_folder))
    return hands


def status(hands):
    return JobFolder(hands.parameters.job).read_state().status


def test_a_training_is_started_monitored_and_stopped(trainer):
    trainer.epochsSpinBox.setValue(MANY)
    trainer.click("startButton")
    trainer.wait(lambda: "Epoch" in trainer.trainingStateLabel.text, 60)
    process = JobFolder(trainer.parameters.job).running_process()
    assert process.is_alive()
    assert not trainer.startButton.enabled
    trainer.click("stopButton")
    trainer.wait(lambda: status(trainer) == "stopped", 30)
    trainer.wait(lambda: trainer.startButton.enabled)
    assert trainer.startButton.text == "Resume &training"
    assert "resumed" in trainer.trainingStateLabel.text
    trainer.wait(lambda: not process.is_alive())
    assert JobFolder(trainer.parameters.job).checkpoint_file.is_file()


def test_a_finished_model_is_added_to_the_model_library(trainer):
    trainer.epochsSpinBox.setValue(3)
    trainer.click("startButton")
    trainer.wait(lambda: "Finished" in trainer.trainingStateLabel.text, 60)
    assert trainer.trainingProgressBar.value == trainer.trainingProgressBar.maximum
    trainer.click("useModelButton")
    assert trainer.parameters.model.name == "job.safetensors"
    assert trainer.parameters.model.read_bytes() == (trainer.parameters.job / "model.safetensors").read_bytes()
    assert "added to the model library" in trainer.statusLabel.text
    assert "4 training cases" in trainer.modelInfoLabel.text


def test_a_training_continues_after_the_scene_was_closed_and_is_found_again(trainer):
    import slicer

    trainer.epochsSpinBox.setValue(MANY)
    trainer.click("startButton")
    trainer.wait(lambda: "Epoch" in trainer.trainingStateLabel.text, 60)
    folder = trainer.parameters.job
    slicer.mrmlScene.Clear(False)
    trainer.app.process_events()
    assert "No training" in trainer.trainingStateLabel.text
    assert JobFolder(folder).is_running()
    trainer.jobPathEdit.setCurrentPath(str(folder))
    trainer.wait(lambda: "Epoch" in trainer.trainingStateLabel.text)
    trainer.click("stopButton")
    trainer.wait(lambda: JobFolder(folder).read_state().status == "stopped", 30)


def test_missing_input_is_reported_in_a_dialog(hands, tmp_path):
    hands.app.dialogs.expect("error", "Choose a cohort")
    hands.click("startButton")
    hands.trainingDataPathEdit.setCurrentPath(str(tmp_path / "nowhere"))
    hands.app.dialogs.expect("error", "Choose a job folder")
    hands.click("startButton")
    hands.jobPathEdit.setCurrentPath(str(tmp_path / "job"))
    hands.app.dialogs.expect("error", "does not exist")
    hands.click("startButton")
    assert hands.startButton.enabled


def test_a_job_with_other_settings_is_not_replaced_without_asking(trainer):
    trainer.epochsSpinBox.setValue(2)
    trainer.click("startButton")
    trainer.wait(lambda: "Finished" in trainer.trainingStateLabel.text, 60)
    trainer.epochsSpinBox.setValue(3)
    trainer.app.dialogs.expect("error", "another training job")
    trainer.click("startButton")
    trainer.restartCheckBox.click()
    trainer.click("startButton")
    job = JobFolder(trainer.parameters.job)
    trainer.wait(lambda: "Finished" in trainer.trainingStateLabel.text and job.read_state().epochs == 3, 60)
    assert not trainer.restartCheckBox.checked


def test_a_training_is_resumed_after_reopening_with_the_settings_it_was_started_with(trainer, cohort):
    import slicer

    from ThyroidSynthLib.slicer.panel.shared.choices import Device

    options = JobOptions(cohort, epochs=MANY, seed=7, checkpoint_every_s=0.0, held_out=("tiny01",), split_seed=3)
    job = job_for(trainer.parameters.job, options)
    config = job.read_config()
    trainer.epochsSpinBox.setValue(0)
    slicer.mrmlScene.Clear(False)
    trainer.app.process_events()
    trainer.jobPathEdit.setCurrentPath(str(job.path))
    for _ in range(2):
        trainer.click("startButton")
        trainer.wait(lambda: job.checkpoint_file.is_file() and "Epoch" in trainer.trainingStateLabel.text, 60)
        reached = job.read_state().epoch
        trainer.click("stopButton")
        trainer.wait(lambda: trainer.startButton.text == "Resume &training" and trainer.startButton.enabled, 30)
    assert job.read_config() == config
    assert reached > 0
    # Of the settings in the panel, only the device applies to a resumed training.
    trainer.trainingDataPathEdit.setCurrentPath(str(cohort))
    trainer.epochsSpinBox.setValue(2)
    trainer.parameters.device = Device.CPU
    trainer.click("startButton")
    trainer.wait(lambda: status(trainer) == "running", 60)
    assert job.read_config() == {**config, "device": "cpu"}
