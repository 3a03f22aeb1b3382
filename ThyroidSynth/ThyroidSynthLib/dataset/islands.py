"""Connected components of a mask, and the islands among them that do not belong to the structure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.masks import Mask, mask_in_scan


@dataclass(frozen=True)
class ComponentRules:
    """Which components of a mask are islands, by size and by distance to the largest component.

    Attributes
    ----------
    tiny_share, tiny_ml : float
        A component below both, as a share of the mask and in mL, is an island wherever it lies.
    near_mm : float
        A component within this distance of the largest one belongs to it.
    beside_mm : float
        So does one at the same height (along the body axis, `near_mm` apart at most) within this distance:
        the trachea lies between two separate lobes. 0 where a structure has no second side.
    far_share : float
        A component that is not near is an island below this share of the largest component. A larger one is
        kept, because nobody can tell which of the two is wrong.
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
    islands : int
        Number of islands removed.
    island_voxels : int
        Their voxels.
    islands_ml : float
        Their volume.
    apart_mm : float
        Distance from the largest component to the farthest kept one that is too large for an island and not near;
        0 if there is none.
    """

    kept: int = 0
    islands: int = 0
    island_voxels: int = 0
    islands_ml: float = 0.0
    apart_mm: float = 0.0


def without_islands(mask: Mask, rules: ComponentRules = THYROID_COMPONENTS) -> tuple[Mask, Components]:
    """Remove the islands of a mask.

    Returns
    -------
    Mask
        The mask without islands; the same object if there are none.
    Components
        What was kept and what was removed.
    """
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
    """Return each component's distance in mm to the largest one, shape (count,); 0 where it is near or not asked."""
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
