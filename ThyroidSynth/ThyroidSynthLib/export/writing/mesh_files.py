"""Meshes of a surface, or of all organs of a label map, in the chosen formats."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import OutputError
from ThyroidSynthLib.common.files import atomic_path, names_for_files, write_json
from ThyroidSynthLib.common.lazy import check_package
from ThyroidSynthLib.geometry.grid import flip_lps_ras
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_map_files import NOTE
from ThyroidSynthLib.imaging.label_maps import BACKGROUND, LabelMap
from ThyroidSynthLib.imaging.label_table import colour_of
from ThyroidSynthLib.imaging.mesh_files import MESH_FORMATS, SPACES, write_mesh
from ThyroidSynthLib.imaging.meshes.glb import GLB_PACKAGE, write_glb

from .remeshing import EDGE_LIMITS_MM, REMESHING_PACKAGE, remeshed, triangle_quality
from .tetrahedra import TETRAHEDRA_FORMATS, TETRAHEDRA_PACKAGES, Tetrahedra, tetrahedralised, write_tetrahedra

_log = logging.getLogger(__name__)

BODY = "body"
"""The surface of everything that is not air."""

SCENE = "organs"
"""The name of the files that hold all organs."""

MESH_TABLE = "meshes.json"
"""The table of the organs' meshes."""


@dataclass(frozen=True)
class MeshOptions:
    """The meshes to write of each surface.

    `OutputError` if an option is impossible, `InputError` if a package that it needs is not installed.

    Attributes
    ----------
    formats : tuple of str
        Any of `MESH_FORMATS`.
    space : str
        Axes of the positions, one of `SPACES`.
    edge_length_mm : float or None
        Mean edge of the triangles (see `remeshed`); None for those of the surface as it is.
    tetrahedra : tuple of str
        Any of `TETRAHEDRA_FORMATS`, which need an edge length.
    """

    formats: tuple[str, ...] = ()
    space: str = SPACES[0]
    edge_length_mm: float | None = None
    tetrahedra: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for kind, chosen, known in (
            ("mesh format", self.formats, MESH_FORMATS),
            ("format of tetrahedra", self.tetrahedra, TETRAHEDRA_FORMATS),
        ):
            for suffix in chosen:
                if suffix not in known:
                    raise OutputError(f"There is no {kind} '{suffix}'. Use {', '.join(known)}.")
        if self.space not in SPACES:
            raise OutputError(f"There is no space '{self.space}' for meshes. Use {' or '.join(SPACES)}.")
        least, largest = EDGE_LIMITS_MM
        if self.edge_length_mm is not None and not least <= self.edge_length_mm <= largest:
            raise OutputError(
                f"An edge length of {self.edge_length_mm:g} mm is impossible. Use {least:g} to {largest:g} mm."
            )
        if self.tetrahedra and self.edge_length_mm is None:
            raise OutputError("Tetrahedra need triangles of one size. State an edge length, such as 2 mm.")
        if "glb" in self.formats:
            check_package(*GLB_PACKAGE)
        if self.edge_length_mm is not None:
            check_package(*REMESHING_PACKAGE)
        for package in TETRAHEDRA_PACKAGES if self.tetrahedra else ():
            check_package(*package)

    def files(self, stem: str) -> list[str]:
        """Return the names of the files of a surface."""
        return [f"{stem}.{suffix}" for suffix in (*self.formats, *self.tetrahedra)]


def write_meshes(
    surface_ras: Surface,
    folder: Path,
    stem: str,
    options: MeshOptions,
    *,
    name: str = "thyroid_gland",
    scalars: Mapping[str, np.ndarray] | None = None,
) -> list[Path]:
    """Write the meshes of a surface in `ras_mm`, and return their files.

    An open surface has neither even triangles nor tetrahedra; nothing is written of it where these are chosen.

    Parameters
    ----------
    scalars : mapping of str to ndarray (V,), optional
        One number for each vertex, by name.

    Raises
    ------
    InputError
        A package is missing.
    OutputError
        A file cannot be written, or the edge length is impossible for the surface.
    """
    if options.edge_length_mm is not None:
        if not surface_ras.is_closed():
            return []
        even = remeshed(surface_ras, options.edge_length_mm, name=name)
        scalars = None if scalars is None else _at_nearest(surface_ras, even, scalars)
        surface_ras = even
    paths = [folder / each for each in options.files(stem)]
    for path in paths[: len(options.formats)]:
        write_mesh(surface_ras, path, space=options.space, scalars=scalars)
    if options.tetrahedra:
        filled = tetrahedralised({1: surface_ras}, {1: name})
        for path in paths[len(options.formats) :]:
            write_tetrahedra(filled, path, space=options.space)
    return paths


