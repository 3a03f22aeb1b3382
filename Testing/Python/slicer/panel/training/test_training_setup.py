"""Before a training: the verdicts and the user's word on them, the computer, and how long it will take."""

from __future__ import annotations

import pytest

from support.mask_files import affine, two_masks, write_case
from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.jobs.estimate import Estimate, EstimateResult
from ThyroidSynthLib.jobs.job import JobFolder
from ThyroidSynthLib.jobs.machine import Gpu, Machine

GIB = 1024**3
CPU = Machine(8, 32 * GIB, 16 * GIB, "2.5.1")
GPU = Machine(8, 32 * GIB, 16 * GIB, "2.5.1", "12.4", (Gpu("RTX 4090", 24 * GIB, 20 * GIB),))


@pytest.fixture
def targets(monkeypatch):
    """What the panel asks of this computer; answered at once by what a test puts into it."""
    questions, answers = [], {}

    class Prompt:
        def __init__(self, python, question):
            self.question = question
            questions.append(question)

        def poll(self):
            return answers["next"](self.question)

        def cancel(self):
            pass

    monkeypatch.setattr("ThyroidSynthLib.slicer.panel.training.estimate.BackgroundEstimate", Prompt)
    answers["questions"] = questions
    answers["next"] = lambda question: EstimateResult(CPU, Estimate("cpu", 100, True, 1.5))
    return answers


@pytest.fixture
def cases(tmp_path):
    """Two sound cases, one cut by the border, one without a gland."""
    thyroid, trachea = two_masks()
    for number, share in enumerate((1, 1, 12, 0)):
        gland = 0 * thyroid if share == 0 else thyroid
        cut = slice(share if share > 1 else 0, None)
        write_case(tmp_path / "dataset" / f"s{number}", gland[cut], trachea[cut], affine(degrees=number))
    return tmp_path / "dataset"


@pytest.fixture
def opened(hands, tmp_path, targets):
    hands.trainCollapsible.collapsed = False
    hands.app.process_events()
    yield hands
    job = JobFolder(tmp_path / "job")
    if job.exists() and job.is_running():
        job.running_process().kill()


def rows(hands) -> dict[str, int]:
    table = hands.casesTable
    return {table.item(row, 0).text(): row for row in range(table.rowCount)}


def tick(hands, case: str, checked: bool) -> None:
    import qt

    hands.casesTable.item(rows(hands)[case], 0).setCheckState(qt.Qt.Checked if checked else qt.Qt.Unchecked)
    hands.app.process_events()


def test_cases_are_included_and_excluded_manually_before_the_training(opened, targets, cases, tmp_path):
    import qt

    hands = opened
    hands.trainingDataPathEdit.setCurrentPath(str(cases))
    hands.jobPathEdit.setCurrentPath(str(tmp_path / "job"))
    assert "upright" in hands.trainingDataInfoLabel.text
    assert not hands.casesTable.isVisibleTo(hands.module.panel)
    hands.epochsSpinBox.setValue(2)
    targets["next"] = lambda question: EstimateResult(CPU, Estimate("cpu", 4, False, 1.5, 2.0, 3.0))
    hands.wait(lambda: "4 cases, if none is refused" in hands.estimateLabel.text)
    hands.click("checkCasesButton")
    hands.wait(lambda: "Cases checked" in hands.trainingStateLabel.text, 90)
    assert hands.casesTable.isVisibleTo(hands.module.panel) and list(rows(hands)) == ["s0", "s1", "s2", "s3"]
    assert hands.casesLabel.text == "2 of 4 cases are used."
    table = hands.casesTable
    assert "border" in table.item(2, 4).text() and "empty thyroid" in table.item(3, 4).toolTip()
    assert table.item(0, 1).data(qt.Qt.DisplayRole) > 1
    assert not table.item(3, 0).flags() & qt.Qt.ItemIsUserCheckable, "nothing to learn from"

    hands.wait(lambda: "About" in hands.estimateLabel.text)
    assert len(targets["questions"]) == 1, "what was measured before the check still holds"

    tick(hands, "s2", True)
    tick(hands, "s0", False)
    assert hands.casesLabel.text == "2 of 4 cases are used, 2 included or excluded manually."
    job = JobFolder(tmp_path / "job")
    assert (job.read_config()["include"], job.read_config()["exclude"]) == (["s2"], ["s0"])

    hands.click("startButton")
    hands.wait(lambda: "Finished" in hands.trainingStateLabel.text, 120)
    assert Cohort.open(job.path / "cohort").ids == ("s1", "s2")
    assert hands.casesLabel.text == "2 of 4 cases are used, 2 included or excluded manually."
    assert not table.item(0, 0).flags() & qt.Qt.ItemIsUserCheckable, "the training has begun"
    assert not hands.checkCasesButton.isVisibleTo(hands.module.panel)
    hands.restartCheckBox.click()
    assert hands.checkCasesButton.isVisibleTo(hands.module.panel)


