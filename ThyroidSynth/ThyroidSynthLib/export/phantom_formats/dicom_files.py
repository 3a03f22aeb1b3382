"""The DICOM files of a phantom."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.common.lazy import check_package
from ThyroidSynthLib.export.phantom.phantom import Phantom
from ThyroidSynthLib.export.phantom.phantom_folder import LABELS, NOTE
from ThyroidSynthLib.export.writing.image_series import read_image_series, write_ct_series
from ThyroidSynthLib.export.writing.label_files import DICOM_FORMATS, SEG, write_dicom_labels
from ThyroidSynthLib.export.writing.segmentation_object import SEG_PACKAGE

from .organ_meshes import BETWEEN_ORGANS

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
        own = None if phantom.ct_series is None else read_image_series(phantom.ct_series)
        if phantom.ct is not None:
            source = folder / CT_FOLDER
            series = write_ct_series(phantom.ct, source, of=own)
        elif own is not None and phantom.ct_series is not None:
            series, source = own, phantom.ct_series
        else:
            raise InputError(NO_IMAGES)
        for each in self.formats:
            path = folder / f"{LABELS}.{each}"
            write_dicom_labels(
                phantom.labels, path, series, source=source, note=NOTE, body=True, left_out=BETWEEN_ORGANS
            )
