"""DICOM image series that segmentations refer to: one that exists, or one that is written of a CT."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.common.files import atomic_path
from ThyroidSynthLib.common.reading import reading
from ThyroidSynthLib.geometry.grid import Grid, box_with_zeros, flip_lps_ras
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.dicom_series import read_series_files

if TYPE_CHECKING:
    import pydicom

SYNTHETIC = "SYNTHETIC"
"""Patient of a series that belongs to no patient."""

_DESCRIPTION = "Synthetic CT by ThyroidSynth; not for clinical use"
OF_STUDY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID", "StudyDate"),
    *("StudyTime", "AccessionNumber", "ReferringPhysicianName", "FrameOfReferenceUID", "PositionReferenceIndicator"),
)
"""What the series of a study have in common."""

# Axes and positions of voxels that agree within this many voxels are the same.
_SAME_PLACE = 0.05
_ORTHOGONAL = 1e-3


@dataclass(frozen=True)
class ImageSeries:
    """An image series without its pixels.

    Attributes
    ----------
    grid : Grid
        Where its voxels lie.
    images : sequence of pydicom.Dataset
        One for each slice k of the grid.
    """

    grid: Grid
    images: Sequence[pydicom.Dataset]

    def aligned(self, volume: Volume) -> np.ndarray | None:
        """Return the voxels of a volume in the order of the images (nk, nj, ni), 0 where it has none.

        The axes of the volume may be turned and reversed, and it may be a part of the series; None if its voxels lie
        elsewhere.
        """
        to_own = np.linalg.inv(self.grid.ijk_to_ras) @ volume.ijk_to_ras
        axes = np.rint(to_own[:3, :3]).astype(int)
        last = np.array(volume.array.shape[::-1])
        away = np.abs(to_own[:3, :3] - axes) @ last
        if (np.abs(axes).sum(axis=0) != 1).any() or (np.abs(axes).sum(axis=1) != 1).any() or away.max() > _SAME_PLACE:
            return None
        # For each axis of the images, which axis (i, j, k) of the volume lies along it, and which way.
        along = np.abs(axes).argmax(axis=1)
        reversed_ = axes[np.arange(3), along] < 0
        array = volume.array.transpose([2 - axis for axis in along[::-1]])
        array = array[tuple(slice(None, None, -1) if each else slice(None) for each in reversed_[::-1])]
        corner = np.where(reversed_, last[along] - 1, 0)[np.argsort(along)]
        first = (to_own @ [*corner, 1.0])[:3]
        if np.abs(first - np.rint(first)).max() > _SAME_PLACE:
            return None
        return box_with_zeros(array, -np.rint(first).astype(int)[::-1], self.grid.shape)


def read_image_series(path: Path) -> ImageSeries:
    """Read a series without its pixels; errors are those of `read_series_grid`."""
    import pydicom

    grid, files = read_series_files(path)
    images = []
    for file in files:
        with reading(file, "a DICOM image", "Copy or export the series again."):
            images.append(pydicom.dcmread(file, stop_before_pixels=True, force=True))
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
        if not images[0].get(name):
            raise InputError(f"{files[0]} has no {name}, by which other files refer to it. Export the series again.")
    return ImageSeries(grid, images)


def write_ct_series(ct: Volume, folder: Path, *, of: ImageSeries | None = None) -> ImageSeries:
    """Write a CT as a series of one file for each slice, and return it.

    The axes of the images are those of the volume, in the order and direction nearest to left, posterior and superior,
    as scanners write them and planning systems expect. Identifiers are derived from the voxels, so that the same CT
    gives the same files.

    Parameters
    ----------
    ct : Volume
        Hounsfield units.
    of : ImageSeries, optional
        A series of the patient, whose study and frame of reference it belongs to; else it belongs to no patient.

    Raises
    ------
    OutputError
        The slices of the grid are sheared, which a series cannot store, or a file cannot be written.
    """
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    ct = ct.towards("LPS")
    axes = flip_lps_ras(ct.ijk_to_ras[:3, :3].T) / ct.spacing_mm[:, None]
    if abs(axes[0] @ axes[1]) > _ORTHOGONAL:
        raise OutputError(f"{folder}: the axes of the grid are sheared, which DICOM cannot store. State a --spacing.")
    values = np.clip(np.rint(ct.array), -32768, 32767).astype("<i2")
    digest = hashlib.sha256(values.tobytes() + ct.ijk_to_ras.tobytes()).hexdigest()
    common = Dataset()
    common.PatientID, common.PatientName = SYNTHETIC, f"{SYNTHETIC}^"
    common.PatientBirthDate = common.PatientSex = common.StudyID = common.StudyTime = common.AccessionNumber = ""
    common.StudyDate = common.ReferringPhysicianName = ""
    common.StudyInstanceUID = generate_uid(entropy_srcs=[digest, "study"])
    common.FrameOfReferenceUID = generate_uid(entropy_srcs=[digest, "frame"])
    common.PositionReferenceIndicator = ""
    if of is not None:
        for name in OF_STUDY:
            if name in of.images[0]:
                setattr(common, name, of.images[0].get(name))
    common.SeriesInstanceUID = generate_uid(entropy_srcs=[digest, "series"])
    common.SOPClassUID, common.Modality, common.SeriesNumber = CTImageStorage, "CT", 900
    common.SeriesDescription, common.ImageComments = _DESCRIPTION[:64], _DESCRIPTION
    common.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    common.Manufacturer, common.ManufacturerModelName, common.SoftwareVersions = "ThyroidSynth", "", __version__
    common.PatientPosition, common.KVP, common.AcquisitionNumber = "HFS", "", ""
    common.Rows, common.Columns = values.shape[1:]
    common.PixelSpacing = [_decimal(ct.spacing_mm[1]), _decimal(ct.spacing_mm[0])]
    common.SliceThickness = _decimal(ct.spacing_mm[2])
    common.ImageOrientationPatient = [_decimal(value) for value in (*axes[0], *axes[1])]
    common.SamplesPerPixel, common.PhotometricInterpretation = 1, "MONOCHROME2"
    common.BitsAllocated = common.BitsStored = 16
    common.HighBit, common.PixelRepresentation = 15, 1
    common.RescaleIntercept, common.RescaleSlope, common.RescaleType = "0", "1", "HU"
    images = []
    for k, plane in enumerate(values):
        image = Dataset()
        image.update(common)
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.SOPInstanceUID = generate_uid(entropy_srcs=[digest, str(k)])
        image.InstanceNumber = k + 1
        position = flip_lps_ras(ct.to_ras(np.array([0, 0, k])))
        image.ImagePositionPatient = [_decimal(value) for value in position]
        image.PixelData = plane.tobytes()
        with atomic_path(folder / f"{k + 1:04d}.dcm") as temporary:
            image.save_as(temporary, enforce_file_format=True)
        del image.PixelData
        images.append(image)
    return ImageSeries(ct.grid, images)


def _decimal(value: float) -> str:
    """Return a number as a decimal string of at most 16 characters, as DICOM demands."""
    for digits in range(12, 0, -1):
        text = f"{value:.{digits}g}"
        if len(text) <= 16:
            return text
    return f"{value:.0f}"
