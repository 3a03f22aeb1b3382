"""Adam for the network and the table of latent codes, with the schedule of their learning rates."""

from __future__ import annotations

import math

import torch

from ThyroidSynthLib.model.presets import TrainingSettings

from .drawn_adam import DrawnAdam

# Adam moves every code at every step, by what is left of its momentum. Beyond so many codes that costs more
# than it brings; then, where the settings allow it, only the codes of a step's shapes are touched.
WHOLE_TABLE = 4096


class Optimiser:
    """Moves the parameters of a training.

    Parameters
    ----------
    network : torch.nn.Module
    latent : torch.nn.Parameter, shape (cases, latent_size)
    settings : TrainingSettings
    recorded : bool
        Whether steps may be recorded (see `recording`). Then learning rates lie beside the parameters, where a
        recorded step finds those of the present epoch.

    Attributes
    ----------
    parameters : list of torch.nn.Parameter
        The network's, then the table.
    drawn_only : bool
        Whether a step touches only the codes it was given gradients for.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        latent: torch.nn.Parameter,
        settings: TrainingSettings,
        *,
        recorded: bool = False,
    ) -> None:
        self._settings, self._latent, self._recorded = settings, latent, recorded
        self.parameters = [*network.parameters(), latent]
        self.drawn_only = settings.drawn_codes_only and len(latent) > WHOLE_TABLE and settings.correlation_weight == 0
        rates = [settings.learning_rate, settings.latent_learning_rate]
        if recorded:
            rates = [torch.tensor(rate, device=latent.device) for rate in rates]
        groups = [{"params": self.parameters[:-1], "lr": rates[0]}, {"params": [latent], "lr": rates[1]}]
        if self.drawn_only:
            self._table = DrawnAdam(latent, rates[1])
            self._parts = [torch.optim.Adam(groups[:1], fused=True, capturable=recorded), self._table]
        else:
            self._parts = [torch.optim.Adam(groups, fused=True, capturable=recorded)]

    def begin_epoch(self, epoch: int) -> None:
        """Set the learning rates of an epoch, counted from 0."""
        factor = 1.0
        if self._settings.schedule == "cosine":
            factor = 0.01 + 0.99 * (1 + math.cos(math.pi * epoch / self._settings.epochs)) / 2
        groups = [group for part in self._parts for group in part.param_groups]
        for group, rate in zip(
            groups, (self._settings.learning_rate, self._settings.latent_learning_rate), strict=True
        ):
            if self._recorded:
                group["lr"].fill_(rate * factor)
            else:
                group["lr"] = rate * factor

    def forget(self) -> None:
        """Drop all gradients."""
        for parameter in self.parameters:
            parameter.grad = None
        if self.drawn_only:
            self._table.take(None, None)

    def take_codes(self, rows: torch.Tensor, gradients: torch.Tensor) -> None:
        """Give the codes of a step's shapes their gradients.

        Parameters
        ----------
        rows : Tensor of int64, shape (shapes,)
            No row twice.
        gradients : Tensor, shape (shapes, latent_size)
        """
        if self.drawn_only:
            self._table.take(rows, gradients)
        else:
            self._latent.grad = torch.zeros_like(self._latent).index_copy_(0, rows, gradients)

    def step(self) -> None:
        """Move all that has a gradient."""
        for part in self._parts:
            part.step()

    def state(self) -> dict[str, torch.Tensor]:
        """Give what it remembers, by name."""
        return {
            f"{index}.{name}": value
            for index, parameter in enumerate(self.parameters)
            for name, value in self._part_of(parameter).state[parameter].items()
        }

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Remember what `state` gave, here or on another device; before the first step."""
        for index, parameter in enumerate(self.parameters):
            prefix = f"{index}."
            # Counts of steps were whole numbers once, where only drawn codes are touched.
            self._part_of(parameter).state[parameter] = {
                name[len(prefix) :]: value.to(parameter.device, torch.float32)
                for name, value in state.items()
                if name.startswith(prefix)
            }

    def _part_of(self, parameter: torch.nn.Parameter) -> torch.optim.Optimizer:
        return self._parts[-1] if parameter is self._latent else self._parts[0]
