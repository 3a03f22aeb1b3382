"""How anatomical features become the fixed part of a latent code.

Raw features lie between 0 and 0.5 in the authors' units and were absorbed by the trainable code;
a network only listens to inputs of ordinary size, so every scheme here is standardised over the
cohort (see trap 2 in the method's notes).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


def _none(features: np.ndarray) -> np.ndarray:
    return np.empty((len(features), 0))


def _linear(features: np.ndarray) -> np.ndarray:
    """Volume, isthmus area and symmetry as they are: the paper's 3-vector."""
    return features


def _anatomical(features: np.ndarray) -> np.ndarray:
    """Log volume; isthmus present?; isthmus area; symmetry.

    Volumes are log-normal, and a third of a cohort has no isthmus at all: one number for "how much"
    cannot also say "whether".
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

    Attributes
    ----------
    scheme : str
        A name in `SCHEMES`; "none" for the `baseline` variant.
    mean, sd : ndarray, shape (n_fixed,)
        Standardisation of the encoded features over the training cohort.
    """

    scheme: str
    mean: np.ndarray
    sd: np.ndarray

    @classmethod
    def fit(cls, scheme: str, features: np.ndarray) -> Conditioning:
        """Standardise over the training features (n, 3), in the order of `FEATURE_NAMES`."""
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
