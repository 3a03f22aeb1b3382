"""What the surface of a code will measure, guessed without making the surface.

A small network from a latent code to the three features. It is fitted to surfaces that the shape model has
made (`synthesis.calibration`) and travels in the model's file. It takes microseconds, so a code can be drawn
that will measure what is asked before anything is decoded.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch


@dataclass(frozen=True)
class FeatureMap:
    """Two hidden layers of SiLU units beside a linear map, over standardised codes and targets.

    The targets are the logarithm of the volume in mL, the signed isthmus area in mm² (negative where there
    is none, see `synthesis.sensitivity`) and the symmetry.

    Attributes
    ----------
    code_mean, code_sd : ndarray, shape (code_size,)
    target_mean, target_sd : ndarray, shape (3,)
    linear : ndarray, shape (3, code_size)
    first, second, third : ndarray, shapes (width, code_size), (width, width), (3, width)
    first_bias, second_bias, third_bias : ndarray, shapes (width,), (width,), (3,)
    error : ndarray, shape (3,)
        Root mean square error of each target over codes it was not fitted to, in `target_sd`.
    """

    code_mean: np.ndarray
    code_sd: np.ndarray
    target_mean: np.ndarray
    target_sd: np.ndarray
    linear: np.ndarray
    first: np.ndarray
    first_bias: np.ndarray
    second: np.ndarray
    second_bias: np.ndarray
    third: np.ndarray
    third_bias: np.ndarray
    error: np.ndarray

    def standardised(self, volume_ml: float, signed_area_mm2: float, symmetry: float) -> np.ndarray:
        """Give features as the targets of the map, shape (3,)."""
        targets = np.array([np.log(volume_ml), signed_area_mm2, symmetry])
        return (targets - self.target_mean) / self.target_sd

    def __call__(self, code: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Guess the standardised targets of a code (code_size,), and their derivatives.

        Returns
        -------
        targets : ndarray, shape (3,)
        jacobian : ndarray, shape (3, code_size)
        """
        inputs = (np.asarray(code, dtype=np.float64) - self.code_mean) / self.code_sd
        hidden, slope = _silu(self.first @ inputs + self.first_bias)
        jacobian = slope[:, None] * self.first
        hidden, slope = _silu(self.second @ hidden + self.second_bias)
        jacobian = slope[:, None] * (self.second @ jacobian)
        targets = self.third @ hidden + self.third_bias + self.linear @ inputs
        return targets, (self.third @ jacobian + self.linear) / self.code_sd

    def tensors(self) -> dict[str, torch.Tensor]:
        """Give the arrays by name, for a file."""
        return {
            field.name: torch.from_numpy(np.asarray(getattr(self, field.name), np.float32)) for field in fields(self)
        }

    @classmethod
    def from_tensors(cls, tensors: dict[str, torch.Tensor]) -> FeatureMap:
        """Read what `tensors` gave.

        Raises
        ------
        KeyError
            One is missing.
        """
        return cls(**{field.name: tensors[field.name].numpy().astype(np.float64) for field in fields(cls)})


def _silu(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give x·σ(x) and its derivative."""
    gate = 1 / (1 + np.exp(-values))
    return values * gate, gate * (1 + values * (1 - gate))
