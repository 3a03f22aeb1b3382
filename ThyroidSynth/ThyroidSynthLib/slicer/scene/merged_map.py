"""All structures of a patient as one label map, in which the thyroid can be replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, silent
from ThyroidSynthLib.export.merging import Merged, MergeRules, on_grid, replace_thyroid
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.resampling import write_label
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.label_maps import BACKGROUND, LabelMap, unique_name
from ThyroidSynthLib.imaging.label_table import Look

from .volumes import BINARY_LABELMAP, EmptySegment, grid_of_ct, ijk_to_local, surface_of_segment, volume_of_segment

if TYPE_CHECKING:
    from slicer import vtkMRMLLabelMapVolumeNode, vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode, vtkSegment


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

    def with_spacing(self, spacing_mm: Sequence[float]) -> PatientMap:
        """Return the map on a grid along the axes of `ras_mm` with voxels of this size along R, A and S, in mm."""
        grid = Grid.around(self.in_scene, spacing_mm=spacing_mm, margin_mm=0.0)
        in_scene = replace(self.labels, volume=Volume(self.labels.volume.array, self.in_scene.ijk_to_ras))
        labels = on_grid(in_scene, grid)
        return PatientMap(labels, self.thyroid_label, grid, self.notes)

    def with_thyroid(self, surface_ras: Surface, rules: MergeRules) -> tuple[Volume, Merged]:
        """Return a surface in `ras_mm` filled on the map's grid in the scene, and the map with it as the thyroid.

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
        in_scene = voxelise(surface_ras, self.in_scene)
        filled = Volume(in_scene.array, self.labels.volume.ijk_to_ras)
        if self.thyroid_label is not None:
            rules = replace(
                rules, thyroid_label=rules.thyroid_label or self.thyroid_label, old_labels=(self.thyroid_label,)
            )
        return in_scene, replace_thyroid(self.labels, filled, rules)


def map_of_segmentation(
    segmentation: vtkMRMLSegmentationNode,
    thyroid_id: str,
    ct: vtkMRMLScalarVolumeNode,
    *,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> PatientMap:
    """Return all segments of a segmentation that are not empty on the grid of a CT, with their own label values.

    A segment with the value of an earlier one gets a free one. Where segments overlap, the later one is kept; the
    thyroid, if its ID is not empty, is never covered.

    Raises
    ------
    InputError
        The CT has no voxels, or lies under a transform that is not linear.
    """
    content = segmentation.GetSegmentation()
    ids = list(content.GetSegmentIDs())
    grid = grid_of_ct(ct)
    labels = _labels_of([content.GetSegment(segment_id) for segment_id in ids])
    array = np.zeros(grid.shape, dtype=np.uint8 if max(labels, default=0) < 256 else np.uint16)
    names: dict[int, str] = {}
    looks: dict[int, Look] = {}
    notes: list[str] = []
    for label, segment_id in zip(labels, ids, strict=True):
        segment = content.GetSegment(segment_id)
        names[label] = unique_name(segment.GetName(), set(names.values()))
        looks[label] = Look(tuple(segment.GetColor()), segment.GetTerminology() or "", segment_id)
    empty: list[int] = []
    # The thyroid is written last, so that no other structure covers it.
    in_order = sorted(zip(labels, ids, strict=True), key=lambda each: each[1] == thyroid_id)
    for done, (label, segment_id) in enumerate(in_order):
        check(should_stop)
        progress(done / len(ids), f"Placing {names[label]}")
        try:
            mask = _mask_on(grid, segmentation, segment_id)
        except EmptySegment:
            empty.append(label)
            continue
        covered = write_label(array, grid, mask, label)
        for other in np.unique(covered[covered != BACKGROUND]):
            notes.append(f"{names[label]} covers part of {names[int(other)]}")
    progress(1.0, "Placed")
    thyroid = labels[ids.index(thyroid_id)] if thyroid_id in ids else None
    named = {label: name for label, name in sorted(names.items()) if label not in empty or label == thyroid}
    return PatientMap(LabelMap(Volume(array, ijk_to_local(ct)), named, looks), thyroid, grid, tuple(notes))


def _labels_of(segments: Sequence[vtkSegment]) -> list[int]:
    """Return the label of each segment: its own value or, if another segment has the same one, a free one."""
    values = [int(segment.GetLabelValue()) for segment in segments]
    free = count(max([0, *values]) + 1)
    labels: list[int] = []
    for value in values:
        labels.append(value if value > 0 and value not in labels else next(free))
    return labels


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
    looks: dict[int, Look] = {}
    for label in found:
        known = colours.GetColorName(label) if colours is not None and label < colours.GetNumberOfColors() else ""
        names[label] = unique_name(known or f"label {label}", set(names.values()))
        if colours is not None and known:
            colour = [0.0] * 4
            colours.GetColor(label, colour)
            looks[label] = Look((colour[0], colour[1], colour[2]))
    kept = array.astype(np.uint8 if max(found, default=0) < 256 else np.uint16)
    labels = LabelMap(Volume(kept, ijk_to_local(node)), names, looks)
    thyroid = thyroid_label or next(iter(labels.thyroid_labels()), None)
    if thyroid is None:
        raise InputError(f"'{node.GetName()}' does not name its thyroid. Enter its label.")
    return PatientMap(labels, thyroid, grid)


def _mask_on(grid: Grid, segmentation, segment_id: str) -> Volume:
    segment = segmentation.GetSegmentation().GetSegment(segment_id)
    if segment.GetRepresentation(BINARY_LABELMAP):
        return volume_of_segment(segmentation, segment_id)
    return voxelise(surface_of_segment(segmentation, segment_id), grid)
