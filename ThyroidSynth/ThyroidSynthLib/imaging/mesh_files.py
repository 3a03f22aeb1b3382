"""Mesh files in PLY, STL, OBJ, VTP and GLB format."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.common.files import atomic_path
from ThyroidSynthLib.common.reading import reading
from ThyroidSynthLib.geometry.grid import flip_lps_ras
from ThyroidSynthLib.geometry.polydata import polydata_of, surface_of
from ThyroidSynthLib.geometry.surface import Surface

from .label_map_files import NOTE, checked_suffix
from .meshes.any_vtp import read_vtp
from .meshes.glb import read_glb, write_glb
from .ply import read_ply, write_ply

MESH_FORMATS = ("ply", "stl", "obj", "vtp", "glb")
SPACES = ("LPS", "RAS")
"""Axes that a mesh can be written in. The first is what Slicer writes and expects by default."""


def write_mesh(
    surface_ras: Surface,
    path: Path | str,
    *,
    space: str = SPACES[0],
    scalars: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write a surface in mm as PLY, STL, VTP, GLB (all binary) or OBJ, and read it back before it replaces `path`.

    The header says ``SPACE=LPS`` or ``SPACE=RAS``, as in the files that Slicer writes. Slicer assumes LPS for
    meshes without this entry, so by default the surface opens in its place either way. GLB is in metres with superior
    up, as that format demands (see `write_glb`); it needs trimesh.

    Parameters
    ----------
    surface_ras : Surface
        Surface in `ras_mm`.
    path : Path
        Ends in one of `MESH_FORMATS`.
    space : str
        One of `SPACES`.
    scalars : mapping of str to ndarray (V,), optional
        One number for each vertex, by name; written only to PLY and VTP.

    Raises
    ------
    InputError
        GLB needs trimesh, which is not installed.
    OutputError
        The format or the space is unknown, the file cannot be written, or it reads back differently.
    """
    path = Path(path)
    suffix = checked_suffix(path, MESH_FORMATS, "mesh")
    if space not in SPACES:
        raise OutputError(f"There is no space '{space}' for meshes. Use {' or '.join(SPACES)}.")
    # Flipping two axes is a rotation, so the triangles still face outwards.
    positions = flip_lps_ras(surface_ras.vertices) if space == "LPS" else surface_ras.vertices
    surface = surface_ras.moved(positions.astype(np.float32))
    header = f"{NOTE}. SPACE={space}"
    with atomic_path(path) as temporary:
        if suffix == "ply":
            write_ply(surface, temporary, comment=header, scalars=scalars)
        elif suffix == "glb":
            write_glb({path.stem: surface}, temporary, space=space, note=NOTE)
        elif suffix == "vtp":
            _write_vtp(surface, temporary, space, scalars or {})
        else:
            _write_with_vtk(surface, temporary, suffix, header)
        if not np.array_equal(read_mesh(temporary).corners, surface.corners):
            raise OutputError(f"{path} reads back with other triangles than were written. Check the disk.")


def read_mesh(path: Path | str) -> Surface:
    """Read a mesh that `write_mesh` wrote, in the axes of the file."""
    from vtkmodules.vtkIOGeometry import vtkOBJReader, vtkSTLReader

    path = Path(path)
    if path.suffix.lower() == ".ply":
        return read_ply(path)
    if not path.is_file():
        raise InputError(f"{path} does not exist. Check the path.")
    if path.suffix.lower() == ".vtp":
        with reading(path, "a mesh", "Export it again."):
            return read_vtp(path)[0]
    if path.suffix.lower() == ".glb":
        return Surface.joined(list(read_glb(path).values()))
    stl = vtkSTLReader()
    stl.MergingOff()
    reader = stl if path.suffix.lower() == ".stl" else vtkOBJReader()
    reader.SetFileName(os.fsencode(path))  # type: ignore[arg-type]  # Names need not be UTF-8.
    reader.Update()
    return surface_of(reader.GetOutput(), merge_points=False)


def _write_with_vtk(surface: Surface, path: Path, suffix: str, header: str) -> None:
    from vtkmodules.vtkCommonCore import vtkCommand
    from vtkmodules.vtkCommonMisc import vtkErrorCode
    from vtkmodules.vtkIOGeometry import vtkOBJWriter, vtkSTLWriter

    stl = vtkSTLWriter()
    stl.SetFileTypeToBinary()
    stl.SetHeader(header)
    writer = stl if suffix == "stl" else vtkOBJWriter()
    writer.SetFileName(os.fsencode(path))  # type: ignore[arg-type]  # Names need not be UTF-8.
    writer.SetInputData(polydata_of(surface))
    # Otherwise VTK also prints its errors.
    writer.AddObserver(vtkCommand.ErrorEvent, lambda *event: None)
    writer.Write()
    code = writer.GetErrorCode()
    if code:
        full = code == vtkErrorCode.OutOfDiskSpaceError
        raise OSError(errno.ENOSPC if full else errno.EIO, vtkErrorCode.GetStringFromErrorCode(code))
    if suffix == "obj":  # VTK's writer takes no comment.
        path.write_bytes(f"# {header}\n".encode() + path.read_bytes())


def _write_vtp(surface: Surface, path: Path, space: str, scalars: Mapping[str, np.ndarray]) -> None:
    """Write a surface with the fields in which Slicer states the axes, and values of the vertices."""
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonCore import vtkStringArray
    from vtkmodules.vtkIOXML import vtkXMLPolyDataWriter

    polydata = polydata_of(surface)
    for name, text in (("SPACE", space), ("Comment", NOTE)):
        field = vtkStringArray()
        field.SetName(name)
        field.InsertNextValue(text)
        polydata.GetFieldData().AddArray(field)
    for name, values in scalars.items():
        array = numpy_to_vtk(np.asarray(values, dtype=np.float32), deep=True)
        array.SetName(name)
        polydata.GetPointData().AddArray(array)
    writer = vtkXMLPolyDataWriter()
    writer.SetInputData(polydata)
    # Binary data as text, written by Python: VTK prints an error where the disk is full.
    writer.SetDataModeToBinary()
    writer.WriteToOutputStringOn()
    writer.Write()
    path.write_text(writer.GetOutputString(), encoding="utf-8")
