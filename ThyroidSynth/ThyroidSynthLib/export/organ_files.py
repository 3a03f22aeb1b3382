"""The files of the organs around a generated thyroid: one label map of all, and a mesh of each.

At a patient, the patient's own organs are among them, in the label map voxel by voxel as they were segmented: a
simulator reads one map, or the meshes of one thyroid, and lacks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ThyroidSynthLib.common.files import sha256_of, stated_code
from ThyroidSynthLib.generation.organs.organ_set import named_surfaces, whole_label_map
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.imaging.label_map_files import NOTE, write_label_map
from ThyroidSynthLib.imaging.mesh_files import write_mesh
from ThyroidSynthLib.imaging.volume_files import files_of_image

from .thyroid_files import MESH_FOLDER, FileOptions

if TYPE_CHECKING:
    from ThyroidSynthLib.generation.organs.organ_set import OrganMaker, SeparatedOrgan
    from ThyroidSynthLib.generation.thyroid import GeneratedThyroid
    from ThyroidSynthLib.geometry.frame import Placement

ORGAN_FOLDER = "organ_maps"
PATIENT, DRAWN = "patient", "drawn"
"""Where an organ is from, in the manifest."""


@dataclass(frozen=True)
class OrganFiles:
    """The organs that were written for a thyroid.

    Attributes
    ----------
    entry : dict
        What the manifest states of each organ, by name.
    map_volumes_ml : dict of str to float
        Volume of the voxels of each structure in the label map, the thyroid included; empty without a map.
    checksums : dict of Path to str
        Of the files.
    """

    entry: dict[str, Any] = field(default_factory=dict)
    map_volumes_ml: dict[str, float] = field(default_factory=dict)
    checksums: dict[Path, str] = field(default_factory=dict)


def write_organ_files(
    generated: GeneratedThyroid,
    maker: OrganMaker,
    name: str,
    folder: Path,
    placement: Placement,
    options: FileOptions,
) -> OrganFiles:
    """Draw the organs that belong to a thyroid and write them, with the patient's own that `maker` knows.

    If a file cannot be written, none is left.

    An open thyroid has no inside from which organs could keep away, so it gets none. `SynthesisError` if no draw of an
    organ has a surface.
    """
    thyroid = generated.thyroid
    if not thyroid.validity.closed:
        return OrganFiles()
    organs = maker.draw(thyroid.code, thyroid.surface, seed=generated.seed, index=generated.index)
    drawn = {
        each: surface.moved(placement.to_ras(surface.vertices))
        for each, surface in named_surfaces(thyroid.surface, organs).items()
    }
    meshes = {each: surface for each, surface in drawn.items() if each in organs}
    if options.mesh_formats:
        meshes |= {each: own.surface_ras() for each, own in maker.own.items()}
    files = {
        folder / MESH_FOLDER / f"{name}_{each}.{suffix}": surface
        for each, surface in meshes.items()
        for suffix in options.mesh_formats
    }
    maps = (
        [] if options.label_format is None else files_of_image(folder / ORGAN_FOLDER / f"{name}.{options.label_format}")
    )
    volumes = {}
    try:
        if maps:
            labels = whole_label_map(
                maker.in_order({**drawn, **{each: own.mask.volume for each, own in maker.own.items()}}),
                options.grid or Grid.around(_whole(drawn, maker, placement), spacing_mm=options.spacing_mm),
            )
            write_label_map(labels.volume, maps[0], names=labels.names, note=_note(labels.names, maker))
            counts = np.bincount(labels.volume.array.ravel(), minlength=len(labels.names) + 1)
            volumes = {each: counts[label] * labels.volume.voxel_volume_ml for label, each in labels.names.items()}
        for path, surface in files.items():
            write_mesh(surface, path, space=options.mesh_space)
        return OrganFiles(_entries(organs, maker), volumes, {path: sha256_of(path) for path in (*maps, *files)})
    except BaseException:
        for path in (*maps, *files):
            path.unlink(missing_ok=True)
        raise


def _whole(drawn: Mapping[str, Surface], maker: OrganMaker, placement: Placement) -> Surface:
    """Return a surface whose bounds hold what is drawn, and the patient's own organs as far as organs are drawn."""
    surfaces = list(drawn.values())
    if maker.own:
        corners = placement.to_ras(maker.box_mm)
        surfaces.append(Surface(corners, np.empty((0, 3), dtype=np.int64)))
    return Surface.joined(surfaces)


def _note(names: Mapping[int, str], maker: OrganMaker) -> str:
    """Return the header's statement on what is the patient's own; NIfTI keeps 79 characters."""
    if not maker.own:
        return NOTE
    own = ",".join(str(label) for label, name in names.items() if name in maker.own)
    made = ",".join(str(label) for label, name in names.items() if name not in maker.own)
    return f"Labels {made} made by ThyroidSynth, {own} the patient's; not for clinical use"


def _entries(organs: Mapping[str, SeparatedOrgan], maker: OrganMaker) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, own in maker.own.items():
        found[name] = {"source": PATIENT, "measured": own.features}
        if own.fit is not None:
            found[name] |= {"fit_rms_mm": own.fit.rms_mm, "code": stated_code(own.fit.code)}
    for name, each in organs.items():
        found[name] = {
            "source": DRAWN,
            "measured": each.organ.features,
            "overlap_removed_ml": each.overlap_ml,
            "code": stated_code(each.organ.code),
        }
    return maker.in_order(found)
