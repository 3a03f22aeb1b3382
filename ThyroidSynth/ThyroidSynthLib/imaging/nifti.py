"""Reading of NIfTI files: geometry, header extensions, and voxels a few slices at a time.

Own code, because nibabel is not part of Slicer and SimpleITK is unsuitable for segmentations
(docs/decisions/nifti-reader.md):

- it does not return header extensions, in which TotalSegmentator stores the label names;
- it refuses a file whose axes are sheared by more than 1e-4, and from about 1e-5 on it silently uses the qform
  instead of the sform; masks of the TotalSegmentator dataset are sheared that much;
- it decompresses the whole scan, of which a mask fills about a thousandth.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume

_DATATYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}
_MM_PER_UNIT = {1: 1000.0, 2: 1.0, 3: 0.001}
_SLAB_BYTES = 1 << 19  # Fits in the CPU's cache between decompression and comparison.


@dataclass(frozen=True)
class NiftiHeader:
    """The header of a 3-D NIfTI file.

    Attributes
    ----------
    grid : Grid
        By the sform if there is one (as in TotalSegmentator and nibabel), else by the qform.
    dtype : dtype
        Type and byte order of the stored voxels.
    slope, intercept : float
        A value is the stored number times slope plus intercept.
    extensions : tuple of (int, bytes)
        Code and content of each header extension.
    """

    path: Path
    grid: Grid
    dtype: np.dtype
    slope: float
    intercept: float
    extensions: tuple[tuple[int, bytes], ...]


def is_nifti(path: Path | str) -> bool:
    """Check whether a file name is that of a single-file NIfTI."""
    return str(path).lower().endswith((".nii", ".nii.gz"))


def read_header(path: Path | str) -> NiftiHeader:
    """Read the header of a NIfTI-1 or NIfTI-2 file, gzipped or not, of either byte order."""
    path = Path(path)
    with _reading(path) as stream:
        return _parse_header(path, stream)


def read_slabs(path: Path | str) -> Iterator[tuple[NiftiHeader, int, np.ndarray]]:
    """Read the voxels a few slices at a time, so that memory does not grow with the scan.

    Yields the header, the same each time, the index k of the slab's first slice, and its read-only voxels (m, nj, ni).
    """
    path = Path(path)
    with _reading(path) as stream:
        header = _parse_header(path, stream)
        slices, rows, columns = header.grid.shape
        slice_bytes = rows * columns * header.dtype.itemsize
        step = max(1, _SLAB_BYTES // max(1, slice_bytes))
        for first in range(0, slices, step):
            count = min(step, slices - first)
            content = stream.read(count * slice_bytes)
            if len(content) < count * slice_bytes:
                raise _damaged(path, f"it ends in slice {first + len(content) // slice_bytes} of {slices}")
            slab = np.frombuffer(content, header.dtype).reshape(count, rows, columns)
            if (header.slope, header.intercept) != (1.0, 0.0):
                slab = slab * np.float32(header.slope) + np.float32(header.intercept)
            yield header, first, slab
        while stream.read(1 << 20):  # At the end of the file gzip compares its checksum.
            pass


def read_nifti(path: Path | str) -> Volume:
    """Read a whole NIfTI file."""
    slabs = read_slabs(path)
    header, _, slab = next(slabs)
    array = np.empty(header.grid.shape, slab.dtype.newbyteorder("="))
    array[: len(slab)] = slab
    for _, first, slab in slabs:
        array[first : first + len(slab)] = slab
    return Volume(array, header.grid.ijk_to_ras)


@contextmanager
def _reading(path: Path) -> Iterator[BinaryIO | gzip.GzipFile]:
    """Open a file, which may be gzipped whatever its name, and translate errors."""
    if not path.is_file():
        raise InputError(f"{path} does not exist. Check the path.")
    try:
        with path.open("rb") as file:
            gzipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            yield gzip.GzipFile(fileobj=file) if gzipped else file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _damaged(path, str(error)) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}). Check its permissions.") from error


def _parse_header(path: Path, stream: BinaryIO | gzip.GzipFile) -> NiftiHeader:
    raw = stream.read(348)
    # The file begins with the size of its header: 348 bytes in NIfTI-1, 540 in NIfTI-2.
    sizes = {order: struct.unpack_from(order + "i", raw)[0] for order in "<>" if len(raw) == 348}
    order = next((order for order, size in sizes.items() if size in (348, 540)), None)
    if order is None:
        raise InputError(f"{path} is not a NIfTI file, although its name ends like one. Export it again as NIfTI.")
    second = sizes[order] == 540
    if second:
        raw += stream.read(540 - 348)
        if len(raw) < 540:
            raise _damaged(path, "its header is incomplete")

    def unpack(form: str, at_first: int, at_second: int) -> tuple:
        # NIfTI-2 has the fields of NIfTI-1 at other offsets, two to four times as wide.
        wide = form.translate(str.maketrans("hfB", "qdi")) if second else form
        return struct.unpack_from(order + wide, raw, at_second if second else at_first)

    magic = raw[4:7] if second else raw[344:347]
    if magic[:2] == b"ni":
        raise InputError(f"{path} is the header of a pair of files (.hdr and .img). Export it as one .nii.gz file.")
    if magic[:2] != b"n+":
        raise InputError(f"{path} is an Analyze file, which has no reliable geometry. Export it again as NIfTI.")
    dims = unpack("8h", 40, 16)
    (datatype,) = struct.unpack_from(order + "h", raw, 12 if second else 70)
    pixdim = unpack("8f", 76, 104)
    (offset,) = unpack("f", 108, 168) if not second else struct.unpack_from(order + "q", raw, 168)
    slope, intercept = unpack("2f", 112, 176)
    codes = struct.unpack_from(order + ("2i" if second else "2h"), raw, 344 if second else 252)
    quaternion = unpack("6f", 256, 352)
    sform = unpack("12f", 280, 400)
    units = struct.unpack_from(order + "i", raw, 500)[0] if second else raw[123]

    shape = dims[1 : 1 + dims[0]] if 1 <= dims[0] <= 7 else ()
    if len(shape) < 3 or any(n != 1 for n in shape[3:]) or min(shape) < 1:
        size = "x".join(str(n) for n in shape) or "unknown"
        raise InputError(f"{path} is not a 3-D image (size {size}). Export a single 3-D volume.")
    if datatype not in _DATATYPES:
        raise InputError(f"{path} does not have one number per voxel (NIfTI type {datatype}). Export it as integers.")
    ijk_to_ras = _placement(path, codes, quaternion, pixdim, sform)
    ijk_to_ras[:3] *= _MM_PER_UNIT.get(units & 7, 1.0)

    extra = stream.read(max(0, int(offset) - len(raw)))
    if slope == 0 or not np.isfinite([slope, intercept]).all():
        slope, intercept = 1.0, 0.0
    return NiftiHeader(
        path=path,
        grid=Grid((shape[2], shape[1], shape[0]), ijk_to_ras),
        dtype=np.dtype(order + _DATATYPES[datatype]),
        slope=float(slope),
        intercept=float(intercept),
        extensions=tuple(_extensions(extra, order)),
    )


def _extensions(extra: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Split the bytes between header and voxels: a flag of 4 bytes, then extensions with size and code."""
    at = 4 if extra[:1] not in (b"", b"\x00") else len(extra)
    while at + 8 <= len(extra):
        size, code = struct.unpack_from(order + "2i", extra, at)
        if size < 8:
            break
        yield code, extra[at + 8 : at + size]
        at += size


