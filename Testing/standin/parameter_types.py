"""What annotations of a parameter node mean: defaults, validators, ranges."""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass


class Default:
    """Default value of a parameter; a generator makes a new one each time."""

    def __init__(self, value=None, *, generator: Callable | None = None) -> None:
        self._value, self._generator = value, generator

    @property
    def value(self):
        """The default."""
        return self._generator() if self._generator else self._value


@dataclass
class Decimals:
    """Number of decimals a widget shall show."""

    value: int


@dataclass
class SingleStep:
    """Step of a widget."""

    value: float


class Validator(abc.ABC):
    """Raises for a value that is not allowed."""

    @abc.abstractmethod
    def validate(self, value) -> None:
        """Raise ValueError (TypeError for a wrong type) unless the value is allowed."""


class NotNone(Validator):
    """Anything but None."""

    def validate(self, value) -> None:
        if value is None:
            raise ValueError("Value must not be None")


class IsNone(Validator):
    """Only None."""

    def validate(self, value) -> None:
        if value is not None:
            raise ValueError("Value must be None")


class IsInstance(Validator):
    """None, or an instance of the class."""

    def __init__(self, classtype) -> None:
        self.classtype = classtype

    def validate(self, value) -> None:
        if value is not None and not isinstance(value, self.classtype):
            raise TypeError(f"Value must be of type '{self.classtype}', is '{type(value)}' value '{value}'")


class WithinRange(Validator):
    """From minimum to maximum, both included."""

    def __init__(self, minimum, maximum) -> None:
        self.minimum, self.maximum = minimum, maximum

    def validate(self, value) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"Value must be within range [{self.minimum}, {self.maximum}], is {value}")


class Minimum(Validator):
    """At least this."""

    def __init__(self, minimum) -> None:
        self.minimum = minimum

    def validate(self, value) -> None:
        if value < self.minimum:
            raise ValueError(f"Value must be at least {self.minimum}, is {value}")


class Maximum(Validator):
    """At most this."""

    def __init__(self, maximum) -> None:
        self.maximum = maximum

    def validate(self, value) -> None:
        if value > self.maximum:
            raise ValueError(f"Value must be at most {self.maximum}, is {value}")


class Choice(Validator):
    """One of these."""

    def __init__(self, choices) -> None:
        self.choices = choices

    def validate(self, value) -> None:
        if value not in self.choices:
            raise ValueError(f"Value is {value}, but must be in one of the following: {self.choices}")


class Exclude(Validator):
    """None of these."""

    def __init__(self, excludedValues) -> None:
        self.excludedValues = excludedValues

    def validate(self, value) -> None:
        if value in self.excludedValues:
            raise ValueError(f"Value is {value}, which is excluded: {self.excludedValues}")


class RangeBounds(Validator):
    """A range inside these bounds."""

    def __init__(self, minimum, maximum) -> None:
        self.minimum, self.maximum = minimum, maximum

    def validate(self, value) -> None:
        if not (self.minimum <= value.minimum and value.maximum <= self.maximum):
            raise ValueError(f"Range must be within [{self.minimum}, {self.maximum}], is {value}")


@dataclass(frozen=True)
class FloatRange:
    """Lower and upper value. Slicer's can be changed in place; this one is stricter and cannot."""

    minimum: float = 0.0
    maximum: float = 0.0

    def __post_init__(self) -> None:
        if not self.minimum <= self.maximum:
            raise ValueError(f"FloatRange must have minimum <= maximum: {self.minimum} <= {self.maximum}")


VALIDATORS = (
    Validator,
    NotNone,
    IsInstance,
    WithinRange,
    Minimum,
    Maximum,
    Choice,
    Exclude,
    RangeBounds,
)
