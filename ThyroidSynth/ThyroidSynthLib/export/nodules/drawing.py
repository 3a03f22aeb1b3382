"""Drawing of nodules and of their positions in a gland."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume

from .distribution import NoduleDistribution
from .nodule import Nodule
from .placing import NodulePlaces

_DRAWS = 40
_TILT_SD_DEG = 12.0
# The largest diameter of a nodule in a lobe mostly follows the lobe.
_ALONG_THE_LOBE = 0.7


@dataclass(frozen=True)
class Drawn:
    """Nodules with their positions, the number of draws that did not fit into the gland, and of nodules left out."""

    nodules: tuple[Nodule, ...]
    redrawn: int = 0
    left_out: int = 0


def draw_nodules(
    gland: Surface,
    nodules: Sequence[Nodule] | NoduleDistribution,
    *,
    placement: Placement,
    seed: int,
    grid: Grid | None = None,
    keep_out: Volume | None = None,
    all_must_fit: bool = True,
) -> Drawn:
    """Draw the positions of nodules, or nodules of a distribution.

    Parameters
    ----------
    gland : Surface
        Closed surface in `ras_mm`, without the nodules.
    nodules : sequence of Nodule, or NoduleDistribution
        A nodule with a position keeps it, except that one with a bulge is moved across the gland's surface until that
        share of it lies outside.
    placement : Placement
        Of the trachea frame, in which the parts of the gland are defined.
    seed : int
        Random seed.
    grid : Grid, optional
        Of the label map that will be written; positions are then moved by up to half a voxel, so that the diameters can
        be met on it.
    keep_out : Volume, optional
        Mask of structures that nodules must not reach, such as the trachea.
    all_must_fit : bool
        Whether it is an error if no nodule of a distribution fits any more; otherwise the others are left out.

    Raises
    ------
    InputError
        A nodule does not fit into its part of the gland, or lies outside the gland.
    """
    rng = np.random.default_rng(seed)
    places = NodulePlaces(gland, placement, grid=grid, keep_out=keep_out)
    if isinstance(nodules, NoduleDistribution):
        return _drawn(nodules, places, rng, all_must_fit=all_must_fit)
    found: dict[int, Nodule] = {}
    # Given positions first, then the largest: the small ones find a place beside them.
    order = sorted(
        range(len(nodules)), key=lambda n: (nodules[n].position_ras_mm is None, -max(nodules[n].diameters_mm))
    )
    for number in order:
        nodule = nodules[number]
        placed = places.place(replace(nodule, seed=nodule.seed or int(rng.integers(1, 2**31))), rng)
        if placed is None:
            raise InputError(f"Nodule {number + 1} {places.misfit(nodule)}")
        found[number] = placed
    return Drawn(tuple(found[number] for number in range(len(nodules))))


def _drawn(
    distribution: NoduleDistribution, places: NodulePlaces, rng: np.random.Generator, *, all_must_fit: bool
) -> Drawn:
    found: list[Nodule] = []
    redrawn = 0
    count = distribution.count.draw_whole(rng)
    for number in range(count):
        for attempt in range(_DRAWS):
            nodule = _one(distribution, rng)
            placed = places.place(nodule, rng)
            if placed is not None:
                found.append(placed)
                redrawn += attempt
                break
        else:
            if not all_must_fit:
                return Drawn(tuple(found), redrawn + _DRAWS, count - number)
            raise InputError(
                f"No nodule of the distribution fits as number {number + 1} into this gland ({_DRAWS} were drawn). The "
                f"last {places.misfit(nodule)}"
            )
    return Drawn(tuple(found), redrawn)


def _one(distribution: NoduleDistribution, rng: np.random.Generator) -> Nodule:
    """Draw a nodule without its position."""
    diameter = distribution.diameter.draw(rng)
    others = [diameter * distribution.aspect.draw(rng) for _ in range(2)]
    part = distribution.part.draw(rng)
    along = 0 if part == "isthmus" else 2
    longest = along if rng.random() < _ALONG_THE_LOBE else int(rng.integers(3))
    diameters = [*others[:longest], diameter, *others[longest:]]
    return Nodule(
        (diameters[0], diameters[1], diameters[2]),
        part,
        angles_deg=tuple(rng.normal(0.0, _TILT_SD_DEG, 3).tolist()),
        margin=distribution.margin.draw(rng),
        composition=distribution.composition.draw(rng),
        calcification=distribution.calcification.draw(rng),
        bulge=distribution.bulge.draw(rng),
        seed=int(rng.integers(1, 2**31)),
    )
