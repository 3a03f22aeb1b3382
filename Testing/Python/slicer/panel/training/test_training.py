"""A training from the panel runs in a background process that is started, monitored, stopped and found again."""

from __future__ import annotations

import time

import pytest

from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.jobs.job import JobFolder, JobState
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
    assert trainer.startButton.text == "Stop training"
    assert trainer.startButton.enabled
    trainer.click("startButton")
    assert trainer.startButton.text != "Stop training" or not trainer.startButton.enabled
    trainer.wait(lambda: status(trainer) == "stopped", 30)
    trainer.wait(lambda: trainer.startButton.text == "Resume training")
    assert trainer.startButton.enabled
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
    trainer.click("startButton")
    trainer.wait(lambda: JobFolder(folder).read_state().status == "stopped", 30)


def test_a_training_that_cannot_start_says_why(hands, cohort, tmp_path):
    def obstacle() -> str:
        hands.app.process_events()
        return "" if hands.startButton.enabled else hands.startButton.toolTip

    assert "Choose a cohort" in obstacle()
    hands.trainingDataPathEdit.setCurrentPath(str(tmp_path / "nowhere"))
    assert "nowhere does not exist" in obstacle()
    hands.trainingDataPathEdit.setCurrentPath(str(cohort))
    assert "Choose a job folder" in obstacle()
    hands.jobPathEdit.setCurrentPath(str(tmp_path / "job"))
    assert obstacle() == ""
    hands.jobPathEdit.setCurrentPath(str(cohort))
    hands.app.dialogs.expect("error", "not a training job")
    hands.click("startButton")


def test_a_finished_training_is_replaced_only_from_scratch(trainer):
    trainer.epochsSpinBox.setValue(2)
    trainer.click("startButton")
    trainer.wait(lambda: "Finished" in trainer.trainingStateLabel.text, 60)
    assert not trainer.startButton.enabled
    assert "tick Start from scratch" in trainer.startButton.toolTip
    assert not trainer.epochsSpinBox.enabled
    trainer.restartCheckBox.click()
    trainer.epochsSpinBox.setValue(3)
    trainer.click("startButton")
    job = JobFolder(trainer.parameters.job)
    trainer.wait(lambda: "Finished" in trainer.trainingStateLabel.text and job.read_state().epochs == 3, 60)
    assert not trainer.restartCheckBox.checked


def interrupted(cohort, folder, **options) -> JobFolder:
    """Return a job of another preset whose process was killed after some epochs."""
    import sys

    from ThyroidSynthLib.jobs.background import start_detached, train_script

    job = job_for(folder, JobOptions(cohort, preset="fast", epochs=MANY, checkpoint_every_s=0.0, **options))
    start_detached(sys.executable, train_script(), job)
    end = time.monotonic() + 60
    while not (job.checkpoint_file.exists() and job.read_state().epoch > 3):
        assert time.monotonic() < end
        time.sleep(0.05)
    process = job.running_process()
    process.kill()
    while process.is_alive():
        time.sleep(0.05)
    return job


def resume(hands, job: JobFolder) -> None:
    """Resume a job by one click, and wait until it has trained further."""
    reached = job.read_state().epoch
    assert hands.startButton.text == "Resume training"
    hands.click("startButton")
    hands.wait(lambda: hands.startButton.text == "Stop training" and job.read_state().epoch > reached, 60)


def test_an_interrupted_training_is_resumed_by_one_click_after_slicer_was_closed(hands, cohort, job_folder):
    """In a new scene whose panel shows no data and another preset, found by the menu of recent trainings."""
    import slicer

    from ThyroidSynthLib.slicer.panel.shared.choices import Preset
    from ThyroidSynthLib.slicer.panel.training.recent_jobs import rememberJob

    job = interrupted(cohort, job_folder, seed=7, held_out=("tiny01",), split_seed=3, licence="CC0")
    config = job.read_config()
    rememberJob(job.path)
    # Of the earlier session, only Slicer's settings and the job folder are left.
    slicer.mrmlScene.Clear(False)
    hands.app.process_events()
    assert hands.parameters.preset is Preset.BEST
    menu = hands.recentJobsButton.menu()
    menu.aboutToShow.emit()
    menu.actions()[0].trigger()
    hands.app.process_events()
    assert "Interrupted" in hands.trainingStateLabel.text
    # What is shown are the settings of the training, which cannot be changed.
    assert hands.parameters.trainingData == cohort
    assert hands.parameters.preset is Preset.FAST
    assert hands.trainingSeedSpinBox.value == 7
    assert not hands.presetSelector.enabled
    assert "Fast, fixed features, 100000 epochs, random seed 7, held out: 1 chosen case" in hands.jobSettingsLabel.text
    resume(hands, job)
    assert job.read_config() == config


def test_a_training_is_resumed_although_the_panel_shows_another_preset(hands, cohort, job_folder, tmp_path):
    from ThyroidSynthLib.slicer.panel.shared.choices import Device, Preset

    job = interrupted(cohort, job_folder)
    config = job.read_config()
    hands.parameters.job = job.path
    # As a script or a scene of another time may set them.
    hands.parameters.preset = Preset.PAPER
    hands.parameters.trainingData = tmp_path / "elsewhere"
    hands.parameters.epochs = 2
    # Only the device may be another one in each run.
    hands.parameters.device = Device.CPU
    hands.app.process_events()
    resume(hands, job)
    assert hands.parameters.preset is Preset.FAST
    assert job.read_config() == {**config, "device": "cpu"}


def test_a_training_interrupted_before_its_first_epoch_starts_again_with_its_own_settings(hands, cohort, job_folder):
    from ThyroidSynthLib.slicer.panel.shared.choices import Preset

    job = job_for(job_folder, JobOptions(cohort, preset="fast", epochs=MANY, split_seed=5, held_out=1.0))
    job.write_state(JobState("failed", message="The computer was switched off."))
    hands.jobPathEdit.setCurrentPath(str(job.path))
    config = job.read_config()
    hands.app.process_events()
    assert hands.startButton.text == "Resume training"
    hands.click("startButton")
    hands.wait(lambda: job.read_state().epoch > 0, 60)
    assert job.read_config() == config
    hands.click("startButton")
    hands.wait(lambda: status(hands) == "stopped", 30)

    # Nothing would be lost by other settings before the first epoch.
    job.checkpoint_file.unlink()
    hands.wait(lambda: hands.presetSelector.enabled)
    hands.choose("presetSelector", "As published")
    assert hands.startButton.text == "Start training"
    hands.click("startButton")
    hands.wait(lambda: job.read_config()["settings"]["preset"] == "paper")
    assert hands.parameters.preset is Preset.PAPER
