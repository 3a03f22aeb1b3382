"""Training by several processes, on one machine or several, as ``torchrun`` starts them.

Every process holds the whole network and the whole latent table and draws the same batches with the same random
numbers. It learns from its own part of each batch; then the gradients are added up over all processes and each takes
the same step. So any number of processes follows the loss curve of one, except for the rounding of sums.

PyTorch's `DistributedDataParallel` synchronises modules only. Here the rows of the latent table that a step uses travel
with the network's gradients in one `all_reduce` per step, over NCCL between GPUs and over Gloo between CPUs.

Only the first process (rank 0) has the job: its state, log, previews, checkpoints and the model. It sends the others
the plan of the training; they read the cohort and the checkpoint from a drive that all machines see.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from ThyroidSynthLib.common.errors import JobError, ModelError
from ThyroidSynthLib.common.progress import ShouldStop, never

if TYPE_CHECKING:
    import torch

_REQUIRED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_PLAN, _RECEIVED = "thyroidsynth/plan", "thyroidsynth/received"
# How long a first process that will not train waits until the others have received that.
_DISMISS_TIMEOUT_S = 10.0


@dataclass
class ProcessGroup:
    """The processes of a training, as one of them sees them; by default a single process.

    The first one, of rank 0, has the job. `local_rank` is the number of this process on its machine, and of the GPU it
    takes there.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    _store: Any = field(default=None, repr=False)
    _plan_sent: bool = field(default=False, repr=False)

    @property
    def follows(self) -> bool:
        """Whether another process has the job."""
        return self.rank > 0

    def part_of(self, count: int) -> slice:
        """Return this process's part of `count` things. The parts do not overlap and are nearly equal."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def own_gpu(self, device: torch.device) -> torch.device:
        """Return the GPU of this process if it is one of several on GPUs; else `device` unchanged.

        `ModelError` if `device` is one particular GPU, or the machine has fewer GPUs than processes.
        """
        import torch

        if self.size == 1 or device.type != "cuda":
            return device
        if device.index is not None:
            raise ModelError(f"Each process takes a GPU of its own, not all '{device}'. Choose the device 'cuda'.")
        gpus = torch.cuda.device_count()
        if self.local_rank >= gpus:
            raise ModelError(
                f"This machine has {gpus} GPUs for more processes. Start at most {gpus} here (--nproc-per-node)."
            )
        torch.cuda.set_device(self.local_rank)
        return torch.device("cuda", self.local_rank)

    def send_plan(self, plan: dict[str, Any] | None) -> None:
        """Send the other processes what to train; None if there is nothing to train."""
        self._plan_sent = True
        self._store.set(_PLAN, json.dumps(plan))

    def receive_plan(self, should_stop: ShouldStop = never) -> dict[str, Any] | None:
        """Wait for the plan of the first process and return it; None if there is nothing to train."""
        with _connection_errors():
            # Polled, because a preparation may take hours and `should_stop` must be called meanwhile.
            while not self._store.check([_PLAN]):
                if should_stop():
                    return None
                time.sleep(0.1)
            plan: dict[str, Any] | None = json.loads(self._store.get(_PLAN))
            self._store.add(_RECEIVED, 1)
            return plan

    def dismiss(self) -> None:
        """Send the other processes that there is nothing to train, unless they have a plan."""
        if self._plan_sent:
            return
        with suppress(RuntimeError):
            self.send_plan(None)
            deadline = time.monotonic() + _DISMISS_TIMEOUT_S
            while self._store.add(_RECEIVED, 0) < self.size - 1 and time.monotonic() < deadline:
                time.sleep(0.05)

    def add_up(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replace each tensor by its sum over all processes."""
        if self.size == 1:
            return
        import torch
        from torch import distributed

        with _connection_errors(), torch.no_grad():
            flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
            distributed.all_reduce(flat)
            for tensor, sums in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
                tensor.copy_(sums.view_as(tensor))

    def broadcast(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replace each tensor by that of the first process, so that different machines do not drift apart."""
        if self.size == 1:
            return
        from torch import distributed

        with _connection_errors():
            for tensor in tensors:
                distributed.broadcast(tensor.data, src=0)

    def any(self, value: bool) -> bool:
        """Return whether the value is true in any process."""
        if self.size == 1:
            return value
        import torch
        from torch import distributed

        values = torch.tensor([int(value)])
        with _connection_errors():
            distributed.all_reduce(values, distributed.ReduceOp.MAX)
        return bool(values.item())

    def require_same(self, start: str) -> None:
        """Raise `JobError` unless all processes have the same text `start`, which names their checkpoint and cohort."""
        if self.size == 1:
            return
        import torch
        from torch import distributed

        digest = int.from_bytes(hashlib.sha256(start.encode()).digest()[:7], "big")
        extremes = torch.tensor([digest, -digest])
        with _connection_errors():
            distributed.all_reduce(extremes, distributed.ReduceOp.MAX)
        if extremes[0] != -extremes[1]:
            raise JobError(
                "The training processes do not see the same checkpoint. Put the job's folder on a drive that all "
                "machines see under the same path."
            )


ALONE = ProcessGroup()
"""The group of a training by a single process."""


@contextmanager
def process_group_of_environment(environment: Mapping[str, str] = os.environ) -> Iterator[ProcessGroup]:
    """Join the processes that ``torchrun`` started this one with; `ALONE` if it did not.

    The environment has RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, and LOCAL_RANK for the GPU. `JobError` if the
    other processes cannot be reached, or this PyTorch has no distributed training.
    """
    if any(name not in environment for name in _REQUIRED) or int(environment["WORLD_SIZE"]) == 1:
        yield ALONE
        return
    process_group = _join(environment)
    from torch import distributed

    try:
        yield process_group
    finally:
        if not process_group.follows:
            # If the first process failed before it sent a plan, the others must not wait for one.
            process_group.dismiss()
        distributed.destroy_process_group()


def exit_process(code: int) -> NoReturn:
    """End this process with an exit code, without Python's finalisation if ``torchrun`` started it.

    During the finalisation, threads of Gloo that still hold tensors may abort the process, although its work is done
    (pytorch/pytorch#179291); ``torchrun`` then ends the other processes before the model is written.
    """
    if "torch.distributed" in sys.modules and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        with suppress(OSError, ValueError):  # Nobody may read the streams any more.
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _join(environment: Mapping[str, str]) -> ProcessGroup:
    import torch
    from torch import distributed

    if not distributed.is_available():
        raise JobError(
            f"PyTorch {torch.__version__} has no distributed training. Start one process, or install another PyTorch."
        )
    gpus = torch.cuda.is_available() and distributed.is_nccl_available()
    try:
        store, rank, size = next(distributed.rendezvous("env://"))
        backend = "cpu:gloo,cuda:nccl" if gpus else "gloo"
        group = distributed.PrefixStore("group", store)
        distributed.init_process_group(backend, store=group, rank=rank, world_size=size)
    except (RuntimeError, ValueError) as error:
        raise JobError(
            f"The other training processes were not found ({error}). Start all with torchrun, and check that "
            f"{environment['MASTER_ADDR']}:{environment['MASTER_PORT']} can be reached from every machine."
        ) from error
    return ProcessGroup(rank, size, int(environment.get("LOCAL_RANK", 0)), store)


@contextmanager
def _connection_errors() -> Iterator[None]:
    """Raise a `JobError` if another process is lost."""
    try:
        yield
    except RuntimeError as error:
        raise JobError(
            f"Another training process was lost ({str(error).splitlines()[0]}). See its error message, and start the "
            "same command again: training resumes from the last checkpoint."
        ) from error
