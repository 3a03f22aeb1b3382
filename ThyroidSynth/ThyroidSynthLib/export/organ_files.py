"""The files of the organs around a generated thyroid: one label map of all, and a mesh of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ThyroidSynthLib.common.files import sha256_of
from ThyroidSynthLib.generation.organs.organ_set import named_surfaces, whole_label_map
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.imaging.label_map_files import write_label_map
from ThyroidSynthLib.imaging.mesh_files import write_mesh
from ThyroidSynthLib.imaging.volume_files import files_of_image

from .thyroid_files import MESH_FOLDER, FileOptions

if TYPE_CHECKING:
    from ThyroidSynthLib.generation.organs.organ_set import OrganMaker, SeparatedOrgan
    from ThyroidSynthLib.generation.thyroid import GeneratedThyroid
    from ThyroidSynthLib.geometry.frame import Placement

ORGAN_FOLDER = "organ_maps"


@dataclass(frozen=True)
class OrganFiles:
    """The organs that were written for a thyroid: their entry in the manifest by name, and checksums of their files."""

    entry: dict[str, Any] = field(default_factory=dict)
    checksums: dict[Path, str] = field(default_factory=dict)


def write_organ_files(
    generated: GeneratedThyroid,
    maker: OrganMaker,
    name: str,
    folder: Path,
    placement: Placement,
    options: FileOptions,
) -> OrganFiles:
    """Draw the organs that belong to a thyroid and write them; if a file cannot be written, none is left.

    An open thyroid has no inside from which organs could keep away, so it gets none. `SynthesisError` if no draw of an
    organ has a surface.
    """
    thyroid = generated.thyroid
    if not thyroid.validity.closed:
        return OrganFiles()
    organs = maker.draw(thyroid.code, thyroid.surface, seed=generated.seed, index=generated.index)
    surfaces = {
        each: surface.moved(placement.to_ras(surface.vertices))
        for each, surface in named_surfaces(thyroid.surface, organs).items()
    }
    meshes = {
        folder / MESH_FOLDER / f"{name}_{each}.{suffix}": surfaces[each]
        for each in organs
        for suffix in options.mesh_formats
    }
    maps = (
        [] if options.label_format is None else files_of_image(folder / ORGAN_FOLDER / f"{name}.{options.label_format}")
    )
    try:
        if maps:
            grid = options.grid or Grid.around(Surface.joined(list(surfaces.values())), spacing_mm=options.spacing_mm)
            labels = whole_label_map(surfaces, grid)
            write_label_map(labels.volume, maps[0], names=labels.names)
        for path, surface in meshes.items():
            write_mesh(surface, path, space=options.mesh_space)
        return OrganFiles(_entries(organs), {path: sha256_of(path) for path in (*maps, *meshes)})
    except BaseException:
        for path in (*maps, *meshes):
            path.unlink(missing_ok=True)
        raise


def _entries(organs: Mapping[str, SeparatedOrgan]) -> dict[str, Any]:
    return {
        name: {
            "measured": each.organ.features,
            "overlap_removed_ml": each.overlap_ml,
            # Nine digits represent a single-precision number exactly.
            "code": [float(f"{value:.9g}") for value in each.organ.code],
        }
        for name, each in organs.items()
    }
