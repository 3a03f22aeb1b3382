"""Fitting a feature map: the features that a trained model's latent codes really have.

A trained model follows its condition only approximately. Random thyroids are decoded and measured; each gives
three features and, by exact shape derivatives, their change along every dimension of the code, so some hundred
surfaces are enough to fit the map.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import torch

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, part_of, silent
from ThyroidSynthLib.generation.shapes import ModelShapes
from ThyroidSynthLib.model.feature_map import FeatureMap
from ThyroidSynthLib.model.prior import draw_features, prior_of
from ThyroidSynthLib.model.trained_model import TrainedModel

from .drawing import draw_code

logger = logging.getLogger(__name__)

DRAWS = 600
# If fewer than half of the first draws are valid, the model needs more training.
_FIRST_DRAWS = 20
# Features hardly depend on the grid, so surfaces are decoded on a coarser one than usual.
_RESOLUTION = 48
# The first share of the draws comes from the prior, the others from the map fitted to them, so that the final map
# is best where it is used.
_FIRST_SHARE = 0.6
_HELD_OUT_SHARE = 0.1
_WIDTH = 64
_EPOCHS = 160
_BATCH = 64
_LEARNING_RATE = 4e-3
_WEIGHT_DECAY = 1e-4
# Weight of the derivatives' error relative to the values', and the size from which it counts linearly: the
# derivative of the isthmus area jumps where an isthmus appears.
_DERIVATIVE_WEIGHT = 1.0
_JUMP = 0.3


# Code (code_size,), outputs (3,) of the feature map and their derivatives (3, code_size).
_Sample = tuple[np.ndarray, np.ndarray, np.ndarray]


def calibrated(
    model: TrainedModel,
    *,
    draws: int = DRAWS,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> TrainedModel:
    """Return a model with a feature map, if its settings have the prior "measured"; otherwise the model itself.

    The map is fitted to `draws` surfaces and deterministic. A model most of whose random codes have no valid surface
    gets none.
    """
    if model.settings.prior != "measured" or not model.conditioning.size:
        return model
    rng = np.random.default_rng([model.settings.seed, 3])
    samples: list[_Sample] = []
    first = round(draws * _FIRST_SHARE)
    if not _sample(model, samples, first, rng, part_of(progress, 0.0, 0.5), should_stop):
        logger.warning("Most random codes have no valid surface, so no feature map is fitted. Train for longer.")
        return model
    model = replace(model, feature_map=_fitted(samples, model.settings.seed))
    _sample(model, samples, draws - first, rng, part_of(progress, 0.5, 0.8), should_stop)
    progress(0.8, "Fitting the feature map")
    return replace(model, feature_map=_fitted(samples, model.settings.seed))


def _sample(
    model: TrainedModel,
    samples: list[_Sample],
    draws: int,
    rng: np.random.Generator,
    progress: ProgressCallback,
    should_stop: ShouldStop,
) -> bool:
    """Add random thyroids of a model to the samples; return False if few of the first ones are valid."""
    shapes, prior = ModelShapes(model), prior_of(model)
    for number in range(draws):
        check(should_stop)
        if number == _FIRST_DRAWS and len(samples) < _FIRST_DRAWS / 2:
            return False
        progress(number / draws, f"Measuring random thyroid {number + 1} of {draws}")
        code = draw_code(model, prior, draw_features(model, rng), rng)
        try:
            thyroid = shapes.thyroid(code, resolution=_RESOLUTION)
        except SynthesisError:
            continue
        if not thyroid.validity.ok:
            continue
        local = shapes.sensitivity(thyroid)
        volume, area, symmetry = local.values
        outputs = np.array([np.log(volume), area, symmetry])
        samples.append((code, outputs, local.jacobian / np.array([[volume], [1.0], [1.0]])))
    return True


def _fitted(samples: list[_Sample], seed: int) -> FeatureMap:
    """Fit the map to values and derivatives, and measure its error on held-out samples."""
    codes, outputs, derivatives = map(np.stack, zip(*samples, strict=True))
    code_mean, code_sd = codes.mean(axis=0), codes.std(axis=0) + 1e-9
    output_mean, output_sd = outputs.mean(axis=0), outputs.std(axis=0) + 1e-9
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inputs = torch.from_numpy((codes - code_mean) / code_sd).float()
        values = torch.from_numpy((outputs - output_mean) / output_sd).float()
        slopes = torch.from_numpy(derivatives * code_sd / output_sd[:, None]).float()
        order = torch.randperm(len(inputs))
        held_out, training = order.tensor_split([round(_HELD_OUT_SHARE * len(order))])
        network = _Network(inputs.shape[1])
        optimiser = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, _EPOCHS)
        for _ in range(_EPOCHS):
            for batch in training[torch.randperm(len(training))].split(_BATCH):
                predicted, slope = network(inputs[batch])
                slope_error = torch.nn.functional.huber_loss(slope, slopes[batch], delta=_JUMP) * slope.shape[2]
                loss = torch.mean((predicted - values[batch]) ** 2) + _DERIVATIVE_WEIGHT * slope_error
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            schedule.step()
        with torch.no_grad():
            error = torch.mean((network(inputs[held_out])[0] - values[held_out]) ** 2, dim=0).sqrt()
    return FeatureMap(
        code_mean=code_mean,
        code_sd=code_sd,
        output_mean=output_mean,
        output_sd=output_sd,
        error=error.numpy().astype(np.float64),
        **{name: value.detach().numpy().astype(np.float64) for name, value in network.named_parameters()},
    )


class _Network(torch.nn.Module):
    """A trainable `FeatureMap`: returns outputs (n, 3) and their derivatives (n, 3, code_size)."""

    def __init__(self, code_size: int) -> None:
        super().__init__()
        # Named as in the feature map.
        first, second, third = (
            torch.nn.Linear(code_size, _WIDTH),
            torch.nn.Linear(_WIDTH, _WIDTH),
            torch.nn.Linear(_WIDTH, 3),
        )
        self.first, self.first_bias = first.weight, first.bias
        self.second, self.second_bias = second.weight, second.bias
        self.third, self.third_bias = third.weight, third.bias
        self.linear = torch.nn.Linear(code_size, 3, bias=False).weight

    def forward(self, codes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden, slope = _silu(codes @ self.first.T + self.first_bias)
        jacobian = slope.unsqueeze(2) * self.first
        hidden, slope = _silu(hidden @ self.second.T + self.second_bias)
        jacobian = slope.unsqueeze(2) * (self.second @ jacobian)
        outputs = hidden @ self.third.T + self.third_bias + codes @ self.linear.T
        return outputs, self.third @ jacobian + self.linear


def _silu(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return SiLU and its derivative."""
    gate = torch.sigmoid(values)
    return values * gate, gate * (1 + values * (1 - gate))
