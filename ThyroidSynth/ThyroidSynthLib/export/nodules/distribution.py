"""Distributions of nodules, written as in ``count=0-4,diameter=5-20,composition=solid:0.6/cystic:0.4``."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.text_files import number_of

from .nodule import CALCIFICATIONS, COMPOSITIONS, DIAMETER_LIMITS_MM, LARGEST_BULGE, MARGINS, PARTS

NUMBER_FORMS = "one number, LOW-HIGH, normal(mean, sd) or lognormal(mean of the logarithm, its sd)"
_MOST_NODULES = 20
_EXAMPLE = "count=0-4,diameter=5-20,composition=solid:0.6/cystic:0.4"


@dataclass(frozen=True)
class NumberSpread:
    """The distribution of a number: ``fixed``, ``uniform``, ``normal``, ``lognormal`` or ``poisson``."""

    kind: str
    parameters: tuple[float, ...]

    @classmethod
    def parse(cls, name: str, text: str, *, whole: bool = False) -> NumberSpread:
        """Read a distribution: `NUMBER_FORMS`, of a whole number also ``poisson(mean)``; `InputError` if it is none."""
        forms = "one number, LOW-HIGH or poisson(mean)" if whole else NUMBER_FORMS
        wrong = InputError(f"{name}={text} is not a distribution. Write {forms}.")
        match = re.fullmatch(r"([a-z]+)\((.*)\)", text)
        try:
            if match:
                kind, numbers = match[1], tuple(number_of(each) for each in match[2].split(","))
            elif parted := re.fullmatch(r"([0-9.]+)-([0-9.]+)", text):
                kind, numbers = "uniform", (number_of(parted[1]), number_of(parted[2]))
            else:
                kind, numbers = "fixed", (number_of(text),)
        except ValueError:
            raise wrong from None
        lengths = {"fixed": 1, "uniform": 2, **({"poisson": 1} if whole else {"normal": 2, "lognormal": 2})}
        if lengths.get(kind) != len(numbers):
            raise wrong
        if whole and kind != "poisson" and any(each != int(each) for each in numbers):
            raise InputError(f"{name}={text} is no whole number. Write {forms}.")
        if (kind == "uniform" and numbers[0] > numbers[1]) or (kind in ("normal", "lognormal") and numbers[1] < 0):
            raise InputError(f"{name}={text} is empty. The first number must not be above the second.")
        return cls(kind, numbers)

    def draw(self, rng: np.random.Generator) -> float:
        """Draw a number."""
        a, *rest = self.parameters
        if self.kind == "fixed":
            return a
        if self.kind == "poisson":
            return float(rng.poisson(a))
        b = rest[0]
        if self.kind == "uniform":
            return float(rng.uniform(a, b))
        return float(rng.normal(a, b) if self.kind == "normal" else math.exp(rng.normal(a, b)))

    def draw_whole(self, rng: np.random.Generator) -> int:
        """Draw a whole number; a range includes its ends."""
        if self.kind == "uniform":
            return int(rng.integers(int(self.parameters[0]), int(self.parameters[1]), endpoint=True))
        return min(int(self.draw(rng)), _MOST_NODULES)

    def range(self) -> tuple[float, float]:
        """Return the range of nearly all numbers."""
        a, *rest = self.parameters
        if self.kind == "fixed":
            return a, a
        if self.kind == "poisson":
            return 0.0, a + 3 * math.sqrt(a)
        if self.kind == "uniform":
            return a, rest[0]
        low, high = a - 2 * rest[0], a + 2 * rest[0]
        return (low, high) if self.kind == "normal" else (math.exp(min(low, 50.0)), math.exp(min(high, 50.0)))

    def __str__(self) -> str:
        if self.kind == "fixed":
            return f"{self.parameters[0]:.9g}"
        if self.kind == "uniform":
            return f"{self.parameters[0]:.9g}-{self.parameters[1]:.9g}"
        return f"{self.kind}({','.join(f'{each:.9g}' for each in self.parameters)})"


@dataclass(frozen=True)
class Shares:
    """The shares of the choices of a property; they sum to 1."""

    shares: tuple[tuple[str, float], ...]

    @classmethod
    def parse(cls, name: str, text: str, choices: Sequence[str]) -> Shares:
        """Read one choice, or shares as in ``solid:0.6/cystic:0.4``, which are scaled to 1; `InputError` if not."""
        found: dict[str, float] = {}
        for part in text.split("/"):
            choice, _, share = part.partition(":")
            if choice not in choices or choice in found:
                raise InputError(
                    f"{name}={text}: '{choice}' is {'named twice' if choice in found else f'no {name}'}. Choose among: "
                    f"{', '.join(choices)}."
                )
            try:
                found[choice] = number_of(share) if share else 1.0
            except ValueError:
                raise InputError(f"{name}={text}: '{share}' is not a share. Write it as in {choice}:0.5.") from None
            if found[choice] < 0:
                raise InputError(f"{name}={text}: a share is negative. Write it as in {choice}:0.5.")
        total = sum(found.values())
        if total <= 0:
            raise InputError(f"{name}={text} has no share above 0. Write it as in {choices[0]}:1.")
        return cls(tuple((choice, share / total) for choice, share in found.items()))

    def draw(self, rng: np.random.Generator) -> str:
        """Draw a choice."""
        names = [name for name, _ in self.shares]
        return names[int(rng.choice(len(names), p=[share for _, share in self.shares]))]

    def __str__(self) -> str:
        return "/".join(f"{name}:{share:.6g}" for name, share in self.shares)


@dataclass(frozen=True)
class NoduleDistribution:
    """Distributions of the properties of nodules. What is not given is chosen for variety, not after a population.

    Attributes
    ----------
    count : NumberSpread
        Number of nodules of a gland.
    diameter : NumberSpread
        Largest diameter in mm.
    aspect : NumberSpread
        Each of the two other diameters, as a share of the largest.
    bulge : NumberSpread
        Share of the nodule's volume outside the gland.
    part, margin, composition, calcification : Shares
        Of the choices of each.
    """

    count: NumberSpread = NumberSpread("fixed", (1.0,))
    diameter: NumberSpread = NumberSpread("uniform", (4.0, 15.0))
    aspect: NumberSpread = NumberSpread("uniform", (0.7, 1.0))
    bulge: NumberSpread = NumberSpread("fixed", (0.0,))
    part: Shares = field(default_factory=lambda: Shares((("right", 0.5), ("left", 0.5))))
    margin: Shares = field(default_factory=lambda: Shares((("smooth", 1.0),)))
    composition: Shares = field(default_factory=lambda: Shares((("solid", 1.0),)))
    calcification: Shares = field(default_factory=lambda: Shares((("none", 1.0),)))

    @classmethod
    def parse(cls, text: str) -> NoduleDistribution:
        """Read distributions such as ``count=poisson(2),diameter=5-20,bulge=0-0.3,margin=smooth:3/lobulated:1``.

        Raises
        ------
        InputError
            A property is unknown or named twice, or its distribution is impossible.
        """
        found: dict[str, Any] = {}
        # Commas within parentheses belong to a distribution.
        for part in filter(None, (each.strip() for each in re.split(r",(?![^(]*\))", text.lower()))):
            name, equals, value = (each.strip() for each in part.partition("="))
            if not equals or not value:
                raise InputError(f"'{part}' is not a property with its distribution. Write it as in {_EXAMPLE}.")
            name = {"lobe": "part"}.get(name, name)
            if name not in _READERS:
                raise InputError(f"Nodules have no property '{name}'. Choose among: {', '.join(_READERS)}.")
            if name in found:
                raise InputError(f"The property '{name}' is named twice. Give it once.")
            found[name] = _READERS[name](value)
        if not found:
            raise InputError(f"The distribution of nodules is empty. Write it as in {_EXAMPLE}.")
        return cls(**found)

    def __str__(self) -> str:
        return ",".join(f"{name}={getattr(self, name)}" for name in _READERS)


def _number(name: str, low: float, high: float, *, whole: bool = False) -> Any:
    """Return a reader of a distribution that must not lie outside a range."""

    def read(text: str) -> NumberSpread:
        spread = NumberSpread.parse(name, text, whole=whole)
        first, last = spread.range()
        bounded = spread.kind in ("fixed", "uniform")
        outside = first < low or last > high if bounded else last < low or first > high
        if outside:
            raise InputError(f"{name}={text} is impossible: values must be from {low:g} to {high:g}.")
        return spread

    return read


def _choice(name: str, choices: Sequence[str]) -> Any:
    return lambda text: Shares.parse(name, text, choices)


_READERS: dict[str, Any] = {
    "count": _number("count", 0, _MOST_NODULES, whole=True),
    "diameter": _number("diameter", *DIAMETER_LIMITS_MM),
    "aspect": _number("aspect", 0.3, 1.0),
    "bulge": _number("bulge", 0.0, LARGEST_BULGE),
    "part": _choice("part", PARTS),
    "margin": _choice("margin", MARGINS),
    "composition": _choice("composition", COMPOSITIONS),
    "calcification": _choice("calcification", CALCIFICATIONS),
}
