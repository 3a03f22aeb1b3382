"""Adam for the network and the latent table, with the schedule of their learning rates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from ThyroidSynthLib.model.array_file import without_prefix
from ThyroidSynthLib.model.settings import TrainingSettings

# Adam moves every code at every step, by its momentum. In a table of more codes than this that costs more than it
# gains; then only the codes of a step's shapes are moved, if the settings allow it.
WHOLE_TABLE = 4096


class Optimiser:
    """Moves the network's parameters and the latent codes along their gradients.

    `parameters` are those of the network, then the latent table (cases, latent_size). With `drawn_only` a step moves
    only the codes that it has gradients for.
    """

    def __init__(self, network: torch.nn.Module, latent: torch.nn.Parameter, settings: TrainingSettings) -> None:
        self._settings, self._latent = settings, latent
        self.parameters = [*network.parameters(), latent]
        self.drawn_only = settings.drawn_codes_only and len(latent) > WHOLE_TABLE and settings.correlation_weight == 0
        of_network = torch.optim.Adam(network.parameters(), settings.learning_rate, fused=True)
        of_table: torch.optim.Optimizer
        if self.drawn_only:
            of_table = torch.optim.SparseAdam([latent], settings.latent_learning_rate)
        else:
            of_table = torch.optim.Adam([latent], settings.latent_learning_rate, fused=True)
        self._parts = (of_network, of_table)

    def begin_epoch(self, epoch: int) -> None:
        """Set the learning rates of an epoch, counted from 0."""
        factor = 1.0
        if self._settings.schedule == "cosine":
            factor = 0.01 + 0.99 * (1 + math.cos(math.pi * epoch / self._settings.epochs)) / 2
        rates = (self._settings.learning_rate, self._settings.latent_learning_rate)
        for part, rate in zip(self._parts, rates, strict=True):
            part.param_groups[0]["lr"] = rate * factor

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for part in self._parts:
            part.zero_grad()

    def set_code_gradients(self, rows: torch.Tensor, gradients: torch.Tensor) -> None:
        """Set the gradient of the latent table from those (shapes, latent_size) of different rows (shapes,)."""
        if self.drawn_only:
            size = self._latent.shape
            self._latent.grad = torch.sparse_coo_tensor(rows[None], gradients, size, check_invariants=False)
        else:
            self._latent.grad = torch.zeros_like(self._latent).index_copy_(0, rows, gradients)

    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for part in self._parts:
            part.step()

    def state(self) -> dict[str, torch.Tensor]:
        """Return the step counts and moments of all parameters, by name."""
        return {
            f"{index}.{name}": torch.as_tensor(value)
            for index, parameter in enumerate(self.parameters)
            for name, value in self._part_of(parameter).state[parameter].items()
        }

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        """Set what `state` returned, on this device or another; to be called before the first step."""
        for index, parameter in enumerate(self.parameters):
            values: dict[str, Any] = {
                name: value.to(parameter) for name, value in without_prefix(f"{index}.", state).items()
            }
            part = self._part_of(parameter)
            if isinstance(part, torch.optim.SparseAdam):
                values["step"] = int(values["step"])  # It counts in a Python int.
            part.state[parameter] = values

    def _part_of(self, parameter: torch.nn.Parameter) -> torch.optim.Optimizer:
        of_network, of_table = self._parts
        return of_table if parameter is self._latent else of_network
