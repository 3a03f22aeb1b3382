"""Lobes and isthmus divide the thyroid without gap and overlap."""

from __future__ import annotations

import numpy as np
import pytest

from support.analytic_shapes import ellipsoid
from ThyroidSynthLib.export.phantom.lobes import isthmus_ends_mm, lobes_of
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume

AWAY = Placement.at(np.array([10.0, -20.0, 300.0]))


def _gland(*, bridge_mm: float = 6.0) -> Surface:
    """Two lobes of 12 x 14 x 40 mm at 16 mm from the midline, and a bridge between them; in `trachea_mm`."""
    grid = Grid.around(ellipsoid((28.0, 12.0, 26.0)), spacing_mm=0.8)
    k, j, i = np.indices(grid.shape)
    x, y, z = np.moveaxis(grid.to_ras(np.stack([i, j, k], axis=-1)), -1, 0)
    lobes = ((np.abs(x) - 16) / 6) ** 2 + (y / 7) ** 2 + (z / 20) ** 2 < 1
    bridge = (np.abs(x) < 16) & (np.abs(y) < bridge_mm / 2) & (np.abs(z) < 6)
    return surface_from_mask(Volume((lobes | bridge).astype(np.uint8), grid.ijk_to_ras))


def test_the_isthmus_ends_where_the_lobes_begin():
    low, high = isthmus_ends_mm(_gland())

    assert low == pytest.approx(-high, abs=0.6)
    assert 10.0 < high < 14.0


def test_parts_are_closed_and_sum_up_to_the_gland():
    gland = _gland()
    placed = gland.moved(AWAY.to_ras(gland.vertices))

    parts = lobes_of(placed, AWAY)

    assert list(parts) == ["thyroid_right_lobe", "thyroid_isthmus", "thyroid_left_lobe"]
    assert all(part.is_closed() for part in parts.values())
    assert sum(part.volume for part in parts.values()) == pytest.approx(gland.volume, rel=1e-6)
    assert parts["thyroid_right_lobe"].vertices[:, 0].min() > AWAY.origin_ras[0] + 8


def test_a_gland_without_isthmus_has_two_lobes():
    gland = _gland(bridge_mm=0.0)

    parts = lobes_of(gland.moved(AWAY.to_ras(gland.vertices)), AWAY)

    assert isthmus_ends_mm(gland) is None
    assert list(parts) == ["thyroid_right_lobe", "thyroid_left_lobe"]
    assert parts["thyroid_left_lobe"].volume == pytest.approx(gland.volume / 2, rel=0.02)


def test_a_single_lobe_is_one_part():
    lobe = ellipsoid((6.0, 7.0, 20.0), (16.0, 0.0, 0.0))

    parts = lobes_of(lobe.moved(AWAY.to_ras(lobe.vertices)), AWAY)

    assert list(parts) == ["thyroid_right_lobe"]
    assert parts["thyroid_right_lobe"].volume == pytest.approx(lobe.volume)
