"""The report as one HTML page that needs no other file and no network."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ..anatomy.features import FEATURE_NAMES
from .illustrations import Illustration
from .page_style import STYLE

_NAMES = {"volume_ml": "Volume", "isthmus_area_mm2": "Isthmus area", "symmetry": "Symmetry"}
_UNITS = {"volume_ml": "mL", "isthmus_area_mm2": "mm²", "symmetry": ""}
_DIGITS = {"volume_ml": 2, "isthmus_area_mm2": 1, "symmetry": 3}
_MEASURES = (
    ("chamfer_mm", "Chamfer, authors' definition", "mm"),
    ("surface_chamfer_mm", "Chamfer over area", "mm"),
    ("assd_mm", "Average symmetric surface distance", "mm"),
    ("hd95_mm", "95% Hausdorff distance", "mm"),
    ("nsd_1mm", "Surface within 1 mm", ""),
    ("nsd_2mm", "Surface within 2 mm", ""),
    ("dice", "Dice at 1.5 mm", ""),
)


def page_of(document: Mapping[str, Any], illustrations: Mapping[str, Illustration]) -> str:
    """Give the page for an evaluation's numbers and figures."""
    model, cohort = document["model"], document["cohort"]
    title = f"Evaluation of a {model['variant']} thyroid model"
    parts = [
        f"<h1>{escape(title)}</h1>",
        _lead(document),
        _banners(document),
        _tiles(document),
        _section(
            "Reconstruction of training cases",
            _reconstruction(document["reconstruction"]),
            illustrations,
            "reconstruction",
            "reconstruction_examples",
        ),
        _section("Random thyroids", _validity(document["validity"]), illustrations, "gallery"),
        _section("Feature distributions", _distributions(document), illustrations, "distributions"),
        _section("Steering", _steering(document), illustrations, "steering_one_shot", "steering_to_target"),
        _method(document),
    ]
    subtitle = f"{cohort['cases']} cases"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)} ({escape(subtitle)})</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def _lead(document: Mapping[str, Any]) -> str:
    model, options = document["model"], document["options"]
    settings = model["settings"]
    return (
        f'<p class="lead">Preset {escape(settings["preset"])}, {settings["epochs"]} epochs, trained on '
        f"{model['cases']} cases. {document['reconstruction']['cases']} of them reconstructed, {options['count']} "
        f"random thyroids made (seed {options['seed']}).</p>"
    )


def _banners(document: Mapping[str, Any]) -> str:
    texts = []
    if document["synthetic_cohort"]:
        statement = document["cohort"].get("statement") or "Its cases are software input, not anatomy."
        texts.append(
            f"<strong>Synthetic cohort.</strong> {escape(statement)} The numbers say how well the software "
            "works, and nothing about patients."
        )
    texts += [escape(note) for note in document["notes"]]
    texts.append(escape(document["notice"]))
    return "\n".join(f'<p class="banner">{text}</p>' for text in texts)


def _tiles(document: Mapping[str, Any]) -> str:
    reconstruction, validity = document["reconstruction"], document["validity"]
    tiles = []
    if "chamfer_mm" in reconstruction:
        value = reconstruction["chamfer_mm"]
        tiles.append(
            (
                f"{value['mean']:.2f} mm",
                "reconstruction Chamfer",
                f"floor {value['floor']['mean']:.2f} mm: {reconstruction['chamfer_over_floor']:.2f} × the floor",
            )
        )
    for name, found in document["steering"]["one_shot"].items():
        pcc = "–" if found["pcc"] is None else f"{found['pcc']:.3f}"
        tiles.append((pcc, f"PCC {_NAMES[name].lower()}", "asked against measured, one-shot"))
    tiles.append((_percent(validity["share_of_draws"]), "sound surfaces", "closed, 1–2 pieces, of all draws"))
    return (
        '<div class="tiles">'
        + "".join(
            f'<div class="tile"><b>{escape(value)}</b><span>{escape(label)}</span><small>{escape(note)}</small></div>'
            for value, label, note in tiles
        )
        + "</div>"
    )


def _section(title: str, body: str, illustrations: Mapping[str, Illustration], *names: str) -> str:
    figures = [_figure(illustrations[name]) for name in names if name in illustrations]
    if "gallery" in names and not figures:
        body += "<p>No pictures: this machine cannot render. Install OpenGL (libgl1, libegl1) to get them.</p>"
    return f"<section>\n<h2>{escape(title)}</h2>\n" + "\n".join([*figures[:1], body, *figures[1:]]) + "\n</section>"


def _figure(illustration: Illustration) -> str:
    data = base64.b64encode(illustration.png).decode("ascii")
    caption = escape(illustration.caption)
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'
    )


def _reconstruction(summary: Mapping[str, Any]) -> str:
    rows = []
    for name, label, unit in _MEASURES:
        if name in summary:
            own, floor = summary[name], summary[name]["floor"]
            rows.append([label, _spread(own, unit), _spread(floor, unit)])
    missing = summary["without_surface"]
    text = f"<p>{missing} of {summary['cases']} codes decoded to no surface.</p>" if missing else ""
    return text + _table(["Measure (mean ± SD)", "This model", "Perfect model"], rows)


