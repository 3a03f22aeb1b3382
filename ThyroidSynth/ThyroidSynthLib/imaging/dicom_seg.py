"""DICOM segmentations (SEG): which segment is which, and where each of its frames lies in the patient.

A SEG is a pile of frames, each of which says which segment it belongs to and where it lies. Frames without
anything in them may be left out. Only the frames of the thyroid and the trachea are read: a file of all
classes of a TotalSegmentator run unpacks to gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume

from .dicom_frames import DEFLATED, FrameReader
from .labels import Structure
from .masks import Mask, mask_in_scan
from .seg_nrrd import Segment, structures_among

if TYPE_CHECKING:
    import pydicom

_SEG = "1.2.840.10008.5.1.4.1.1.66.4"
_LABEL_MAP_SEG = "1.2.840.10008.5.1.4.1.1.66.7"

# Positions are written with a few decimals; a frame this far beside its slice lies in none.
_OFF_SLICE = 0.05


@dataclass(frozen=True)
class _Stack:
    """The slices that a file's frames lie in.

    Attributes
    ----------
    slices : ndarray of int, shape (n,)
        Slice of each frame, counted from the first one in the file.
    grid : Grid
        Of all slices from the first frame to the last, in `ras_mm`.
    """

    slices: np.ndarray
    grid: Grid


def is_dicom_seg(path: Path | str) -> bool:
    """Say whether a file is a DICOM segmentation, from its first bytes."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    path = Path(path)
    try:
        with path.open("rb") as file:
            file.seek(128)
            if file.read(4) != b"DICM":
                return False
        about = pydicom.filereader.read_file_meta_info(path)
    except (OSError, InvalidDicomError, ValueError, EOFError):
        return False
    return about.get("MediaStorageSOPClassUID") in (_SEG, _LABEL_MAP_SEG)


def read_dicom_seg(path: Path | str) -> tuple[dict[Structure, Mask], tuple[str, ...]]:
    """Read the thyroid and the trachea of a DICOM segmentation.

    A segment is found by the SNOMED code of its type, else by its label.

    Returns
    -------
    masks : dict
        A mask per structure that the file has a segment of, in `ras_mm`.
    notes : tuple of str
        What a user should know about how the file was read.

    Raises
    ------
    InputError
        The file cannot be read, has a segment of neither, or does not say where its frames lie.
    """
    path = Path(path)
    with _reading(path) as dataset:
        kind = str(dataset.get("SegmentationType", "BINARY"))
        if dataset.get("SOPClassUID") not in (_SEG, _LABEL_MAP_SEG) or kind not in ("BINARY", "FRACTIONAL", "LABELMAP"):
            raise InputError(f"{path} is DICOM, but no segmentation (SEG). Choose the file of the segmentation.")
        chosen = structures_among(path, _segments(path, dataset))
        stack = _stack(path, dataset)
        numbers = _segment_numbers(path, dataset) if kind != "LABELMAP" else None
        threshold = _half(dataset) if kind == "FRACTIONAL" else None
        before, scan_depth, notes = _scan_of(dataset, stack)
        scan = stack.grid.part([-before, 0, 0], [scan_depth, *stack.grid.shape[1:]])
        if threshold is not None:
            notes += ("the segmentation is fractional; voxels at least half inside count",)
        reader = FrameReader(path, dataset)
        masks = {}
        for structure, segment in chosen.items():
            frames = np.arange(len(stack.slices)) if numbers is None else np.flatnonzero(numbers == segment.label)
            _check_one_each(path, segment, stack.slices[frames])
            inside = {}
            for frame in frames:
                values = reader.frame(int(frame))
                plane = values == segment.label if numbers is None else values >= (threshold or 1)
                if plane.any():
                    inside[int(stack.slices[frame])] = plane
            masks[structure] = _mask(inside, stack.grid, scan)
    return masks, notes


