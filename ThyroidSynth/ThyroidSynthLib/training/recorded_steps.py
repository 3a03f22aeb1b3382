"""Steps of training on a GPU, many of them in one recording."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch

from .device_step import device_step, table_of
from .draws import Draws
from .recording import Recorder, Recordings
from .steps import Learnable

# Steps of one recording. Starting one costs about as much as two operations: from some dozens of steps on it
# no longer counts, and a longer recording would only take longer to make.
STEPS_AT_ONCE = 64


class RecordedSteps:
    """Takes steps in blocks, each a recording; an epoch is some equal blocks and a shorter one.

    Parameters
    ----------
    learnable : Learnable
        Its optimiser's steps can be recorded.
    samples : Tensor, shape (cases, stored, 4)
    recorder : Recorder

    Attributes
    ----------
    at_once : int
        How many steps `take` is best given.
    """

    def __init__(self, learnable: Learnable, samples: torch.Tensor, recorder: Recorder) -> None:
        self.at_once = STEPS_AT_ONCE
        self._learnable, self._samples = learnable, samples
        self._recordings = Recordings(recorder)
        self._tables: dict[tuple[int, ...], torch.Tensor] = {}
        self._losses = torch.zeros(3, device=samples.device)

    def take(self, block: Sequence[Draws]) -> torch.Tensor:
        """Take some steps, later than this returns where the device works by itself.

        Returns
        -------
        Tensor, shape (3,)
            Their whole, SDF and latent losses, summed over the shapes; until the next steps are taken.
        """
        sizes = tuple(len(draws.shapes) for draws in block)
        numbers = torch.from_numpy(table_of(block))
        if self._samples.is_cuda:
            numbers = numbers.pin_memory()  # From pinned memory nobody waits for the copy.
        if sizes not in self._tables:
            self._tables[sizes] = torch.empty(numbers.shape, dtype=numbers.dtype, device=self._samples.device)
        table = self._tables[sizes]
        table.copy_(numbers, non_blocking=True)
        self._recordings.do(sizes, partial(self._run, table, sizes))
        return self._losses

    def _run(self, table: torch.Tensor, sizes: tuple[int, ...]) -> None:
        self._losses.zero_()
        start = 0
        for size in sizes:
            self._losses += device_step(self._learnable, self._samples, table[start : start + size])
            start += size
