"""What a thyroid's node holds now: whether it was edited by hand since the module wrote it, and its features.

Anyone may change a node: the Segment Editor, a transform, Python. The module notes a checksum of each surface that it
writes; a node with another content was edited by hand, is measured again and is never overwritten.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.features import FEATURE_NAMES, measure_features
from ThyroidSynthLib.geometry.targets import misfit
from ThyroidSynthLib.imaging.labels import THYROID
from ThyroidSynthLib.slicer.scene.terminology import find_segment
from ThyroidSynthLib.slicer.scene.volumes import (
    CLOSED_SURFACE,
    is_made_of_surfaces,
    surface_of_segment,
    volume_of_segment,
)

from .records import PRESENT, moved_by, record_as_made

if TYPE_CHECKING:
    from slicer import vtkMRMLSegmentationNode

SEGMENT_ID = THYROID.name
"""ID of the segment of a thyroid that the module makes."""

_WRITTEN = "ThyroidSynth.Written"


def thyroid_segment(node: vtkMRMLSegmentationNode) -> str:
    """Return the ID of a thyroid's segment, which the user may have renamed or replaced, else raise `InputError`."""
    found = SEGMENT_ID if node.GetSegmentation().GetSegment(SEGMENT_ID) is not None else find_segment(node, THYROID)
    if not found:
        raise InputError(f"'{node.GetName()}' has no thyroid segment any more. Name one of its segments 'thyroid'.")
    return found


def note_written(node: vtkMRMLSegmentationNode) -> None:
    """Note that the present content of a node was written by the module."""
    node.SetAttribute(_WRITTEN, _checksum(node))


def is_edited_by_hand(node: vtkMRMLSegmentationNode) -> bool:
    """Check whether a thyroid was changed by other means than the module's; a rigid motion is no change."""
    record = record_as_made(node)
    return (record is not None and record.edited_by_hand) or _differs(node)


def measure_again(node: vtkMRMLSegmentationNode) -> bool:
    """Measure a thyroid whose content was changed by hand; return whether its record is now another.

    The record with which it was made is kept, and holds again after the change was undone.
    """
    made, before = record_as_made(node), node.GetAttribute(PRESENT)
    if made is None:
        return False
    if not _differs(node):
        node.RemoveAttribute(PRESENT)
        return before is not None
    checksum = _checksum(node)
    if before is not None and json.loads(before)["checksum"] == checksum:
        return False
    from ThyroidSynthLib.generation.thyroid import Validity

    try:
        surface = surface_of_segment(node, thyroid_segment(node))
        measured = measure_features(surface.moved(made.placement.to_trachea(surface.vertices))).as_dict()
        valid = Validity.of(surface).ok
    except InputError:
        # Nothing is left of it.
        measured, valid = dict.fromkeys(FEATURE_NAMES, 0.0), False
    met = all(misfit(name, measured[name], target) <= 1.0 for name, target in made.targets.items())
    present = {
        "checksum": checksum,
        "measured": measured,
        "valid": valid,
        "met": None if made.met is None else met,
    }
    node.SetAttribute(PRESENT, json.dumps(present))
    return True


def _differs(node) -> bool:
    """Check whether the content is another than the module wrote."""
    written = node.GetAttribute(_WRITTEN)
    # A scene of an earlier version has no checksum; only the Segment Editor turns a surface into voxels.
    return _checksum(node) != written if written is not None else not is_made_of_surfaces(node)


def _checksum(node) -> str:
    """Return a checksum of the thyroid's segment, which does not depend on rigid transforms of a surface."""
    try:
        segment_id = thyroid_segment(node)
        if not is_made_of_surfaces(node):
            voxels = volume_of_segment(node, segment_id)
            parts = [voxels.array, voxels.ijk_to_ras.round(3)]
        elif node.GetParentTransformNode() is None or moved_by(node) is not None:
            parts = _stored_arrays(node.GetSegmentation().GetSegment(segment_id))
        else:
            surface = surface_of_segment(node, segment_id)
            parts = [surface.vertices.astype(np.float32), surface.faces]
    except InputError:
        return "empty"
    return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()


def _stored_arrays(segment) -> list[np.ndarray]:
    from vtkmodules.util.numpy_support import vtk_to_numpy

    stored = segment.GetRepresentation(CLOSED_SURFACE)
    if stored is None or stored.GetNumberOfPolys() == 0:
        raise InputError("The segment is empty.")
    points, faces = stored.GetPoints().GetData(), stored.GetPolys().GetConnectivityArray()
    # A file may hold them in other types.
    return [vtk_to_numpy(points).astype(np.float32), vtk_to_numpy(faces).astype(np.int64)]
