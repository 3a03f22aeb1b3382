"""DICOM RTSTRUCT: the outlines of structures, for radiotherapy planning.

Own code on pydicom, because rt-utils traces contours through the centres of the outermost voxels, so that a structure
is half a voxel too small on each side, and joins holes only on request.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.errors import OutputError
from ThyroidSynthLib.common.files import atomic_path
from ThyroidSynthLib.geometry.grid import box_of, flip_lps_ras
from ThyroidSynthLib.imaging.label_maps import BACKGROUND, LabelMap
from ThyroidSynthLib.imaging.label_table import colour_of
from ThyroidSynthLib.imaging.segmentations.contours import fill_contours
from ThyroidSynthLib.imaging.segmentations.rtstruct import read_contours

from .codes import code_of
from .image_series import OF_STUDY, ImageSeries
from .segmentation_object import fix_dates

if TYPE_CHECKING:
    from pydicom import Dataset

BODY = "BODY"
"""The name of the region of the whole body."""

_LONGEST_NAME = 64
# Lines go along the faces of voxels, so that they enclose the area of these: outlines that cut corners would make a
# vessel of four voxels across a tenth too small. They are drawn around parts of voxels, which rounds the corners a
# little, and by a fiftieth of a voxel nearer to the inside, so that programs that round corners to voxels, such as
# rt-utils, find the same voxels as those that fill polygons.
_PARTS = 5
_LEVEL = 0.6
# Least agreement of the contours, filled again, with the voxels.
_LEAST_DICE = 0.98


def write_rtstruct(
    labels: LabelMap,
    array: np.ndarray,
    path: Path,
    series: ImageSeries,
    *,
    note: str,
    body: bool = False,
    left_out: frozenset[str] = frozenset(),
) -> None:
    """Write the outlines of structures in each image, fill them again and compare before they replace `path`.

    Outlines go along the faces of the voxels. A hole is joined to the outline around it by a
    channel of no width, as DICOM recommends.

    Parameters
    ----------
    labels : LabelMap
        The names of the labels.
    array : ndarray, shape (nk, nj, ni)
        The labels in the order of the images (see `ImageSeries.aligned`).
    series : ImageSeries
        What the outlines were drawn on.
    body : bool
        Whether everything that is not background is a region, too, which planning systems demand.
    left_out : frozenset of str
        Names of structures without a region, such as tissue between the organs.

    Raises
    ------
    OutputError
        There is no structure, or the file cannot be written or reads back differently.
    """
    present = [label for label in np.flatnonzero(np.bincount(array.ravel())).tolist() if label != BACKGROUND]
    if not present:
        raise OutputError(f"{path}: there are no structures on the grid of the image series.")
    names = {label: labels.names.get(label, f"label {label}") for label in present}
    masks = {name[:_LONGEST_NAME]: array == label for label, name in names.items() if name not in left_out}
    masks = {BODY: array != BACKGROUND, **masks} if body else masks
    numbers = {name[:_LONGEST_NAME]: label for label, name in names.items()}
    regions = {name: _outlines(mask) for name, mask in masks.items()}
    document = _document(regions, numbers, series, note)
    with atomic_path(path) as temporary:
        document.save_as(temporary, enforce_file_format=True)
        _compare(temporary, masks, series)


def _outlines(mask: np.ndarray) -> dict[int, list[np.ndarray]]:
    """Return the closed outlines (n, 2) in index coordinates (i, j) of a mask in each slice k that has any."""
    return {k: joined_holes(rings(mask[k])) for k in np.flatnonzero(mask.any(axis=(1, 2))).tolist()}


def rings(plane: np.ndarray) -> list[np.ndarray]:
    """Return the closed lines (n, 2), in index coordinates (i, j), around the voxels of a mask."""
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkFiltersCore import vtkFlyingEdges2D, vtkStripper

    box = box_of(plane[None])[1:]
    parts = plane[box].repeat(_PARTS, axis=0).repeat(_PARTS, axis=1)
    padded = np.pad(parts.astype(np.float32), 1)
    image = vtkImageData()
    image.SetDimensions(padded.shape[1], padded.shape[0], 1)
    image.GetPointData().SetScalars(numpy_to_vtk(padded.ravel(), deep=True))
    edges = vtkFlyingEdges2D()
    edges.SetInputData(image)
    edges.SetValue(0, _LEVEL)
    strips = vtkStripper()
    strips.SetInputConnection(edges.GetOutputPort())
    strips.SetMaximumLength(1_000_000)
    strips.Update()
    lines = strips.GetOutput()
    if not lines.GetNumberOfLines():
        return []
    first = [box[1].start, box[0].start]
    positions = vtk_to_numpy(lines.GetPoints().GetData())[:, :2].astype(np.float64) - 1.0
    positions = (positions - (_PARTS - 1) / 2) / _PARTS + first
    ids = vtk_to_numpy(lines.GetLines().GetConnectivityArray())
    ends = vtk_to_numpy(lines.GetLines().GetOffsetsArray())
    return [_without_midpoints(positions[ids[a:b]][:-1]) for a, b in pairwise(ends)]


def joined_holes(closed: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return closed lines without holes: each hole is joined to the line around it by a channel of no width."""
    order = sorted(closed, key=lambda ring: -abs(_area(ring)))
    # Each larger line that goes around a line; an odd number of them makes it a hole, in the smallest of them.
    around = [[other for other in range(n) if _holds(order[other], ring[0])] for n, ring in enumerate(order)]
    outer = {n: ring for n, ring in enumerate(order) if len(around[n]) % 2 == 0}
    for n, ring in enumerate(order):
        if n not in outer:
            outer[around[n][-1]] = _spliced(outer[around[n][-1]], ring)
    return list(outer.values())


