"""The result of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ThyroidSynthLib.dataset.cohort import Cohort
    from ThyroidSynthLib.evaluation.metrics.disentanglement import Predictability
    from ThyroidSynthLib.evaluation.metrics.novelty import Novelty
    from ThyroidSynthLib.generation.thyroid import Thyroid
    from ThyroidSynthLib.model.shape_model import ShapeModel

    from .cross_talk import CrossTalk
    from .edit_series import EditSeries
    from .independent_targets import IndependentTargets
    from .options import EvaluationOptions
    from .reconstruction import Reconstruction


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found. Only the surfaces that are shown are kept, so memory stays flat.

    Attributes
    ----------
    model, cohort, options
        What was evaluated, and how much.
    training, held_out : tuple of Reconstruction
        Training cases, decoded again, and held-out ones, fitted.
    one_shot : tuple of Thyroid
        Random thyroids; the first `options.gallery` with their surfaces.
    to_target : tuple of Thyroid
        Some of them, steered to the features they were asked for.
    targets_met : int
        How many of these met all their targets within tolerance.
    independent : IndependentTargets
        Thyroids steered to targets that were drawn independently.
    leakage : dict of str to Leakage
        "to_target", and "one_shot" for a model with conditions.
    edits : EditSeries or None
        A training thyroid with one feature varied at a time.
    novelty : Novelty
        Distances to the training shapes.
    disentanglement : dict of str to Predictability
        What the trainable codes say of each feature.
    notes : tuple of str
        What a reader must know.
    seconds : float
        How long it took.
    """

    model: ShapeModel
    cohort: Cohort
    options: EvaluationOptions
    training: tuple[Reconstruction, ...]
    held_out: tuple[Reconstruction, ...]
    direct_sampling: tuple[Thyroid, ...]
    to_target: tuple[Thyroid, ...]
    targets_met: int
    independent: IndependentTargets
    cross_talk: dict[str, CrossTalk]
    edits: EditSeries | None
    novelty: Novelty
    disentanglement: dict[str, Predictability]
    notes: tuple[str, ...]
    seconds: float
