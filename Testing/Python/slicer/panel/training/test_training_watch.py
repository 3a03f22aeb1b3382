"""Monitoring a training: loss chart, preview, interruption, recent trainings and diagnostics."""

from __future__ import annotations

import numpy as np
import pytest

from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.common.processes import ProcessIdentity
from ThyroidSynthLib.jobs.estimate import EstimateResult
from ThyroidSynthLib.jobs.job import JobFolder, JobState
from ThyroidSynthLib.jobs.job_options import JobOptions, job_for
from ThyroidSynthLib.jobs.machine import Machine
from ThyroidSynthLib.jobs.preview import Preview, write_preview
from ThyroidSynthLib.slicer.scene.display.training_preview import training_preview_in


@pytest.fixture
def job(tmp_path):
    """Return a job whose state names this process as the one that trains."""
    write_tiny_cohort(tmp_path / "cohort", cases=2, samples_per_shape=20)
    job = job_for(tmp_path / "my job", JobOptions(input=tmp_path / "cohort"))
    running(job, 1)
    return job


def running(job: JobFolder, epoch: int) -> None:
    me = ProcessIdentity.of_this_process().to_json()
    job.write_state(JobState("running", epoch / 320, epoch, 320, 0.5 / epoch, 60.0, "", "cpu", **me))


def append_losses(job: JobFolder, *epochs: int) -> None:
    for epoch in epochs:
        job.append_metrics({"epoch": epoch, "loss": 0.5 / epoch, "seconds": 1.5})


def preview(job: JobFolder, epoch: int) -> Preview:
    from ThyroidSynthLib.dataset.cohort import Cohort

    original = Cohort.open(job.read_config()["cohort"]).surface("tiny00")
    shown = Preview("tiny00", epoch, original, original.moved(original.vertices * 0.9))
    write_preview(job.preview_file, shown)
    return shown


@pytest.fixture
def watcher(hands, job, monkeypatch):
    monkeypatch.setattr("ThyroidSynthLib.slicer.panel.training.setup.installed_torch", lambda: "")
    hands.module.panel.resize(450, 1600)
    hands.module.panel.show()
    hands.open("train")
    hands.jobPathEdit.setCurrentPath(str(job.path))
    hands.app.process_events()
    return hands


def pixels(label) -> np.ndarray:
    """Return the RGBA pixels of a label's picture, shape (height, width, 4)."""
    from PySide6 import QtGui

    image = label.pixmap.toImage().convertToFormat(QtGui.QImage.Format_RGBA8888)
    rows = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 4 * image.width()].reshape(image.height(), image.width(), 4).copy()


def loss_table(hands) -> list[tuple[float, float]]:
    """Return epochs and losses in the table of the chart that the plot view shows."""
    view = hands.app.scene.GetFirstNodeByClass("vtkMRMLPlotViewNode")
    table = view.GetPlotChartNode().GetNthPlotSeriesNode(0).GetTableNode().GetTable()
    return [
        tuple(table.GetValue(row, column).ToDouble() for column in range(2)) for row in range(table.GetNumberOfRows())
    ]


def chart_nodes(hands) -> list[str]:
    kinds = ("vtkMRMLPlotChartNode", "vtkMRMLPlotSeriesNode", "vtkMRMLTableNode")
    return [kind for kind in kinds for _ in range(hands.app.scene.GetNumberOfNodesByClass(kind))]


def layout(hands) -> int:
    return hands.app.app.layoutManager().layout


def test_the_epochs_and_the_time_left_are_shown(watcher, job):
    append_losses(job, *range(1, 81))
    me = ProcessIdentity.of_this_process().to_json()
    job.write_state(JobState("running", 0.4, 120, 300, 0.0125, 240.0, "", "cpu", **me))
    watcher.wait(lambda: "120" in watcher.trainingStateLabel.text)
    assert watcher.trainingStateLabel.text == "Epoch 120 of 300, 4 min left, loss 0.0125, on the CPU"
    assert watcher.estimateLabel.text == "1.5 s per epoch, 8 min in all."
    assert watcher.trainingProgressBar.visible and watcher.trainingProgressBar.value == 400
    assert watcher.startButton.text == "Stop training"
    job.write_state(JobState("running", 0.95, 300, 300, 0.01, 0.0, "Measuring the model.", "cpu", **me))
    watcher.wait(lambda: watcher.trainingStateLabel.text == "Measuring the model.")
    job.write_state(JobState("running", 0.0, 0, 300, message="Starting.", **me))
    watcher.wait(lambda: watcher.trainingStateLabel.text == "Running. Starting.")
    job.write_state(JobState("stopped", 0.4, 120, 300, message="Training was stopped after epoch 120 of 300."))
    watcher.wait(lambda: not watcher.trainingProgressBar.visible)


