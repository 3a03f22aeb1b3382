"""The difference between where Slicer places a NIfTI image and where segmentations made on it are.

A NIfTI header may hold two placements. TotalSegmentator, and so our reader, uses the sform; Slicer uses the
qform when the sform is sheared or otherwise unsuitable. An overlay must fit the CT that is shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.imaging.labels import THYROID, TRACHEA
from ThyroidSynthLib.imaging.nifti import is_nifti, read_header
from ThyroidSynthLib.slicer.scene.terminology import find_segment
from ThyroidSynthLib.slicer.scene.volumes import grid_of_ct, ijk_to_local, volume_of_segment

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode

    from ThyroidSynthLib.geometry.volume import Volume

_SAME_PLACE_VOXELS = 0.1
# Two placements of one image may rotate it, but not stretch it, which would change the size of organs.
_STRETCH = 0.01


def shift_to_shown(ct: vtkMRMLScalarVolumeNode) -> np.ndarray | None:
    """Return the transform (4, 4) in `ras_mm` from a CT's placement by its file (sform) to where Slicer shows it.

    None where both are the same, or the CT does not come from a NIfTI file.

    Raises
    ------
    InputError
        The two placements differ in size or mirror each other, so one of them is wrong.
    """
    name = ct.GetStorageNode().GetFileName() if ct.GetStorageNode() is not None else None
    image, path = ct.GetImageData(), Path(name or "")
    if image is None or not (is_nifti(path) and path.is_file()):
        return None
    header = read_header(path)
    if header.grid.shape != image.GetDimensions()[::-1]:
        return None
    shown = Grid(header.grid.shape, ijk_to_local(ct))
    if header.grid.corner_distance_mm(shown) <= _SAME_PLACE_VOXELS * shown.spacing_mm.min():
        return None
    shift = shown.ijk_to_ras @ np.linalg.inv(header.grid.ijk_to_ras)
    stretch = np.linalg.svd(shift[:3, :3], compute_uv=False)
    if np.linalg.det(shift[:3, :3]) < 0 or np.abs(stretch - 1.0).max() > _STRETCH:
        raise InputError(
            f"{path} holds two placements (sform and qform) that stretch or mirror each other, so the segmentation "
            "cannot lie both over the CT and in the patient. Export the CT again from the program that made it."
        )
    return shift


def lies_in(segmentation: vtkMRMLSegmentationNode, ct: vtkMRMLScalarVolumeNode) -> bool:
    """Check whether more than half of a segmentation's trachea, or else thyroid, is inside a CT.

    If not, the CT is of another patient or another part of the body.
    """
    segment_id = find_segment(segmentation, TRACHEA) or find_segment(segmentation, THYROID)
    if not segment_id:
        return True
    try:
        return mask_lies_in(volume_of_segment(segmentation, segment_id), ct)
    except InputError:
        return True  # An empty segment is not elsewhere.


def mask_lies_in(mask: Volume, ct: vtkMRMLScalarVolumeNode) -> bool:
    """Check whether more than half of a mask in `ras_mm` is inside a CT; `InputError` as for `grid_of_ct`."""
    if ct.GetImageData() is None:
        return True
    inside = grid_of_ct(ct).contains(mask.to_ras(np.argwhere(mask.array)[:, ::-1]))
    return bool(inside.mean() > 0.5)
