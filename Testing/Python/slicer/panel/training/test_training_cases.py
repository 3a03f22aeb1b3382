"""A click on a case in the table shows it in the views, in place of the one before and of everything else."""

from __future__ import annotations

import numpy as np
import pytest

from standin.strictness import node_ids
from ThyroidSynthLib.imaging.labels import TRACHEA
from ThyroidSynthLib.jobs.job import JobFolder
from ThyroidSynthLib.jobs.job_options import JobOptions, job_for
from ThyroidSynthLib.jobs.job_run import run_job

ATTRIBUTE = "ThyroidSynth.TrainingCase"


@pytest.fixture
def job(cases, job_folder) -> JobFolder:
    """Return a job whose cases were checked."""
    job = job_for(job_folder, JobOptions(cases))
    run_job(job, check_only=True)
    return job


def show_table(hands, job: JobFolder) -> None:
    hands.jobPathEdit.setCurrentPath(str(job.path))
    hands.app.process_events()
    assert hands.casesTable.isVisibleTo(hands.module.panel)


def click(hands, case: str) -> None:
    table = hands.casesTable
    row = next(row for row in range(table.rowCount) if table.item(row, 0).text() == case)
    table.selectRow(row)
    hands.wait(lambda: hands.caseInfoLabel.text.startswith(case))


def shown(hands) -> dict[str, str]:
    """Return the case of each node that is shown for the table, by the class of the node."""
    nodes = (hands.app.scene.GetNodeByID(each) for each in node_ids(hands.app.scene))
    return {node.GetClassName(): node.GetAttribute(ATTRIBUTE) for node in nodes if node.GetAttribute(ATTRIBUTE)}


def segmentation_of(hands, case: str):
    found = hands.app.scene.GetNodesByClass("vtkMRMLSegmentationNode")
    found.UnRegister(None)
    nodes = [found.GetItemAsObject(index) for index in range(found.GetNumberOfItems())]
    (node,) = [node for node in nodes if node.GetAttribute(ATTRIBUTE) == case]
    return node


def views(hands) -> tuple:
    """Return where slices and cameras are, and what lies behind."""
    scene = hands.app.scene
    state = []
    for name in ("vtkMRMLSliceNode", "vtkMRMLSliceCompositeNode", "vtkMRMLCameraNode"):
        found = scene.GetNodesByClass(name)
        found.UnRegister(None)
        for index in range(found.GetNumberOfItems()):
            node = found.GetItemAsObject(index)
            if name == "vtkMRMLSliceNode":
                matrix = node.GetSliceToRAS()
                state += [round(matrix.GetElement(row, 3), 3) for row in range(3)]
                state += [round(size, 3) for size in node.GetFieldOfView()]
            elif name == "vtkMRMLCameraNode":
                state += [*np.round(node.GetPosition(), 3), *np.round(node.GetFocalPoint(), 3)]
            else:
                state.append(node.GetBackgroundVolumeID())
    return tuple(state)


def test_a_click_shows_a_case_and_the_next_click_replaces_it(opened, job):
    from ThyroidSynthLib.slicer.scene.terminology import find_segment
    from ThyroidSynthLib.slicer.scene.volumes import volume_of_segment

    hands = opened
    show_table(hands, job)
    nodes = set(node_ids(hands.app.scene))
    click(hands, "s0")
    assert shown(hands) == {"vtkMRMLSegmentationNode": "s0"}
    assert hands.caseInfoLabel.text.startswith("s0: volume 9.4 mL, isthmus area 47 mm², symmetry 0.81")
    assert "flagged: its thyroid is the same as in s1" in hands.caseInfoLabel.text
    node = segmentation_of(hands, "s0")
    assert node.GetHideFromEditors() and not node.GetSaveWithScene()
    thyroid, trachea = node.GetSegmentation().GetSegmentIDs()
    gland = volume_of_segment(node, thyroid)
    points = gland.to_ras(np.argwhere(gland.array)[:, ::-1])
    for name in ("Red", "Green", "Yellow"):
        matrix = hands.app.app.layoutManager().sliceWidget(name).mrmlSliceNode().GetSliceToRAS()
        normal, origin = ([matrix.GetElement(row, column) for row in range(3)] for column in (2, 3))
        distance = np.abs((points - origin) @ np.array(normal))
        assert (distance < 1.0).sum() > 20, f"{name} is not on the gland"
    camera = hands.app.scene.GetFirstNodeByClass("vtkMRMLCameraNode")
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    assert np.allclose(camera.GetFocalPoint(), centre, atol=1.0)
    assert 50 < np.linalg.norm(np.array(camera.GetPosition()) - centre) < 300

    # A case that is refused is shown, too: the reason is judged by looking at it.
    click(hands, "s2")
    assert shown(hands) == {"vtkMRMLSegmentationNode": "s2"}
    assert "excluded: cut by the scan's border" in hands.caseInfoLabel.text
    click(hands, "s3")
    assert shown(hands) == {"vtkMRMLSegmentationNode": "s3"}, "of a case without a thyroid, the trachea is shown"
    assert find_segment(segmentation_of(hands, "s3"), TRACHEA) == trachea
    hands.module.leave()
    assert set(node_ids(hands.app.scene)) == nodes


