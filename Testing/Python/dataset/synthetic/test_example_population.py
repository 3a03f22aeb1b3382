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
# superior-inferior extent (mm). The correlations leave out one thyroid of 0.7 mL.
REAL_MEAN = np.array([15.1, 52.0, 31.0, 48.3])
REAL_SD = np.array([9.0, 8.1, 6.8, 9.5])
REAL_QUARTILES = np.array([[11.7, 46.5, 27.0, 40.9], [13.2, 51.8, 29.2, 49.5], [16.1, 56.6, 34.1, 54.0]])
REAL_CORRELATIONS = np.array([0.73, 0.45, 0.19])


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


def test_quartiles_are_within_a_tenth_of_the_real_ones(measured):
    assert np.percentile(measured[:, :4], (25, 50, 75), axis=0) == pytest.approx(REAL_QUARTILES, rel=0.10)


def test_few_thyroids_are_very_small_and_few_very_large(measured):
    # One of the 46 has 0.7 mL and one 62.6 mL; the others have 5.7 to 28.4 mL.
    volume = measured[:, 0]
    assert volume.min() < 4.1 and np.mean(volume < 4.1) < 0.06
    assert volume.max() > 40.0 and np.mean(volume > 40.0) < 0.04


def test_the_logarithms_of_volume_and_extents_correlate_as_in_real_thyroids(measured):
    sizes = np.log(measured[measured[:, 0] > 2.0, :4])
    assert np.corrcoef(sizes.T)[0, 1:] == pytest.approx(REAL_CORRELATIONS, abs=0.15)


def test_three_in_ten_have_no_isthmus(measured):
    assert 0.25 <= (measured[:, 4] == 0.0).mean() <= 0.35


def test_two_to_three_in_a_hundred_have_one_lobe():
    for cases in (100, 200):
        share = np.mean([plan.target.hemi_agenesis for plan in plan_cases(cases, 0, 0.0)])
        assert 0.02 <= share <= 0.03


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