@contextmanager
def _reading(path: Path) -> Iterator[pydicom.Dataset]:
    import pydicom

    if not path.is_file():
        raise InputError(f"{path} does not exist. Check the path.")
    try:
        about = pydicom.filereader.read_file_meta_info(path)
        # Voxels stay on the disk until they are asked for.
        later = None if about.get("TransferSyntaxUID") == DEFLATED else 1 << 16
        yield pydicom.dcmread(path, defer_size=later)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}). Check its permissions.") from error
    except pydicom.errors.InvalidDicomError as error:
        raise InputError(f"{path} is not a DICOM file. Export the segmentation again.") from error
    except (AttributeError, KeyError, IndexError, TypeError, ValueError, EOFError, NotImplementedError) as error:
        raise InputError(f"{path} is damaged or incomplete ({error}). Export or send it again.") from error


def _segments(path: Path, dataset: pydicom.Dataset) -> list[Segment]:
    segments = []
    for item in dataset.get("SegmentSequence") or ():
        kind = (item.get("SegmentedPropertyTypeCodeSequence") or [{}])[0]
        scheme, code = kind.get("CodingSchemeDesignator", ""), kind.get("CodeValue", "")
        label = str(item.get("SegmentLabel", ""))
        # The code alone, as Slicer would write it: category, type, and nothing of the region.
        entry = f"~~{scheme}^{code}^{kind.get('CodeMeaning', '')}"
        segments.append(Segment(label, label, int(item.SegmentNumber), 0, entry))
    if not segments:
        raise InputError(f"{path} describes no segments. Export the segmentation again.")
    return segments


def _group(dataset: pydicom.Dataset, frame: pydicom.Dataset, name: str) -> pydicom.Dataset | None:
    """Give the first item of a functional group: that of the frame, else the one all frames share."""
    shared = dataset.get("SharedFunctionalGroupsSequence") or ()
    for holder in (frame, *shared):
        if found := holder.get(name):
            return found[0]
    return None


def _frames(path: Path, dataset: pydicom.Dataset) -> list[pydicom.Dataset]:
    frames = list(dataset.get("PerFrameFunctionalGroupsSequence") or ())
    count = int(dataset.get("NumberOfFrames", 1) or 1)
    if len(frames) != count:
        raise InputError(f"{path} has {count} frames but describes {len(frames)}. Export the segmentation again.")
    return frames


def _stack(path: Path, dataset: pydicom.Dataset) -> _Stack:
    frames = _frames(path, dataset)
    measures = _group(dataset, frames[0], "PixelMeasuresSequence")
    orientations = [_group(dataset, each, "PlaneOrientationSequence") for each in frames]
    places = [_group(dataset, each, "PlanePositionSequence") for each in frames]
    if measures is None or None in orientations or None in places or "ImagePositionPatient" not in places[0]:
        raise InputError(
            f"{path} does not say where its frames lie in the patient. Export the segmentation again with its geometry."
        )
    directions = np.array([each.ImageOrientationPatient for each in orientations], dtype=np.float64)
    if np.abs(directions - directions[0]).max() > 1e-4:
        raise InputError(f"{path} holds frames of several orientations. Export one segmentation for each image series.")
    row, column = directions[0, :3], directions[0, 3:]
    positions = np.array([each.ImagePositionPatient for each in places], dtype=np.float64)
    thickness = float(measures.get("SpacingBetweenSlices") or measures.get("SliceThickness") or 0.0)
    slices, step = _slices(path, positions, np.cross(row, column), thickness)
    between_rows, between_columns = (float(value) for value in measures.PixelSpacing)
    axes = np.stack([row * between_columns, column * between_rows, step], axis=1)
    origin = positions[slices.argmin()]
    if not np.isfinite([*axes, origin]).all() or abs(np.linalg.det(axes)) < 1e-9:
        raise InputError(f"{path} has an impossible geometry (an axis of no length). Export the segmentation again.")
    return _Stack(slices, Grid.of_lps((slices.max() + 1, dataset.Rows, dataset.Columns), axes, origin))


