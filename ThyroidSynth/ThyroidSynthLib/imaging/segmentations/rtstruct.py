"""Reading of DICOM RTSTRUCT: structures that radiotherapy planning stores as contours."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.reading import reading
from ThyroidSynthLib.common.text_files import listed_shortly
from ThyroidSynthLib.common.wording import counted
from ThyroidSynthLib.geometry.grid import Grid, flip_lps_ras
from ThyroidSynthLib.imaging.dicom_seg import code_text
from ThyroidSynthLib.imaging.dicom_series import (
    CONTOURS_CLASS,
    IMAGE_CLASSES,
    class_of_dicom,
    may_be_dicom,
    read_series_grid,
)
from ThyroidSynthLib.imaging.labels import ALTERED_ENTRY
from ThyroidSynthLib.imaging.masks import Mask, mask_in_scan
from ThyroidSynthLib.imaging.segments import Segment

from .contours import fill_contours, traced_voxels_mm

if TYPE_CHECKING:
    import pydicom

Key = TypeVar("Key", bound=Hashable)

_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
# What is drawn for planning and is no organ.
_NOT_ORGANS = {"PTV", "CTV", "GTV", "ITV", "TREATED_VOLUME", "IRRAD_VOLUME", "BOLUS", "AVOIDANCE_PRV", "MARKER"}
# Contours of one plane may deviate by rounding; planes nearer than this are one.
_FLAT_MM = 0.1
_FLAT_SLICES = 0.1  # In slices of the images.
_PARALLEL = 1e-3
# Without images: fine enough that the volume of a lobe is right within a percent; twice that for large regions.
_IN_PLANE_MM = 0.5
_SMALL_MM = 256.0
_MARGIN_MM = 10.0
_MOST_EXTENT_MM = 2000.0
_THINNEST_MM, _THICKEST_MM = 0.1, 20.0
# Images that are opened in search of the series that the contours were drawn on.
_MOST_SEARCHED = 3000


@dataclass(frozen=True)
class _Contours:
    """The closed contours (n, 3) of a region in `ras_mm`, and the number of its other ones, such as points."""

    closed: tuple[np.ndarray, ...]
    others: int = 0


def read_contour_segments(path: Path) -> list[Segment]:
    """Return the regions of an RTSTRUCT that have contours; at least one."""
    with _reading(path) as dataset:
        drawn = {
            int(item.ReferencedROINumber)
            for item in dataset.get("ROIContourSequence") or ()
            if item.get("ContourSequence")
        }
        about = {
            int(item.get("ReferencedROINumber", -1)): item for item in dataset.get("RTROIObservationsSequence") or ()
        }
        segments, empty = [], []
        for item in dataset.get("StructureSetROISequence") or ():
            number, name = int(item.ROINumber), str(item.get("ROIName", ""))
            if number in drawn:
                segments.append(Segment(name, name, number, 0, _entry(about.get(number, {}))))
            else:
                empty.append(name)
    if not segments:
        listed = f" ({listed_shortly(empty)} have none)" if empty else ""
        raise InputError(f"{path} has no contours{listed}. Export the structures again from the planning system.")
    return segments


def read_contour_masks(path: Path, chosen: Mapping[Key, Segment]) -> tuple[dict[Key, Mask], tuple[str, ...]]:
    """Fill the contours of some regions of an RTSTRUCT.

    The masks are on the grid of the image series that the contours were drawn on, if it lies in the same folder or in
    the folders beside it; else on a grid of 0.5 mm in the planes of the contours.

    Returns
    -------
    masks : dict
        A mask in `ras_mm` for each of the regions.
    notes : tuple of str
        Remarks for the user about how the file was read.

    Raises
    ------
    InputError
        The file is damaged, or contours are not closed or lie in planes of several directions.
    """
    with _reading(path) as dataset:
        contours = _contours(path, dataset)
        series, frames = _series_of(dataset), _frames_of_reference(dataset)
    notes: list[str] = []
    for segment in chosen.values():
        found = contours[segment.label]
        if not found.closed:
            raise InputError(
                f"{path}: the region {segment.name} has no closed contours, only points or open lines. Export it "
                "again as closed planar contours."
            )
        if found.others:
            notes.append(f"points and open lines of {segment.name} were left out ({found.others})")
    if len({frames.get(segment.label) for segment in chosen.values()}) > 1:
        notes.append("the structures refer to different frames of reference; check that they lie together")
    scan, remark = _scan_grid(path, series, [c for segment in chosen.values() for c in contours[segment.label].closed])
    notes.append(remark)
    masks = {}
    for key, segment in chosen.items():
        closed = contours[segment.label].closed
        try:
            filled = fill_contours(closed, scan)
        except InputError as error:
            raise InputError(f"{path}: {error} ({segment.name}). Choose the structures of these images.") from error
        if filled.interpolated:
            notes.append(f"{segment.name}: interpolated over {counted(filled.interpolated, 'slice')} without contours")
        if filled.gap_mm:
            notes.append(f"{segment.name}: there are no contours over {filled.gap_mm:.0f} mm, so it has two parts")
        masks[key] = mask_in_scan(filled.volume, scan)
    return masks, tuple(dict.fromkeys(notes))


def read_contours(path: Path) -> dict[str, tuple[np.ndarray, ...]]:
    """Return the closed contours (n, 3) in `ras_mm` of each region of an RTSTRUCT, by the names of the regions."""
    with _reading(path) as dataset:
        found = _contours(path, dataset)
        names = {int(item.ROINumber): str(item.get("ROIName", "")) for item in dataset.StructureSetROISequence}
    return {names[number]: each.closed for number, each in found.items()}


@contextmanager
def _reading(path: Path) -> Iterator[pydicom.Dataset]:
    import pydicom

    with reading(path, "a DICOM RTSTRUCT", "Export or send it again."), warnings.catch_warnings():
        # Many programs write numbers with more digits than DICOM allows.
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(path, force=True)  # Old planning systems leave the preamble out.
        if dataset.get("SOPClassUID") != CONTOURS_CLASS:
            raise InputError(f"{path} is not a DICOM RTSTRUCT. Choose the file of the structures.")
        yield dataset


def _entry(item: Mapping | pydicom.Dataset) -> str:
    """Return the code of a region in the format of Slicer's terminology entries."""
    if str(item.get("RTROIInterpretedType") or "").strip().upper() in _NOT_ORGANS:
        return ALTERED_ENTRY
    code = code_text((item.get("RTROIIdentificationCodeSequence") or [{}])[0])
    return f"~^^~{code}" if code != "^^" else ""


