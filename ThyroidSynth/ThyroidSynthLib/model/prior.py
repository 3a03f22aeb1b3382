"""The distribution of plausible latent codes and features, and random draws from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.geometry.targets import NO_TARGETS, Targets

from .trained_model import TrainedModel

# Width of the kernel around a training case, in cohort SDs, when features are drawn near it.
_KERNEL_SD = 0.15
# Width of the kernel that weighs training cases by the distance of their features from the targets, in cohort SDs.
_NEARNESS_SD = 0.35


@dataclass(frozen=True)
class CodePrior:
    """A normal distribution of trainable codes, given the fixed code.

    Attributes
    ----------
    slope : ndarray, shape (n_fixed, k)
        Slope of the mean over the fixed code; zero for the paper's independent normals.
    intercept : ndarray, shape (k,)
        Mean at a fixed code of zero.
    factor : ndarray, shape (k, k)
        Cholesky factor of the covariance.
    asymmetry : Asymmetry or None
        Length of the mirrored part of the code, if the model has mirrored dimensions.
    """

    slope: np.ndarray
    intercept: np.ndarray
    factor: np.ndarray
    asymmetry: Asymmetry | None = None

    @classmethod
    def independent(cls, fixed: np.ndarray, trainable: np.ndarray) -> CodePrior:
        """Fit one normal per dimension, independent of the features: as published (paper, section 2.4)."""
        slope = np.zeros((fixed.shape[1], trainable.shape[1]))
        return cls(slope, trainable.mean(axis=0), np.diag(trainable.std(axis=0) + 1e-9))

    @classmethod
    def conditional(cls, fixed: np.ndarray, trainable: np.ndarray, mirrored_size: int = 0) -> CodePrior:
        """Fit a joint normal of the trainable dimensions, with a mean that depends linearly on the fixed code.

        The trainable code is never independent of the features. If it is drawn independently, it contradicts the
        fixed code, and the shape lies between the two.

        The last `mirrored_size` dimensions hold the asymmetry and change sign under mirroring. A gland and its mirror
        image are equally likely, so these dimensions have mean 0 and no covariance with the others. The features
        determine their length, but not their direction.
        """
        slope, intercept = _regress(fixed, trainable)
        kept = trainable.shape[1] - mirrored_size
        slope[:, kept:], intercept[kept:] = 0.0, 0.0
        covariance = mirror_covariance(trainable - fixed @ slope - intercept, mirrored_size)
        asymmetry = Asymmetry.fit(fixed, trainable, mirrored_size) if mirrored_size else None
        return cls(slope, intercept, np.linalg.cholesky(covariance), asymmetry)

    def mean(self, fixed: np.ndarray) -> np.ndarray:
        """Return the most likely trainable code (k,) for a fixed code (n_fixed,)."""
        return fixed @ self.slope + self.intercept

    def draw(self, fixed: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw a trainable code (k,) for a fixed code (n_fixed,)."""
        code = self.mean(fixed) + self.factor @ rng.standard_normal(len(self.intercept))
        return code if self.asymmetry is None else self.asymmetry.rescaled(code, fixed)


@dataclass(frozen=True)
class Asymmetry:
    """The length of the mirrored part of a code, its last `size` dimensions; its logarithm is linear in the fixed code.

    The length is not random: codes of one length differ in symmetry already, by their direction.
    """

    size: int
    slope: np.ndarray
    intercept: float

    @classmethod
    def fit(cls, fixed: np.ndarray, trainable: np.ndarray, size: int) -> Asymmetry:
        """Regress the lengths of the training codes (n, k) on their fixed codes (n, n_fixed)."""
        length = np.log(np.linalg.norm(trainable[:, -size:], axis=1) + 1e-9)
        slope, intercept = _regress(fixed, length[:, None])
        return cls(size, slope[:, 0], float(intercept[0]))

    def rescaled(self, code: np.ndarray, fixed: np.ndarray) -> np.ndarray:
        """Scale the mirrored part of a trainable code (k,) to the length for a fixed code."""
        odd = code[-self.size :]
        length = np.exp(fixed @ self.slope + self.intercept)
        return np.concatenate([code[: -self.size], odd * length / (np.linalg.norm(odd) + 1e-12)])


