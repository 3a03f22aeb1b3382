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

from ThyroidSynthLib.common.errors import InputError

from .volume import Volume

ALIGNMENTS = ("trachea", "upright")
"""How the trachea frame is laid in a patient.

``trachea``
    As published: origin at the trachea's centre of mass, axes along the patient's. How much of the
    trachea is in the scan moves the gland along the frame, and a tilted neck tilts it.
``upright``
    Origin on the trachea's axis at the level of the gland, S along that axis, so that shapes differ
    neither by the scan's extent nor by the tilt of the neck. Needs the patient's thyroid, if only
    roughly.
"""

# The stretch of trachea around the gland that its axis is fitted to, and where no axis can be told.
_AXIS_HALF_LENGTH_MM = 20.0
_SHORTEST_AXIS_MM = 9.0


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
    alignment : str
        How the cohort's shapes were laid in the trachea frame, one of `ALIGNMENTS`.
    """

    scale_mm: np.ndarray
    lower_mm: np.ndarray
    upper_mm: np.ndarray
    alignment: str = ALIGNMENTS[0]

    def __post_init__(self) -> None:
        for name in ("scale_mm", "lower_mm", "upper_mm"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64).reshape(3))
        if not (self.scale_mm > 0).all() or not (self.upper_mm > self.lower_mm).all():
            raise ValueError("A frame needs positive scales and a box with lower < upper.")

    @classmethod
    def of_boxes(cls, lower_mm: np.ndarray, upper_mm: np.ndarray, alignment: str = ALIGNMENTS[0]) -> Frame:
        """Make the frame of a cohort from the boxes (n, 3) of its surfaces in `trachea_mm`."""
        lower = np.min(np.atleast_2d(lower_mm), axis=0)
        upper = np.max(np.atleast_2d(upper_mm), axis=0)
        return cls(np.maximum(np.abs(lower), np.abs(upper)), lower, upper, alignment)

    def to_unit(self, trachea_mm: np.ndarray) -> np.ndarray:
        """Map `trachea_mm` positions (..., 3) to `unit`."""
        return np.asarray(trachea_mm) / self.scale_mm

    def to_mm(self, unit: np.ndarray) -> np.ndarray:
        """Map `unit` positions (..., 3) to `trachea_mm`."""
        return np.asarray(unit) * self.scale_mm

    def to_json(self) -> dict[str, Any]:
        """Give the frame as plain lists for a JSON file."""
        lists = {name: getattr(self, name).tolist() for name in ("scale_mm", "lower_mm", "upper_mm")}
        return {"alignment": self.alignment, **lists}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Frame:
        """Read what `to_json` gave."""
        return cls(**{name: value[name] for name in ("scale_mm", "lower_mm", "upper_mm", "alignment")})


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
    def of_patient(cls, alignment: str, trachea: Volume, thyroid: Volume | None = None) -> Placement:
        """Lay the trachea frame in a patient, in one of the `ALIGNMENTS`.

        Parameters
        ----------
        trachea, thyroid : Volume
            Masks of the patient; the thyroid is only needed for the upright alignment.

        Raises
        ------
        InputError
            The alignment is unknown, or needs a thyroid and there is none.
        """
        if alignment == "trachea":
            return cls.on_trachea(trachea)
        if alignment != "upright":
            raise InputError(f"There is no alignment '{alignment}'. Choose one of: {', '.join(ALIGNMENTS)}.")
        if thyroid is None or not thyroid.array.any():
            raise InputError(
                "Shapes of this cohort stand upright at the level of the patient's gland, and this patient has "
                "no thyroid segmented. Segment it roughly, or use a model of trachea-centred shapes."
            )
        return cls.upright(trachea, thyroid.center_of_mass_ras())

    @classmethod
    def on_trachea(cls, trachea: Volume) -> Placement:
        """Centre on the centre of mass of a trachea mask (paper, section 2.5)."""
        return cls.at(trachea.center_of_mass_ras())

    @classmethod
    def upright(cls, trachea: Volume, gland_ras: np.ndarray) -> Placement:
        """Stand on the trachea's axis, at the level of the gland's centre (3,) in `ras_mm`.

        The axis is a straight line through the trachea around that level; where the trachea ends
        before, through the nearest stretch of it.
        """
        voxels = trachea.to_ras(np.argwhere(trachea.array)[:, ::-1])
        level = np.clip(gland_ras[2], voxels[:, 2].min(), voxels[:, 2].max())
        near = voxels[np.abs(voxels[:, 2] - level) <= _AXIS_HALF_LENGTH_MM]
        middle = near.mean(axis=0)
        height = near[:, 2] - middle[2]
        direction = np.array([0.0, 0.0, 1.0])
        if np.ptp(height) >= _SHORTEST_AXIS_MM:
            direction[:2] = height @ (near[:, :2] - middle[:2]) / (height @ height)
        up = direction / np.linalg.norm(direction)
        right = np.array([1.0, 0.0, 0.0]) - up[0] * up
        right /= np.linalg.norm(right)
        matrix = np.eye(4)
        matrix[:3, :3] = np.stack([right, np.cross(up, right), up], axis=1)
        matrix[:3, 3] = middle + up * ((gland_ras - middle) @ up)
        return cls(matrix)

    def raised(self, shift_mm: float) -> Placement:
        """Give the frame moved along its own third axis, upwards."""
        matrix = self.trachea_to_ras.copy()
        matrix[:3, 3] += shift_mm * matrix[:3, 2]
        return Placement(matrix)

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