def test_a_state_is_not_repeated_in_its_message(slicer_app):
    from ThyroidSynthLib.slicer.panel.training.wording import stateText

    assert stateText(JobState("created", message="Starting."), runs=True) == "Starting."
    assert stateText(JobState("failed", message="It broke."), runs=False) == "Failed. It broke."


def test_the_loss_is_a_chart_that_grows_with_the_training(watcher, job):
    import slicer

    from standin.charts import draw_chart

    before = layout(watcher)
    assert not watcher.lossChartButton.visible
    append_losses(job, *range(1, 81))
    running(job, 80)
    watcher.wait(lambda: watcher.lossChartButton.visible)
    assert chart_nodes(watcher) == [] and layout(watcher) == before, "the user decides about the layout"
    watcher.click("lossChartButton")
    assert layout(watcher) == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpPlotView
    assert loss_table(watcher) == [(float(epoch), pytest.approx(0.5 / epoch)) for epoch in range(1, 81)]
    node = watcher.app.scene.GetFirstNodeByClass("vtkMRMLPlotChartNode")
    assert node.GetXAxisRange() == (1.0, 320.0) and node.GetYAxisLogScale()
    assert (node.GetXAxisTitle(), node.GetYAxisTitle()) == ("Epoch", "Loss")
    early = draw_chart(node)
    nodes = chart_nodes(watcher)
    append_losses(job, *range(81, 161))
    running(job, 160)
    watcher.wait(lambda: len(loss_table(watcher)) == 160)
    assert chart_nodes(watcher) == nodes, "the same nodes are used again"
    late = draw_chart(node)
    # The curve covers a quarter, then half of the axis, and falls.
    ends = [np.argwhere((picture[..., 1].astype(int) - picture[..., 0]) > 60)[:, 1].max() for picture in (early, late)]
    assert 0.2 < ends[0] / early.shape[1] < 0.45 < ends[1] / late.shape[1] < 0.7
    watcher.click("lossChartButton")
    assert layout(watcher) == before and chart_nodes(watcher) == []


def test_the_loss_chart_keeps_a_layout_that_the_user_has_chosen_meanwhile(watcher, job):
    import slicer

    append_losses(job, 1, 2, 3)
    watcher.wait(lambda: watcher.lossChartButton.visible)
    watcher.click("lossChartButton")
    chosen = slicer.vtkMRMLLayoutNode.SlicerLayoutOneUp3DView
    watcher.app.app.layoutManager().setLayout(chosen)
    watcher.click("lossChartButton")
    assert layout(watcher) == chosen


def test_nothing_of_the_training_is_left_when_the_module_is_left(watcher, job):
    from standin.strictness import node_ids

    before = layout(watcher)
    preview(job, 2)
    append_losses(job, 1, 2, 3)
    watcher.wait(lambda: watcher.previewBox.visible and watcher.lossChartButton.visible)
    nodes = set(node_ids(watcher.app.scene))
    watcher.previewNodesCheckBox.click()
    watcher.click("lossChartButton")
    assert set(node_ids(watcher.app.scene)) > nodes
    watcher.module.leave()
    left = [watcher.app.scene.GetNodeByID(each) for each in set(node_ids(watcher.app.scene)) - nodes]
    # Slicer's layout manager keeps the plot view for the next time.
    assert {each.GetClassName() for each in left} <= {"vtkMRMLPlotViewNode"}
    assert layout(watcher) == before
    watcher.module.select()
    assert not watcher.lossChartButton.checked and not watcher.previewNodesCheckBox.checked


def test_the_preview_is_shown_in_the_panel_and_beside_the_scan_in_3d(watcher, job, a_ct_node):
    assert not watcher.previewBox.visible
    shown = preview(job, 40)
    watcher.wait(lambda: watcher.previewBox.visible)
    watcher.app.process_events()
    picture = pixels(watcher.previewLabel).astype(int)
    middle = picture.shape[1] // 2
    for half, redder in ((picture[:, :middle], True), (picture[:, middle:], False)):
        seen = (half[..., 3] > 200) & (np.abs(half[..., 0] - half[..., 1]) > 25)
        assert seen.sum() > 800
        assert ((half[..., 0] > half[..., 1])[seen].mean() > 0.9) == redder
    before = watcher.app.scene.GetFirstNodeByClass("vtkMRMLCameraNode").GetPosition()
    watcher.previewNodesCheckBox.click()
    nodes = training_preview_in(watcher.app.scene)
    bounds, ct = [[0.0] * 6 for _ in nodes], [0.0] * 6
    a_ct_node.GetRASBounds(ct)
    for node, box in zip(nodes, bounds, strict=True):
        node.GetRASBounds(box)
        assert box[1] < ct[0], "beside the scan"
        assert not node.GetSaveWithScene() and node.GetHideFromEditors()
    assert bounds[0][1] < bounds[1][0] or bounds[1][1] < bounds[0][0], "beside each other"
    place = bounds[1]
    # The next preview is shown by the same nodes in the same place.
    write_preview(job.preview_file, Preview("tiny00", 80, shown.original, shown.original))
    watcher.wait(lambda: nodes[1].GetPolyData().GetNumberOfPoints() == len(shown.original.vertices))
    watcher.wait(lambda: np.ptp(np.array(nodes[1].GetPolyData().GetBounds())[:2]) > place[1] - place[0])
    assert training_preview_in(watcher.app.scene) == nodes
    assert watcher.app.scene.GetFirstNodeByClass("vtkMRMLCameraNode").GetPosition() == before
    watcher.previewNodesCheckBox.click()
    assert training_preview_in(watcher.app.scene) is None


