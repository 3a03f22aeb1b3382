"""The signed distance field of one latent code: values, and how they change with the code."""

from __future__ import annotations

import numpy as np
import torch

from ..learning.model import ShapeModel
from ..learning.threads import in_threads

# Points evaluated at once: their activations stay in a core's cache, which more than doubles the speed. Fewer
# where there are few, so that no thread goes without.
_CHUNK = 512
_SMALLEST_CHUNK = 64


class Field:
    """f(x, z) of a model for one fixed code z, over points x in the `unit` frame.

    The code's part of the first layer is computed once, so that a point costs three inputs instead
    of three and the whole code.

    Parameters
    ----------
    model : ShapeModel
        The trained model.
    code : ndarray, shape (code_size,)
        Whole latent code: fixed, then trainable.
    """

    def __init__(self, model: ShapeModel, code: np.ndarray) -> None:
        code = np.asarray(code, dtype=np.float32)
        if code.shape != (model.code_size,):
            raise ValueError(f"A code of this model has {model.code_size} numbers, not {code.shape}.")
        self.code = code
        self._layers = [(layer.weight, layer.bias) for layer in model.network.layers]
        self._first = self._layers[0][0][:, :3].contiguous()
        with torch.no_grad():
            self._folded = model.network.fold(torch.from_numpy(code))

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Give the signed distance at points (n, 3), shape (n,), float32, negative inside."""
        positions = torch.from_numpy(np.ascontiguousarray(points, dtype=np.float32))
        return torch.cat(in_threads(self._values, _chunks(positions))).numpy()

    def _values(self, points: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            hidden = torch.addmm(self._folded, points, self._first.T).relu_()
            for weight, bias in self._layers[1:-1]:
                hidden = torch.addmm(bias, hidden, weight.T).relu_()
            weight, bias = self._layers[-1]
            return torch.addmv(bias.expand(len(points)), hidden, weight[0])

    def derivatives(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give values, spatial gradients and code gradients at points.

        The code enters through the first layer's bias only, so one backward pass gives, for every
        point at once, the gradient with respect to that bias; the first layer's weights turn it into
        those with respect to position and code.

        Parameters
        ----------
        points : ndarray, shape (n, 3)

        Returns
        -------
        values : ndarray, shape (n,)
        space : ndarray, shape (n, 3)
            ∂f/∂x in the `unit` frame.
        code : ndarray, shape (n, code_size)
            ∂f/∂z.
        """
        positions = torch.from_numpy(np.ascontiguousarray(points, dtype=np.float32))
        parts = in_threads(self._derivatives, _chunks(positions))
        values, space, code = (torch.cat(column).numpy() for column in zip(*parts, strict=True))
        return values, space, code

    def _derivatives(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Backpropagate by hand: for a ReLU network that is the weights, masked where a unit is off."""
        with torch.inference_mode():
            hidden = torch.addmm(self._folded, points, self._first.T)
            active = [hidden > 0]
            hidden = hidden.relu_()
            for weight, bias in self._layers[1:-1]:
                hidden = torch.addmm(bias, hidden, weight.T)
                active.append(hidden > 0)
                hidden = hidden.relu_()
            weight, bias = self._layers[-1]
            values = torch.addmv(bias.expand(len(points)), hidden, weight[0])
            gradient = weight[0] * active.pop()
            for (weight, _), mask in zip(reversed(self._layers[1:-1]), reversed(active), strict=True):
                gradient = (gradient @ weight).mul_(mask)
            weight = self._layers[0][0]
            space, code = gradient @ self._first, gradient @ weight[:, 3:]
            return values, space, code


def _chunks(points: torch.Tensor) -> tuple[torch.Tensor, ...]:
    share = -(-len(points) // torch.get_num_threads())
    return points.split(min(max(share, _SMALLEST_CHUNK), _CHUNK))
