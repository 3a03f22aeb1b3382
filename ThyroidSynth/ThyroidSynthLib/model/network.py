"""The network f(x, z) that represents every shape of the cohort (paper, section 2.1), for evaluation.

In NumPy, which Slicer has; `training.network` is the same network in PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .active_units import Layer, Units, hidden_units


@dataclass(frozen=True)
class SDFNetwork:
    """A multilayer perceptron from a point and a latent code to a signed distance.

    Its hidden units are ReLU units as in the paper, or sine units, sin(omega · sum) (SIREN, Sitzmann et al. 2020).

    The paper concatenates the code to every point. The first layer is linear, so the code's part of it is the same
    for all points of a shape: it is computed once per shape and added as a bias.

    Attributes
    ----------
    layers : sequence of Layer
        In float32. The first has 3 inputs for the position and one for each dimension of the code.
    of_position : ndarray, shape (3, width)
        The first layer's weights of the position.
    omega : float or None
        Factor of the angles of sine units; None for ReLU units.
    """

    layers: Sequence[Layer]
    of_position: np.ndarray
    omega: float | None = None

    @classmethod
    def of(cls, parameters: Sequence[tuple[np.ndarray, np.ndarray]], omega: float | None = None) -> SDFNetwork:
        """Return the network with the weight (outputs, inputs) and bias (outputs,) of each layer.

        `ValueError` if they do not fit together.
        """
        layers = [Layer.of(np.asarray(w, np.float32), np.asarray(b, np.float32)) for w, b in parameters]
        inputs = [layer.weight.shape[1] for layer in layers[1:]]
        outputs = [len(layer.weight) for layer in layers]
        if outputs != [*inputs, 1] or outputs != [len(layer.bias) for layer in layers]:
            raise ValueError("the layers of the network do not fit together")
        return cls(layers, np.ascontiguousarray(layers[0].weight[:, :3].T), omega)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], omega: float | None = None) -> SDFNetwork:
        """Return the network whose `arrays` these are; `KeyError` if one is missing."""
        names = (f"layers.{number}" for number in range(len(arrays) // 2))
        return cls.of([(arrays[f"{name}.weight"], arrays[f"{name}.bias"]) for name in names], omega)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return weights and biases by name, for a file."""
        named: dict[str, np.ndarray] = {}
        for number, layer in enumerate(self.layers):
            named |= {f"layers.{number}.weight": layer.weight, f"layers.{number}.bias": layer.bias}
        return named

    @property
    def code_size(self) -> int:
        """Dimensions of a whole latent code."""
        return int(self.layers[0].weight.shape[1]) - 3

    @property
    def width(self) -> int:
        """Units of the first layer, and so the size of an offset."""
        return len(self.layers[0].bias)

    @property
    def largest_cell(self) -> float:
        """Largest cell, in the `unit` frame, of a grid on which the field may be searched for a surface.

        A wave of the first layer then has six points or more, and those of the other layers, which are shorter, still
        show. Infinite for ReLU units, whose field has no waves.
        """
        return np.inf if self.omega is None else 1 / (self.omega * float(np.abs(self.of_position).max()))

    def fold(self, code: np.ndarray) -> np.ndarray:
        """Return the code's part of the first layer, shape (width,).

        A code (code_size,) may be followed by an offset (width,), which is added: so a fit can express more shapes than
        codes alone do.
        """
        first = self.layers[0]
        folded = first.weight[:, 3:] @ code[: self.code_size] + first.bias
        return folded + code[self.code_size :] if len(code) > self.code_size else folded

    def with_offset(self, offset: np.ndarray) -> SDFNetwork:
        """Return the network all of whose codes have the same offset (width,)."""
        first = self.layers[0]
        moved = Layer(first.weight, first.by_input, first.bias + np.asarray(offset, dtype=np.float32))
        return replace(self, layers=[moved, *self.layers[1:]])

    def around(self, code: np.ndarray) -> SDFNetwork:
        """Return the network of the shapes around a code (code_size,): its codes are the offsets (width,)."""
        weight = np.hstack([self.layers[0].weight[:, :3], np.eye(self.width, dtype=np.float32)])
        first = Layer.of(weight, self.fold(np.asarray(code, dtype=np.float32)))
        return replace(self, layers=[first, *self.layers[1:]])

    def values(self, points: np.ndarray, folded: np.ndarray) -> np.ndarray:
        """Return signed distances (n,) in the `unit` frame, negative inside, at points (n, 3); `folded` is a `fold`."""
        return self._hidden(points, folded)[-1].value(self.layers[-1])

    def derivatives(self, points: np.ndarray, folded: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return values (n,), gradients by position (n, 3) and by code (n, code_size) at points (n, 3).

        Position and code enter through the first layer only. One backward pass yields the gradient with respect to
        the outputs of its linear part at every point, and its weights turn that into both gradients.
        """
        hidden = self._hidden(points, folded)
        last = hidden[-1]
        gradient = last.back(self.layers[-1].weight[0].take(last.units))
        for layer, above, below in zip(self.layers[-2:0:-1], hidden[:0:-1], hidden[-2::-1], strict=True):
            gradient = below.back(gradient @ layer.weight.take(above.units, axis=0).take(below.units, axis=1))
        by_input = gradient @ self.layers[0].weight.take(hidden[0].units, axis=0)
        return last.value(self.layers[-1]), by_input[:, :3], by_input[:, 3:]

    def _hidden(self, points: np.ndarray, folded: np.ndarray) -> list[Units]:
        """Return the units of every hidden layer."""
        sums = points @ self.of_position
        hidden = [hidden_units(np.add(sums, folded, out=sums), self.omega)]
        for layer in self.layers[1:-1]:
            hidden.append(hidden_units(hidden[-1].sums(layer), self.omega))
        return hidden
