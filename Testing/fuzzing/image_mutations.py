"""Faults of images: NIfTI, NRRD, MetaImage and DICOM."""

from __future__ import annotations

import gzip
import io
import random
import struct
from collections.abc import Callable
from pathlib import Path

from .file_mutations import Change, Mutation, changed_bytes

# --- NIfTI -----------------------------------------------------------------------------------------------------------

_FIELDS = {
    "sizeof_hdr": ("i", 0),
    **{f"dim[{n}]": ("h", 40 + 2 * n) for n in range(5)},
    "datatype": ("h", 70),
    "bitpix": ("h", 72),
    **{f"pixdim[{n}]": ("f", 76 + 4 * n) for n in range(4)},
    "vox_offset": ("f", 108),
    "scl_slope": ("f", 112),
    "scl_inter": ("f", 116),
    "units": ("b", 123),
    "qform_code": ("h", 252),
    "sform_code": ("h", 254),
    **{f"srow[{n}]": ("f", 280 + 4 * n) for n in range(12)},
}
_NUMBERS = {
    "b": (0, 1, 3, 63, -1),
    "h": (0, 1, -1, 2, 8, 15, 32, 64, 128, 512, 1536, 1792, 2304, 32767, -32768),
    "i": (0, 1, 540, -1, 1543569408),
    "f": (0.0, -1.0, 1e-30, 1e6, 3e38, -3e38, float("nan"), float("inf"), float("-inf"), 353.0),
}


def _nifti(path: Path, edit: Callable[[bytearray], None]) -> None:
    packed = path.name.endswith(".gz")
    content = bytearray(gzip.decompress(path.read_bytes()) if packed else path.read_bytes())
    edit(content)
    path.write_bytes(gzip.compress(bytes(content), 1) if packed else bytes(content))


def _any_field(path: Path, rng: random.Random) -> None:
    def edit(content: bytearray) -> None:
        for _ in range(rng.choice((1, 1, 1, 2, 5))):
            form, at = _FIELDS[rng.choice(list(_FIELDS))]
            struct.pack_into("<" + form, content, at, rng.choice(_NUMBERS[form]))

    _nifti(path, edit)


def _fields(**values: float) -> Change:
    def edit(content: bytearray) -> None:
        for name, value in values.items():
            form, at = _FIELDS[name.replace("_of_", "[") + "]" if "_of_" in name else name]
            struct.pack_into("<" + form, content, at, value)

    return lambda path, rng: _nifti(path, edit)


def _affine(value: float) -> Change:
    return _fields(**{f"srow_of_{n}": value for n in range(12)})


NIFTI = [
    *[Mutation("header field", _any_field, True)] * 6,
    Mutation("32767 voxels cubed", _fields(dim_of_1=32767, dim_of_2=32767, dim_of_3=32767)),
    Mutation("dimensions below 0", _fields(dim_of_1=-5)),
    Mutation("four dimensions", _fields(dim_of_0=4, dim_of_3=2, dim_of_4=22)),
    Mutation("RGB", _fields(datatype=128, bitpix=24)),
    Mutation("complex", _fields(datatype=32, bitpix=64)),
    Mutation("unknown type", _fields(datatype=77)),
    Mutation("affine of NaN", _affine(float("nan"))),
    Mutation("affine of infinity", _affine(float("inf"))),
    Mutation("affine of zeros", _affine(0.0)),
    Mutation("offset of NaN", _fields(srow_of_3=float("nan"))),
    Mutation("offset of infinity", _fields(srow_of_7=float("inf"))),
    Mutation("data offset of NaN", _fields(vox_offset=float("nan"))),
    Mutation("huge data offset", _fields(vox_offset=3e38)),
    Mutation("NIfTI-2 of 10^15 voxels", changed_bytes(lambda content, rng: _huge_second(content))),
]


def _huge_second(content: bytes) -> bytes:
    header = bytearray(544)
    struct.pack_into("<i", header, 0, 540)
    header[4:12] = b"n+2\x00\r\n\x1a\n"
    struct.pack_into("<2h", header, 12, 2, 8)
    struct.pack_into("<8q", header, 16, 3, 100_000, 100_000, 100_000, 1, 1, 1, 1)
    struct.pack_into("<8d", header, 104, 1, 1, 1, 1, 1, 1, 1, 1)
    struct.pack_into("<q", header, 168, 544)
    struct.pack_into("<2i", header, 344, 0, 2)
    struct.pack_into("<12d", header, 400, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0)
    return gzip.compress(bytes(header)) if content[:2] == b"\x1f\x8b" else bytes(header)


def _bomb(path: Path, rng: random.Random) -> None:
    """Write a NIfTI header and 3.2 GB of zeros, 3 MB on the disk, that belong to a label map of 1000 × 1600 × 2000."""
    content = bytearray(gzip.decompress(path.read_bytes())[:352])
    struct.pack_into("<4h", content, 40, 3, 1000, 1600, 2000)
    member = gzip.compress(bytes(16 << 20), 9)
    path.write_bytes(gzip.compress(bytes(content)) + member * 200)


