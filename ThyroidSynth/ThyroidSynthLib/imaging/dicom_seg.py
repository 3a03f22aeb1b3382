"""Reading of DICOM segmentations (SEG).

A SEG is a collection of frames, each with the number of its segment and its position. Empty frames may be left out.
Own code, because highdicom is not part of Slicer and decodes the frames of all segments; here only those of thyroid
and trachea are read (docs/decisions/dicom-seg-reader.md).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.reading import reading
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume

from .dicom_frames import DEFLATED, FrameReader, check_deflated
from .dicom_series import SEGMENTATION_CLASSES
from .masks import Mask, mask_in_scan
from .segments import Segment

if TYPE_CHECKING:
    import pydicom

Key = TypeVar("Key", bound=Hashable)

# Positions are rounded in the file. A frame further than this (in slices) from its slice is in none.
_OFF_SLICE = 0.05


def read_dicom_segments(path: Path | str) -> list[Segment]:
    """Read the descriptions of all segments of a DICOM segmentation; at least one."""
    path = Path(path)
    with _reading(path) as dataset:
        _check_kind(path, dataset)
        return _segments(path, dataset)


def read_dicom_masks(path: Path | str, chosen: Mapping[Key, Segment]) -> tuple[dict[Key, Mask], tuple[str, ...]]:
    """Read the masks of some segments of a DICOM segmentation.

    Returns
    -------
    masks : dict
        A mask in `ras_mm` for each of the segments.
    notes : tuple of str
        Remarks for the user about how the file was read.
    """
    path = Path(path)
    with _reading(path) as dataset:
        kind = _check_kind(path, dataset)
        slices, grid = _stack(path, dataset)
        numbers = _segment_numbers(path, dataset) if kind != "LABELMAP" else None
        threshold = (int(dataset.MaximumFractionalValue) + 1) // 2 if kind == "FRACTIONAL" else None
        before, scan_depth, notes = _scan_of(dataset, slices, grid.shape[0])
        scan = grid.part([-before, 0, 0], [scan_depth, *grid.shape[1:]])
        if threshold is not None:
            notes += ("the segmentation is fractional; voxels at least half inside count",)
        reader = FrameReader(path, dataset)
        masks = {}
        for key, segment in chosen.items():
            frames = np.arange(len(slices)) if numbers is None else np.flatnonzero(numbers == segment.label)
            _check_one_each(path, segment, slices[frames])
            inside = {}
            for frame in frames:
                values = reader.frame(int(frame))
                plane = values == segment.label if numbers is None else values >= (threshold or 1)
                if plane.any():
                    inside[int(slices[frame])] = plane
            masks[key] = _mask(inside, grid, scan)
    return masks, notes


def _check_kind(path: Path, dataset: pydicom.Dataset) -> str:
    """Return the type of a segmentation; `InputError` if the file is none."""
    kind = str(dataset.get("SegmentationType", "BINARY"))
    if dataset.get("SOPClassUID") not in SEGMENTATION_CLASSES or kind not in ("BINARY", "FRACTIONAL", "LABELMAP"):
        raise InputError(f"{path} is not a DICOM segmentation (SEG). Choose the file of the segmentation.")
    return kind


@contextmanager
def _reading(path: Path) -> Iterator[pydicom.Dataset]:
    import pydicom

    with reading(path, "a DICOM segmentation", "Export or send it again."):
        try:
            meta = pydicom.filereader.read_file_meta_info(path)
            deflated = meta.get("TransferSyntaxUID") == DEFLATED
            if deflated:
                check_deflated(path)
            # Pixels stay on the disk until a frame is read.
            yield pydicom.dcmread(path, defer_size=None if deflated else 1 << 16)
        except pydicom.errors.InvalidDicomError as error:
            raise InputError(f"{path} is not a DICOM file. Export the segmentation again.") from error


def _segments(path: Path, dataset: pydicom.Dataset) -> list[Segment]:
    segments = []
    for item in dataset.get("SegmentSequence") or ():
        kind, region = (_first(item, name) for name in ("SegmentedPropertyTypeCodeSequence", "AnatomicRegionSequence"))
        # In the format of Slicer's terminology entries.
        codes: tuple[Mapping | pydicom.Dataset, ...] = (
            _first(item, "SegmentedPropertyCategoryCodeSequence"),
            kind,
            _first(kind, "SegmentedPropertyTypeModifierCodeSequence"),
            {},
            region,
            _first(region, "AnatomicRegionModifierSequence"),
        )
        label = str(item.get("SegmentLabel", ""))
        entry = "".join(f"~{code_text(each)}" for each in codes)
        segments.append(Segment(label, label, int(item.SegmentNumber), 0, entry))
    if not segments:
        raise InputError(f"{path} describes no segments. Export the segmentation again.")
    return segments


def _first(item: Mapping | pydicom.Dataset, name: str) -> Mapping | pydicom.Dataset:
    return (item.get(name) or [{}])[0]


def code_text(item: Mapping | pydicom.Dataset) -> str:
    """Return a code in the format of Slicer's terminology entries; "^^" for none."""
    scheme, value, meaning = (item.get(f) or "" for f in ("CodingSchemeDesignator", "CodeValue", "CodeMeaning"))
    return f"{scheme}^{value}^{meaning}" if value else "^^"


