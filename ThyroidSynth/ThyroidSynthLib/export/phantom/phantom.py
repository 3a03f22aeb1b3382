"""A neck that is complete for a simulator: a label in every voxel, and what each label consists of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ThyroidSynthLib.export.neck.phantom_labels import AIR, CALCIFICATION, FAT, MUSCLE, SOFT_TISSUE
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import volume_fractions, voxelise
from ThyroidSynthLib.imaging.label_maps import BACKGROUND, LabelMap

if TYPE_CHECKING:
    from ThyroidSynthLib.export.materials.material_table import MaterialTable

_YIELDING = (SOFT_TISSUE, FAT, MUSCLE)


@dataclass(frozen=True)
class Phantom:
    """A neck with a label in every voxel.

    Attributes
    ----------
    labels : LabelMap
        Array [k, j, i]; 0 is the air around the body. Names are those of TotalSegmentator where it has one.
    materials : MaterialTable
        What each structure consists of, by its name.
    parts : mapping of int to Surface
        Closed surfaces in `ras_mm` of the labels that are known better than by their voxels: the thyroid or its lobes
        and isthmus, which do not overlap, the nodules, which lie in them, and the calcification in nodules.
    ct : Volume or None
        Hounsfield units on the grid of the labels.
    ct_series : Path or None
        The DICOM series that the CT was read from.
    document : mapping
        True features, targets, random seed, latent code, nodules, neighbours before and after, and sources, as in
        ``phantom.json``.
    """

    labels: LabelMap
    materials: MaterialTable
    parts: Mapping[int, Surface] = field(default_factory=dict)
    ct: Volume | None = None
    ct_series: Path | None = None
    document: Mapping[str, Any] = field(default_factory=dict)

    def material_of(self, label: int) -> str:
        """Return the name of a label's material; `InputError` if the table has none for its structure."""
        name = AIR if label == BACKGROUND else self.labels.names[label]
        return self.materials.of_structure(name).name

    def fractions(self) -> dict[str, np.ndarray]:
        """Return the share of each voxel that each material fills, float32 of the labels' shape, by material.

        The shares of `parts` are exact: they sum up to the volumes of the surfaces, however large the voxels are. What
        they leave of a voxel has the material of its label or, where that is a part, of the nearest other label. A
        voxel in them that another structure keeps has the material of that. The shares of a voxel sum up to 1.
        """
        array, grid = self.labels.volume.array, self.labels.volume.grid
        materials = {int(label): self.material_of(int(label)) for label in np.flatnonzero(np.bincount(array.ravel()))}
        materials |= {label: self.material_of(label) for label in self.parts}
        fractions = {name: np.zeros(array.shape, dtype=np.float32) for name in materials.values()}
        for label, name in materials.items():
            fractions[name] += array == label
        if self.parts:
            box = grid.box_near(np.concatenate([surface.vertices for surface in self.parts.values()]))
            near = self.labels.volume.part(box)
            for each in fractions.values():
                each[box] = 0
            for label, share in self._shares(near).items():
                fractions[materials[label]][box] += share
        return fractions

    def _shares(self, near: Volume) -> dict[int, np.ndarray]:
        """Return the share of each voxel that each label fills, in the part of the label map that holds the parts."""
        names, nothing = self.labels.names, np.zeros(near.array.shape, dtype=np.float32)
        shares = {label: volume_fractions(surface, near.grid) for label, surface in self.parts.items()}
        # Voxels that the label map leaves to another structure, such as a vessel that does not give way.
        yielding = [label for label, name in names.items() if label in self.parts or name in _YIELDING]
        kept = ~np.isin(near.array, [BACKGROUND, *yielding])
        for label, surface in self.parts.items():
            shares[label][kept & (voxelise(surface, near.grid).array != 0)] = 0
        inner = {label: share for label, share in shares.items() if names[label] == CALCIFICATION}
        nodules = {label: share for label, share in shares.items() if is_nodule(names[label])}
        gland = {label: share for label, share in shares.items() if label not in nodules and label not in inner}
        # Calcification lies in nodules and nodules in the gland: what they fill is no longer nodule or gland.
        shares = inner | _less(nodules, inner.values()) | _less(gland, nodules.values())
        rest = np.clip(1 - sum(shares.values(), nothing), 0, 1)
        others = _nearest_other(near.array, list(self.parts))
        for label in np.flatnonzero(np.bincount(others.ravel())).tolist():
            shares[label] = np.where(others == label, rest, 0)
        return shares


def _less(shares: Mapping[int, np.ndarray], filled: Iterable[np.ndarray]) -> dict[int, np.ndarray]:
    """Return the shares of voxels that are left of some structures by others that lie in them."""
    inner = list(filled)
    if not inner:
        return dict(shares)
    nothing = np.zeros_like(inner[0])
    taken, whole = (np.minimum(sum(each, nothing), 1) for each in (inner, list(shares.values())))
    left = np.divide(np.maximum(whole - taken, 0), whole, out=nothing.copy(), where=whole > 0)
    return {label: share * left for label, share in shares.items()}


def is_nodule(name: str) -> bool:
    """Check whether a structure of a phantom is a nodule."""
    return name.startswith("thyroid_nodule")


def _nearest_other(array: np.ndarray, parts: list[int]) -> np.ndarray:
    """Return an array of labels in which those of parts are replaced by the nearest other label."""
    from scipy.ndimage import distance_transform_edt

    own = np.isin(array, parts)
    if own.all():
        return np.full_like(array, BACKGROUND)
    index = distance_transform_edt(own, return_distances=False, return_indices=True)
    return array[tuple(index)]