def prior_of(model: TrainedModel) -> CodePrior:
    """Fit the prior that a model's settings name to its latent table."""
    fixed = model.conditioning.encode(model.features)
    table = model.latent_table.astype(np.float64)
    if model.settings.prior != "independent":
        return CodePrior.conditional(fixed, table, model.settings.mirrored_size)
    return CodePrior.independent(fixed, table)


def _regress(fixed: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return slope (n_fixed, m) and intercept (m,) of values (n, m), by least squares with a slight ridge."""
    design = np.hstack([fixed, np.ones((len(fixed), 1))])
    ridge = 1e-3 * len(fixed) * np.eye(design.shape[1])
    ridge[-1, -1] = 0.0
    coefficients = np.linalg.solve(design.T @ design + ridge, design.T @ values)
    return coefficients[:-1], coefficients[-1]


def mirror_covariance(centred: np.ndarray, mirrored_size: int) -> np.ndarray:
    """Estimate the covariance of centred samples (n, k) whose last dimensions change sign under mirroring."""
    if mirrored_size == 0:
        return shrunk_covariance(centred)
    kept = centred.shape[1] - mirrored_size
    covariance = np.zeros((centred.shape[1], centred.shape[1]))
    covariance[:kept, :kept] = shrunk_covariance(centred[:, :kept])
    covariance[kept:, kept:] = shrunk_covariance(centred[:, kept:])
    return covariance


def shrunk_covariance(samples: np.ndarray) -> np.ndarray:
    """Estimate the covariance of centred samples (n, k), invertible even for n < k.

    The off-diagonal entries shrink towards 0 by the share that minimises the expected error
    (Schäfer and Strimmer, Stat. Appl. Genet. Mol. Biol. 2005, target D). Own code, because Slicer has no scikit-learn.
    """
    count = len(samples)
    scale = np.sqrt(np.mean(samples**2, axis=0)) + 1e-12
    standard = samples / scale
    products = standard[:, :, None] * standard[:, None, :]
    correlation = products.mean(axis=0)
    variance = ((products - correlation) ** 2).sum(axis=0) * count / max(count - 1, 1) ** 3
    off = ~np.eye(samples.shape[1], dtype=bool)
    total = np.sum(correlation[off] ** 2)
    share = float(np.clip(variance[off].sum() / total, 0.01, 1.0)) if total > 0 else 1.0
    correlation[off] *= 1.0 - share
    np.fill_diagonal(correlation, 1.0)
    return correlation * np.outer(scale, scale)


def draw_features(model: TrainedModel, rng: np.random.Generator, targets: Targets = NO_TARGETS) -> np.ndarray:
    """Draw features (3,) from the training cohort's joint distribution, given targets, which are kept.

    A training case is drawn, with a higher probability the nearer its features are to the targets. The features
    without a target are those of the case, with a little noise. An absent isthmus stays absent.
    """
    given = targets.as_array()
    spread = model.features.std(axis=0) + 1e-9
    log_weight = np.zeros(len(model.features))
    for column in np.flatnonzero(~np.isnan(given)):
        distance = np.abs(model.features[:, column] - given[column]) / spread[column]
        # Relative to the nearest case, so that a target outside the cohort has neighbours too.
        log_weight -= 0.5 * ((distance - distance.min()) / _NEARNESS_SD) ** 2
    # Scaled by the largest weight, so that the sum is not 0 if no case is near all targets.
    weight = np.exp(log_weight - log_weight.max())
    row = rng.choice(len(model.features), p=weight / weight.sum())
    noise = rng.standard_normal(3) * _KERNEL_SD * spread
    area = model.features[row, 1]
    smallest = model.features.min(axis=0)
    drawn = np.maximum(model.features[row] + noise, [smallest[0], 0.5 * area, smallest[2]])
    drawn[1] = drawn[1] if area > 0 else 0.0
    drawn[2] = min(drawn[2], 1.0)
    return np.where(np.isnan(given), drawn, given)
