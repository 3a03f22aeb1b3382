"""Faults of images: NIfTI, NRRD, MetaImage and DICOM."""

from __future__ import annotations

import gzip
import io
import random
import struct
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from support.hostile_images import CASES

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


NIFTI = [Mutation("header field", _any_field, True)] * 6

GZIP = [
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


HEADER_LINES = [Mutation("header line", _header_line, True)] * 8

# --- Files in place of an image ---------------------------------------------------------------------------------------

# Their values make no sense, but they have a grid.
_WITH_A_GRID = ("nan_voxels", "inf_voxels", "colours")


def hostile(suffix: str) -> list[Mutation]:
    """Return the files of `support.hostile_images` with a suffix such as ".nii.gz", in place of a good one."""
    found = {name.partition("."): make for name, make in CASES.items()}
    return [
        Mutation(f"hostile {name}", _put(make), name in _WITH_A_GRID)
        for (name, dot, ending), make in found.items()
        if dot + ending == suffix
    ]


def _put(make: Callable[[Path], bytes]) -> Change:
    def change(path: Path, rng: random.Random) -> None:
        with TemporaryDirectory() as folder:
            path.write_bytes(make(Path(folder)))

    return change


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
