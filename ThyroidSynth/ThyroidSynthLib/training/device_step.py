"""A step of training as a function of numbers that lie on the device already.

It reads and changes tensors that stay where they are, waits for no number, and takes the same way each time:
so it can be recorded and replayed (see `recording`). It is the same step as in `steps`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ThyroidSynthLib.model.network import SDFNetwork

from .batched_gradients import batched_sdf_loss_gradients
from .draws import Draws
from .gradients import LossGradients
from .losses import latent_loss
from .steps import Learnable


def table_of(block: Sequence[Draws]) -> np.ndarray:
    """Write what steps look at into one table, which reaches the device in one go.

    Returns
    -------
    ndarray of int64, shape (shapes of all steps, 2 + samples)
        For each shape its number, its sign, and the numbers of its samples.
    """
    shapes = sum(len(draws.shapes) for draws in block)
    table = np.empty((shapes, 2 + block[0].samples.shape[1]), dtype=np.int64)
    start = 0
    for draws in block:
        part = table[start : start + len(draws.shapes)]
        part[:, 0], part[:, 1:2], part[:, 2:] = draws.shapes, 1 if draws.signs is None else draws.signs, draws.samples
        start += len(draws.shapes)
    return table


def device_step(learnable: Learnable, samples: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Take one step.

    Parameters
    ----------
    samples : Tensor, shape (cases, stored, 4)
    table : Tensor of int64, shape (shapes, 2 + samples)
        What it looks at, as `table_of` gives it.

    Returns
    -------
    Tensor, shape (3,)
        Its whole, SDF and latent losses, times its shapes.
    """
    network, fixed, settings = learnable.network, learnable.fixed, learnable.settings
    count, kept = len(table), settings.latent_size - settings.mirrored_size
    with torch.no_grad():
        shapes = table[:, 0]
        shown = samples[shapes[:, None], table[:, 2:]]
        trainable = learnable.latent.index_select(0, shapes)
        if settings.mirrored_size:
            signs = table[:, 1:2].to(samples.dtype)
            shown[..., 0] *= signs
            trainable[:, kept:] *= signs
        codes = torch.cat([fixed.index_select(0, shapes), trainable], dim=1)
        found = batched_sdf_loss_gradients(network, shown, network.fold(codes))
        _give(network, found, codes)
        # The gradients of the codes: through the first layer, and of their own squared length.
        of_codes = found.folded @ network.layers[0].weight[:, 3 + fixed.shape[1] :]
        of_codes.add_(trainable, alpha=2 * settings.latent_weight / count)
        if settings.mirrored_size:
            of_codes[:, kept:] *= signs
        learnable.optimiser.take_codes(shapes, of_codes)
        learnable.optimiser.step()
        latent = latent_loss(trainable)
        return torch.stack([found.loss + settings.latent_weight * latent, found.loss, latent]).mul_(count)


def _give(network: SDFNetwork, found: LossGradients, codes: torch.Tensor) -> None:
    """Give a network's parameters their gradients."""
    (of_position, _), *others = found.layers
    first, *layers = network.layers
    first.weight.grad = torch.cat([of_position, found.folded.T @ codes], dim=1)
    first.bias.grad = found.folded.sum(dim=0)
    for layer, (weight, bias) in zip(layers, others, strict=True):
        layer.weight.grad, layer.bias.grad = weight, bias