def _placement(
    path: Path,
    codes: tuple[int, ...],
    quaternion: tuple[float, ...],
    pixdim: tuple[float, ...],
    sform: tuple[float, ...],
) -> np.ndarray:
    """Return the ijk-to-RAS matrix (4, 4), in the file's unit of length: the sform, or else the qform."""
    from scipy.spatial.transform import Rotation

    matrix = np.eye(4)
    if codes[1] > 0:
        matrix[:3] = np.reshape(sform, (3, 4))
    elif codes[0] > 0:
        b, c, d = quaternion[:3]
        a = np.sqrt(max(0.0, 1.0 - b * b - c * c - d * d))
        rotation = Rotation.from_quat([b, c, d, a]).as_matrix()
        handedness = -1.0 if pixdim[0] < 0 else 1.0
        matrix[:3, :3] = rotation * np.array([pixdim[1], pixdim[2], pixdim[3] * handedness])
        matrix[:3, 3] = quaternion[3:]
    else:
        raise InputError(
            f"{path} has no position in the patient (neither sform nor qform), so left and right are unknown. "
            "Export it again, with its geometry, from the program that made it."
        )
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:3, :3])) < 1e-9:
        raise InputError(f"{path} has an invalid geometry (an axis of length 0). Export it again with its geometry.")
    return matrix


def _damaged(path: Path, what: str) -> InputError:
    return InputError(f"{path} is damaged ({what}). Copy or download it again.")
