"""Label map and mesh files that other software opens in the right place."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..anatomy.ply import write_ply
from ..anatomy.surface import Surface
from ..anatomy.volume import Volume, read_volume, write_volume
from ..errors import InputError, OutputError
from ..files import atomic_path

LABEL_FORMATS = ("nii.gz", "nii", "nrrd")
MESH_FORMATS = ("ply", "stl", "obj")
NOTE = "Synthetic thyroid made by ThyroidSynth; not for clinical use"

_RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])
_HEADER = f"{NOTE}. SPACE=LPS"


def write_label_map(volume: Volume, path: Path | str, *, note: str = NOTE) -> None:
    """Write a label map, read it back and compare, and only then put it in place.

    Parameters
    ----------
    volume : Volume
        Label map; its geometry is written as it is.
    path : Path
        Ends in ``.nii.gz``, ``.nii`` or ``.nrrd``.
    note : str
        Written into the file's header (at most 79 characters survive in NIfTI).

    Raises
    ------
    OutputError
        The format is not one of these, the file cannot be written, or it reads back differently.
    """
    path = Path(path)
    _check_suffix(path, LABEL_FORMATS, "label map")
    try:
        with atomic_path(path) as temporary:
            write_volume(volume, temporary, metadata={"ITK_FileNotes": note[:79]})
            _compare(volume, read_volume(temporary), path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error}). Choose a writable folder.") from error
    except (InputError, OutputError) as error:
        raise OutputError(str(error).replace(str(temporary), str(path))) from error


def _compare(written: Volume, read: Volume, path: Path) -> None:
    if not np.array_equal(written.array, read.array):
        raise OutputError(f"{path} reads back with other voxels than were written. Check the disk and try again.")
    # NIfTI keeps the geometry in single precision: at the far corner a hundredth of a voxel may go.
    corner = np.array(written.array.shape[::-1])
    if np.abs(written.to_ras(corner) - read.to_ras(corner)).max() > 1e-2 * written.spacing_mm.min():
        raise OutputError(
            f"{path} reads back in another place than it was written: its format cannot hold this grid. "
            "Choose nrrd, or a grid with right angles."
        )


def write_mesh(surface_ras: Surface, path: Path | str) -> None:
    """Write a surface as PLY (binary), STL (binary) or OBJ, in millimetres.

    All three are written in LPS with ``SPACE=LPS`` in the header, as Slicer itself writes them: Slicer
    takes a mesh without that word for LPS too, so the surface opens in its place either way.

    Parameters
    ----------
    surface_ras : Surface
        Surface in `ras_mm`.
    path : Path
        Ends in ``.ply``, ``.stl`` or ``.obj``.

    Raises
    ------
    OutputError
        The format is not one of these or the file cannot be written.
    """
    path = Path(path)
    suffix = _check_suffix(path, MESH_FORMATS, "mesh")
    # Two axes turn round: a rotation, so the triangles still face outwards.
    vertices = (surface_ras.vertices * _RAS_TO_LPS).astype(np.float32)
    try:
        if suffix == "ply":
            write_ply(surface_ras.moved(vertices), path, comment=_HEADER)
            return
        encode = {"stl": _stl, "obj": _obj}[suffix]
        with atomic_path(path) as temporary:
            temporary.write_bytes(encode(vertices, surface_ras.faces))
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error}). Choose a writable folder.") from error


def _check_suffix(path: Path, formats: tuple[str, ...], kind: str) -> str:
    name = path.name.lower()
    for suffix in formats:
        # A .seg.nrrd names a segmentation, whose header holds more than a label map does.
        if name.endswith("." + suffix) and not name.endswith(".seg.nrrd"):
            return suffix
    listed = ", ".join("." + suffix for suffix in formats)
    raise OutputError(f"{path} has no suffix of a {kind}. Choose one of {listed}.")


def _stl(vertices: np.ndarray, faces: np.ndarray) -> bytes:
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    records = np.zeros(len(faces), dtype=[("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    records["normal"] = normals / np.where(length > 0, length, 1.0)
    records["corners"] = corners
    # The header must not begin with "solid", the mark of the text form, and has exactly 80 bytes.
    return _HEADER.encode("ascii")[:80].ljust(80) + np.uint32(len(faces)).astype("<u4").tobytes() + records.tobytes()


def _obj(vertices: np.ndarray, faces: np.ndarray) -> bytes:
    lines = [f"# {_HEADER}"]
    lines += [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in vertices.tolist()]
    lines += [f"f {a} {b} {c}" for a, b, c in (faces + 1).tolist()]
    return ("\n".join(lines) + "\n").encode("ascii")
