"""Moving the thyroid by hand, and measuring and removing its overlap with the trachea, by the panel's buttons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from support.generate_hands import pending, record_of, surface_of
from support.panel_hands import on_progress
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.slicer.scene.thyroids.records import write_record
from ThyroidSynthLib.slicer.scene.volumes import volume_of_segment


def shift(node, *by: float) -> None:
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    matrix = vtkMatrix4x4()
    for axis, value in enumerate(by):
        matrix.SetElement(axis, 3, value)
    node.GetParentTransformNode().SetMatrixTransformToParent(matrix)


def trachea_of(hands):
    return volume_of_segment(hands.parameters.segmentation, hands.parameters.tracheaSegmentID)


def move_into_trachea(hands) -> None:
    """Move the gland into the trachea, and wait for the measurement."""
    hands.click("moveButton")
    lower, upper = surface_of(hands).bounds
    voxels = trachea_of(hands)
    inside = voxels.to_ras(np.argwhere(voxels.array)[:, ::-1]).mean(axis=0)
    shift(hands.parameters.result, 0.0, float(inside[1] - (lower[1] + upper[1]) / 2), 0.0)
    hands.wait(lambda: "% of the thyroid" in hands.overlapLabel.text)


def test_handles_are_shown_and_the_gland_is_moved_back(made):
    before = surface_of(made).vertices
    assert made.positionLabel.text == "At the trachea"
    assert not made.backButton.enabled
    view = made.app.view("1")
    plain = view.grab().astype(int)
    made.click("moveButton")
    assert (np.abs(view.grab().astype(int) - plain).max(axis=2) > 40).sum() > 50
    shift(made.parameters.result, 5.0, 0.0, 0.0)
    assert made.positionLabel.text == "Moved 5.0 mm, rotated 0°"
    np.testing.assert_allclose(surface_of(made).vertices, before + np.array([5.0, 0, 0]), atol=1e-3)
    made.click("moveButton")
    assert not made.moveButton.checked
    assert made.positionLabel.text.startswith("Moved")
    made.click("backButton")
    np.testing.assert_allclose(surface_of(made).vertices, before, atol=1e-3)
    assert made.positionLabel.text == "At the trachea"
    assert not made.backButton.enabled


def test_the_next_thyroid_has_the_position_of_the_moved_one(made):
    made.click("moveButton")
    shift(made.parameters.result, 0.0, 30.0, 0.0)
    first = record_of(made)
    made.volumeSlider.setValue(20.0)
    made.wait(lambda: not pending(made))
    made.click("randomButton")
    record = record_of(made)
    np.testing.assert_allclose(record.placement.trachea_to_ras, first.placement.trachea_to_ras, atol=1e-6)
    surface = surface_of(made)
    found = measure_features(surface.moved(record.placement.to_trachea(surface.vertices)))
    np.testing.assert_allclose(found.as_array(), record.features.as_array(), rtol=1e-3, atol=1e-3)
    made.click("backButton")
    assert surface_of(made).bounds[0][1] == pytest.approx(surface.bounds[0][1] - 30.0, abs=1e-3)


def test_the_transform_is_removed_with_its_thyroid(made):
    before = made.app.scene.GetNumberOfNodesByClass("vtkMRMLLinearTransformNode")
    made.click("moveButton")
    made.app.scene.RemoveNode(made.parameters.result)
    made.app.process_events()
    assert made.app.scene.GetNumberOfNodesByClass("vtkMRMLLinearTransformNode") == before
    assert not made.moveButton.enabled
    assert made.overlapLabel.text == ""


def test_overlap_with_the_trachea_is_measured_and_removed(made):
    move_into_trachea(made)
    before = surface_of(made).volume
    made.click("removeOverlapButton")
    made.wait(lambda: "No overlap" in made.overlapLabel.text)
    assert "(removed)" in made.overlapLabel.text
    assert "of overlap" in made.statusLabel.text
    surface, record, trachea = surface_of(made), record_of(made), trachea_of(made)
    assert surface.is_closed()
    assert surface.volume < before
    assert record.overlap_removed
    assert record.measured["volume_ml"] == pytest.approx(surface.volume / 1000, rel=1e-3)
    assert f"measured {surface.volume / 1000:.1f} mL" in made.volumeRangeLabel.text
    assert not (voxelise(surface, trachea.grid).array & trachea.array).any()
    assert not made.removeOverlapButton.enabled
    assert made.history1Button.checked


@pytest.mark.parametrize(("share", "met"), [(1.0, False), (None, True)])
def test_a_target_that_the_thyroid_misses_without_its_overlap_is_no_longer_met(made, share, met):
    move_into_trachea(made)
    record = record_of(made)
    whole = record.measured["volume_ml"]
    targets = {} if share is None else {"volume_ml": share * whole}
    write_record(made.parameters.result, replace(record, targets=targets, met=True))
    made.click("removeOverlapButton")
    made.wait(lambda: "No overlap" in made.overlapLabel.text)
    assert record_of(made).measured["volume_ml"] < 0.97 * whole
    assert record_of(made).met is met


def test_a_thyroid_is_restored_without_the_removed_overlap(made):
    move_into_trachea(made)
    made.click("removeOverlapButton")
    overlap_removed = surface_of(made)
    made.click("randomButton")
    assert not record_of(made).overlap_removed
    made.click("history2Button")
    assert record_of(made).overlap_removed
    np.testing.assert_allclose(surface_of(made).vertices, overlap_removed.vertices, atol=1e-3)


def test_cancel_leaves_the_thyroid_unchanged(made, monkeypatch):
    move_into_trachea(made)
    record, vertices = record_of(made), surface_of(made).vertices
    done = on_progress(monkeypatch, "", lambda: made.cancelButton.click())
    made.click("removeOverlapButton")
    assert done
    assert record_of(made) == record
    np.testing.assert_array_equal(surface_of(made).vertices, vertices)


def test_the_overlap_with_another_trachea_is_measured(made):
    before = made.overlapLabel.text
    made.choose("tracheaSelector", "thyroid gland")
    made.wait(lambda: made.overlapLabel.text not in (before, "measuring…"))
    assert "% of the thyroid" in made.overlapLabel.text
