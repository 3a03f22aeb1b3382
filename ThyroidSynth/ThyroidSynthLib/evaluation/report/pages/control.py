"""The sections of the report on steering and leakage."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from ThyroidSynthLib.geometry.features import FEATURE_NAMES

from .parts import DIGITS, NAMES, estimate, percent, table, with_unit

_TOLERANCES = "volume within 2%, isthmus area within 3 mm² or 3%, symmetry within 0.01"


def direct_sampling(document: Mapping[str, Any]) -> str:
    """Give the section on one-shot steering."""
    found = document["steering"]["direct_sampling"]
    if not found:
        return (
            f"<p>A {escape(document['model']['variant'])} model takes no conditions, so there is nothing to steer "
            "one-shot.</p>"
        )
    return _agreement_table(found) + (
        "<p>The features were drawn from the cohort's joint distribution and given to the network; what came out was "
        "measured. This is what can be compared with the published correlations.</p>"
    )


def to_target(document: Mapping[str, Any]) -> str:
    """Give the section on steering to target: independent targets first, as the harder of the two."""
    steering = document["steering"]
    body = ""
    independent = steering["independent"]
    if independent["thyroids"]:
        body += "<h3>Independent targets</h3>" + _independent(independent)
    if steering["to_target"]:
        body += "<h3>Targets as real glands have them</h3>" + _agreement_table(steering["to_target"])
        body += (
            f"<p>{steering['to_target_met']} of {steering['to_target_count']} of the random thyroids above met all "
            f"three of the features they were asked for: {_TOLERANCES}.</p>"
        )
    return body or "<p>No thyroid was steered to target.</p>"


def cross_talk(document: Mapping[str, Any]) -> str:
    """Give the section on what moves when only one feature should."""
    titles = {"direct_sampling": "One-shot", "to_target": "To target"}
    body = ""
    for name, title in titles.items():
        found = document["cross_talk"].get(name)
        if not found or not found["moved"]:
            continue
        rows = [
            [
                NAMES[moved],
                *(_change(summary[other]) for other in FEATURE_NAMES),
                str(summary["moves"]),
            ]
            for moved, summary in found["moved"].items()
        ]
        columns = ["Moved by 1 SD", *(f"{NAMES[other]} changes by" for other in FEATURE_NAMES), "Moves"]
        body += f"<h3>{title}</h3>" + table(columns, rows)
        unreached = found["declared_out_of_reach"]
        body += (
            f"<p>{found['moves']} moves from {found['thyroids']} thyroids; {found['beyond_the_cohort']} more would "
            "have left the cohort's range and were not made."
            + (f" {unreached} were declared out of reach and are left out of the table." if unreached else "")
            + (f" {found['without_valid_surface']} gave no sound surface." if found["without_valid_surface"] else "")
            + "</p>"
        )
    return body + (
        "<p>Changes in cohort SDs: mean in the direction of the move, and in brackets the mean and the largest "
        "absolute change. One-shot, the condition is raised by one SD and the trainable code stays; to target, the "
        "code is steered to the thyroid's own features but one, up and down.</p>"
    )


def _change(found: Mapping[str, float]) -> str:
    return f"{found['mean']:+.3f} <small>[{found['mean_abs']:.3f}, {found['largest_abs']:.3f}]</small>"


def _independent(found: Mapping[str, Any]) -> str:
    low, high = found["share_within_interval"]
    count, declared = found["thyroids"], found["declared_out_of_reach"]
    rows = [[f"Within tolerance, of all {count}", f"{percent(found['share_within'])}, {_range(low, high)}"]]
    if found["share_within_of_reached"] is not None:
        low, high = found["share_within_of_reached_interval"]
        label = f"Within tolerance, of the {count - declared} not declared out of reach"
        rows.append([label, f"{percent(found['share_within_of_reached'])}, {_range(low, high)}"])
    shares = ", ".join(f"{NAMES[name].lower()} {percent(found['share_within_by_feature'][name])}" for name in NAMES)
    rows.append(["Each feature by itself, of all", shares])
    if found["code_distance_sd"]:
        distance = found["code_distance_sd"]
        text = f"mean {distance['mean']:.2f}, largest {distance['largest']:.2f}"
        rows.append(["Distance of the codes to the training codes' mean (1 is ordinary)", text])
    first, last = found["percentiles"]
    return (
        table(["", ""], rows)
        + (_agreement_table(found["agreement"], digits=5) if found["agreement"] else "")
        + f"<p>Every feature was drawn by itself between the cohort's {first:.0f}th and {last:.0f}th percentile, so "
        f"many of these combinations no gland of the cohort has. Tolerances: {_TOLERANCES}. "
        + ("The table is of those not declared out of reach." if found["agreement"] else "Not one was reached.")
        + "</p>"
    )


def _range(low: float, high: float) -> str:
    return f"<small>95% interval {percent(low)} to {percent(high)}</small>"


def _agreement_table(agreements: Mapping[str, Mapping[str, Any]], digits: int = 3) -> str:
    rows = []
    for name, found in agreements.items():
        unit_digits = DIGITS[name] + (digits - 3)
        rows.append(
            [
                with_unit(name),
                estimate(found["pcc"], found["pcc_interval"], digits),
                estimate(found["slope"], found["slope_interval"], digits),
                estimate(found["bias"], found["bias_interval"], unit_digits),
                estimate(found["mae"], found["mae_interval"], unit_digits),
                estimate(found["mae_sd"], found["mae_sd_interval"], digits),
            ]
        )
    return table(["Feature", "PCC", "Slope", "Bias", "Mean |error|", "in cohort SDs"], rows)
