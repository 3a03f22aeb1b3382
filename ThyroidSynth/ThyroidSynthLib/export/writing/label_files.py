"""Label maps in every format: as images, and in DICOM, which refers to the images of a series."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.imaging.label_map_files import NOTE, write_label_map
from ThyroidSynthLib.imaging.label_maps import LabelMap

from .image_series import ImageSeries, read_image_series
from .segmentation_object import write_seg
from .structure_set import write_rtstruct

SEG, RTSTRUCT = DICOM_FORMATS = ("seg.dcm", "rtstruct.dcm")
"""Formats of label maps in DICOM."""

_series = lru_cache(maxsize=2)(read_image_series)


def is_dicom_format(suffix: str | None) -> bool:
    """Check whether a format of label maps is one of DICOM."""
    return suffix in DICOM_FORMATS


def write_labels(labels: LabelMap, path: Path, *, series: Path | None = None, note: str = NOTE) -> None:
    """Write a label map in the format that a name ends in, and read it back before it replaces `path`.

    Parameters
    ----------
    path : Path
        Ends in one of `LABEL_FORMATS` or `DICOM_FORMATS`.
    series : Path, optional
        The DICOM series that a file in DICOM refers to, read once.

    Raises
    ------
    InputError
        A file in DICOM has no series, or one with other voxels, or its package is not installed.
    OutputError
        The file cannot be written, or reads back differently.
    """
    if not path.name.endswith(tuple(f".{each}" for each in DICOM_FORMATS)):
        write_label_map(labels.volume, path, names=labels.names, looks=labels.looks, note=note)
        return
    if series is None:
        raise InputError(
            f"{path}: DICOM SEG and RTSTRUCT refer to images. Give the folder of the DICOM series that they belong to "
            "as grid (--grid), or choose seg.nrrd."
        )
    write_dicom_labels(labels, path, _series(series), source=series, note=note)


def write_dicom_labels(
    labels: LabelMap,
    path: Path,
    series: ImageSeries,
    *,
    source: Path,
    note: str,
    body: bool = False,
    left_out: frozenset[str] = frozenset(),
) -> None:
    """Write a label map as DICOM SEG or RTSTRUCT that refers to a series; `source` is its folder, for messages.

    For `body` and `left_out` see `write_rtstruct`. Errors are those of `write_labels`.
    """
    array = series.aligned(labels.volume)
    if array is None:
        raise InputError(
            f"The voxels of {path.name} are not those of the series in {source}, so it cannot refer to its images. "
            f"Write it on the grid of the series (--grid {source})."
        )
    if path.name.endswith(f".{SEG}"):
        write_seg(labels, array, path, series, note=note)
    else:
        write_rtstruct(labels, array, path, series, note=note, body=body, left_out=left_out)
