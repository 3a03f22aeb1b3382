"""NIfTI files: header, geometry and header extensions, and writing.

Own code, because nibabel is not part of Slicer and SimpleITK is unsuitable for segmentations
(docs/decisions/nifti-reader.md):

- it does not return header extensions, in which TotalSegmentator stores the label names;
- it refuses a file whose axes are sheared by more than 1e-4, and from about 1e-5 on it silently uses the qform
  instead of the sform, and it straightens or refuses such axes when it writes; masks of the TotalSegmentator dataset
  are sheared that much;
- it decompresses the whole scan, of which a mask fills about a thousandth.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume

from .formats.stored_voxels import (
    LARGEST_OFFSET,
    Readable,
    StoredVoxels,
    damaged,
    is_gzipped,
    opened,
    planes_of,
)

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
_DATATYPE_OF = {kind: code for code, kind in _DATATYPES.items()}
_INTENT_LABEL = 1002
_MM_PER_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
_NAME_OF_UNIT = {1: "metres", 3: "micrometres"}

# By more than this the sform and the other entries of a header contradict each other; less is rounding.
_SAME_SPACING = 0.01
_SAME_PLACE_VOXELS = 0.1
# Axes whose cosines differ from those of a rotation by less than the single precision of a header.
_ORTHONORMAL = 1e-6


@dataclass(frozen=True)
class NiftiHeader:
    """The header of a 3-D NIfTI file.

    Attributes
    ----------
    grid : Grid
        By the sform if there is one (as in TotalSegmentator and nibabel), else by the qform.
    voxels : StoredVoxels
        Where the voxels are stored.
    extensions : tuple of (int, bytes)
        Code and content of each header extension.
    notes : tuple of str
        Remarks for the user on a header that contradicts itself.
    """

    grid: Grid
    voxels: StoredVoxels
    extensions: tuple[tuple[int, bytes], ...]
    notes: tuple[str, ...] = ()


def is_nifti(path: Path | str) -> bool:
    """Check whether a file name is that of a single-file NIfTI."""
    return str(path).lower().endswith((".nii", ".nii.gz"))


def read_header(path: Path | str) -> NiftiHeader:
    """Read the header of a NIfTI-1 or NIfTI-2 file, gzipped or not, of either byte order.

    Raises
    ------
    InputError
        The file is damaged or is not a 3-D scalar image, its geometry is impossible, or its header holds two
        placements that stretch or mirror each other.
    """
    path = Path(path)
    with opened(path) as file:
        return _parse_header(path, gzip.GzipFile(fileobj=file) if is_gzipped(path) else file)


def write_nifti(
    volume: Volume,
    path: Path | str,
    *,
    description: str = "",
    extensions: Sequence[tuple[int, bytes]] = (),
    labels: bool = False,
) -> None:
    """Write a volume as NIfTI-1 with its exact axes as sform, whether they are at right angles or not.

    The qform is the same, or the nearest rotation with code 0 (not to be used) if the axes are sheared.

    Parameters
    ----------
    path : path-like
        Gzipped if it ends in ``.gz``. The same volume gives the same bytes.
    description : str
        Of which the header keeps 79 bytes.
    extensions : sequence of (int, bytes)
        Code and content of header extensions.
    labels : bool
        Whether the voxels are labels, which the header's intent then states.

    Raises
    ------
    OutputError
        NIfTI cannot store the voxels' type, or so many voxels along one axis.
    """
    path = Path(path)
    kind = volume.array.dtype.str[1:]
    if kind not in _DATATYPE_OF or max(volume.array.shape) > 32767:
        raise OutputError(
            f"{path} cannot be written: NIfTI has no voxels of type {volume.array.dtype}, or not "
            f"{max(volume.array.shape)} along an axis. Choose nrrd."
        )
    pieces = b""
    for code, content in extensions:
        padding = bytes(-(len(content) + 8) % 16)  # The standard requires a multiple of 16 bytes.
        pieces += struct.pack("<2i", len(content) + len(padding) + 8, code) + content + padding
    header = bytearray(348)
    spacing = volume.spacing_mm
    rotation, handedness, orthonormal = _nearest_rotation(volume.ijk_to_ras[:3, :3] / spacing)
    struct.pack_into("<i", header, 0, 348)
    header[38:39] = b"r"  # As Analyze required; some programs still look for it.
    struct.pack_into("<8h", header, 40, 3, *volume.array.shape[::-1], 1, 1, 1, 1)
    struct.pack_into("<h", header, 68, _INTENT_LABEL if labels else 0)
    struct.pack_into("<2h", header, 70, _DATATYPE_OF[kind], volume.array.dtype.itemsize * 8)
    struct.pack_into("<8f", header, 76, handedness, *spacing, 0, 0, 0, 0)
    struct.pack_into("<3f", header, 108, 352 + len(pieces), 1.0, 0.0)
    header[123] = 2  # Millimetres.
    text = description.encode("utf-8", "replace")[:79]
    header[148 : 148 + len(text)] = text
    struct.pack_into("<2h", header, 252, int(orthonormal), 1)
    struct.pack_into("<6f", header, 256, *rotation, *volume.ijk_to_ras[:3, 3])
    struct.pack_into("<12f", header, 280, *volume.ijk_to_ras[:3].ravel())
    header[344:348] = b"n+1\0"
    with path.open("wb") as file:
        packed = (
            gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0)
            if path.name.lower().endswith(".gz")
            else file
        )
        packed.write(bytes(header) + bytes([1 if pieces else 0, 0, 0, 0]) + pieces)
        packed.writelines(planes_of(volume.array))
        packed.close()


def _nearest_rotation(axes: np.ndarray) -> tuple[np.ndarray, float, bool]:
    """Return the quaternion (b, c, d) nearest to axes of length 1, their handedness, and whether it equals them."""
    from scipy.spatial.transform import Rotation

    handedness = -1.0 if np.linalg.det(axes) < 0 else 1.0
    right_handed = axes * [1.0, 1.0, handedness]
    left, _, right = np.linalg.svd(right_handed)
    nearest = left @ right
    b, c, d, a = Rotation.from_matrix(nearest).as_quat()
    sign = -1.0 if a < 0 else 1.0
    return np.array([b, c, d]) * sign, handedness, bool(np.abs(nearest - right_handed).max() < _ORTHONORMAL)


def _parse_header(path: Path, stream: Readable) -> NiftiHeader:
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
            raise damaged(path, "its header is incomplete")

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
    datatype, bits = struct.unpack_from(order + "2h", raw, 12 if second else 70)
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
    if bits not in (0, 8 * np.dtype(_DATATYPES[datatype]).itemsize):
        raise damaged(path, f"its header states type {datatype} with {bits} bits per voxel")
    if not np.isfinite(pixdim[1:4]).all():
        raise damaged(path, "the voxel size in its header is no number")
    grid, notes = _placement(path, shape[2::-1], codes, quaternion, pixdim, sform, units & 7)

    first = len(raw) + 4  # Four bytes say whether there are extensions. Offset 0 means that there are none.
    if not np.isfinite(offset) or not (offset == 0 or first <= offset <= LARGEST_OFFSET):
        raise damaged(path, f"its header says that the voxels begin at byte {offset:g}")
    extra = stream.read(max(4, int(offset) - len(raw)))
    if slope == 0 or not np.isfinite([slope, intercept]).all():
        slope, intercept = 1.0, 0.0
    voxels = StoredVoxels(
        image=path,
        path=path,
        shape=grid.shape,
        dtype=np.dtype(order + _DATATYPES[datatype]),
        offset=max(first, int(offset)),
        compression="file",
        slope=float(slope),
        intercept=float(intercept),
    )
    return NiftiHeader(grid, voxels, tuple(_extensions(path, extra, order)), notes)


def _extensions(path: Path, extra: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Split the bytes between header and voxels: a flag of 4 bytes, then extensions with size and code."""
    at = 4 if extra[:1] not in (b"", b"\x00") else len(extra)
    while at + 8 <= len(extra):
        size, code = struct.unpack_from(order + "2i", extra, at)
        if size == 0:
            break  # Padding.
        if size < 8 or at + size > len(extra):
            raise damaged(path, f"an extension of its header states a size of {size} bytes")
        yield code, extra[at + 8 : at + size]
        at += size


