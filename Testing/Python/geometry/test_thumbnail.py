"""Thumbnails show the shaded silhouette from the front at a common scale."""

from __future__ import annotations

import numpy as np
import pytest

from support.analytic_shapes import ellipsoid, together
from ThyroidSynthLib.geometry.thumbnail import shaded


@pytest.mark.parametrize("pixels", [40, 57])
def test_the_silhouette_has_the_area_of_the_shape_and_no_holes(pixels):
    brightness, cover = shaded(ellipsoid((18, 9, 27), (100.0, 50.0, -30.0)), pixels=pixels, extent_mm=72.0)
    assert cover.shape == brightness.shape == (pixels, pixels)
    assert cover.mean() == pytest.approx(np.pi * 18 * 27 / 72**2, rel=0.05)
    middle = slice(pixels // 2 - 5, pixels // 2 + 5)
    assert (cover[middle, middle] == 1).all()
    assert brightness[cover > 0].min() > 0.2
    assert brightness.max() <= 1.0


def test_the_patients_left_is_on_the_right_and_superior_is_up():
    lobes = together(ellipsoid((6, 6, 6), (-20.0, 0, 0)), ellipsoid((3, 3, 3), (20.0, 0, 15.0)))
    cover = shaded(lobes, pixels=60)[1]
    left, right = cover[:, :30], cover[:, 30:]
    assert right.sum() > 2 * left.sum()
    assert np.nonzero(left)[0].mean() < np.nonzero(right)[0].mean()


def test_the_front_hides_the_back():
    ball, behind = ellipsoid((8, 8, 8)), ellipsoid((8, 8, 8), (0, -30.0, 0))
    front = shaded(ball)[0]
    both = shaded(together(behind, ball))[0]
    np.testing.assert_allclose(both, front, atol=1e-6)


def test_a_gland_larger_than_the_picture_is_scaled_to_fit():
    cover = shaded(ellipsoid((60, 20, 30)), pixels=50, extent_mm=72.0)[1]
    assert cover[:, 0].sum() == cover[:, -1].sum() == 0
    assert cover[25].sum() > 40
