"""Surfaces as binary PLY files, in whatever frame the caller says."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import InputError
from ..files import atomic_path
from .surface import Surface

_FACE = np.dtype([("count", "u1"), ("vertices", "<i4", (3,))])


def write_ply(surface: Surface, path: Path | str, *, comment: str) -> None:
    """Write a surface in single precision, replacing `path` in one step.

    Parameters
    ----------
    surface : Surface
        What to write.
    path : path-like
        Where to.
    comment : str
        One line for the header; name the frame and the unit.
    """
    header = (
        f"ply\nformat binary_little_endian 1.0\ncomment {comment}\n"
        f"element vertex {len(surface.vertices)}\n"
        "property float x\nproperty float y\nproperty float z\n"
        f"element face {len(surface.faces)}\n"
        "property list uchar int vertex_indices\nend_header\n"
    )
    faces = np.empty(len(surface.faces), dtype=_FACE)
    faces["count"] = 3
    faces["vertices"] = surface.faces
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.write(header.encode("ascii"))
        stream.write(surface.vertices.astype("<f4").tobytes())
        stream.write(faces.tobytes())


def read_ply(path: Path | str) -> Surface:
    """Read a surface `write_ply` wrote.

    Raises
    ------
    InputError
        The file is missing, damaged or of another layout.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}). Check that it exists.") from error
    header, end, body = content.partition(b"end_header\n")
    lines = header.decode("ascii", errors="replace").split("\n")
    counts = {
        words[1]: int(words[2])
        for words in map(str.split, lines)
        if len(words) == 3 and words[0] == "element" and words[2].isdigit()
    }
    vertices, faces = counts.get("vertex", 0), counts.get("face", 0)
    expected = vertices * 12 + faces * _FACE.itemsize
    if not end or "format binary_little_endian 1.0" not in lines or len(body) != expected:
        raise InputError(f"{path} is damaged or was not written by ThyroidSynth. Make it again.")
    positions = np.frombuffer(body, "<f4", vertices * 3).reshape(-1, 3)
    triangles = np.frombuffer(body, _FACE, faces, offset=vertices * 12)["vertices"]
    if faces and (triangles.min() < 0 or triangles.max() >= vertices):
        raise InputError(f"{path} is damaged (a triangle has a corner that does not exist). Make it again.")
    return Surface(positions, triangles)
