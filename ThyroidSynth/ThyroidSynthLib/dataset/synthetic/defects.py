"""Defects planted in some cases, and what quality control must say about each."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

VOXEL_ML = 1.5**3 / 1000.0

EXPECTED_REASON: dict[str, str | None] = {
    "cut above": "cut by the scan's border",
    "cut below": "cut by the scan's border",
    "pieces": "too many components",
    "cavity": "holes",
    "no thyroid": "empty thyroid",
    "no trachea": "trachea missing",
    "no trachea file": "trachea missing",
    "tiny": "implausible volume",
    "giant": "implausible volume",
    "islands": None,
}
"""Planted defect -> reason quality control must give; None: the case is sound once it has been cleaned."""

TINY_ML, GIANT_ML = 0.3, 250.0


def draw_defects(cases: int, share: float, rng: np.random.Generator) -> list[str | None]:
    """Choose which cases get which defect, every kind about equally often."""
    count = round(share * cases)
    kinds = list(EXPECTED_REASON)
    dealt = [kinds[index % len(kinds)] for index in rng.permutation(max(count, len(kinds)))[:count]]
    planted: list[str | None] = [None] * cases
    for place, kind in zip(rng.permutation(cases)[:count], dealt, strict=True):
        planted[place] = kind
    return planted


def with_islands(mask: np.ndarray, free: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add 3 to 6 stray groups of one or two voxels, at least 6 voxels from the gland and from each other."""
    result = mask.copy()
    for _ in range(int(rng.integers(3, 7))):
        k, j, i = _far_place(result, free, 6.0, rng)
        result[k, j, i : i + int(rng.integers(1, 3))] = 1
    return result


def with_pieces(mask: np.ndarray, free: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add three balls, each at least a tenth of the gland or 0.9 mL, clear of it and of the border."""
    volume_ml = max(0.9, 0.1 * float(mask.sum()) * VOXEL_ML)
    radius = (volume_ml / VOXEL_ML * 3.0 / (4.0 * np.pi)) ** (1.0 / 3.0)
    result = mask.copy()
    for _ in range(3):
        place = _far_place(result, free, radius + 3.0, rng)
        result[_ball(mask.shape, place, radius)] = 1
    return result


def with_cavity(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """Hollow out the gland where it is thickest; None when it is too thin to keep a wall."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1, 1:-1]
    if depth.max() < 3.5:
        return None
    deepest = np.argwhere(depth >= depth.max() - 0.1)
    place = deepest[rng.integers(len(deepest))]
    result = mask.copy()
    result[_ball(mask.shape, place, min(float(depth.max()) - 1.8, 3.0))] = 0
    return result


def with_volume(field: np.ndarray, allowed: np.ndarray, volume_ml: float) -> np.ndarray:
    """Shrink or swell the gland to a volume by moving the level of its field, in the ``allowed`` voxels only."""
    count = round(volume_ml / VOXEL_ML)
    ranked = np.where(allowed, field, np.inf)
    level = np.partition(ranked.ravel(), count)[count]
    return (ranked < level).astype(np.uint8)


def _ball(shape: tuple[int, ...], place: np.ndarray, radius: float) -> np.ndarray:
    k, j, i = np.ogrid[tuple(slice(0, size) for size in shape)]
    return (k - place[0]) ** 2 + (j - place[1]) ** 2 + (i - place[2]) ** 2 <= radius**2


def _far_place(mask: np.ndarray, free: np.ndarray, distance: float, rng: np.random.Generator) -> np.ndarray:
    """Choose a voxel of ``free`` more than ``distance`` voxels from the mask and from the border."""
    far = free & (ndimage.distance_transform_edt(mask == 0) > distance)
    edge = int(np.ceil(distance)) + 2
    inner = np.zeros_like(far)
    inner[edge:-edge, edge:-edge, edge:-edge] = True
    places = np.argwhere(far & inner)
    return places[rng.integers(len(places))]
