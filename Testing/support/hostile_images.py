"""Image files that are damaged or made to do harm, each made in a folder as the bytes of a file of its name."""

from __future__ import annotations

import bz2
import gzip
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .mask_files import affine, write_nifti

ARRAY = np.zeros((9, 10, 11), dtype=np.uint8)
ARRAY[3:6, 3:7, 4:8] = 1


def nifti(folder: Path, name: str = "x.nii", **options) -> bytes:
    return write_nifti(folder / "good" / name, ARRAY, affine(), **options).read_bytes()


def field(form: str, at: int, *values, second: bool = False) -> Callable[[Path], bytes]:
    """Return a maker of a NIfTI file with a changed field of the header."""

    def make(folder: Path) -> bytes:
        raw = bytearray(nifti(folder, second=second))
        struct.pack_into("<" + form, raw, at, *values)
        return bytes(raw)

    return make


def nrrd(*, data: bytes = ARRAY.tobytes(), drop: str = "", more: str = "", **fields: str) -> Callable[[Path], bytes]:
    """Return a maker of a NRRD file with changed fields of the header."""
    lines = {
        "type": "uint8",
        "dimension": "3",
        "space": "left-posterior-superior",
        "sizes": "11 10 9",
        "space directions": "(1.5,0,0) (0,1.5,0) (0,0,1.5)",
        "kinds": "domain domain domain",
        "encoding": "raw",
        "space origin": "(0,0,0)",
    } | {name.replace("_", " "): value for name, value in fields.items()}
    lines.pop(drop, None)
    header = "NRRD0004\n" + "".join(f"{name}: {value}\n" for name, value in lines.items()) + more
    return lambda folder: header.encode() + b"\n" + data


def mha(*, data: bytes = ARRAY.tobytes(), drop: str = "", **fields: str) -> Callable[[Path], bytes]:
    """Return a maker of a MetaImage file with changed fields of the header."""
    lines = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "CompressedData": "False",
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": "0 0 0",
        "ElementSpacing": "1.5 1.5 1.5",
        "DimSize": "11 10 9",
        "ElementType": "MET_UCHAR",
    } | fields
    lines["ElementDataFile"] = lines.pop("ElementDataFile", "LOCAL")  # The last field, after which the voxels begin.
    lines.pop(drop, None)
    return lambda folder: "".join(f"{name} = {value}\n" for name, value in lines.items()).encode() + data


def bomb(compress: Callable[[bytes], bytes], header: bytes = b"", times: int = 60) -> bytes:
    """Return a header and 60 MB of zeros, compressed."""
    return header + compress(bytes(1 << 20) * times)