def _spliced(line: np.ndarray, hole: np.ndarray) -> np.ndarray:
    distances = np.linalg.norm(line[:, None] - hole[None], axis=2)
    at, start = np.unravel_index(distances.argmin(), distances.shape)
    if (_area(line) > 0) == (_area(hole) > 0):
        hole, start = hole[::-1], len(hole) - 1 - start
    turned = np.roll(hole, -start, axis=0)
    return np.concatenate([line[: at + 1], turned, turned[:1], line[at:]])


def _area(ring: np.ndarray) -> float:
    x, y = ring.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def _holds(ring: np.ndarray, point: np.ndarray) -> bool:
    """Check whether a closed line goes around a point."""
    x, y = ring.T - point[:, None]
    x2, y2 = np.roll(x, -1), np.roll(y, -1)
    crosses = (y > 0) != (y2 > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        at = x + (x2 - x) * -y / (y2 - y)
    return bool(np.count_nonzero(crosses & (at > 0)) % 2)


def _without_midpoints(ring: np.ndarray) -> np.ndarray:
    """Return a closed line without the corners at which it goes straight on."""
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    turns = np.abs(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]) > 1e-9
    return ring[turns] if turns.sum() >= 3 else ring


def _document(
    regions: Mapping[str, Mapping[int, Sequence[np.ndarray]]],
    numbers: Mapping[str, int],
    series: ImageSeries,
    note: str,
) -> Dataset:
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid

    first = series.images[0]
    digest = hashlib.sha256(str(first.SeriesInstanceUID).encode())
    for name, slices in regions.items():
        digest.update(name.encode())
        digest.update(b"".join(line.tobytes() for lines in slices.values() for line in lines))
    document = Dataset()
    document.file_meta = FileMetaDataset()
    document.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    document.SOPClassUID, document.Modality = RTStructureSetStorage, "RTSTRUCT"
    document.SOPInstanceUID = generate_uid(entropy_srcs=[digest.hexdigest(), "structures"])
    document.SeriesInstanceUID = generate_uid(entropy_srcs=[digest.hexdigest(), "structure series"])
    for name in OF_STUDY:
        setattr(document, name, first.get(name, ""))
    document.SeriesNumber, document.InstanceNumber, document.OperatorsName = 902, 1, ""
    document.SeriesDescription = document.StructureSetDescription = note[:64]
    document.Manufacturer, document.ManufacturerModelName, document.SoftwareVersions = "ThyroidSynth", "", __version__
    document.StructureSetLabel, document.StructureSetName = "PHANTOM", "PHANTOM"
    document.StructureSetDate, document.StructureSetTime = "", ""
    document.ApprovalStatus = "UNAPPROVED"
    fix_dates(document, series)
    document.ReferencedFrameOfReferenceSequence = [_reference(series)]
    document.StructureSetROISequence, document.ROIContourSequence, document.RTROIObservationsSequence = [], [], []
    for number, (name, slices) in enumerate(regions.items(), start=1):
        region, contours, observation = Dataset(), Dataset(), Dataset()
        region.ROINumber = contours.ReferencedROINumber = number
        region.ROIName, region.ReferencedFrameOfReferenceUID = name, first.FrameOfReferenceUID
        region.ROIGenerationAlgorithm = "AUTOMATIC"
        contours.ROIDisplayColor = [round(255 * part) for part in colour_of(numbers.get(name, 0))]
        contours.ContourSequence = [_contour(line, k, series) for k, lines in slices.items() for line in lines]
        observation.ObservationNumber = observation.ReferencedROINumber = number
        observation.RTROIInterpretedType = "EXTERNAL" if name == BODY else "ORGAN"
        observation.ROIInterpreter = ""
        if name != BODY:
            observation.RTROIIdentificationCodeSequence = [_code(name)]
        document.StructureSetROISequence.append(region)
        document.ROIContourSequence.append(contours)
        document.RTROIObservationsSequence.append(observation)
    return document


