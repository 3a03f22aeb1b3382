"""A thyroid given as a mesh: finding the files, checking the surface, and its place in the trachea frame."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import absolute_path
from ThyroidSynthLib.dataset.finding.ids import Place, unique_ids
from ThyroidSynthLib.dataset.quality import (
    IMPLAUSIBLE_VOLUME,
    NOT_WATERTIGHT,
    TOO_MANY_COMPONENTS,
    QualityRules,
)
from ThyroidSynthLib.dataset.structure_checks import TRACHEA_AWAY
from ThyroidSynthLib.geometry.frame import ALIGNMENTS, Placement
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.imaging.meshes.any_mesh import MESH_SUFFIXES, is_mesh_file
from ThyroidSynthLib.imaging.meshes.point_clouds import CLOUD_SUFFIXES, is_point_cloud_file

# Largest horizontal distance of the trachea's centre from the nearest part of the gland. At the height of the gland the
# two touch, but the centre of the whole trachea lies behind it.
_LARGEST_DISTANCE_MM = 60.0
_NAME = re.compile(r"[A-Za-z0-9][\w .-]{0,99}", re.ASCII)


def find_mesh_files(paths: Sequence[Path | str], *, clouds: bool = False) -> list[tuple[str, Path]]:
    """Find meshes, and with `clouds` point clouds, at several paths: files, and folders with meshes at any depth.

    Returns
    -------
    list of (id, Path)
        Sorted by id; ids unique: the names of the files without suffix, if these differ.

    Raises
    ------
    InputError
        A path does not exist, or there is no mesh at one.
    """
    known = (*MESH_SUFFIXES, *CLOUD_SUFFIXES) if clouds else MESH_SUFFIXES
    found: dict[Path, Place] = {}
    for root in map(absolute_path, paths):
        if root.is_file():
            files = [root]
        elif root.is_dir():
            inside = sorted(path for path in root.rglob("*") if path.is_file())
            # In a folder a table such as centres.csv is no point cloud.
            files = [path for path in inside if is_mesh_file(path)]
        else:
            raise InputError(f"{root} does not exist. Check the path.")
        files = [path for path in files if is_mesh_file(path) or (clouds and is_point_cloud_file(path))]
        if not files:
            listed = ", ".join(suffix[1:] for suffix in known)
            what = "meshes or point clouds" if clouds else "meshes"
            raise InputError(f"{root} holds no {what} of a known format ({listed}). Choose another path.")
        for path in files:
            found.setdefault(path, Place(root if root.is_dir() else root.parent, path, is_file=True))
    stems = [path.stem for path in found]
    # A table of centres names meshes by their files. Names such as thyroid.stl in each folder name no patient.
    plain = len({stem.casefold() for stem in stems}) == len(stems) and all(_NAME.fullmatch(stem) for stem in stems)
    return sorted(zip(stems if plain else unique_ids(list(found.values())), found, strict=True))


def mesh_placement(surface_ras: Surface, centre_ras: np.ndarray, alignment: str) -> Placement:
    """Return the trachea frame of a patient of whom only the trachea's centre is known.

    In the alignment "upright" the origin is moved vertically to the height of the gland's centre, because the axis of
    the trachea is unknown and taken as vertical. `InputError` if the alignment is unknown.
    """
    if alignment not in ALIGNMENTS:
        raise InputError(f"There is no alignment '{alignment}'. Choose one of: {', '.join(ALIGNMENTS)}.")
    origin = np.array(centre_ras, dtype=np.float64)
    if alignment == "upright":
        origin[2] = centroid(surface_ras)[2]
    return Placement.at(origin)


def centroid(surface: Surface) -> np.ndarray:
    """Return the centre of mass (3,) of the inside of a closed surface; of the vertices if it is not closed."""
    if not surface.is_closed():
        return surface.vertices.mean(axis=0)
    middle = surface.vertices.mean(axis=0)
    a, b, c = (surface.corners - middle).transpose(1, 0, 2)
    volumes = np.einsum("ij,ij->i", a, np.cross(b, c))
    return middle + (volumes[:, None] * (a + b + c)).sum(axis=0) / (4 * volumes.sum())


def surface_findings(
    surface_ras: Surface, centre_ras: np.ndarray, rules: QualityRules
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the reasons to refuse a surface with its trachea's centre, and notes with the numbers behind them."""
    reasons, notes = [], []
    if not surface_ras.is_closed():
        reasons.append(NOT_WATERTIGHT)
    components = int(surface_ras.components().max(initial=-1)) + 1
    if components > rules.max_components:
        reasons.append(TOO_MANY_COMPONENTS)
        notes.append(f"{components} components")
    volume_ml = surface_ras.volume / 1000
    if not rules.min_volume_ml <= volume_ml <= rules.max_volume_ml:
        reasons.append(IMPLAUSIBLE_VOLUME)
        notes.append(f"{volume_ml:.2f} mL")
    away = float(np.linalg.norm(surface_ras.vertices[:, :2] - centre_ras[:2], axis=1).min())
    if away > _LARGEST_DISTANCE_MM:
        reasons.append(TRACHEA_AWAY)
        notes.append(
            f"the trachea's centre lies {away:.0f} mm beside the gland; check its axes (RAS) and its unit (mm)"
        )
    return tuple(reasons), tuple(notes)
