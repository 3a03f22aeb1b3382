"""Mesh files that other software opens in the right place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.common.files import atomic_path
from ThyroidSynthLib.geometry.grid import flip_lps_ras
from ThyroidSynthLib.geometry.surface import Surface

from .label_map_files import NOTE, checked_suffix
from .ply import read_ply, write_ply

MESH_FORMATS = ("ply", "stl", "obj")
SPACES = ("LPS", "RAS")
"""Axes a mesh may be written along; the first is what Slicer writes and expects by itself."""

_STL_RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def write_mesh(
    surface_ras: Surface,
    path: Path | str,
    *,
    space: str = SPACES[0],
    scalars: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write a surface as PLY (binary), STL (binary) or OBJ in mm, and read it back before it is put in place.

    The header says ``SPACE=LPS`` or ``SPACE=RAS``, as Slicer itself writes it. Slicer takes a mesh
    without that word for LPS too, so by default the surface opens in its place either way.

    Parameters
    ----------
    surface_ras : Surface
        Surface in `ras_mm`.
    path : Path
        Ends in ``.ply``, ``.stl`` or ``.obj``.
    space : str
        One of `SPACES`.
    scalars : mapping of str to ndarray (V,), optional
        One number for each vertex, by name; only PLY holds them.

    Raises
    ------
    OutputError
        The format or the space is not one of these, the file cannot be written, or it reads back differently.
    """
    path = Path(path)
    suffix = checked_suffix(path, MESH_FORMATS, "mesh")
    if space not in SPACES:
        raise OutputError(f"There is no space '{space}' for meshes. Use {' or '.join(SPACES)}.")
    # Flipping two axes is a rotation, so the triangles still face outwards.
    positions = flip_lps_ras(surface_ras.vertices) if space == "LPS" else surface_ras.vertices
    vertices = positions.astype(np.float32)
    header = f"{NOTE}. SPACE={space}"
    try:
        with atomic_path(path) as temporary:
            if suffix == "ply":
                write_ply(surface_ras.moved(vertices), temporary, comment=header, scalars=scalars)
            else:
                encode = {"stl": _stl, "obj": _obj}[suffix]
                temporary.write_bytes(encode(vertices, surface_ras.faces, header))
            if not np.array_equal(_READERS[suffix](temporary), vertices[surface_ras.faces]):
                raise OutputError(f"{path} reads back with other triangles than were written. Check the disk.")
    except InputError as error:
        raise OutputError(str(error).replace(str(temporary), str(path))) from error
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error}). Choose a writable folder.") from error


def _stl(vertices: np.ndarray, faces: np.ndarray, header: str) -> bytes:
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    records = np.zeros(len(faces), dtype=_STL_RECORD)
    records["normal"] = normals / np.where(length > 0, length, 1.0)
    records["corners"] = corners
    # The header must not begin with "solid", the mark of the text form, and has exactly 80 bytes.
    return header.encode("ascii")[:80].ljust(80) + np.uint32(len(faces)).astype("<u4").tobytes() + records.tobytes()


def _obj(vertices: np.ndarray, faces: np.ndarray, header: str) -> bytes:
    lines = [f"# {header}"]
    lines += [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in vertices.tolist()]
    lines += [f"f {a} {b} {c}" for a, b, c in (faces + 1).tolist()]
    return ("\n".join(lines) + "\n").encode("ascii")


def _corners_of_ply(path: Path) -> np.ndarray:
    return read_ply(path).corners.astype(np.float32)


def _corners_of_stl(path: Path) -> np.ndarray:
    content = path.read_bytes()
    count = int.from_bytes(content[80:84], "little")
    if len(content) != 84 + count * _STL_RECORD.itemsize:
        raise InputError(f"{path} ends too early. Check the disk.")
    return np.frombuffer(content, _STL_RECORD, count, offset=84)["corners"]


def _corners_of_obj(path: Path) -> np.ndarray:
    rows = {"v": [], "f": []}
    for line in path.read_text(encoding="ascii").splitlines():
        kind, *values = line.split()
        if kind in rows:
            rows[kind].append(values)
    vertices = np.array(rows["v"], dtype=np.float64).astype(np.float32).reshape(-1, 3)
    return vertices[np.array(rows["f"], dtype=np.int64).reshape(-1, 3) - 1]


_READERS = {"ply": _corners_of_ply, "stl": _corners_of_stl, "obj": _corners_of_obj}
