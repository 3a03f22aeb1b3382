"""Segments are found by code, then by ID, then by whole name."""

from __future__ import annotations

import pytest

from ThyroidSynthLib.imaging.labels import THYROID, TRACHEA
from ThyroidSynthLib.slicer.scene.terminology import find_segment, mark_as, terminology_entry, thyroid_lobes

TOTALSEGMENTATOR_ENTRY = (
    "TotalSegmentator~SCT^123037004^Anatomical Structure~SCT^69748006^Thyroid gland~^^~"
    "Anatomic codes - DICOM master list~^^~^^|"
)


@pytest.fixture
def segmentation(scene):
    return scene.AddNewNodeByClass("vtkMRMLSegmentationNode")


def add(segmentation, segment_id, name=None, entry=None):
    segmentation.GetSegmentation().AddEmptySegment(segment_id, name or segment_id)
    if entry is not None:
        segmentation.GetSegmentation().GetSegment(segment_id).SetTerminology(entry)


def test_the_code_has_priority_over_id_and_name(segmentation):
    add(segmentation, "thyroid_gland")
    add(segmentation, "Segment_1", "Schilddrüse", terminology_entry(THYROID))
    assert find_segment(segmentation, THYROID) == "Segment_1"


def test_an_entry_of_the_totalsegmentator_extension_is_recognised(segmentation):
    add(segmentation, "Segment_1", "x", TOTALSEGMENTATOR_ENTRY)
    assert find_segment(segmentation, THYROID) == "Segment_1"


def test_the_id_has_priority_over_the_name(segmentation):
    add(segmentation, "a", "Thyroid")
    add(segmentation, "thyroid_gland", "something")
    assert find_segment(segmentation, THYROID) == "thyroid_gland"


def test_names_are_whole_and_normalised(segmentation):
    for other in ("thyroid cartilage", "sternothyroid", "thyroid nodule"):
        add(segmentation, other)
    assert find_segment(segmentation, THYROID) == ""
    add(segmentation, "b", "Thyroid  Gland")
    assert find_segment(segmentation, THYROID) == "b"


def test_of_several_coded_segments_the_one_with_the_structures_name_is_chosen(segmentation):
    add(segmentation, "left", "left lobe", terminology_entry(THYROID))
    add(segmentation, "whole", "thyroid", terminology_entry(THYROID))
    assert find_segment(segmentation, THYROID) == "whole"


def test_lobes_are_found_by_their_modifier_or_name_unless_there_is_a_whole_gland(segmentation):
    right = terminology_entry(THYROID).replace("^Thyroid~^^", "^Thyroid~SCT^24028007^Right")
    add(segmentation, "a", "x", right)
    assert (find_segment(segmentation, THYROID), thyroid_lobes(segmentation)) == ("a", [])
    add(segmentation, "b", "Glnd_Thyroid_L")
    assert thyroid_lobes(segmentation) == ["a", "b"]
    add(segmentation, "c", "thyroid")
    assert (find_segment(segmentation, THYROID), thyroid_lobes(segmentation)) == ("c", [])


def test_of_two_segments_that_may_be_the_gland_the_first_is_taken(segmentation):
    add(segmentation, "x", "one", terminology_entry(THYROID))
    add(segmentation, "y", "two", terminology_entry(THYROID))
    assert find_segment(segmentation, THYROID) == "x"


def test_a_marked_segment_has_the_terminology_that_slicer_reads(segmentation, slicer_app):
    import slicer

    add(segmentation, "s")
    mark_as(segmentation.GetSegmentation().GetSegment("s"), TRACHEA)
    entry = slicer.vtkSlicerTerminologyEntry()
    logic = slicer.modules.terminologies.logic()
    assert logic.DeserializeTerminologyEntry(terminology_entry(TRACHEA), entry)
    assert entry.GetTypeObject().GetCodeValue() == "44567001"
    assert entry.GetTypeObject().GetCodeMeaning() == "Trachea"
    assert find_segment(segmentation, TRACHEA) == "s"
