"""Tetrahedra of structures for solvers on volumes, with the structure that each of them belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import OutputError
from ThyroidSynthLib.common.files import atomic_path
from ThyroidSynthLib.common.lazy import optional_package
from ThyroidSynthLib.geometry.grid import flip_lps_ras
from ThyroidSynthLib.geometry.polydata import polydata_of
from ThyroidSynthLib.geometry.surface import Surface

TETRAHEDRA_FORMATS = ("vtu", "msh")
"""VTK's unstructured grid, and Gmsh's format 2.2, which solvers of finite elements read."""

TETRAHEDRA_PACKAGES = (("tetgen", "A mesh of tetrahedra"), ("meshio", "A mesh of tetrahedra"))
"""The packages that tetrahedra need, and for what."""

LEAST_SCALED_JACOBIAN = 0.02
"""Minimum scaled Jacobian of the tetrahedra; a flat one has 0, a regular one 1."""

# Settings of TetGen: minimum dihedral angle in degrees, largest ratio of radius to edge. The first gives a scaled
# Jacobian above 0.05 on remeshed thyroids, the others are for surfaces on which it fails.
_SETTINGS = ((20.0, 1.2), (18.0, 1.3), (10.0, 1.5))
_LARGEST_DIHEDRAL = 160.0


@dataclass(frozen=True)
class Tetrahedra:
    """Tetrahedra with the region of each.

    Attributes
    ----------
    nodes : ndarray, shape (N, 3)
        In `ras_mm`.
    elements : ndarray of int, shape (E, 4)
        Node indices of each tetrahedron, positively oriented.
    regions : ndarray of int, shape (E,)
        Label of the structure that each tetrahedron belongs to.
    names : mapping of int to str
        Names of the labels.
    left_out : mapping of str to str
        Structures without tetrahedra, with the reason.
    """

    nodes: np.ndarray
    elements: np.ndarray
    regions: np.ndarray
    names: Mapping[int, str]
    left_out: Mapping[str, str]

    def volumes_mm3(self) -> np.ndarray:
        """Return the volume of each tetrahedron, shape (E,)."""
        corners = self.nodes[self.elements]
        return np.linalg.det(corners[:, 1:] - corners[:, :1]) / 6

    def scaled_jacobians(self) -> np.ndarray:
        """Return the scaled Jacobian of each tetrahedron as Verdict defines it, shape (E,): 1 if it is regular."""
        corners = self.nodes[self.elements]

        def length(first: int, second: int) -> np.ndarray:
            return np.linalg.norm(corners[:, second] - corners[:, first], axis=1)

        at_corners = [
            length(corner, others[0]) * length(corner, others[1]) * length(corner, others[2])
            for corner, others in enumerate(((1, 2, 3), (0, 2, 3), (0, 1, 3), (0, 1, 2)))
        ]
        return np.sqrt(2) * 6 * self.volumes_mm3() / np.max([*at_corners, 6 * self.volumes_mm3()], axis=0)


def tetrahedralised(surfaces: Mapping[int, Surface], names: Mapping[int, str]) -> Tetrahedra:
    """Fill closed surfaces with tetrahedra by TetGen, which keeps the surfaces as they are.

    A surface that lies in another is a region of its own there. Of surfaces that cut each other the first is filled.

    Parameters
    ----------
    surfaces : mapping of int to Surface
        By label, in `ras_mm`, the most important first; of even triangles (see `remeshed`).
    names : mapping of int to str
        Names of the labels.

    Raises
    ------
    InputError
        tetgen is not installed.
    OutputError
        A surface cuts itself, or has triangles that are too thin for tetrahedra of the demanded quality.
    """
    tetgen = optional_package(*TETRAHEDRA_PACKAGES[0])
    kept: dict[int, Surface] = {}
    left_out: dict[str, str] = {}
    for label, surface in surfaces.items():
        other = next((each for each in kept if surfaces_meet(surface, kept[each])), None)
        if other is None:
            kept[label] = surface
        else:
            left_out[names[label]] = f"its surface cuts that of {names[other]}"
    joined = Surface.joined(list(kept.values()))
    listed = ", ".join(names[label] for label in kept)
    for dihedral, ratio in _SETTINGS:
        mesher = tetgen.TetGen(joined.vertices, joined.faces.astype(np.int32))
        try:
            nodes, elements, attributes, *_ = mesher.tetrahedralize(
                order=1, quality=True, nobisect=True, regionattrib=True, mindihedral=dihedral, minratio=ratio,
                optmaxdihedral=_LARGEST_DIHEDRAL,
            )  # fmt: skip
        except RuntimeError as error:
            raise OutputError(
                f"The surfaces of {listed} cannot be filled with tetrahedra, because one of them cuts itself "
                f"({error}). Choose another edge length."
            ) from error
        found = _oriented(nodes, elements, attributes.ravel(), kept, names, left_out)
        if found.scaled_jacobians().min() >= LEAST_SCALED_JACOBIAN:
            return found
    raise OutputError(
        f"The surfaces of {listed} have triangles too thin for tetrahedra with a scaled Jacobian of at least "
        f"{LEAST_SCALED_JACOBIAN}. State an edge length."
    )


def write_tetrahedra(mesh: Tetrahedra, path: Path, *, space: str) -> None:
    """Write tetrahedra as ``.vtu`` or ``.msh`` (Gmsh 2.2), in mm, and read them back before they replace `path`.

    The region of each is its label: ``region`` in VTU, the physical group, with its name, in Gmsh.

    Parameters
    ----------
    space : str
        Axes of the positions, "LPS" or "RAS".

    Raises
    ------
    InputError
        meshio is not installed.
    OutputError
        The file cannot be written, or reads back differently.
    """
    meshio = optional_package(*TETRAHEDRA_PACKAGES[1])
    nodes = flip_lps_ras(mesh.nodes) if space == "LPS" else mesh.nodes
    regions = mesh.regions.astype(np.int32)
    gmsh = path.suffix.lower() == ".msh"
    data = {"gmsh:physical": [regions], "gmsh:geometrical": [regions]} if gmsh else {"region": [regions]}
    named = {mesh.names[label]: np.array([label, 3]) for label in np.unique(regions).tolist()} if gmsh else {}
    document = meshio.Mesh(nodes, [("tetra", mesh.elements.astype(np.int64))], cell_data=data, field_data=named)
    with atomic_path(path) as temporary:
        meshio.write(temporary, document, file_format="gmsh22" if gmsh else "vtu", binary=True)
        found = meshio.read(temporary, file_format="gmsh" if gmsh else "vtu")
        same = np.array_equal(found.cells_dict["tetra"], mesh.elements) and np.allclose(found.points, nodes)
        if not (same and np.array_equal(found.cell_data[next(iter(data))][0], regions)):
            raise OutputError(f"{temporary} reads back with other tetrahedra than were written. Check the disk.")


def surfaces_meet(first: Surface, second: Surface) -> bool:
    """Check whether a triangle of one surface touches one of another; a surface within another does not."""
    from vtkmodules.vtkCommonMath import vtkMatrix4x4
    from vtkmodules.vtkFiltersModeling import vtkCollisionDetectionFilter

    apart = (first.bounds[0] > second.bounds[1]).any() or (second.bounds[0] > first.bounds[1]).any()
    if apart:
        return False
    contact = vtkCollisionDetectionFilter()
    for number, surface in enumerate((first, second)):
        contact.SetInputData(number, polydata_of(surface))
        contact.SetMatrix(number, vtkMatrix4x4())
    contact.SetBoxTolerance(0.0)
    contact.SetCellTolerance(0.0)
    contact.SetCollisionModeToFirstContact()
    contact.Update()
    return bool(contact.GetNumberOfContacts())


def winding_number(surface: Surface, point: np.ndarray) -> float:
    """Return how often a closed surface winds around a point (3,): 1 inside, 0 outside."""
    a, b, c = np.moveaxis(surface.corners - point, 1, 0)
    la, lb, lc = (np.linalg.norm(each, axis=1) for each in (a, b, c))
    triple = np.einsum("ij,ij->i", a, np.cross(b, c))
    ab, bc, ca = (np.einsum("ij,ij->i", *pair) for pair in ((a, b), (b, c), (c, a)))
    return float(np.arctan2(triple, la * lb * lc + ab * lc + bc * la + ca * lb).sum() / (2 * np.pi))


def _oriented(
    nodes: np.ndarray,
    elements: np.ndarray,
    parts: np.ndarray,
    surfaces: Mapping[int, Surface],
    names: Mapping[int, str],
    left_out: Mapping[str, str],
) -> Tetrahedra:
    """Return the tetrahedra with the label of the innermost surface around each of TetGen's parts."""
    elements = np.asarray(elements, dtype=np.int64)
    found = Tetrahedra(nodes, elements, np.zeros(len(elements), dtype=int), names, left_out)
    turned = found.volumes_mm3() < 0
    elements[turned] = elements[turned][:, [1, 0, 2, 3]]
    volumes = found.volumes_mm3()
    sizes = {label: surface.volume for label, surface in surfaces.items()}
    for part in np.unique(parts):
        inside = parts == part
        largest = np.flatnonzero(inside)[volumes[inside].argmax()]
        centre = nodes[elements[largest]].mean(axis=0)
        around = [label for label, surface in surfaces.items() if winding_number(surface, centre) > 0.5]
        found.regions[inside] = min(around, key=lambda label: sizes[label]) if around else 0
    kept = found.regions > 0
    return Tetrahedra(nodes, elements[kept], found.regions[kept], names, left_out)