def _slices(path: Path, positions: np.ndarray, normal: np.ndarray, thickness: float) -> tuple[np.ndarray, np.ndarray]:
    """Number the slices that frames lie in, and give the step (3,) in LPS mm from one to the next.

    The step is that between neighbouring frames of the file; slices in which no segment has a frame leave
    gaps of whole steps. It need not be along the normal: gantries tilt.
    """
    along = positions @ normal
    levels = np.sort(along)
    gaps = np.diff(levels)
    gaps = gaps[gaps > _OFF_SLICE * (thickness or 1.0)]
    if len(gaps) == 0:
        return np.zeros(len(along), dtype=int), normal * (thickness or 1.0)
    # With every second slice empty the file's own word is finer than what its frames show.
    size = thickness if 0 < thickness < gaps.min() and _whole(gaps / thickness) else gaps.min()
    first = positions[along.argmin()]
    slices = np.rint((along - along.min()) / size).astype(int)
    step = (positions[along.argmax()] - first) / slices.max()
    beside = np.linalg.norm(positions - first - slices[:, None] * step, axis=1).max()
    if beside > _OFF_SLICE * size:
        raise InputError(
            f"{path} has unevenly spaced slices (up to {beside:.2f} mm beside their place). "
            "Resample the image and its segmentation to even slices."
        )
    return slices, step


def _whole(values: np.ndarray) -> bool:
    return bool((np.abs(values - np.rint(values)) <= _OFF_SLICE).all())


def _segment_numbers(path: Path, dataset: pydicom.Dataset) -> np.ndarray:
    found = [_group(dataset, each, "SegmentIdentificationSequence") for each in _frames(path, dataset)]
    if None in found:
        raise InputError(f"{path} does not say which frame belongs to which segment. Export the segmentation again.")
    return np.array([int(each.ReferencedSegmentNumber) for each in found])


def _half(dataset: pydicom.Dataset) -> int:
    return max(1, (int(dataset.MaximumFractionalValue) + 1) // 2)


def _scan_of(dataset: pydicom.Dataset, stack: _Stack) -> tuple[int, int, tuple[str, ...]]:
    """Say how many slices of the scan lie before the first frame, and how many there are.

    Frames refer to the images they were drawn on. Where those are listed in the order of their places,
    the list tells how far the scan goes on beyond the file's frames.
    """
    series = dataset.get("ReferencedSeriesSequence") or ()
    listed = [
        item.get("ReferencedSOPInstanceUID") for each in series for item in each.get("ReferencedInstanceSequence")
    ]
    places = {uid: place for place, uid in enumerate(listed)}
    depth = stack.grid.shape[0]
    if len(listed) <= depth:
        return 0, depth, ()
    pairs = set()
    for frame, slice_number in zip(dataset.PerFrameFunctionalGroupsSequence, stack.slices, strict=True):
        for derivation in frame.get("DerivationImageSequence") or ():
            for source in derivation.get("SourceImageSequence") or ():
                pairs.add((int(slice_number), places.get(source.get("ReferencedSOPInstanceUID"))))
    if pairs and None not in {place for _, place in pairs}:
        for sign in (1, -1):
            starts = {place - sign * slice_number for slice_number, place in pairs}
            if len(starts) == 1:
                start = starts.pop()
                return (start if sign > 0 else len(listed) - 1 - start), len(listed), ()
    # Somewhere the scan goes on: a gland in the file's first or last slice is not known to be cut.
    return 1, depth + 2, ("empty slices were left out, so whether the scan cuts the gland is not known",)


def _check_one_each(path: Path, segment: Segment, slices: np.ndarray) -> None:
    if len(np.unique(slices)) < len(slices):
        raise InputError(
            f"{path} holds several frames of segment {segment.name} in one place (of several points in time?). "
            "Export one segmentation for each."
        )


def _mask(inside: dict[int, np.ndarray], frames: Grid, scan: Grid) -> Mask:
    first = min(inside, default=0)
    array = np.zeros((max(inside, default=0) - first + 1, *frames.shape[1:]), dtype=np.uint8)
    for slice_number, values in inside.items():
        array[slice_number - first] = values
    return mask_in_scan(Volume(array, frames.part([first, 0, 0], array.shape).ijk_to_ras), scan)
