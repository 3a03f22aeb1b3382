"""The shapes of a new reader study: which are chosen, and over which CT they are shown."""

from __future__ import annotations

import pytest

from support.table_hands import Table, make
from ThyroidSynthLib.cli.main import main
from ThyroidSynthLib.slicer.scene.display.study_case import ATTRIBUTE
from ThyroidSynthLib.slicer.scene.thyroids.collection import visible_thyroids
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment


def test_shapes_over_the_ct_do_not_show_the_patients_own_thyroid(reader, ready):
    import slicer

    ct = slicer.util.arrayFromVolume(ready.parameters.ct).copy()
    ready.choose("studyShownSelector", "over the CT without the patient's thyroid")
    reader.start()
    composite = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode")
    shown = slicer.mrmlScene.GetNodeByID(composite.GetBackgroundVolumeID())
    assert shown.GetAttribute(ATTRIBUTE) == "ct" and shown.GetHideFromEditors() and not shown.GetSaveWithScene()
    filled = slicer.util.arrayFromVolume(shown)
    inside = slicer.util.arrayFromSegmentBinaryLabelmap(
        ready.parameters.segmentation, ready.parameters.thyroidSegmentID, shown
    ).astype(bool)
    original = slicer.util.arrayFromSegmentBinaryLabelmap(
        ready.parameters.segmentation, ready.parameters.thyroidSegmentID, ready.parameters.ct
    ).astype(bool)
    assert inside.sum() == original.sum() > 100
    assert filled[inside].mean() < ct[original].mean() - 50
    assert (slicer.util.arrayFromVolume(ready.parameters.ct) == ct).all()
    # Shapes lie at the trachea of the patient, and the patient's own thyroid where it was.
    plan = reader.plan
    own = next(shape for shape in plan.shapes if shape.name == ready.parameters.segmentation.GetName())
    given = surface_of_segment(ready.parameters.segmentation, ready.parameters.thyroidSegmentID)
    assert plan.surface(own.number).vertices.mean(axis=0) == pytest.approx(given.vertices.mean(axis=0), abs=1.0)
    reader.press("Escape")
    assert composite.GetBackgroundVolumeID() == ready.parameters.ct.GetID()
    nodes = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    assert nodes == 1


def test_a_study_can_be_limited_to_the_selected_thyroids(reader, ready):
    make(ready, 3)
    ready.open("compare")
    table = Table(ready)
    names = table.texts()
    table.click(names[0])
    table.click(names[2], add=True)
    ready.choose("studyScopeSelector", "those selected in the table")
    ready.studyControlCheckBox.click()
    reader.start()
    found = {shape.name for shape in reader.plan.shapes if shape.kind == "synthetic"}
    assert found == {names[0], names[2]}
    assert all(shape.source.get("cohort") for shape in reader.plan.shapes if shape.kind == "real")


def test_synthetic_shapes_can_come_from_a_generated_cohort(reader, ready, tmp_path, model_file):
    folder = tmp_path / "generated"
    assert main(["generate", str(model_file), "--count", "3", "--mesh", "ply", "--out", str(folder), "--quiet"]) == 0
    assert not ready.studyGeneratedEdit.visible
    ready.choose("studyScopeSelector", "a generated cohort")
    assert ready.studyGeneratedEdit.visible
    ready.app.dialogs.expect("error", "Choose the folder of the generated cohort")
    reader.start()
    ready.studyGeneratedEdit.setCurrentPath(str(folder))
    ready.app.process_events()
    reader.start()
    found = [shape.name for shape in reader.plan.shapes if shape.kind == "synthetic"]
    assert sorted(found) == ["t00001", "t00002", "t00003"]


def test_what_is_missing_is_said(reader, ready, tmp_path):
    ready.readerEdit.setText(" ")
    ready.app.process_events()
    assert not ready.startStudyButton.enabled and "Enter the reader's name" in ready.studyStateLabel.text
    ready.readerEdit.setText("AB")
    for node in visible_thyroids(ready.app.scene):
        ready.app.scene.RemoveNode(node)
    ready.choose("studyScopeSelector", "those selected in the table")
    ready.app.dialogs.expect("error", "No thyroid is selected")
    reader.start()
    assert not reader.folder.exists()
    assert ready.studySetupPage.visible


def test_a_folder_with_other_files_is_refused_and_kept(reader, ready, tmp_path):
    reader.folder.mkdir()
    (reader.folder / "notes.txt").write_text("mine")
    ready.app.dialogs.expect("error", "is not empty")
    reader.start()
    assert [path.name for path in reader.folder.iterdir()] == ["notes.txt"]
    assert not ready.module.widget.panel.inspect.study.running
