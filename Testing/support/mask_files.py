"""Writes the files the readers are tried on, byte by byte, so that no reader's library has a say in them."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_TYPE_CODES = {"u1": 2, "i2": 4, "i4": 8, "f4": 16, "f8": 64, "u2": 512}


def affine(
    *,
    spacing_mm: Sequence[float] = (1.5, 1.5, 1.5),
    degrees: float = 0.0,
    origin: Sequence[float] = (-20.0, 30.0, -40.0),
) -> np.ndarray:
    """RAS affine with the axes rotated about z; columns i and j point to the patient's left and back."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([[-c, s, 0], [-s, -c, 0], [0, 0, 1]]) * spacing_mm
    matrix[:3, 3] = origin
    return matrix


def write_nifti(
    path: Path,
    array: np.ndarray,
    ras: np.ndarray,
    *,
    second: bool = False,
    order: str = "<",
    placed_by: str = "sform",
    extensions: Sequence[tuple[int, bytes]] = (),
    dims: Sequence[int] | None = None,
    slope: float = 1.0,
    intercept: float = 0.0,
) -> Path:
    """Write an array [k, j, i] as NIfTI-1 or -2 of either byte order; gzipped when the name says so."""
    kind = array.dtype.str[1:]
    pieces = b""
    for code, content in extensions:
        padded = content + bytes(-(len(content) + 8) % 16)
        pieces += struct.pack(order + "2i", len(padded) + 8, code) + padded
    header = bytearray(540 if second else 348)
    offset = len(header) + 4 + len(pieces)
    sizes = list(dims or (3, *array.shape[::-1]))
    sizes += [1] * (8 - len(sizes))
    spacing = np.linalg.norm(ras[:3, :3], axis=0)
    codes = (1, 0) if placed_by == "qform" else (0, 2) if placed_by == "sform" else (0, 0)
    handed = -1.0 if np.linalg.det(ras[:3, :3]) < 0 else 1.0
    quaternion = _quaternion(ras[:3, :3] / spacing * [1, 1, handed]) if placed_by == "qform" else (0, 0, 0)
    pixdim = [handed, *spacing, 1, 1, 1, 1]

    def put(form: str, at: int, *values: float) -> None:
        struct.pack_into(order + form, header, at, *values)

    if second:
        put("i", 0, 540)
        header[4:12] = b"n+2\x00\r\n\x1a\n"
        put("2h", 12, _TYPE_CODES[kind], array.dtype.itemsize * 8)
        put("8q", 16, *sizes)
        put("8d", 104, *pixdim)
        put("q", 168, offset)
        put("2d", 176, slope, intercept)
        put("2i", 344, *codes)
        put("6d", 352, *quaternion, *ras[:3, 3])
        put("12d", 400, *ras[:3].ravel())
        put("i", 500, 2)
    else:
        put("i", 0, 348)
        put("8h", 40, *sizes)
        put("2h", 70, _TYPE_CODES[kind], array.dtype.itemsize * 8)
        put("8f", 76, *pixdim)
        put("3f", 108, offset, slope, intercept)
        header[123] = 2
        put("2h", 252, *codes)
        put("6f", 256, *quaternion, *ras[:3, 3])
        put("12f", 280, *ras[:3].ravel())
        header[344:348] = b"n+1\x00"
    content = bytes(header) + bytes([1 if pieces else 0, 0, 0, 0]) + pieces
    content += array.astype(array.dtype.newbyteorder(order)).tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, 1) if path.name.endswith(".gz") else content)
    return path


def with_header(path: Path, at: int, form: str, *values: float) -> Path:
    """Change values in the header of a NIfTI-1 file in little endian, gzipped or not."""
    packed = path.name.endswith(".gz")
    content = bytearray(gzip.decompress(path.read_bytes()) if packed else path.read_bytes())
    struct.pack_into("<" + form, content, at, *values)
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    return path


def caret_xml(names: dict[int, str]) -> bytes:
    """Label names as TotalSegmentator's --ml writes them into a header."""
    labels = "".join(
        f'<Label Key="{key}" Red="0.5" Green="0.5" Blue="0.5" Alpha="1.0"><![CDATA[{name}]]></Label>'
        for key, name in names.items()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><CaretExtension><Date><![CDATA[2013-07-14T05:45:09]]></Date>'
        '<VolumeInformation Index="0"><LabelTable>' + labels + "</LabelTable></VolumeInformation></CaretExtension>"
    ).encode()


def two_masks(shape: Sequence[int] = (40, 36, 44)) -> tuple[np.ndarray, np.ndarray]:
    """A gland of two lobes and a bridge around the front of a round trachea, as uint8 [k, j, i]."""
    k, j, i = np.ogrid[tuple(slice(0, n) for n in shape)]
    ck, cj, ci = shape[0] // 2, shape[1] // 2, shape[2] // 2
    trachea = ((j - cj - 3) ** 2 + (i - ci) ** 2 <= 25) & (k >= 2) & (k < shape[0] - 2)
    lobes = [((k - ck) / 10) ** 2 + ((j - cj) / 6) ** 2 + ((i - ci - side * 9) / 5) ** 2 <= 1 for side in (-1, 1.1)]
    bridge = (abs(k - ck + 3) <= 3) & (abs(j - cj + 5) <= 1) & (abs(i - ci) <= 8)
    return ((lobes[0] | lobes[1] | bridge) & ~trachea).astype(np.uint8), trachea.astype(np.uint8)


def write_case(folder: Path, thyroid: np.ndarray | None, trachea: np.ndarray | None, ras: np.ndarray) -> Path:
    """Write a case of the training dataset's layout; None leaves the file out."""
    (folder / "segmentations").mkdir(parents=True, exist_ok=True)
    for name, array in (("thyroid_gland", thyroid), ("trachea", trachea)):
        if array is not None:
            write_nifti(folder / "segmentations" / f"{name}.nii.gz", array, ras)
    return folder


def _quaternion(rotation: np.ndarray) -> tuple[float, float, float]:
    from scipy.spatial.transform import Rotation

    x, y, z, w = Rotation.from_matrix(rotation).as_quat()
    return (x, y, z) if w >= 0 else (-x, -y, -z)
