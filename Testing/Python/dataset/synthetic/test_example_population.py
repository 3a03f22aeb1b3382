"""The population of the example thyroids, which is calibrated to real ones."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from ThyroidSynthLib.dataset.synthetic.case import plan_cases
from ThyroidSynthLib.dataset.synthetic.gland_fitting import draw_neck, gland_surface
from ThyroidSynthLib.dataset.synthetic.population import draw_sizes, is_plausible
from ThyroidSynthLib.geometry.features import measure_features

# Of 46 complete thyroids of the TotalSegmentator subset: volume (mL), then left-right, anterior-posterior and
# superior-inferior extent (mm).
REAL_MEAN = np.array([15.1, 52.0, 31.0, 48.3])
REAL_SD = np.array([9.0, 8.1, 6.8, 9.5])


def _measure(plan):
    neck, _ = draw_neck(plan.target, np.random.default_rng(plan.seed))
    surface = gland_surface(neck, step_mm=1.5)
    low, high = surface.bounds
    features = measure_features(surface, column_mm=2.0)
    return [features.volume_ml, *(high - low), features.isthmus_area_mm2, features.symmetry]


@pytest.fixture(scope="module")
def measured():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        return np.array(list(pool.map(_measure, plan_cases(100, 0, 0.0), chunksize=10)))


def test_means_are_within_a_tenth_of_the_real_ones(measured):
    assert measured[:, :4].mean(axis=0) == pytest.approx(REAL_MEAN, rel=0.10)


def test_standard_deviations_are_within_a_quarter_of_the_real_ones(measured):
    assert measured[:, :4].std(axis=0, ddof=1) == pytest.approx(REAL_SD, rel=0.25)


def test_volume_correlates_most_with_width_as_in_real_thyroids(measured):
    correlation = np.corrcoef(np.log(measured[:, :4]).T)[0, 1:]
    assert correlation[0] > 0.55
    assert correlation.argmax() == 0


def test_three_in_ten_have_no_isthmus(measured):
    assert 0.25 <= (measured[:, 4] == 0.0).mean() <= 0.35


def test_isthmus_areas_are_plausible(measured):
    present = measured[measured[:, 4] > 0.0, 4]
    assert present.min() > 15.0 and present.max() < 175.0
    assert present.std() > 20.0


def test_symmetry_varies_and_is_not_determined_by_the_other_features(measured):
    symmetry = measured[:, 5]
    low, high = np.percentile(symmetry, [5, 95])
    assert low < 0.40 and high > 0.65
    others = np.corrcoef(symmetry, measured[:, 0])[0, 1], np.corrcoef(symmetry, measured[:, 4])[0, 1]
    assert np.abs(others).max() < 0.5


def test_drawn_sizes_are_plausible_and_reproducible():
    first, second = (draw_sizes(50, np.random.default_rng(3)) for _ in range(2))
    assert is_plausible(first).all()
    assert np.array_equal(first, second)


def test_a_fitted_thyroid_matches_its_target():
    plan = plan_cases(4, 2, 0.0)[1]
    neck, target = draw_neck(plan.target, np.random.default_rng(plan.seed))
    surface = gland_surface(neck)
    low, high = surface.bounds
    assert surface.is_closed()
    assert surface.volume / 1000.0 == pytest.approx(target.volume_ml, rel=0.08)
    assert high - low == pytest.approx(target.extents_mm, rel=0.06)
