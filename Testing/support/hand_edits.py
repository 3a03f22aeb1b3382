"""What a user does to a thyroid's node outside the panel, for tests: the Segment Editor's steps, in its order."""

from __future__ import annotations

from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID


def erase_half(node, ct=None) -> float:
    """Erase the upper half of a thyroid as the Segment Editor does; return the volume of the rest in mL."""
    import slicer

    # The Segment Editor changes the source representation before the first stroke.
    if ct is not None:
        node.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    assert node.CreateBinaryLabelmapRepresentation()
    node.SetSourceRepresentationToBinaryLabelmap()
    array = slicer.util.arrayFromSegmentInternalBinaryLabelmap(node, SEGMENT_ID)
    array[array.shape[0] // 2 :] = 0
    image = node.GetBinaryLabelmapInternalRepresentation(SEGMENT_ID)
    image.Modified()
    node.GetSegmentation().GetSegment(SEGMENT_ID).Modified()
    spacing = image.GetSpacing()
    return int(array.sum()) * spacing[0] * spacing[1] * spacing[2] / 1000
