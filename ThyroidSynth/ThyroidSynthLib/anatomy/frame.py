"""The three coordinate frames a thyroid passes through.

``ras_mm``
    The patient: millimetres, axes to the right, front and top of Slicer's RAS convention.
``trachea_mm``
    The same axes and lengths, origin at the centre of mass of the trachea (paper, section 2.5),
    so that asymmetric glands are not centred on themselves.
``unit``
    ``trachea_mm`` divided per axis by the largest extent in the cohort, so that every shape lies
    in [-1, 1]^3 while size differences are kept. Its axes are scaled differently: a distance in it
    is no length, and lengths, areas and volumes always come from a surface in millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .volume import Volume


@dataclass(frozen=True)
class Frame:
    """The cohort's `unit` frame.

    Attributes
    ----------
    scale_mm : ndarray, shape (3,)
        Millimetres per unit along R, A and S: the largest absolute `trachea_mm` coordinate of any
        surface of the cohort.
    lower_mm, upper_mm : ndarray, shape (3,)
        Box in `trachea_mm` that holds every surface of the cohort. The trachea's centre of mass lies
        well below the gland, so this box is much smaller than [-scale_mm, scale_mm].
    """

    scale_mm: np.ndarray
    lower_mm: np.ndarray
    upper_mm: np.ndarray

    def __post_init__(self) -> None:
        for name in ("scale_mm", "lower_mm", "upper_mm"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64).reshape(3))
        if not (self.scale_mm > 0).all() or not (self.upper_mm > self.lower_mm).all():
            raise ValueError("A frame needs positive scales and a box with lower < upper.")

    @classmethod
    def of_boxes(cls, lower_mm: np.ndarray, upper_mm: np.ndarray) -> Frame:
        """Make the frame of a cohort from the boxes (n, 3) of its surfaces in `trachea_mm`."""
        lower = np.min(np.atleast_2d(lower_mm), axis=0)
        upper = np.max(np.atleast_2d(upper_mm), axis=0)
        return cls(np.maximum(np.abs(lower), np.abs(upper)), lower, upper)

    def to_unit(self, trachea_mm: np.ndarray) -> np.ndarray:
        """Map `trachea_mm` positions (..., 3) to `unit`."""
        return np.asarray(trachea_mm) / self.scale_mm

    def to_mm(self, unit: np.ndarray) -> np.ndarray:
        """Map `unit` positions (..., 3) to `trachea_mm`."""
        return np.asarray(unit) * self.scale_mm

    def to_json(self) -> dict[str, list[float]]:
        """Give the frame as plain lists for a JSON file."""
        return {name: getattr(self, name).tolist() for name in ("scale_mm", "lower_mm", "upper_mm")}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Frame:
        """Read what `to_json` gave."""
        return cls(**{name: value[name] for name in ("scale_mm", "lower_mm", "upper_mm")})


@dataclass(frozen=True)
class Placement:
    """Where the trachea frame lies in a patient.

    Attributes
    ----------
    trachea_to_ras : ndarray, shape (4, 4)
        Rigid map from `trachea_mm` to `ras_mm`; for the paper's centring a pure translation.
    """

    trachea_to_ras: np.ndarray

    def __post_init__(self) -> None:
        matrix = np.asarray(self.trachea_to_ras, dtype=np.float64).reshape(4, 4)
        object.__setattr__(self, "trachea_to_ras", matrix)

    @classmethod
    def at(cls, origin_ras: np.ndarray) -> Placement:
        """Place the trachea frame's origin at `origin_ras` (3,), axes along the patient's."""
        matrix = np.eye(4)
        matrix[:3, 3] = origin_ras
        return cls(matrix)

    @classmethod
    def on_trachea(cls, trachea: Volume) -> Placement:
        """Centre on the centre of mass of a trachea mask (paper, section 2.5)."""
        return cls.at(trachea.center_of_mass_ras())

    @property
    def origin_ras(self) -> np.ndarray:
        """The trachea frame's origin in `ras_mm`, shape (3,)."""
        return self.trachea_to_ras[:3, 3]

    def to_ras(self, trachea_mm: np.ndarray) -> np.ndarray:
        """Map `trachea_mm` positions (..., 3) to `ras_mm`."""
        return np.asarray(trachea_mm) @ self.trachea_to_ras[:3, :3].T + self.trachea_to_ras[:3, 3]

    def to_trachea(self, ras_mm: np.ndarray) -> np.ndarray:
        """Map `ras_mm` positions (..., 3) to `trachea_mm`."""
        return (np.asarray(ras_mm) - self.trachea_to_ras[:3, 3]) @ self.trachea_to_ras[:3, :3]
