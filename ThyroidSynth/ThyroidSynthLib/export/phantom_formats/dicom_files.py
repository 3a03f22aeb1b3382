"""The DICOM files of a phantom."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.common.lazy import check_package
from ThyroidSynthLib.export.phantom.phantom import Phantom
from ThyroidSynthLib.export.phantom.phantom_folder import LABELS, NOTE
from ThyroidSynthLib.export.writing.image_series import ImageSeries, read_image_series, write_ct_series
from ThyroidSynthLib.export.writing.segmentation_object import SEG_PACKAGE, write_seg
from ThyroidSynthLib.export.writing.structure_set import write_rtstruct

from .organ_meshes import BETWEEN_ORGANS

SEG, RTSTRUCT = DICOM_FORMATS = ("seg.dcm", "rtstruct.dcm")
"""Formats of label maps in DICOM."""

NO_IMAGES = (
    "DICOM SEG and RTSTRUCT refer to the images that they belong to, and this phantom has none in DICOM. Give the "
    "folder of the CT's DICOM series (--ct), or let the CT follow the thyroid (--paint-ct), which is then written as a "
    "series; or choose seg.nrrd."
)
"""The message for a phantom that DICOM files cannot be written of."""

CT_FOLDER = "ct_dicom"
"""The folder of the CT's series, if it is written."""


@dataclass(frozen=True)
class DicomFiles:
    """Writes the label map of a phantom as DICOM SEG and RTSTRUCT.

    They refer to the series of the CT that belongs to the phantom: if it has a CT of its own, which shows the thyroid,
    that is written as a series, in the study of the patient's series if there is one; else to the patient's series.

    Attributes
    ----------
    formats : tuple of str
        Any of `DICOM_FORMATS`; `InputError` if one needs a package that is not installed.
    """

    formats: tuple[str, ...]

    def __post_init__(self) -> None:
        for each in self.formats:
            if each not in DICOM_FORMATS:
                raise OutputError(f"There is no DICOM format '{each}'. Use {', '.join(DICOM_FORMATS)}.")
        if SEG in self.formats:
            check_package(*SEG_PACKAGE)

    def __call__(self, phantom: Phantom, folder: Path) -> None:
        """Write the files into the folder of a phantom.

        Raises
        ------
        InputError
            There is no series that the files can refer to.
        OutputError
            A file cannot be written.
        """
        series, array = _series_of(phantom, folder)
        if SEG in self.formats:
            write_seg(phantom.labels, array, folder / f"{LABELS}.{SEG}", series, note=NOTE)
        if RTSTRUCT in self.formats:
            path = folder / f"{LABELS}.{RTSTRUCT}"
            write_rtstruct(phantom.labels, array, path, series, note=NOTE, left_out=BETWEEN_ORGANS)


def _series_of(phantom: Phantom, folder: Path) -> tuple[ImageSeries, np.ndarray]:
    """Return the series that belongs to a phantom, and the labels in the order of its images."""
    own = None if phantom.ct_series is None else read_image_series(phantom.ct_series)
    series = own if phantom.ct is None else write_ct_series(phantom.ct, folder / CT_FOLDER, of=own)
    if series is None:
        raise InputError(NO_IMAGES)
    array = series.aligned(phantom.labels.volume)
    if array is None:
        raise InputError(
            f"The voxels of the phantom are not those of the series in {phantom.ct_series}, so DICOM SEG and RTSTRUCT "
            f"cannot refer to its images. Write the phantom on its grid (--grid {phantom.ct_series})."
        )
    return series, array
