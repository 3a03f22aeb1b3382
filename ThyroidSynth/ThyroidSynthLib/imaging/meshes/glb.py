"""GLB files, the binary form of glTF, which viewers on the web and for virtual reality show."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.lazy import optional_package
from ThyroidSynthLib.common.reading import reading
from ThyroidSynthLib.geometry.surface import Surface

# glTF is in metres, with +Y up and +Z to the front: of a person, superior and anterior. Left is +X.
_TO_METRES = {
    "RAS": np.array([[-1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1000]]) / 1000,
    "LPS": np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1000]]) / 1000,
}

GLB_PACKAGE = ("trimesh", "A mesh in GLB")
"""The package that GLB needs, and for what."""

Colour = tuple[float, float, float]


def write_glb(
    surfaces: Mapping[str, Surface], path: Path, *, space: str, note: str, colours: Mapping[str, Colour] | None = None
) -> None:
    """Write surfaces by their names as one scene.

    The vertices are stored in mm as they are given; the node of each surface turns them into metres with superior up,
    as the format demands.

    Parameters
    ----------
    space : str
        The axes of the vertices, "LPS" or "RAS", which the scene's ``extras`` state.
    colours : mapping of str to (red, green, blue), optional
        Each 0 to 1.

    Raises
    ------
    InputError
        trimesh is not installed.
    OSError
        The file cannot be written.
    """
    trimesh = optional_package(*GLB_PACKAGE)
    scene = trimesh.Scene(metadata={"note": note, "SPACE": space, "units": "mm, in metres by the nodes"})
    for name, surface in surfaces.items():
        mesh = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
        if colours and name in colours:
            material = trimesh.visual.material.PBRMaterial(
                baseColorFactor=[*colours[name], 1.0], metallicFactor=0.0, roughnessFactor=0.8
            )
            mesh.visual = trimesh.visual.TextureVisuals(material=material)
        scene.add_geometry(mesh, node_name=name, geom_name=name, transform=_TO_METRES[space])
    path.write_bytes(scene.export(file_type="glb"))


def read_glb(path: Path) -> dict[str, Surface]:
    """Read the surfaces that `write_glb` wrote, in mm and in the axes of the file."""
    trimesh = optional_package(*GLB_PACKAGE)
    with reading(path, "a mesh", "Export it again."), path.open("rb") as file:
        scene = trimesh.load_scene(file, file_type="glb", process=False, merge_primitives=False)
        found = {name: Surface(mesh.vertices, mesh.faces) for name, mesh in scene.geometry.items()}
    if not found:
        raise InputError(f"{path} holds no surface. Export it again.")
    return found
