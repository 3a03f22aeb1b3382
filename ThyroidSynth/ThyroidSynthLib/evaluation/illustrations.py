"""Which pictures of an evaluation are made, each with the sentence that says how to read it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..anatomy.features import FEATURE_NAMES
from ..anatomy.sampling import signed_distance
from ..anatomy.surface import Surface
from ..synthesis.thyroid import Thyroid, reconstruct
from .evaluate import Evaluation
from .figures import distribution_figure, gallery_figure, reconstruction_figure, steering_figure
from .gallery import SurfaceRenderer, is_blank
from .generation import asked_of, features_of, steering_agreement

_COLOUR_LIMIT_MM = 2.0


@dataclass(frozen=True)
class Illustration:
    """A figure of the report.

    Attributes
    ----------
    name : str
        File name without suffix.
    png : bytes
        The picture.
    caption : str
        How to read it.
    """

    name: str
    png: bytes
    caption: str


def illustrate(evaluation: Evaluation) -> dict[str, Illustration]:
    """Make the figures of an evaluation, by name. Renders are left out where nothing can be drawn."""
    found = [*_plots(evaluation), *_renders(evaluation)]
    return {illustration.name: illustration for illustration in found}


def _plots(evaluation: Evaluation) -> list[Illustration]:
    plots = []
    compared = [item for item in evaluation.reconstructions if item.comparison is not None]
    if compared:
        png = reconstruction_figure(
            np.array([item.comparison.chamfer_mm for item in compared]),
            np.array([item.floor.chamfer_mm for item in compared]),
            np.array([item.comparison.assd_mm for item in compared]),
        )
        plots.append(
            Illustration(
                "reconstruction",
                png,
                "Left: the authors' Chamfer distance compares vertices, so that even a perfect model would score "
                "what the grey points show. Right: the distance between the surfaces themselves.",
            )
        )
    plots.append(
        Illustration(
            "distributions",
            distribution_figure(evaluation.model.features, features_of(evaluation.one_shot)),
            "Features of the training cohort and of random thyroids, measured on their surfaces. "
            "An isthmus area of 0 means two separate lobes.",
        )
    )
    for name, thyroids, caption in (
        ("steering_one_shot", evaluation.one_shot, "One-shot: the features go into the network as a condition."),
        (
            "steering_to_target",
            evaluation.to_target,
            "To target: the code is then moved until the surface fits.",
        ),
    ):
        asked = asked_of(thyroids) if thyroids else {}
        if asked:
            measured = dict(zip(FEATURE_NAMES, features_of(thyroids).T, strict=True))
            agreements = steering_agreement(evaluation.model, thyroids, seed=evaluation.options.seed)
            plots.append(
                Illustration(
                    name,
                    steering_figure(asked, measured, agreements),
                    f"{caption} Asked against measured for {len(thyroids)} thyroids; the line is perfect agreement.",
                )
            )
    return plots


def _renders(evaluation: Evaluation) -> list[Illustration]:
    shown = evaluation.one_shot[: evaluation.options.gallery]
    lower, upper = evaluation.model.frame.lower_mm, evaluation.model.frame.upper_mm
    # One scale for all: the whole box of the cohort, midline in the middle.
    extent = max(2 * max(-lower[0], upper[0]), upper[2] - lower[2]) * 1.04
    extent = min(extent, 1.1 * max(_extent(thyroid.surface) for thyroid in shown)) if shown else extent
    with SurfaceRenderer(extent_mm=extent) as renderer:
        pictures = [renderer.picture(thyroid.surface) for thyroid in shown]
        if not pictures or is_blank(pictures[0]):
            return []
        gallery = Illustration(
            "gallery",
            gallery_figure(pictures, [_caption(thyroid) for thyroid in shown]),
            f"The first {len(shown)} random thyroids, none left out, seen from the front (patient's left on the "
            f"right), all at the same scale: {extent:.0f} mm wide. Below each: its number, and its measured volume, "
            "isthmus area and symmetry.",
        )
        examples = _examples(evaluation, renderer)
    return [gallery, *examples]


def _examples(evaluation: Evaluation, renderer: SurfaceRenderer) -> list[Illustration]:
    """Show the best, the middle and the worst reconstruction beside their references."""
    compared = sorted(
        (item for item in evaluation.reconstructions if item.comparison is not None),
        key=lambda item: item.comparison.assd_mm,
    )
    if not compared:
        return []
    model = evaluation.model
    references, reconstructions = [], []
    for label, place in {"best": 0, "median": len(compared) // 2, "worst": len(compared) - 1}.items():
        item = compared[place]
        reference = evaluation.cohort.surface(item.id)
        decoded = reconstruct(model, model.index_of(item.id), resolution=evaluation.options.resolution).surface
        error = signed_distance(reference, decoded.vertices)
        coloured = renderer.picture(decoded, values_mm=error, limit_mm=_COLOUR_LIMIT_MM)
        references.append((renderer.picture(reference), f"{item.id} ({label}): reference"))
        reconstructions.append((coloured, f"reconstruction, ASSD {item.comparison.assd_mm:.2f} mm"))
    pictures, captions = zip(*references, *reconstructions, strict=True)
    return [
        Illustration(
            "reconstruction_examples",
            gallery_figure(pictures, captions, columns=3),
            f"Best, median and worst reconstruction of a training case. Colours: red {_COLOUR_LIMIT_MM:.0f} mm outside "
            f"the reference, white on it, blue {_COLOUR_LIMIT_MM:.0f} mm inside.",
        )
    ]


def _extent(surface: Surface) -> float:
    lower, upper = surface.bounds
    return float(max(2 * np.abs([lower[0], upper[0]]).max(), upper[2] - lower[2]))


def _caption(thyroid: Thyroid) -> str:
    features = thyroid.measured
    return (
        f"{thyroid.index}:  {features.volume_ml:.1f} mL,  {features.isthmus_area_mm2:.0f} mm²,  {features.symmetry:.2f}"
    )
