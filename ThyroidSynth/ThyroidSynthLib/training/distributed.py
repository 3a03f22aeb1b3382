"""Training by several processes, on one machine or on many, as ``torchrun`` starts them.

Every process holds the whole network and the whole latent table, and walks through the same shapes in the
same order with the same random numbers. Of a step's shapes it learns from its own part only. Then the
gradients of all are brought together and each takes the same step. So any number of processes follows the
loss curve of one, but for the rounding of sums.

PyTorch's `DistributedDataParallel` is not used: it hooks into automatic differentiation, and most gradients
here are made without it (see `gradients`), so its hooks would not be called. What it does is done here by
hand: all gradients in one flat buffer and one `all_reduce` a step, over NCCL between GPUs and over Gloo
between processors. Of the latent table only the step's rows travel, whatever the size of the cohort.

The first process alone (rank 0) has the job: its state, log, previews, checkpoints and the model. It tells
the others what to train; they read the cohort and the checkpoint themselves, from a drive all machines see.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ThyroidSynthLib.common.errors import JobError, ModelError
from ThyroidSynthLib.common.progress import ShouldStop, never

if TYPE_CHECKING:
    import torch

_NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_PLAN, _HEARD = "thyroidsynth/plan", "thyroidsynth/heard"
# How long a first process that will not train stays, so that the others hear of it.
_FAREWELL_S = 10.0


@dataclass
class ProcessGroup:
    """The processes of a training, seen from one of them; by itself a training of one process.

    Attributes
    ----------
    rank : int
        Number of this process; 0 is the first, which has the job.
    size : int
        Processes in all.
    local_rank : int
        Number of this process on its machine, and of the GPU it takes there.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    _store: Any = field(default=None, repr=False)
    _announced: bool = field(default=False, repr=False)

    @property
    def follows(self) -> bool:
        """Whether another process has the job."""
        return self.rank > 0

    def part_of(self, count: int) -> slice:
        """Give this process's part of `count` things; the parts of all are the whole."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def own_gpu(self, device: torch.device) -> torch.device:
        """Give the GPU of this process where it is one of several on GPUs; other devices as they are.

        Raises
        ------
        ModelError
            A single GPU was asked for, or the machine has fewer than processes.
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

    def announce(self, plan: dict[str, Any] | None) -> None:
        """Tell the other processes what to train."""
        self._announced = True
        self._store.set(_PLAN, json.dumps(plan))

    def dismiss(self) -> None:
        """Tell the other processes that there is nothing to train, unless they were told what to."""
        if self._announced:
            return
        with suppress(RuntimeError):
            self.announce(None)
            until = time.monotonic() + _FAREWELL_S
            while self._store.add(_HEARD, 0) < self.size - 1 and time.monotonic() < until:
                time.sleep(0.05)

    def announced(self, should_stop: ShouldStop = never) -> dict[str, Any] | None:
        """Wait for what the first process announces; None when there is nothing to train."""
        with _lost():
            # In small steps: a preparation may take hours, and a signal must get through.
            while not self._store.check([_PLAN]):
                if should_stop():
                    return None
                time.sleep(0.1)
            plan = json.loads(self._store.get(_PLAN))
            self._store.add(_HEARD, 1)
            return plan

    def sum_up(self, tensors: Sequence[torch.Tensor], weight: float) -> None:
        """Replace each tensor by its sum over all processes, each process's `weight` times."""
        if self.size == 1:
            return
        import torch
        from torch import distributed

        with _lost(), torch.no_grad():
            flat = torch.cat([tensor.reshape(-1) for tensor in tensors]).mul_(weight)
            distributed.all_reduce(flat)
            for tensor, sums in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
                tensor.copy_(sums.view_as(tensor))

    def align(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replace each tensor by the first process's, so that different processors do not drift apart."""
        if self.size == 1:
            return
        import torch
        from torch import distributed

        with _lost(), torch.no_grad():
            for tensor in tensors:
                distributed.broadcast(tensor.data, src=0)

    def any(self, target: bool) -> bool:
        """Say whether any process has the wish; all get the same answer."""
        if self.size == 1:
            return target
        import torch
        from torch import distributed

        targets = torch.tensor([int(target)])
        with _lost():
            distributed.all_reduce(targets, distributed.ReduceOp.MAX)
        return bool(targets.item())

    def insist_on_the_same(self, what: str) -> None:
        """Make sure that all processes go on from the same place.

        Raises
        ------
        JobError
            `what` is not the same in all of them.
        """
        if self.size == 1:
            return
        import torch
        from torch import distributed

        digest = int.from_bytes(hashlib.sha256(what.encode()).digest()[:7], "big")
        ends = torch.tensor([digest, -digest])
        with _lost():
            distributed.all_reduce(ends, distributed.ReduceOp.MAX)
        if ends[0] != -ends[1]:
            raise JobError(
                "The training processes do not see the same checkpoint. Put the job's folder on a drive that all "
                "machines see under the same path."
            )


ALONE = ProcessGroup()
"""The team of a training that is one process."""


@contextmanager
def process_group_of_environment(environment: Mapping[str, str] = os.environ) -> Iterator[ProcessGroup]:
    """Join the processes that ``torchrun`` started this one with; without it give `ALONE`.

    Parameters
    ----------
    environment : mapping
        With RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, and LOCAL_RANK for the GPU.

    Raises
    ------
    JobError
        The others do not come, or PyTorch cannot do it.
    """
    if any(name not in environment for name in _NEEDED) or int(environment["WORLD_SIZE"]) == 1:
        yield ALONE
        return
    process_group = _join(environment)
    from torch import distributed

    try:
        yield process_group
    finally:
        if not process_group.follows:
            # Whatever ended the first process before it came to train must not leave the others waiting.
            process_group.dismiss()
        distributed.destroy_process_group()


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
def _lost() -> Iterator[None]:
    """Say in plain words that another process is gone."""
    try:
        yield
    except RuntimeError as error:
        raise JobError(
            f"Another training process was lost ({str(error).splitlines()[0]}). See what it said, and start the same "
            "command again: it goes on from the last checkpoint."
        ) from error
