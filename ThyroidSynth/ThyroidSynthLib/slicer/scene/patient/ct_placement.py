"""Where Slicer places a NIfTI image, against where the segmentations made on it lie.

A NIfTI header may hold two placements. TotalSegmentator, and so our reader, takes the sform; Slicer takes
the qform when the sform is sheared or otherwise not to its liking. An overlay must fit the CT that is shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.imaging.labels import THYROID, TRACHEA
from ThyroidSynthLib.imaging.nifti import NiftiHeader, is_nifti, read_header
from ThyroidSynthLib.slicer.scene.terminology import find_segment
from ThyroidSynthLib.slicer.scene.volumes import grid_of_ct, ijk_to_local, volume_of_segment

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode

_SAME_PLACE_VOXELS = 0.1
# Two placements of one image may turn it, but not stretch it: organs would change their sizes.
_STRETCH = 0.01
_SHEAR = 1e-5


def shift_to_shown(ct: vtkMRMLScalarVolumeNode) -> np.ndarray | None:
    """Give the way from where a CT's file lies, as segmentations take it, to where Slicer shows the CT.

    Returns
    -------
    ndarray, shape (4, 4), or None
        In `ras_mm`; None where there is no difference, or the CT does not come from a NIfTI file.

    Raises
    ------
    InputError
        The two placements differ in size or mirror each other, so one of them is wrong.
    """
    path = _file_of(ct)
    if path is None:
        return None
    header = read_header(path)
    shown = ijk_to_local(ct)
    if header.shape != ct.GetImageData().GetDimensions()[::-1]:
        return None
    if distance_mm(header, shown) <= _SAME_PLACE_VOXELS * np.linalg.norm(shown[:3, :3], axis=0).min():
        return None
    shift = shown @ np.linalg.inv(header.ijk_to_ras)
    stretch = np.linalg.svd(shift[:3, :3], compute_uv=False)
    if np.linalg.det(shift[:3, :3]) < 0 or np.abs(stretch - 1.0).max() > _STRETCH:
        raise InputError(
            f"{path} holds two placements (sform and qform) that stretch or mirror each other, so the segmentation "
            "cannot lie both over the CT and in the patient. Export the CT again from the program that made it."
        )
    return shift


def lies_in(segmentation: vtkMRMLSegmentationNode, ct: vtkMRMLScalarVolumeNode) -> bool:
    """Say whether a segmentation's trachea, or else its thyroid, lies in a CT for the greater part.

    If not, the CT is that of another patient or of another part of the body.
    """
    segment_id = find_segment(segmentation, TRACHEA) or find_segment(segmentation, THYROID)
    if not segment_id or ct.GetImageData() is None:
        return True
    try:
        volume = volume_of_segment(segmentation, segment_id)
    except InputError:
        return True  # Nothing in it yet, so nothing lies elsewhere.
    grid = grid_of_ct(ct)
    ijk = grid.to_ijk(volume.to_ras(np.argwhere(volume.array)[:, ::-1]))
    inside = ((ijk > -0.5) & (ijk < np.array(grid.size_kji[::-1]) - 0.5)).all(axis=1)
    return bool(inside.mean() > 0.5)


def distance_mm(header: NiftiHeader, ijk_to_ras: np.ndarray) -> float:
    """Give the largest distance between the corners of an image in the two placements."""
    far = np.array(header.shape[::-1]) - 1
    corners = np.stack(np.meshgrid(*[[0, n] for n in far], indexing="ij"), axis=-1).reshape(-1, 3)
    apart = (ijk_to_ras - header.ijk_to_ras)[:3]
    return float(np.linalg.norm(corners @ apart[:, :3].T + apart[:, 3], axis=1).max())


def sheared(path: Path) -> bool:
    """Say whether a NIfTI file's axes are not at right angles, which Slicer refuses."""
    if not is_nifti(path):
        return False
    directions = read_header(path).ijk_to_ras[:3, :3]
    directions = directions / np.linalg.norm(directions, axis=0)
    return bool(np.abs(directions.T @ directions - np.eye(3)).max() > _SHEAR)


def _file_of(ct: vtkMRMLScalarVolumeNode) -> Path | None:
    storage = ct.GetStorageNode()
    name = storage.GetFileName() if storage is not None else None
    path = Path(name) if name else None
    return path if path is not None and is_nifti(path) and path.is_file() and ct.GetImageData() else None