def _code(name: str) -> Dataset:
    from pydicom import Dataset

    found, code = code_of(name), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = found.value, "SCT", found.meaning
    return code


def _image(series: ImageSeries, k: int) -> Dataset:
    from pydicom import Dataset

    image = Dataset()
    image.ReferencedSOPClassUID = series.images[k].SOPClassUID
    image.ReferencedSOPInstanceUID = series.images[k].SOPInstanceUID
    return image


def _reference(series: ImageSeries) -> Dataset:
    from pydicom import Dataset

    first = series.images[0]
    frame, study, own = Dataset(), Dataset(), Dataset()
    own.SeriesInstanceUID = first.SeriesInstanceUID
    own.ContourImageSequence = [_image(series, k) for k in range(len(series.images))]
    study.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"  # Detached study, as planning systems write it.
    study.ReferencedSOPInstanceUID = first.StudyInstanceUID
    study.RTReferencedSeriesSequence = [own]
    frame.FrameOfReferenceUID = first.FrameOfReferenceUID
    frame.RTReferencedStudySequence = [study]
    return frame


def _contour(line: np.ndarray, k: int, series: ImageSeries) -> Dataset:
    from pydicom import Dataset

    contour = Dataset()
    contour.ContourGeometricType = "CLOSED_PLANAR"
    contour.NumberOfContourPoints = len(line)
    positions = flip_lps_ras(series.grid.to_ras(np.column_stack([line, np.full(len(line), k)])))
    contour.ContourData = [f"{value:.4f}" for value in positions.ravel()]
    contour.ContourImageSequence = [_image(series, k)]
    return contour


def _compare(path: Path, masks: Mapping[str, np.ndarray], series: ImageSeries) -> None:
    """Raise `OutputError` unless the contours of a file, filled again, are the voxels that they were drawn around."""
    for name, contours in read_contours(path).items():
        filled = fill_contours(contours, series.grid).volume
        first = np.rint(series.grid.to_ijk(filled.to_ras(np.zeros(3)))).astype(int)[::-1]
        found = np.zeros(series.grid.shape, dtype=bool)
        found[tuple(slice(a, a + n) for a, n in zip(first, filled.array.shape, strict=True))] = filled.array != 0
        # Readers interpolate where slices between two contours have none.
        drawn = masks[name].any(axis=(1, 2))
        found, mask = found[drawn], masks[name][drawn]
        if 2 * np.count_nonzero(found & mask) < _LEAST_DICE * (found.sum() + mask.sum()):
            raise OutputError(f"{path} reads back with another {name} than was written. Check the disk and try again.")
