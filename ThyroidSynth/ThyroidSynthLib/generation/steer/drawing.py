"""Drawing the code of a random thyroid that shall have given features."""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.model.feature_map import FeatureMap
from ThyroidSynthLib.model.prior import CodePrior
from ThyroidSynthLib.model.shape_model import ShapeModel

_ROUNDS = 8
# Stops where a round changes the code by less than this, in SDs.
_SMALL_STEP = 1e-2
# The map's guesses are met to this share of their own error: nearer says nothing, and costs plausibility.
_SHARE_OF_ERROR = 0.3


def draw_code(model: ShapeModel, prior: CodePrior, features: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a whole code (code_size,) for features (3,) in the order of `FEATURE_NAMES`.

    The condition is set and the rest drawn from the prior. Where the model knows what its codes come to
    (`ShapeModel.feature_map`), the drawn part is moved, as little as the prior finds unlikely, to where the
    features are expected to be those asked for. No surface is made.
    """
    fixed = model.conditioning.encode(features)[0]
    code = np.concatenate([fixed, prior.draw(fixed, rng)])
    if model.feature_map is None:
        return code
    return _moved(model.feature_map, prior, code, len(fixed), features)


def _moved(
    feature_map: FeatureMap, prior: CodePrior, drawn: np.ndarray, fixed_size: int, features: np.ndarray
) -> np.ndarray:
    """Find the most likely code near the drawn one that the map expects to have the features (Gauss-Newton)."""
    volume, area, symmetry = features
    wanted = feature_map.standardised(volume, area, symmetry)
    covariance = prior.factor @ prior.factor.T
    tolerance = np.diag((_SHARE_OF_ERROR * feature_map.error) ** 2)
    code = drawn.copy()
    for _ in range(_ROUNDS):
        guessed, jacobian = feature_map(code)
        error, slope = guessed - wanted, jacobian[:, fixed_size:]
        if area == 0:
            # Without an isthmus any gap will do, if it is wide enough for the map to be sure of it.
            error[1] = max(error[1] + feature_map.error[1], 0.0)
        if error[1] == 0.0 and area == 0:
            slope = slope * np.array([[1.0], [0.0], [1.0]])
        spread = covariance @ slope.T
        away = (code - drawn)[fixed_size:]
        gain = np.linalg.solve(slope @ spread + tolerance + 1e-9 * np.eye(3), error - slope @ away)
        change = -spread @ gain - away
        code[fixed_size:] += change
        if np.linalg.norm(np.linalg.solve(prior.factor, change)) < _SMALL_STEP:
            break
    return code
