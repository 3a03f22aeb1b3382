"""Targets and starts that a user gives for a thyroid: what is refused, and what is warned of."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.targets import Targets

from .shape import EditedShape, Shape

if TYPE_CHECKING:
    from ThyroidSynthLib.model.trained_model import TrainedModel

logger = logging.getLogger(__name__)


def targets_for(
    trained: TrainedModel, volume_ml: float | None, isthmus_area_mm2: float | None, symmetry: float | None
) -> Targets:
    """Return targets for thyroids of a model, and log a warning if they are unlike its training cases.

    Raises
    ------
    InputError
        A target is impossible.
    """
    from ThyroidSynthLib.generation.steer.feature_space import FeatureSpace

    targets = Targets(volume_ml, isthmus_area_mm2, symmetry)
    if unlike := FeatureSpace(trained.features).unlike(targets.as_array()):
        logger.warning("The targets are %s.", unlike)
    return targets


def check_steering(trained: TrainedModel, start: Shape | None, targets: Targets) -> None:
    """Check that a start, if there is one, can be steered to targets.

    Raises
    ------
    InputError
        There is no target, or the start is not of this model.
    """
    if not targets:
        raise InputError("There is no target. Give volume_ml, isthmus_area_mm2 or symmetry, or use sample().")
    if start is not None and (isinstance(start, EditedShape) or start.thyroid.code.shape != (trained.code_size,)):
        raise InputError("The start is not a shape of this model. Use edit() for a patient's own thyroid.")
