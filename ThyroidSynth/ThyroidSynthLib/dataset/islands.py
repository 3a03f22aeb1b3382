"""Connected components of thyroid and trachea, and the islands among them, which do not belong to the structure.

Components are judged by their size, by their distance to the main component, and by their distance to the other
structure: in a patient, thyroid and trachea touch. So the main thyroid is the component at the trachea, even if a
false component elsewhere is larger, and a lobe apart from the main one lies at the trachea too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.masks import Mask

LARGEST_ML = 1000.0
"""A larger mask is neither a thyroid nor a trachea but the body or the background, and takes too long to examine."""

# So many of the largest components of each structure, of at least this share of the largest, may be the main one.
_CANDIDATES = 6
_CANDIDATE_SHARE = 0.05
# Boxes of more voxels, of which fewer than this share are inside, are labelled voxel by voxel.
_MAX_DENSE_VOXELS = 30_000_000
_MAX_SPARSE_SHARE = 0.02


@dataclass(frozen=True)
class ComponentRules:
    """Which components of a mask are islands, by their size and their distances.

    Attributes
    ----------
    tiny_share, tiny_ml : float
        A component below both, as a share of the main component and in mL, is always an island.
    near_mm : float
        Components within this distance of the main one belong to the structure.
    beside_mm : float
        So do components within this distance at the same craniocaudal height (at most `near_mm` apart): between two
        separate lobes lies the trachea. At another height they belong to it if they are not small and lie at the
        trachea, as parts of a goitre do. 0 for a structure on one side.
    beside_other_mm : float
        Such a component must also lie within this distance of the other structure, if there is one.
    far_share : float
        A distant component below this share of the main one is an island. A larger one makes the case doubtful.
    """

    tiny_share: float = 0.01
    tiny_ml: float = 0.1
    near_mm: float = 15.0
    beside_mm: float = 40.0
    beside_other_mm: float = 25.0
    far_share: float = 0.08


THYROID_COMPONENTS = ComponentRules()
# A trachea only locates the thyroid, so a larger part of it may be removed without doubt about the rest.
TRACHEA_COMPONENTS = ComponentRules(beside_mm=0.0, far_share=0.25)


@dataclass(frozen=True)
class Components:
    """The components of a mask.

    Attributes
    ----------
    kept : int
        Number of components without those removed. Voxels are connected across faces, edges and corners.
    islands, island_voxels : int
        Number of components removed, and of their voxels.
    islands_ml : float
        Their volume.
    islands_mm : float
        Distance from the main component to the farthest one removed; 0 if there is none.
    small_share : float
        Volume of the small components removed, as a share of the main one.
    apart_mm, apart_ml : float
        Distance and volume of the farthest distant component that is too large for an island; 0 if there is none. It
        is removed if the main one lies at the other structure and it does not, and kept otherwise.
    """

    kept: int = 0
    islands: int = 0
    island_voxels: int = 0
    islands_ml: float = 0.0
    islands_mm: float = 0.0
    small_share: float = 0.0
    apart_mm: float = 0.0
    apart_ml: float = 0.0


def without_islands(mask: Mask, rules: ComponentRules = THYROID_COMPONENTS) -> tuple[Mask, Components]:
    """Return a mask without its islands (the same object if there are none), and its components.

    Use `both_without_islands` where the other structure is known as well.
    """
    if mask.is_empty:
        return mask, Components()
    if mask.volume_ml > LARGEST_ML:
        return mask, Components(kept=1)
    parts = _Parts(mask)
    return parts.cleaned(parts.largest, rules, None)


def both_without_islands(
    thyroid: Mask,
    trachea: Mask,
    thyroid_rules: ComponentRules = THYROID_COMPONENTS,
    trachea_rules: ComponentRules = TRACHEA_COMPONENTS,
) -> tuple[tuple[Mask, Components], tuple[Mask, Components]]:
    """Return thyroid and trachea without their islands, each with its components.

    Masks above `LARGEST_ML` are returned as they are.
    """
    if thyroid.is_empty or trachea.is_empty or max(thyroid.volume_ml, trachea.volume_ml) > LARGEST_ML:
        return without_islands(thyroid, thyroid_rules), without_islands(trachea, trachea_rules)
    of_thyroid, of_trachea = _Parts(thyroid), _Parts(trachea)
    gland, tube = _main_pair(of_thyroid, of_trachea, thyroid_rules.near_mm)
    kept_trachea = of_trachea.cleaned(tube, trachea_rules, of_thyroid.points(gland))
    return of_thyroid.cleaned(gland, thyroid_rules, border_points(kept_trachea[0].volume)), kept_trachea


def border_points(mask: Volume) -> np.ndarray:
    """Return the centres of a mask's outermost voxels in `ras_mm`, shape (n, 3)."""
    from scipy import ndimage

    inside = mask.array != 0
    return mask.to_ras(np.argwhere(inside & ~ndimage.binary_erosion(inside))[:, ::-1])


