"""Preparing a training: quality control and manual decisions, the computer, and the estimated duration."""

from __future__ import annotations

import pytest

from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.jobs.estimate import Estimate, EstimateResult
from ThyroidSynthLib.jobs.job import JobFolder
from ThyroidSynthLib.jobs.machine import Gpu, Machine

GIB = 1024**3
CPU = Machine(8, 32 * GIB, 16 * GIB, "2.5.1")
GPU = Machine(8, 32 * GIB, 16 * GIB, "2.5.1", "12.4", (Gpu("RTX 4090", 24 * GIB, 20 * GIB),))


def rows(hands) -> dict[str, int]:
    table = hands.casesTable
    return {table.item(row, 0).text(): row for row in range(table.rowCount)}


def verdicts(hands) -> dict[str, str]:
    return {case: hands.casesTable.item(row, 2).text() for case, row in rows(hands).items()}


def tick(hands, case: str, checked: bool) -> None:
    import qt

    hands.casesTable.item(rows(hands)[case], 0).setCheckState(qt.Qt.Checked if checked else qt.Qt.Unchecked)
    hands.app.process_events()


def choose_cohort(hands, folder, *, cases: int) -> None:
    write_tiny_cohort(folder, cases=cases, samples_per_shape=20)
    hands.trainingDataPathEdit.setCurrentPath(str(folder))


def test_cases_are_included_and_excluded_manually_before_the_training(opened, estimates, cases, tmp_path):
    import qt

    hands = opened
    hands.trainingDataPathEdit.setCurrentPath(str(cases))
    assert not hands.checkCasesButton.enabled and "Choose a job folder" in hands.checkCasesButton.toolTip
    hands.jobPathEdit.setCurrentPath(str(tmp_path / "job"))
    assert "trachea's axis" in hands.trainingDataInfoLabel.text
    assert not hands.casesTable.isVisibleTo(hands.module.panel)
    hands.epochsSpinBox.setValue(2)
    estimates.result = EstimateResult(CPU, Estimate("cpu", 4, False, 1.5, 2.0, 3.0))
    hands.wait(lambda: "4 cases, if none is excluded" in hands.estimateLabel.text)
    hands.click("checkCasesButton")
    hands.wait(lambda: "Cases checked" in hands.trainingStateLabel.text, 90)
    assert hands.casesTable.isVisibleTo(hands.module.panel) and list(rows(hands)) == ["s0", "s1", "s2", "s3"]
    assert hands.casesLabel.text == "2 of 4 cases are used, 2 of them flagged."
    same = "flagged: its thyroid is the same as in {}; if it is one patient, exclude one"
    assert verdicts(hands) == {
        "s0": same.format("s1"),
        "s1": same.format("s0"),
        "s2": "excluded: cut by the scan's border",
        "s3": "excluded: empty thyroid",
    }
    table = hands.casesTable
    assert "isthmus area" in table.item(2, 2).toolTip() and "empty thyroid" in table.item(3, 2).toolTip()
    assert table.item(0, 1).text().strip() == "9.4"
    assert not table.item(3, 0).flags() & qt.Qt.ItemIsUserCheckable, "it has no gland"

    hands.wait(lambda: "About" in hands.estimateLabel.text)
    assert len(estimates.requests) == 1, "the estimate from before the check is used"

    tick(hands, "s2", True)
    tick(hands, "s0", False)
    assert hands.casesLabel.text == "2 of 4 cases are used, 1 of them flagged, 2 included or excluded manually."
    assert verdicts(hands)["s2"] == "included manually: cut by the scan's border"
    assert verdicts(hands)["s0"] == "excluded manually"
    job = JobFolder(tmp_path / "job")
    assert (job.read_config()["include"], job.read_config()["exclude"]) == (["s2"], ["s0"])

    hands.click("startButton")
    hands.wait(lambda: "Finished" in hands.trainingStateLabel.text, 120)
    assert Cohort.open(job.path / "cohort").ids == ("s1", "s2")
    assert "2 of 4 cases are used" in hands.casesLabel.text and "2 included or excluded" in hands.casesLabel.text
    assert not table.item(0, 0).flags() & qt.Qt.ItemIsUserCheckable, "the training has begun"
    assert not hands.checkCasesButton.isVisibleTo(hands.module.panel)
    hands.restartCheckBox.click()
    assert hands.checkCasesButton.isVisibleTo(hands.module.panel)


