"""Export to DICOM: Slicer's dialog opens on a copy of the current thyroid, and nothing is left behind."""

from __future__ import annotations

import pytest

from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment, volume_of_segment

UIDS = "1.2.3.1 1.2.3.2"


class Database:
    """Slicer's DICOM database: where the file of an image is."""

    def __init__(self) -> None:
        self.files = {uid: f"/{uid}.dcm" for uid in UIDS.split()}

    def fileForInstance(self, uid: str) -> str:
        return self.files.get(uid, "")


def subject_hierarchy():
    """Return Slicer's node. No test keeps it: its items would outlive the scene."""
    import slicer

    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)


@pytest.fixture
def opened(monkeypatch, slicer_app) -> list[dict[str, object]]:
    """What each of Slicer's export dialogs was opened with."""
    import slicer

    found = []

    class ExportDialog:
        """As in `qSlicerDICOMExportDialog.h`."""

        def setMRMLScene(self, scene) -> None:
            self.scene = scene

        def execDialog(self, item: int) -> bool:
            hierarchy = subject_hierarchy()
            node = hierarchy.GetItemDataNode(item)
            study = hierarchy.GetItemParent(item)
            found.append(
                {
                    "scene": self.scene,
                    "name": node.GetName(),
                    "ml": volume_of_segment(node, "thyroid_gland").array.sum() * 1.5**3 / 1000,
                    "levels": [hierarchy.GetItemLevel(each) for each in (study, hierarchy.GetItemParent(study))],
                }
            )
            return True

    monkeypatch.setattr(slicer, "qSlicerDICOMExportDialog", ExportDialog, raising=False)
    monkeypatch.setattr(slicer, "dicomDatabase", Database(), raising=False)
    monkeypatch.setattr(slicer.modules, "dicomPlugins", {"DICOMSegmentationPlugin": object}, raising=False)
    return found


@pytest.fixture
def exporter(ready, opened):
    """The panel with a thyroid at a CT that was loaded by Slicer's DICOM module."""
    import slicer

    ct = ready.parameters.ct
    ct.SetAttribute("DICOM.instanceUIDs", UIDS)
    hierarchy = subject_hierarchy()
    item = hierarchy.GetItemByDataNode(ct)
    hierarchy.SetItemUID(item, "DICOM", "1.2.3")
    hierarchy.SetItemUID(item, "DICOMInstanceUID", UIDS)
    slicer.vtkSlicerSubjectHierarchyModuleLogic.InsertDicomSeriesInHierarchy(hierarchy, "patient 1", "1.2", "1.2.3")
    ready.exactCheckBox.click()
    ready.click("generateButton")
    ready.open("export")
    return ready


def test_slicers_dialog_opens_on_the_current_thyroid(exporter, opened):
    import slicer

    before = slicer.mrmlScene.GetNumberOfNodes()
    exporter.click("dicomButton")

    (seen,) = opened
    assert seen["scene"] is slicer.mrmlScene
    assert seen["name"] == f"synthetic: {exporter.parameters.result.GetName()}"
    assert seen["levels"] == ["Study", "Patient"]
    surface = surface_of_segment(exporter.parameters.result, "thyroid_gland")
    assert seen["ml"] == pytest.approx(surface.volume / 1000, rel=0.05)
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_nothing_is_left_when_the_dialog_fails(exporter, monkeypatch):
    import slicer

    def fail(self, item):
        raise RuntimeError("no dialog")

    monkeypatch.setattr(slicer.qSlicerDICOMExportDialog, "execDialog", fail)
    before = slicer.mrmlScene.GetNumberOfNodes()
    with exporter.app.faults.expected("no dialog"):
        exporter.click("dicomButton")
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_missing_images_are_said_before_the_dialog_opens(exporter, opened):
    import slicer

    del slicer.dicomDatabase.files["1.2.3.2"]
    exporter.app.dialogs.expect("error", "1 of the 2 images")
    exporter.click("dicomButton")
    assert opened == []


def reason(hands) -> str:
    hands.module.widget.panel.export.refresh()
    assert not hands.dicomButton.enabled
    return hands.dicomButton.toolTip


def test_the_button_states_what_is_missing(exporter, monkeypatch):
    import slicer

    assert exporter.dicomButton.enabled
    assert "SEG" in exporter.dicomButton.toolTip
    monkeypatch.setattr(slicer.modules, "dicomPlugins", {})
    assert "Enable DICOM and DICOMPlugins" in reason(exporter)
    ct = exporter.parameters.ct
    hierarchy = subject_hierarchy()
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(ct), hierarchy.GetSceneItemID())
    assert "under its study" in reason(exporter)
    ct.RemoveAttribute("DICOM.instanceUIDs")
    assert "not loaded from DICOM" in reason(exporter)
    slicer.mrmlScene.RemoveNode(ct)
    assert "no CT" in reason(exporter)
    exporter.parameters.result = None
    assert "no thyroid" in reason(exporter)
