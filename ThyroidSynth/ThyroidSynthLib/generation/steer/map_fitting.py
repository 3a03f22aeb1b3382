"""Training of a feature map on measured thyroids, by PyTorch."""

from __future__ import annotations

import numpy as np
import torch

from ThyroidSynthLib.model.feature_map import FeatureMap

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

Sample = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Code (code_size,), outputs (3,) of the feature map and their derivatives (3, code_size)."""


def fitted(samples: list[Sample], seed: int) -> FeatureMap:
    """Fit a map to values and derivatives, and measure its error on held-out samples.

    Parameters
    ----------
    samples : list of Sample
        Codes with their outputs and derivatives.
    seed : int
        Random seed of the initial weights and the order of the samples.
    """
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
