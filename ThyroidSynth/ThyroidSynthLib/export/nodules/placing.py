"""Places for nodules in a gland."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.polydata import vertex_normals
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume

from .gland_field import GlandField
from .grid_fitting import extents_along, snapped
from .nodule import LARGEST_BULGE, Nodule
from .shape import shape_of

ISTHMUS_HALF_WIDTH_MM = 6.0
"""Distance from the midsagittal plane up to which the gland counts as isthmus for the position of a nodule."""

GAP_MM = 0.3
"""Least thickness of the gland around a nodule inside it, and half of that between two nodules."""

_STEP_MM = 1.0
# Enough for the field around a nodule that bulges.
_MARGIN_MM = 8.0
_POSITIONS = 80
_BISECTIONS = 16
_LAYERS = 5
_SHARE_TOLERANCE = 0.03
# Less than this share is not seen on any label map.
_LEAST_BULGE = 0.02


class NodulePlaces:
    """Finds places for nodules, and remembers those that are taken.

    Parameters
    ----------
    gland : Surface
        Closed surface in `ras_mm`.
    placement : Placement
        Of the trachea frame.
    grid : Grid, optional
        Of the label map; positions are moved by up to half a voxel.
    keep_out : Volume, optional
        Mask of structures that nodules must not reach.
    """

    def __init__(
        self, gland: Surface, placement: Placement, *, grid: Grid | None = None, keep_out: Volume | None = None
    ) -> None:
        self._placement, self._grid, self._keep_out = placement, grid, keep_out
        self._field = GlandField.of(gland, Grid.around(gland, spacing_mm=_STEP_MM, margin_mm=_MARGIN_MM))
        distance = self._field.distance
        inside = distance.array < 0
        self._points = distance.to_ras(np.argwhere(inside)[:, ::-1])
        self._depth = -distance.array[inside]
        self._part = self._parts_of(self._points)
        self._skin, self._normals = gland.vertices, vertex_normals(gland)
        self._skin_part = self._parts_of(gland.vertices)
        self._taken: list[tuple[np.ndarray, Nodule, np.ndarray]] = []

    def place(self, nodule: Nodule, rng: np.random.Generator) -> Nodule | None:
        """Return a nodule with its position, which is then taken; None if it does not fit.

        `InputError` if its given position is too far outside the gland, or in the other lobe than it says.
        """
        form = _Form.of(nodule)
        extents = None
        if self._grid is not None:
            extents = extents_along(form.vertices, self._grid)
        if nodule.position_ras_mm is not None:
            centre = self._given(nodule, form, extents)
            self._check_given(nodule, form, centre)
            if self._collides(nodule, form.vertices + centre):
                return None
        else:
            drawn = self._inside if (nodule.bulge or 0.0) < _LEAST_BULGE else self._bulging
            found = drawn(nodule, form, extents, rng)
            if found is None:
                return None
            centre = found
        part = str(self._parts_of(centre[None])[0])
        if {nodule.part, part} == {"right", "left"}:
            raise InputError(
                f"A nodule in the {nodule.part} lobe lies at {_listed(centre)}, which is in the {part} lobe. "
                "Correct its part or its position (R is positive on the right), or leave one out."
            )
        first, second, third = centre.tolist()
        placed = replace(nodule, part=nodule.part or part, position_ras_mm=(first, second, third))
        self._taken.append((form.vertices + centre, placed, centre))
        return placed

    def misfit(self, nodule: Nodule) -> str:
        """Describe why a nodule did not fit, with what would."""
        size = " x ".join(f"{each:.3g}" for each in nodule.diameters_mm)
        if nodule.position_ras_mm is not None:
            return f"of {size} mm overlaps another nodule or a structure beside the gland. Move it, or make it smaller."
        here = self._part == nodule.part
        name = f"{nodule.part} lobe" if nodule.part != "isthmus" else "isthmus"
        if not here.any():
            return f"lies in the {name}, but this gland has none. Choose another part."
        room = 2 * (float(self._depth[here].max()) - GAP_MM)
        beside = " beside the other nodules" if self._taken else ""
        return (
            f"of {size} mm does not fit into the {name}{beside}; the largest ball inside has {max(room, 0):.1f} mm. "
            "Make it smaller, or let it bulge."
        )

    def _inside(
        self, nodule: Nodule, form: _Form, extents: np.ndarray | None, rng: np.random.Generator
    ) -> np.ndarray | None:
        """Return a position inside the gland, or None."""
        room = (self._part == nodule.part) & (self._depth >= 0.45 * min(nodule.diameters_mm))
        candidates = np.flatnonzero(room)
        if len(candidates) == 0:
            return None
        # Most positions near the capsule do not fit a nodule that nearly fills the lobe: some deep ones come last.
        some = rng.permutation(candidates)[:_POSITIONS]
        deepest = candidates[np.argsort(-self._depth[candidates])[:_POSITIONS]]
        for index in [*some, *deepest]:
            centre = self._snapped(self._points[index] + rng.uniform(-0.5, 0.5, 3) * _STEP_MM, extents)
            around = form.vertices + centre
            if self._field.at(around).max() <= -GAP_MM and not self._collides(nodule, around):
                return centre
        return None

    def _bulging(
        self, nodule: Nodule, form: _Form, extents: np.ndarray | None, rng: np.random.Generator
    ) -> np.ndarray | None:
        """Return a position at which the nodule's bulge lies outside the gland, or None."""
        candidates = np.flatnonzero(self._skin_part == nodule.part)
        for index in rng.permutation(candidates)[:_POSITIONS]:
            centre = self._at_bulge(nodule, form, self._skin[index], self._normals[index], extents)
            if centre is not None and not self._collides(nodule, form.vertices + centre):
                return centre
        return None

    def _given(self, nodule: Nodule, form: _Form, extents: np.ndarray | None) -> np.ndarray:
        """Return a given position, moved across the surface if the nodule has a bulge."""
        position = np.array(nodule.position_ras_mm)
        if nodule.bulge is None:
            return self._snapped(position, extents)
        skin = self._field.nearest_surface(position)
        found = self._at_bulge(nodule, form, skin, self._field.outwards(skin), extents)
        if found is None:
            size = " x ".join(f"{each:.3g}" for each in nodule.diameters_mm)
            raise InputError(
                f"The nodule of {size} mm at {_listed(position)} cannot have {100 * nodule.bulge:.0f}% of its volume "
                "outside the gland. Make it smaller, or leave out its bulge."
            )
        return found

    def _at_bulge(
        self, nodule: Nodule, form: _Form, start: np.ndarray, outwards: np.ndarray, extents: np.ndarray | None
    ) -> np.ndarray | None:
        """Return the position near a line at which a nodule has its bulge, or None if the line has none."""
        reach = max(nodule.diameters_mm)
        target = float(nodule.bulge or 0.0)
        # The innermost place may be in the middle of a lobe: from there the share grows outwards.
        steps = np.linspace(-reach, reach, 25)
        shares = np.array([self._outside(form, start + step * outwards) for step in steps])
        first = int(shares.argmin())
        if shares[first] > target + _SHARE_TOLERANCE:
            return None
        above = first + np.flatnonzero(shares[first:] > target)
        if len(above) == 0:
            return None
        low = steps[first]
        if target > 0.0 and above[0] > first:
            low, high = steps[above[0] - 1], steps[above[0]]
            for _ in range(_BISECTIONS):
                middle = (low + high) / 2
                inside = self._outside(form, start + middle * outwards) <= target
                low, high = (middle, high) if inside else (low, middle)
        centre = start + low * outwards
        if self._grid is None or extents is None:
            return centre
        # Of the positions around it at which the diameters can be met, the one with the best share.
        near = [
            snapped(centre + self._grid.ijk_to_ras[:3, :3] @ offset, extents, self._grid)
            for offset in np.indices((3, 3, 3)).reshape(3, -1).T - 1
        ]
        off = [abs(self._outside(form, each) - target) for each in near]
        best = int(np.argmin(off))
        return near[best] if off[best] <= _SHARE_TOLERANCE else None

    def _outside(self, form: _Form, centre: np.ndarray) -> float:
        """Return the share of a nodule's volume outside the gland at a position."""
        return float(form.weights[self._field.at(form.inner + centre) > 0].sum())

    def _check_given(self, nodule: Nodule, form: _Form, centre: np.ndarray) -> None:
        outside = self._outside(form, centre)
        if outside > LARGEST_BULGE + _SHARE_TOLERANCE:
            size = " x ".join(f"{each:.3g}" for each in nodule.diameters_mm)
            raise InputError(
                f"The nodule of {size} mm at {_listed(centre)} lies outside the gland by {100 * outside:.0f}% of its "
                f"volume, of which at most {100 * LARGEST_BULGE:.0f}% may bulge. Move it into the gland."
            )

    def _collides(self, nodule: Nodule, vertices: np.ndarray) -> bool:
        """Check whether a nodule's surface reaches another nodule or a structure that it must not reach."""
        if self._keep_out is not None:
            mask = self._keep_out
            kji = np.rint(mask.to_ijk(vertices)).astype(int)[:, ::-1]
            within = ((kji >= 0) & (kji < mask.array.shape)).all(axis=1)
            if mask.array[tuple(kji[within].T)].any():
                return True
        centre = vertices.mean(axis=0)
        return any(
            _reaches(vertices, other, middle) or _reaches(around, nodule, centre)
            for around, other, middle in self._taken
        )

    def _snapped(self, centre: np.ndarray, extents: np.ndarray | None) -> np.ndarray:
        return centre if self._grid is None or extents is None else snapped(centre, extents, self._grid)

    def _parts_of(self, points: np.ndarray) -> np.ndarray:
        x = self._placement.to_trachea(points)[:, 0]
        lobes = np.where(x > 0, "right", "left")
        return np.where(np.abs(x) <= ISTHMUS_HALF_WIDTH_MM, "isthmus", lobes)


