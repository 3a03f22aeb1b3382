"""How well the trainable code gives the features away: in a disentangled model it knows nothing of them.

A ridge regression on the trainable codes predicts each feature of cases it was not fitted to. The same is
done with the features shuffled among the cases, which is what knowing nothing looks like.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.model.shape_model import ShapeModel

_FOLDS = 10
_RIDGES = (1.0, 10.0, 100.0, 1000.0)


@dataclass(frozen=True)
class Predictability:
    """How well one feature is predicted from the trainable codes.

    Attributes
    ----------
    r2 : float
        Share of its variance that is predicted, in cross-validation; 0 or less is nothing.
    null : ndarray, shape (permutations,)
        The same with the feature shuffled.
    """

    r2: float
    null: np.ndarray

    @property
    def p(self) -> float:
        """Share of shuffled features that are predicted as well, itself counted."""
        return float((1 + (self.null >= self.r2).sum()) / (1 + len(self.null)))

    def as_dict(self) -> dict[str, float]:
        """Give the numbers for a JSON file."""
        return {
            "r2": self.r2,
            "null_mean": float(self.null.mean()),
            "null_95": float(np.percentile(self.null, 95)),
            "p": self.p,
        }


def predict_features(model: ShapeModel, *, permutations: int = 200, seed: int = 0) -> dict[str, Predictability]:
    """Predict each feature that varies from the trainable codes; nothing for fewer than two cases a fold.

    Of a model with mirrored dimensions the length of their part of the code is a predictor of its own: a
    gland and its mirror image have codes of opposite sign there, so that no linear function could see what
    they say of symmetry.
    """
    codes = model.latent_table.astype(np.float64)
    mirrored = model.settings.mirrored_size
    if mirrored:
        length = np.log(np.linalg.norm(codes[:, -mirrored:], axis=1) + 1e-9)
        codes = np.column_stack([codes, length])
    if len(codes) < 2 * _FOLDS:
        return {}
    rng = np.random.default_rng(seed)
    found = {}
    for name, feature in zip(FEATURE_NAMES, model.features.T, strict=True):
        if np.ptp(feature) == 0:
            continue
        shuffled = np.stack([rng.permutation(feature) for _ in range(permutations)], axis=1)
        r2 = cross_validated_r2(codes, np.column_stack([feature, shuffled]), rng.permutation(len(codes)))
        found[name] = Predictability(float(r2[0]), r2[1:])
    return found


def cross_validated_r2(predictors: np.ndarray, targets: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Predict targets (n, t) from predictors (n, p) by ridge regression; R² of each, shape (t,).

    The ridge that serves each target best is taken, which favours the shuffled ones just as much.

    Parameters
    ----------
    order : ndarray of int, shape (n,)
        The cases in the order in which they are dealt to the folds.
    """
    predicted = np.zeros((len(_RIDGES), *targets.shape))
    for fold in range(_FOLDS):
        out = order[fold::_FOLDS]
        kept = np.setdiff1d(order, out)
        mean, sd = predictors[kept].mean(axis=0), predictors[kept].std(axis=0) + 1e-12
        inside, outside = (predictors[kept] - mean) / sd, (predictors[out] - mean) / sd
        centre = targets[kept].mean(axis=0)
        left, values, right = np.linalg.svd(inside, full_matrices=False)
        for place, ridge in enumerate(_RIDGES):
            shrunk = (values / (values**2 + ridge))[:, None] * (left.T @ (targets[kept] - centre))
            predicted[place, out] = centre + outside @ (right.T @ shrunk)
    error = ((predicted - targets) ** 2).sum(axis=1)
    return 1.0 - error.min(axis=0) / ((targets - targets.mean(axis=0)) ** 2).sum(axis=0)


def disentanglement_summary(found: dict[str, Predictability]) -> dict[str, Any]:
    """Give the numbers of all features for a JSON file."""
    permutations = max((len(each.null) for each in found.values()), default=0)
    return {
        "folds": _FOLDS,
        "permutations": permutations,
        "features": {name: each.as_dict() for name, each in found.items()},
    }
