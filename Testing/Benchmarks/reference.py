"""The published method, written from the paper's description: the reference of the benchmarks."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from skimage.measure import marching_cubes
from torch import nn

from ThyroidSynthLib.model.network import SDFNetwork
from ThyroidSynthLib.model.trained_model import TrainedModel


def perceptron(code_size: int) -> nn.Sequential:
    """Return a network of three hidden layers of 256 units, whose input is the point and the whole code."""
    widths = [3 + code_size, 256, 256, 256, 1]
    layers: list[nn.Module] = []
    for a, b in pairwise(widths[:-1]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))


def perceptron_like(network: SDFNetwork, code_size: int) -> nn.Sequential:
    """Return a trained `SDFNetwork` as a network with concatenated codes."""
    copy = perceptron(code_size)
    linear = [layer for layer in copy if isinstance(layer, nn.Linear)]
    for target, source in zip(linear, network.layers, strict=True):
        target.load_state_dict({"weight": torch.from_numpy(source.weight), "bias": torch.from_numpy(source.bias)})
    return copy.eval().requires_grad_(False)


def decode_slice_by_slice(
    network: nn.Sequential, code: np.ndarray, lower: np.ndarray, upper: np.ndarray, resolution: int
) -> np.ndarray:
    """Evaluate every point of the grid, a slice at a time, and run marching cubes on all of it."""
    x, y, z = (torch.linspace(float(a), float(b), resolution) for a, b in zip(lower, upper, strict=True))
    repeated = torch.from_numpy(np.asarray(code, dtype=np.float32)).repeat(resolution**2, 1)
    values = np.empty((resolution,) * 3, dtype=np.float32)
    with torch.no_grad():
        for k in range(resolution):
            plane = torch.stack(torch.meshgrid(x, y, z[k : k + 1], indexing="ij"), dim=-1).reshape(-1, 3)
            values[:, :, k] = network(torch.cat([plane, repeated], dim=1)).reshape(resolution, resolution).numpy()
    return marching_cubes(values, 0.0)[0]


class BatchOfOneLoop:
    """Training as in the authors' code: one shape of 1,000 samples per step, in the order of the cohort."""

    def __init__(self, samples: np.ndarray, fixed: np.ndarray, latent_size: int = 64, device: str = "cpu") -> None:
        torch.manual_seed(0)
        self.samples, self.device = samples, device
        self.fixed = torch.from_numpy(fixed.astype(np.float32)).to(device)
        self.network = perceptron(fixed.shape[1] + latent_size).to(device)
        self.latent = nn.Embedding(len(samples), latent_size).to(device)
        self.latent.weight.data *= 0.01
        self.optimiser = torch.optim.Adam([*self.network.parameters(), *self.latent.parameters()], lr=3e-4)
        self.rng = np.random.default_rng(0)

    def step(self, shape: int, count: int = 1000) -> None:
        """Take one step on `count` random samples of one shape."""
        drawn = torch.from_numpy(self.samples[shape, self.rng.integers(self.samples.shape[1], size=count)])
        drawn = drawn.to(self.device)
        trainable = self.latent(torch.tensor([shape], device=self.device))
        code = torch.cat([self.fixed[shape : shape + 1], trainable], dim=1).repeat(count, 1)
        predicted = self.network(torch.cat([drawn[:, :3], code], dim=1))[:, 0]
        loss = torch.mean((predicted - drawn[:, 3]) ** 2) + 1e-4 * torch.sum(trainable**2)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()

    def epochs(self, number: int) -> None:
        """Take every shape once, `number` times."""
        for _ in range(number):
            for shape in range(len(self.samples)):
                self.step(shape)

    def as_model(self, like: TrainedModel) -> TrainedModel:
        """Return the trained network as a shape model of the same cases."""
        linear = [layer for layer in self.network if isinstance(layer, nn.Linear)]
        layers = [(layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in linear]
        return replace(
            like,
            network=SDFNetwork.of(layers),
            latent_table=self.latent.weight.detach().numpy().copy(),
        )