def test_the_patient_is_hidden_meanwhile_and_the_views_are_restored(opened, job, dataset):
    hands = opened
    hands.open("patient")
    hands.load(dataset)
    hands.measured()
    patient = hands.parameters.segmentation
    before, nodes = views(hands), set(node_ids(hands.app.scene))
    hands.open("train")
    show_table(hands, job)
    click(hands, "s1")
    assert not patient.GetDisplayNode().GetVisibility()
    composite = hands.app.scene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode")
    assert composite.GetBackgroundVolumeID() is None, "the case does not belong to the patient's CT"
    assert views(hands) != before
    assert hands.parameters.segmentation is patient
    during = views(hands)
    # A file of the scene holds the user's views, because the case is not saved.
    section = hands.module.widget.panel.train
    section.beforeSave()
    assert patient.GetDisplayNode().GetVisibility() and views(hands) == before
    section.afterSave()
    assert not patient.GetDisplayNode().GetVisibility() and views(hands) == during
    hands.open("patient")
    assert shown(hands) == {}
    assert patient.GetDisplayNode().GetVisibility()
    assert views(hands) == before
    assert set(node_ids(hands.app.scene)) == nodes


def test_a_case_is_shown_over_its_own_ct_unless_the_user_does_not_want_it(opened, dataset, job_folder):
    hands = opened
    job = job_for(job_folder, JobOptions(dataset))
    run_job(job, check_only=True)
    show_table(hands, job)
    case = hands.casesTable.item(0, 0).text()
    click(hands, case)
    assert shown(hands) == {"vtkMRMLSegmentationNode": case, "vtkMRMLScalarVolumeNode": case}
    ct = hands.app.scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
    composite = hands.app.scene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode")
    assert composite.GetBackgroundVolumeID() == ct.GetID()
    hands.caseCtCheckBox.click()
    hands.app.process_events()
    assert shown(hands) == {"vtkMRMLSegmentationNode": case}


def test_a_case_whose_files_are_gone_is_reported_beside_the_table(opened, job, cases):
    hands = opened
    show_table(hands, job)
    click(hands, "s0")
    cases.rename(cases.with_name("moved"))
    click(hands, "s1")
    assert "thyroid_gland.nii.gz" in hands.caseInfoLabel.text
    assert shown(hands) == {}


def test_the_start_of_the_training_removes_the_case(opened, job):
    hands = opened
    show_table(hands, job)
    click(hands, "s0")
    hands.epochsSpinBox.setValue(2)
    hands.click("startButton")
    hands.wait(lambda: shown(hands) == {})
    hands.wait(lambda: "Finished" in hands.trainingStateLabel.text, 90)


@pytest.fixture
def large_font(slicer_app):
    """Make all fonts of the application half as large again."""
    import qt

    usual = qt.QFont(qt.QApplication.font())
    font = qt.QFont(usual)
    font.setPointSizeF(1.5 * usual.pointSizeF())
    qt.QApplication.setFont(font)
    yield
    qt.QApplication.setFont(usual)


def test_the_section_fits_a_narrow_dock_with_a_large_font(large_font, opened, job):
    from standin.inspection import cut_texts

    hands = opened
    page, table = hands.module.widget.panel.train.widget, hands.casesTable
    hands.trainAdvanced.collapsed = False
    show_table(hands, job)
    page.setParent(None)  # Alone, because other tabs need room of their own.
    page.show()
    for width in (700, 360):
        page.resize(width, 1400)
        hands.app.process_events()
        assert page.width == width and cut_texts(page) == []
    header = table.horizontalHeader()
    assert sum(table.columnWidth(column) for column in range(3)) <= table.viewport().width
    for column in range(3):
        text = table.horizontalHeaderItem(column).text()
        assert header.fontMetrics().horizontalAdvance(text) < table.columnWidth(column), text
    table.item(0, 1).setText(f"{100.0:{len(table.item(0, 1).text())}.1f}")
    assert table.sizeHintForColumn(1) <= table.columnWidth(1)
    assert table.height >= table.rowCount * table.rowHeight(0) + header.height


def test_the_table_makes_room_once_the_training_has_begun(opened, job):
    hands = opened
    show_table(hands, job)
    click(hands, "s0")
    job.checkpoint_file.write_bytes(b"")
    hands.wait(lambda: not hands.casesTable.isVisibleTo(hands.module.panel))
    assert shown(hands) == {} and "2 of 4 cases are used" in hands.casesLabel.text


def test_a_scene_saved_with_a_training_case_and_the_loss_chart_shows_the_patient(opened, job, dataset, tmp_path):
    import slicer

    hands = opened
    hands.open("patient")
    hands.load(dataset)
    hands.measured()
    before, name = views(hands), hands.parameters.segmentation.GetName()
    layout = hands.app.app.layoutManager().layout
    hands.open("train")
    show_table(hands, job)
    job.append_metrics({"epoch": 1, "loss": 0.5, "seconds": 1.5})
    click(hands, "s0")
    hands.wait(lambda: hands.lossChartButton.isVisibleTo(hands.module.panel))
    hands.click("lossChartButton")
    during = views(hands)
    path = tmp_path / "scene.mrb"
    assert slicer.util.saveScene(str(path))
    hands.wait(lambda: views(hands) == during and hands.app.app.layoutManager().layout != layout)
    assert shown(hands) == {"vtkMRMLSegmentationNode": "s0"}
    hands.module.close()
    slicer.mrmlScene.Clear(False)
    slicer.util.loadScene(str(path))
    assert shown(hands) == {}
    assert slicer.util.getNode(name).GetDisplayNode().GetVisibility()
    assert hands.app.app.layoutManager().layout == layout
    assert views(hands)[-4:] == before[-4:]
