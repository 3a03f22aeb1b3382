"""The options and the result of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION

if TYPE_CHECKING:
    from ThyroidSynthLib.dataset.cohort import Cohort
    from ThyroidSynthLib.evaluation.metrics.disentanglement import Predictability
    from ThyroidSynthLib.evaluation.metrics.novelty import Novelty
    from ThyroidSynthLib.generation.thyroid import GeneratedThyroid
    from ThyroidSynthLib.model.trained_model import TrainedModel

    from .cross_talk import CrossTalk
    from .edit_series import EditSeries
    from .independent_targets import IndependentTargets
    from .reconstruction import Reconstruction
    from .shape_space import ShapeSpace


@dataclass(frozen=True)
class EvaluationOptions:
    """The extent of an evaluation.

    Attributes
    ----------
    cases : int or None
        Largest number of training cases to reconstruct, and of held-out cases to fit, drawn at random; None for all.
    all_held_out : bool
        Whether the cohort is another one than that of the training, so that all its cases are held out, whatever their
        ids. Training shapes are then those that the model has learned.
    count : int
        Random thyroids made by direct sampling.
    to_target : int
        Number of them that are also steered to target, and number of thyroids steered to independent targets.
    moves : int
        Thyroids of which one feature at a time is moved while the others are held; with 0 the edited training thyroid
        is left out too.
    gallery : int
        Random thyroids in the gallery.
    permutations : int
        Permutations for the null distribution of the disentanglement test, at least 1.
    seed : int
        Random seed of all draws and samples.
    resolution : int
        Grid points per axis of every decoded surface.
    """

    cases: int | None = None
    all_held_out: bool = False
    count: int = 200
    to_target: int = 100
    moves: int = 20
    gallery: int = 12
    permutations: int = 200
    seed: int = 0
    resolution: int = DEFAULT_RESOLUTION

    def quick(self) -> EvaluationOptions:
        """Return the options of a smaller evaluation that takes about a minute; its numbers are not for publication."""
        return replace(
            self,
            cases=min(self.cases or 6, 6),
            count=min(self.count, 50),
            to_target=min(self.to_target, 10),
            moves=min(self.moves, 2),
        )


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation. Only the displayed surfaces are kept, so memory does not grow with the cases.

    Attributes
    ----------
    model, cohort, options
        The evaluated model, its cohort, and the extent.
    training, held_out : tuple of Reconstruction
        Training cases decoded from their trained codes, and held-out cases fitted.
    direct_sampling : tuple of GeneratedThyroid
        Random thyroids; the first `options.gallery` with their surfaces.
    to_target : tuple of GeneratedThyroid
        Some of them, steered to their targets.
    targets_met : int
        Number of these that met all their targets.
    independent : IndependentTargets
        Thyroids steered to independently drawn targets.
    cross_talk : dict of str to CrossTalk
        "to_target", and "direct_sampling" for a model with conditions.
    edits : EditSeries or None
        A training thyroid with one feature varied at a time.
    novelty : Novelty
        Distances to the training shapes.
    shape_space : ShapeSpace
        Compactness and specificity.
    disentanglement : dict of str to Predictability
        How well the trainable codes predict each feature.
    notes : tuple of str
        Limits of the evaluation that a reader must know.
    seconds : float
        Duration.
    """

    model: TrainedModel
    cohort: Cohort
    options: EvaluationOptions
    training: tuple[Reconstruction, ...]
    held_out: tuple[Reconstruction, ...]
    direct_sampling: tuple[GeneratedThyroid, ...]
    to_target: tuple[GeneratedThyroid, ...]
    targets_met: int
    independent: IndependentTargets
    cross_talk: dict[str, CrossTalk]
    edits: EditSeries | None
    novelty: Novelty
    shape_space: ShapeSpace
    disentanglement: dict[str, Predictability]
    notes: tuple[str, ...]
    seconds: float
