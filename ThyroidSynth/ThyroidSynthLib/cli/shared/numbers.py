"""Types of the options that are numbers. A message states the range, and what to write instead."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import TypeVar

from ThyroidSynthLib.common.text_files import NUMBER, shortened
from ThyroidSynthLib.model.settings import OMEGAS

_N = TypeVar("_N", int, float)
_WHOLE = re.compile(r"[+-]?[0-9]+")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+")
# Longer numbers are out of every range; Python refuses to convert them.
_MOST_DIGITS = 400


def _number(
    pattern: re.Pattern[str],
    convert: Callable[[str], _N],
    valid: Callable[[_N], bool],
    allowed: str,
    advice: Callable[[_N], str],
) -> Callable[[str], _N]:
    def parse(text: str) -> _N:
        plain = text.strip()
        if not pattern.fullmatch(plain):
            hint = ""
            if _DECIMAL_COMMA.fullmatch(plain):
                hint = f" Write decimals with a point: {plain.replace(',', '.')}."
            raise argparse.ArgumentTypeError(f"'{shortened(text)}' is not valid: give {allowed}.{hint}")
        if len(plain) > _MOST_DIGITS or not valid(value := convert(plain)):
            more = advice(value) if len(plain) <= _MOST_DIGITS else ""
            raise argparse.ArgumentTypeError(f"{shortened(plain)} is out of range: give {allowed}.{more}")
        return value

    return parse


def whole(low: int, high: int, advice: Callable[[int], str] = lambda value: "") -> Callable[[str], int]:
    """Return a parser of whole numbers from `low` to `high`.

    `advice` returns what to add to the message for a number outside, beginning with a blank.
    """
    return _number(_WHOLE, int, lambda value: low <= value <= high, f"a whole number from {low:,} to {high:,}", advice)


def real(low: float, high: float, unit: str = "", *, above: bool = False) -> Callable[[str], float]:
    """Return a parser of numbers from `low`, or above it, to `high`."""
    after = f" {unit}" if unit else ""
    allowed = f"a number {f'above {low:,g} and up to' if above else f'from {low:,g} to'} {high:,g}{after}"

    def valid(value: float) -> bool:
        return (low < value if above else low <= value) and value <= high

    return _number(NUMBER, float, valid, allowed, lambda value: "")


def change(value_of: Callable[[str], float]) -> Callable[[str], tuple[float, bool]]:
    """Return a parser of a value or a relative change such as ``+20%``; it returns also whether it is relative."""
    percent_of = real(-100, 1000, "%")

    def parse(text: str) -> tuple[float, bool]:
        plain = text.strip()
        percent, signed = plain.endswith("%"), plain.startswith(("+", "-"))
        if percent != signed:
            # "+5" could be 5 mL, 5 mL more or 5 % more.
            raise argparse.ArgumentTypeError(
                f"'{shortened(text)}' is not valid: give the value itself, as in 20, or a change, as in +20% or -5%."
            )
        return (percent_of(plain[:-1]) / 100, True) if percent else (value_of(plain), False)

    return parse


_LARGEST_SEED = 2**63 - 1  # of PyTorch

seed = whole(0, _LARGEST_SEED)
label = whole(1, 65535)
omega = real(*OMEGAS)
label_or_background = whole(0, 65535)
workers = whole(1, 1024, lambda value: " More processes than CPUs are no faster." if value > 0 else "")
samples = whole(
    1, 10_000_000, lambda value: f" {value:,} samples take {16e-6 * value:,.0f} MB per case." if value > 0 else ""
)
epochs = whole(0, 10_000_000)
few = whole(0, 1000)
folds = whole(1, 1000)
cases = whole(1, 1_000_000)
thyroids, thyroids_or_none = whole(1, 100_000), whole(0, 100_000)
seconds = real(0, 1e7, "seconds")
share = real(0, 1)
# Voxels of 0.1 mm make a label map of a gland of 500 MB.
millimetres = real(0.1, 100, "mm")
edge_length = real(0.1, 50, "mm")
coordinate = real(-10_000, 10_000, "mm")
volume = real(0, 10_000, "mL", above=True)
area = real(0, 100_000, "mm²")
symmetry = real(0, 1)
volume_change, area_change, symmetry_change = change(volume), change(area), change(symmetry)

# Measured with label maps at 1.5 mm on two CPUs, see docs/benchmarks.md.
_SECONDS_PER_THYROID, _MB_PER_THYROID = 0.1, 0.01
_SECONDS_PER_CASE, _MB_PER_CASE = 0.5, 2.0
_DAY_S = 86_400


def _cost(kind: str, seconds_each: float, mb_each: float) -> Callable[[int], str]:
    def text(count: int) -> str:
        if count < 1:
            return ""
        days, terabytes = count * seconds_each / _DAY_S, count * mb_each / 1e6
        return (
            f" {count:,} {kind} would take about {days:,.0f} days and {terabytes:,.1f} TB on the disk; "
            "make several smaller sets with different seeds."
        )

    return text


generated = whole(1, 1_000_000, _cost("thyroids", _SECONDS_PER_THYROID, _MB_PER_THYROID))
example_cases = whole(1, 100_000, _cost("cases", _SECONDS_PER_CASE, _MB_PER_CASE))
