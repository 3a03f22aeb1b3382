"""Files and nodes dropped on the section "Patient"."""

from __future__ import annotations

import pytest

from ThyroidSynthLib.dataset.case_sources import find_cases
from ThyroidSynthLib.slicer.scene.patient.loading import load_case


def drop(hands, urls: list[str]) -> bool:
    """Drag onto the section and drop, as Qt delivers it; return whether it was accepted."""
    import qt
    from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt
    from PySide6.QtGui import QDragEnterEvent, QDropEvent

    data = QMimeData()
    data.setUrls([qt.QUrl(url) for url in urls])
    target = hands.PatientSection
    entering = QDragEnterEvent(QPoint(9, 9), Qt.CopyAction, data, Qt.LeftButton, Qt.NoModifier)
    hands.app.app.sendEvent(target, entering)
    if not entering.isAccepted():
        return False
    dropping = QDropEvent(QPointF(9, 9), Qt.CopyAction, data, Qt.LeftButton, Qt.NoModifier)
    hands.app.app.sendEvent(target, dropping)
    hands.app.process_events()
    return dropping.isAccepted()


def item_url(node) -> str:
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    return f"mrml://scene/subjecthierarchy/item?id={hierarchy.GetItemByDataNode(node)}"


def test_a_dropped_folder_is_loaded(hands, dataset):
    assert drop(hands, [dataset.as_uri()])
    assert hands.parameters.ct.GetName() == "s0000 CT"
    assert hands.parameters.source == dataset


def test_nodes_dragged_from_the_subject_hierarchy_are_chosen(hands, dataset):
    loaded = load_case(hands.app.scene, find_cases(dataset)[0])
    assert hands.parameters.segmentation is None
    assert drop(hands, [item_url(loaded.segmentation), item_url(loaded.ct)])
    assert hands.parameters.segmentation is loaded.segmentation
    assert hands.parameters.ct is loaded.ct
    assert hands.app.view("Red").composite_node.GetBackgroundVolumeID() == loaded.ct.GetID()


def test_dropping_other_nodes_shows_a_message(hands):
    model = hands.app.scene.AddNewNodeByClass("vtkMRMLModelNode", "m")
    drop(hands, [item_url(model)])
    assert "Only a CT or a segmentation" in hands.statusLabel.text


@pytest.mark.parametrize("urls", [[], ["https://example.org/x"], ["mrml://scene/subjecthierarchy/item?id=9999999"]])
def test_dropping_anything_else_changes_nothing(hands, urls):
    drop(hands, urls)
    assert hands.parameters.segmentation is None


def test_a_dropped_file_of_another_kind_is_an_error(hands, tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("nothing of the kind")
    hands.app.dialogs.expect("error", "neither a NIfTI file")
    drop(hands, [path.as_uri()])
