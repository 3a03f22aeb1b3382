"""The SDF of one latent code: its values and its derivatives by position and code."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch

from ThyroidSynthLib.model.active_units import Active
from ThyroidSynthLib.model.threads import in_threads, in_turn
from ThyroidSynthLib.model.trained_model import TrainedModel

# Points evaluated at once. The activations of so few stay in a core's cache, and points near each other have fewer
# active units.
_CHUNK = 1024
# Up to this number of points, one thread is as fast as several.
_MAX_FOR_ONE_THREAD = 2048

Result = TypeVar("Result")


class Field:
    """f(x, z) of a model for one fixed code z, over points x in the `unit` frame.

    The code's contribution to the first layer is computed once, so that each point has three inputs only. The code is a
    whole one (code_size,): fixed part, then trainable part.
    """

    def __init__(self, model: TrainedModel, code: np.ndarray) -> None:
        code = np.asarray(code, dtype=np.float32)
        if code.shape != (model.code_size,):
            raise ValueError(f"The latent codes of this model have {model.code_size} numbers; got shape {code.shape}.")
        self.code = code
        self._first = model.network.layers[0].weight.detach()
        self._of_position = self._first[:, :3].contiguous()
        self._layers = model.layers
        with torch.no_grad():
            self._folded = model.network.fold(torch.from_numpy(code))

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the signed distances (n,) at points (n, 3) as float32, negative inside."""
        if len(points) == 0:
            return np.empty(0, dtype=np.float32)
        return torch.cat(_on_chunks(self._values, points)).numpy()

    def _values(self, points: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            *_, last = self._active(points)
            return last.value(self._layers[-1])

    def _active(self, points: torch.Tensor) -> list[Active]:
        """Return the active units of every hidden layer."""
        layers = [Active.of(torch.addmm(self._folded, points, self._of_position.T))]
        for layer in self._layers[:-1]:
            layers.append(layers[-1].into(layer))
        return layers

    def derivatives(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return values (n,), spatial gradients (n, 3) and code gradients (n, code_size) at points (n, 3).

        Position and code enter through the first layer only. One backward pass yields the gradient with respect to
        the outputs of its linear part at every point, and its weights turn that into the gradients with respect to
        position, in the `unit` frame, and code.
        """
        if len(points) == 0:
            none = np.empty((0, 3 + len(self.code)), dtype=np.float32)
            return none[:, 0], none[:, :3], none[:, 3:]
        parts = _on_chunks(self._derivatives, points)
        values, space, code = (torch.cat(column).numpy() for column in zip(*parts, strict=True))
        return values, space, code

    def _derivatives(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Backpropagate by hand, which skips inactive units: the gradient is the product of the masked weights."""
        with torch.inference_mode():
            active = self._active(points)
            last = active[-1]
            gradient = last.back(self._layers[-1].weight[0].index_select(0, last.units).expand_as(last.outputs))
            for layer, above, below in zip(self._layers[-2::-1], active[:0:-1], active[-2::-1], strict=True):
                weights = layer.weight.index_select(0, above.units).index_select(1, below.units)
                gradient = below.back(gradient @ weights)
            by_input = gradient @ self._first.index_select(0, active[0].units)
            return last.value(self._layers[-1]), by_input[:, :3], by_input[:, 3:]


def _on_chunks(work: Callable[[torch.Tensor], Result], points: np.ndarray) -> list[Result]:
    """Process points (n, 3) in chunks of similar size, which do not depend on the number of threads."""
    positions = torch.from_numpy(np.ascontiguousarray(points, dtype=np.float32))
    parts, run = -(-len(points) // _CHUNK), in_turn
    if len(points) > _MAX_FOR_ONE_THREAD:
        parts, run = parts + parts % 2, in_threads
    return run(work, positions.split(-(-len(points) // parts)))
