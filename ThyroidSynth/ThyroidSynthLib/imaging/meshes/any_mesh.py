"""Meshes of any program as surfaces in `ras_mm`: their axes, the direction of their triangles, their size."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.reading import reading
from ThyroidSynthLib.geometry.grid import flip_lps_ras
from ThyroidSynthLib.geometry.polydata import polydata_of, surface_of
from ThyroidSynthLib.geometry.surface import Surface

from .any_obj import read_obj
from .any_ply import read_any_ply
from .any_vtp import read_vtp

if TYPE_CHECKING:
    from vtkmodules.vtkCommonDataModel import vtkPolyData

MESH_SUFFIXES = (".ply", ".stl", ".obj", ".vtp", ".vtk")
"""Suffixes of the mesh files that can be read."""

_REMEDY = "Export it again."
_SPACE = re.compile(r"SPACE\s*=\s*(LPS|RAS)")
_HEADER_BYTES = 2000
# Numbers of elements in a .vtk file.
_COUNTS = re.compile(
    rb"^(?:POINTS|VERTICES|LINES|POLYGONS|TRIANGLE_STRIPS|CELL_DATA|POINT_DATA|FIELD \w+|\w+ \d+)((?:[ \t]+\d+)+)",
    re.MULTILINE,
)
# Extents of a thyroid or a lobe with room to spare; outside of these the unit is not mm.
_SMALLEST_MM, _LARGEST_MM = 5.0, 300.0


@dataclass(frozen=True)
class MeshFile:
    """A mesh that was read.

    Attributes
    ----------
    surface : Surface
        In `ras_mm`, its triangles counter-clockwise seen from outside; without triangles if the file has none.
    space : str
        The axes in which the file was read, "LPS" or "RAS".
    notes : tuple of str
        Remarks for the user.
    """

    surface: Surface
    space: str
    notes: tuple[str, ...]


def is_mesh_file(path: Path) -> bool:
    """Check whether a file has the name of a mesh, and is not hidden."""
    return path.suffix.lower() in MESH_SUFFIXES and not path.name.startswith(".")


def read_mesh_file(path: Path | str, *, space: str | None = None) -> MeshFile:
    """Read a mesh in PLY, STL, OBJ, VTP or VTK format.

    Parameters
    ----------
    space : str, optional
        Axes of the positions in the file, "LPS" or "RAS", if its header does not state them; LPS by default, as in
        Slicer. A header that states ``SPACE=RAS`` or ``SPACE=LPS`` has precedence.

    Raises
    ------
    InputError
        The file is missing, damaged or of another format, holds nothing, or its extents are not those of a thyroid
        in mm.
    """
    path = Path(path)
    if not is_mesh_file(path):
        known = ", ".join(suffix[1:] for suffix in MESH_SUFFIXES)
        raise InputError(f"{path} is not a mesh of a known format ({known}). Export it in one of these.")
    surface, stated = _read(path)
    used = stated or space or "LPS"
    if used == "LPS":
        surface = surface.moved(flip_lps_ras(surface.vertices))
    if not len(surface.vertices):
        raise InputError(f"{path} holds no points. {_REMEDY}")
    if not np.isfinite(surface.vertices).all():
        raise InputError(f"{path} is damaged (a vertex has no finite position). {_REMEDY}")
    _check_extents(path, surface)
    notes = [] if stated else [f"{path.name} does not state its axes and was read as {used}"]
    if len(surface.faces):
        surface, turned = outward(surface)
        notes += ["its triangles faced inwards and were turned"] if turned else []
    return MeshFile(surface, used, tuple(notes))


def outward(surface: Surface) -> tuple[Surface, bool]:
    """Return a surface whose vertices are joined and whose triangles all face outwards, and whether it differs in that.

    Some formats store each triangle with corners of its own, and some programs write triangles that face inwards.
    """
    if not surface.is_closed():
        surface = surface_of(polydata_of(surface))
    if not surface.is_closed():
        surface = _consistent(surface)
    if surface.is_closed() and surface.volume < 0:
        return Surface(surface.vertices, surface.faces[:, ::-1]), True
    return surface, False


def _consistent(surface: Surface) -> Surface:
    """Return a surface whose neighbouring triangles face the same way, as far as that is possible."""
    from vtkmodules.vtkFiltersCore import vtkPolyDataNormals

    normals = vtkPolyDataNormals()
    normals.SetInputData(polydata_of(surface))
    normals.ConsistencyOn()
    normals.SplittingOff()
    normals.AutoOrientNormalsOn()
    normals.Update()
    return surface_of(normals.GetOutput())


def _check_extents(path: Path, surface: Surface) -> None:
    largest = float(np.ptp(surface.vertices, axis=0).max())
    if not _SMALLEST_MM <= largest <= _LARGEST_MM:
        raise InputError(
            f"{path} is {largest:.3g} mm across, which cannot be a thyroid in millimetres. Export it in millimetres, "
            "and without other structures."
        )


def _read(path: Path) -> tuple[Surface, str]:
    """Return the content of a file in its own axes, and the axes that it states; empty if it states none."""
    if path.suffix.lower() == ".ply":
        ply = read_any_ply(path)
        found = _SPACE.search(" ".join(ply.comments))
        return Surface(ply.points, ply.triangles), found[1] if found else ""
    with reading(path, "a mesh", _REMEDY):
        if path.suffix.lower() == ".vtp":
            return read_vtp(path)
        content = path.read_bytes()
        found = _SPACE.search(content[:_HEADER_BYTES].decode("latin-1"))
        if path.suffix.lower() == ".obj":
            return read_obj(path), found[1] if found else ""
        # VTK reserves memory for what the file states.
        if path.suffix.lower() == ".vtk" and _largest_count(content) > len(content):
            raise ValueError("it is cut short")
        polydata = _read_with_vtk(path)
        stated = found[1] if found else _space_field(polydata)
        surface = surface_of(polydata)
        if not len(surface.faces) and polydata.GetNumberOfPoints():
            from vtkmodules.util.numpy_support import vtk_to_numpy

            surface = Surface(vtk_to_numpy(polydata.GetPoints().GetData()), np.empty((0, 3)))
    return surface, stated


def _largest_count(content: bytes) -> int:
    """Return the largest number of elements that a .vtk file states."""
    return max((int(each[:20]) for line in _COUNTS.findall(content) for each in line.split()), default=0)


def _read_with_vtk(path: Path) -> vtkPolyData:
    from vtkmodules.vtkIOGeometry import vtkSTLReader
    from vtkmodules.vtkIOLegacy import vtkPolyDataReader

    reader: Any = vtkSTLReader() if path.suffix.lower() == ".stl" else vtkPolyDataReader()
    reader.SetFileName(os.fsencode(path))  # Names need not be UTF-8.
    with _vtk_messages() as messages:
        reader.Update()
    # Of a file that is cut short some readers return what they have read, with positions and corners of any value.
    if messages() or reader.GetErrorCode():
        raise InputError(f"{path} is damaged or incomplete and cannot be read as a mesh. {_REMEDY}")
    found = reader.GetOutput()
    _check_corners(found)
    return found


def _check_corners(polydata: vtkPolyData) -> None:
    """Raise `ValueError` if a polygon has a corner that does not exist, at which VTK's filters would crash."""
    from vtkmodules.util.numpy_support import vtk_to_numpy

    for cells in (polydata.GetPolys(), polydata.GetStrips()):
        if cells.GetNumberOfCells():
            corners = vtk_to_numpy(cells.GetConnectivityArray())
            ends = vtk_to_numpy(cells.GetOffsetsArray())
            within = len(corners) and 0 <= corners.min() <= corners.max() < polydata.GetNumberOfPoints()
            if not within or ends[0] != 0 or ends[-1] != len(corners) or (np.diff(ends) < 0).any():
                raise ValueError("a polygon has a corner that does not exist")


@contextmanager
def _vtk_messages() -> Iterator[Callable[[], str]]:
    """Yield a function that returns the errors and warnings that VTK reported in the block, instead of printing them.

    Observers do not suffice: some warnings have no source, and Python does not reach the parsers of some readers.
    """
    from vtkmodules.vtkCommonCore import vtkLogger, vtkOutputWindow, vtkStringOutputWindow

    usual, own = vtkOutputWindow.GetInstance(), vtkStringOutputWindow()
    verbosity = vtkLogger.GetCurrentVerbosityCutoff()
    vtkOutputWindow.SetInstance(own)
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    try:
        yield own.GetOutput
    finally:
        vtkOutputWindow.SetInstance(usual)
        vtkLogger.SetStderrVerbosity(verbosity)


def _space_field(polydata: vtkPolyData) -> str:
    """Return the axes that Slicer states in the field data of a VTK file; empty if it states none."""
    field = polydata.GetFieldData().GetAbstractArray("SPACE")
    text = field.GetVariantValue(0).ToString() if field is not None and field.GetNumberOfValues() else ""
    return text if text in ("LPS", "RAS") else ""
