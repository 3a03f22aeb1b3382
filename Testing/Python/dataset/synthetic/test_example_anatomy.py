"""The example thyroids lie on their tracheas and have the shapes of real ones, within tolerances."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, fields
from multiprocessing import get_context

import numpy as np
import pytest

from support.anatomy import REAL, GlandFigures, gland_figures
from ThyroidSynthLib.dataset.cases import case_from_volumes
from ThyroidSynthLib.dataset.synthetic.case import build_case, plan_cases

CASES = 32


def _measure(plan):
    masks = build_case(plan, with_ct=False).masks
    return astuple(gland_figures(case_from_volumes(plan.case_id, masks["thyroid_gland"], masks["trachea"])))


@pytest.fixture(scope="module")
def figures():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        rows = np.array(list(pool.map(_measure, plan_cases(CASES, 5, 0.0), chunksize=4)))
    return {field.name: column[~np.isnan(column)] for field, column in zip(fields(GlandFigures), rows.T, strict=True)}


def test_the_isthmus_lies_at_a_fifth_of_the_height_as_in_real_thyroids(figures):
    # .13 to .28 in real ones.
    level = figures["isthmus_level"]
    assert 0.17 < np.median(level) < 0.25
    assert np.mean((level > 0.10) & (level < 0.32)) > 0.9


def test_the_isthmus_lies_on_the_trachea(figures):
    # Beyond the wall; 3.4 and 5.5 mm from the lumen in real ones, with voxels of 1.5 mm and more.
    gap, thickness = figures["gap_mm"], figures["isthmus_thickness_mm"]
    assert gap.min() > 2.4 and gap.max() < 5.0
    assert thickness.min() > 1.5 and thickness.max() < 8.0


@pytest.mark.parametrize("name", ["within_4_mm", "within_8_mm", "upper_tenth", "depth_over_width", "apart"])
def test_real_thyroids_are_in_the_range_of_the_example_ones(figures, name):
    real = [getattr(each, name) for each in REAL.values()]
    assert figures[name].min() <= min(real) and max(real) <= figures[name].max() + 0.02


def test_a_few_per_cent_of_the_thyroid_are_within_4_mm_of_the_lumen(figures):
    # .02 to .03 in real ones.
    assert 0.015 < np.median(figures["within_4_mm"]) < 0.045


def test_lobes_are_parallel_or_diverge_upwards(figures):
    # "H" and "U", and "V": .12, .31 and .37 in real ones.
    assert np.percentile(figures["apart"], 10) < 0.1
    assert np.percentile(figures["apart"], 75) > 0.2


def test_tracheas_are_as_wide_as_in_adults(figures):
    # Limits of the diameter in adults: 12 to 24 mm, up to the voxels.
    width = figures["trachea_width_mm"]
    assert 10.5 <= width.min() < 14.5 and 18.0 <= width.max() <= 25.5