def _groups(dataset: pydicom.Dataset, frames: Sequence[pydicom.Dataset], name: str) -> list[pydicom.Dataset]:
    """Return a functional group of each frame, its own or the shared one; empty if any frame has neither."""
    shared = [group[0] for item in dataset.get("SharedFunctionalGroupsSequence") or () if (group := item.get(name))]
    groups = []
    for frame in frames:
        own = frame.get(name)
        if not own and not shared:
            return []
        groups.append(own[0] if own else shared[0])
    return groups


def _frames(path: Path, dataset: pydicom.Dataset) -> list[pydicom.Dataset]:
    frames = list(dataset.get("PerFrameFunctionalGroupsSequence") or ())
    count = int(dataset.get("NumberOfFrames", 1) or 1)
    if len(frames) != count:
        raise InputError(f"{path} has {count} frames but describes {len(frames)}. Export the segmentation again.")
    return frames


def _stack(path: Path, dataset: pydicom.Dataset) -> tuple[np.ndarray, Grid]:
    """Return the slice of each frame, counted from the first that has one, and the grid of all slices in `ras_mm`."""
    frames = _frames(path, dataset)
    all_measures = _groups(dataset, frames[:1], "PixelMeasuresSequence")
    orientations = _groups(dataset, frames, "PlaneOrientationSequence")
    places = _groups(dataset, frames, "PlanePositionSequence")
    if not (all_measures and orientations and places) or "ImagePositionPatient" not in places[0]:
        raise InputError(
            f"{path} has no positions of its frames in the patient. Export the segmentation again with its geometry."
        )
    measures = all_measures[0]
    directions = np.array([each.ImageOrientationPatient for each in orientations], dtype=np.float64)
    if np.abs(directions - directions[0]).max() > 1e-4:
        raise InputError(f"{path} has frames of several orientations. Export one segmentation for each image series.")
    row, column = directions[0, :3], directions[0, 3:]
    positions = np.array([each.ImagePositionPatient for each in places], dtype=np.float64)
    spacing, thickness = (abs(float(measures.get(n) or 0.0)) for n in ("SpacingBetweenSlices", "SliceThickness"))
    if not np.isfinite(positions).all() or not np.isfinite(directions).all():
        raise InputError(f"{path} has frames at positions that are no numbers. Export the segmentation again.")
    slices, step = _slices(path, positions, np.cross(row, column), spacing, thickness)
    between_rows, between_columns = (float(value) for value in measures.PixelSpacing)
    axes = np.stack([row * between_columns, column * between_rows, step], axis=1)
    origin = positions[slices.argmin()]
    matrix = Grid.of_lps((1, 1, 1), axes, origin).ijk_to_ras
    return slices, Grid.of_file(path, (slices.max() + 1, dataset.Rows, dataset.Columns), matrix)


