"""The rendered pictures of an evaluation: gallery, reconstructions beside their references, edited thyroids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ThyroidSynthLib.evaluation.experiments.evaluation import Evaluation
from ThyroidSynthLib.evaluation.experiments.reconstruction import Reconstruction
from ThyroidSynthLib.generation.thyroid import Thyroid, thyroid_of_code
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.geometry.sampling import signed_distance
from ThyroidSynthLib.geometry.surface import Surface

from .gallery import SurfaceRenderer, is_blank
from .reconstruction_and_steering import gallery_figure

_COLOUR_LIMIT_MM = 2.0


@dataclass(frozen=True)
class Renders:
    """What could be rendered; nothing on a machine without any OpenGL.

    Attributes
    ----------
    pictures : tuple of (name, PNG data, caption)
        Whole figures.
    edits : dict of list of ndarray
        By feature, the thyroids of the edit series, for a figure that also has plots.
    """

    pictures: tuple[tuple[str, bytes, str], ...] = ()
    edits: dict[str, list[np.ndarray]] = field(default_factory=dict)


def render(evaluation: Evaluation) -> Renders:
    """Render what the report shows of an evaluation."""
    shown = evaluation.direct_sampling[: evaluation.options.gallery]
    edited = [step.to_target.surface for step in evaluation.edits.steps] if evaluation.edits else []
    surfaces = [*(thyroid.surface for thyroid in shown), *edited]
    if not surfaces:
        return Renders()
    extent = _extent(evaluation, surfaces)
    with SurfaceRenderer(extent_mm=extent) as renderer:
        if is_blank(renderer.picture(surfaces[0])):
            return Renders()
        pictures = []
        if shown:
            pictures.append(_gallery(shown, renderer, extent))
        for kind, name, items in (
            ("training", "reconstruction_examples", evaluation.training),
            ("held-out", "held_out_examples", evaluation.held_out),
        ):
            compared = [item for item in items if item.comparison is not None]
            if compared:
                pictures.append((name, *_examples(evaluation, compared, kind, renderer)))
        edits = {}
        if evaluation.edits is not None:
            for name in FEATURE_NAMES:
                edits[name] = [renderer.picture(step.to_target.surface) for step in evaluation.edits.of(name)]
        return Renders(tuple(pictures), edits)


def _gallery(shown: Sequence[Thyroid], renderer: SurfaceRenderer, extent: float) -> tuple[str, bytes, str]:
    return (
        "gallery",
        gallery_figure([renderer.picture(thyroid.surface) for thyroid in shown], [_caption(each) for each in shown]),
        f"The first {len(shown)} random thyroids, none left out, seen from the front (patient's left on the "
        f"right), all at the same scale: {extent:.0f} mm wide. Below each: its number, and its measured volume, "
        "isthmus area and symmetry.",
    )


def _examples(
    evaluation: Evaluation, compared: list[Reconstruction], kind: str, renderer: SurfaceRenderer
) -> tuple[bytes, str]:
    """Show the best, the middle and the worst case beside their references."""
    compared = sorted(compared, key=lambda item: item.comparison.assd_mm)
    references, made = [], []
    for label, place in {"best": 0, "median": len(compared) // 2, "worst": len(compared) - 1}.items():
        item = compared[place]
        reference = evaluation.cohort.surface(item.id)
        surface = thyroid_of_code(evaluation.model, item.code, resolution=evaluation.options.resolution).surface
        error = signed_distance(reference, surface.vertices)
        coloured = renderer.picture(surface, values_mm=error, limit_mm=_COLOUR_LIMIT_MM)
        references.append((renderer.picture(reference), f"{item.id} ({label}): reference"))
        made.append((coloured, f"this model, ASSD {item.comparison.assd_mm:.2f} mm"))
    pictures, captions = zip(*references, *made, strict=True)
    verb = "reconstruction of a training case" if kind == "training" else "fit of a held-out case"
    return gallery_figure(pictures, captions, columns=3), (
        f"Best, median and worst {verb}. Colours: red {_COLOUR_LIMIT_MM:.0f} mm outside the reference, white on it, "
        f"blue {_COLOUR_LIMIT_MM:.0f} mm inside."
    )


def _extent(evaluation: Evaluation, surfaces: Sequence[Surface]) -> float:
    """Give one scale for all: at most the whole box of the cohort, midline in the middle."""
    lower, upper = evaluation.model.frame.lower_mm, evaluation.model.frame.upper_mm
    whole = max(2 * max(-lower[0], upper[0]), upper[2] - lower[2]) * 1.04
    return min(whole, 1.1 * max(map(_size, surfaces)))


def _size(surface: Surface) -> float:
    lower, upper = surface.bounds
    return float(max(2 * np.abs([lower[0], upper[0]]).max(), upper[2] - lower[2]))


def _caption(thyroid: Thyroid) -> str:
    features = thyroid.measured
    return (
        f"{thyroid.index}:  {features.volume_ml:.1f} mL,  {features.isthmus_area_mm2:.0f} mm²,  {features.symmetry:.2f}"
    )