@dataclass(frozen=True)
class _Form:
    """A nodule around the origin: points on its surface (n, 3), points that fill it (m, 3), and their shares (m,)."""

    vertices: np.ndarray
    inner: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, nodule: Nodule) -> _Form:
        """Return the form of a nodule, turned."""
        whole = shape_of(nodule, np.random.default_rng(nodule.seed)).vertices
        # The volume of the cone under a vertex of the star-shaped surface, relative to the sphere it was made from.
        size = np.linalg.norm(whole / np.array(nodule.diameters_mm), axis=1) ** 3
        whole = whole @ nodule.axes.T
        share = ((np.arange(_LAYERS) + 0.5) / _LAYERS) ** (1 / 3)
        inner = (whole[::4, None] * share[:, None]).reshape(-1, 3)
        weights = np.repeat(size[::4], _LAYERS)
        return cls(whole[::4], inner, weights / weights.sum())


def _reaches(vertices: np.ndarray, nodule: Nodule, centre: np.ndarray) -> bool:
    """Check whether any position (n, 3) lies in a nodule's ellipsoid, grown by the gap between two nodules."""
    own = (vertices - centre) @ nodule.axes / (np.array(nodule.diameters_mm) / 2 + 2 * GAP_MM)
    return bool((np.linalg.norm(own, axis=1) < 1).any())


def _listed(position: np.ndarray) -> str:
    return "(" + ", ".join(f"{each:.1f}" for each in position) + ") mm"
