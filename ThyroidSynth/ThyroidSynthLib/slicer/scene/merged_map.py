"""All structures of a patient as one label map, in which the thyroid can be replaced."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, silent
from ThyroidSynthLib.export.merging import Merged, MergeRules, replace_thyroid
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.resampling import write_label
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.label_maps import BACKGROUND, LabelMap, unique_name

from .volumes import BINARY_LABELMAP, EmptySegment, grid_of_ct, ijk_to_local, surface_of_segment, volume_of_segment

if TYPE_CHECKING:
    from slicer import vtkMRMLLabelMapVolumeNode, vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode


@dataclass(frozen=True)
class PatientMap:
    """A patient's structures on the grid of an image.

    Attributes
    ----------
    labels : LabelMap
        In the geometry of the image's file, without a parent transform.
    in_scene : Grid
        Grid of the voxels in `ras_mm`, parent transform applied.
    notes : tuple of str
        Remarks for the user, such as segments that cover each other.
    """

    labels: LabelMap
    thyroid_label: int | None
    in_scene: Grid
    notes: tuple[str, ...] = ()

    def with_thyroid(self, surface_ras: Surface, rules: MergeRules) -> Merged:
        """Return the map with the patient's thyroid replaced by a surface in `ras_mm`.

        Raises
        ------
        OutputError
            Part of the surface lies outside the map.
        """
        if not self.in_scene.holds(surface_ras):
            raise OutputError(
                "Part of the thyroid lies outside the patient's label map, which would cut it off. Move the thyroid, "
                "or choose a scan that holds it."
            )
        filled = Volume(voxelise(surface_ras, self.in_scene).array, self.labels.volume.ijk_to_ras)
        if self.thyroid_label is not None:
            rules = replace(
                rules, thyroid_label=rules.thyroid_label or self.thyroid_label, old_labels=(self.thyroid_label,)
            )
        return replace_thyroid(self.labels, filled, rules)


def map_of_segmentation(
    segmentation: vtkMRMLSegmentationNode,
    thyroid_id: str,
    ct: vtkMRMLScalarVolumeNode,
    *,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> PatientMap:
    """Return all segments of a segmentation on the grid of a CT, numbered from 1 in their order.

    Where segments overlap, the later one is kept; the thyroid, if its ID is not empty, is never covered.

    Raises
    ------
    InputError
        The CT has no voxels, or lies under a transform that is not linear.
    """
    content = segmentation.GetSegmentation()
    ids = list(content.GetSegmentIDs())
    grid = grid_of_ct(ct)
    array = np.zeros(grid.shape, dtype=np.uint8 if len(ids) < 256 else np.uint16)
    names: dict[int, str] = {}
    notes: list[str] = []
    for label, segment_id in enumerate(ids, start=1):
        names[label] = unique_name(content.GetSegment(segment_id).GetName(), set(names.values()))
    # The thyroid is written last, so that no other structure covers it.
    for done, segment_id in enumerate(sorted(ids, key=lambda each: each == thyroid_id)):
        check(should_stop)
        label = ids.index(segment_id) + 1
        progress(done / len(ids), f"Placing {names[label]}")
        try:
            mask = _mask_on(grid, segmentation, segment_id)
        except EmptySegment:
            continue
        covered = write_label(array, grid, mask, label)
        for other in np.unique(covered[covered != BACKGROUND]):
            notes.append(f"{names[label]} covers part of {names[int(other)]}")
    progress(1.0, "Placed")
    thyroid = ids.index(thyroid_id) + 1 if thyroid_id in ids else None
    return PatientMap(LabelMap(Volume(array, ijk_to_local(ct)), names), thyroid, grid, tuple(notes))


def map_of_volume(node: vtkMRMLLabelMapVolumeNode, thyroid_label: int | None = None) -> PatientMap:
    """Return a label map volume with the names of its colour table; by default the thyroid is found by its name.

    Raises
    ------
    InputError
        The volume has no voxels, holds values that are no labels, or does not name its thyroid.
    """
    from vtkmodules.util.numpy_support import vtk_to_numpy

    grid = grid_of_ct(node)
    image = node.GetImageData()
    array = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
    if not np.issubdtype(array.dtype, np.integer) or array.min() < 0 or array.max() > np.iinfo(np.uint16).max:
        raise InputError(f"'{node.GetName()}' holds values that are no labels. Choose a label map.")
    found = [int(label) for label in np.unique(array) if label != BACKGROUND]
    display = node.GetDisplayNode()
    colours = display.GetColorNode() if display is not None else None
    names: dict[int, str] = {}
    for label in found:
        known = colours.GetColorName(label) if colours is not None and label < colours.GetNumberOfColors() else ""
        names[label] = unique_name(known or f"label {label}", set(names.values()))
    kept = array.astype(np.uint8 if max(found, default=0) < 256 else np.uint16)
    labels = LabelMap(Volume(kept, ijk_to_local(node)), names)
    thyroid = thyroid_label or labels.thyroid_label()
    if thyroid is None:
        raise InputError(f"'{node.GetName()}' does not name its thyroid. Enter its label.")
    return PatientMap(labels, thyroid, grid)


def _mask_on(grid: Grid, segmentation, segment_id: str) -> Volume:
    segment = segmentation.GetSegmentation().GetSegment(segment_id)
    if segment.GetRepresentation(BINARY_LABELMAP):
        return volume_of_segment(segmentation, segment_id)
    return voxelise(surface_of_segment(segmentation, segment_id), grid)
