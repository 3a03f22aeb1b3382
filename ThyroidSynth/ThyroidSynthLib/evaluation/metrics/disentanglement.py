"""How well the trainable codes predict the features; in a disentangled model they do not predict them.

A ridge regression on the trainable codes predicts each feature of the cases left out of the fit. The null distribution
comes from the features permuted among the cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.model.trained_model import TrainedModel

_FOLDS = 10
_RIDGES = (1.0, 10.0, 100.0, 1000.0)


@dataclass(frozen=True)
class Predictability:
    """How well one feature is predicted from the trainable codes."""

    r2: float  # cross-validated; 0 or less means that the codes do not predict the feature
    null: np.ndarray  # (permutations,): R² of the permuted feature

    @property
    def p(self) -> float:
        """P value of the permutation test; the feature itself counts as one permutation."""
        return float((1 + (self.null >= self.r2).sum()) / (1 + len(self.null)))

    def as_dict(self) -> dict[str, float]:
        """Return the numbers for a JSON file."""
        return {
            "r2": self.r2,
            "null_mean": float(self.null.mean()),
            "null_95": float(np.percentile(self.null, 95)),
            "p": self.p,
        }


def predict_features(model: TrainedModel, *, permutations: int = 200, seed: int = 0) -> dict[str, Predictability]:
    """Predict each feature that varies from the trainable codes; empty for fewer than two cases per fold.

    In a model with mirrored dimensions the norm of the mirrored part of the code is an additional predictor: a gland
    and its mirror image have codes of opposite sign there, so no linear function of them can predict symmetry.
    """
    codes = model.latent_table.astype(np.float64)
    mirrored = model.settings.mirrored_size
    if mirrored:
        norm = np.log(np.linalg.norm(codes[:, -mirrored:], axis=1) + 1e-9)
        codes = np.column_stack([codes, norm])
    if len(codes) < 2 * _FOLDS:
        return {}
    rng = np.random.default_rng(seed)
    found = {}
    for name, feature in zip(FEATURE_NAMES, model.features.T, strict=True):
        if np.ptp(feature) == 0:
            continue
        permuted = np.stack([rng.permutation(feature) for _ in range(permutations)], axis=1)
        r2 = cross_validated_r2(codes, np.column_stack([feature, permuted]), rng.permutation(len(codes)))
        found[name] = Predictability(float(r2[0]), r2[1:])
    return found


def cross_validated_r2(predictors: np.ndarray, responses: np.ndarray, case_order: np.ndarray) -> np.ndarray:
    """Predict responses (n, t) from predictors (n, p) by ridge regression and return the R² of each, shape (t,).

    The cases are assigned to the folds in `case_order` (n,). The best ridge is chosen for each response, which favours
    the permuted ones just as much.
    """
    # Own ridge regression: one SVD per fold serves all responses and ridges, and scikit-learn is no dependency.
    predicted = np.zeros((len(_RIDGES), *responses.shape))
    for fold in range(_FOLDS):
        held_out = case_order[fold::_FOLDS]
        kept = np.setdiff1d(case_order, held_out)
        mean, sd = predictors[kept].mean(axis=0), predictors[kept].std(axis=0) + 1e-12
        inside, outside = (predictors[kept] - mean) / sd, (predictors[held_out] - mean) / sd
        centre = responses[kept].mean(axis=0)
        left, values, right = np.linalg.svd(inside, full_matrices=False)
        for index, ridge in enumerate(_RIDGES):
            weights = (values / (values**2 + ridge))[:, None] * (left.T @ (responses[kept] - centre))
            predicted[index, held_out] = centre + outside @ (right.T @ weights)
    error = ((predicted - responses) ** 2).sum(axis=1)
    return 1.0 - error.min(axis=0) / ((responses - responses.mean(axis=0)) ** 2).sum(axis=0)


def disentanglement_summary(found: dict[str, Predictability]) -> dict[str, Any]:
    """Return the numbers of all features for a JSON file."""
    return {
        "folds": _FOLDS,
        "permutations": max((len(each.null) for each in found.values()), default=0),
        "features": {name: each.as_dict() for name, each in found.items()},
    }
