"""Connected components of a mask, and the islands among them, which do not belong to the structure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.masks import Mask, mask_in_scan


@dataclass(frozen=True)
class ComponentRules:
    """Which components of a mask are islands, by their size and their distance to the largest component.

    Attributes
    ----------
    tiny_share, tiny_ml : float
        A component below both, as a share of the mask and in mL, is always an island.
    near_mm : float
        Components within this distance of the largest one belong to the structure.
    beside_mm : float
        So do components within this distance at the same craniocaudal height (at most `near_mm` apart):
        between two separate lobes lies the trachea. 0 for a structure on one side.
    far_share : float
        A distant component below this share of the largest one is an island. A larger one is kept,
        because either of the two may be wrong.
    """

    tiny_share: float = 0.01
    tiny_ml: float = 0.1
    near_mm: float = 15.0
    beside_mm: float = 40.0
    far_share: float = 0.08


THYROID_COMPONENTS = ComponentRules()
TRACHEA_COMPONENTS = ComponentRules(beside_mm=0.0)


@dataclass(frozen=True)
class Components:
    """The components of a mask.

    Attributes
    ----------
    kept : int
        Number of components without the islands. Voxels are connected across faces, edges and corners.
    islands, island_voxels : int
        Number of islands removed, and of their voxels.
    apart_mm : float
        Distance from the largest component to the farthest distant one that is kept; 0 if there is none.
    """

    kept: int = 0
    islands: int = 0
    island_voxels: int = 0
    islands_ml: float = 0.0
    apart_mm: float = 0.0


def without_islands(mask: Mask, rules: ComponentRules = THYROID_COMPONENTS) -> tuple[Mask, Components]:
    """Return a mask without its islands (the same object if there are none), and its components."""
    from scipy import ndimage

    if mask.is_empty:
        return mask, Components()
    label, count = ndimage.label(mask.volume.array, structure=np.ones((3, 3, 3)))
    if count == 1:
        return mask, Components(kept=1)
    voxels = np.bincount(label.ravel(), minlength=count + 1)[1:]
    ml = voxels * mask.volume.voxel_volume_ml
    largest = int(voxels.argmax())
    island = (voxels < rules.tiny_share * voxels.sum()) & (ml < rules.tiny_ml)
    island[largest] = False
    others = np.flatnonzero(~island & (np.arange(count) != largest))
    apart = _distances_if_far(mask.volume, label, largest, others, rules)
    island |= (apart > 0) & (voxels < rules.far_share * voxels[largest])
    found = Components(
        kept=int(count - island.sum()),
        islands=int(island.sum()),
        island_voxels=int(voxels[island].sum()),
        islands_ml=float(ml[island].sum()),
        apart_mm=float(apart[~island].max()),
    )
    if not island.any():
        return mask, found
    cleaned = Volume(np.concatenate([[False], ~island])[label], mask.volume.ijk_to_ras)
    return mask_in_scan(cleaned, mask.scan), found


def border_points(mask: Volume) -> np.ndarray:
    """Return the centres of a mask's outermost voxels in `ras_mm`, shape (n, 3)."""
    from scipy import ndimage

    inside = mask.array != 0
    return mask.to_ras(np.argwhere(inside & ~ndimage.binary_erosion(inside))[:, ::-1])


def _distances_if_far(
    volume: Volume, label: np.ndarray, largest: int, others: np.ndarray, rules: ComponentRules
) -> np.ndarray:
    """Return the distance in mm of each distant component to the largest one, shape (count,); 0 for all others."""
    from scipy import ndimage
    from scipy.spatial import cKDTree

    boxes = ndimage.find_objects(label)
    apart = np.zeros(len(boxes))
    if len(others) == 0:
        return apart

    def points_of(index: int) -> np.ndarray:
        box = boxes[index]
        return border_points(Volume(label == index + 1, volume.ijk_to_ras).part(box))

    main = points_of(largest)
    tree = cKDTree(main)
    low, high = main[:, 2].min(), main[:, 2].max()
    for index in others:
        points = points_of(index)
        distance = tree.query(points)[0].min()
        height_gap = max(low - points[:, 2].max(), points[:, 2].min() - high)
        beside = height_gap <= rules.near_mm and distance <= rules.beside_mm
        if distance > rules.near_mm and not beside:
            apart[index] = distance
    return apart
