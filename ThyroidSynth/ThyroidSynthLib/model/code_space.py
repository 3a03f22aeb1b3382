"""The joint normal distribution of a model's training codes, and the plausibility of a code in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .prior import mirror_covariance
from .trained_model import TrainedModel


@dataclass(frozen=True)
class CodeSpace:
    """The joint normal distribution of the training codes, fixed and trainable dimensions together.

    Mean (code_size,), covariance and its inverse, the precision, each of shape (code_size, code_size).
    """

    mean: np.ndarray
    covariance: np.ndarray
    precision: np.ndarray

    @classmethod
    def of(cls, model: TrainedModel) -> CodeSpace:
        """Fit the distribution to a model's training codes."""
        return cls.of_codes(model.codes.astype(np.float64), model.settings.mirrored_size)

    @classmethod
    def of_codes(cls, codes: np.ndarray, mirrored: int = 0) -> CodeSpace:
        """Fit the distribution to codes (n, code_size); the last `mirrored` dimensions change sign under mirroring."""
        mean = codes.mean(axis=0)
        if mirrored:
            mean[-mirrored:] = 0.0
        covariance = mirror_covariance(codes - mean, mirrored)
        return cls(mean, covariance, np.linalg.inv(covariance))

    def length(self, offset: np.ndarray) -> float:
        """Compute the Mahalanobis length of a difference of codes (code_size,), in SDs."""
        offset = np.asarray(offset, dtype=np.float64)
        return float(np.sqrt(offset @ self.precision @ offset))

    def distance(self, code: np.ndarray) -> float:
        """Compute the distance of a code from the mean, in SDs per dimension: about 1 for a training code."""
        return self.length(np.asarray(code, dtype=np.float64) - self.mean) / np.sqrt(len(self.mean))
