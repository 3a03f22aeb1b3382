"""Drawing the latent code of a random thyroid with given features."""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.model.feature_map import FeatureMap
from ThyroidSynthLib.model.prior import CodePrior
from ThyroidSynthLib.model.trained_model import TrainedModel

_ROUNDS = 8
# Stops where a round changes the code by less than this, in SDs.
_SMALL_STEP = 1e-2
# The predictions of the feature map are matched to this share of their own error; a closer match would only make
# the code less likely.
_SHARE_OF_ERROR = 0.3


def draw_code(model: TrainedModel, prior: CodePrior, features: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a whole latent code (code_size,) for features (3,) in the order of `FEATURE_NAMES`.

    The features become the condition and the trainable part is drawn from the prior. If the model has a
    feature map, the trainable part is then moved to the most likely code near it for which the map predicts
    the features. No surface is decoded.
    """
    fixed = model.conditioning.encode(features)[0]
    code = np.concatenate([fixed, prior.draw(fixed, rng)])
    if model.feature_map is None:
        return code
    return _moved(model.feature_map, prior, code, len(fixed), features)


def _moved(
    feature_map: FeatureMap, prior: CodePrior, drawn: np.ndarray, fixed_size: int, features: np.ndarray
) -> np.ndarray:
    """Return the most likely code near the drawn one whose predicted features match (Gauss-Newton)."""
    volume, area, symmetry = features
    target = feature_map.standardised(volume, area, symmetry)
    covariance = prior.factor @ prior.factor.T
    tolerance = np.diag((_SHARE_OF_ERROR * feature_map.error) ** 2)
    code = drawn.copy()
    for _ in range(_ROUNDS):
        predicted, jacobian = feature_map(code)
        error, slope = predicted - target, jacobian[:, fixed_size:]
        if area == 0:
            # Any gap between the lobes is enough, if it is wide enough for the map to be certain of it.
            error[1] = max(error[1] + feature_map.error[1], 0.0)
            if error[1] == 0.0:
                slope = slope * np.array([[1.0], [0.0], [1.0]])
        spread = covariance @ slope.T
        moved = (code - drawn)[fixed_size:]
        gain = np.linalg.solve(slope @ spread + tolerance + 1e-9 * np.eye(3), error - slope @ moved)
        change = -spread @ gain - moved
        code[fixed_size:] += change
        if np.linalg.norm(np.linalg.solve(prior.factor, change)) < _SMALL_STEP:
            break
    return code
