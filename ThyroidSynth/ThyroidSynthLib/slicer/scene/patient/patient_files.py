"""Write the patient in the scene as files for a process outside Slicer."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.errors import OutputError
from ThyroidSynthLib.geometry.resampling import write_label
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_map_files import write_label_map
from ThyroidSynthLib.imaging.labels import TRACHEA, Structure
from ThyroidSynthLib.slicer.scene.merged_map import PatientMap
from ThyroidSynthLib.slicer.scene.volumes import grid_of_ct, ijk_to_local, volume_of_segment

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode

PATIENT_FOLDER = "patient"
_MAP_FILE = "structures.nii.gz"
_NOTE = "Mask of the patient that thyroids were placed in"


def write_patient(
    segmentation: vtkMRMLSegmentationNode,
    segments: Mapping[Structure, str],
    ct: vtkMRMLScalarVolumeNode | None,
    folder: Path,
) -> Path:
    """Write masks with TotalSegmentator's names, so that the folder is a case; return the trachea's file.

    With a CT they are on its grid in the geometry of its file, so that the trachea's file has the CT's grid.

    Raises
    ------
    InputError
        A segment is missing or empty, or the CT lies under a transform that is not linear.
    OutputError
        The folder holds files of another origin.
    """
    for path in folder.iterdir() if folder.is_dir() else ():
        if not _is_ours(path):
            raise OutputError(
                f"{path} was not written by ThyroidSynth. Move it, or choose another folder for the cohort."
            )
    for structure, segment_id in segments.items():
        mask = volume_of_segment(segmentation, segment_id)
        if ct is not None:
            grid = grid_of_ct(ct)
            array = np.zeros(grid.shape, dtype=np.uint8)
            write_label(array, grid, mask, 1)
            mask = Volume(array, ijk_to_local(ct))
        write_label_map(mask, folder / f"{structure.name}.nii.gz", note=_NOTE)
    return folder / f"{TRACHEA.name}.nii.gz"


def _is_ours(path: Path) -> bool:
    """Return whether a file is a mask of an earlier cohort, by the description in its NIfTI header."""
    if path.name.startswith("."):  # Of the system, or the partial file of a process that was killed.
        return True
    try:
        with gzip.open(path) as stream:
            return stream.read(348)[148:].startswith(_NOTE.encode())
    except (OSError, EOFError):
        return False


def write_patient_map(patient: PatientMap, folder: Path) -> Path:
    """Write the label map of all structures; return its file."""
    path = folder / _MAP_FILE
    labels = patient.labels
    write_label_map(labels.volume, path, names=labels.names, looks=labels.looks, note=_NOTE)
    return path