def test_the_verdicts_of_a_prepared_cohort_are_read_only(opened, cases, tmp_path):
    import qt

    from ThyroidSynthLib.dataset.prepare import PrepareOptions, prepare_cohort

    prepare_cohort(cases, tmp_path / "cohort", PrepareOptions(alignment="trachea", samples_per_shape=50), workers=1)
    opened.trainingDataPathEdit.setCurrentPath(str(tmp_path / "cohort"))
    assert "Cohort of 2 cases" in opened.trainingDataInfoLabel.text
    assert "centred" in opened.trainingDataInfoLabel.text
    assert list(rows(opened)) == ["s0", "s1", "s2", "s3"]
    assert not opened.casesTable.item(0, 0).flags() & qt.Qt.ItemIsUserCheckable
    assert not opened.checkCasesButton.isVisibleTo(opened.module.panel)


def test_the_estimated_duration_follows_the_settings(opened, estimates, tmp_path):
    choose_cohort(opened, tmp_path / "cohort", cases=2)
    assert "Measuring" in opened.estimateLabel.text
    opened.wait(lambda: opened.estimateLabel.text == "About 10 min on this CPU (100 cases, 400 epochs).")
    assert "8 cores, 17.2 of 34.4 GB free" in opened.deviceInfoLabel.text
    assert not opened.trainingWarningLabel.isVisibleTo(opened.module.panel)
    opened.epochsSpinBox.setValue(8000)
    assert "About 3.3 h" in opened.estimateLabel.text
    assert "Without a GPU the training takes 3.3 h" in opened.trainingWarningLabel.text
    opened.trainingSeedSpinBox.setValue(4)
    assert len(estimates.requests) == 1, "epochs and seed need no other estimate"
    opened.choose("variantSelector", "Baseline (no steering)")
    opened.wait(lambda: len(estimates.requests) == 2 and "About" in opened.estimateLabel.text)
    assert estimates.requests[1].settings.variant == "baseline"


def test_held_out_cases_are_shown_and_passed_to_the_job(opened, estimates, tmp_path, monkeypatch):
    monkeypatch.setattr("ThyroidSynthLib.slicer.panel.training.section.start_detached", lambda *arguments, **options: 0)
    choose_cohort(opened, tmp_path / "cohort", cases=5)
    opened.jobPathEdit.setCurrentPath(str(tmp_path / "job"))
    assert opened.heldOutSpinBox.text == "none"
    opened.heldOutSpinBox.setValue(20)
    opened.wait(lambda: opened.estimateLabel.text == "About 8 min on this CPU (80 cases and 20 held out, 400 epochs).")
    assert len(estimates.requests) == 1
    opened.click("startButton")
    config = JobFolder(tmp_path / "job").read_config()
    assert config["held_out"] == 0.2 and len(config["held_out_ids"]) == 1


def test_an_impossible_share_of_held_out_cases_is_reported_before_the_start(opened, estimates, tmp_path):
    estimates.result = EstimateResult(CPU, Estimate("cpu", 4, True, 1.5))
    choose_cohort(opened, tmp_path / "cohort", cases=4)
    opened.heldOutSpinBox.setValue(10)
    opened.wait(lambda: "10% of 4 cases is less than half a case" in opened.trainingWarningLabel.text)
    opened.heldOutSpinBox.setValue(80)
    opened.wait(lambda: "1 are left for training" in opened.trainingWarningLabel.text)


