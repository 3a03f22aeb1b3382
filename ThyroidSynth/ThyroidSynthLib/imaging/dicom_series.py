"""The kind of DICOM files, and the grid of an image series that is stored as one file per slice.

Own code, because the series readers of ITK and VTK stack whatever slices are there: a missing or doubled slice then
only changes the spacing. Files are read by pydicom, which is part of Slicer.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.reading import reading
from ThyroidSynthLib.common.wording import counted
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume

SEGMENTATION_CLASSES = frozenset(("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"))
CONTOURS_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
# CT, MR, PET and their enhanced (multi-frame) and older forms.
IMAGE_CLASSES = frozenset(
    f"1.2.840.10008.5.1.4.1.1.{number}" for number in ("2", "2.1", "2.2", "4", "4.1", "4.3", "4.4", "128", "130")
)

_PREAMBLE = 128
_MAGIC = b"DICM"
# Group 2 is always in explicit little endian: tag, type UI, two bytes of length.
_CLASS_ELEMENT = b"\x02\x00\x02\x00UI"
_CLASS_IN_DATASET = b"\x08\x00\x16\x00"
_TAGS = (
    *("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesDescription", "SeriesNumber", "ImageType"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns", "NumberOfFrames"),
    *("SliceThickness", "SpacingBetweenSlices", "Modality"),
)
# Largest deviation of a slice from its place, in slice distances: positions are rounded in the file.
_UNEVEN = 0.1
_FEW = 6
_LOCALISER = "LOCALIZER"


@dataclass(frozen=True)
class _Slice:
    """A file of a series; positions and directions in LPS mm.

    Attributes
    ----------
    series : tuple of str
        What all files of an image have in common.
    about : str
        The description of its series for the user.
    axes : ndarray, shape (3, 3)
        Columns: the steps to the next column and row, and the unit normal.
    thickness : float
        Distance of neighbouring slices that the file states, in mm; 0 if it does not.
    """

    path: Path
    uid: str
    series: tuple[str, ...]
    about: str
    frames: int
    shape: tuple[int, int]
    axes: np.ndarray
    position: np.ndarray
    thickness: float


def may_be_dicom(path: Path | str) -> bool:
    """Check whether a file has a name of DICOM files: no suffix, ``.dcm``, ``.dicom``, ``.ima``, or an identifier."""
    suffix = Path(path).suffix.lower()
    # Files are often named by an identifier (1.2.840.…), which ends in a number.
    return suffix in ("", ".dcm", ".dicom", ".ima", ".img") or suffix[1:].isdigit()


def class_of_dicom(path: Path | str) -> str | None:
    """Return the SOP class of a DICOM file from its first bytes, "" if they do not state it; None for other files.

    Only regular files are opened, so that a pipe does not block.
    """
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            return None
        with Path(path).open("rb") as stream:
            start = stream.read(_PREAMBLE + 1024)
    except OSError:
        return None
    if start[_PREAMBLE : _PREAMBLE + len(_MAGIC)] != _MAGIC:
        return _class_without_preamble(start)
    at = start.find(_CLASS_ELEMENT, _PREAMBLE)
    if at < 0:
        return ""
    begin = at + len(_CLASS_ELEMENT) + 2
    length = int.from_bytes(start[begin - 2 : begin], "little")
    return start[begin : begin + length].decode("ascii", "replace").strip("\x00 ")


def _class_without_preamble(start: bytes) -> str | None:
    """Return the SOP class of a file that begins with the data set itself, as old planning systems write it."""
    at = start.find(_CLASS_IN_DATASET, 0, 512) if start[:2] == b"\x08\x00" else -1
    if at < 0:
        return None
    explicit = start[at + 4 : at + 6] == b"UI"
    length = int.from_bytes(start[at + 6 : at + 8] if explicit else start[at + 4 : at + 8], "little")
    found = start[at + 8 : at + 8 + length].decode("ascii", "replace").strip("\x00 ")
    return found if re.fullmatch(r"[0-9.]{1,64}", found) else None


def read_series_grid(path: Path | str) -> Grid:
    """Read the grid of the image series in a folder, or of the series that a DICOM file is a slice of, in `ras_mm`.

    A slice that occurs twice is used once. Localisers are ignored if there are other images.

    Raises
    ------
    InputError
        There is no series or there are several, slices are missing or lie at the same position, or the geometry is
        impossible.
    """
    return _series(Path(path))[0]


def read_series(path: Path | str) -> Volume:
    """Read the image series in a folder, or that of a DICOM file, with its values in Hounsfield units if it is a CT.

    Errors are those of `read_series_grid`; also `InputError` if the voxels cannot be read or would fill the memory.
    """
    import SimpleITK

    grid, files = _series(Path(path))
    grid.checked_for_holding(path)
    with reading(files[0], "a DICOM series", "Copy or export the series again."):
        try:
            image = SimpleITK.ReadImage([str(file) for file in files])
        except RuntimeError as error:
            raise InputError(f"{path}: its images cannot be read ({error}). Convert the series to NIfTI.") from error
    array = SimpleITK.GetArrayFromImage(image)
    if array.shape != grid.shape:
        raise InputError(f"{path}: its images are no scalar slices of one volume. Convert the series to NIfTI.")
    return Volume(array, grid.ijk_to_ras)


def read_series_files(path: Path | str) -> tuple[Grid, list[Path]]:
    """Return the grid of a series and its files, one for each slice k of the grid; errors as `read_series_grid`."""
    return _series(Path(path))


def _series(path: Path) -> tuple[Grid, list[Path]]:
    """Return the grid of a series and its files in the order of the slices."""
    folder = path if path.is_dir() else path.parent
    if not path.is_dir() and class_of_dicom(path) not in IMAGE_CLASSES:
        raise InputError(f"{path} is a DICOM file, but no CT or MR image. Choose the folder of an image series.")
    # A file stands for its series, of which all slices lie in its folder; a folder may be that of the whole study.
    files = _files_below(path) if path.is_dir() else (each for each in sorted(folder.iterdir()) if each.is_file())
    images = [_read(file) for file in files if may_be_dicom(file) and class_of_dicom(file) in IMAGE_CLASSES]
    if not path.is_dir():
        series = next(image.series for image in images if image.path == path)
        images = [image for image in images if image.series == series]
    if not images:
        raise InputError(f"{path} holds no CT or MR images in DICOM. Choose the folder of an image series, or a file.")
    # A localiser has few images in other directions; it counts only if there is nothing else.
    images = [image for image in images if _LOCALISER not in image.series] or images
    if len({image.series for image in images}) > 1:
        counts = Counter(image.series for image in images)
        named = {image.series: f"{image.about} (such as {image.path.relative_to(folder)})" for image in images}
        listed = "; ".join(sorted(f"{named[one]}, {counted(count, 'image')}" for one, count in counts.items())[:_FEW])
        raise InputError(
            f"{path} holds {len(counts)} image series: {listed}. Choose the folder of one of them, or one of its files."
        )
    several = next((image.path for image in images if image.frames > 1), None)
    if several is not None:
        raise InputError(f"{several} is a multi-frame image, whose grid is not read. Convert it to NIfTI or NRRD.")
    ordered = _sorted_once(path, images)
    axes = ordered[0].axes.copy()
    axes[:, 2] = _step(path, ordered)
    grid = Grid.of_lps((len(ordered), *ordered[0].shape), axes, ordered[0].position.tolist())
    return Grid.of_file(path, grid.shape, grid.ijk_to_ras), [one.path for one in ordered]


def _files_below(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(where) / name for name in sorted(names))


def _read(path: Path) -> _Slice:
    import pydicom

    with reading(path, "a DICOM image", "Copy or export the series again."):
        dataset = pydicom.dcmread(path, force=True, stop_before_pixels=True, specific_tags=list(_TAGS))
        for name, count in (("ImagePositionPatient", 3), ("ImageOrientationPatient", 6), ("PixelSpacing", 2)):
            if len(dataset.get(name) or ()) != count:
                raise InputError(f"{path} has no valid {name}. Export the series again with its geometry.")
        row, column = np.array(dataset.ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
        between_rows, between_columns = (float(value) for value in dataset.PixelSpacing)
        words = (str(dataset.get(name) or "") for name in ("Modality", "SeriesNumber", "SeriesDescription"))
        kind = [str(word).upper() for word in dataset.get("ImageType") or ()]
        shape = int(dataset.Rows), int(dataset.Columns)
        # One series may hold images of several directions or sizes, such as reformatted ones.
        directions = ",".join(f"{value:.3f}" for value in (*row, *column))
        marks = (_LOCALISER,) if _LOCALISER in kind else ()
        return _Slice(
            path=path,
            uid=str(dataset.get("SOPInstanceUID", path)),
            series=(str(dataset.get("SeriesInstanceUID", "")), str(shape), directions, *marks),
            about=f"'{' '.join(filter(None, words))}'",
            frames=int(dataset.get("NumberOfFrames") or 1),
            shape=shape,
            axes=np.stack([row * between_columns, column * between_rows, np.cross(row, column)], axis=1),
            position=np.array(dataset.ImagePositionPatient, dtype=np.float64),
            thickness=abs(float(dataset.get("SpacingBetweenSlices") or dataset.get("SliceThickness") or 0.0)),
        )


def _sorted_once(path: Path, slices: Sequence[_Slice]) -> list[_Slice]:
    """Return the slices along the normal; copies of one are left out, and others at one position are refused."""
    normal = slices[0].axes[:, 2]
    ordered = sorted({one.uid: one for one in slices}.values(), key=lambda one: float(one.position @ normal))
    for before, after in pairwise(ordered):
        if np.linalg.norm(after.position - before.position) < 1e-3:
            raise InputError(
                f"{path}: {before.path.name} and {after.path.name} lie at the same position (several time points or "
                "reconstructions?). Leave the slices of one image in the folder."
            )
    return ordered


def _step(path: Path, ordered: Sequence[_Slice]) -> np.ndarray:
    """Return the step from one slice to the next in LPS mm; it need not be along the normal of a tilted gantry."""
    normal = ordered[0].axes[:, 2]
    if len(ordered) == 1:
        return normal * (ordered[0].thickness or 1.0)
    positions = np.array([one.position for one in ordered])
    gaps = np.diff(positions @ normal)
    usual = float(np.median(gaps))
    widest = int(gaps.argmax())
    if gaps[widest] > (1 + _UNEVEN) * usual and gaps[widest] > usual + 0.01:
        missing = round(float(gaps[widest]) / usual) - 1
        about = f"{missing} missing" if missing > 0 else "unevenly spaced"
        raise InputError(
            f"{path}: the slices {ordered[widest].path.name} and {ordered[widest + 1].path.name} lie "
            f"{gaps[widest]:.2f} mm apart, the others {usual:.2f} mm ({about}). Copy the complete series."
        )
    step = (positions[-1] - positions[0]) / (len(ordered) - 1)
    beside = np.linalg.norm(positions - positions[0] - np.arange(len(ordered))[:, None] * step, axis=1).max()
    if beside > max(_UNEVEN * usual, 0.02):
        raise InputError(
            f"{path} has unevenly spaced slices (off by up to {beside:.2f} mm). Resample the series to even slices."
        )
    return step
