"""Evaluation of a ReLU network through its active units only.

A unit that is 0 at every point of a chunk contributes nothing to the next layer and receives no gradient. In a
trained network that is most of a layer: at 500 points near one surface about 60 of 256 units are active in the second
layer. Leaving the others out of the products takes a half to a quarter of the arithmetic and changes no sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Layer:
    """A linear layer: weight (outputs, inputs), its transpose `by_input` as a contiguous array, and bias (outputs,).

    The transpose lets the weights of some inputs be copied quickly.
    """

    weight: torch.Tensor
    by_input: torch.Tensor
    bias: torch.Tensor

    @classmethod
    def of(cls, weight: torch.Tensor, bias: torch.Tensor) -> Layer:
        """Return the layer with these parameters, without their gradients."""
        return cls(weight.detach(), weight.detach().T.contiguous(), bias.detach())


@dataclass(frozen=True)
class Active:
    """The active units of a layer: the numbers (k,) of those above 0 at any of n points, and their outputs (n, k)."""

    units: torch.Tensor
    outputs: torch.Tensor

    @classmethod
    def of(cls, sums: torch.Tensor) -> Active:
        """Return the active units, given the inputs (n, width) of all ReLUs of a layer; n is 1 or more."""
        # Written so that NaN counts as active and is not lost.
        units = torch.nonzero(~(sums.amax(dim=0) <= 0))[:, 0]
        return cls(units, sums.index_select(1, units).relu_())

    def into(self, layer: Layer) -> Active:
        """Return the active units of the next layer."""
        return Active.of(torch.addmm(layer.bias, self.outputs, layer.by_input.index_select(0, self.units)))

    def value(self, layer: Layer) -> torch.Tensor:
        """Return the values (n,) of a last layer with one output."""
        weights = layer.weight[0].index_select(0, self.units)
        return torch.addmv(layer.bias.expand(len(self.outputs)), self.outputs, weights)

    def back(self, slope: torch.Tensor) -> torch.Tensor:
        """Return the derivatives (n, k) with respect to the inputs of the ReLUs from those of their outputs."""
        return torch.ops.aten.threshold_backward(slope, self.outputs, 0.0)