@pytest.mark.parametrize(
    ("machine", "estimate", "warning"),
    [
        (GPU, Estimate("cuda", 100, True, 0.1, gpu_bytes=80_000_000), ""),
        (GPU, Estimate("cuda", 100, True, 0.1, gpu_bytes=80_000_000_000), "need 80.0 GB of GPU memory"),
        (GPU, Estimate("cpu", 100, True, 1.5), "has a GPU (RTX 4090)"),
        (CPU, Estimate("cpu", 100, True, 1.5), ""),
    ],
)
def test_problems_of_the_settings_are_reported(opened, estimates, tmp_path, machine, estimate, warning):
    estimates.result = EstimateResult(machine, estimate)
    choose_cohort(opened, tmp_path / "cohort", cases=2)
    opened.wait(lambda: "About" in opened.estimateLabel.text)
    assert warning in opened.trainingWarningLabel.text and bool(warning) == bool(opened.trainingWarningLabel.text)
    if machine is GPU:
        assert "RTX 4090: 21.5 of 25.8 GB free" in opened.deviceInfoLabel.text


def test_a_section_out_of_sight_estimates_nothing_until_it_is_opened(hands, estimates, tmp_path):
    section = hands.module.widget.panel.train
    section.isOpen = lambda: False
    choose_cohort(hands, tmp_path / "cohort", cases=2)
    hands.app.process_events()
    assert not estimates.requests and hands.estimateLabel.text == ""
    section.isOpen = lambda: True
    section.opened()
    hands.wait(lambda: "About" in hands.estimateLabel.text)


def test_a_duration_is_measured_in_a_background_process(hands, tmp_path):
    write_tiny_cohort(tmp_path / "cohort", cases=2, samples_per_shape=20)
    hands.open("train")
    hands.trainingDataPathEdit.setCurrentPath(str(tmp_path / "cohort"))
    hands.wait(lambda: "2 cases, 400 epochs" in hands.estimateLabel.text, 90)
    assert "cores" in hands.deviceInfoLabel.text


def test_many_cases_do_not_freeze_the_window(opened, tmp_path):
    import time

    from ThyroidSynthLib.dataset.quality_table import CaseVerdict
    from ThyroidSynthLib.slicer.panel.training.cases_table import CasesTable

    features = {"volume_ml": 12.0, "isthmus_area_mm2": 40.0, "symmetry": 0.6}
    volumes = [4.0 + n % 200 for n in range(1500)]
    verdicts = [
        CaseVerdict(f"s{n:04d}", True, True, (), (), "", {**features, "volume_ml": volume})
        for n, volume in enumerate(volumes)
    ]
    table = CasesTable(opened.casesTable)
    began = time.monotonic()
    table.show(verdicts, editable=True)
    assert time.monotonic() - began < 0.5, "only the first rows are filled at once"
    opened.wait(lambda: opened.casesTable.item(1499, 2) is not None)
    assert opened.casesTable.item(1499, 2).text() == "accepted"
    opened.casesTable.sortItems(1)
    shown = [float(opened.casesTable.item(row, 1).text()) for row in range(1500)]
    assert shown == sorted(volumes)
    table.release()


def test_the_remaining_time_of_a_stopped_training_is_estimated(opened, tmp_path):
    from ThyroidSynthLib.jobs.job import JobState
    from ThyroidSynthLib.jobs.job_options import JobOptions, job_for

    write_tiny_cohort(tmp_path / "cohort", cases=2, samples_per_shape=20)
    job = job_for(tmp_path / "job", JobOptions(input=tmp_path / "cohort"))
    job.checkpoint_file.write_bytes(b"")
    job.write_state(JobState("stopped", 0.8, 320, 400, message="Training was stopped after epoch 320 of 400."))
    opened.trainingDataPathEdit.setCurrentPath(str(tmp_path / "cohort"))
    opened.jobPathEdit.setCurrentPath(str(job.path))
    opened.wait(lambda: opened.estimateLabel.text == "About 2 min more on this CPU (80 of 400 epochs left).")
    assert opened.startButton.text == "Resume training"
    for epoch in range(1, 321):
        job.append_metrics({"epoch": epoch, "loss": 0.5, "seconds": 3.0})
    as_before = "About 4 min more if it is as fast as before (80 of 400 epochs left)."
    opened.wait(lambda: opened.estimateLabel.text == as_before)
    opened.restartCheckBox.click()
    assert opened.startButton.text == "Start training"
    assert "100 cases, 400 epochs" in opened.estimateLabel.text
