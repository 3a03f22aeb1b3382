"""Steer the features of one organ, with the thyroid and the other organs held, or free to follow."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.common.errors import InputError, SynthesisError
from ThyroidSynthLib.dataset.organs.organ_shapes import BAND_MM
from ThyroidSynthLib.generation.decode.field import Field
from ThyroidSynthLib.model.code_space import CodeSpace
from ThyroidSynthLib.model.joint.joint_prior import JointPrior
from ThyroidSynthLib.model.trained_model import OrganModel, TrainedModel

from .organ import Organ, organ_of_code

# A target is met within this share of the feature's SD in the cohort, or of an area itself, or within this length: the
# trachea's place varies by a few hundredths of a millimetre in a cohort that is centred on it.
_TOLERANCE_SD, _TOLERANCE_SHARE, _TOLERANCE_MM = 0.02, 0.005, 0.1
_ROUNDS = 12
# Longest step, in SDs of the codes: the derivatives hold nearby only.
_LONGEST_STEP_SD = 3.0
_HALVINGS = 4


@dataclass(frozen=True)
class SteeredOrgan:
    """A set of codes after one organ was steered.

    Attributes
    ----------
    codes : dict of str to ndarray
        Whole codes of the set, in its order. If the others were held, theirs are the same arrays as before.
    organ : Organ
        The organ that was steered.
    met : bool
        Whether its measured features meet the targets.
    """

    codes: dict[str, np.ndarray]
    organ: Organ
    met: bool


def steer_organ(
    model: TrainedModel,
    codes: Mapping[str, np.ndarray],
    name: str,
    targets: Mapping[str, float],
    *,
    free: bool = False,
) -> SteeredOrgan:
    """Move the code of one organ until its measured features meet the targets; its other features are held.

    Parameters
    ----------
    codes : mapping of str to ndarray
        Whole codes of a set: that of the thyroid by the name `THYROID_CODE`, and those of organs.
    targets : mapping of str to float
        By the name of the feature, such as ``{"cross_section_mm2": 300}``.
    free : bool
        Whether the codes of the others follow, as the joint prior expects; otherwise they are held.

    Raises
    ------
    InputError
        The set has no such organ, the organ has no such feature, or a target is not a finite number.
    SynthesisError
        The code of the organ has no surface.
    """
    if name not in model.organs or name not in codes:
        raise InputError(f"There is no organ '{name}'. Choose among: {', '.join(model.organs) or 'none'}.")
    organ = model.organs[name]
    for feature, value in targets.items():
        if feature not in organ.feature_names:
            raise InputError(f"The {name} has no feature '{feature}'. Choose among: {', '.join(organ.feature_names)}.")
        if not np.isfinite(value) or (feature.endswith("_mm2") and value <= 0):
            raise InputError(f"{feature}={value} is impossible. Give a finite number, above 0 for an area.")
    shape = _steered(organ, np.asarray(codes[name], dtype=np.float64), targets)
    changed, met = {name: shape.code.astype(np.float64)}, meets(organ, shape.features, targets)
    if free:
        return SteeredOrgan(JointPrior(model).moved(codes, changed), shape, met)
    return SteeredOrgan({**codes, **changed}, shape, met)


def meets(organ: OrganModel, features: Mapping[str, float], targets: Mapping[str, float]) -> bool:
    """Check whether measured features of an organ meet targets."""
    return all(
        name in features and abs(features[name] - value) <= _tolerance(organ, name, value)
        for name, value in targets.items()
    )


def _tolerance(organ: OrganModel, name: str, value: float) -> float:
    spread = float(organ.features[:, organ.feature_names.index(name)].std())
    least = _TOLERANCE_SHARE * abs(value) if name.endswith("_mm2") else _TOLERANCE_MM
    return max(_TOLERANCE_SD * spread, least)


def _steered(organ: OrganModel, code: np.ndarray, targets: Mapping[str, float]) -> Organ:
    space = CodeSpace.of_codes(organ.codes.astype(np.float64))
    shape = organ_of_code(organ, code)
    if not shape.features:
        raise InputError(f"The {organ.name} is not at the level of the gland, where its features are measured.")
    target = np.array([targets.get(name, shape.features[name]) for name in organ.feature_names])
    tolerance = np.array(
        [_tolerance(organ, name, value) for name, value in zip(organ.feature_names, target, strict=True)]
    )
    # First as the network has learned it: by the features in the code, which the rest of the code follows. What is then
    # missing is a small step of the whole code.
    size, before = organ.conditioning.size, np.array(list(shape.features.values()))
    step = organ.conditioning.encode(target)[0] - organ.conditioning.encode(before)[0]
    follows = np.linalg.solve(space.covariance[:size, :size], space.covariance[:size, size:]).T @ step
    best, least = shape, float(np.abs((target - before) / tolerance).max())
    step = np.concatenate([step, follows])
    for _ in range(_ROUNDS):
        if least <= 1.0:
            break
        shape = _moved(organ, space, shape, step)
        error = (target - np.array(list(shape.features.values()))) / tolerance
        if np.abs(error).max() < least:
            best, least = shape, float(np.abs(error).max())
        jacobian = _sensitivity(organ, shape) / tolerance[:, None]
        gain = space.covariance @ jacobian.T
        step = gain @ np.linalg.solve(jacobian @ gain + 1e-8 * np.eye(len(target)), error)
    return best


def _moved(organ: OrganModel, space: CodeSpace, shape: Organ, step: np.ndarray) -> Organ:
    """Return the shape after a step of its code, shortened until the shape is there and can be measured.

    The shape itself is returned if no step is short enough.
    """
    step = step * min(1.0, _LONGEST_STEP_SD / max(space.length(step), 1e-12))
    for _ in range(_HALVINGS):
        with suppress(SynthesisError):
            found = organ_of_code(organ, shape.code.astype(np.float64) + step)
            if found.features:
                return found
        step = step / 2
    return shape


def _sensitivity(organ: OrganModel, shape: Organ) -> np.ndarray:
    """Return the derivatives (2, code_size) of cross-section and lateral position by the code.

    The volume within the band changes by the integral of the normal motion over the surface there, the first moment by
    that integral weighted with the position.
    """
    surface, frame = shape.surface, organ.frame
    middle_mm = (frame.lower_mm[2] + frame.upper_mm[2]) / 2
    centres, area = surface.corners.mean(axis=1), np.linalg.norm(surface.scaled_normals, axis=1) / 2
    # The flat faces in which the organ ends at the box do not move.
    inside = np.all((centres > frame.lower_mm) & (centres < frame.upper_mm), axis=1)
    chosen = inside & (np.abs(centres[:, 2] - middle_mm) <= BAND_MM)
    points, area = centres[chosen], area[chosen]
    _, gradient, slope = Field(organ, shape.code).derivatives(frame.to_unit(points))
    steepness = np.maximum(np.linalg.norm(gradient, axis=1), 0.1) / frame.scale_mm[0]
    motion = -(area / steepness)[:, None] * slope
    section, lateral = (shape.features[name] for name in organ.feature_names)
    height = np.ptp(points[:, 2]) if len(points) else 1.0
    volume = section * height
    return np.stack([motion.sum(axis=0) / height, (points[:, 0] - lateral) @ motion / volume])
