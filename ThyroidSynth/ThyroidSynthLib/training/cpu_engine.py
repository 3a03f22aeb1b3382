"""The SDF loss with hand-written gradients, for CPUs.

Automatic differentiation takes all samples of a step through one layer after the other, so the activations of each
layer travel to main memory and back. Here about a thousand samples at a time go forwards and backwards, for ReLU
through the active units only, while their activations stay in the cache of one core. `losses.sdf_loss` defines the
result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from ThyroidSynthLib.model.active_units import Layer, hidden_units
from ThyroidSynthLib.model.threads import in_threads

from .network import TrainableNetwork

# Samples of a chunk: enough that leaving out inactive units saves more than finding them costs.
_CHUNK = 1024


def cpu_sdf_loss(network: TrainableNetwork, samples: torch.Tensor, folded: torch.Tensor) -> torch.Tensor:
    """Compute the same loss and gradients as `losses.sdf_loss`.

    The result is the same bits for any number of threads. `samples` gets no gradient.
    """
    first, *others = network.layers
    parameters = [first.weight[:, :3], *(tensor for layer in others for tensor in (layer.weight, layer.bias))]
    loss: torch.Tensor = _CpuSDFLoss.apply(network.omega, samples, folded, *parameters)
    return loss


class _CpuSDFLoss(torch.autograd.Function):
    """Computes the gradients together with the loss and hands them to PyTorch's automatic differentiation."""

    @staticmethod
    def forward(
        ctx: Any, omega: float | None, samples: torch.Tensor, folded: torch.Tensor, *parameters: torch.Tensor
    ) -> torch.Tensor:
        loss, gradients = _loss_and_gradients(omega, samples, folded, parameters)
        ctx.save_for_backward(*gradients)
        return loss

    @staticmethod
    def backward(ctx: Any, *slopes: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return (None, None, *(gradient * slopes[0] for gradient in ctx.saved_tensors))


def _loss_and_gradients(
    omega: float | None, samples: torch.Tensor, folded: torch.Tensor, parameters: Sequence[torch.Tensor]
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Return the loss and its gradients with respect to `folded` and each of the parameters."""
    of_position, *others = (tensor.detach().numpy() for tensor in parameters)
    layers = [Layer.of(weight, bias) for weight, bias in zip(others[::2], others[1::2], strict=True)]
    count = samples.shape[0] * samples.shape[1]
    run = partial(_pass, omega, np.ascontiguousarray(of_position.T), layers, np.float32(2 / count))
    parts = -(-samples.shape[1] // _CHUNK)
    chunks = [
        (row, part, fold)
        for row, (shape, fold) in enumerate(zip(samples.numpy(), folded.detach().numpy(), strict=True))
        for part in np.array_split(shape, parts)
    ]
    loss = 0.0
    gradients = [torch.zeros_like(tensor) for tensor in (folded, *parameters)]
    of_folded, of_first, *of_others = (tensor.numpy() for tensor in gradients)
    # In the order of the chunks, because the last bits of a sum depend on its order.
    for (row, *_), (squares, first, pieces) in zip(chunks, in_threads(run, chunks), strict=True):
        loss += squares
        of_folded[row, first.outputs] += first.bias
        of_first[first.outputs] += first.weight
        for weight, bias, piece in zip(of_others[::2], of_others[1::2], pieces, strict=True):
            weight[piece.outputs[:, None], piece.inputs] += piece.weight
            bias[piece.outputs] += piece.bias
    return torch.tensor(loss / count), gradients


@dataclass(frozen=True)
class _Piece:
    """Gradients of a layer's weights (k, m) and biases (k,) between units in use: k outputs and m inputs."""

    outputs: np.ndarray
    inputs: np.ndarray
    weight: np.ndarray
    bias: np.ndarray


def _pass(
    omega: float | None,
    of_position: np.ndarray,
    layers: list[Layer],
    scale: np.float32,
    chunk: tuple[int, np.ndarray, np.ndarray],
) -> tuple[float, _Piece, list[_Piece]]:
    """Return the summed squared error of a chunk's samples (n, 4) and the gradients of all layers.

    `omega` is that of the network, and `of_position` (3, width) are the first layer's weights of the position. The
    derivative of the loss with respect to half the squared error of one sample is `scale`.
    """
    _, samples, folded = chunk
    positions = samples[:, :3]
    sums = positions @ of_position
    hidden = [hidden_units(np.add(sums, folded, out=sums), omega)]
    for layer in layers[:-1]:
        hidden.append(hidden_units(hidden[-1].sums(layer), omega))
    error = hidden[-1].value(layers[-1]) - samples[:, 3]
    slope = (error * scale)[:, None]
    outputs = np.zeros(1, dtype=np.intp)
    pieces = []
    for layer, below in zip(reversed(layers), reversed(hidden), strict=True):
        pieces.append(_Piece(outputs, below.units, slope.T @ below.outputs, slope.sum(axis=0)))
        weights = layer.weight.take(outputs, axis=0).take(below.units, axis=1)
        slope, outputs = below.back(slope @ weights), below.units
    first = _Piece(outputs, np.arange(3), slope.T @ positions, slope.sum(axis=0))
    return float(error @ error), first, pieces[::-1]
