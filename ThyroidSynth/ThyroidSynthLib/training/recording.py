"""Work that a GPU does again and again, recorded once and replayed as a whole: CUDA graphs.

A step of training is some fifty small operations. Python takes longer to start them than a GPU to do them;
a recording starts thousands of them at once. A recording holds the addresses of tensors, not their values:
what differs from one time to the next must lie in tensors that stay, and be copied there before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Protocol

import torch

logger = logging.getLogger(__name__)

Work = Callable[[], None]


class Recorder(Protocol):
    """Records work on a device."""

    def warm_up(self, work: Work) -> None:
        """Do work that will be recorded: what is set up at the first time must not be recorded."""

    def record(self, work: Work) -> Work:
        """Record work without doing it, and give what replays it; a RuntimeError says why it cannot be."""


class CudaRecorder:
    """Records as CUDA graphs.

    Parameters
    ----------
    device : torch.device
        A GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._device, self._stream = device, _stream_beside(device)

    def warm_up(self, work: Work) -> None:
        """Do work on the stream that it will be recorded on: libraries set themselves up for each stream."""
        here = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream):
            work()
        here.wait_stream(self._stream)

    def record(self, work: Work) -> Work:
        """Record work; the default stream could not."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self._device):
            here = torch.cuda.current_stream()
            try:
                with torch.cuda.graph(graph, stream=self._stream):
                    work()
            finally:
                # A recording that fails leaves its stream behind as the current one.
                torch.cuda.set_stream(here)
        return graph.replay


@lru_cache
def _stream_beside(device: torch.device) -> torch.cuda.Stream:
    """Give a stream beside the default one, always the same: each that is used keeps memory for good."""
    return torch.cuda.Stream(device)


class Recordings:
    """Does work as it is written the first time it comes, and from its recording afterwards.

    Where recording fails it says so once, and does all work as it is written from then on.

    Parameters
    ----------
    recorder : Recorder
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder: Recorder | None = recorder
        self._warm: set[Hashable] = set()
        self._replays: dict[Hashable, Work] = {}

    def do(self, name: Hashable, work: Work) -> None:
        """Do the work of this name, which must be the same each time."""
        if name in self._warm and name not in self._replays:
            self._record(name, work)
        if name in self._replays:
            self._replays[name]()
        elif self._recorder is None:
            work()
        else:
            self._recorder.warm_up(work)
            self._warm.add(name)

    def _record(self, name: Hashable, work: Work) -> None:
        if self._recorder is None:
            return
        try:
            self._replays[name] = self._recorder.record(work)
        except RuntimeError as error:
            # The first one is the reason; that the recording was broken off is what followed.
            reason = str(error.__context__ or error).strip().splitlines()
            logger.warning(
                "Steps cannot be recorded on this GPU (%s). Training goes on more slowly, step by step.",
                reason[0] if reason else type(error).__name__,
            )
            self._recorder = None