CASES: dict[str, Callable[[Path], bytes]] = {
    "empty.nii.gz": lambda folder: b"",
    "empty.nrrd": lambda folder: b"",
    "empty.mha": lambda folder: b"",
    "noise.nii.gz": lambda folder: random.Random(1).randbytes(5000),
    "noise.nrrd": lambda folder: b"NRRD0004\n" + random.Random(1).randbytes(5000),
    "noise.mha": lambda folder: random.Random(1).randbytes(5000),
    "head.nii": lambda folder: nifti(folder)[:200],
    "cut.nii": lambda folder: nifti(folder)[:-50],
    "cut.nii.gz": lambda folder: nifti(folder, "x.nii.gz")[:-30],
    "crc.nii.gz": lambda folder: nifti(folder, "x.nii.gz")[:-8] + bytes(8),
    "more_voxels.nii": lambda folder: nifti(folder) + bytes(5000),
    "more_voxels.nii.gz": lambda folder: gzip.compress(nifti(folder) + bytes(5000)),
    "bomb.nii.gz": lambda folder: bomb(gzip.compress, gzip.compress(nifti(folder))),
    "huge.nii": field("3h", 42, 32767, 32767, 32767),
    "huge.nii.gz": lambda folder: gzip.compress(field("3h", 42, 32767, 32767, 32767)(folder)),
    "wide.nii.gz": lambda folder: gzip.compress(field("3h", 42, 1000, 1000, 1000)(folder)),
    "negative.nii": field("3h", 42, -5, 10, 11),
    "four_axes.nii": field("5h", 40, 4, 11, 10, 3, 3),
    "no_axes.nii": field("h", 40, 0),
    "axes_99.nii": field("h", 40, 99),
    "second_1e15.nii": field("3q", 24, 10**15, 10**15, 10**15, second=True),
    "second_negative_offset.nii": field("q", 168, -(2**62), second=True),
    "second_huge_offset.nii": field("q", 168, 2**62, second=True),
    "offset_nan.nii": field("f", 108, float("nan")),
    "offset_inf.nii": field("f", 108, float("inf")),
    "offset_negative.nii": field("f", 108, -1e30),
    "offset_in_header.nii": field("f", 108, 100.0),
    "offset_far.nii": field("f", 108, 3e9),
    "offset_beyond.nii": field("f", 108, 1e7),
    "rgb.nii": field("2h", 70, 128, 24),
    "complex.nii": field("2h", 70, 32, 64),
    "float128.nii": field("2h", 70, 1536, 128),
    "bits.nii": field("2h", 70, 2, 16),
    "pixdim_nan.nii": field("f", 84, float("nan")),
    "type_0.nii": field("2h", 70, 0, 0),
    "type_wider.nii": field("2h", 70, 64, 64),
    "sform_nan.nii": field("f", 280, float("nan")),
    "sform_inf.nii": field("f", 292, float("inf")),
    "sform_huge.nii": field("f", 280, 1e38),
    "sform_flat.nii": field("12f", 280, *[0.0] * 12),
    "sform_plane.nii": field("12f", 280, 1.5, 1.5, 0, 0, 0, 0.001, 0, 0, 0, 0, 1.5, 0),
    "sform_far.nii": field("f", 292, 1e9),
    "sform_tiny.nii": field("12f", 280, 1e-9, 0, 0, 0, 0, 1e-9, 0, 0, 0, 0, 1e-9, 0),
    "unplaced.nii": field("2h", 252, 0, 0),
    "qform_nan.nii": lambda folder: bytes(
        bytearray(nifti(folder, placed_by="qform"))[:256]
        + struct.pack("<f", float("nan"))
        + nifti(folder, placed_by="qform")[260:]
    ),
    "extension_long.nii": lambda folder: nifti(folder, extensions=[(0, b"x" * 24)]).replace(
        struct.pack("<2i", 32, 0), struct.pack("<2i", 2**31 - 1, 0)
    ),
    "extension_negative.nii": lambda folder: nifti(folder, extensions=[(0, b"x" * 24)]).replace(
        struct.pack("<2i", 32, 0), struct.pack("<2i", -8, 0)
    ),
    "pair.nii": lambda folder: nifti(folder)[:344] + b"ni1\0" + nifti(folder)[348:],
    "analyze.nii": lambda folder: nifti(folder)[:344] + bytes(4) + nifti(folder)[348:],
    "nan_voxels.nii": lambda folder: write_nifti(
        folder / "good" / "f.nii", np.where(ARRAY, np.nan, 0).astype(np.float32), affine()
    ).read_bytes(),
    "inf_voxels.nii": lambda folder: write_nifti(
        folder / "good" / "f.nii", np.where(ARRAY, np.inf, 0).astype(np.float32), affine()
    ).read_bytes(),
    "html.nrrd": lambda folder: b"<html>404 Not Found</html>",
    "detached.nrrd": nrrd(data=b"", data_file="/etc/passwd"),
    "above.nrrd": nrrd(data=b"", data_file="../x.raw"),
    "list.nrrd": nrrd(data=b"", data_file="LIST"),
    "pattern.nrrd": nrrd(data=b"", data_file="x%03d.raw 1 9 1"),
    "device.nrrd": nrrd(data=b"", data_file="zero"),
    "nowhere.nrrd": nrrd(data=b"", data_file="nowhere.raw"),
    "huge.nrrd": nrrd(sizes="32767 32767 32767"),
    "size_1e30.nrrd": nrrd(sizes="1" + "0" * 30 + " 2 2"),
    "size_text.nrrd": nrrd(sizes="a b c"),
    "size_float.nrrd": nrrd(sizes="11.0 10 9"),
    "size_zero.nrrd": nrrd(sizes="0 10 9"),
    "size_negative.nrrd": nrrd(sizes="-11 -10 9"),
    "two_axes.nrrd": nrrd(dimension="2", sizes="11 10", space_directions="(1,0,0) (0,1,0)", kinds="domain domain"),
    "five_axes.nrrd": nrrd(dimension="5", sizes="2 2 2 2 2", space_directions="none none (1,0,0) (0,1,0) (0,0,1)"),
    "colours.nrrd": nrrd(
        dimension="4",
        sizes="3 11 10 9",
        space_directions="none (1.5,0,0) (0,1.5,0) (0,0,1.5)",
        data=np.repeat(ARRAY, 3).tobytes(),
    ),
    "over_time.nrrd": nrrd(
        dimension="4", sizes="11 10 9 2", space_directions="(1.5,0,0) (0,1.5,0) (0,0,1.5) none", data=bytes(1980)
    ),
    "dimension_text.nrrd": nrrd(dimension="three"),
    "dimension_other.nrrd": nrrd(dimension="2"),
    "type_text.nrrd": nrrd(type="block"),
    "type_wider.nrrd": nrrd(type="double", endian="little"),
    "encoding.nrrd": nrrd(encoding="hex"),
    "endian.nrrd": nrrd(endian="middle"),
    "direction_text.nrrd": nrrd(space_directions="(a,b,c) (0,1,0) (0,0,1)"),
    "direction_nan.nrrd": nrrd(space_directions="(nan,0,0) (0,1,0) (0,0,1)"),
    "direction_short.nrrd": nrrd(space_directions="(1,0) (0,1) (0,1)"),
    "direction_zero.nrrd": nrrd(space_directions="(0,0,0) (0,1,0) (0,0,1)"),
    "direction_huge.nrrd": nrrd(space_directions="(1e300,0,0) (0,1,0) (0,0,1)"),
    "brackets.nrrd": nrrd(space_directions="(" * 3_000_000),
    "long_line.nrrd": nrrd(more="a" * 3_000_000 + "\n", drop="type"),
    "blank_lines.mha": lambda folder: b"NDims = 3\n" + b"\n" * 1_000_000,
    "blanks.mha": lambda folder: b"NDims = 3\n" + b" " * 1_000_000,
    "origin_far.nrrd": nrrd(space_origin="(1e300,0,0)"),
    "space_unknown.nrrd": nrrd(space="scanner-xyz"),
    "unit_unknown.nrrd": nrrd(space_units='"furlong" "furlong" "furlong"'),
    "unit_metre.nrrd": nrrd(space_units='"m" "m" "m"'),
    "line_skip.nrrd": nrrd(line_skip="3"),
    "byte_skip.nrrd": nrrd(byte_skip="-1"),
    "byte_skip_far.nrrd": nrrd(byte_skip="9" * 18),
    "cut.nrrd": nrrd(data=ARRAY.tobytes()[:-1]),
    "cut_gz.nrrd": nrrd(data=gzip.compress(ARRAY.tobytes())[:-10], encoding="gzip"),
    "noise_gz.nrrd": nrrd(data=random.Random(2).randbytes(500), encoding="gzip"),
    "noise_bz2.nrrd": nrrd(data=random.Random(2).randbytes(500), encoding="bzip2"),
    "cut_bz2.nrrd": nrrd(data=bz2.compress(ARRAY.tobytes())[:-10], encoding="bzip2"),
    "bomb_gz.nrrd": lambda folder: nrrd(data=bomb(gzip.compress), encoding="gzip")(folder),
    "bomb_bz2.nrrd": lambda folder: nrrd(data=bomb(bz2.compress), encoding="bzip2")(folder),
    "huge_double_bz2.nrrd": nrrd(
        data=bz2.compress(bytes(10)), encoding="bzip2", sizes="1000 1000 1000", type="double", endian="little"
    ),
    "huge_bz2.nrrd": nrrd(data=bz2.compress(bytes(10)), encoding="bzip2", sizes="2000 2000 500"),
    **{
        f"no_{name.replace(' ', '_')}.nrrd": nrrd(drop=name)
        for name in ("type", "dimension", "space", "sizes", "space directions", "encoding", "space origin")
    },
    "detached.mha": mha(data=b"", ElementDataFile="/etc/passwd"),
    "above.mhd": mha(data=b"", ElementDataFile="../x.raw"),
    "list.mhd": mha(data=b"", ElementDataFile="LIST"),
    "device.mhd": mha(data=b"", ElementDataFile="zero"),
    "huge.mha": mha(DimSize="99999 99999 99999"),
    "size_text.mha": mha(DimSize="a b c"),
    "size_two.mha": mha(DimSize="11 10"),
    "axes.mha": mha(NDims="4", DimSize="11 10 9 2"),
    "spacing_nan.mha": mha(ElementSpacing="nan 1 1"),
    "spacing_text.mha": mha(ElementSpacing="a 1 1"),
    "spacing_zero.mha": mha(ElementSpacing="0 1 1"),
    "matrix_flat.mha": mha(TransformMatrix="0 0 0 0 0 0 0 0 0"),
    "matrix_short.mha": mha(TransformMatrix="1 0 0"),
    "offset_inf.mha": mha(Offset="inf 0 0"),
    "type.mha": mha(ElementType="MET_STRING"),
    "colours.mha": mha(ElementNumberOfChannels="3", data=np.repeat(ARRAY, 3).tobytes()),
    "channels_text.mha": mha(ElementNumberOfChannels="many"),
    "text.mha": mha(BinaryData="False"),
    "header_size.mha": mha(HeaderSize="-1"),
    "cut.mha": mha(data=ARRAY.tobytes()[:-1]),
    "cut_zlib.mha": mha(data=zlib.compress(ARRAY.tobytes())[:-10], CompressedData="True"),
    "noise_zlib.mha": mha(data=random.Random(3).randbytes(500), CompressedData="True"),
    "bomb_zlib.mha": lambda folder: mha(data=bomb(zlib.compress), CompressedData="True")(folder),
    **{
        f"no_{name}.mha": mha(drop=name)
        for name in ("NDims", "DimSize", "ElementType", "ElementDataFile", "ElementSpacing", "Offset")
    },
    "picture.png": lambda folder: b"\x89PNG\r\n\x1a\n" + bytes(200),
    "scan.dcm": lambda folder: bytes(128) + b"DICM" + bytes(200),
}
