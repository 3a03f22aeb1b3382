"""The same gradients as in `gradients`, as a GPU likes them: all samples of a step in one product a layer.

A GPU shares one large product among its cores better than many small ones, and every operation costs it a
start. Nothing here waits for the GPU or looks at its numbers, so that a step can be recorded (see `recording`).
"""

from __future__ import annotations

import torch

from ThyroidSynthLib.model.network import SDFNetwork

from .gradients import LossGradients


def batched_sdf_loss_gradients(network: SDFNetwork, samples: torch.Tensor, folded: torch.Tensor) -> LossGradients:
    """Differentiate the first term of the paper's equation 3.

    Parameters
    ----------
    samples : Tensor, shape (shapes, samples, 4)
        Positions and signed distances in the `unit` frame.
    folded : Tensor, shape (shapes, width)
        What `SDFNetwork.fold` gave for each shape's code.

    Returns
    -------
    LossGradients
        As `sdf_loss_gradients` gives them, but for the rounding of sums.
    """
    with torch.no_grad():
        first, *hidden, last = network.layers
        shapes, count = samples.shape[:2]
        of_position = first.weight[:, :3].T.expand(shapes, -1, -1)
        activations = [torch.baddbmm(folded[:, None], samples[..., :3], of_position).relu_().flatten(0, 1)]
        for layer in hidden:
            activations.append(torch.addmm(layer.bias, activations[-1], layer.weight.T).relu_())
        error = torch.addmv(last.bias.expand(shapes * count), activations[-1], last.weight[0])
        error -= samples[..., 3].flatten()
        slope = error * (2 / (shapes * count))
        layers: list[tuple[torch.Tensor, torch.Tensor | None]] = [
            ((activations[-1].T @ slope)[None], slope.sum().reshape(1))
        ]
        slope = slope[:, None] * last.weight
        for layer, given in zip(reversed(hidden), reversed(activations[:-1]), strict=True):
            slope = _where_on(slope, activations.pop())
            layers.append((slope.T @ given, slope.sum(dim=0)))
            slope = slope @ layer.weight
        slope = _where_on(slope, activations.pop())
        layers.append((slope.T @ samples.flatten(0, 1)[:, :3], None))
        of_shape = slope.unflatten(0, (shapes, count)).sum(dim=1)
        return LossGradients(error.square().mean(), layers[::-1], of_shape)


def _where_on(slope: torch.Tensor, activations: torch.Tensor) -> torch.Tensor:
    """Keep what flows back through the units that are on."""
    return torch.ops.aten.threshold_backward(slope, activations, 0.0)
