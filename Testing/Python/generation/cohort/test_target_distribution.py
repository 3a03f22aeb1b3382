"""Target distributions as users write them: read, checked and truncated to possible values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.generation.cohort.marginals import Marginal
from ThyroidSynthLib.generation.cohort.target_distribution import TargetDistribution, parse_share

SHARES = (np.arange(400) + 0.5) / 400
COHORT = np.array([4.0, 8.0, 12.0, 30.0])


@pytest.mark.parametrize(
    ("text", "kind", "parameters"),
    [
        ("lognormal(2.7, 0.35)", "lognormal", (2.7, 0.35)),
        ("Log-Normal:2.7,0.35", "lognormal", (2.7, 0.35)),
        (" normal( -1 ,2) ", "normal", (-1.0, 2.0)),
        ("uniform:4,20", "uniform", (4.0, 20.0)),
        ("cohort", "cohort", ()),
        ("15.5", "fixed", (15.5,)),
    ],
)
def test_a_distribution_is_read_in_either_form_and_written_so_that_it_can_be_read_again(text, kind, parameters):
    found = Marginal.parse(text)
    assert (found.kind, found.parameters) == (kind, parameters)
    assert Marginal.parse(str(found)) == found


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("gamma(1,2)", "no distribution 'gamma'"),
        ("normal(0.6)", "takes mean and standard deviation"),
        ("normal(a, b)", "is not a distribution"),
        ("cohort(3)", "takes no numbers"),
        ("normal(1, 0)", "has no spread"),
        ("uniform(5, 5)", "is empty"),
        ("lognormal(2, inf)", "is not a distribution"),
        ("", "distribution is missing"),
        ("12 mL", "is not a distribution"),
    ],
)
def test_a_text_that_is_not_a_distribution_is_rejected(text, fault):
    with pytest.raises(InputError, match=fault):
        Marginal.parse(text)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("lognormal(2.7, 0.35)", stats.lognorm(0.35, scale=np.exp(2.7))),
        ("normal(20, 3)", stats.norm(20, 3)),
        ("uniform(4, 20)", stats.uniform(4, 16)),
        ("normal(1, 2)", stats.truncnorm(-0.5, np.inf, 1, 2)),
    ],
)
def test_quantiles_are_those_of_the_distribution_truncated_to_positive_volumes(text, reference):
    values = Marginal.parse(text).quantiles(SHARES, "volume_ml", COHORT)
    np.testing.assert_allclose(values, reference.ppf(SHARES), rtol=1e-6)


def test_symmetries_are_truncated_at_1_and_quantiles_of_the_cohort_are_its_cases():
    values = Marginal.parse("normal(0.95, 0.1)").quantiles(SHARES, "symmetry", COHORT)
    assert values.max() <= 1.0
    own = Marginal().quantiles((np.arange(4) + 0.5) / 4, "volume_ml", COHORT)
    np.testing.assert_allclose(own, COHORT)


@pytest.mark.parametrize(
    ("texts", "fault"),
    [
        ({"volume_ml": "normal(-20, 1)"}, "volume_ml.*above 0"),
        ({"symmetry": "1.2"}, "symmetry.*between 0 and 1"),
        ({"isthmus_area_mm2": "0"}, "give their share"),
        ({"weight": "normal(1, 2)"}, "no feature 'weight'"),
        ({"without_isthmus": "130%"}, "share of 1.3"),
        ({"without_isthmus": "some"}, "'some' is not a share"),
    ],
)
def test_impossible_distributions_are_rejected_by_feature(texts, fault):
    with pytest.raises(InputError, match=fault):
        TargetDistribution.of_texts(texts)


def test_json_and_csv_files_give_the_same_distribution(tmp_path):
    (tmp_path / "d.json").write_text('{"volume_ml": "lognormal(2.7, 0.35)", "symmetry": 0.6, "without_isthmus": "30%"}')
    (tmp_path / "d.csv").write_text(
        'feature, distribution\nvolume_ml, "lognormal(2.7, 0.35)"\nsymmetry, 0.6\nwithout_isthmus, 0.3\n'
    )
    from_json, from_csv = (TargetDistribution.read(tmp_path / name) for name in ("d.json", "d.csv"))

    assert from_json == from_csv
    assert from_json.to_json() == {
        "volume_ml": "lognormal(2.7, 0.35)",
        "isthmus_area_mm2": "cohort",
        "symmetry": "0.6",
        "without_isthmus": "30%",
    }
    assert TargetDistribution.of_texts(from_json.to_json()) == from_json
    assert TargetDistribution.of_texts({"symmetry": "0.7", "volume_ml": None}, from_json).volume_ml.kind == "lognormal"
    assert parse_share("cohort") is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [('{"volume_ml": ', "as JSON"), ("a,b\n1,2\n", "columns 'feature'"), ('{"volume_ml": "wide"}', "'wide'")],
)
def test_an_error_in_a_file_names_the_file(tmp_path, text, fault):
    (tmp_path / "d.txt").write_text(text)
    with pytest.raises(InputError, match=rf"d\.txt.*{fault}"):
        TargetDistribution.read(tmp_path / "d.txt")
    with pytest.raises(InputError, match="does not exist"):
        TargetDistribution.read(tmp_path / "missing.json")
