"""A cross-validation as one HTML page that needs no other file and no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

from ThyroidSynthLib.evaluation.metrics.headline import MEASURES, Measure
from ThyroidSynthLib.evaluation.report.pages.parts import banners, table, tile_row, whole_page

# What stands at the top, where it was measured.
TILES = (
    "held_out_dice",
    "held_out_assd_mm",
    "direct_sampling_pcc_volume_ml",
    "direct_sampling_pcc_isthmus_area_mm2",
    "direct_sampling_pcc_symmetry",
    "independent_within",
    "valid_share",
)
_WIDTH, _HEIGHT, _MARGIN = 180.0, 18.0, 7.0
_BY_KEY = {measure.key: measure for measure in MEASURES}


def page_of_runs(document: Mapping[str, Any]) -> str:
    """Give the page for the document of a cross-validation."""
    plan, runs = document["plan"], document["runs"]
    title = f"Cross-validation of {_article(plan['settings']['variant'])} thyroid model"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="lead">{_lead(document)}</p>',
        banners(document, _notes(document)),
        _tiles(document["measures"]),
        *(_section(group, list(found), runs) for group, found in groupby(document["measures"], lambda m: m["group"])),
        _runs(runs),
        _reading(document),
    ]
    return whole_page(title, f"{len(runs)} runs", parts)


def _article(variant: str) -> str:
    return f"{'an' if variant[:1] in 'aeiou' else 'a'} {variant}"


def _lead(document: Mapping[str, Any]) -> str:
    plan, runs = document["plan"], document["runs"]
    settings, seeds = plan["settings"], sorted({run["seed"] for run in runs})
    if plan["folds"] > 1:
        split = f"{document['cohort']['cases']} cases in {plan['folds']} folds, each held out once"
    else:
        split = f"{document['cohort']['cases']} cases, {len(runs[0]['held_out']) or 'none'} of them held out"
    named = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
    return escape(f"Preset {settings['preset']}, {settings['epochs']} epochs. {split}; {named}. {len(runs)} models.")


def _notes(document: Mapping[str, Any]) -> list[str]:
    if document["complete"]:
        return []
    done = f"{len(document['runs'])} of {document['planned']} runs are done; the same command goes on."
    return [f"<strong>Not finished.</strong> {done}"]


def _tiles(measures: Sequence[Mapping[str, Any]]) -> str:
    known = {found["key"]: found for found in measures}
    tiles = []
    for key in TILES:
        if key in known:
            found, measure = known[key], _BY_KEY[key]
            over = "one run" if found["sd"] is None else f"± {_plain(measure, found['sd'])} over {found['count']} runs"
            unit = f" {measure.unit}" if measure.unit not in ("", "%") else ""
            tiles.append((measure.text(found["mean"]) + unit, measure.label, f"{over} · {measure.group}"))
    return tile_row(tiles)


def _section(group: str, found: Sequence[Mapping[str, Any]], runs: Sequence[Mapping[str, Any]]) -> str:
    crossed = any(each["sd_folds"] is not None for each in found)
    head = ["", "Mean ± SD", *(["SD of folds", "SD of seeds"] if crossed else []), "Lowest to highest", "Runs"]
    rows = []
    for each in found:
        measure = _BY_KEY[each["key"]]
        unit = f" <small>{escape(measure.unit)}</small>" if measure.unit not in ("", "%") else ""
        sd = "" if each["sd"] is None else f" ± {_plain(measure, each['sd'])}"
        apart = ["–" if each[key] is None else _plain(measure, each[key]) for key in ("sd_folds", "sd_seeds")]
        rows.append(
            [
                escape(measure.label) + unit,
                measure.text(each["mean"]) + sd,
                *(apart if crossed else []),
                f"{measure.text(each['low'])} to {measure.text(each['high'])}",
                _strip(measure, each, runs),
            ]
        )
    return f"<section>\n<h2>{escape(group)}</h2>\n{table(head, rows, kind='even')}\n</section>"


def _strip(measure: Measure, spread: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> str:
    """Draw every run as a point between the lowest and the highest, and the mean as a line."""
    low, high, middle = spread["low"], spread["high"], _HEIGHT / 2

    def place(value: float) -> float:
        share = (value - low) / (high - low) if high > low else 0.5
        return round(_MARGIN + share * (_WIDTH - 2 * _MARGIN), 1)

    points = []
    for run in runs:
        value = run["measures"][measure.key]
        if value is not None:
            told = escape(f"{run['name']}: {measure.text(value)}")
            points.append(
                f'<circle cx="{place(value)}" cy="{middle}" r="4.5" style="fill: var(--accent); fill-opacity: .55">'
                f"<title>{told}</title></circle>"
            )
    mean, told = place(spread["mean"]), escape(f"{measure.label}: {spread['count']} runs")
    scale = f'<line x1="{_MARGIN}" y1="{middle}" x2="{_WIDTH - _MARGIN}" y2="{middle}" style="stroke: var(--line)"/>'
    stroke = f'<line x1="{mean}" y1="1" x2="{mean}" y2="{_HEIGHT - 1}" style="stroke: var(--soft)"/>'
    return (
        f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" style="width: 100%; max-width: {_WIDTH:g}px" role="img" '
        f'aria-label="{told}">{scale + stroke if high > low else ""}{"".join(points)}</svg>'
    )


def _runs(runs: Sequence[Mapping[str, Any]]) -> str:
    shown = [_BY_KEY[key] for key in TILES if any(run["measures"][key] is not None for run in runs)]
    rows = []
    for run in runs:
        name = escape(run["name"])
        cells = [f'<a href="{name}/evaluation/report.html">{name}</a>', str(run["cases"]), str(len(run["held_out"]))]
        rows.append(cells + [escape(measure.text(run["measures"][measure.key])) for measure in shown])
    head = ["Run", "Trained on", "Held out", *(measure.label for measure in shown)]
    return f"<section>\n<h2>Runs</h2>\n{table(head, rows)}\n</section>"


def _reading(document: Mapping[str, Any]) -> str:
    plan = document["plan"]
    settings = [[escape(str(key)), escape(str(value))] for key, value in plan["settings"].items()]
    settings.append(["cohort", f"<code>{escape(plan['cohort_checksum'])}</code>"])
    settings.append(["software", escape(document["software"])])
    return (
        "<section>\n<h2>How to read this</h2>\n"
        "<p>Every run is a training of its own, evaluated by itself. <b>SD</b> is the standard deviation over the "
        "runs (n − 1). It says how much a figure changes when other cases are left out or chance falls otherwise; it "
        "is no standard error, because the folds share most of their training cases. Where there are several folds and "
        "several seeds, the SD of the folds' means and the SD of the seeds within a fold stand apart. Points on a "
        "line are the runs, from the lowest to the highest, and the stroke is their mean; each line has a scale of its "
        "own.</p><p>To divide the cases, they were put in a row in which neighbours are alike (with or without an "
        "isthmus, then by volume), and every stretch of it was dealt out at random (split seed "
        f"{plan['split_seed']}), so that held-out cases look like the cohort. All models share the whole cohort's "
        "frame.</p>\n"
        f"<details><summary>Settings and checksums</summary>{table(['Setting', 'Value'], settings)}</details>\n"
        "</section>"
    )


def _plain(measure: Measure, value: float) -> str:
    """Write an SD: of a share in percentage points."""
    return measure.text(value).removesuffix("%")