def _contours(path: Path, dataset: pydicom.Dataset) -> dict[int, _Contours]:
    found = {}
    for item in dataset.get("ROIContourSequence") or ():
        closed, others = [], 0
        for each in item.get("ContourSequence") or ():
            numbers = np.array(each.get("ContourData") or (), dtype=np.float64)
            if len(numbers) % 3 or not np.isfinite(numbers).all():
                raise InputError(f"{path} is damaged (a contour is no list of x, y and z). Export or send it again.")
            points = flip_lps_ras(numbers.reshape(-1, 3))
            if str(each.get("ContourGeometricType", _CLOSED[0])).strip().upper() in _CLOSED and len(points) >= 3:
                closed.append(points)
            else:
                others += 1
        found[int(item.ReferencedROINumber)] = _Contours(tuple(closed), others)
    return found


def _series_of(dataset: pydicom.Dataset) -> set[str]:
    """Return the UIDs of the image series that an RTSTRUCT refers to."""
    return {
        str(series.get("SeriesInstanceUID", ""))
        for frame in dataset.get("ReferencedFrameOfReferenceSequence") or ()
        for study in frame.get("RTReferencedStudySequence") or ()
        for series in study.get("RTReferencedSeriesSequence") or ()
    } - {""}


def _frames_of_reference(dataset: pydicom.Dataset) -> dict[int, str]:
    """Return the UID of the coordinate system of each region."""
    items = dataset.get("StructureSetROISequence") or ()
    return {int(item.ROINumber): str(item.get("ReferencedFrameOfReferenceUID", "")) for item in items}


def _scan_grid(path: Path, series: set[str], contours: Sequence[np.ndarray]) -> tuple[Grid, str]:
    """Return the grid to fill contours on, and a remark about it."""
    image = _image_beside(path, series) if series else None
    if image is not None:
        try:
            grid = read_series_grid(image)
            if _off_slices_mm(contours, grid) <= max(_FLAT_MM, _FLAT_SLICES * grid.spacing_mm[2]):
                return grid, f"the contours were filled on the grid of the images in {image.parent.name}"
            reason = f"the contours are not parallel to the images in {image.parent.name}"
        except InputError as error:
            reason = f"the images beside it cannot be used ({str(error).rstrip('.')})"
    else:
        reason = "the images that the contours were drawn on are not beside the file"
    grid = _own_grid(path, contours)
    sizes = " x ".join(f"{value:.3g}" for value in grid.spacing_mm)
    return grid, f"{reason}, so they were filled on a grid of {sizes} mm"