def test_the_verdicts_of_a_cohort_are_for_reading(opened, cases, tmp_path):
    import qt

    from ThyroidSynthLib.dataset.prepare import PrepareOptions, prepare_cohort

    prepare_cohort(cases, tmp_path / "cohort", PrepareOptions(samples_per_shape=50), workers=1)
    opened.trainingDataPathEdit.setCurrentPath(str(tmp_path / "cohort"))
    assert "Cohort of 2 cases" in opened.trainingDataInfoLabel.text
    assert "centred" in opened.trainingDataInfoLabel.text
    assert list(rows(opened)) == ["s0", "s1", "s2", "s3"]
    assert not opened.casesTable.item(0, 0).flags() & qt.Qt.ItemIsUserCheckable
    assert not opened.checkCasesButton.isVisibleTo(opened.module.panel)


def test_the_duration_is_told_and_follows_the_choices(opened, targets, tmp_path):
    write_tiny_cohort(tmp_path / "cohort", cases=2, samples_per_shape=20)
    opened.trainingDataPathEdit.setCurrentPath(str(tmp_path / "cohort"))
    assert "Measuring" in opened.estimateLabel.text
    opened.wait(lambda: opened.estimateLabel.text == "About 10 min on this processor (100 cases, 400 epochs).")
    assert "8 cores, 17.2 of 34.4 GB free" in opened.deviceInfoLabel.text
    assert not opened.trainingWarningLabel.isVisibleTo(opened.module.panel)
    opened.epochsSpinBox.setValue(8000)
    assert "About 3.3 h" in opened.estimateLabel.text
    assert "Without a GPU this takes 3.3 h" in opened.trainingWarningLabel.text
    opened.trainingSeedSpinBox.setValue(4)
    assert len(targets["questions"]) == 1, "neither epochs nor seed need another trial"
    opened.choose("variantSelector", "Baseline (no steering)")
    opened.wait(lambda: len(targets["questions"]) == 2 and "About" in opened.estimateLabel.text)
    assert targets["questions"][1].settings.variant == "baseline"


def test_held_out_cases_are_told_and_reach_the_job(opened, targets, tmp_path, monkeypatch):
    monkeypatch.setattr("ThyroidSynthLib.slicer.panel.training.section.start_detached", lambda *about, **options: 0)
    write_tiny_cohort(tmp_path / "cohort", cases=5, samples_per_shape=20)
    opened.trainingDataPathEdit.setCurrentPath(str(tmp_path / "cohort"))
    opened.jobPathEdit.setCurrentPath(str(tmp_path / "job"))
    assert opened.heldOutSpinBox.text == "none"
    opened.heldOutSpinBox.setValue(20)
    opened.wait(
        lambda: opened.estimateLabel.text == "About 8 min on this processor (80 cases and 20 held out, 400 epochs)."
    )
    assert len(targets["questions"]) == 1
    opened.click("startButton")
    config = JobFolder(tmp_path / "job").read_config()
    assert config["held_out"] == 0.2 and len(config["held_out_ids"]) == 1


