"""A recorder for processors that keeps to the rules of CUDA graphs, and is stricter where those fail silently.

It writes down every operation of PyTorch with the tensors and numbers it was given. A replay does these
operations again, on these tensors: Python does not run, so what Python's variables hold by then, or new tensors
that came in the place of old ones, make no difference. As with a graph, recording changes nothing. Refused are
operations that would wait for a GPU, and numbers and arrays that are made tensors while it records: a graph
would keep the first ones for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# What decides what Python does next, or has a result as large as its values say; and what reads from Python.
WAITING = {"_local_scalar_dense", "is_nonzero", "nonzero", "masked_select", "equal", "_unique2"}
FROM_PYTHON = {"lift_fresh"}


class TapeRecorder:
    """A `Recorder`; `recorded` and `replayed` count what it did."""

    def __init__(self) -> None:
        self.recorded, self.replayed = 0, 0

    def warm_up(self, work: Callable[[], None]) -> None:
        work()

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        tape = _Tape()
        try:
            with tape:
                work()
        finally:
            tape.rewind()
        self.recorded += 1

        def replay() -> None:
            self.replayed += 1
            tape.replay()

        return replay


class _Tape(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self._operations: list[tuple[Any, tuple, dict, list[torch.Tensor]]] = []
        self._before: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        given = [value for value in tree_leaves((args, kwargs)) if isinstance(value, torch.Tensor)]
        if name in WAITING or (name == "index" and any(value.dtype == torch.bool for value in given)):
            raise RuntimeError(f"{name} waits for the device")
        if name in FROM_PYTHON:
            raise RuntimeError(f"{name} keeps what Python holds now")
        written = [
            value
            for argument, values in zip(func._schema.arguments, args, strict=False)
            if argument.alias_info is not None and argument.alias_info.is_write
            for value in tree_leaves(values)
        ]
        for value in written:
            self._before.setdefault(id(value), (value, value.detach().clone()))
        result = func(*args, **kwargs)
        results = [value for value in tree_leaves(result) if isinstance(value, torch.Tensor)]
        places = {_place(value) for value in given}
        fresh = [value for value in results if _place(value) not in places]
        if written or fresh:  # Others are views, which stay true.
            self._operations.append((func, args, kwargs, fresh))
        return result

    def rewind(self) -> None:
        with torch.no_grad():
            for value, before in reversed(self._before.values()):
                value.copy_(before)

    def replay(self) -> None:
        with torch.no_grad():
            for func, args, kwargs, fresh in self._operations:
                result = func(*args, **kwargs)
                if fresh:
                    results = [value for value in tree_leaves(result) if isinstance(value, torch.Tensor)]
                    for value, new in zip(fresh, results, strict=True):
                        value.copy_(new)


def _place(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
