"""The SDF of one latent code: its values and its derivatives by position and code."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

import numpy as np

from ThyroidSynthLib.model.network import SDFNetwork
from ThyroidSynthLib.model.threads import in_threads, in_turn

# Points evaluated at once. The activations of so few stay in a core's cache, and points near each other have fewer
# active units.
_CHUNK = 1024
# Up to this number of points, one thread is as fast as several.
_MAX_FOR_ONE_THREAD = 2048

Result = TypeVar("Result")


class CodedShapes(Protocol):
    """What has a network of shapes with a latent code: a `TrainedModel`, or one of its organs."""

    @property
    def network(self) -> SDFNetwork:
        """The network f(x, z)."""

    @property
    def code_size(self) -> int:
        """Dimensions of a whole latent code."""


class Field:
    """f(x, z) of a model for one fixed code z, over points x in the `unit` frame.

    The code is a whole one (code_size,): fixed part, then trainable part. The offset of a fit may follow it, see
    `SDFNetwork.fold`.
    """

    def __init__(self, model: CodedShapes, code: np.ndarray) -> None:
        code = np.asarray(code, dtype=np.float32)
        if code.shape not in ((model.code_size,), (model.code_size + model.network.width,)):
            raise ValueError(f"The latent codes of this model have {model.code_size} numbers; got shape {code.shape}.")
        self.code = code
        self._network = model.network
        self._folded = model.network.fold(code)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the signed distances (n,) at points (n, 3) as float32, negative inside."""
        if len(points) == 0:
            return np.empty(0, dtype=np.float32)
        return np.concatenate(_on_chunks(partial(self._network.values, folded=self._folded), points))

    def derivatives(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return values (n,), spatial gradients (n, 3) and code gradients (n, code_size) at points (n, 3)."""
        if len(points) == 0:
            none = np.empty((0, 3 + len(self.code)), dtype=np.float32)
            return none[:, 0], none[:, :3], none[:, 3:]
        parts = _on_chunks(partial(self._network.derivatives, folded=self._folded), points)
        values, space, code = (np.concatenate(column) for column in zip(*parts, strict=True))
        return values, space, code


def _on_chunks(work: Callable[[np.ndarray], Result], points: np.ndarray) -> list[Result]:
    """Process points (n, 3) in chunks of similar size, which do not depend on the number of threads."""
    positions = np.ascontiguousarray(points, dtype=np.float32)
    parts, run = -(-len(points) // _CHUNK), in_turn
    if len(points) > _MAX_FOR_ONE_THREAD:
        parts, run = parts + parts % 2, in_threads
    size = -(-len(points) // parts)
    return run(work, [positions[first : first + size] for first in range(0, len(positions), size)])
