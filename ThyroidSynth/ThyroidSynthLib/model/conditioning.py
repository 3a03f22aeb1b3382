"""Encoding of anatomical features as the fixed part of a latent code.

Every encoding is standardised over the cohort. Features in the authors' units lie between 0 and 0.5; a network hardly
responds to inputs of that size, and the trainable code took their place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


def _none(features: np.ndarray) -> np.ndarray:
    return np.empty((len(features), 0))


def _linear(features: np.ndarray) -> np.ndarray:
    """Return volume, isthmus area and symmetry as they are: the paper's 3-vector."""
    return features


def _anatomical(features: np.ndarray) -> np.ndarray:
    """Return log volume, presence of the isthmus (0 or 1), isthmus area and symmetry.

    Volumes are log-normal. A third of a cohort has no isthmus, so its presence is a dimension beside its area.
    """
    volume, area, symmetry = features.T
    return np.stack([np.log(np.maximum(volume, 1e-3)), (area > 0).astype(float), area, symmetry], axis=1)


SCHEMES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": _none,
    "linear": _linear,
    "anatomical": _anatomical,
}


@dataclass(frozen=True)
class Conditioning:
    """A standardised encoding of features, fitted to a cohort.

    `scheme` is a name in `SCHEMES` ("none" for the `baseline` variant); `mean` and `sd` (n_fixed,) are those of the
    encoded features over the training cohort.
    """

    scheme: str
    mean: np.ndarray
    sd: np.ndarray

    @classmethod
    def fit(cls, scheme: str, features: np.ndarray) -> Conditioning:
        """Fit mean and SD to the training features (n, 3), in the order of `FEATURE_NAMES`."""
        encoded = SCHEMES[scheme](np.asarray(features, dtype=np.float64))
        sd = encoded.std(axis=0)
        return cls(scheme, encoded.mean(axis=0), np.where(sd > 1e-9, sd, 1.0))

    @property
    def size(self) -> int:
        """Number of fixed latent dimensions."""
        return len(self.mean)

    def encode(self, features: np.ndarray) -> np.ndarray:
        """Encode features (n, 3) in mL, mm² and 1 as fixed latent codes (n, n_fixed)."""
        encoded = SCHEMES[self.scheme](np.atleast_2d(np.asarray(features, dtype=np.float64)))
        return (encoded - self.mean) / self.sd
