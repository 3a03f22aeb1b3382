"""Nodes of edited thyroids, and whether the patient's gland has changed since it was fitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.dataset.islands import both_without_islands, without_islands
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.imaging.masks import mask_in_scan
from ThyroidSynthLib.slicer.scene.volumes import grid_of_ct, volume_of_segment

from .present import SEGMENT_ID
from .records import EDITED, SOURCE_ROLE, ThyroidRecord, moved_by, read_record
from .segmentations import EDITED_COLOUR, KEPT_COLOUR, add_generated_thyroid

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode

    from ThyroidSynthLib.geometry.grid import Grid
    from ThyroidSynthLib.geometry.surface import Surface

_OUTLINE_PIXELS = 2
_KEPT = "ThyroidSynth.Kept"


def add_edited_thyroid(
    scene: vtkMRMLScene,
    name: str,
    surface_ras: Surface,
    source: vtkMRMLSegmentationNode | None,
    *,
    ct: vtkMRMLScalarVolumeNode | None,
    record: ThyroidRecord,
) -> vtkMRMLSegmentationNode:
    """Add an edited thyroid with a reference to the patient's segmentation.

    See `add_generated_thyroid`; `source` is None when the patient's segmentation is no longer in the scene.
    """
    node = add_generated_thyroid(scene, name, surface_ras, ct=ct, record=record, patient=source)
    # Thicker than the outline of the original, see `overlay.show_own_gland`.
    node.GetDisplayNode().SetSliceIntersectionThickness(_OUTLINE_PIXELS)
    return node


def keep(edited: vtkMRMLSegmentationNode, name: str) -> None:
    """Keep an edited thyroid: it gets a name and the colour of kept ones, and is no longer changed by the module."""
    edited.SetName(name)
    edited.SetAttribute(_KEPT, "1")
    segment = edited.GetSegmentation().GetSegment(SEGMENT_ID)
    if segment is not None and np.allclose(segment.GetColor(), EDITED_COLOUR, atol=1e-6):
        segment.SetColor(*KEPT_COLOUR)


def is_kept(node: vtkMRMLSegmentationNode) -> bool:
    """Check whether the user has kept an edited thyroid."""
    return node.GetAttribute(_KEPT) is not None


def source_of(edited: vtkMRMLSegmentationNode) -> vtkMRMLSegmentationNode | None:
    """Return the patient's segmentation that a thyroid was fitted to; None when it was removed."""
    return edited.GetNodeReference(SOURCE_ROLE)


def edit_record(edited: vtkMRMLSegmentationNode | None) -> ThyroidRecord | None:
    """Return the record of an edited thyroid; None for any other node."""
    record = read_record(edited) if edited is not None else None
    return record if record is not None and record.kind == EDITED and record.fitted_code else None


def fitted_placement(edited: vtkMRMLSegmentationNode, record: ThyroidRecord) -> Placement:
    """Return the patient's trachea frame at which an edit was fitted, also when it was moved since."""
    moved = moved_by(edited)
    return record.placement if moved is None else Placement(np.linalg.inv(moved) @ record.placement.trachea_to_ras)


class PatientGland:
    """A patient's thyroid at the time it was read, to check later whether it has changed.

    With the trachea, `trachea_id`, islands are judged by their distance to it as well.

    Attributes
    ----------
    mask : Volume
        The voxels in `ras_mm`, without islands.

    Raises
    ------
    InputError
        There is no such segment, or it is empty.
    """

    def __init__(self, segmentation: vtkMRMLSegmentationNode, segment_id: str, trachea_id: str = "") -> None:
        self._node_id, self._segment_id = segmentation.GetID(), segment_id
        self._compared = _stamp(segmentation, segment_id), True
        self._read = volume_of_segment(segmentation, segment_id)
        thyroid = mask_in_scan(self._read)
        if trachea_id:
            trachea = mask_in_scan(volume_of_segment(segmentation, trachea_id))
            self.mask = both_without_islands(thyroid, trachea)[0][0].volume
        else:
            self.mask = without_islands(thyroid)[0].volume

    def is_of(self, segmentation: vtkMRMLSegmentationNode | None, segment_id: str) -> bool:
        """Check whether it was read from this segment."""
        return segmentation is not None and (segmentation.GetID(), segment_id) == (self._node_id, self._segment_id)

    def is_unchanged(self, segmentation: vtkMRMLSegmentationNode | None) -> bool:
        """Check whether the segment still exists with the same voxels at the same place.

        Fast when nothing was modified since it was last checked. Voxels are compared otherwise, because segments share
        a label map and another one may have been modified, and because a change may have been undone.
        """
        if segmentation is None or not self.is_of(segmentation, self._segment_id) or segmentation.GetScene() is None:
            return False
        stamp = _stamp(segmentation, self._segment_id)
        if stamp != self._compared[0]:
            self._compared = stamp, self._is_as_read(segmentation)
        return self._compared[1]

    def _is_as_read(self, segmentation) -> bool:
        try:
            now = volume_of_segment(segmentation, self._segment_id)
        except InputError:
            return False
        # With its islands: it is compared as it was read.
        same = now.array.shape == self._read.array.shape and np.array_equal(now.array, self._read.array)
        return same and bool(np.allclose(now.ijk_to_ras, self._read.ijk_to_ras, atol=1e-6))


def scan_of(ct: vtkMRMLScalarVolumeNode | None) -> Grid | None:
    """Return the grid of a CT, which is the extent of the scan; None without a CT."""
    return grid_of_ct(ct) if ct is not None and ct.GetImageData() is not None else None


def _stamp(segmentation, segment_id: str) -> tuple:
    """Return VTK's modification times of a segment, its content and its transform."""
    content = segmentation.GetSegmentation()
    segment = content.GetSegment(segment_id)
    stored = segment.GetRepresentation(content.GetSourceRepresentationName()) if segment is not None else None
    transform = segmentation.GetParentTransformNode()
    return (
        segment.GetMTime() if segment is not None else None,
        stored.GetMTime() if stored is not None else None,
        transform.GetTransformToWorldMTime() if transform is not None else None,
    )
