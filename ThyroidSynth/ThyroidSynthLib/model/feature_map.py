"""A fast estimate of the features of a code's surface, without computing the surface.

A small network from a latent code to the three features, fitted to surfaces of the trained model
(`generation.steer.calibration`) and saved in the model's file. It takes microseconds, so that a code can be drawn for
given features before any surface is computed. Its estimates are never reported as measurements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class FeatureMap:
    """Two hidden layers of SiLU units beside a linear map, over standardised codes and outputs.

    The outputs are the logarithm of the volume in mL, the signed isthmus area in mm² (negative without an isthmus, see
    `generation.decode.sensitivity`) and the symmetry.

    Attributes
    ----------
    code_mean, code_sd : ndarray, shape (code_size,)
    output_mean, output_sd : ndarray, shape (3,)
    linear : ndarray, shape (3, code_size)
    first, second, third : ndarray, shapes (width, code_size), (width, width), (3, width)
    first_bias, second_bias, third_bias : ndarray, shapes (width,), (width,), (3,)
    error : ndarray, shape (3,)
        Root mean square error of each output over codes it was not fitted to, in units of `output_sd`.
    """

    code_mean: np.ndarray
    code_sd: np.ndarray
    output_mean: np.ndarray
    output_sd: np.ndarray
    linear: np.ndarray
    first: np.ndarray
    first_bias: np.ndarray
    second: np.ndarray
    second_bias: np.ndarray
    third: np.ndarray
    third_bias: np.ndarray
    error: np.ndarray

    def standardised(self, volume_ml: float, signed_area_mm2: float, symmetry: float) -> np.ndarray:
        """Return features as standardised outputs of the map, shape (3,)."""
        outputs = np.array([np.log(volume_ml), signed_area_mm2, symmetry])
        return (outputs - self.output_mean) / self.output_sd

    def __call__(self, code: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Estimate the standardised outputs (3,) for a code (code_size,), and their derivatives (3, code_size)."""
        inputs = (np.asarray(code, dtype=np.float64) - self.code_mean) / self.code_sd
        hidden, slope = _silu(self.first @ inputs + self.first_bias)
        jacobian = slope[:, None] * self.first
        hidden, slope = _silu(self.second @ hidden + self.second_bias)
        jacobian = slope[:, None] * (self.second @ jacobian)
        outputs = self.third @ hidden + self.third_bias + self.linear @ inputs
        return outputs, (self.third @ jacobian + self.linear) / self.code_sd

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays in float32 by name, for a file."""
        return {field.name: np.asarray(getattr(self, field.name), np.float32) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> FeatureMap:
        """Return the map whose `arrays` these are; `KeyError` if one is missing."""
        return cls(**{field.name: arrays[field.name].astype(np.float64) for field in fields(cls)})


def _silu(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return x·σ(x) and its derivative."""
    gate = 1 / (1 + np.exp(-values))
    return values * gate, gate * (1 + values * (1 - gate))
