"""Shapes that a reader study may show: where they come from, and how they are made to look alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import read_json, sha256_of
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.export.cohort.manifest import MANIFEST_JSON
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid, flip_lps_ras
from ThyroidSynthLib.geometry.isosurface import surface_from_mask, surface_from_sdf_volume
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.masks import read_mask
from ThyroidSynthLib.imaging.mesh_files import MESH_FORMATS, read_mesh

REAL, SYNTHETIC = "real", "synthetic"
"""Kinds of shapes in a study."""

SPACING_MM, SMOOTHING_MM = 1.0, 1.0
"""Voxel size at which every shape is resampled, and the standard deviation of the filter that smooths it.

Surfaces of segmentations have steps of voxels, those of a shape model do not: without this, the steps would reveal
which shape is real.
"""

_HEADER_BYTES = 1000


@dataclass(frozen=True)
class Candidate:
    """A shape that a study may show.

    Attributes
    ----------
    kind : str
        `REAL` or `SYNTHETIC`.
    name : str
        Its name in its source; readers never see it.
    source : dict
        Where it comes from, for the study's plan.
    read : callable
        Reads its surface in `trachea_mm`.
    notice : str
        What must be said of results with this shape, such as that a cohort of "real" shapes is synthetic itself.
    measurable : bool
        Whether its trachea frame is known, so that its features can be measured; otherwise its axes are those of
        `ras_mm`.
    """

    kind: str
    name: str
    read: Callable[[], Surface]
    source: dict[str, Any] = field(default_factory=dict)
    notice: str = ""
    measurable: bool = True


def neutral(surface: Surface) -> Surface:
    """Return a closed surface resampled and smoothed as all shapes are, with the same volume, in its frame."""
    from scipy.ndimage import gaussian_filter

    mask = voxelise(surface, Grid.around(surface, spacing_mm=SPACING_MM))
    outside = gaussian_filter(1.0 - mask.array.astype(np.float64), SMOOTHING_MM / SPACING_MM)
    count = int(mask.array.sum())
    if count == 0:
        raise InputError(f"It is smaller than a voxel of {SPACING_MM:g} mm. Leave it out.")
    # Smoothing would shrink it: the surface encloses as many voxels as before.
    level = np.partition(outside.ravel(), (count - 1, count))[count - 1 : count + 1].mean()
    return surface_from_sdf_volume(Volume(outside - level, mask.ijk_to_ras))


def candidates_of_cohort(folder: Path | str) -> list[Candidate]:
    """Return the shapes of a prepared cohort as real ones.

    Raises
    ------
    CohortError
        The folder is not a complete cohort.
    """
    cohort = Cohort.open(folder)
    notice = ""
    if cohort.synthetic:
        notice = f"The real shapes come from a synthetic dataset. {cohort.statement}".strip()

    def candidate(case_id: str) -> Candidate:
        source = {"cohort": cohort.checksum, "case": case_id}
        return Candidate(REAL, case_id, lambda: cohort.surface(case_id), source, notice)

    return [candidate(case_id) for case_id in cohort.ids]


def candidates_of_generated_cohort(folder: Path | str) -> list[Candidate]:
    """Return the valid thyroids of a generated cohort as synthetic shapes, from their surfaces or label maps.

    Raises
    ------
    InputError
        The folder has no manifest of a generated cohort, the manifest is damaged or not complete, or no thyroid has a
        surface or a label map.
    """
    folder = Path(folder)
    path = folder / MANIFEST_JSON
    if not path.is_file():
        raise InputError(
            f"{folder} is not a generated cohort (it has no {MANIFEST_JSON}). Choose the folder that was given to "
            "'thyroidsynth generate' or chosen for the cohort."
        )
    manifest = read_json(path)
    try:
        if manifest["kind"] != "generated cohort":
            raise InputError(f"{path} does not describe a generated cohort. Choose another folder.")
        if not manifest["complete"]:
            raise InputError(f"{path} is not complete. Let the generation finish first, or run it again.")
        placement = Placement(np.array(manifest["trachea_to_ras"], dtype=float))
        model = str(manifest["model"]["checksum"])
        entries = [entry for entry in manifest["thyroids"] if entry["validity"]["ok"]]
        found = [_generated(folder, entry, placement, model) for entry in entries]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is damaged ({error!r}). Generate the cohort again.") from error
    candidates = [each for each in found if each is not None]
    if not candidates:
        raise InputError(f"{folder} has no valid thyroid with a surface or a label map. Generate it again with them.")
    return candidates


def _generated(folder: Path, entry: Mapping[str, Any], placement: Placement, model: str) -> Candidate | None:
    """Return a thyroid of a manifest; None if it has neither surface nor label map."""
    files = {str(file["path"]): str(file["sha256"]) for file in entry["files"]}
    meshes = [name for suffix in MESH_FORMATS for name in files if name.endswith(f".{suffix}")]
    name = next(iter([*meshes, *(name for name in files if name.startswith("label_maps/"))]), None)
    if name is None:
        return None
    path = folder / name
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"the file {name} lies outside the folder")

    def read() -> Surface:
        if not path.is_file() or sha256_of(path) != files[name]:
            raise InputError(f"{path} is missing or differs from what was generated. Generate the cohort again.")
        if name in meshes:
            surface = _with_shared_vertices(read_mesh(path))
            ras = surface.vertices if _is_ras(path) else flip_lps_ras(surface.vertices)
        else:
            surface = surface_from_mask(read_mask(path).volume)
            ras = surface.vertices
        return surface.moved(placement.to_trachea(ras))

    source = {"model": model, "id": entry["id"], "seed": entry["seed"], "index": entry["index"]}
    return Candidate(SYNTHETIC, str(entry["id"]), read, source)


def _with_shared_vertices(surface: Surface) -> Surface:
    """Return a surface whose triangles share vertices, which those of an STL file do not."""
    vertices, index = np.unique(surface.vertices, axis=0, return_inverse=True)
    return Surface(vertices, index.reshape(-1)[surface.faces])


def _is_ras(path: Path) -> bool:
    """Check whether the header of a mesh says that its axes are RAS; without that they are LPS."""
    with path.open("rb") as stream:
        return b"SPACE=RAS" in stream.read(_HEADER_BYTES)
