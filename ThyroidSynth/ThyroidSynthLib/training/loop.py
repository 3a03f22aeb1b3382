"""The training loop: the network and the latent codes are learned together (paper, sections 2.2 and 2.3).

`train` calls `_run_epoch`, which calls `_take_step`. All three are plain PyTorch with automatic differentiation,
except that on CPUs the SDF loss comes with hand-written gradients (`cpu_engine`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice, repeat
from pathlib import Path

import numpy as np
import torch

from ThyroidSynthLib.common.errors import Cancelled, ModelError
from ThyroidSynthLib.common.progress import ShouldStop, never
from ThyroidSynthLib.model.settings import TrainingSettings
from ThyroidSynthLib.model.trained_model import TrainedModel

from .batches import Batch
from .cpu_engine import cpu_sdf_loss
from .device import choose_device
from .distributed import ALONE, ProcessGroup
from .losses import SDFLoss, correlation_loss, latent_loss, sdf_loss
from .samples import FAR_PER_SHAPE, TrainingSamples, far_samples
from .state import TrainingCohort, TrainingData, TrainingState, derive_seed


@dataclass(frozen=True)
class EpochReport:
    """The losses and the pace of one epoch.

    `loss` is the mean of the whole loss over the epoch's steps; `losses` are its terms without their weights: "sdf",
    "latent" and, if active, "correlation". `eta_s` estimates the seconds to the end from the recent epochs.
    """

    epoch: int
    epochs: int
    loss: float
    losses: dict[str, float]
    seconds: float
    samples_per_second: float
    eta_s: float


Snapshot = Callable[[int, Callable[[], TrainedModel]], None]
"""Called after each epoch with its number and a function that returns the model at that time."""


def train(
    cohort: TrainingCohort,
    settings: TrainingSettings,
    *,
    device: str = "auto",
    checkpoint_path: Path | None = None,
    checkpoint_every_s: float = 30.0,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
    on_snapshot: Snapshot = lambda epoch, model_of: None,
    should_stop: ShouldStop = never,
    process_group: ProcessGroup = ALONE,
    loss_function: SDFLoss | None = None,
    codes_of_others: np.ndarray | None = None,
) -> TrainedModel:
    """Train a shape model on a cohort, or resume its training from a checkpoint.

    The samples of an epoch depend only on the seed and the number of the epoch, so a training that was interrupted
    and resumed has the loss curve of one that was not; on a CPU bit for bit.

    Parameters
    ----------
    settings : TrainingSettings
        See `settings_for`.
    device : str
        "auto", "cpu" or "cuda".
    checkpoint_path : Path, optional
        File to resume from if it exists. Written every `checkpoint_every_s` seconds, at a stop and at the end.
    on_epoch : callable
        Called with an `EpochReport` after each epoch.
    on_snapshot : callable
        Called after `on_epoch`. The model is copied only if its function is called.
    should_stop : callable
        Called after each epoch; if it returns true, a checkpoint is written and `Cancelled` is raised.
    process_group : ProcessGroup
        The processes that train together, each of which calls this function. Only the first writes the checkpoint.
    loss_function : SDFLoss, optional
        The implementation of the SDF loss; by default the fastest one for the device.
    codes_of_others : ndarray, shape (cases, m), optional
        Codes of other organs, from which the correlation loss keeps those of this training independent as well.

    Raises
    ------
    Cancelled
        `should_stop` returned true.
    ModelError
        The checkpoint belongs to another cohort or other settings, there are more processes than shapes in a step,
        or the device does not exist.
    JobError
        Another process of the group was lost.
    """
    shapes = min(settings.shapes_per_step, len(cohort.ids))
    if process_group.size > shapes:
        raise ModelError(
            f"A step of this training has {shapes} shapes for {process_group.size} processes. Start at most {shapes}."
        )
    where = process_group.own_gpu(choose_device(device))
    state = TrainingState.start(cohort, settings, where, codes_of_others)
    if checkpoint_path is not None and checkpoint_path.exists():
        state.restore(checkpoint_path, cohort)
    process_group.require_same(f"{state.epoch} {cohort.checksum}")
    samples = TrainingSamples.on(where, cohort, far_samples(cohort, settings))
    loss_function = loss_function or _fastest_sdf_loss(where)
    last_checkpoint = time.monotonic()
    mean_seconds: float | None = None
    while state.epoch < settings.epochs:
        started = time.monotonic()
        _run_epoch(state, samples, loss_function, process_group)
        seconds = max(time.monotonic() - started, 1e-9)
        # An exponential mean, so that a pause of the machine is forgotten within some ten epochs.
        mean_seconds = seconds if mean_seconds is None else 0.9 * mean_seconds + 0.1 * seconds
        on_epoch(
            EpochReport(
                epoch=state.epoch,
                epochs=settings.epochs,
                loss=state.losses["total"],
                losses={name: value for name, value in state.losses.items() if name != "total"},
                seconds=seconds,
                samples_per_second=len(cohort.ids) * settings.samples_per_shape / seconds,
                eta_s=mean_seconds * (settings.epochs - state.epoch),
            )
        )
        on_snapshot(state.epoch, lambda: state.model(cohort))
        finished = state.epoch == settings.epochs
        stop = process_group.any(should_stop()) and not finished
        due = stop or finished or time.monotonic() - last_checkpoint > checkpoint_every_s
        if checkpoint_path is not None and due and not process_group.follows:
            state.save(checkpoint_path, cohort)
            last_checkpoint = time.monotonic()
        if stop:
            raise Cancelled(f"Training was stopped after epoch {state.epoch} of {settings.epochs}.")
    return state.model(cohort)


def _run_epoch(
    state: TrainingState, samples: TrainingSamples, loss_function: SDFLoss, process_group: ProcessGroup
) -> None:
    """Take every shape once, in random order, and then the correlation step."""
    cases, settings = len(state.latent), state.settings
    rng = np.random.default_rng(derive_seed(settings.seed, 1 + state.epoch))
    state.optimiser.begin_epoch(state.epoch)
    process_group.broadcast(state.optimiser.parameters)
    sums = torch.zeros(3, device=state.latent.device)
    with _one_thread_for_pytorch():
        for batch in samples.batches(settings, rng):
            sums += _take_step(state, batch, samples, loss_function, process_group) * len(batch.shapes)
        losses = dict(zip(("total", "sdf", "latent"), (sums / cases).tolist(), strict=True))
        if settings.correlation_weight > 0 and state.uncorrelated_with.shape[1] > 0:
            losses["correlation"] = _take_correlation_step(state)
    state.losses, state.epoch = losses, state.epoch + 1


def _take_step(
    state: TrainingState, batch: Batch, samples: TrainingSamples, loss_function: SDFLoss, process_group: ProcessGroup
) -> torch.Tensor:
    """Minimise equation 3 on a batch by one step; return its mean total, SDF and latent losses, shape (3,)."""
    settings, device = state.settings, state.latent.device
    rows = torch.from_numpy(batch.shapes).to(device)
    codes = state.latent.detach()[rows].requires_grad_()
    losses = torch.zeros(3, device=device)
    state.optimiser.zero_grad()
    # Each process learns from its own part of the batch.
    part = process_group.part_of(len(batch.shapes))
    if part.stop > part.start:
        own_samples, trainable = samples.take(batch.part(part), device), codes[part]
        if batch.signs is not None:
            # A mirrored gland has the same features, and the opposite signs in the mirrored dimensions.
            signs = torch.from_numpy(batch.signs[part]).to(device)
            own_samples[..., 0] *= signs
            kept = settings.latent_size - settings.mirrored_size
            trainable = torch.cat([trainable[:, :kept], trainable[:, kept:] * signs], dim=1)
        folded = state.network.fold(torch.cat([state.fixed[rows[part]], trainable], dim=1))
        of_sdf, of_codes = loss_function(state.network, own_samples, folded), latent_loss(trainable)
        total = of_sdf + settings.latent_weight * of_codes
        share = (part.stop - part.start) / len(batch.shapes)
        (share * total).backward()
        losses = share * torch.stack([total, of_sdf, of_codes]).detach()
    gradients = _gradients([*state.network.parameters(), codes])
    process_group.add_up([losses, *gradients])
    state.optimiser.set_code_gradients(rows, gradients[-1])
    state.optimiser.step()
    return losses


def _take_correlation_step(state: TrainingState) -> float:
    """Minimise equation 4 on the whole latent table by one step, and return its value before."""
    loss = correlation_loss(state.uncorrelated_with, state.latent)
    state.optimiser.zero_grad()
    (state.settings.correlation_weight * loss).backward()
    state.optimiser.step()
    return loss.item()


@contextmanager
def _one_thread_for_pytorch() -> Iterator[None]:
    """Let PyTorch use the calling thread alone within a ``with`` block.

    Its threads spin for a while after each operation; on a CPU with few cores they would take those of `cpu_engine`.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _gradients(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    """Return the gradients of tensors, after setting those that are missing to 0."""
    for tensor in tensors:
        if tensor.grad is None:
            tensor.grad = torch.zeros_like(tensor)
    return [tensor.grad for tensor in tensors if tensor.grad is not None]


def _fastest_sdf_loss(device: torch.device) -> SDFLoss:
    return cpu_sdf_loss if device.type == "cpu" else sdf_loss


def seconds_per_epoch(
    data: TrainingData, settings: TrainingSettings, *, device: str = "auto", patience_s: float = 1.5
) -> float:
    """Measure how long an epoch takes on this machine, from the steps of about `patience_s` seconds.

    The data may be a cohort, or random arrays of its size.
    """
    where = choose_device(device)
    state = TrainingState.start(data, settings, where)
    rng, cases = np.random.default_rng(settings.seed), len(data.ids)
    far = None if settings.sine_omega is None else np.zeros((cases, FAR_PER_SHAPE, 4), np.float32)
    samples, loss_function = TrainingSamples.on(where, data, far), _fastest_sdf_loss(where)
    batches = chain.from_iterable(samples.batches(settings, rng) for _ in repeat(None))
    with _one_thread_for_pytorch():
        for batch in islice(batches, 3):  # The first steps are slow: memory is allocated and GPU code is loaded.
            _take_step(state, batch, samples, loss_function, ALONE)
        _wait_for(where)
        began, steps, shapes = time.monotonic(), 0, 0
        while steps < 3 or time.monotonic() - began < patience_s:
            batch = next(batches)
            _take_step(state, batch, samples, loss_function, ALONE)
            steps, shapes = steps + 1, shapes + len(batch.shapes)
        _wait_for(where)
        seconds = (time.monotonic() - began) / shapes * cases
        if settings.correlation_weight > 0 and state.conditioning.size > 0:
            began = time.monotonic()
            _take_correlation_step(state)
            seconds += time.monotonic() - began
    return seconds


def _wait_for(device: torch.device) -> None:
    """Wait until a GPU has done the steps that were launched."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
