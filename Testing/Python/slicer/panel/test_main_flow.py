"""Load a case, choose a model and generate thyroids, by the widgets and as seen in the views."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.slicer.scene.thyroids.records import read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID, generated_thyroids
from ThyroidSynthLib.slicer.scene.volumes import placement_of_patient, surface_of_segment

VIEWS = ("Red", "Green", "Yellow", "1")


def test_a_loaded_case_is_shown_and_measured(hands, dataset):
    hands.load(dataset)
    assert hands.parameters.ct.GetName() == "s0000 CT"
    assert hands.thyroidSelector.currentText == "thyroid gland"
    assert hands.tracheaSelector.currentText == "trachea"
    assert "is loaded" in hands.loadNoteLabel.text
    hands.wait(lambda: "mL" in hands.ownFeaturesLabel.text)
    background = hands.app.view("Red").composite_node.GetBackgroundVolumeID()
    assert background == hands.parameters.ct.GetID()


def test_the_model_is_described_without_optional_packages(hands, model_file):
    hands.app.installations.absent.update({"torch", "trimesh"})
    hands.choose_model(model_file)
    text = hands.modelInfoLabel.text
    for part in ("560 training cases", "SYNTHETIC", "Fixed features", "Volume:", "Not for clinical use"):
        assert part in text
    assert "of the 560 synthetic training cases" in hands.volumeRangeLabel.text
    assert not hands.app.installations.requested


def test_a_generated_thyroid_lies_over_the_ct_in_all_views(ready):
    before = {name: ready.app.view(name).grab().astype(int) for name in VIEWS}
    ready.isthmusAreaSlider.setValue(90.0)  # A sagittal slice shows nothing else of the gland.
    ready.click("generateButton")
    (node,) = generated_thyroids(ready.app.scene)
    assert ready.parameters.result is node
    # Compared where the views look now: slices have jumped to the thyroid, so hide and show it.
    shown = {name: ready.app.view(name).grab().astype(int) for name in VIEWS}
    node.GetDisplayNode().SetVisibility(False)
    hidden = {name: ready.app.view(name).grab().astype(int) for name in VIEWS}
    for name in VIEWS:
        assert (np.abs(shown[name] - hidden[name]).max(axis=2) > 20).sum() > 100, name
    assert (before["1"] != shown["1"]).any()


def test_the_shown_thyroid_has_the_measured_features_at_the_patients_trachea(ready):
    ready.click("generateButton")
    node, parameters = ready.parameters.result, ready.parameters
    record = read_record(node)
    placement = placement_of_patient(
        parameters.segmentation, parameters.tracheaSegmentID, parameters.thyroidSegmentID, "upright"
    )
    np.testing.assert_allclose(record.placement.trachea_to_ras, placement.trachea_to_ras)
    surface = surface_of_segment(node, SEGMENT_ID)
    found = measure_features(surface.moved(placement.to_trachea(surface.vertices)))
    np.testing.assert_allclose(found.as_array(), record.features.as_array(), rtol=1e-3, atol=1e-3)
    assert f"measured {record.measured['volume_ml']:.1f} mL" in ready.volumeRangeLabel.text
    assert record.targets["volume_ml"] == 15.0


def test_the_next_thyroid_replaces_the_chosen_result_and_no_camera_moves(ready):
    ready.click("generateButton")
    camera = ready.app.view("1").camera_node()
    before = (camera.GetPosition(), camera.GetFocalPoint())
    offsets = [ready.app.view(name).node.GetSliceOffset() for name in VIEWS[:3]]
    picture = ready.app.view("1").grab()
    old = surface_of_segment(ready.parameters.result, SEGMENT_ID)
    ready.volumeSlider.setValue(25.0)
    ready.click("generateButton")
    assert len(generated_thyroids(ready.app.scene)) == 1
    assert surface_of_segment(ready.parameters.result, SEGMENT_ID).volume != pytest.approx(old.volume, rel=1e-3)
    assert read_record(ready.parameters.result).targets["volume_ml"] == 25.0
    assert (ready.app.view("1").grab() != picture).any()
    assert (camera.GetPosition(), camera.GetFocalPoint()) == before
    assert [ready.app.view(name).node.GetSliceOffset() for name in VIEWS[:3]] == offsets


def test_a_new_thyroid_is_added_when_no_result_is_chosen(ready):
    ready.click("generateButton")
    ready.resultSelector.setCurrentNode(None)
    ready.click("generateButton")
    assert len(generated_thyroids(ready.app.scene)) == 2


def test_a_thyroid_for_another_patient_does_not_replace_the_previous_one(ready, dataset):
    ready.click("generateButton")
    before = ready.parameters.result
    record = read_record(before)
    ready.load(dataset)
    assert ready.parameters.result is None
    ready.click("generateButton")
    assert generated_thyroids(ready.app.scene) == [before, ready.parameters.result]
    assert read_record(before) == record


def test_only_generated_thyroids_are_offered_as_result(ready):
    ready.click("generateButton")
    assert ready.resultSelector.nodeCount() == 1
    assert ready.segmentationSelector.nodeCount() == 2


def test_the_same_seed_reproduces_a_thyroid_and_random_changes_the_seed(ready):
    ready.click("generateButton")
    first = read_record(ready.parameters.result)
    ready.click("randomButton")
    other = read_record(ready.parameters.result)
    assert other.seed == ready.seedSpinBox.value != first.seed
    assert other.code != first.code
    ready.seedSpinBox.setValue(first.seed)
    ready.click("generateButton")
    assert read_record(ready.parameters.result) == first


def test_an_unticked_feature_has_no_target(ready):
    ready.symmetryCheckBox.click()
    assert not ready.symmetrySlider.enabled
    ready.click("generateButton")
    text = ready.symmetryRangeLabel.text
    assert "measured" in text
    assert "free" in text
    assert set(read_record(ready.parameters.result).targets) == {"volume_ml", "isthmus_area_mm2"}


def test_the_sliders_extend_beyond_the_cohort(ready, model_file):
    from ThyroidSynthLib.model.description import describe_model

    low, high = describe_model(model_file).feature_range("volume_ml")
    assert ready.volumeSlider.minimum <= low < high <= ready.volumeSlider.maximum < 3 * high


def test_the_patients_own_gland_is_an_outline_and_can_be_hidden(ready):
    display = ready.parameters.segmentation.GetDisplayNode()
    ready.click("generateButton")
    assert display.GetSegmentVisibility("thyroid_gland")
    assert not display.GetSegmentVisibility3D("thyroid_gland")
    assert not display.GetSegmentVisibility2DFill("thyroid_gland")
    ready.showOwnCheckBox.click()
    assert not display.GetSegmentVisibility("thyroid_gland")
    ready.showOwnCheckBox.click()
    assert display.GetSegmentVisibility("thyroid_gland")


def test_segments_can_be_chosen_and_are_listed_with_their_names(ready):
    segmentation = ready.parameters.segmentation
    ready.choose("tracheaSelector", "thyroid gland")
    assert ready.parameters.tracheaSegmentID == "thyroid_gland"
    ready.choose("tracheaSelector", "none")
    assert ready.parameters.tracheaSegmentID == ""
    assert not ready.generateButton.enabled
    ready.choose("tracheaSelector", "trachea")
    assert ready.generateButton.enabled
    segmentation.GetSegmentation().GetSegment("trachea").SetName("windpipe")
    ready.app.process_events()
    assert ready.tracheaSelector.findText("windpipe") >= 0


@pytest.mark.parametrize("targets", ["all", "none"])
def test_random_generates_with_and_without_targets(ready, targets):
    if targets == "none":
        for name in ("volume", "isthmusArea", "symmetry"):
            getattr(ready, f"{name}CheckBox").click()
    ready.click("randomButton")
    count = len(read_record(ready.parameters.result).targets)
    assert count == (3 if targets == "all" else 0)


def test_targets_are_matched_exactly_only_when_chosen(ready):
    ready.isthmusAreaCheckBox.click()
    ready.click("generateButton")
    exact = read_record(ready.parameters.result)
    assert exact.measured["volume_ml"] == pytest.approx(exact.targets["volume_ml"], rel=0.03)
    assert exact.measured["symmetry"] == pytest.approx(exact.targets["symmetry"], abs=0.05)
    ready.exactCheckBox.click()
    ready.click("generateButton")
    assert read_record(ready.parameters.result).code != exact.code
