"""DICOM segmentations (SEG) by highdicom: each structure is a segment with its SNOMED code."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.errors import OutputError
from ThyroidSynthLib.common.files import atomic_path
from ThyroidSynthLib.common.lazy import optional_package
from ThyroidSynthLib.imaging.dicom_seg import read_dicom_masks, read_dicom_segments
from ThyroidSynthLib.imaging.label_maps import LabelMap
from ThyroidSynthLib.imaging.label_table import colour_of

from .codes import RIGHT, Code, code_of
from .image_series import ImageSeries

SEG_PACKAGE = ("highdicom", "A DICOM segmentation (SEG)")
"""The package that SEG needs, and for what."""

_CATEGORIES = {
    "85756007": "Tissue",
    "123037004": "Anatomical Structure",
    "49755003": "Morphologically Altered Structure",
}
_LONGEST_LABEL = 64
_DATES = ("ContentDate", "InstanceCreationDate", "SeriesDate", "StructureSetDate")
_TIMES = ("ContentTime", "InstanceCreationTime", "SeriesTime", "StructureSetTime")
_NO_DATE = "20000101"


def write_seg(labels: LabelMap, array: np.ndarray, path: Path, series: ImageSeries, *, note: str) -> None:
    """Write the structures of a label map as a binary SEG, and read it back before it replaces `path`.

    Parameters
    ----------
    labels : LabelMap
        The names; each label that occurs becomes a segment, in ascending order, and its number is in the description.
    array : ndarray, shape (nk, nj, ni)
        The labels in the order of the images (see `ImageSeries.aligned`).
    series : ImageSeries
        What the segments refer to.

    Raises
    ------
    InputError
        highdicom is not installed.
    OutputError
        There is no structure, or the file cannot be written or reads back differently.
    """
    hd = optional_package(*SEG_PACKAGE)
    from pydicom.uid import generate_uid

    present = [label for label in np.flatnonzero(np.bincount(array.ravel())).tolist() if label]
    if not present:
        raise OutputError(f"{path}: there are no structures on the grid of the image series.")
    names = {label: labels.names.get(label, f"label {label}") for label in present}
    digest = hashlib.sha256(array.tobytes() + str(series.images[0].SeriesInstanceUID).encode()).hexdigest()
    table = np.zeros(max(present) + 1, dtype=np.uint16)
    table[present] = np.arange(1, len(present) + 1)
    document = hd.seg.Segmentation(
        source_images=list(series.images),
        pixel_array=table[array].astype(np.uint8 if len(present) < 256 else np.uint16),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_description(hd, n, label, names[label]) for n, label in enumerate(present, 1)],
        series_instance_uid=generate_uid(entropy_srcs=[digest, "seg series"]),
        series_number=901,
        sop_instance_uid=generate_uid(entropy_srcs=[digest, "seg"]),
        instance_number=1,
        manufacturer="ThyroidSynth",
        manufacturer_model_name="ThyroidSynth",
        software_versions=__version__,
        device_serial_number="0",
        content_description=note[:64],
        content_label="PHANTOM",
        series_description=note[:64],
        omit_empty_frames=True,
    )
    for item, label in zip(document.SegmentSequence, present, strict=True):
        item.SegmentDescription = f"label {label}"
    fix_dates(document, series, generate_uid(entropy_srcs=[digest, "dimensions"]))
    with atomic_path(path) as temporary:
        document.save_as(temporary)
        _compare(temporary, names, present, array)


def fix_dates(document: Any, series: ImageSeries, organisation: str = "") -> None:
    """Set the dates of a document to that of the images, so that the same content gives the same bytes.

    `organisation` replaces the random identifiers of its dimensions.
    """
    date = str(series.images[0].get("StudyDate") or "") or _NO_DATE

    def fixed(_: Any, element: Any) -> None:
        if element.keyword in _DATES:
            element.value = date
        elif element.keyword in _TIMES:
            element.value = "000000"
        elif element.keyword == "ContributionDateTime":
            element.value = f"{date}000000"
        elif element.keyword == "DimensionOrganizationUID" and organisation:
            element.value = organisation

    document.walk(fixed)


def _description(hd: Any, number: int, label: int, name: str) -> Any:
    from pydicom.sr.codedict import codes

    code = code_of(name)
    description = hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=name[:_LONGEST_LABEL],
        segmented_property_category=hd.sr.CodedConcept(code.category, "SCT", _CATEGORIES[code.category]),
        segmented_property_type=hd.sr.CodedConcept(code.value, "SCT", code.meaning),
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name="ThyroidSynth", family=codes.cid7162.ArtificialIntelligence, version=__version__
        ),
        display_color=hd.color.CIELabColor.from_rgb(*(round(255 * part) for part in colour_of(label))),
    )
    if code.side:
        description.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [_side(hd, code)]
    return description


def _side(hd: Any, code: Code) -> Any:
    return hd.sr.CodedConcept(code.side, "SCT", "Right" if code.side == RIGHT else "Left")


def _compare(path: Path, names: dict[int, str], present: list[int], array: np.ndarray) -> None:
    segments = {label: segment for label, segment in zip(present, read_dicom_segments(path), strict=True)}
    masks, _ = read_dicom_masks(path, segments)
    for label, mask in masks.items():
        if segments[label].name != names[label][:_LONGEST_LABEL] or mask.volume.array.sum() != (array == label).sum():
            raise OutputError(f"{path} reads back with other segments than were written. Check the disk and try again.")
