"""How some numbers of a case depend on others, learned from few cases: a linear mean and a normal distribution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.model.prior import mirror_covariance

# Weights of the ridge that are tried for each number, in the largest variance of the known ones; with the last one it
# does not depend on them.
_RIDGES = np.array([0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, np.inf])
_FOLDS = 5
# Standard errors by which a dependence must improve the predictions.
_CHANCE_SE = 2.0
# Fewer cases show no dependence.
_FEWEST_CASES = 20


@dataclass(frozen=True)
class Dependence:
    """The distribution of numbers (n,) given others (m,).

    Attributes
    ----------
    known_mean : ndarray, shape (m,)
    mean : ndarray, shape (n,)
        Expected where the known numbers have their mean.
    gain : ndarray, shape (n, m)
        Change of the expected numbers with the known ones.
    covariance : ndarray, shape (n, n)
        Of the deviation from the expected numbers.
    """

    known_mean: np.ndarray
    mean: np.ndarray
    gain: np.ndarray
    covariance: np.ndarray

    @classmethod
    def fit(cls, known: np.ndarray, unknown: np.ndarray, mirrored_size: int = 0) -> Dependence:
        """Fit to cases: known (cases, m) and unknown (cases, n) numbers, the known ones in the same unit.

        The cases are few and the numbers many, so the regression has a ridge. For each unknown number its weight is the
        one that predicts left-out cases best; so a number that shows no dependence has none, and one that depends
        strongly is not shrunk for the others' sake. The last `mirrored_size` unknown numbers change
        sign under mirroring; see `prior.mirror_covariance`.
        """
        known, unknown = np.asarray(known, dtype=np.float64), np.asarray(unknown, dtype=np.float64)
        known_mean, mean = known.mean(axis=0), unknown.mean(axis=0)
        spread = float(known.std(axis=0).max(initial=0.0))
        gain, residual = np.zeros((unknown.shape[1], known.shape[1])), unknown - mean
        if len(known) >= _FEWEST_CASES and spread > 0:
            scaled = (known - known_mean) / spread
            chosen, residual = _best_ridges(scaled, unknown)
            gain = _ridge_gains(scaled, unknown - mean)[chosen, :, np.arange(unknown.shape[1])] / spread
        return cls(known_mean, mean, gain, mirror_covariance(residual, mirrored_size))

    def expected(self, known: np.ndarray) -> np.ndarray:
        """Return the expected numbers (n,) given the known ones (m,)."""
        return self.mean + self.gain @ (np.asarray(known, dtype=np.float64) - self.known_mean)

    def draw(self, known: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw the numbers (n,) given the known ones (m,)."""
        return self.expected(known) + np.linalg.cholesky(self.covariance) @ rng.standard_normal(len(self.mean))


def _ridge_gains(scaled: np.ndarray, centred: np.ndarray) -> np.ndarray:
    """Return the slopes (ridges, m, n) of centred numbers (cases, n) over scaled ones, for each ridge."""
    left, lengths, right = np.linalg.svd(scaled, full_matrices=False)
    shares = lengths / (lengths**2 + _RIDGES[:, None] * len(scaled))
    return np.einsum("rm,dr,rn->dmn", right, shares, left.T @ centred)


def _best_ridges(scaled: np.ndarray, unknown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the ridges predicts each unknown number of left-out cases best, shape (n,).

    Also returns the errors (cases, n) of these predictions: those of cases that a regression was fitted to are smaller
    than the deviation of a new case. A dependence counts only if it improves the predictions beyond chance.
    """
    fold = np.arange(len(scaled)) % _FOLDS
    error = np.zeros((len(_RIDGES), *unknown.shape))
    for number in range(_FOLDS):
        train, test = fold != number, fold == number
        middle, mean = scaled[train].mean(axis=0), unknown[train].mean(axis=0)
        gains = _ridge_gains(scaled[train] - middle, unknown[train] - mean)
        error[:, test] = unknown[test] - mean - np.einsum("cm,dmn->dcn", scaled[test] - middle, gains)
    squares = error**2
    improvement = squares[-1] - squares
    chance = _CHANCE_SE * improvement.std(axis=1) / np.sqrt(len(scaled))
    best = (improvement.mean(axis=1) - chance).argmax(axis=0)
    return best, np.take_along_axis(error, best[None, None, :], axis=0)[0]
