"""Gradients of the signed distance loss, by hand: for a ReLU network they are a few matrix products.

Automatic differentiation takes all samples of a step through one layer after the other, and their
activations travel to main memory and back for each. Here a few hundred samples go forwards and backwards
through the whole network while their activations stay in one core's cache, on every core its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .network import SDFNetwork
from .threads import in_threads

# Samples that are taken through the network at once on a processor.
_CHUNK = 512


@dataclass(frozen=True)
class LossGradients:
    """The mean squared error of the signed distance, and how it changes.

    Attributes
    ----------
    loss : Tensor, shape ()
    layers : list of (Tensor, Tensor)
        For each layer the gradients of its weights and biases; the first layer's hold only the three columns
        of the position, and no biases (None), which are in `folded`.
    folded : Tensor, shape (shapes, width)
        Gradients of what `SDFNetwork.fold` gave for each shape.
    """

    loss: torch.Tensor
    layers: list[tuple[torch.Tensor, torch.Tensor | None]]
    folded: torch.Tensor

    def add_to(self, network: SDFNetwork) -> None:
        """Give them to a network's parameters; the first layer has some already, from its codes."""
        first, *others = network.layers
        first.weight.grad[:, :3] += self.layers[0][0]
        for layer, (weight, bias) in zip(others, self.layers[1:], strict=True):
            layer.weight.grad, layer.bias.grad = weight, bias


def sdf_loss_gradients(network: SDFNetwork, samples: torch.Tensor, folded: torch.Tensor) -> LossGradients:
    """Differentiate the first term of the paper's equation 3.

    The same samples give the same bits on a processor, whatever the number of its threads.

    Parameters
    ----------
    samples : Tensor, shape (shapes, samples, 4)
        Positions and signed distances in the `unit` frame.
    folded : Tensor, shape (shapes, width)
        What `SDFNetwork.fold` gave for each shape's code.
    """
    with torch.no_grad():
        weights = [layer.weight for layer in network.layers]
        weights[0] = weights[0][:, :3].contiguous()
        passes = _Passes(weights, [layer.bias for layer in network.layers], 2 / (samples.shape[0] * samples.shape[1]))
        # A GPU shares one large product among its cores better than many small ones.
        size = samples.shape[1] if samples.is_cuda else -(-samples.shape[1] // -(-samples.shape[1] // _CHUNK))
        chunks = [(part, fold) for shape, fold in zip(samples, folded, strict=True) for part in shape.split(size)]
        parts = in_threads(passes.through, chunks)
        of_shape = torch.stack([part.folded for part in parts]).unflatten(0, (len(samples), -1)).sum(dim=1)
        return LossGradients(
            torch.stack([part.loss for part in parts]).sum() / (samples.shape[0] * samples.shape[1]),
            [_summed([part.layers[index] for part in parts]) for index in range(len(weights))],
            of_shape,
        )


@dataclass(frozen=True)
class _Passes:
    """The network's parameters, and what a unit of error weighs."""

    weights: list[torch.Tensor]
    biases: list[torch.Tensor]
    weight_of_error: float

    def through(self, chunk: tuple[torch.Tensor, torch.Tensor]) -> LossGradients:
        """Take samples (n, 4) of one shape forwards and backwards; the loss is their summed squared error."""
        samples, folded = chunk
        with torch.no_grad():
            activations = [torch.addmm(folded, samples[:, :3], self.weights[0].T).relu_()]
            for weight, bias in zip(self.weights[1:-1], self.biases[1:-1], strict=True):
                activations.append(torch.addmm(bias, activations[-1], weight.T).relu_())
            error = torch.addmv(self.biases[-1].expand(len(samples)), activations[-1], self.weights[-1][0])
            error -= samples[:, 3]
            slope = (error * self.weight_of_error).unsqueeze(1)
            layers: list[tuple[torch.Tensor, torch.Tensor | None]] = [(slope.T @ activations[-1], slope.sum(dim=0))]
            for index in range(len(self.weights) - 1, 0, -1):
                # Where a unit is off nothing flows back.
                slope = torch.ops.aten.threshold_backward(slope @ self.weights[index], activations[index - 1], 0.0)
                if index > 1:
                    layers.append((slope.T @ activations[index - 2], slope.sum(dim=0)))
            layers.append((slope.T @ samples[:, :3], None))
            return LossGradients(error @ error, layers[::-1], slope.sum(dim=0))


def _summed(
    gradients: list[tuple[torch.Tensor, torch.Tensor | None]],
) -> tuple[torch.Tensor, torch.Tensor | None]:
    weights, biases = zip(*gradients, strict=True)
    return sum(weights), None if biases[0] is None else sum(biases)
