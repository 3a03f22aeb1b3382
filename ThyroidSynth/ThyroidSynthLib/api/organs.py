"""The organs around the thyroids that a shape model draws: sets that belong together, and steering of one organ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.targets import NO_TARGETS

from .shape import EditedShape, Shape

if TYPE_CHECKING:
    from ThyroidSynthLib.generation.organs.own_organs import OwnOrgan
    from ThyroidSynthLib.model.trained_model import TrainedModel


class HasTrained(Protocol):
    """A `ShapeModel`, or one at a patient."""

    @property
    def trained(self) -> TrainedModel:
        """The trained model."""

    @property
    def own_organs(self) -> Mapping[str, OwnOrgan]:
        """The organs that the patient has."""


def draw_organs(model: HasTrained, shapes: Sequence[Shape], *, seed: int = 0) -> list[Shape]:
    """Return thyroids of a model with the organs that belong to them, in `Shape.organs`; the thyroids do not change.

    Parameters
    ----------
    model : ShapeModel or ModelAtPatient
        Trained on a cohort with organs (``thyroidsynth prepare --organs``). At a patient, organs that the patient has
        are not drawn: they are in `Shape.own_organs`.
    shapes : sequence of Shape
        Sampled, steered or fitted.
    seed : int
        Random seed of the organs.

    Raises
    ------
    ModelError
        The model was trained on thyroids only.
    InputError
        A shape is not one of this model.
    SynthesisError
        No draw of an organ has a surface.

    Examples
    --------
    >>> thyroid = model.steer(volume_ml=20)
    >>> neck = draw_organs(model, [thyroid], seed=1)[0]
    >>> neck.to_organ_map(spacing_mm=1.0).names
    """
    from ThyroidSynthLib.generation.organs.organ_set import OrganMaker

    maker = OrganMaker(model.trained, model.own_organs)
    found = []
    for index, shape in enumerate(shapes):
        thyroid = shape.thyroid
        if isinstance(shape, EditedShape) or thyroid.code.shape != (model.trained.code_size,):
            raise InputError("The shape is not one of this model, so its organs are unknown. Use sample() or steer().")
        organs = maker.draw(thyroid.code, thyroid.surface, seed=seed, index=index)
        drawn = {name: each.organ for name, each in organs.items()}
        found.append(replace(shape, organs=drawn, own_organs=maker.own))
    return found


def steer_organ(model: HasTrained, shape: Shape, organ: str, *, free: bool = False, **targets: float) -> Shape:
    """Return a shape in which the features of one organ around the thyroid match the targets.

    `met` of the result is False where the targets are out of the model's reach. The organ's other features are held.

    Parameters
    ----------
    model : ShapeModel
        The model of the shape.
    shape : Shape
        With organs: see `draw_organs`.
    organ : str
        Name of the organ.
    free : bool
        Whether the thyroid and the other organs follow, as far as is to be expected from the training cases. Otherwise
        they are held: the thyroid is the same, and the others only lose what the organ takes from them. At a patient
        they cannot follow, because the thyroid would leave its place at the patient's own organs.
    **targets : float
        By feature: ``cross_section_mm2`` is the mean axial cross-section at the level of the gland, ``lateral_mm`` the
        distance of the centre from the trachea's axis to the patient's right.

    Raises
    ------
    InputError
        The shape has no such organ or it is the patient's own, the organ has no such feature, a target is impossible,
        or the thyroid cannot follow.
    SynthesisError
        The code of the organ has no surface.

    Examples
    --------
    >>> neck = model.sample(organs=True)[0]
    >>> wide = steer_organ(model, neck, "trachea", cross_section_mm2=300, free=True)
    >>> wide.organs["trachea"].features["cross_section_mm2"]
    """
    from ThyroidSynthLib.generation.organs import steering
    from ThyroidSynthLib.generation.organs.organ_set import OrganMaker
    from ThyroidSynthLib.generation.thyroid import thyroid_of_code
    from ThyroidSynthLib.model.joint.joint_prior import THYROID_CODE

    if organ in shape.own_organs:
        raise InputError(f"The {organ} is the patient's own, which is not changed. Steer a drawn organ.")
    if free and shape.own_organs:
        raise InputError("The thyroid lies at the patient's own organs and cannot follow. Leave out free=True.")
    trained, thyroid = model.trained, shape.thyroid
    codes = {THYROID_CODE: thyroid.code, **{name: each.code for name, each in shape.organs.items()}}
    steered = steering.steer_organ(trained, codes, organ, targets, free=free)
    maker, changed = OrganMaker(trained, shape.own_organs), dict(shape.organs)
    if free:
        thyroid = thyroid_of_code(trained, steered.codes[THYROID_CODE])
        changed = maker.of_codes(steered.codes)
    # The organ that was steered comes first, so that the others give way to it.
    separated = maker.separated(thyroid.surface, {organ: steered.organ, **(changed | {organ: steered.organ})})
    organs = {name: separated[name].organ for name in shape.organs if name in separated}
    # Judged on what is left of the organ where it lay in the thyroid.
    met = organ in organs and steering.meets(trained.organs[organ], organs[organ].features, targets)
    return replace(shape, thyroid=thyroid, targets=NO_TARGETS, met=met, organs=organs)
