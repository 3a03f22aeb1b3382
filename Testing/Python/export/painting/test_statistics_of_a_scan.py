"""What is estimated from a scan to paint in it: texture, point spread and the values of the gland."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from ThyroidSynthLib.export.painting import Texture, estimate_point_spread, measure_gland_values
from ThyroidSynthLib.geometry.volume import Volume


def correlations(values: np.ndarray) -> list[float]:
    """Of neighbours one and two voxels apart along k, j and i."""
    found = []
    for axis in range(3):
        moved = np.moveaxis(values, axis, 0)
        found += [np.corrcoef(moved[:-step].ravel(), moved[step:].ravel())[0, 1] for step in (1, 2)]
    return found


def test_texture_has_the_correlation_and_the_distribution_of_the_scan():
    rng = np.random.default_rng(1)
    normal = gaussian_filter(rng.standard_normal((50, 60, 60)), (1.2, 0.6, 0.9))
    # Skewed, as the values of a gland with dark colloid are.
    values = 12 * np.exp(0.4 * normal / normal.std())
    where = np.zeros(values.shape, dtype=bool)
    where[15:35, 20:45, 18:48] = True
    texture = Texture.of(values, where, np.ones(3))
    drawn = texture.draw((40, 50, 60), rng)
    assert texture.sd == pytest.approx(values[where].std(), rel=5e-3)
    assert drawn.mean() == pytest.approx(0.0, abs=0.3) and drawn.std() == pytest.approx(texture.sd, rel=0.05)
    assert np.percentile(drawn, (5, 95)) == pytest.approx(np.percentile(texture.deviations, (5, 95)), rel=0.1)
    assert correlations(drawn) == pytest.approx(correlations(values), abs=0.06)


@pytest.mark.parametrize("sigma", [(1.0, 0.8, 0.6), (0.5, 0.7, 1.2)])
def test_the_point_spread_is_found_from_the_airway(sigma):
    """`sigma` in voxels along k, j and i; a wall and noise must not bias it."""
    rng, fine = np.random.default_rng(0), 3
    k, j, i = np.indices((50 * fine, 44 * fine, 44 * fine)) / fine
    distance = np.maximum(np.hypot(j - 22, i - 22) - 9, np.abs(k - 25) - 18)
    hu = np.where(distance < 0, -1000.0, np.where(distance < 2.0, 90.0, 20.0))
    ideal = gaussian_filter(hu, np.array(sigma) * fine).reshape(50, fine, 44, fine, 44, fine).mean(axis=(1, 3, 5))
    scan = ideal + 30 * gaussian_filter(rng.standard_normal(ideal.shape), 0.7)
    spacing = np.array([0.8, 0.8, 1.5])
    # What a larger grid adds beyond the scan ends at an edge that the scanner did not make.
    padded = np.pad(np.rint(scan).astype(np.int16), ((6, 9), (0, 0), (0, 0)), constant_values=-1000)
    found, edges = estimate_point_spread(Volume(padded, np.diag([*spacing, 1.0])))
    assert edges > 500
    # The average over a voxel is part of it.
    expected = np.sqrt(np.array(sigma[::-1]) ** 2 + 1 / 12) * spacing
    assert found == pytest.approx(expected, rel=0.15)


def test_without_an_airway_the_point_spread_is_a_usual_one():
    found, edges = estimate_point_spread(Volume(np.full((20, 20, 20), 40, dtype=np.int16), np.eye(4)))
    assert edges == 0 and found == pytest.approx([0.6, 0.6, 0.6])


def gland_in_a_scan(radius: int, hu: float) -> tuple[Volume, np.ndarray]:
    rng = np.random.default_rng(2)
    k, j, i = np.indices((32, 32, 32)) - 15.5
    inside = k**2 + j**2 + i**2 < radius**2
    values = np.where(inside, hu, 30.0) + 10 * rng.standard_normal(inside.shape)
    # A vessel in the gland is not the gland.
    values[np.hypot(k, j) < 1.5] = 320.0
    return Volume(gaussian_filter(values, 0.5).astype(np.int16), np.eye(4)), inside


def test_the_values_of_a_gland_are_those_of_its_core_without_vessels():
    ct, inside = gland_in_a_scan(9, 150.0)
    found = measure_gland_values(ct.array.astype(np.float32), inside, np.ones(3), None)
    assert found.note == "" and found.mean_hu == pytest.approx(150.0, abs=1.5)
    assert 4.0 < found.texture.sd < 9.0


@pytest.mark.parametrize(
    ("radius", "hu", "why"), [(0, 150.0, "is not in the CT"), (2, 150.0, "too small"), (9, -700.0, "no gland has")]
)
def test_a_gland_that_cannot_be_measured_has_published_values_with_a_note(radius, hu, why):
    ct, inside = gland_in_a_scan(radius, hu)
    found = measure_gland_values(ct.array.astype(np.float32), inside, np.ones(3), None)
    assert found.mean_hu == 110.0 and found.texture.sd > 5
    assert why in found.note and "published mean of 110 HU" in found.note