def _image_beside(path: Path, series: set[str]) -> Path | None:
    """Find an image of a series in the folder of a file, or in the folders beside that."""
    import pydicom

    here = path.absolute().parent
    searched = 0
    for folder in dict.fromkeys((here, *_folders_in(here), *_folders_in(here.parent))):
        try:
            files = sorted(folder.iterdir())
        except OSError:
            continue
        for file in files:
            if not may_be_dicom(file) or class_of_dicom(file) not in IMAGE_CLASSES:
                continue
            searched += 1
            if searched > _MOST_SEARCHED:
                return None
            try:
                about = pydicom.dcmread(file, force=True, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
            except Exception:  # Another file, which may be damaged in any way, is not what was chosen.
                continue
            if str(about.get("SeriesInstanceUID", "")) in series:
                return file
    return None


def _folders_in(folder: Path) -> list[Path]:
    try:
        return sorted(each for each in folder.iterdir() if each.is_dir())
    except OSError:
        return []


def _own_grid(path: Path, contours: Sequence[np.ndarray]) -> Grid:
    """Return a grid with slices in the planes of contours and one more each way, in `ras_mm`."""
    axes = _axes(path, contours)
    turned = [contour @ axes for contour in contours]
    planes = np.unique(np.round([np.median(contour[:, 2]) for contour in turned], 2))
    gaps = np.diff(planes)
    gaps = gaps[gaps > _FLAT_MM]
    step = float(np.median(gaps)) if len(gaps) else 1.0
    low, high = (np.array([getattr(c, end)(axis=0) for c in turned]) for end in ("min", "max"))
    low, high = low.min(axis=0), high.max(axis=0)
    size_mm = float((high - low).max())
    if not (_THINNEST_MM <= step <= _THICKEST_MM and size_mm <= _MOST_EXTENT_MM):
        raise InputError(
            f"{path}: the contours reach over {size_mm:.0f} mm in planes {step:.2f} mm apart, which is impossible for "
            "this region or too coarse. Export contours of every slice, in mm."
        )
    in_plane = _IN_PLANE_MM if size_mm <= _SMALL_MM else 2 * _IN_PLANE_MM
    voxels_mm = traced_voxels_mm([each[:, :2] for each in turned])
    spacing = np.array([*(voxels_mm or (in_plane, in_plane)), step])
    # Contours that follow the faces of voxels pass between the voxels of this grid, not through their centres.
    margin = np.array([*np.ceil(_MARGIN_MM / spacing[:2]) + (0.0 if voxels_mm else 0.5), 1.0])
    counts = np.ceil((high - low) / spacing - _PARALLEL + 2 * margin).astype(int) + 1
    matrix = np.eye(4)
    matrix[:3, :3] = axes * spacing
    matrix[:3, 3] = axes @ (low - margin * spacing)
    return Grid.of_file(path, (int(counts[2]), int(counts[1]), int(counts[0])), matrix)


def _axes(path: Path, contours: Sequence[np.ndarray]) -> np.ndarray:
    """Return unit vectors along the rows and columns of a grid and across the planes of contours, as columns (3, 3).

    `InputError` if the planes are not parallel.
    """
    flat = [axis for axis in (2, 1, 0) if all(np.ptp(contour[:, axis]) < _FLAT_MM for contour in contours)]
    if flat:
        return np.eye(3)[:, [axis for axis in range(3) if axis != flat[0]] + [flat[0]]]
    centred = np.concatenate([contour - contour.mean(axis=0) for contour in contours])
    normal = np.linalg.svd(centred, full_matrices=False)[2][2]
    if np.abs(centred @ normal).max() > _FLAT_MM:
        raise InputError(
            f"{path}: the contours lie in planes of several directions. Export contours in the slices of one image "
            "series."
        )
    row = np.eye(3)[np.abs(normal).argmin()]
    row = row - (row @ normal) * normal
    row /= np.linalg.norm(row)
    return np.column_stack([row, np.cross(normal, row), normal])


def _off_slices_mm(contours: Sequence[np.ndarray], grid: Grid) -> float:
    """Return how far contours are from parallel to the slices of a grid, in mm."""
    return max(float(np.ptp(grid.to_ijk(contour)[:, 2])) for contour in contours) * float(grid.spacing_mm[2])
