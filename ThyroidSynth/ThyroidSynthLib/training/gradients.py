"""Gradients of the signed distance loss, by hand: for a ReLU network they are a few matrix products.

Automatic differentiation takes all samples of a step through one layer after the other, and their
activations travel to main memory and back for each. Here a few hundred samples go forwards and backwards
through the network's active units while their activations stay in one core's cache, on every core its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ThyroidSynthLib.model.active_units import Active, Layer
from ThyroidSynthLib.model.network import SDFNetwork
from ThyroidSynthLib.model.threads import in_threads

# Samples that are taken through the network at once on a processor: enough that finding the active units pays.
_CHUNK = 1024


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
        passes = _Passes(
            network.layers[0].weight[:, :3].contiguous(),
            [Layer.of(layer) for layer in network.layers[1:]],
            2 / (samples.shape[0] * samples.shape[1]),
        )
        size = -(-samples.shape[1] // -(-samples.shape[1] // _CHUNK))
        chunks = [
            (row, part, fold)
            for row, (shape, fold) in enumerate(zip(samples, folded, strict=True))
            for part in shape.split(size)
        ]
        total = LossGradients(
            torch.zeros((), device=samples.device),
            [(torch.zeros_like(passes.first), None)]
            + [(torch.zeros_like(layer.weight), torch.zeros_like(layer.bias)) for layer in passes.layers],
            torch.zeros_like(folded),
        )
        # One after the other in their order: sums depend on it.
        for (row, *_), part in zip(chunks, in_threads(passes.through, chunks), strict=True):
            total.loss.add_(part.squares)
            total.folded[row].index_add_(0, part.pieces[0].outputs, part.pieces[0].bias)
            for (weight, bias), piece in zip(total.layers, part.pieces, strict=True):
                weight.index_put_((piece.outputs[:, None], piece.inputs), piece.weight, accumulate=True)
                if bias is not None:
                    bias.index_add_(0, piece.outputs, piece.bias)
        total.loss.div_(samples.shape[0] * samples.shape[1])
        return total


@dataclass(frozen=True)
class _Piece:
    """Gradients of a layer's weights (k, m) and biases (k,) between the units that are active: k outputs, m inputs."""

    outputs: torch.Tensor
    inputs: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor


@dataclass(frozen=True)
class _Part:
    """What a chunk of samples adds: its summed squared error, and a piece of every layer's gradients."""

    squares: torch.Tensor
    pieces: list[_Piece]


@dataclass(frozen=True)
class _Passes:
    """The network's parameters (the first layer's for the position only), and what a unit of error weighs."""

    first: torch.Tensor
    layers: list[Layer]
    weight_of_error: float

    def through(self, chunk: tuple[int, torch.Tensor, torch.Tensor]) -> _Part:
        """Take samples (n, 4) of one shape forwards and backwards."""
        _, samples, folded = chunk
        positions = samples[:, :3]
        with torch.no_grad():
            active = [Active.of(torch.addmm(folded, positions, self.first.T))]
            for layer in self.layers[:-1]:
                active.append(active[-1].into(layer))
            error = active[-1].value(self.layers[-1]) - samples[:, 3]
            slope = (error * self.weight_of_error).unsqueeze(1)
            outputs = torch.zeros(1, dtype=torch.int64, device=samples.device)
            pieces = []
            for layer, below in zip(reversed(self.layers), reversed(active), strict=True):
                pieces.append(_Piece(outputs, below.units, slope.T @ below.outputs, slope.sum(dim=0)))
                weights = layer.weight.index_select(0, outputs).index_select(1, below.units)
                slope, outputs = below.back(slope @ weights), below.units
            axes = torch.arange(3, device=samples.device)
            pieces.append(_Piece(outputs, axes, slope.T @ positions, slope.sum(dim=0)))
            return _Part(error @ error, pieces[::-1])
