"""Several evaluations as one table on one HTML page that needs no other file."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from itertools import groupby
from typing import Any

from ThyroidSynthLib.evaluation.metrics.headline import MEASURES
from ThyroidSynthLib.evaluation.metrics.published import published_text
from ThyroidSynthLib.evaluation.report.pages.parts import table, whole_page

_BY_KEY = {measure.key: measure for measure in MEASURES}


def comparison_page(comparison: Mapping[str, Any]) -> str:
    """Give the page of what `comparison.compare` found."""
    names = [model["name"] for model in comparison["models"]]
    banners = []
    if comparison["synthetic_cohort"]:
        banners.append(
            "<strong>Synthetic cohort.</strong> The numbers say how well the software works, and nothing about "
            "patients. The published numbers are of real thyroids: they stand here for orientation, not as rivals."
        )
    banners += [escape(note) for note in comparison["notes"]]
    banners.append(escape(comparison["notice"]))
    parts = [
        f"<h1>{len(names)} thyroid models side by side</h1>" if len(names) > 1 else "<h1>One thyroid model</h1>",
        "\n".join(f'<p class="banner">{text}</p>' for text in banners),
        f"<section>\n<h2>Models</h2>\n{_models(comparison)}\n</section>",
    ]
    parts += [
        f"<section>\n<h2>{escape(group)}</h2>\n{_measures(list(rows), names)}\n</section>"
        for group, rows in groupby(comparison["measures"], key=lambda row: row["group"])
    ]
    parts.append(
        "<section>\n<h2>How to read this</h2>\n<p>In colour: the best of the models, where there is a best and the "
        f"shown digits tell them apart. The paper's columns are its published means over "
        f"{comparison['published_cases']} real thyroids. Means over cases or thyroids; intervals, floors and figures "
        "are in the report of each evaluation.</p>\n</section>"
    )
    return whole_page("Comparison of thyroid models", ", ".join(names), parts)


def _models(comparison: Mapping[str, Any]) -> str:
    rows = [
        [
            f"<b>{escape(model['name'])}</b>",
            escape(str(model["variant"])),
            escape(str(model["preset"])),
            str(model["epochs"]),
            str(model["training_cases"]),
            str(model["held_out_cases"]),
            str(model["thyroids"]),
            f"<code>{escape((model['checksum'] or 'not saved')[:12])}</code>",
        ]
        for model in comparison["models"]
    ]
    head = ["Model", "Variant", "Preset", "Epochs", "Training cases", "Held-out cases", "Random thyroids", "File"]
    return table(head, rows)


def _measures(rows: list[Mapping[str, Any]], names: list[str]) -> str:
    # The paper says nothing on most groups: its columns stand only where it does.
    variants = [name for name in rows[0]["published"] if any(row["published"][name] is not None for row in rows)]
    cells = []
    for row in rows:
        measure = _BY_KEY[row["key"]]
        unit = f" <small>{escape(measure.unit)}</small>" if measure.unit not in ("", "%") else ""
        values = [
            f'<b class="leading">{text}</b>' if name in row["leading"] else text
            for name in names
            for text in [measure.text(row["values"][name])]
        ]
        published = [published_text(variant, measure.key) for variant in variants]
        cells.append([escape(measure.label) + unit, *values, *(f"<small>{text}</small>" for text in published)])
    return table(["", *names, *(f"paper: {variant}" for variant in variants)], cells, kind="even")
