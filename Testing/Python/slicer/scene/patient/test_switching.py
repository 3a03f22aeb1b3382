"""With another patient the glands of the first one are hidden, and shown again with it."""

from __future__ import annotations

import pytest

from ThyroidSynthLib.slicer.scene.hiding import show_hidden
from ThyroidSynthLib.slicer.scene.patient.loading import load_case
from ThyroidSynthLib.slicer.scene.patient.switching import show_patient
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import add_generated_thyroid


def visible(node) -> bool:
    return bool(node.GetDisplayNode().GetVisibility())


@pytest.fixture
def first(scene, loaded, own_surface, record):
    """The segmentation of a patient, with a thyroid that is shown and one that the user has hidden."""
    thyroids = [
        add_generated_thyroid(scene, "T", own_surface, record=record, patient=loaded.segmentation) for _ in range(2)
    ]
    thyroids[1].GetDisplayNode().SetVisibility(False)
    show_patient(loaded.segmentation)
    return loaded.segmentation, *thyroids


def test_the_first_patient_is_hidden_and_comes_back_as_it_was(scene, first, source):
    second = load_case(scene, source).segmentation
    show_patient(second)
    assert [visible(node) for node in (*first, second)] == [False, False, False, True]
    show_patient(first[0])
    assert [visible(node) for node in (*first, second)] == [True, True, False, False]


def test_all_patients_are_shown_while_the_module_is_left(scene, first, source):
    second = load_case(scene, source).segmentation
    show_patient(second)
    show_hidden(scene)
    assert [visible(node) for node in (*first, second)] == [True, True, False, True]


def test_other_segmentations_and_thyroids_without_a_patient_stay(scene, first, source, own_surface):
    other = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Tumour")
    other.CreateDefaultDisplayNodes()
    unknown = add_generated_thyroid(scene, "Of an earlier version", own_surface)
    show_patient(load_case(scene, source).segmentation)
    assert visible(other)
    assert visible(unknown)