def organ_surfaces(
    labels: LabelMap, parts: Mapping[int, Surface] | None = None, *, left_out: frozenset[str] = frozenset()
) -> dict[int, Surface]:
    """Return the closed surface in `ras_mm` of each label of a label map.

    Parameters
    ----------
    parts : mapping of int to Surface, optional
        Surfaces of labels that are known better than by their voxels.
    left_out : frozenset of str
        Names of structures without a surface, such as tissue between the organs.
    """
    volume, parts = labels.volume, parts or {}
    counts = np.bincount(volume.array.ravel())
    found = dict(parts)
    for label in np.flatnonzero(counts).tolist():
        if label not in (BACKGROUND, *parts) and labels.names.get(label) not in left_out:
            found[label] = surface_from_mask(Volume(volume.array == label, volume.ijk_to_ras))
    return dict(sorted(found.items()))


def write_organ_meshes(
    labels: LabelMap,
    folder: Path,
    options: MeshOptions,
    *,
    parts: Mapping[int, Surface] | None = None,
    first: tuple[str, ...] = (),
    divided: Sequence[int] = (),
    left_out: frozenset[str] = frozenset(),
) -> list[Path]:
    """Write the surface of each organ of a label map, and of the body, all in one frame, and return the files.

    Each surface is a file by the name of its structure (see `names_for_files`); GLB and tetrahedra hold all organs in
    one file. Tetrahedra are those of organs whose surfaces do not cut each other. With an edge length, components
    smaller than a cube of it are left out, and so are organs that are too thin for it. `meshes.json` lists files,
    labels, volumes, qualities and what is left out.

    Parameters
    ----------
    parts, left_out
        As for `organ_surfaces`.
    first : tuple of str
        How names begin that are filled with tetrahedra before others, and of which at least one must not be left out.
    divided : sequence of int
        Labels of the parts of one structure, such as lobes, which touch each other: the whole is filled with
        tetrahedra, of which each belongs to the nearest part.

    Raises
    ------
    InputError
        A package is missing.
    OutputError
        A file cannot be written, or the edge length is impossible for the body or all structures of `first`.
    """
    surfaces = organ_surfaces(labels, parts, left_out=left_out)
    names = {label: labels.names.get(label, f"label_{label}") for label in surfaces}
    body = labels.volume.array != BACKGROUND
    whole = {BODY: surface_from_mask(Volume(body, labels.volume.ijk_to_ras))} if body.any() else {}
    missing: dict[str, str] = {}
    if options.edge_length_mm is not None:
        edge = options.edge_length_mm
        even = {label: _even(surface, edge, names[label]) for label, surface in surfaces.items()}
        missing = {names[label]: each for label, each in even.items() if isinstance(each, str)}
        main = [name for name in names.values() if first and name.startswith(first)]
        lost = [missing[name] for name in main if name in missing]
        if lost and len(lost) == len(main):
            raise OutputError(lost[0])
        for reason in lost:
            _log.warning("Left out of the meshes in %s: %s", folder, reason)
        surfaces = {label: each for label, each in even.items() if not isinstance(each, str)}
        whole = {name: remeshed(surface, edge, name=name) for name, surface in whole.items()}
    named = {names[label]: surface for label, surface in surfaces.items()} | whole
    stems, written = names_for_files(named), list[Path]()
    for suffix in options.formats:
        if suffix == "glb":
            written.append(_scene(named, folder / f"{SCENE}.glb", options.space, names))
            continue
        for name, surface in named.items():
            written.append(folder / f"{stems[name]}.{suffix}")
            write_mesh(surface, written[-1], space=options.space)
    filled = None
    if options.tetrahedra:
        edge = options.edge_length_mm or 0.0
        filled = _filled(surfaces, names, labels, edge, first, [each for each in divided if each in surfaces])
        for suffix in options.tetrahedra:
            written.append(folder / f"{SCENE}.{suffix}")
            write_tetrahedra(filled, written[-1], space=options.space)
    numbers = {name: label for label, name in names.items()}
    voxel_ml = labels.volume.voxel_volume_ml
    counts = np.bincount(labels.volume.array.ravel(), minlength=max(names, default=0) + 1)
    document = {
        "kind": "meshes of organs",
        "format_version": 1,
        "note": NOTE,
        "space": options.space,
        "unit": "mm",
        "edge_length_mm": options.edge_length_mm,
        "surfaces": [
            {
                "name": name,
                "file": stems[name],
                "label": numbers.get(name),
                "volume_ml": surface.volume / 1000,
                "voxels_ml": int(body.sum() if name == BODY else counts[numbers[name]]) * voxel_ml,
                "triangles": len(surface.faces),
                "least_quality": float(triangle_quality(surface).min()),
            }
            for name, surface in named.items()
        ],
        "left_out": missing,
        "tetrahedra": None if filled is None else _about(filled),
    }
    write_json(folder / MESH_TABLE, document)
    return [*written, folder / MESH_TABLE]