def _slices(
    path: Path, positions: np.ndarray, normal: np.ndarray, spacing: float, thickness: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the slice number of each frame, and the step (3,) in LPS mm from one slice to the next.

    The step is the distance of neighbouring frames; slices without a frame leave gaps of several steps. It need not
    be along the normal, because a gantry may be tilted. `spacing` and `thickness` of slices, in mm, are those that the
    file states, or 0.
    """
    thickness = spacing or thickness
    along = positions @ normal
    gaps = np.diff(np.sort(along))
    gaps = gaps[gaps > _OFF_SLICE * (thickness or 1.0)]
    if len(gaps) == 0 and not thickness:
        raise InputError(f"{path} has one slice and no slice thickness. Export the segmentation again with both.")
    if len(gaps) == 0:
        return np.zeros(len(along), dtype=int), normal * thickness
    # If every second slice is empty, the spacing in the header is smaller than the distance of the frames. A slice
    # thickness alone does not show that, because there may be gaps between the slices of a scan.
    size = gaps.min()
    even = spacing if spacing else thickness if (_off_multiples(gaps, size) > _OFF_SLICE).any() else 0.0
    if 0 < even < size and (_off_multiples(gaps, even) <= _OFF_SLICE).all():
        size = even
    first = positions[along.argmin()]
    slices = np.rint((along - along.min()) / size).astype(int)
    step = (positions[along.argmax()] - first) / slices.max()
    beside = np.linalg.norm(positions - first - slices[:, None] * step, axis=1).max()
    if beside > _OFF_SLICE * size:
        raise InputError(
            f"{path} has unevenly spaced slices (off by up to {beside:.3g} mm). "
            "Resample the image and its segmentation to even slices."
        )
    return slices, step


def _off_multiples(gaps: np.ndarray, size: float) -> np.ndarray:
    """Return how far distances are from whole multiples of a size, in that size."""
    return np.abs(gaps / size - np.rint(gaps / size))


def _segment_numbers(path: Path, dataset: pydicom.Dataset) -> np.ndarray:
    groups = _groups(dataset, _frames(path, dataset), "SegmentIdentificationSequence")
    if not groups:
        raise InputError(f"{path} does not state which frame belongs to which segment. Export the segmentation again.")
    return np.array([int(group.ReferencedSegmentNumber) for group in groups])


def _scan_of(dataset: pydicom.Dataset, slices: np.ndarray, depth: int) -> tuple[int, int, tuple[str, ...]]:
    """Return the number of slices of the scan before the first frame, the number of all its slices, and remarks.

    Frames refer to the images they were drawn on. If these are listed in the order of their positions, the list shows
    how far the scan extends beyond the file's frames.
    """
    series = dataset.get("ReferencedSeriesSequence") or ()
    listed = [
        item.get("ReferencedSOPInstanceUID") for each in series for item in each.get("ReferencedInstanceSequence")
    ]
    places = {uid: place for place, uid in enumerate(listed)}
    if len(listed) <= depth:
        return 0, depth, ()
    pairs: set[tuple[int, int]] = set()
    for frame, slice_number in zip(dataset.PerFrameFunctionalGroupsSequence, slices, strict=True):
        for derivation in frame.get("DerivationImageSequence") or ():
            for source in derivation.get("SourceImageSequence") or ():
                pairs.add((int(slice_number), places.get(source.get("ReferencedSOPInstanceUID"), -1)))
    if pairs and all(place >= 0 for _, place in pairs):
        for sign in (1, -1):
            starts = {place - sign * slice_number for slice_number, place in pairs}
            if len(starts) == 1:
                start = starts.pop()
                return (start if sign > 0 else len(listed) - 1 - start), len(listed), ()
    # The scan extends beyond the frames at an unknown end, so it may not cut a gland in the first or last slice.
    return 1, depth + 2, ("empty slices were left out of the file, so it is unknown whether the scan cuts the gland",)


def _check_one_each(path: Path, segment: Segment, slices: np.ndarray) -> None:
    if len(np.unique(slices)) < len(slices):
        raise InputError(
            f"{path} has several frames of segment {segment.name} at the same position (several time points?). "
            "Export one segmentation for each."
        )


def _mask(inside: dict[int, np.ndarray], frames: Grid, scan: Grid) -> Mask:
    first = min(inside, default=0)
    array = np.zeros((max(inside, default=0) - first + 1, *frames.shape[1:]), dtype=np.uint8)
    for slice_number, values in inside.items():
        array[slice_number - first] = values
    return mask_in_scan(Volume(array, frames.part([first, 0, 0], array.shape).ijk_to_ras), scan)
