"""Defects of some example cases, and the reason that quality control must give for each."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

SPACING_MM = 1.5
VOXEL_ML = SPACING_MM**3 / 1000.0

EXPECTED_REASON: dict[str, str | None] = {
    "cut above": "cut by the scan's border",
    "cut below": "cut by the scan's border",
    "pieces": "too many components",
    "cavity": None,
    "no thyroid": "empty thyroid",
    "no trachea": "trachea missing",
    "no trachea file": "trachea missing",
    "tiny": "implausible volume",
    "giant": "implausible volume",
    "islands": None,
}
"""Reason of quality control for each defect; None if the case is accepted after cleaning."""

TINY_ML, GIANT_ML = 0.3, 250.0


def draw_defects(cases: int, share: float, rng: np.random.Generator) -> list[str | None]:
    """Choose the defect of each case, with all kinds about equally frequent."""
    count = round(share * cases)
    kinds = list(EXPECTED_REASON)
    drawn = [kinds[index % len(kinds)] for index in rng.permutation(max(count, len(kinds)))[:count]]
    planted: list[str | None] = [None] * cases
    for place, kind in zip(rng.permutation(cases)[:count], drawn, strict=True):
        planted[place] = kind
    return planted


def with_islands(mask: np.ndarray, free: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add 3 to 6 islands of one or two voxels, at least 6 voxels from the thyroid and from each other."""
    result = mask.copy()
    for _ in range(int(rng.integers(3, 7))):
        k, j, i = _far_place(result, free, 6.0, rng)
        result[k, j, i : i + int(rng.integers(1, 3))] = 1
    return result


def with_pieces(mask: np.ndarray, free: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add three balls of a tenth of the thyroid's volume, at least 0.9 mL, away from the thyroid and the border."""
    volume_ml = max(0.9, 0.1 * float(mask.sum()) * VOXEL_ML)
    radius = (volume_ml / VOXEL_ML * 3.0 / (4.0 * np.pi)) ** (1.0 / 3.0)
    result = mask.copy()
    for _ in range(3):
        place = _far_place(result, free, radius + 3.0, rng)
        result[_ball(mask.shape, place, radius)] = 1
    return result


def with_cavity(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """Add a cavity where the thyroid is thickest; return None if it is too thin."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1, 1:-1]
    if depth.max() < 3.5:
        return None
    deepest = np.argwhere(depth >= depth.max() - 0.1)
    place = deepest[rng.integers(len(deepest))]
    result = mask.copy()
    result[_ball(mask.shape, place, min(float(depth.max()) - 1.8, 3.0))] = 0
    return result


def with_volume(field: np.ndarray, allowed: np.ndarray, volume_ml: float) -> np.ndarray:
    """Return the mask of the `allowed` voxels of smallest distance that have this volume together."""
    count = round(volume_ml / VOXEL_ML)
    ranked = np.where(allowed, field, np.inf)
    threshold = np.partition(ranked.ravel(), count)[count]
    return (ranked < threshold).astype(np.uint8)


def _ball(shape: tuple[int, ...], place: np.ndarray, radius: float) -> np.ndarray:
    k, j, i = np.ogrid[tuple(slice(0, size) for size in shape)]
    return (k - place[0]) ** 2 + (j - place[1]) ** 2 + (i - place[2]) ** 2 <= radius**2


def _far_place(mask: np.ndarray, free: np.ndarray, distance: float, rng: np.random.Generator) -> np.ndarray:
    """Choose a voxel of `free` more than `distance` voxels from the mask and from the border."""
    far = free & (ndimage.distance_transform_edt(mask == 0) > distance)
    places = np.argwhere(far & inner_voxels(mask.shape, int(np.ceil(distance)) + 2))
    return places[rng.integers(len(places))]


def inner_voxels(shape: tuple[int, ...], edge: int) -> np.ndarray:
    """Return the mask of the voxels that are at least `edge` voxels from the border."""
    inner = np.zeros(shape, dtype=bool)
    inner[edge:-edge, edge:-edge, edge:-edge] = True
    return inner
