"""The sections of the report on generated thyroids as a population."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ThyroidSynthLib.geometry.features import FEATURE_NAMES

from .parts import DIGITS, NAMES, p_value, percent, spread, table, with_unit


def validity(summary: Mapping[str, Any]) -> str:
    """Give the text on how many draws gave a sound surface."""
    low, high = summary["share_of_draws_interval"]
    return (
        f"<p>{summary['thyroids']} thyroids took {summary['draws']} draws: {percent(summary['share_of_draws'])} of "
        f"them gave a closed surface of one or two pieces inside the box (95% interval {percent(low)} to "
        f"{percent(high)}); one that does not is drawn again. {summary['two_pieces']} have two separate pieces.</p>"
    )


def distributions(document: Mapping[str, Any]) -> str:
    """Give the section on the features of generated thyroids."""
    rows = []
    for name in FEATURE_NAMES:
        found, digits = document["distributions"][name], DIGITS[name]
        rows.append(
            [
                with_unit(name),
                f"{found['cohort_mean']:.{digits}f} ± {found['cohort_sd']:.{digits}f}",
                f"{found['generated_mean']:.{digits}f} ± {found['generated_sd']:.{digits}f}",
                f"{found['ks']:.3f} ({p_value(found['ks_p'])})",
                f"{found['wasserstein']:.{digits}f}"
                + ("" if found["wasserstein_sd"] is None else f" ({found['wasserstein_sd']:.2f} SD)"),
            ]
        )
    isthmus = document["distributions"]["isthmus_area_mm2"]
    return table(["Feature", "Cohort", "Generated", "Kolmogorov–Smirnov", "Wasserstein"], rows) + (
        f"<p>Without an isthmus: {percent(isthmus['cohort_zero_share'])} of the cohort, "
        f"{percent(isthmus['generated_zero_share'])} of the generated thyroids. The cohort is that of the training "
        "cases.</p>"
    )


def novelty(document: Mapping[str, Any]) -> str:
    """Give the section on novelty, memorisation and likeness to held-out shapes."""
    found = document["novelty"]
    names = {
        "generated_to_training": "Generated",
        "held_out_to_training": "Held-out",
        "fitted_to_training": "Held-out, as the model fits them",
        "training_to_training": "Training, to another one",
    }
    rows = [
        [label, str(found[key]["shapes"]), spread(found[key], "mm", 2), f"{found[key]['median']:.2f} mm"]
        for key, label in names.items()
        if key in found and found[key]["shapes"]
    ]
    body = table(["Nearest training shape", "Shapes", "Mean ± SD", "Median"], rows)
    for key, label in (
        ("memorisation", "held-out shapes"),
        ("memorisation_against_fitted", "held-out shapes as the model fits them"),
    ):
        if key in found:
            test = found[key]
            body += (
                f"<p>Against {label}: a generated shape is the nearer one in {percent(test['share_nearer'])} of "
                f"pairs (50% where there is no difference); Mann–Whitney, one-sided, {p_value(test['p_nearer'])}, "
                f"two-sided {p_value(test['p_two_sided'])}. A small one-sided p would speak for copies.</p>"
            )
    if "coverage" in found:
        coverage, one_nn = found["coverage"], found["one_nn"]
        rows = [
            _likeness("Coverage: held-out shapes with a generated one nearest to them", coverage, coverage["share"]),
            _likeness("1-NN accuracy: populations told apart (50% is best)", one_nn, one_nn["accuracy"]),
        ]
        body += table([f"{coverage['shapes']} against {coverage['shapes']}", "Generated", "Training shapes"], rows)
    if "memorisation" not in found:
        body += "<p>Without held-out shapes nothing tells copies from likeness.</p>"
    return body + f"<p>Distance: {found['distance']}. Two copies of one gland have about 1.2 mm.</p>"


def disentanglement(document: Mapping[str, Any]) -> str:
    """Give the section on what the trainable codes say of the features."""
    found = document["disentanglement"]
    if not found["features"]:
        return "<p>Too few cases to say what the codes tell of the features.</p>"
    rows = [
        [
            NAMES[name],
            f"{value['r2']:.3f}",
            f"{value['null_mean']:.3f}",
            f"{value['null_95']:.3f}",
            p_value(value["p"]),
        ]
        for name, value in found["features"].items()
    ]
    return table(["Feature", "R²", "Shuffled: mean", "95th percentile", "Permutation test"], rows) + (
        f"<p>Ridge regression of each feature on the trainable codes, {found['folds']}-fold cross-validated, against "
        f"{found['permutations']} permutations. Of mirrored dimensions their length is a predictor too.</p>"
    )


def _likeness(label: str, found: Mapping[str, Any], value: float) -> list[str]:
    low, high = found["interval"]
    reference = found.get("of_training_shapes")
    return [
        label,
        f"{percent(value)} <small>[{percent(low)}, {percent(high)}]</small>",
        "–" if reference is None else percent(reference),
    ]
