"""Distributions of one feature that may be asked for, written as in ``lognormal(2.7, 0.35)``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ThyroidSynthLib.common.errors import InputError

COHORT = "cohort"
_PARAMETERS = {
    COHORT: (),
    "normal": ("mean", "standard deviation"),
    "lognormal": ("mean of the logarithm", "standard deviation of the logarithm"),
    "uniform": ("lowest", "highest"),
    "fixed": ("value",),
}
KINDS = tuple(_PARAMETERS)
FORMS = "cohort, normal(mean, sd), lognormal(mean of the logarithm, its sd), uniform(lowest, highest), or one number"

_LIMITS = {"volume_ml": (0.0, math.inf), "isthmus_area_mm2": (0.0, math.inf), "symmetry": (0.0, 1.0)}
# A distribution that has less than this share where a feature can be at all was meant otherwise.
_LEAST_SHARE = 0.01
_STANDARD = NormalDist()


@dataclass(frozen=True)
class Marginal:
    """How one feature is to be distributed.

    Attributes
    ----------
    kind : str
        One of `KINDS`: as in the training cohort, normal, log-normal, uniform, or one value for all.
    parameters : tuple of float
        Of the distribution, in the feature's unit; those of ``lognormal`` are the mean and standard
        deviation of the natural logarithm.
    """

    kind: str = COHORT
    parameters: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in _PARAMETERS:
            raise InputError(f"There is no distribution '{self.kind}'. Write {FORMS}.")
        names = _PARAMETERS[self.kind]
        if len(self.parameters) != len(names):
            needs = f"takes {' and '.join(names)}" if names else "takes no numbers"
            raise InputError(f"The distribution '{self.kind}' {needs}. Write {FORMS}.")
        if not all(map(math.isfinite, self.parameters)):
            raise InputError(f"{self} has a number that is not finite. Write {FORMS}.")
        if self.kind in ("normal", "lognormal") and not self.parameters[1] > 0:
            raise InputError(f"{self} has no spread: the second number must be above 0. For one value write it alone.")
        if self.kind == "uniform" and not self.parameters[0] < self.parameters[1]:
            raise InputError(f"{self} is empty: the first number must be below the second.")

    @classmethod
    def parse(cls, text: str) -> Marginal:
        """Read a distribution such as ``normal(0.6, 0.08)``, ``uniform:0.4,0.8``, ``cohort`` or ``15``.

        The form with a colon needs no quotes in a shell.

        Raises
        ------
        InputError
            The text is no distribution; says what one looks like.
        """
        words = re.fullmatch(r"\s*([a-z-]+)\s*(?:\((.*)\)|:(.*))?\s*", text.lower())
        kind, inner = (words[1].replace("-", ""), words[2] or words[3]) if words else ("fixed", text)
        try:
            numbers = tuple(float(part) for part in inner.split(",")) if inner and inner.strip() else ()
        except ValueError:
            raise InputError(f"'{text}' is no distribution. Write {FORMS}.") from None
        return cls(kind, numbers)

    def __str__(self) -> str:
        if self.kind == "fixed":
            return f"{self.parameters[0]:.9g}"
        numbers = ", ".join(f"{value:.9g}" for value in self.parameters)
        return f"{self.kind}({numbers})" if numbers else self.kind

    def check(self, feature: str) -> None:
        """Refuse a distribution of values that the feature cannot have.

        Raises
        ------
        InputError
            Nearly all of it, or the one value, is impossible.
        """
        low, high = _LIMITS[feature]
        if self.kind == COHORT:
            return
        if self.kind == "fixed":
            value = self.parameters[0]
            possible = low < value <= high or (feature == "symmetry" and value == low)
        else:
            possible = float(np.subtract(*self._shares(feature)[::-1])) >= _LEAST_SHARE
        if not possible:
            allowed = "above 0" if high == math.inf else "between 0 and 1"
            hint = " For glands without one ask for the share without isthmus." if feature == "isthmus_area_mm2" else ""
            raise InputError(f"{feature} = {self} is impossible: values must be {allowed}.{hint}")

    def quantiles(self, share: np.ndarray, feature: str, cohort: np.ndarray) -> np.ndarray:
        """Give the values (n,) below which the shares (n,), between 0 and 1, of the distribution lie.

        Parameters
        ----------
        feature : str
            A distribution that goes beyond what the feature can be is cut there.
        cohort : ndarray, shape (m,)
            The feature in the training cohort, which ``cohort`` refers to.
        """
        if self.kind == COHORT:
            return np.quantile(cohort, share, method="hazen")
        if self.kind == "fixed":
            return np.full(len(share), self.parameters[0])
        first, last = self._shares(feature)
        inside = first + share * (last - first)
        a, b = self.parameters
        if self.kind == "uniform":
            return a + inside * (b - a)
        values = a + b * standard_scores(inside)
        return np.exp(values) if self.kind == "lognormal" else values

    def _shares(self, feature: str) -> tuple[float, float]:
        """Share of the distribution below the lowest and the highest value that the feature can have."""
        a, b = self.parameters
        shares = []
        for limit in _LIMITS[feature]:
            if self.kind == "uniform":
                shares.append(min(max((limit - a) / (b - a), 0.0), 1.0))
                continue
            if self.kind == "lognormal":
                limit = math.log(limit) if limit > 0 else -math.inf
            shares.append(_STANDARD.cdf((limit - a) / b))
        return shares[0], shares[1]


AS_IN_COHORT = Marginal()


def standard_scores(share: np.ndarray) -> np.ndarray:
    """Quantiles (n,) of the standard normal distribution for shares (n,) between 0 and 1, both excluded."""
    return np.array([_STANDARD.inv_cdf(value) for value in share])
