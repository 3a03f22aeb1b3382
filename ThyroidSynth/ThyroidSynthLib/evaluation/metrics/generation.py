"""How generated thyroids compare with the cohort, and with what was asked of them (paper, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ThyroidSynthLib.generation.thyroid import Thyroid
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.model.shape_model import ShapeModel

from .statistics import Agreement, agreement, compare_distributions, rate_interval


def features_of(thyroids: Sequence[Thyroid]) -> np.ndarray:
    """Measured features (n, 3) in the order of `FEATURE_NAMES`."""
    return np.array([thyroid.measured.as_array() for thyroid in thyroids]).reshape(-1, 3)


def targets_of(thyroids: Sequence[Thyroid]) -> dict[str, np.ndarray]:
    """Values (n,) asked for, by feature, of those features that were asked of every thyroid."""
    names = [name for name in FEATURE_NAMES if all(name in thyroid.targets for thyroid in thyroids)]
    return {name: np.array([thyroid.targets[name] for thyroid in thyroids]) for name in names}


def steering_agreement(model: ShapeModel, thyroids: Sequence[Thyroid], *, seed: int = 0) -> dict[str, Agreement]:
    """Compare asked with measured features, for each that was asked for."""
    measured = features_of(thyroids)
    result = {}
    for name, targets in targets_of(thyroids).items():
        column = FEATURE_NAMES.index(name)
        sd = float(model.features[:, column].std())
        result[name] = agreement(targets, measured[:, column], cohort_sd=sd, seed=seed)
    return result


def distribution_summary(model: ShapeModel, thyroids: Sequence[Thyroid]) -> dict[str, Any]:
    """Compare each feature's distribution with that of the training cohort."""
    measured = features_of(thyroids)
    return {
        name: compare_distributions(model.features[:, column], measured[:, column]).as_dict()
        for column, name in enumerate(FEATURE_NAMES)
    }


def validity_summary(thyroids: Sequence[Thyroid]) -> dict[str, Any]:
    """Say how many draws gave a sound surface.

    A draw that did not was replaced by the next one, so what matters of a model is the share among all
    draws, not the share among the thyroids that came out in the end.
    """
    draws = sum(thyroid.attempts for thyroid in thyroids)
    valid = sum(thyroid.validity.ok for thyroid in thyroids)
    return {
        "thyroids": len(thyroids),
        "valid": valid,
        "draws": draws,
        "share_of_draws": valid / draws,
        "share_of_draws_interval": rate_interval(valid, draws),
        "two_pieces": sum(thyroid.validity.components == 2 for thyroid in thyroids),
    }


def thyroid_rows(thyroids: Sequence[Thyroid], method: str) -> list[dict[str, Any]]:
    """Give asked and measured features as rows of a table."""
    return [
        {
            "method": method,
            "seed": thyroid.seed,
            "index": thyroid.index,
            "attempts": thyroid.attempts,
            **{f"target_{name}": thyroid.targets.get(name) for name in FEATURE_NAMES},
            **thyroid.measured.as_dict(),
            "components": thyroid.validity.components,
            "valid": thyroid.validity.ok,
        }
        for thyroid in thyroids
    ]
