"""Generated thyroids compared with the cohort and with their targets (paper, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ThyroidSynthLib.generation.thyroid import GeneratedThyroid
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.model.trained_model import TrainedModel

from .statistics import Agreement, agreement, compare_distributions, share_interval

METHOD_LABELS = {"direct_sampling": "direct sampling", "to_target": "steering to target"}


def features_of(thyroids: Sequence[GeneratedThyroid]) -> np.ndarray:
    """Return the measured features (n, 3) in the order of `FEATURE_NAMES`."""
    return np.array([thyroid.thyroid.measured.as_array() for thyroid in thyroids]).reshape(-1, 3)


def targets_of(thyroids: Sequence[GeneratedThyroid]) -> dict[str, np.ndarray]:
    """Return the target values (n,) of each feature for which every thyroid has a target."""
    names = [name for name in FEATURE_NAMES if all(name in thyroid.targets.as_dict() for thyroid in thyroids)]
    return {name: np.array([thyroid.targets.as_dict()[name] for thyroid in thyroids]) for name in names}


def target_agreement(
    model: TrainedModel, thyroids: Sequence[GeneratedThyroid], *, seed: int = 0
) -> dict[str, Agreement]:
    """Compare target and measured values of each feature for which every thyroid has a target."""
    if not thyroids:
        return {}
    measured = dict(zip(FEATURE_NAMES, features_of(thyroids).T, strict=True))
    sd = dict(zip(FEATURE_NAMES, model.features.std(axis=0).tolist(), strict=True))
    return {
        name: agreement(targets, measured[name], cohort_sd=sd[name], seed=seed)
        for name, targets in targets_of(thyroids).items()
    }


def distribution_summary(model: TrainedModel, thyroids: Sequence[GeneratedThyroid]) -> dict[str, Any]:
    """Compare the distribution of each feature with that of the training cohort."""
    measured = features_of(thyroids)
    return {
        name: compare_distributions(model.features[:, column], measured[:, column])
        for column, name in enumerate(FEATURE_NAMES)
    }


def validity_summary(thyroids: Sequence[GeneratedThyroid]) -> dict[str, Any]:
    """Return how many draws gave a valid surface.

    A draw without a valid surface is repeated, so the share among all draws describes the model; the share among
    the thyroids kept in the end does not.
    """
    draws = sum(thyroid.attempts for thyroid in thyroids)
    valid = sum(thyroid.thyroid.validity.ok for thyroid in thyroids)
    return {
        "thyroids": len(thyroids),
        "valid": valid,
        "draws": draws,
        "share_of_draws": valid / draws,
        "share_of_draws_interval": share_interval(valid, draws),
        "two_components": sum(thyroid.thyroid.validity.components == 2 for thyroid in thyroids),
    }


def thyroid_rows(thyroids: Sequence[GeneratedThyroid], method: str) -> list[dict[str, Any]]:
    """Return targets and measured features as rows of a table."""
    return [
        {
            "method": method,
            "seed": thyroid.seed,
            "index": thyroid.index,
            "attempts": thyroid.attempts,
            **{f"target_{name}": getattr(thyroid.targets, name) for name in FEATURE_NAMES},
            **thyroid.thyroid.measured.as_dict(),
            "components": thyroid.thyroid.validity.components,
            "valid": thyroid.thyroid.validity.ok,
        }
        for thyroid in thyroids
    ]