def test_holding_out_what_cannot_be_is_said_before_the_start(opened, targets, tmp_path):
    targets["next"] = lambda question: EstimateResult(CPU, Estimate("cpu", 4, True, 1.5))
    write_tiny_cohort(tmp_path / "cohort", cases=4, samples_per_shape=20)
    opened.trainingDataPathEdit.setCurrentPath(str(tmp_path / "cohort"))
    opened.heldOutSpinBox.setValue(10)
    opened.wait(lambda: "10% of 4 cases is less than half a case" in opened.trainingWarningLabel.text)
    opened.heldOutSpinBox.setValue(80)
    opened.wait(lambda: "1 are left to learn from" in opened.trainingWarningLabel.text)


@pytest.mark.parametrize(
    ("machine", "estimate", "said"),
    [
        (GPU, Estimate("cuda", 100, True, 0.1, gpu_bytes=80_000_000), ""),
        (GPU, Estimate("cuda", 100, True, 0.1, gpu_bytes=80_000_000_000), "need 80.0 GB of the GPU's memory"),
        (GPU, Estimate("cpu", 100, True, 1.5), "has a GPU (RTX 4090)"),
        (CPU, Estimate("cpu", 100, True, 1.5), ""),
    ],
)
def test_what_speaks_against_a_training_is_told(opened, targets, tmp_path, machine, estimate, said):
    targets["next"] = lambda question: EstimateResult(machine, estimate)
    write_tiny_cohort(tmp_path / "cohort", cases=2, samples_per_shape=20)
    opened.trainingDataPathEdit.setCurrentPath(str(tmp_path / "cohort"))
    opened.wait(lambda: "About" in opened.estimateLabel.text)
    assert said in opened.trainingWarningLabel.text and bool(said) == bool(opened.trainingWarningLabel.text)
    if machine is GPU:
        assert "RTX 4090: 21.5 of 25.8 GB free" in opened.deviceInfoLabel.text


def test_a_closed_section_asks_nothing(hands, targets, tmp_path):
    write_tiny_cohort(tmp_path / "cohort", cases=2, samples_per_shape=20)
    hands.trainingDataPathEdit.setCurrentPath(str(tmp_path / "cohort"))
    hands.app.process_events()
    assert not targets["questions"]


def test_a_real_trial_in_the_background(hands, tmp_path):
    write_tiny_cohort(tmp_path / "cohort", cases=2, samples_per_shape=20)
    hands.trainCollapsible.collapsed = False
    hands.trainingDataPathEdit.setCurrentPath(str(tmp_path / "cohort"))
    hands.wait(lambda: "2 cases, 400 epochs" in hands.estimateLabel.text, 90)
    assert "cores" in hands.deviceInfoLabel.text


def test_many_cases_do_not_freeze_the_window(opened, tmp_path):
    import time

    from ThyroidSynthLib.dataset.quality_table import CaseVerdict
    from ThyroidSynthLib.slicer.panel.training.cases import CasesTable

    features = {"volume_ml": 12.0, "isthmus_area_mm2": 40.0, "symmetry": 0.6}
    verdicts = [CaseVerdict(f"s{n:04d}", True, True, (), (), "", features) for n in range(1500)]
    table = CasesTable(opened.casesTable)
    began = time.monotonic()
    table.show(verdicts, editable=True)
    assert time.monotonic() - began < 0.5, "the first rows only"
    opened.wait(lambda: opened.casesTable.item(1499, 4) is not None)
    assert opened.casesTable.item(1499, 4).text() == "accepted"
    table.release()


def test_a_stopped_training_is_told_what_is_left(opened, tmp_path):
    from ThyroidSynthLib.jobs.job import JobState
    from ThyroidSynthLib.jobs.job_options import JobOptions, job_for

    write_tiny_cohort(tmp_path / "cohort", cases=2, samples_per_shape=20)
    job = job_for(tmp_path / "job", JobOptions(input=tmp_path / "cohort"))
    job.checkpoint_file.write_bytes(b"")
    job.write_state(JobState("stopped", 0.8, 320, 400, message="Training was stopped after epoch 320 of 400."))
    opened.trainingDataPathEdit.setCurrentPath(str(tmp_path / "cohort"))
    opened.jobPathEdit.setCurrentPath(str(job.path))
    opened.wait(lambda: opened.estimateLabel.text == "About 2 min more on this processor (80 of 400 epochs are left).")
    opened.restartCheckBox.click()
    assert "100 cases, 400 epochs" in opened.estimateLabel.text
