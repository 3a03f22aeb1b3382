"""Learning the network and the latent codes together (paper, section 2.2)."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from .. import __version__
from ..anatomy.sampling import SURFACE_SHARE
from ..errors import Cancelled, ModelError
from ..progress import StopRequested, never
from .conditioning import Conditioning
from .device import choose_device
from .distributed import ALONE, Team
from .gradients import sdf_loss_gradients
from .losses import correlation_loss, latent_loss
from .model import ShapeModel, network_for
from .optimiser import Optimiser
from .presets import TrainingSettings
from .sides import sides_of
from .tensors import load_tensors, save_tensors

if TYPE_CHECKING:
    from ..anatomy.cohort import Cohort

# What a checkpoint's tensors of the optimiser are called, before their own names.
_OPTIMISER = "optimiser."


@dataclass(frozen=True)
class EpochReport:
    """What one epoch came to.

    Attributes
    ----------
    epoch, epochs : int
        Epochs done, and to do in all.
    loss : float
        Mean of the whole loss over the epoch's steps.
    losses : dict of str to float
        Its terms without their weights: "sdf", "latent" and, where active, "correlation".
    seconds : float
        Duration of the epoch.
    samples_per_second : float
        Samples learned from per second of the epoch.
    eta_s : float
        Estimated seconds to the end, from the recent epochs' durations.
    """

    epoch: int
    epochs: int
    loss: float
    losses: dict[str, float]
    seconds: float
    samples_per_second: float
    eta_s: float


Snapshot = Callable[[int, Callable[[], ShapeModel]], None]
"""Called after each epoch with its number and a function that gives the model as it is then."""


def _unseen(epoch: int, model_of: Callable[[], ShapeModel]) -> None:
    """Look at no snapshot."""


def train(
    cohort: Cohort,
    settings: TrainingSettings,
    *,
    device: str = "auto",
    checkpoint_path: Path | None = None,
    checkpoint_every_s: float = 30.0,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
    on_snapshot: Snapshot = _unseen,
    should_stop: StopRequested = never,
    team: Team = ALONE,
) -> ShapeModel:
    """Train a shape model on a cohort, going on from the checkpoint when there is one.

    An epoch's samples depend on the seed and the epoch's number only, so a training that was
    interrupted and resumed follows the loss curve of one that was not; on a CPU bit for bit.

    Parameters
    ----------
    cohort : Cohort
        The prepared cases.
    settings : TrainingSettings
        The choices; see `settings_for`.
    device : str
        "auto", "cpu" or "cuda".
    checkpoint_path : Path, optional
        File to write now and then, at a stop and at the end, and to resume from if it exists.
    on_epoch : callable
        Called with an `EpochReport` after each epoch.
    on_snapshot : callable
        Called after that; the model costs something only when it is asked for.
    should_stop : callable
        Asked after each epoch; when true a checkpoint is written and `Cancelled` raised.
    team : Team
        The processes that train together, each of which calls this. Only the first writes the checkpoint.

    Raises
    ------
    Cancelled
        `should_stop` said so; the checkpoint is written.
    ModelError
        The checkpoint belongs to another cohort or other settings, or there are more processes than a step has
        shapes.
    JobError
        Another process of the team was lost.
    """
    most = min(settings.shapes_per_step, len(cohort.ids))
    if team.size > most:
        raise ModelError(f"A step of this training has {most} shapes for {team.size} processes. Start at most {most}.")
    learner = _Learner(cohort, settings, team.own_gpu(choose_device(device)), team)
    if checkpoint_path is not None and Path(checkpoint_path).exists():
        learner.restore(checkpoint_path)
    team.insist_on_the_same(f"{learner.epoch} {cohort.checksum}")
    last_checkpoint = time.monotonic()
    duration: float | None = None
    while learner.epoch < settings.epochs:
        started = time.monotonic()
        losses = dict(learner.run_epoch())
        seconds = max(time.monotonic() - started, 1e-9)
        # A running mean forgets a pause of the machine within some ten epochs.
        duration = seconds if duration is None else 0.9 * duration + 0.1 * seconds
        on_epoch(
            EpochReport(
                epoch=learner.epoch,
                epochs=settings.epochs,
                loss=losses.pop("total"),
                losses=losses,
                seconds=seconds,
                samples_per_second=len(cohort.ids) * settings.samples_per_shape / seconds,
                eta_s=duration * (settings.epochs - learner.epoch),
            )
        )
        on_snapshot(learner.epoch, learner.model)
        stop = team.any(should_stop()) and learner.epoch < settings.epochs
        due = stop or learner.epoch == settings.epochs or time.monotonic() - last_checkpoint > checkpoint_every_s
        if checkpoint_path is not None and due and not team.follows:
            learner.checkpoint(checkpoint_path)
            last_checkpoint = time.monotonic()
        if stop:
            raise Cancelled(f"Training was stopped after epoch {learner.epoch} of {settings.epochs}.")
    return learner.model()


def seconds_per_epoch(
    cohort: Cohort, settings: TrainingSettings, *, device: str = "auto", patience_s: float = 1.5
) -> float:
    """Measure how long an epoch takes on this machine, from as many of its steps as there is patience for.

    Parameters
    ----------
    cohort : Cohort
        Only its ids, features and samples are looked at, so an outline of a cohort will do.
    """
    return _Learner(cohort, settings, choose_device(device)).time_epoch(patience_s)


class _Learner:
    """The state of a training: weights, latent table, optimiser and the number of epochs done."""

    def __init__(self, cohort: Cohort, settings: TrainingSettings, device: torch.device, team: Team = ALONE) -> None:
        self.cohort, self.settings, self.device, self.team = cohort, settings, device, team
        self.epoch = 0
        self.last_losses: dict[str, float] = {}
        self.conditioning = Conditioning.fit(settings.conditioning, cohort.features)
        fixed = self.conditioning.encode(cohort.features).astype(np.float32)
        self.fixed = torch.from_numpy(fixed).to(device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_seed_of(settings.seed, 0))
            network = network_for(settings, fixed.shape[1])
            latent = torch.randn(len(cohort.ids), settings.latent_size) * settings.latent_init_sd
        if settings.mirrored_size:
            sides = sides_of(cohort.samples)[:, : settings.mirrored_size]
            kept = settings.latent_size - settings.mirrored_size
            latent[:, kept : kept + sides.shape[1]] += torch.from_numpy(sides)
        self.network = network.to(device)
        self.latent = torch.nn.Parameter(latent.to(device))
        self.optimiser = Optimiser(self.network, self.latent, settings)
        # A GPU keeps every sample at hand; a CPU reads them through the memory map.
        self.samples = torch.from_numpy(np.array(cohort.samples)).to(device) if device.type == "cuda" else None

    def run_epoch(self) -> dict[str, float]:
        """Take every shape once, in random order, and give the mean losses."""
        self.optimiser.begin_epoch(self.epoch)
        self.team.align(self.optimiser.parameters)
        rng = np.random.default_rng(_seed_of(self.settings.seed, 1 + self.epoch))
        order = rng.permutation(len(self.cohort.ids))
        sums = torch.zeros(3, device=self.device)
        for start in range(0, len(order), self.settings.shapes_per_step):
            shapes = order[start : start + self.settings.shapes_per_step]
            sums += self._learn(shapes, rng) * len(shapes)
        total, sdf, latent = (sums / len(order)).tolist()
        self.last_losses = {"total": total, "sdf": sdf, "latent": latent}
        if self.settings.correlation_weight > 0 and self.conditioning.size:
            self.last_losses["correlation"] = self._decorrelate()
        self.epoch += 1
        return self.last_losses

    def time_epoch(self, patience_s: float) -> float:
        """Take steps for a while and say how many seconds a whole epoch takes."""
        rng = np.random.default_rng(self.settings.seed)
        shapes = rng.permutation(len(self.cohort.ids))[: self.settings.shapes_per_step]
        for _ in range(3):  # The first ones are slow: memory is taken, a GPU's programs are loaded.
            self._learn(shapes, rng)
        self._settle()
        began, steps = time.monotonic(), 0
        while steps < 3 or time.monotonic() - began < patience_s:
            self._learn(shapes, rng)
            steps += 1
            if steps % 50 == 0:
                self._settle()
        self._settle()
        epoch = (time.monotonic() - began) / steps * len(self.cohort.ids) / len(shapes)
        if self.settings.correlation_weight > 0 and self.conditioning.size:
            began = time.monotonic()
            self._decorrelate()
            epoch += time.monotonic() - began
        return epoch

    def _settle(self) -> None:
        """Wait for a GPU, which works through its steps later than it is told to."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _learn(self, shapes: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
        """Take one step on fresh samples of some shapes; give its whole, SDF and latent losses."""
        # Every process draws the same numbers, and looks at the samples of its own shapes only.
        part = self.team.part_of(len(shapes))
        index, signs = self._draw_rows(len(shapes), rng)[part], self._draw_mirrored(shapes, rng)
        mirrored = None if signs is None else signs[part]
        self.optimiser.forget()
        losses, codes = self._differentiate(shapes[part], index, mirrored)
        codes = self._sum_up(shapes, losses, codes, part)
        self.optimiser.take_codes(torch.from_numpy(shapes).to(self.device), codes)
        self.optimiser.step()
        return losses

    def _sum_up(self, shapes: np.ndarray, losses: torch.Tensor, codes: torch.Tensor, part: slice) -> torch.Tensor:
        """Bring all processes' gradients together: the network's, and those of the step's codes, which it gives."""
        if self.team.size == 1:
            return codes
        own, codes = codes, torch.zeros(len(shapes), codes.shape[1], device=self.device)
        codes[part] = own
        for parameter in self.network.parameters():
            if parameter.grad is None:  # The last step of an epoch may have no shape for this process.
                parameter.grad = torch.zeros_like(parameter)
        network = [parameter.grad for parameter in self.network.parameters()]
        self.team.sum_up([*network, codes, losses], (part.stop - part.start) / len(shapes))
        return codes

    def _samples_of(self, shapes: np.ndarray, index: np.ndarray) -> torch.Tensor:
        """Give samples (shapes, samples, 4) of some shapes by their numbers (shapes, samples)."""
        if self.samples is None:
            return torch.from_numpy(self.cohort.samples[shapes[:, None], index])
        rows = torch.from_numpy(shapes).to(self.device)
        return self.samples[rows[:, None], torch.from_numpy(index).to(self.device)]

    def _draw_rows(self, shapes: int, rng: np.random.Generator) -> np.ndarray:
        """Pick the samples of some shapes by number, shape (shapes, samples)."""
        stored, wanted = self.cohort.samples.shape[1], self.settings.samples_per_shape
        if self.settings.surface_share is None:
            return rng.integers(stored, size=(shapes, wanted))
        on_surface, wanted_on = round(stored * SURFACE_SHARE), round(wanted * self.settings.surface_share)
        on = rng.integers(on_surface, size=(shapes, wanted_on))
        off = rng.integers(on_surface, stored, size=(shapes, wanted - wanted_on))
        return np.concatenate([on, off], axis=1)

    def _draw_mirrored(self, shapes: np.ndarray, rng: np.random.Generator) -> torch.Tensor | None:
        """Pick the shapes shown mirrored: -1 for those, 1 for the others, shape (shapes, 1)."""
        if not self.settings.mirrored_size:
            return None
        signs = rng.choice(np.array([-1.0, 1.0], dtype=np.float32), size=(len(shapes), 1))
        return torch.from_numpy(signs).to(self.device)

    def _differentiate(self, shapes: np.ndarray, index: np.ndarray, mirrored: torch.Tensor | None) -> tuple:
        """Give the network its gradients on samples of some shapes.

        Returns
        -------
        losses : Tensor, shape (3,)
            As `_learn` gives them.
        codes : Tensor, shape (shapes, latent_size)
            The gradients of their codes.
        """
        if not len(shapes):
            return torch.zeros(3, device=self.device), torch.zeros(0, self.latent.shape[1], device=self.device)
        samples = self._samples_of(shapes, index)
        rows = torch.from_numpy(shapes).to(self.device)
        own = self.latent.detach()[rows].requires_grad_()
        trainable = own
        if mirrored is not None:
            kept = self.settings.latent_size - self.settings.mirrored_size
            trainable = torch.cat([trainable[:, :kept], trainable[:, kept:] * mirrored], dim=1)
            samples[..., 0] *= mirrored
        folded = self.network.fold(torch.cat([self.fixed[rows], trainable], dim=1))
        found = sdf_loss_gradients(self.network, samples, folded.detach())
        latent = latent_loss(trainable)
        # From the codes' part of the first layer on the chain rule is followed automatically.
        torch.autograd.backward([folded, self.settings.latent_weight * latent], [found.folded, None])
        found.add_to(self.network)
        return torch.stack([found.loss + self.settings.latent_weight * latent, found.loss, latent]).detach(), own.grad

    def _decorrelate(self) -> float:
        """Push the whole latent table away from correlation with the fixed features."""
        loss = correlation_loss(self.fixed, self.latent)
        self.optimiser.forget()
        (self.settings.correlation_weight * loss).backward()
        self.optimiser.step()
        return float(loss.detach())

    def checkpoint(self, path: Path) -> None:
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors["latent"] = self.latent
        tensors.update({f"{_OPTIMISER}{name}": value for name, value in self.optimiser.state().items()})
        progress = {"epoch": self.epoch, "losses": self.last_losses}
        save_tensors(path, tensors, {"kind": "checkpoint", **progress, **self._identity()})

    def restore(self, path: Path) -> None:
        tensors, description = load_tensors(path, kind="checkpoint")
        mine = self._identity()
        # Choices that came after the checkpoint had their defaults.
        defaults = TrainingSettings(preset="", variant="").to_json()
        description["settings"] = {**defaults, **description.get("settings", {})}
        for key, what in (("cohort", "another cohort"), ("settings", "other settings")):
            if description.get(key) != mine[key]:
                raise ModelError(
                    f"{path} is the checkpoint of a training with {what}. "
                    "Choose the cohort and settings it was started with, or another output folder."
                )
        self.network.load_state_dict(_beginning_with("network.", tensors))
        with torch.no_grad():
            self.latent.copy_(tensors["latent"])
        self.optimiser.restore(_beginning_with(_OPTIMISER, tensors))
        self.epoch, self.last_losses = description["epoch"], description["losses"]

    def _identity(self) -> dict[str, object]:
        return {"cohort": self.cohort.checksum, "settings": self.settings.to_json()}

    def model(self) -> ShapeModel:
        return ShapeModel(
            network=copy.deepcopy(self.network).cpu().eval().requires_grad_(False),
            frame=self.cohort.frame,
            conditioning=self.conditioning,
            ids=tuple(self.cohort.ids),
            features=np.array(self.cohort.features),
            latent_table=self.latent.detach().cpu().numpy().copy(),
            settings=self.settings,
            provenance={
                "cohort": self.cohort.provenance(),
                "training": {"epochs": self.epoch, "losses": self.last_losses, "device": str(self.device)},
                "software": {"thyroidsynth": __version__, "torch": torch.__version__, "numpy": np.__version__},
            },
        )


def _beginning_with(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Give tensors by the rest of their names."""
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}


def _seed_of(seed: int, stream: int) -> int:
    """Derive the seed of one independent stream of random numbers."""
    return int(np.random.SeedSequence([seed, stream]).generate_state(1, np.uint64)[0] >> 1)