def _validity(summary: Mapping[str, Any]) -> str:
    low, high = summary["share_of_draws_interval"]
    return (
        f"<p>{summary['thyroids']} thyroids took {summary['draws']} draws: {_percent(summary['share_of_draws'])} of "
        f"them gave a closed surface of one or two pieces inside the box (95% interval {_percent(low)} to "
        f"{_percent(high)}); one that does not is drawn again. {summary['two_pieces']} have two separate pieces.</p>"
    )


def _distributions(document: Mapping[str, Any]) -> str:
    rows = []
    for name in FEATURE_NAMES:
        found, digits = document["distributions"][name], _DIGITS[name]
        rows.append(
            [
                _with_unit(name),
                f"{found['cohort_mean']:.{digits}f} ± {found['cohort_sd']:.{digits}f}",
                f"{found['generated_mean']:.{digits}f} ± {found['generated_sd']:.{digits}f}",
                f"{found['ks']:.3f} (p = {found['ks_p']:.2g})",
                f"{found['wasserstein']:.{digits}f}"
                + ("" if found["wasserstein_sd"] is None else f" ({found['wasserstein_sd']:.2f} SD)"),
            ]
        )
    isthmus = document["distributions"]["isthmus_area_mm2"]
    return _table(["Feature", "Cohort", "Generated", "Kolmogorov–Smirnov", "Wasserstein"], rows) + (
        f"<p>Without an isthmus: {_percent(isthmus['cohort_zero_share'])} of the cohort, "
        f"{_percent(isthmus['generated_zero_share'])} of the generated thyroids.</p>"
    )


def _steering(document: Mapping[str, Any]) -> str:
    steering = document["steering"]
    if not steering["one_shot"]:
        return (
            f"<p>A {escape(document['model']['variant'])} model takes no conditions, so there is nothing to steer.</p>"
        )
    body = "<h3>One-shot</h3>" + _agreement_table(steering["one_shot"])
    body += (
        "<p>This is what can be compared with the published .98, .88 and .32 (fixed) and .98, .93 and .43 "
        "(correlation), measured on 353 thyroids of another cohort.</p>"
    )
    if steering["to_target"]:
        body += "<h3>To target</h3>" + _agreement_table(steering["to_target"])
        body += (
            f"<p>{steering['to_target_met']} of {steering['to_target_count']} thyroids met all three targets: volume "
            "within 2%, isthmus area within 3 mm² or 3%, symmetry within 0.01.</p>"
        )
    return body


def _agreement_table(agreements: Mapping[str, Mapping[str, Any]]) -> str:
    rows = []
    for name, found in agreements.items():
        digits = _DIGITS[name]
        sd = "" if found["mae_sd"] is None else f", {found['mae_sd']:.2f} SD"
        rows.append(
            [
                _with_unit(name),
                _estimate(found["pcc"], found["pcc_interval"], 3),
                _estimate(found["slope"], found["slope_interval"], 2),
                _estimate(found["bias"], found["bias_interval"], digits),
                _estimate(found["mae"], found["mae_interval"], digits) + sd,
            ]
        )
    return _table(["Feature", "PCC", "Slope", "Bias", "Mean absolute error"], rows)


def _method(document: Mapping[str, Any]) -> str:
    options, model = document["options"], document["model"]
    settings = [[escape(key), escape(str(value))] for key, value in model["settings"].items()]
    checksums = [
        ["Model file", f"<code>{escape(model['checksum'] or 'not saved')}</code>"],
        ["Cohort", f"<code>{escape(document['cohort'].get('checksum', ''))}</code>"],
        ["Software", escape(document["software"])],
    ]
    definitions = (
        "<p><b>Volume</b> is enclosed by the surface. <b>Isthmus area</b> is the gland's area in the midsagittal plane "
        "through the trachea's centre of mass. <b>Symmetry</b> is the overlap (intersection over union) of the gland "
        "with its mirror image in that plane. All are measured on the final surface.</p>"
        "<p><b>Chamfer, authors' definition</b>: from every vertex to the nearest vertex of the other surface, "
        "unsquared, mean of either direction, both added. It depends on how finely the surfaces are meshed. The "
        "<b>perfect model</b> is the case's true signed distance, decoded on the same grid. All other distances are "
        "from points drawn evenly over the areas to the nearest point of the other surface. Brackets hold 95% "
        f"intervals; bootstrap with 2000 resamples. Surfaces were decoded on {options['resolution']}³ points.</p>"
    )
    return (
        f"<section>\n<h2>How this was measured</h2>\n{definitions}\n"
        f"<details><summary>Settings and checksums</summary>{_table(['Setting', 'Value'], settings)}"
        f"{_table(['', ''], checksums)}</details>\n</section>"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(text)}</th>" for text in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    thead = f"<thead><tr>{top}</tr></thead>" if any(head) else ""
    return f'<div class="scroll"><table>{thead}<tbody>{body}</tbody></table></div>'


def _with_unit(name: str) -> str:
    return f"{_NAMES[name]}, {_UNITS[name]}" if _UNITS[name] else _NAMES[name]


def _spread(value: Mapping[str, Any], unit: str) -> str:
    if value["mean"] is None:
        return "–"
    return f"{value['mean']:.3f} ± {value['sd']:.3f}" + (f" {unit}" if unit else "")


def _estimate(value: float | None, interval: Sequence[float] | None, digits: int) -> str:
    if value is None:
        return "–"
    if interval is None:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} <small>[{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]</small>"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"
