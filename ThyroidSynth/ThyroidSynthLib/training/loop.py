"""Learning the network and the latent codes together (paper, section 2.2)."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.errors import Cancelled, ModelError
from ThyroidSynthLib.common.progress import ShouldStop, never
from ThyroidSynthLib.model.conditioning import Conditioning
from ThyroidSynthLib.model.presets import TrainingSettings
from ThyroidSynthLib.model.shape_model import ShapeModel, network_for
from ThyroidSynthLib.model.tensors import load_tensors, save_tensors

from .asymmetry import sides_of
from .device import choose_device
from .distributed import ALONE, ProcessGroup
from .draws import Draws, draw_steps
from .losses import correlation_loss
from .optimiser import Optimiser
from .recorded_steps import RecordedSteps
from .recording import CudaRecorder, Recorder
from .steps import Learnable, Steps

if TYPE_CHECKING:
    from ThyroidSynthLib.dataset.cohort import Cohort

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
    should_stop: ShouldStop = never,
    process_group: ProcessGroup = ALONE,
    recorder: Recorder | None = None,
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
    recorder : Recorder, optional
        What records the steps of a single process; without it a GPU's are recorded as CUDA graphs, a processor's
        are not.

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
    if process_group.size > most:
        raise ModelError(
            f"A step of this training has {most} shapes for {process_group.size} processes. Start at most {most}."
        )
    learner = _Learner(cohort, settings, process_group.own_gpu(choose_device(device)), process_group, recorder)
    if checkpoint_path is not None and Path(checkpoint_path).exists():
        learner.restore(checkpoint_path)
    process_group.insist_on_the_same(f"{learner.epoch} {cohort.checksum}")
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
        stop = process_group.any(should_stop()) and learner.epoch < settings.epochs
        due = stop or learner.epoch == settings.epochs or time.monotonic() - last_checkpoint > checkpoint_every_s
        if checkpoint_path is not None and due and not process_group.follows:
            learner.checkpoint(checkpoint_path)
            last_checkpoint = time.monotonic()
        if stop:
            raise Cancelled(f"Training was stopped after epoch {learner.epoch} of {settings.epochs}.")
    return learner.model()


def seconds_per_epoch(
    cohort: Cohort,
    settings: TrainingSettings,
    *,
    device: str = "auto",
    patience_s: float = 1.5,
    recorder: Recorder | None = None,
) -> float:
    """Measure how long an epoch takes on this machine, from as many of its steps as there is patience for.

    Parameters
    ----------
    cohort : Cohort
        Only its ids, features and samples are looked at, so an outline of a cohort will do.
    recorder : Recorder, optional
        As for `train`.
    """
    return _Learner(cohort, settings, choose_device(device), recorder=recorder).time_epoch(patience_s)


class _Learner:
    """The state of a training: weights, latent table, optimiser and the number of epochs done."""

    def __init__(
        self,
        cohort: Cohort,
        settings: TrainingSettings,
        device: torch.device,
        process_group: ProcessGroup = ALONE,
        recorder: Recorder | None = None,
    ) -> None:
        self.cohort, self.settings, self.device, self.process_group = cohort, settings, device, process_group
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
        on_gpu = device.type == "cuda"
        recorded = process_group.size == 1 and (on_gpu or recorder is not None)
        self.optimiser = Optimiser(self.network, self.latent, settings, recorded=recorded)
        learnable = Learnable(self.network, self.latent, self.fixed, self.optimiser, settings)
        # A GPU keeps every sample at hand; a CPU reads them through the memory map.
        samples = torch.from_numpy(np.array(cohort.samples)).to(device) if on_gpu or recorded else cohort.samples
        self.steps: Steps | RecordedSteps
        if recorded:
            self.steps = RecordedSteps(learnable, samples, recorder or CudaRecorder(device))
        else:
            self.steps = Steps(learnable, samples, process_group)
        # What an epoch looks at, by its number, where some of it was drawn before its time.
        self._ahead: dict[int, Iterator[list[Draws]]] = {}

    def run_epoch(self) -> dict[str, float]:
        """Take every shape once, in random order, and give the mean losses."""
        self.optimiser.begin_epoch(self.epoch)
        self.process_group.align(self.optimiser.parameters)
        sums = torch.zeros(3, device=self.device)
        for block in self._ahead.pop(self.epoch, None) or self._blocks(self.epoch):
            sums += self.steps.take(block)
        losses = sums / len(self.cohort.ids)
        if self._correlates:
            losses = torch.cat([losses, self._decorrelate()[None]])
        # The first numbers of the next epoch are drawn while a GPU still works on this one.
        following = self._blocks(self.epoch + 1)
        self._ahead = {self.epoch + 1: chain([next(following)], following)}
        self.last_losses = dict(zip(("total", "sdf", "latent", "correlation"), losses.tolist(), strict=False))
        self.epoch += 1
        return self.last_losses

    def time_epoch(self, patience_s: float) -> float:
        """Take steps for a while and say how many seconds a whole epoch takes."""
        rng = np.random.default_rng(self.settings.seed)
        order = rng.permutation(len(self.cohort.ids))[: self.steps.at_once * self.settings.shapes_per_step]

        def draw() -> list[Draws]:
            return list(self._draw(order, rng))

        for _ in range(3):  # The first ones are slow: memory is taken, a GPU's programs are loaded and recorded.
            self.steps.take(draw())
        self._settle()
        began, blocks, block = time.monotonic(), 0, draw()
        while blocks < 3 or time.monotonic() - began < patience_s:
            self.steps.take(block)
            block = draw()  # While a GPU works, as in an epoch.
            blocks += 1
            self._settle()
        epoch = (time.monotonic() - began) / blocks * len(self.cohort.ids) / len(order)
        if self._correlates:
            began = time.monotonic()
            self._decorrelate().item()
            epoch += time.monotonic() - began
        return epoch

    @property
    def _correlates(self) -> bool:
        return self.settings.correlation_weight > 0 and self.conditioning.size > 0

    def _blocks(self, epoch: int) -> Iterator[list[Draws]]:
        """Draw what an epoch's steps look at, as many steps at a time as are best taken at once."""
        rng = np.random.default_rng(_seed_of(self.settings.seed, 1 + epoch))
        steps = self._draw(rng.permutation(len(self.cohort.ids)), rng)
        while block := list(islice(steps, self.steps.at_once)):
            yield block

    def _draw(self, order: np.ndarray, rng: np.random.Generator) -> Iterator[Draws]:
        return draw_steps(order, self.cohort.samples.shape[1], self.settings, rng)

    def _settle(self) -> None:
        """Wait for a GPU, which works through its steps later than it is told to."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _decorrelate(self) -> torch.Tensor:
        """Push the whole latent table away from correlation with the fixed features."""
        loss = correlation_loss(self.fixed, self.latent)
        self.optimiser.forget()
        (self.settings.correlation_weight * loss).backward()
        self.optimiser.step()
        return loss.detach()

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
