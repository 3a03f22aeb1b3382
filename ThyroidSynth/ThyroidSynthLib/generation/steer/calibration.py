"""Learning what a model's codes come to: random thyroids are made, measured and differentiated.

A trained model is told the features it shall make, and follows them more or less. How it really follows can
be seen on its own surfaces. Each gives three features and, by their exact shape derivatives, how these change
along every dimension of the code, which is why some hundred surfaces say enough.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
import torch

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, part_of, silent
from ThyroidSynthLib.generation.shapes import ModelShapes
from ThyroidSynthLib.model.feature_map import FeatureMap
from ThyroidSynthLib.model.prior import draw_features, prior_of
from ThyroidSynthLib.model.shape_model import ShapeModel

from .drawing import draw_code

logger = logging.getLogger(__name__)

DRAWS = 600
# A model of which the first draws give hardly a gland has not learned enough to be learned from.
_TRIED_FIRST = 20
# Surfaces are made on a coarser grid than usual: features hardly depend on it.
_RESOLUTION = 48
# The first share of the draws comes from the prior; the others as they will be drawn in the end, so that the
# map is best where it is used.
_FIRST_SHARE = 0.6
_HELD_OUT_SHARE = 0.1
_WIDTH = 64
_EPOCHS = 160
_BATCH = 64
_LEARNING_RATE = 4e-3
_WEIGHT_DECAY = 1e-4
# Weight of the derivatives' error beside the values', and beyond which it counts only linearly: where a
# bridge opens or closes the isthmus area's derivative jumps.
_DERIVATIVE_WEIGHT = 1.0
_JUMP = 0.3


@dataclass
class _Seen:
    """Codes (n, code_size), their targets (n, 3) and derivatives (n, 3, code_size)."""

    codes: list[np.ndarray]
    targets: list[np.ndarray]
    derivatives: list[np.ndarray]

    def stacked(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return np.stack(self.codes), np.stack(self.targets), np.stack(self.derivatives)


def calibrated(
    model: ShapeModel,
    *,
    draws: int = DRAWS,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> ShapeModel:
    """Give a model whose settings ask for it the map from its codes to their features; others as they are.

    Parameters
    ----------
    draws : int
        Surfaces to learn from.

    Returns
    -------
    ShapeModel
        With a `feature_map`, unless most of its random codes have no valid surface. The same model gives the
        same map.

    Raises
    ------
    Cancelled
        `should_stop` returned true.
    """
    if model.settings.prior != "measured" or not model.conditioning.size:
        return model
    rng = np.random.default_rng([model.settings.seed, 3])
    seen = _Seen([], [], [])
    first = round(draws * _FIRST_SHARE)
    if not _look(model, seen, first, rng, part_of(progress, 0.0, 0.5), should_stop):
        logger.warning("Most random codes have no valid surface: train for longer. Features are asked for as they are.")
        return model
    model = replace(model, feature_map=_fitted(seen, model.settings.seed))
    _look(model, seen, draws - first, rng, part_of(progress, 0.5, 0.8), should_stop)
    progress(0.8, "Learning what codes come to")
    return replace(model, feature_map=_fitted(seen, model.settings.seed))


def _look(
    model: ShapeModel,
    seen: _Seen,
    draws: int,
    rng: np.random.Generator,
    progress: ProgressCallback,
    should_stop: ShouldStop,
) -> bool:
    """Make thyroids as the model's codes are drawn now, and see what they come to; False if few are valid."""
    shapes, prior = ModelShapes(model), prior_of(model)
    for number in range(draws):
        check(should_stop)
        if number == _TRIED_FIRST and len(seen.codes) < _TRIED_FIRST / 2:
            return False
        progress(number / draws, f"Looking at thyroid {number + 1} of {draws} that the model makes")
        code = draw_code(model, prior, draw_features(model, rng), rng)
        try:
            thyroid = shapes.thyroid(code, resolution=_RESOLUTION)
        except SynthesisError:
            continue
        if not thyroid.validity.ok:
            continue
        local = shapes.sensitivity(thyroid)
        volume = local.values[0]
        seen.codes.append(code)
        seen.targets.append(np.array([np.log(volume), local.values[1], local.values[2]]))
        seen.derivatives.append(local.jacobian / np.array([[volume], [1.0], [1.0]]))
    return True


def _fitted(seen: _Seen, seed: int) -> FeatureMap:
    """Fit the map to values and derivatives; how good it is is measured on those left out."""
    codes, targets, derivatives = seen.stacked()
    code_mean, code_sd = codes.mean(axis=0), codes.std(axis=0) + 1e-9
    target_mean, target_sd = targets.mean(axis=0), targets.std(axis=0) + 1e-9
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inputs = torch.from_numpy((codes - code_mean) / code_sd).float()
        values = torch.from_numpy((targets - target_mean) / target_sd).float()
        slopes = torch.from_numpy(derivatives * code_sd / target_sd[:, None]).float()
        order = torch.randperm(len(inputs))
        left_out, learned = order[: round(_HELD_OUT_SHARE * len(order))], order[round(_HELD_OUT_SHARE * len(order)) :]
        network = _Network(inputs.shape[1])
        optimiser = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, _EPOCHS)
        for _ in range(_EPOCHS):
            for batch in learned[torch.randperm(len(learned))].split(_BATCH):
                guessed, slope = network(inputs[batch])
                off = torch.nn.functional.huber_loss(slope, slopes[batch], delta=_JUMP) * slope.shape[2]
                loss = torch.mean((guessed - values[batch]) ** 2) + _DERIVATIVE_WEIGHT * off
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            schedule.step()
        with torch.no_grad():
            error = torch.mean((network(inputs[left_out])[0] - values[left_out]) ** 2, dim=0).sqrt()
    return FeatureMap(
        code_mean=code_mean,
        code_sd=code_sd,
        output_mean=target_mean,
        output_sd=target_sd,
        error=error.numpy().astype(np.float64),
        **{name: value.detach().numpy().astype(np.float64) for name, value in network.named_parameters()},
    )


class _Network(torch.nn.Module):
    """A `FeatureMap` that can be fitted; gives targets (n, 3) and their derivatives (n, 3, code_size)."""

    def __init__(self, code_size: int) -> None:
        super().__init__()
        layers = {"first": (_WIDTH, code_size), "second": (_WIDTH, _WIDTH), "third": (3, _WIDTH)}
        for name, (outputs, inputs) in layers.items():
            layer = torch.nn.Linear(inputs, outputs)
            setattr(self, name, layer.weight)
            setattr(self, f"{name}_bias", layer.bias)
        self.linear = torch.nn.Linear(code_size, 3, bias=False).weight

    def forward(self, codes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden, slope = _silu(codes @ self.first.T + self.first_bias)
        jacobian = slope.unsqueeze(2) * self.first
        hidden, slope = _silu(hidden @ self.second.T + self.second_bias)
        jacobian = slope.unsqueeze(2) * (self.second @ jacobian)
        targets = hidden @ self.third.T + self.third_bias + codes @ self.linear.T
        return targets, self.third @ jacobian + self.linear


def _silu(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    gate = torch.sigmoid(values)
    return values * gate, gate * (1 + values * (1 - gate))
