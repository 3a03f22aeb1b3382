"""Join the lobes of a thyroid, which some programs segment by themselves, to a segment of the whole gland."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.resampling import write_label
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_maps import unique_name
from ThyroidSynthLib.imaging.labels import THYROID
from ThyroidSynthLib.slicer.scene.terminology import COLOURS, mark_as
from ThyroidSynthLib.slicer.scene.volumes import CLOSED_SURFACE, image_of_volume, is_made_of_surfaces, volume_of_image

if TYPE_CHECKING:
    from slicer import vtkMRMLSegmentationNode


def join_lobes(segmentation: vtkMRMLSegmentationNode, lobes: Sequence[str]) -> str:
    """Add a segment with all voxels or surfaces of some segments, and return its ID.

    The lobes are hidden, because the new segment covers them; they are not changed.
    """
    content = segmentation.GetSegmentation()
    joined = content.GenerateUniqueSegmentID(THYROID.name)
    taken = {content.GetSegment(each).GetName() for each in content.GetSegmentIDs()}
    name = unique_name(THYROID.name.replace("_", " "), taken)
    if is_made_of_surfaces(segmentation):
        surface = _joined_surface(segmentation, lobes)
        segmentation.AddSegmentFromClosedSurfaceRepresentation(surface, name, COLOURS[THYROID], joined)
    else:
        image = image_of_volume(_joined_voxels(segmentation, lobes))
        segmentation.AddSegmentFromBinaryLabelmapRepresentation(image, name, COLOURS[THYROID], joined)
    mark_as(content.GetSegment(joined), THYROID)
    if (display := segmentation.GetDisplayNode()) is not None:
        for lobe in lobes:
            display.SetSegmentVisibility(lobe, False)
    return joined


def _joined_voxels(segmentation, lobes: Sequence[str]) -> Volume:
    """Return the union of segments on the grid of the first, in the coordinates of the node."""
    import slicer

    parts = []
    for lobe in lobes:
        image = slicer.vtkOrientedImageData()
        segmentation.GetBinaryLabelmapRepresentation(lobe, image)
        parts.append(volume_of_image(image).cropped())
    first = parts[0].grid
    corners = first.to_ijk(np.concatenate([part.grid.corners() for part in parts]))
    low, high = np.floor(corners.min(axis=0) + 0.01).astype(int), np.ceil(corners.max(axis=0) - 0.01).astype(int)
    grid: Grid = first.part(low[::-1], (high - low + 1)[::-1])
    array = np.zeros(grid.shape, dtype=np.uint8)
    for part in parts:
        write_label(array, grid, part, 1)
    return Volume(array, grid.ijk_to_ras)


def _joined_surface(segmentation, lobes: Sequence[str]):
    from vtkmodules.vtkFiltersCore import vtkAppendPolyData

    append = vtkAppendPolyData()
    for lobe in lobes:
        append.AddInputData(segmentation.GetSegmentation().GetSegment(lobe).GetRepresentation(CLOSED_SURFACE))
    append.Update()
    return append.GetOutput()
