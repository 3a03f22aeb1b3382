"""Checkpoints as Lightning saves those of the authors' code, without Lightning: the same entries, types and names."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn


class AuthorsNetwork(nn.Module):
    """The authors' multilayer perceptron: position in the axes of the set, then the code; positive inside."""

    def __init__(self, widths: list[int], *, sines: bool = False) -> None:
        super().__init__()
        self.sines = sines
        self.layers = nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise(widths)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers[:-1]:
            x = torch.sin(30 * layer(x)) if self.sines else torch.relu(layer(x))
        return self.layers[-1](x)


class AuthorsModule(nn.Module):
    """Their Lightning module: the network, and the parts of the latent table."""

    def __init__(
        self, latent: list[np.ndarray | tuple[int, int]], *, width: int = 16, outputs: int = 1, sines: bool = False
    ) -> None:
        super().__init__()
        bits = []
        for part in latent:
            if isinstance(part, tuple):
                bits.append(nn.Embedding(*part))
                bits[-1].weight.data *= 0.01
            else:
                bits.append(nn.Embedding.from_pretrained(torch.tensor(part)))
        size = sum(bit.weight.shape[1] for bit in bits)
        self.model = AuthorsNetwork([3 + size, width, width, width, outputs], sines=sines)
        self.latent_bits = nn.Sequential(*bits)
        self.latent = latent

    def code(self, row: int) -> torch.Tensor:
        """Return the whole code of a shape."""
        return torch.cat([bit.weight[row].detach().float() for bit in self.latent_bits])

    def values(self, row: int, points: np.ndarray) -> np.ndarray:
        """Return the distances (n,) at points (n, 3) of the set, positive inside."""
        at = torch.tensor(points, dtype=torch.float32)
        with torch.no_grad():
            return self.model(torch.cat([at, self.code(row).repeat(len(at), 1)], dim=1))[:, 0].numpy()

    def fit(self, points: np.ndarray, sdf: np.ndarray, steps: int) -> None:
        """Train on the samples (shapes, n, 3) and (shapes, n) of all shapes."""
        at, known = torch.tensor(points, dtype=torch.float32), torch.tensor(sdf, dtype=torch.float32)
        adam = torch.optim.Adam([p for p in self.parameters() if p.requires_grad], lr=3e-3)
        for _ in range(steps):
            codes = torch.cat([bit.weight.float() for bit in self.latent_bits], dim=1)
            predicted = self.model(torch.cat([at, codes[:, None].expand(-1, at.shape[1], -1)], dim=2))[..., 0]
            loss = ((predicted - known) ** 2).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()


def save_checkpoint(module: AuthorsModule, path: Path, **changes: Any) -> None:
    """Save a module as `Trainer.save_checkpoint` does; `changes` replace hyperparameters."""
    stated = {
        "latent": module.latent,
        "lr": 3e-4,
        "clamp_distance": None,
        "apply_correlation_loss": False,
        "apply_batch_correlation_loss": True,
        "correlation_loss_prefactor": 1e-5,
        "apply_latent_loss": True,
        "latent_loss_prefactor": 1e-4,
        "positional_embedding": None,
    }
    adam = torch.optim.Adam([p for p in module.parameters() if p.requires_grad])
    content = {
        "epoch": 10_000,
        "global_step": 3_530_000,
        "pytorch-lightning_version": "2.5.1",
        "state_dict": module.state_dict(),
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 1}}}},
        "callbacks": {},
        "optimizer_states": [adam.state_dict()],
        "lr_schedulers": [],
        "hparams_name": "kwargs",
        "hyper_parameters": {**stated, **changes},
        "datamodule_hyper_parameters": {"batch_size": 1, "num_workers": 0, "pin_memory": False},
        "a NumPy number": np.float64(0.25),
    }
    torch.save(content, path)
