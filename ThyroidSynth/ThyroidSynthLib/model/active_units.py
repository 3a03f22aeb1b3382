"""The hidden units of a network: ReLU units, evaluated where they are active only, and sine units.

A ReLU unit that is 0 at every point of a chunk contributes nothing to the next layer and receives no gradient. In a
trained network that is most of a layer: at 500 points near one surface about 60 of 256 units are active in the second
layer. Leaving the others out of the products takes a half to a quarter of the arithmetic and changes no sum. A sine
unit is 0 at single points only, so all of them are evaluated.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Layer:
    """A linear layer: weight (outputs, inputs), its transpose `by_input` as a contiguous array, and bias (outputs,).

    The transpose lets the weights of some inputs be copied quickly.
    """

    weight: np.ndarray
    by_input: np.ndarray
    bias: np.ndarray

    @classmethod
    def of(cls, weight: np.ndarray, bias: np.ndarray) -> Layer:
        """Return the layer with these parameters."""
        return cls(weight, np.ascontiguousarray(weight.T), bias)


@dataclass(frozen=True)
class Units(ABC):
    """Hidden units of a layer at n points: the numbers (k,) of those that may differ from 0, and their outputs (n, k).

    They are made from `sums` (n, width), the outputs of a linear layer.
    """

    units: np.ndarray
    outputs: np.ndarray

    def sums(self, layer: Layer) -> np.ndarray:
        """Return the outputs (n, width) of the next linear layer."""
        sums = self.outputs @ layer.by_input.take(self.units, axis=0)
        return np.add(sums, layer.bias, out=sums)

    def value(self, layer: Layer) -> np.ndarray:
        """Return the values (n,) of a last layer with one output."""
        return self.outputs @ layer.weight[0].take(self.units) + layer.bias

    @abstractmethod
    def back(self, slope: np.ndarray) -> np.ndarray:
        """Return the derivatives (n, k) with respect to the sums from those with respect to the outputs."""


@dataclass(frozen=True)
class ActiveUnits(Units):
    """The active units of a ReLU layer: those above 0 at any point."""

    @classmethod
    def of(cls, sums: np.ndarray) -> ActiveUnits:
        """Return the active units; n is 1 or more."""
        # Written so that NaN counts as active and is not lost.
        units = np.flatnonzero(~(sums.max(axis=0) <= 0))
        outputs = sums.take(units, axis=1)
        return cls(units, np.maximum(outputs, 0, out=outputs))

    def back(self, slope: np.ndarray) -> np.ndarray:
        """Return the derivatives (n, k) with respect to the sums from those with respect to the outputs."""
        return slope * (self.outputs > 0)


@dataclass(frozen=True)
class SineUnits(Units):
    """All units of a sine layer, whose outputs are sin(omega · sums); `angles` (n, width) are omega · sums."""

    angles: np.ndarray
    omega: float

    @classmethod
    def of(cls, sums: np.ndarray, omega: float) -> SineUnits:
        """Return the units; `sums` is overwritten."""
        angles = np.multiply(sums, omega, out=sums)
        return cls(np.arange(angles.shape[1]), np.sin(angles), angles, omega)

    def back(self, slope: np.ndarray) -> np.ndarray:
        """Return the derivatives (n, k) with respect to the sums from those with respect to the outputs."""
        change = np.cos(self.angles)
        change *= self.omega
        return np.multiply(change, slope, out=change)


def hidden_units(sums: np.ndarray, omega: float | None) -> Units:
    """Return the units of a hidden layer: sine units with this `omega`, or ReLU units if it is None.

    `sums` may be overwritten.
    """
    return ActiveUnits.of(sums) if omega is None else SineUnits.of(sums, omega)