GZIP = [
    Mutation("gzip bomb", _bomb),
    Mutation("wrong gzip checksum", changed_bytes(lambda content, rng: content[:-8] + bytes(8))),
    Mutation("gzip twice", changed_bytes(lambda content, rng: gzip.compress(content))),
]

# --- NRRD and MetaImage ----------------------------------------------------------------------------------------------

_TEXTS = (
    *("", "0", "-1", "nan", "inf", "1e309", "99999999999999999999", "ten", "0 0 0", "1 2", "40 36 0", "-40 36 44"),
    *(
        "99999 99999 99999",
        "none",
        "(nan,0,0) (0,1,0) (0,0,1)",
        "(0,0,0) (0,0,0) (0,0,0)",
        "\x00",
        "é",
        "(1,2",
        "x" * 9999,
    ),
)


def _header_line(path: Path, rng: random.Random) -> None:
    content = path.read_bytes()
    end = content.find(b"ElementDataFile" if path.suffix == ".mha" else b"\n\n")
    lines = content[:end].split(b"\n")
    for _ in range(rng.choice((1, 1, 2))):
        number = rng.randrange(len(lines))
        mark = next((mark for mark in (b":=", b": ", b" = ") if mark in lines[number]), None)
        if mark is None or rng.random() < 0.3:
            lines[number] = rng.choice((b"", lines[number] * 2, b"junk"))
        else:
            lines[number] = lines[number].partition(mark)[0] + mark + rng.choice(_TEXTS).encode()
    path.write_bytes(b"\n".join(lines) + content[end:])


def _line(name: bytes, value: bytes) -> Change:
    def edit(content: bytes, rng: random.Random) -> bytes:
        lines = content.split(b"\n")
        found = [number for number, line in enumerate(lines[:60]) if line.startswith(name)]
        return b"\n".join([*lines[: found[0]], name + value, *lines[found[0] + 1 :]]) if found else b"NRRD0004\n\n"

    return changed_bytes(edit)


HEADER_LINES = [
    *[Mutation("header line", _header_line, True)] * 8,
    Mutation("sizes of 99999 cubed", _line(b"sizes: ", b"99999 99999 99999")),
    Mutation("sizes in words", _line(b"sizes: ", b"many many more")),
    Mutation("unknown type", _line(b"type: ", b"unicorn")),
    Mutation("unknown encoding", _line(b"encoding: ", b"unicorn")),
    Mutation("directions of NaN", _line(b"space directions: ", b"(nan,0,0) (0,nan,0) (0,0,nan)")),
    Mutation("origin of infinity", _line(b"space origin: ", b"(inf,0,0)")),
    Mutation("data elsewhere", _line(b"encoding: ", b"raw\ndata file: /etc/passwd")),
    Mutation("data above", _line(b"encoding: ", b"raw\ndata file: ../../../etc/passwd")),
]

# --- DICOM -----------------------------------------------------------------------------------------------------------


def _dicom(path: Path, rng: random.Random) -> None:
    try:
        _change_element(path, rng)
    except Exception:  # pydicom cannot write every bad value.
        path.write_bytes(path.read_bytes()[: rng.randrange(2000)])


def _change_element(path: Path, rng: random.Random) -> None:
    import pydicom

    with path.open("rb") as stream:
        found = pydicom.dcmread(stream)
    elements = [element for element in found.iterall() if element.tag.group != 2 and element.VR != "SQ"]
    element = rng.choice([each for each in elements if each.tag != 0x7FE00010])
    with pydicom.config.disable_value_validation():
        if rng.random() < 0.3:
            for dataset in (found, *(item for each in found if each.VR == "SQ" for item in each.value)):
                dataset.pop(element.tag, None)
        elif element.VR in ("US", "SS", "UL", "SL"):
            element.value = rng.choice((0, 1, 65535, 40000))
        elif element.VR in ("FD", "FL"):
            element.value = rng.choice((0.0, float("nan"), 1e300))
        elif element.VR in ("OB", "OW"):
            element.value = b"\0\0"
        else:
            element.value = rng.choice(("", "0", "9" * 12, "-1", "nan", "1e30", "text", "1\\2", "0\\0\\0"))
    buffer = io.BytesIO()
    found.save_as(buffer)
    path.write_bytes(buffer.getvalue())


def _no_pixels(path: Path, rng: random.Random) -> None:
    import pydicom

    found = pydicom.dcmread(io.BytesIO(path.read_bytes()))
    del found.PixelData
    found.save_as(path)


def _rows(value: int) -> Change:
    def change(path: Path, rng: random.Random) -> None:
        import pydicom

        found = pydicom.dcmread(io.BytesIO(path.read_bytes()))
        found.Rows = found.Columns = value
        found.save_as(path)

    return change


DICOM = [
    *[Mutation("element", _dicom, True)] * 8,
    Mutation("no pixels", _no_pixels),
    Mutation("65535 rows and columns", _rows(65535)),
    Mutation("no rows and columns", _rows(0)),
]
