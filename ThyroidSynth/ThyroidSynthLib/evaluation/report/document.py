"""The numbers of an evaluation as one document: the content of `evaluation.json`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ThyroidSynthLib import __version__
from ThyroidSynthLib.evaluation.experiments.reconstruction import summarise
from ThyroidSynthLib.evaluation.metrics.disentanglement import disentanglement_summary
from ThyroidSynthLib.evaluation.metrics.generation import distribution_summary, target_agreement, validity_summary
from ThyroidSynthLib.generation.thyroid import GeneratedThyroid
from ThyroidSynthLib.model.trained_model import NOTICE, TrainedModel

if TYPE_CHECKING:
    from ThyroidSynthLib.evaluation.experiments.evaluation import Evaluation

FORMAT_VERSION = 3


def document_of(evaluation: Evaluation) -> dict[str, Any]:
    """Return all numbers of an evaluation as a dictionary for a JSON file.

    Values that were not measured are missing or empty, never zero. `headline.MEASURES` lists the headline measures and
    their places.
    """
    model, options = evaluation.model, evaluation.options
    return {
        "kind": "evaluation",
        "format_version": FORMAT_VERSION,
        "notice": NOTICE,
        "synthetic_cohort": evaluation.cohort.synthetic,
        "software": f"ThyroidSynth {__version__}",
        "notes": list(evaluation.notes),
        "model": {
            "checksum": model.checksum,
            "variant": model.variant,
            "cases": len(model.ids),
            "code_size": model.code_size,
            "settings": model.settings.to_json(),
        },
        "cohort": evaluation.cohort.provenance(),
        "options": asdict(options),
        "seconds": round(evaluation.seconds, 1),
        "reconstruction": summarise(evaluation.training),
        "reconstruction_held_out": summarise(evaluation.held_out),
        "validity": validity_summary(evaluation.direct_sampling),
        "distributions": distribution_summary(model, evaluation.direct_sampling),
        "steering": {
            "direct_sampling": _agreements(model, evaluation.direct_sampling, options.seed),
            "to_target": _agreements(model, evaluation.to_target, options.seed),
            "to_target_count": len(evaluation.to_target),
            "to_target_met": evaluation.targets_met,
            "independent": evaluation.independent.as_dict(seed=options.seed),
        },
        "cross_talk": {name: found.as_dict() for name, found in evaluation.cross_talk.items()},
        "novelty": evaluation.novelty.as_dict(),
        "shape_space": evaluation.shape_space.as_dict(),
        "disentanglement": disentanglement_summary(evaluation.disentanglement),
    }


def _agreements(model: TrainedModel, thyroids: Sequence[GeneratedThyroid], seed: int) -> dict[str, Any]:
    return {name: asdict(found) for name, found in target_agreement(model, thyroids, seed=seed).items()}
