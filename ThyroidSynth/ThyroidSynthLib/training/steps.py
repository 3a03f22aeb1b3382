"""Steps of training one after the other: as a processor takes them, or a GPU that is one of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ThyroidSynthLib.dataset.row_view import RowView
from ThyroidSynthLib.model.network import SDFNetwork
from ThyroidSynthLib.model.presets import TrainingSettings
from ThyroidSynthLib.model.threads import threads_for_chunks

from .batched_gradients import batched_sdf_loss_gradients
from .distributed import ProcessGroup
from .draws import Draws
from .gradients import sdf_loss_gradients
from .losses import latent_loss
from .optimiser import Optimiser


@dataclass(frozen=True)
class Learnable:
    """What a training moves, and what moves it; all on one device.

    Attributes
    ----------
    network : SDFNetwork
    latent : torch.nn.Parameter, shape (cases, latent_size)
    fixed : Tensor, shape (cases, fixed_size)
        The encoded features.
    optimiser : Optimiser
    settings : TrainingSettings
    """

    network: SDFNetwork
    latent: torch.nn.Parameter
    fixed: torch.Tensor
    optimiser: Optimiser
    settings: TrainingSettings


class Steps:
    """Takes steps as they come, together with the other processes of a team.

    Parameters
    ----------
    learnable : Learnable
    samples : as of a Cohort, or Tensor, shape (cases, stored, 4)
        A tensor where they are kept on the device; otherwise they are read as they are needed.
    team : Team

    Attributes
    ----------
    at_once : int
        How many steps `take` is best given.
    """

    at_once = 1

    def __init__(
        self, learnable: Learnable, samples: np.ndarray | RowView | torch.Tensor, process_group: ProcessGroup
    ) -> None:
        self._learnable, self._samples, self._process_group = learnable, samples, process_group
        self._device = learnable.latent.device

    def take(self, block: Sequence[Draws]) -> torch.Tensor:
        """Take some steps.

        Returns
        -------
        Tensor, shape (3,)
            Their whole, SDF and latent losses, summed over the shapes.
        """
        with threads_for_chunks():
            return torch.stack([self._learn(draws) * len(draws.shapes) for draws in block]).sum(dim=0)

    def _learn(self, draws: Draws) -> torch.Tensor:
        """Take one step; give its losses."""
        # Every process draws the same numbers, and looks at the samples of its own shapes only.
        part = self._process_group.part_of(len(draws.shapes))
        optimiser = self._learnable.optimiser
        optimiser.forget()
        losses, codes = self._differentiate(draws.of(part))
        codes = self._sum_up(len(draws.shapes), losses, codes, part)
        optimiser.take_codes(torch.from_numpy(draws.shapes).to(self._device), codes)
        optimiser.step()
        return losses

    def _sum_up(self, shapes: int, losses: torch.Tensor, codes: torch.Tensor, part: slice) -> torch.Tensor:
        """Bring all processes' gradients together: the network's, and those of the step's codes, which it gives."""
        if self._process_group.size == 1:
            return codes
        own, codes = codes, torch.zeros(shapes, codes.shape[1], device=self._device)
        codes[part] = own
        parameters = list(self._learnable.network.parameters())
        for parameter in parameters:
            if parameter.grad is None:  # The last step of an epoch may have no shape for this process.
                parameter.grad = torch.zeros_like(parameter)
        network = [parameter.grad for parameter in parameters]
        self._process_group.sum_up([*network, codes, losses], (part.stop - part.start) / shapes)
        return codes

    def _samples_of(self, draws: Draws) -> torch.Tensor:
        """Give the samples that were drawn, shape (shapes, samples, 4)."""
        if isinstance(self._samples, torch.Tensor):
            shapes, numbers = (torch.from_numpy(drawn).to(self._device) for drawn in (draws.shapes, draws.samples))
            return self._samples[shapes[:, None], numbers]
        return torch.from_numpy(self._samples[draws.shapes[:, None], draws.samples])

    def _differentiate(self, draws: Draws) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the network its gradients on what was drawn.

        Returns
        -------
        losses : Tensor, shape (3,)
            As `_learn` gives them.
        codes : Tensor, shape (shapes, latent_size)
            The gradients of their codes.
        """
        network, latent, settings = self._learnable.network, self._learnable.latent, self._learnable.settings
        if not len(draws.shapes):
            return torch.zeros(3, device=self._device), torch.zeros(0, latent.shape[1], device=self._device)
        samples = self._samples_of(draws)
        rows = torch.from_numpy(draws.shapes).to(self._device)
        own = latent.detach()[rows].requires_grad_()
        trainable = own
        if draws.signs is not None:
            signs = torch.from_numpy(draws.signs).to(self._device)
            kept = settings.latent_size - settings.mirrored_size
            trainable = torch.cat([trainable[:, :kept], trainable[:, kept:] * signs], dim=1)
            samples[..., 0] *= signs
        folded = network.fold(torch.cat([self._learnable.fixed[rows], trainable], dim=1))
        gradients_of = batched_sdf_loss_gradients if samples.is_cuda else sdf_loss_gradients
        found = gradients_of(network, samples, folded.detach())
        of_codes = latent_loss(trainable)
        # From the codes' part of the first layer on the chain rule is followed automatically.
        torch.autograd.backward([folded, settings.latent_weight * of_codes], [found.folded, None])
        found.add_to(network)
        losses = torch.stack([found.loss + settings.latent_weight * of_codes, found.loss, of_codes])
        return losses.detach(), own.grad
