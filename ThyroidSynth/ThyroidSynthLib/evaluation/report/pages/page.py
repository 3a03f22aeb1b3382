"""The report as one HTML page that needs no other file and no network."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from ThyroidSynthLib.evaluation.metrics.headline import MEASURES
from ThyroidSynthLib.evaluation.metrics.published import PUBLISHED, PUBLISHED_CASES, published_text
from ThyroidSynthLib.evaluation.report.figures.illustrations import Illustration

from . import control as page_control
from . import population as page_population
from .parts import NAMES, banners, percent, section, spread, table, tile_row, whole_page

_MEASURES = (
    ("chamfer_mm", "Chamfer, authors' definition", "mm"),
    ("surface_chamfer_mm", "Chamfer over area", "mm"),
    ("assd_mm", "Average symmetric surface distance", "mm"),
    ("hd95_mm", "95% Hausdorff distance", "mm"),
    ("nsd_1mm", "Surface within 1 mm (NSD)", ""),
    ("nsd_2mm", "Surface within 2 mm (NSD)", ""),
    ("dice", "Dice at 1.5 mm", ""),
)


def page_of(document: Mapping[str, Any], illustrations: Mapping[str, Illustration]) -> str:
    """Give the page for an evaluation's numbers and figures."""
    model, cohort = document["model"], document["cohort"]
    title = f"Evaluation of a {model['variant']} thyroid model"
    no_pictures = "" if "gallery" in illustrations or not document["options"]["gallery"] else _NO_PICTURES
    parts = [
        f"<h1>{escape(title)}</h1>",
        _lead(document),
        banners(document, [escape(note) for note in document["notes"]]),
        _tiles(document),
        section("Beside the published numbers", _published(document), illustrations),
        section(
            "Reconstruction",
            _reconstruction(document),
            illustrations,
            "reconstruction",
            "held_out_examples",
            "reconstruction_examples",
        ),
        section(
            "Random thyroids",
            page_population.validity(document["validity"]) + no_pictures,
            illustrations,
            "gallery",
        ),
        section("Feature distributions", page_population.distributions(document), illustrations, "distributions"),
        section(
            "Steering one-shot", page_control.direct_sampling(document), illustrations, "agreement_of_direct_sampling"
        ),
        section(
            "Steering to target",
            page_control.to_target(document),
            illustrations,
            "steering_independent",
            "steering_to_target",
        ),
        section("One feature at a time", page_control.cross_talk(document), illustrations, "edits", "cross_talk"),
        section("Novelty and memorisation", page_population.novelty(document), illustrations, "novelty"),
        section("Disentanglement", page_population.disentanglement(document), illustrations, "disentanglement"),
        _method(document),
    ]
    return whole_page(title, f"{cohort['cases']} cases", [part for part in parts if part])


_NO_PICTURES = "<p>No pictures: this machine cannot render. Install OpenGL (libgl1, libegl1) to get them.</p>"


def _lead(document: Mapping[str, Any]) -> str:
    model, options = document["model"], document["options"]
    settings = model["settings"]
    return (
        f'<p class="lead">Preset {escape(settings["preset"])}, {settings["epochs"]} epochs, trained on '
        f"{model['cases']} cases. {document['reconstruction']['cases']} of them reconstructed, "
        f"{document['reconstruction_held_out']['cases']} held-out cases fitted, {options['count']} random thyroids "
        f"made (seed {options['seed']}).</p>"
    )


def _tiles(document: Mapping[str, Any]) -> str:
    tiles = []
    for source, label in (("reconstruction_held_out", "held-out"), ("reconstruction", "training")):
        found = document[source]
        if found.get("assd_mm"):
            dice = found["dice"]["mean"]
            note = f"average surface distance {found['assd_mm']['mean']:.2f} mm, {found['cases']} cases"
            tiles.append(("–" if dice is None else f"{dice:.3f}", f"Dice of {label} cases", note))
    for name, found in document["steering"]["direct_sampling"].items():
        pcc = "–" if found["pcc"] is None else f"{found['pcc']:.3f}"
        tiles.append((pcc, f"PCC {NAMES[name].lower()}", "asked against measured, one-shot"))
    independent = document["steering"]["independent"]
    if independent["thyroids"]:
        note = f"of {independent['thyroids']} independent targets, steered"
        tiles.append((percent(independent["share_within"]), "within tolerance", note))
    worst = document["cross_talk"]["to_target"]["worst_held"]
    if worst is not None:
        tiles.append((f"{worst:.3f} SD", "leakage to target", "largest change of a held feature, by mean"))
    share = document["validity"]["share_of_draws"]
    tiles.append((percent(share), "sound surfaces", "closed, 1–2 pieces, of all draws"))
    return tile_row(tiles)


