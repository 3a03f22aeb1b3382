"""Fitting a feature map: the features that a trained model's latent codes really have.

A trained model follows its condition only approximately. Random thyroids are decoded and measured; each gives
three features and, by exact shape derivatives, their change along every dimension of the code, so some hundred
surfaces are enough to fit the map.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, part_of, silent
from ThyroidSynthLib.generation.shapes import ModelShapes
from ThyroidSynthLib.model.prior import draw_features, prior_of
from ThyroidSynthLib.model.trained_model import TrainedModel

from .drawing import draw_code

if TYPE_CHECKING:
    from .map_fitting import Sample

logger = logging.getLogger(__name__)

DRAWS = 600
# If fewer than half of the first draws are valid, the model needs more training.
_FIRST_DRAWS = 20
# Features hardly depend on the grid, so surfaces are decoded on a coarser one than usual.
_RESOLUTION = 48
# The first share of the draws comes from the prior, the others from the map fitted to them, so that the final map
# is best where it is used.
_FIRST_SHARE = 0.6


def calibrated(
    model: TrainedModel,
    *,
    draws: int = DRAWS,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> TrainedModel:
    """Return a model with a feature map, if its settings have the prior "measured"; otherwise the model itself.

    The map is fitted to `draws` surfaces and deterministic. A model most of whose random codes have no valid surface
    gets none.
    """
    if model.settings.prior != "measured" or not model.conditioning.size:
        return model
    # Only fitting needs PyTorch: a job that checks cases imports this file, too.
    from .map_fitting import fitted

    rng = np.random.default_rng([model.settings.seed, 3])
    samples: list[Sample] = []
    first = round(draws * _FIRST_SHARE)
    if not _sample(model, samples, first, rng, part_of(progress, 0.0, 0.5), should_stop):
        logger.warning("Most random codes have no valid surface, so no feature map is fitted. Train for longer.")
        return model
    model = replace(model, feature_map=fitted(samples, model.settings.seed))
    _sample(model, samples, draws - first, rng, part_of(progress, 0.5, 0.8), should_stop)
    progress(0.8, "Fitting the feature map")
    return replace(model, feature_map=fitted(samples, model.settings.seed))


def _sample(
    model: TrainedModel,
    samples: list[Sample],
    draws: int,
    rng: np.random.Generator,
    progress: ProgressCallback,
    should_stop: ShouldStop,
) -> bool:
    """Add random thyroids of a model to the samples; return False if few of the first ones are valid."""
    shapes, prior = ModelShapes(model), prior_of(model)
    for number in range(draws):
        check(should_stop)
        if number == _FIRST_DRAWS and len(samples) < _FIRST_DRAWS / 2:
            return False
        progress(number / draws, f"Measuring random thyroid {number + 1} of {draws}")
        code = draw_code(model, prior, draw_features(model, rng), rng)
        try:
            thyroid = shapes.thyroid(code, resolution=_RESOLUTION)
        except SynthesisError:
            continue
        if not thyroid.validity.ok:
            continue
        local = shapes.sensitivity(thyroid)
        volume, area, symmetry = local.values
        outputs = np.array([np.log(volume), area, symmetry])
        samples.append((code, outputs, local.jacobian / np.array([[volume], [1.0], [1.0]])))
    return True