def test_a_damaged_preview_and_a_restart_clear_the_pictures(watcher, job):
    preview(job, 3)
    append_losses(job, 1, 2, 3)
    watcher.wait(lambda: watcher.previewBox.visible and watcher.lossChartButton.visible)
    job.preview_file.write_bytes(b"PK nothing")
    watcher.wait(lambda: not watcher.previewBox.visible)
    job.write_state(JobState())
    job.restart(job.read_config())
    watcher.wait(lambda: not watcher.lossChartButton.visible, 10)
    assert watcher.trainingStateLabel.text == "Ready to start."


def test_an_interrupted_training_can_be_resumed(watcher, job):
    gone = ProcessIdentity(2**22 - 3, "1", ProcessIdentity.of_this_process().host).to_json()
    job.write_state(JobState("running", 0.3, 96, 320, 0.01, 60.0, "", "cpu", **gone))
    watcher.wait(lambda: "Interrupted" in watcher.trainingStateLabel.text)
    assert "Resume it" in watcher.trainingStateLabel.text
    assert watcher.startButton.text == "Resume training" and watcher.startButton.enabled
    job.write_state(JobState("stopped", 0.3, 96, 320, message="Training was stopped after epoch 96 of 320."))
    watcher.wait(lambda: "after epoch 96 of 320. It can be resumed" in watcher.trainingStateLabel.text)


def test_recent_trainings_are_found_again_in_another_scene(watcher, job, tmp_path):
    import slicer

    from ThyroidSynthLib.slicer.panel.training.recent_jobs import rememberJob

    other = job_for(tmp_path / "other job", JobOptions(input=tmp_path / "cohort"))
    other.write_state(JobState("finished", 1.0))
    gone = tmp_path / "gone"
    for path in (gone, other.path, job.path):
        rememberJob(path)
    slicer.mrmlScene.Clear(False)
    watcher.app.process_events()
    assert "The last one, 'my job', is under Recent: Epoch 1 of 320" in watcher.trainingStateLabel.text
    menu = watcher.recentJobsButton.menu()
    menu.aboutToShow.emit()
    actions = menu.actions()
    assert [action.text for action in actions] == ["my job: Running", "other job: Finished"]
    actions[0].trigger()
    assert watcher.parameters.job == job.path
    watcher.wait(lambda: "Epoch 1 of 320" in watcher.trainingStateLabel.text)


def test_the_menu_of_recent_trainings_is_disabled_without_any(hands):
    assert hands.trainingStateLabel.text == "No training chosen."
    menu = hands.recentJobsButton.menu()
    menu.aboutToShow.emit()
    assert [action.enabled for action in menu.actions()] == [False]


def test_diagnostics_are_copied_with_the_last_error_and_no_paths(watcher, job, tmp_path, estimates):
    import slicer

    estimates.result = EstimateResult(Machine(8, None, None, "2.5.1", problem="CUDA driver is too old"))
    job.log_file.write_text(f"INFO reading {tmp_path}/cohort\n")
    job.write_state(JobState("failed", message="It broke."))
    watcher.wait(lambda: watcher.startButton.text == "Resume training")
    job.write_config({**job.read_config(), "format_version": 1})
    watcher.app.dialogs.expect("error", "has format version 1")
    watcher.click("startButton")
    slicer.app.clipboard().setText("")
    watcher.click("copyDiagnosticsButton")
    watcher.wait(lambda: "clipboard" in watcher.statusLabel.text)
    text = slicer.app.clipboard().text()
    assert estimates.requests[-1].settings is None
    parts = ("Slicer: 5.12", "PyTorch: 2.5.1", "too old", "job folder: my job", "status: failed", "INFO reading")
    assert [part for part in parts if part not in text] == []
    assert "has format version 1" in text
    assert str(tmp_path) not in text
    assert watcher.copyDiagnosticsButton.enabled


def test_closing_the_scene_removes_the_preview(watcher, job):
    import slicer

    preview(job, 2)
    watcher.wait(lambda: watcher.previewBox.visible)
    watcher.previewNodesCheckBox.click()
    slicer.mrmlScene.Clear(False)
    watcher.app.process_events()
    assert training_preview_in(slicer.mrmlScene) is None
    assert not watcher.previewNodesCheckBox.checked