def distance_mm(points: np.ndarray, others: np.ndarray) -> float:
    """Return the shortest distance between two sets of points, (n, 3) and (m, 3)."""
    from scipy.spatial import cKDTree

    return float(cKDTree(others).query(points)[0].min())


class _Parts:
    """The connected components of a mask that is not empty, numbered from 0."""

    def __init__(self, mask: Mask) -> None:
        self.mask = mask
        self._kji = np.argwhere(mask.volume.array)
        self._number = _components(mask.volume.array, self._kji)
        self.voxels = np.bincount(self._number)
        self.count = len(self.voxels)
        self.largest = int(self.voxels.argmax())

    def points(self, index: int) -> np.ndarray:
        """Return the outermost voxels of a component in `ras_mm`."""
        return border_points(self._part(self._number == index))

    def _part(self, chosen: np.ndarray) -> Volume:
        """Return some of the voxels, cropped, given which of them (n,) are chosen."""
        kji = self._kji[chosen]
        first = kji.min(axis=0)
        array = np.zeros(kji.max(axis=0) - first + 1, dtype=np.uint8)
        array[tuple((kji - first).T)] = 1
        return Volume(array, self.mask.volume.grid.part(first, array.shape).ijk_to_ras)

    def candidates(self) -> list[int]:
        """Return the components that may be the main one, the largest first."""
        order = np.argsort(-self.voxels, kind="stable")[:_CANDIDATES]
        return [int(index) for index in order if self.voxels[index] >= _CANDIDATE_SHARE * self.voxels[self.largest]]

    def cleaned(self, main: int, rules: ComponentRules, other: np.ndarray | None) -> tuple[Mask, Components]:
        """Return the mask without islands, and its components.

        `other` are points (n, 3) of the other structure, None if there is none.
        """
        if self.count == 1:
            return self.mask, Components(kept=1)
        volume = self.mask.volume
        size = self.voxels / self.voxels[main]
        small = (size < rules.tiny_share) & (self.voxels * volume.voxel_volume_ml < rules.tiny_ml)
        small[main] = False
        questioned = np.flatnonzero(~small & (np.arange(self.count) != main))
        apart, at_other = self._distant(main, questioned, rules, other)
        small |= (apart > 0) & (size < rules.far_share)
        doubtful = (apart > 0) & ~small
        main_at_other = other is not None and distance_mm(self.points(main), other) <= rules.near_mm
        removed = small | (doubtful & ~at_other & main_at_other)
        farthest = int(np.argmax(np.where(doubtful, apart, 0)))
        found = Components(
            kept=int(self.count - removed.sum()),
            islands=int(removed.sum()),
            island_voxels=int(self.voxels[removed].sum()),
            islands_ml=float(self.voxels[removed].sum() * volume.voxel_volume_ml),
            small_share=float(size[small].sum()),
            apart_mm=float(apart[farthest]) if doubtful.any() else 0.0,
            apart_ml=float(self.voxels[farthest] * volume.voxel_volume_ml) if doubtful.any() else 0.0,
        )
        if not removed.any():
            return self.mask, found
        cleaned = Mask(self._part(~removed[self._number]), self.mask.scan)
        return cleaned, self._with_distance(found, main, removed)

    def _with_distance(self, found: Components, main: int, removed: np.ndarray) -> Components:
        from scipy.spatial import cKDTree

        chosen = removed[self._number]
        points = self.mask.volume.to_ras(self._kji[chosen][:, ::-1])
        # Of the farthest island its nearest voxel counts.
        nearest = np.full(self.count, np.inf)
        np.minimum.at(nearest, self._number[chosen], cKDTree(self.points(main)).query(points)[0])
        return replace(found, islands_mm=float(nearest[removed].max()))

    def _distant(
        self, main: int, questioned: np.ndarray, rules: ComponentRules, other: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the distance in mm of each distant component to the main one, 0 for all others.

        The second result shows which components lie at the other structure. Both have the shape (count,).
        """
        from scipy.spatial import cKDTree

        apart, at_other = np.zeros(self.count), np.zeros(self.count, dtype=bool)
        if len(questioned) == 0:
            return apart, at_other
        own = self.points(main)
        tree, other_tree = cKDTree(own), None if other is None else cKDTree(other)
        low, high = own[:, 2].min(), own[:, 2].max()
        for index in questioned:
            points = self.points(index)
            distance = tree.query(points)[0].min()
            to_other = 0.0 if other_tree is None else other_tree.query(points)[0].min()
            at_other[index] = other_tree is not None and to_other <= rules.near_mm
            height_gap = max(low - points[:, 2].max(), points[:, 2].min() - high)
            large = self.voxels[index] >= rules.far_share * self.voxels[main]
            beside = height_gap <= rules.near_mm and to_other <= rules.beside_other_mm
            along = large and bool(at_other[index])
            if distance > rules.near_mm and not (distance <= rules.beside_mm and (beside or along)):
                apart[index] = distance
        return apart, at_other


def _components(array: np.ndarray, kji: np.ndarray) -> np.ndarray:
    """Return the number of the component of each non-zero voxel of a mask, shape (n,), counted from 0.

    The voxels (n, 3) are those of the array in its order. Islands in the corners of a large scan make the box of a
    small structure as large as the scan, so that labels for the whole box would need gigabytes.
    """
    from scipy import ndimage
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if array.size <= _MAX_DENSE_VOXELS or len(kji) > _MAX_SPARSE_SHARE * array.size:
        return ndimage.label(array, structure=np.ones((3, 3, 3)))[0][tuple(kji.T)] - 1
    # With a margin, so that a step beyond a side does not lead to the other one.
    shape = np.array(array.shape) + 2
    place = np.ravel_multi_index(tuple((kji + 1).T), tuple(shape))
    pairs = []
    for step in np.argwhere(np.ones((3, 3, 3))) - 1:
        offset = int(step @ [shape[1] * shape[2], shape[2], 1])
        if offset > 0:
            found = np.minimum(np.searchsorted(place, place + offset), len(place) - 1)
            start = np.flatnonzero(place[found] == place + offset)
            pairs.append((start, found[start]))
    start, end = (np.concatenate(ends) for ends in zip(*pairs, strict=True))
    graph = coo_matrix((np.ones(len(start), dtype=bool), (start, end)), shape=(len(place), len(place)))
    return connected_components(graph, directed=False)[1]


def _main_pair(thyroid: _Parts, trachea: _Parts, near_mm: float) -> tuple[int, int]:
    """Return the main components of thyroid and trachea: the largest pair at each other, else the largest of each."""
    best, pair = 0, (thyroid.largest, trachea.largest)
    if thyroid.count == trachea.count == 1:
        return pair
    points = {tube: trachea.points(tube) for tube in trachea.candidates()}
    for gland in thyroid.candidates():
        own = thyroid.points(gland)
        for tube, others in points.items():
            size = int(thyroid.voxels[gland]) * int(trachea.voxels[tube])
            if size > best and distance_mm(own, others) <= near_mm:
                best, pair = size, (gland, tube)
    return pair
