"""A generated cohort compared with its targets, and unmet targets by thyroid and region."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from ThyroidSynthLib.cli.shared.targets import met_text
from ThyroidSynthLib.generation.cohort.achieved_distribution import AchievedDistribution, rank_correlation
from ThyroidSynthLib.generation.steer.feature_space import FeatureSpace
from ThyroidSynthLib.geometry.targets import NO_TARGETS, Targets

NAMES = ("volume_ml", "isthmus_area_mm2", "symmetry")


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.column_stack(
        [rng.lognormal(2.5, 0.4, 80), np.where(rng.random(80) < 0.25, 0, rng.uniform(20, 90, 80)), rng.beta(6, 4, 80)]
    )


def entry(number, targets, measured, met=True):
    return {
        "id": f"t{number:05d}",
        "targets": dict(zip(NAMES, targets, strict=True)),
        "written": dict(zip(NAMES, measured, strict=True)),
        "measured_on": "label map",
        "met": met,
    }


def test_rank_correlation_leaves_out_missing_values_and_needs_variation():
    first, second = np.array([1.0, 2.0, np.nan, 3.0, 4.0]), np.array([1.0, 3.0, 9.0, 2.0, 4.0])
    assert rank_correlation(first, second) == pytest.approx(0.8)
    assert rank_correlation(first, np.zeros(5)) is None
    assert rank_correlation(first[:3], second[:3]) is None


def test_a_shift_from_the_targets_is_reported_by_every_measure(features):
    near, shifted = AchievedDistribution(features, {"volume_ml": "cohort"}), AchievedDistribution(features)
    for number, row in enumerate(features):
        near.add(entry(number, row, row * [1.001, 1, 1]))
        shifted.add(entry(number, row, row + np.array([5, 0, 0])))

    good, bad = near.summary(), shifted.summary()

    assert good["features"]["volume_ml"]["ks_to_target"] <= 3 / 80
    assert abs(good["features"]["volume_ml"]["largest_quantile_error"]) < 0.05
    assert bad["features"]["volume_ml"]["ks_to_target"] > 0.3
    assert bad["features"]["volume_ml"]["largest_quantile_error"] == pytest.approx(5)
    assert bad["features"]["volume_ml"]["mean_error"] == pytest.approx(5)
    assert good["without_isthmus"]["targets"] == good["without_isthmus"]["measured"] == (features[:, 1] == 0).mean()
    pair = good["rank_correlation"]["volume_ml with symmetry"]
    assert pair["targets"] == pytest.approx(pair["cohort"]) == pytest.approx(pair["measured"])
    assert (good["met"], good["unmet"], good["targets"]) == (80, [], {"volume_ml": "cohort"})


def test_unmet_targets_are_listed_with_the_nearest_values_and_counted_by_region(features, tmp_path):
    found = AchievedDistribution(features)
    found.add(entry(1, (90.0, 0.0, 0.6), (41.0, 0.0, 0.61), met=False))
    found.add(entry(2, (95.0, 0.0, 0.62), (40.0, 0.0, 0.6), met=False))
    found.add(entry(3, (12.0, 40.0, 0.6), (12.0, 40.0, 0.6)))

    found.write(tmp_path)

    written = json.loads((tmp_path / "distribution.json").read_text())
    assert written["met"] == 1 and [each["id"] for each in written["unmet"]] == ["t00001", "t00002"]
    assert written["unmet"][0]["nearest"] == {"volume_ml": 41.0, "isthmus_area_mm2": 0.0, "symmetry": 0.61}
    region = "above the cohort's volume, without isthmus, medium symmetry"
    assert written["unmet_by_region"] == [{"region": region, "targets": 2, "unmet": 2}]
    with (tmp_path / "distribution.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 21 and rows[3]["quantile"] == "0.5"
    assert float(rows[3]["error"]) == pytest.approx(float(rows[3]["measured"]) - float(rows[3]["targets"]), rel=1e-4)


def test_free_features_are_compared_with_the_cohort_only(features):
    found = AchievedDistribution(features)
    for number, row in enumerate(features[:20]):
        found.add(entry(number, (row[0], None, None), row, met=None))

    summary = found.summary()

    assert summary["met"] is None
    assert summary["features"]["symmetry"]["ks_to_target"] is None
    assert summary["features"]["symmetry"]["ks_to_cohort"] < 0.4
    assert summary["without_isthmus"]["targets"] is None
    json.dumps(found.headline(), allow_nan=False)


def test_only_thyroids_with_a_target_count_for_a_feature(features):
    found = AchievedDistribution(features)
    found.add(entry(1, (15.0, 0.0, None), (15.0, 0.0, 0.5)))
    found.add(entry(2, (20.0, None, None), (20.0, 80.0, 0.5)))

    summary = found.summary()

    assert summary["without_isthmus"]["measured"] == summary["without_isthmus"]["targets"] == 1.0
    area = summary["features"]["isthmus_area_mm2"]
    assert (area["targets_of"], area["ks_to_target"], area["mean_error"]) == (1, 0.0, 0.0)
    # A distance of so few values says nothing.
    assert "KS" not in met_text(found) and "Without isthmus: 100.0%" in met_text(found)


def test_targets_far_from_every_training_case_are_found_farthest_first(features):
    space = FeatureSpace(features)
    rows = [Targets(volume_ml=200.0), Targets.from_array(features[5]), Targets(volume_ml=900.0), NO_TARGETS]
    targets = np.stack([each.as_array() for each in rows])

    assert space.far(targets).tolist() == [2, 0]
    assert (space.scores(targets)[[1, 3]] <= 1.0).all()
    assert space.outside(targets[0])[0].startswith("volume of the cohort: ")
    assert space.outside(targets[1]) == space.outside(targets[3]) == []


def test_a_combination_can_be_far_although_each_feature_is_usual():
    """Two clouds: small symmetric glands and large asymmetric ones."""
    rng = np.random.default_rng(2)
    volume = np.concatenate([rng.normal(6, 0.4, 40), rng.normal(40, 2, 40)])
    symmetry = np.concatenate([rng.normal(0.9, 0.01, 40), rng.normal(0.4, 0.01, 40)])
    space = FeatureSpace(np.column_stack([volume, np.full(80, 50.0), symmetry]))

    target = np.array([[40.0, 50.0, 0.9]])

    assert space.far(target).tolist() == [0]
    assert space.outside(target[0]) == []


def test_regions_are_named_in_words(features):
    space = FeatureSpace(features)
    assert space.region(np.array([features[:, 0].max(), 0.0, np.nan])) == "high volume, without isthmus, any symmetry"
    assert space.region(features.mean(axis=0) * [0, 1, 1]).startswith("below the cohort's volume, medium isthmus")


def test_there_is_no_ks_distance_to_a_target_that_many_share(features):
    found, spread = AchievedDistribution(features), AchievedDistribution(features)
    for number in range(20):
        nearly = 1 + 1e-4 * (-1) ** number
        found.add(entry(number, (15.0, 0.0, 0.6), (15.0 * nearly, 0.0, 0.6 * nearly)))
        spread.add(entry(number, (10.0 + number, 0.0, None), ((10.0 + number) * nearly, 0.0, 0.6)))

    alike, apart = found.summary()["features"], spread.summary()["features"]

    assert alike["volume_ml"]["ks_to_target"] is alike["symmetry"]["ks_to_target"] is None
    assert abs(alike["volume_ml"]["largest_quantile_error"]) < 0.01
    assert apart["volume_ml"]["ks_to_target"] == pytest.approx(1 / 20)
    # No isthmus is measured as exactly 0, so the distance is defined.
    assert alike["isthmus_area_mm2"]["ks_to_target"] == apart["isthmus_area_mm2"]["ks_to_target"] == 0.0
