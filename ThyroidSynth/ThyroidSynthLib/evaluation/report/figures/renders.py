"""Rendered pictures of an evaluation: gallery, reconstructions beside their references, and edited thyroids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ThyroidSynthLib.evaluation.experiments.evaluation import Evaluation
from ThyroidSynthLib.evaluation.experiments.reconstruction import Reconstruction
from ThyroidSynthLib.generation.thyroid import GeneratedThyroid, thyroid_of_code
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.geometry.sampling import signed_distance
from ThyroidSynthLib.geometry.surface import Surface

from .drawing import Illustration
from .gallery import SurfaceRenderer, is_blank
from .reconstruction_and_steering import gallery_figure

_COLOUR_LIMIT_MM = 2.0


@dataclass(frozen=True)
class Renders:
    """The rendered pictures; empty on a machine without OpenGL."""

    pictures: tuple[Illustration, ...] = ()  # whole figures
    # The thyroids of the edit series by feature, for a figure that also has plots.
    edits: dict[str, list[np.ndarray]] = field(default_factory=dict)


def render(evaluation: Evaluation) -> Renders:
    """Render the pictures of a report."""
    shown = evaluation.direct_sampling[: evaluation.options.gallery]
    edited = [step.to_target.surface for step in evaluation.edits.steps] if evaluation.edits else []
    surfaces = [*(each.thyroid.surface for each in shown), *edited]
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
            if any(item.comparison is not None for item in items):
                pictures.append(Illustration(name, *_examples(evaluation, items, kind, renderer)))
        edits = {}
        if evaluation.edits is not None:
            for name in FEATURE_NAMES:
                edits[name] = [renderer.picture(step.to_target.surface) for step in evaluation.edits.of(name)]
        return Renders(tuple(pictures), edits)


def _gallery(shown: Sequence[GeneratedThyroid], renderer: SurfaceRenderer, extent: float) -> Illustration:
    return Illustration(
        "gallery",
        gallery_figure([renderer.picture(each.thyroid.surface) for each in shown], [_caption(each) for each in shown]),
        f"The first {len(shown)} random thyroids from the front (patient's left on the right) at the same scale, each "
        f"picture {extent:.0f} mm wide. Below: number, volume, isthmus area and symmetry.",
    )


def _examples(
    evaluation: Evaluation, items: Sequence[Reconstruction], kind: str, renderer: SurfaceRenderer
) -> tuple[bytes, str]:
    """Render the best, the median and the worst case beside their references."""
    ranked = sorted(
        (item.comparison.assd_mm, item.id, item.code)
        for item in items
        if item.comparison is not None and item.code is not None
    )
    references, made = [], []
    for label, index in {"best": 0, "median": len(ranked) // 2, "worst": len(ranked) - 1}.items():
        assd_mm, case_id, code = ranked[index]
        reference = evaluation.cohort.surface(case_id)
        surface = thyroid_of_code(evaluation.model, code, resolution=evaluation.options.resolution).surface
        error = signed_distance(reference, surface.vertices)
        coloured = renderer.picture(surface, values_mm=error, limit_mm=_COLOUR_LIMIT_MM)
        references.append((renderer.picture(reference), f"{case_id} ({label}): reference"))
        made.append((coloured, f"this model, ASSD {assd_mm:.2f} mm"))
    pictures, captions = zip(*references, *made, strict=True)
    verb = "reconstruction of a training case" if kind == "training" else "fit of a held-out case"
    return gallery_figure(pictures, captions, columns=3), (
        f"Best, median and worst {verb}. Colours: red {_COLOUR_LIMIT_MM:.0f} mm outside the reference, white on it, "
        f"blue {_COLOUR_LIMIT_MM:.0f} mm inside."
    )


def _extent(evaluation: Evaluation, surfaces: Sequence[Surface]) -> float:
    """Return the extent in mm that shows all surfaces, midline in the centre; at most the cohort's bounding box."""
    lower, upper = evaluation.model.frame.lower_mm, evaluation.model.frame.upper_mm
    whole = max(2 * max(-lower[0], upper[0]), upper[2] - lower[2]) * 1.04
    return min(whole, 1.1 * max(map(_size, surfaces)))


def _size(surface: Surface) -> float:
    lower, upper = surface.bounds
    return float(max(2 * np.abs([lower[0], upper[0]]).max(), upper[2] - lower[2]))


def _caption(generated: GeneratedThyroid) -> str:
    features = generated.thyroid.measured
    return (
        f"{generated.index}:  {features.volume_ml:.1f} mL,  {features.isthmus_area_mm2:.0f} mm²,  "
        f"{features.symmetry:.2f}"
    )