def _placement(
    path: Path,
    shape: Sequence[int],
    codes: tuple[int, ...],
    quaternion: tuple[float, ...],
    pixdim: tuple[float, ...],
    sform: tuple[float, ...],
    unit: int,
) -> tuple[Grid, tuple[str, ...]]:
    """Return the grid of a header, by its sform or else its qform, with notes on what contradicts it.

    Raises
    ------
    InputError
        There is no placement, it is impossible, or there are two that stretch or mirror each other.
    """
    if max(codes) <= 0:
        raise InputError(
            f"{path} has no position in the patient (neither sform nor qform), so left and right are unknown. "
            "Export it again, with its geometry, from the program that made it."
        )
    scale = np.ones((4, 1))
    scale[:3] = _MM_PER_UNIT.get(unit, 1.0)
    hint = f"Its header says that lengths are in {_NAME_OF_UNIT[unit]}." if unit in _NAME_OF_UNIT else ""
    by_qform = scale * _qform(quaternion, pixdim) if codes[0] > 0 else None
    notes = (f"{path.name} has lengths in {_NAME_OF_UNIT[unit]}",) if unit in _NAME_OF_UNIT else ()
    if unit not in _MM_PER_UNIT:
        notes = (f"{path.name} has lengths in an unknown unit (code {unit}), which are taken as mm",)
    if codes[1] <= 0:
        assert by_qform is not None
        return Grid.of_file(path, shape, by_qform, hint=hint), notes
    matrix = np.eye(4)
    matrix[:3] = np.reshape(sform, (3, 4))
    grid = Grid.of_file(path, shape, scale * matrix, hint=hint)
    spacing, other = grid.spacing_mm, np.array(pixdim[1:4]) * scale[0, 0]
    again = "Export it again from the program that made it."
    # Programs that write only the sform may leave the voxel size at 0.
    if (other > 0).all() and (np.abs(other / spacing - 1.0) > _SAME_SPACING).any():
        raise InputError(
            f"{path} holds two placements of different voxel sizes: {_listed(spacing)} mm in its sform, "
            f"{_listed(other)} mm in its pixdim. {again}"
        )
    if by_qform is None or not np.isfinite(by_qform).all():
        return grid, notes
    if np.linalg.det(by_qform[:3, :3]) * np.linalg.det(grid.ijk_to_ras[:3, :3]) < 0:
        raise InputError(f"{path} holds two placements (sform and qform) that mirror each other. {again}")
    apart = grid.corner_distance_mm(replace(grid, ijk_to_ras=by_qform))
    if apart <= _SAME_PLACE_VOXELS * spacing.min():
        return grid, notes
    return grid, (
        *notes,
        f"{path.name} holds two placements up to {apart:.3g} mm apart (sform and qform); the sform is used",
    )


def _qform(quaternion: tuple[float, ...], pixdim: tuple[float, ...]) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    matrix = np.full((4, 4), np.nan)
    b, c, d = quaternion[:3]
    if np.isfinite(quaternion).all() and np.isfinite(pixdim[1:4]).all() and b * b + c * c + d * d < 1.01:
        a = np.sqrt(max(0.0, 1.0 - b * b - c * c - d * d))
        rotation = Rotation.from_quat([b, c, d, a]).as_matrix()
        handedness = -1.0 if pixdim[0] < 0 else 1.0
        matrix = np.eye(4)
        matrix[:3, :3] = rotation * np.array([pixdim[1], pixdim[2], pixdim[3] * handedness])
        matrix[:3, 3] = quaternion[3:]
    return matrix


def _listed(lengths: np.ndarray) -> str:
    return " x ".join(f"{length:.4g}" for length in lengths)
