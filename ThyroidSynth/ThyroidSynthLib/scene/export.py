"""A thyroid of the scene as a label map file on the grid of its CT."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..anatomy.volume import Volume
from ..errors import OutputError
from ..synthesis.export import write_label_map
from ..synthesis.grid import voxelise
from .volumes import grid_of_ct, ijk_to_local, surface_of_segment

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode


def label_map_on_ct(segmentation: vtkMRMLSegmentationNode, segment_id: str, ct: vtkMRMLScalarVolumeNode) -> Volume:
    """Fill a segment on the grid of a CT, in the geometry of the CT's file.

    Parent transforms of both count for where they overlap. The result lies where the CT's file lies, so
    that the two files fit over each other in any software.

    Raises
    ------
    InputError
        The segment is missing or empty, or the CT's grid is bent by a transform.
    OutputError
        Part of the segment lies outside the CT.
    """
    surface = surface_of_segment(segmentation, segment_id)
    grid = grid_of_ct(ct)
    if not grid.holds(surface):
        raise OutputError(
            f"Part of '{segmentation.GetName()}' lies outside '{ct.GetName()}', and a label map on its grid would "
            "cut it off. Move the thyroid, or choose a CT that holds it."
        )
    return Volume(voxelise(surface, grid).array, ijk_to_local(ct))


def write_label_map_on_ct(
    segmentation: vtkMRMLSegmentationNode, segment_id: str, ct: vtkMRMLScalarVolumeNode, path: Path | str
) -> None:
    """Write `label_map_on_ct` to a file, which is read back and compared before it is put in place.

    Raises
    ------
    InputError, OutputError
        See `label_map_on_ct`; or the file cannot be written.
    """
    write_label_map(label_map_on_ct(segmentation, segment_id, ct), path)