def _published(document: Mapping[str, Any]) -> str:
    keys = {key for values in PUBLISHED.values() for key in values}
    rows = []
    for measure in MEASURES:
        if measure.key in keys:
            published = [published_text(variant, measure.key) for variant in PUBLISHED]
            unit = f", {measure.unit}" if measure.unit else ""
            rows.append(
                [
                    escape(f"{measure.group}: {measure.label}{unit}"),
                    f"<b>{measure.text(measure.of(document))}</b>",
                    *published,
                ]
            )
    head = ["Measure (mean)", "This model", *(f"Paper: {variant}" for variant in PUBLISHED)]
    return table(head, rows) + (
        f"<p>The published numbers are of {PUBLISHED_CASES} real thyroids, these of another cohort: what is easy "
        "there may be hard here. Chamfer is the authors' distance between vertices, which depends on the meshes; the "
        "nearest training shape is looked for among points drawn evenly over the areas, about as dense as these "
        "vertices. Only what was measured alike stands here.</p>"
    )


def _reconstruction(document: Mapping[str, Any]) -> str:
    training, held_out = document["reconstruction"], document["reconstruction_held_out"]
    rows = []
    for name, label, unit in _MEASURES:
        cells = []
        for summary in (training, held_out):
            found = summary.get(name)
            cells += [_with_median(found, unit), spread(found["floor"], unit)] if found else ["–", "–"]
        rows.append([label, *cells])
    columns = [f"Training ({training['cases']})", "Floor", f"Held-out ({held_out['cases']})", "Floor"]
    missing = training["without_surface"] + held_out["without_surface"]
    text = f"<p>{missing} codes decoded to no surface and are left out above.</p>" if missing else ""
    own = training.get("dice_in_own_voxels", 0) + held_out.get("dice_in_own_voxels", 0)
    total = training["cases"] + held_out["cases"]
    return (
        table(["Mean ± SD", *columns], rows)
        + text
        + (
            "<p>Training cases are decoded from the codes that training found. Held-out cases were never seen: a code "
            "is fitted to each, and the model alone is judged, without the patient's own details that an edit keeps. "
            f"Overlap is counted in the voxels of the case's own mask for {own} of {total} cases, and on a 1.5 mm grid "
            "along the axes for the others.</p>"
        )
    )


def _with_median(found: Mapping[str, Any], unit: str) -> str:
    if found["median"] is None:
        return spread(found, unit)
    return f"{spread(found, unit)} <small>median {found['median']:.3f}</small>"


def _method(document: Mapping[str, Any]) -> str:
    options, model = document["options"], document["model"]
    settings = [[escape(key), escape("–" if value is None else str(value))] for key, value in model["settings"].items()]
    chosen = [[escape(key), escape("all" if value is None else str(value))] for key, value in options.items()]
    checksums = [
        ["Model file", f"<code>{escape(model['checksum'] or 'not saved')}</code>"],
        ["Cohort", f"<code>{escape(document['cohort'].get('checksum', ''))}</code>"],
        ["Software", escape(document["software"])],
    ]
    definitions = (
        "<p><b>Volume</b> is enclosed by the surface. <b>Isthmus area</b> is the gland's area in the midsagittal plane "
        "through the trachea. <b>Symmetry</b> is the overlap (intersection over union) of the gland "
        "with its mirror image in that plane. All are measured on the final surface.</p>"
        "<p><b>Chamfer, authors' definition</b>: from every vertex to the nearest vertex of the other surface, "
        "unsquared, mean of either direction, both added. It depends on how finely the surfaces are meshed. The "
        "<b>floor</b> is what a perfect model would score: the case's true signed distance, decoded on the same grid. "
        "All other distances are from points drawn evenly over the areas to the nearest point of the other surface. "
        "Brackets hold 95% intervals: bootstrap with 2000 resamples, Wilson's for shares. Surfaces were decoded on "
        f"{options['resolution']}³ points.</p>"
    )
    return (
        f"<section>\n<h2>How this was measured</h2>\n{definitions}\n"
        f"<details><summary>Settings and checksums</summary>{table(['Training', ''], settings)}"
        f"{table(['Evaluation', ''], chosen)}{table(['', ''], checksums)}</details>\n</section>"
    )
