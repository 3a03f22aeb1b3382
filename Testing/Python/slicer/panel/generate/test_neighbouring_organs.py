"""The check box "Neighbouring organs": organs around the generated thyroid as further segments of its node."""

from __future__ import annotations

import numpy as np
import pytest

from support.generate_hands import record_of, rest
from support.kept_models import kept_model
from support.necks import ARTERY
from ThyroidSynthLib.geometry.overlap import overlap_ml
from ThyroidSynthLib.slicer.panel.generate.organs import NeighbouringOrgans
from ThyroidSynthLib.slicer.panel.shared.trachea_contact import TracheaContact
from ThyroidSynthLib.slicer.scene.thyroids.collection import remove_thyroid, restore_thyroid
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID, organ_segments, organ_surfaces
from ThyroidSynthLib.slicer.scene.volumes import image_of_volume, surface_of_segment, volume_of_segment


@pytest.fixture
def necks(ready, monkeypatch):
    """The panel with a model that has a trachea and an artery; thyroids are not steered, which takes long."""
    monkeypatch.setattr(TracheaContact, "at", lambda *arguments: None)
    ready.choose_model(kept_model("necks"))
    ready.click("exactCheckBox")
    ready.seedSpinBox.setValue(3)
    return ready


def organs_of(hands) -> dict[str, np.ndarray]:
    return {name: surface.vertices for name, surface in organ_surfaces(hands.parameters.result).items()}


def test_a_model_of_thyroids_has_no_organs_to_draw(ready):
    ready.choose_model(kept_model("small"))
    assert not ready.neighboursCheckBox.enabled
    assert "the thyroid only" in ready.neighboursCheckBox.toolTip
    ready.choose_model(kept_model("necks"))
    assert ready.neighboursCheckBox.enabled
    assert "oesophagus" in ready.neighboursCheckBox.toolTip


def test_the_organs_that_the_patient_lacks_are_further_segments(necks):
    necks.click("neighboursCheckBox")
    necks.click("generateButton")

    node = necks.parameters.result
    assert list(organ_segments(node)) == [ARTERY]
    segment = node.GetSegmentation().GetSegment(organ_segments(node)[ARTERY])
    assert segment.GetName() == "common carotid artery right"
    assert "SCT^32062004^Common carotid artery~SCT^24028007^Right" in segment.GetTerminology()
    assert segment.GetColor()[0] > 0.8 and segment.GetColor()[2] < 0.3
    thyroid, artery = surface_of_segment(node, SEGMENT_ID), organ_surfaces(node)[ARTERY]
    parameters = necks.parameters
    trachea = volume_of_segment(parameters.segmentation, parameters.tracheaSegmentID)
    assert overlap_ml(artery, thyroid) < 1e-3 and overlap_ml(artery, trachea) < 1e-3


def test_organs_follow_when_the_slider_rests_and_not_before(necks, monkeypatch):
    from ThyroidSynthLib.slicer.panel.shared import live_preview

    necks.click("neighboursCheckBox")
    necks.click("generateButton")
    first, drawn, around = organs_of(necks), [], NeighbouringOrgans.around

    def counted(self, *arguments):
        drawn.append(1)
        return around(self, *arguments)

    monkeypatch.setattr(NeighbouringOrgans, "around", counted)
    monkeypatch.setattr(live_preview, "REST_MS", 3000)
    before = record_of(necks).measured["volume_ml"]
    necks.volumeSlider.setValue(necks.volumeSlider.value + 1.0)
    necks.wait(lambda: record_of(necks).measured["volume_ml"] != before)
    assert not drawn and np.array_equal(organs_of(necks)[ARTERY], first[ARTERY])
    rest(necks)
    assert drawn == [1] and list(organs_of(necks)) == [ARTERY]
    necks.click("undoButton")
    assert np.allclose(organs_of(necks)[ARTERY], first[ARTERY], atol=1e-3)


def test_organs_come_and_go_with_the_check_box(necks):
    necks.click("generateButton")
    assert not organs_of(necks)
    necks.click("neighboursCheckBox")
    assert list(organs_of(necks)) == [ARTERY]
    assert necks.statusLabel.text == "The neighbouring organs were drawn."
    removed = remove_thyroid(necks.parameters.result)
    node = restore_thyroid(necks.app.scene, removed)
    assert list(organ_segments(node)) == [ARTERY]
    necks.parameters.result = node
    necks.click("neighboursCheckBox")
    assert not organs_of(necks)


def test_an_organ_of_the_patient_is_not_drawn(necks):
    parameters = necks.parameters
    voxels = image_of_volume(volume_of_segment(parameters.segmentation, parameters.thyroidSegmentID))
    parameters.segmentation.AddSegmentFromBinaryLabelmapRepresentation(
        voxels, "Common carotid artery right", (1.0, 0.0, 0.0), "artery"
    )
    necks.click("neighboursCheckBox")
    necks.click("generateButton")
    assert parameters.result is not None and not organs_of(necks)
