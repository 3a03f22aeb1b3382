"""A tube that the scan cuts is continued in its own direction, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from support.tubes import tube_mask
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.rigid.continuation import continued_beyond_scan
from ThyroidSynthLib.geometry.volume import Volume


def scan_of(mask: Volume, *, below: int, above: int) -> Grid:
    """Return a scan with so many slices below and above the mask."""
    shape = np.add(mask.array.shape, [below + above, 20, 20])
    return mask.grid.part([-below, -10, -10], shape)


def centre_at(mask: Volume, z: float) -> np.ndarray:
    inside = mask.to_ras(np.argwhere(mask.array)[:, ::-1])
    return inside[np.abs(inside[:, 2] - z) < 0.6].mean(axis=0)[:2]


@pytest.mark.parametrize("end", ["above", "below"])
def test_a_tilted_tube_goes_on_beyond_the_border(end: str) -> None:
    mask = tube_mask(width_mm=16.0, centre=(3.0, -2.0), reach_mm=(-40.0, 10.0), tilt=-0.25).cropped()
    above = end == "above"

    longer = continued_beyond_scan(mask, scan_of(mask, below=5 * above, above=5 * (not above)), length_mm=20.0)

    heights = longer.to_ras(np.argwhere(longer.array)[:, ::-1])[:, 2]
    assert (heights.min(), heights.max()) == ((-39.5, 29.5) if above else (-59.5, 9.5))
    z = 25.0 if above else -55.0
    np.testing.assert_allclose(centre_at(longer, z), [3.0, -2.0 - 0.25 * z], atol=0.8)
    area = np.count_nonzero(longer.array, axis=(1, 2))
    assert area.min() > 0.9 * np.pi * 8.0**2
    # What is in the scan stays as it is.
    kept = longer.to_ijk(mask.to_ras(np.argwhere(mask.array)[:, ::-1])).round().astype(int)
    assert longer.array[tuple(kept[:, ::-1].T)].all()


def test_a_tube_that_ends_in_the_scan_stays_as_it_is() -> None:
    mask = tube_mask(width_mm=16.0, centre=(0.0, 0.0), reach_mm=(-40.0, 10.0)).cropped()

    assert continued_beyond_scan(mask, scan_of(mask, below=3, above=3)) is mask
