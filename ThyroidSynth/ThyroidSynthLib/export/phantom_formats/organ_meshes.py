"""The meshes of a phantom."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ThyroidSynthLib.export.neck.phantom_labels import FAT, ISTHMUS, LEFT_LOBE, MUSCLE, RIGHT_LOBE, SOFT_TISSUE
from ThyroidSynthLib.export.phantom.phantom import Phantom
from ThyroidSynthLib.export.writing.mesh_files import MeshOptions, write_organ_meshes

BETWEEN_ORGANS = frozenset({SOFT_TISSUE, FAT, MUSCLE})
"""Tissue that fills the body between the organs; the body is a surface and a region instead."""

_LOBES = (RIGHT_LOBE, LEFT_LOBE, ISTHMUS)

MESHES = "meshes"
"""The folder of the meshes."""


@dataclass(frozen=True)
class OrganMeshes:
    """Writes the surfaces of a phantom's organs, and its body, into a folder ``meshes``."""

    options: MeshOptions

    def __call__(self, phantom: Phantom, folder: Path) -> None:
        """Write the meshes; errors are those of `write_organ_meshes`."""
        write_organ_meshes(
            phantom.labels,
            folder / MESHES,
            self.options,
            parts=phantom.parts,
            first=("thyroid",),
            divided=[label for label, name in phantom.labels.names.items() if name in _LOBES],
            left_out=BETWEEN_ORGANS,
        )
