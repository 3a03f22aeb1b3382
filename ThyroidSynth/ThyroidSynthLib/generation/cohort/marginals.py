"""Target distributions of one feature, written as in ``lognormal(2.7, 0.35)``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.text_files import number_of

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
# A distribution with less than this share in the possible range of a feature is taken for a mistake.
_LEAST_SHARE = 0.01


@dataclass(frozen=True)
class Marginal:
    """The target distribution of one feature; `InputError` if the parameters do not fit the kind.

    The kind is one of `KINDS`: as in the training cohort, normal, log-normal, uniform, or one value for all. Parameters
    are in the feature's unit; those of ``lognormal`` are the mean and standard deviation of the natural logarithm.
    """

    kind: str = COHORT
    parameters: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in _PARAMETERS:
            raise InputError(f"There is no distribution '{self.kind}'. Write {FORMS}.")
        names = _PARAMETERS[self.kind]
        if self.kind == "fixed" and not self.parameters:
            raise InputError(f"A distribution is missing. Write {FORMS}.")
        if len(self.parameters) != len(names):
            needs = f"takes {' and '.join(names)}" if names else "takes no numbers"
            raise InputError(f"The distribution '{self.kind}' {needs}. Write {FORMS}.")
        if not all(map(math.isfinite, self.parameters)):
            raise InputError(f"{self} has a number that is not finite. Write {FORMS}.")
        if self.kind in ("normal", "lognormal") and not self.parameters[1] > 0:
            raise InputError(f"{self} has no spread: the second number must be above 0. For one value write it alone.")
        if self.kind == "uniform" and not self.parameters[0] < self.parameters[1]:
            raise InputError(f"{self} is empty. The first number must be below the second.")

    @classmethod
    def parse(cls, text: str) -> Marginal:
        """Read a distribution such as ``normal(0.6, 0.08)``, ``uniform:0.4,0.8``, ``cohort`` or ``15``.

        The form with a colon needs no quotes in a shell. `InputError` if the text is not a distribution.
        """
        match = re.fullmatch(r"\s*([a-z-]+)\s*(?:\((.*)\)|:(.*))?\s*", text.lower())
        kind, inner = (match[1].replace("-", ""), match[2] or match[3]) if match else ("fixed", text)
        try:
            numbers = tuple(number_of(part) for part in inner.split(",")) if inner and inner.strip() else ()
        except ValueError:
            raise InputError(f"'{text}' is not a distribution. Write {FORMS}.") from None
        return cls(kind, numbers)

    def __str__(self) -> str:
        if self.kind == "fixed":
            return f"{self.parameters[0]:.9g}"
        numbers = ", ".join(f"{value:.9g}" for value in self.parameters)
        return f"{self.kind}({numbers})" if numbers else self.kind

    def check(self, feature: str) -> None:
        """Raise `InputError` if nearly all values of the distribution are impossible for a feature."""
        low, high = _LIMITS[feature]
        if self.kind == COHORT:
            return
        if self.kind == "fixed":
            value = self.parameters[0]
            possible = low < value <= high or (feature == "symmetry" and value == low)
        else:
            try:
                first, last = self._scipy().cdf([low, high])
            except OverflowError:  # exp of the mean of the logarithm.
                first = last = 0.0
            possible = last - first >= _LEAST_SHARE
        if not possible:
            allowed = "above 0" if high == math.inf else "between 0 and 1"
            hint = " For glands without an isthmus give their share." if feature == "isthmus_area_mm2" else ""
            raise InputError(f"{feature} = {self} is impossible: values must be {allowed}.{hint}")

    def quantiles(self, share: np.ndarray, feature: str, cohort: np.ndarray) -> np.ndarray:
        """Return the quantiles (n,) for shares (n,) between 0 and 1, truncated to the possible range of a feature.

        The kind ``cohort`` takes them from the feature's values (m,) in the training cohort.
        """
        if self.kind == COHORT:
            return np.quantile(cohort, share, method="hazen")
        if self.kind == "fixed":
            return np.full(len(share), self.parameters[0])
        distribution = self._scipy()
        first, last = distribution.cdf(_LIMITS[feature])
        return distribution.ppf(first + share * (last - first))

    def _scipy(self) -> Any:
        """Return the distribution of SciPy with these parameters."""
        from scipy import stats

        a, b = self.parameters
        if self.kind == "uniform":
            return stats.uniform(a, b - a)
        return stats.lognorm(b, scale=math.exp(a)) if self.kind == "lognormal" else stats.norm(a, b)


AS_IN_COHORT = Marginal()