def _filled(
    surfaces: Mapping[int, Surface],
    names: Mapping[int, str],
    labels: LabelMap,
    edge_mm: float,
    first: tuple[str, ...],
    divided: Sequence[int],
) -> Tetrahedra:
    """Return the tetrahedra of organs; those of a divided structure fill it as a whole and then get their part."""
    from scipy.ndimage import binary_fill_holes, distance_transform_edt

    chosen, parts = dict(surfaces), list(divided)
    if len(parts) > 1:
        within = [label for label, name in labels.names.items() if first and name.startswith(first)]
        mask = Volume(binary_fill_holes(np.isin(labels.volume.array, within)), labels.volume.ijk_to_ras)
        whole = remeshed(surface_from_mask(mask), edge_mm, name=names[parts[0]])
        chosen = {parts[0]: whole} | {label: each for label, each in surfaces.items() if label not in parts}
    order = sorted(chosen, key=lambda label: (not names[label].startswith(first), -chosen[label].volume))
    filled = tetrahedralised({label: chosen[label] for label in order}, names)
    if len(parts) < 2:
        return filled
    array = labels.volume.array
    nearest = distance_transform_edt(~np.isin(array, parts), return_distances=False, return_indices=True)
    centres = filled.nodes[filled.elements].mean(axis=1)
    ijk = np.clip(np.rint(labels.volume.to_ijk(centres)).astype(int), 0, labels.volume.grid.last_ijk)
    own = array[tuple(nearest)][tuple(ijk.T[::-1])]
    return replace(filled, regions=np.where(filled.regions == parts[0], own, filled.regions))


def _even(surface: Surface, edge_mm: float, name: str) -> Surface | str:
    """Return a surface of even triangles without components smaller than a cube of their edge, or why there is none."""
    component = surface.components()
    volumes = [surface.of_faces(component == number).volume for number in range(int(component.max()) + 1)]
    large = np.flatnonzero(np.array(volumes) >= edge_mm**3)
    if not len(large):
        return f"The components of {name} are smaller than a cube with edges of {edge_mm:g} mm."
    try:
        return remeshed(surface.of_faces(np.isin(component, large)), edge_mm, name=name)
    except OutputError as error:
        return str(error)


def _scene(named: Mapping[str, Surface], path: Path, space: str, names: Mapping[int, str]) -> Path:
    turned = {
        name: surface.moved(flip_lps_ras(surface.vertices)) if space == "LPS" else surface
        for name, surface in named.items()
        if name != BODY  # It would hide all others.
    }
    colours = {name: colour_of(label) for label, name in names.items()}
    with atomic_path(path) as temporary:
        write_glb(turned, temporary, space=space, note=NOTE, colours=colours)
    return path


def _about(filled: Tetrahedra) -> dict[str, Any]:
    volumes = filled.volumes_mm3() / 1000
    return {
        "count": len(filled.elements),
        "least_scaled_jacobian": float(filled.scaled_jacobians().min()),
        "regions": [
            {
                "region": label,
                "name": filled.names[label],
                "volume_ml": float(volumes[filled.regions == label].sum()),
            }
            for label in np.unique(filled.regions).tolist()
        ],
        "left_out": dict(filled.left_out),
    }


def _at_nearest(surface: Surface, other: Surface, scalars: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return numbers of the vertices of a surface at the vertices of another one of the same shape."""
    from scipy.spatial import cKDTree

    _, nearest = cKDTree(surface.vertices).query(other.vertices)
    return {name: np.asarray(values)[nearest] for name, values in scalars.items()}
