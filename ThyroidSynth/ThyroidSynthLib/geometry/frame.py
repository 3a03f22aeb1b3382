"""The three coordinate frames of a thyroid.

``ras_mm``
    The patient: millimetres, axes to the right, anterior and superior (RAS).
``trachea_mm``
    The same axes and lengths, origin at the centre of mass of the trachea (paper, section 2.5), so that asymmetric
    glands are not centred on themselves.
``unit``
    ``trachea_mm`` divided per axis by the largest usual extent in the cohort, so that shapes lie in [-1, 1]³ while
    differences in size are kept. The axes are scaled differently, so a distance in this frame is not a length:
    lengths, areas and volumes are measured on surfaces in millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import InputError

from .volume import Volume

ALIGNMENTS = ("trachea", "upright")
"""How the trachea frame is placed in a patient.

``trachea``
    As published: origin at the trachea's centre of mass, axes along the patient's. The position of the gland in the
    frame depends on how much of the trachea is in the scan, and its orientation on the tilt of the neck.
``upright``
    Origin on the trachea's axis at the height of the gland, S along that axis, so that shapes depend neither on the
    extent of the scan nor on the tilt of the neck. Needs a segmentation of the patient's thyroid, if only a rough one,
    or the craniocaudal level of the gland.
"""

DEFAULT_ALIGNMENT = "upright"
"""The alignment of cohorts that are prepared without another choice."""

# The axis is fitted to this length of trachea above and below the gland, unless less than the shortest is there.
_AXIS_HALF_LENGTH_MM = 20.0
_SHORTEST_AXIS_MM = 9.0

# A side of a case's box is unusual if it reaches beyond this quantile of the cohort by more than both, in mm and as a
# share of the box of the usual cases. Fewer cases have no usual box.
_USUAL, _BEYOND_MM, _BEYOND_SHARE, _MIN_CASES = 0.95, 10.0, 0.2, 4


@dataclass(frozen=True)
class Frame:
    """The cohort's `unit` frame.

    Attributes
    ----------
    scale_mm : ndarray, shape (3,)
        Millimetres per unit along R, A and S: the largest absolute `trachea_mm` coordinate of the box.
    lower_mm, upper_mm : ndarray, shape (3,)
        Box in `trachea_mm` that holds the surfaces of the cohort, but for odd cases in the alignment "upright". The
        trachea's centre of mass lies well below the gland, so the box is much smaller than [-scale_mm, scale_mm].
    alignment : str
        How the trachea frame was placed in the patients of the cohort, one of `ALIGNMENTS`.
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
        """Return the frame of a cohort, given the boxes of its surfaces in `trachea_mm`, each of shape (n, 3).

        In the alignment of the paper the frame holds all of them, as published. In the other, cases with an unusual box
        (see `beyond_usual`) are left out if they are few, so that they do not change the scale of all.
        """
        lower, upper = np.atleast_2d(lower_mm), np.atleast_2d(upper_mm)
        if alignment != "trachea":
            usual = (beyond_usual(lower, upper) == 0).all(axis=(1, 2))
            if 2 * usual.sum() > len(lower):
                lower, upper = lower[usual], upper[usual]
        lower, upper = lower.min(axis=0), upper.max(axis=0)
        return cls(np.maximum(np.abs(lower), np.abs(upper)), lower, upper, alignment)

    def to_unit(self, trachea_mm: np.ndarray) -> np.ndarray:
        """Map `trachea_mm` positions (..., 3) to `unit`."""
        return np.asarray(trachea_mm) / self.scale_mm

    def to_mm(self, unit: np.ndarray) -> np.ndarray:
        """Map `unit` positions (..., 3) to `trachea_mm`."""
        return np.asarray(unit) * self.scale_mm

    def to_json(self) -> dict[str, Any]:
        """Return the frame as lists for a JSON file."""
        lists = {name: getattr(self, name).tolist() for name in ("scale_mm", "lower_mm", "upper_mm")}
        return {"alignment": self.alignment, **lists}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Frame:
        """Return the frame that `to_json` described."""
        return cls(**{name: value[name] for name in ("scale_mm", "lower_mm", "upper_mm", "alignment")})


def beyond_usual(lower_mm: np.ndarray, upper_mm: np.ndarray) -> np.ndarray:
    """Return how far (n, 2, 3) in mm the lower and upper sides of boxes, each of shape (n, 3), reach beyond usual ones.

    0 for usual sides, which nearly all are.
    """
    reach = np.stack([-lower_mm, upper_mm], axis=1)
    if len(reach) < _MIN_CASES:
        return np.zeros_like(reach)
    # A value of the cohort, so that one odd case of few does not count.
    quantile = np.quantile(reach, _USUAL, axis=0, method="lower")
    beyond = reach > quantile + np.maximum(_BEYOND_MM, _BEYOND_SHARE * quantile.sum(axis=0))
    usual = np.where(beyond, -np.inf, reach).max(axis=0)
    return np.where(beyond, reach - usual, 0.0)


@dataclass(frozen=True)
class Placement:
    """The position of the trachea frame in a patient.

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
        """Return the placement with its origin at `origin_ras` (3,) and axes along the patient's."""
        matrix = np.eye(4)
        matrix[:3, 3] = origin_ras
        return cls(matrix)

    @classmethod
    def of_patient(
        cls, alignment: str, trachea: Volume, thyroid: Volume | None = None, *, level_mm: float | None = None
    ) -> Placement:
        """Return the placement of a patient, given masks and one of the `ALIGNMENTS`.

        Parameters
        ----------
        level_mm : float, optional
            The superior coordinate in `ras_mm` at which the centre of the gland lies, instead of that of the thyroid.

        Raises
        ------
        InputError
            The alignment is unknown, or needs a thyroid or level ("upright") and there is none; or a level is given
            but the alignment needs none.
        """
        if level_mm is not None and alignment == "trachea":
            raise InputError(
                "The shapes of this model are centred on the trachea, which sets their height. Omit the level, or use "
                "a model with the upright alignment."
            )
        if alignment == "trachea":
            return cls.on_trachea(trachea)
        if alignment != "upright":
            raise InputError(f"There is no alignment '{alignment}'. Choose one of: {', '.join(ALIGNMENTS)}.")
        if level_mm is not None:
            return cls.upright_at(trachea, level_mm)
        if thyroid is None or not thyroid.array.any():
            raise InputError(
                "The upright alignment needs the height of the patient's gland, and this patient has no thyroid "
                "segmented. Segment it roughly, or use a model whose shapes are centred on the trachea."
            )
        return cls.upright(trachea, thyroid.center_of_mass_ras())

    @classmethod
    def on_trachea(cls, trachea: Volume) -> Placement:
        """Return the placement with its origin at the centre of mass of a trachea mask (paper, section 2.5)."""
        return cls.at(trachea.center_of_mass_ras())

    @classmethod
    def upright(cls, trachea: Volume, gland_ras: np.ndarray) -> Placement:
        """Return the placement on the trachea's axis, at the height of the gland's centre (3,) in `ras_mm`.

        The axis is a line fitted to the trachea near that height, or to the nearest end of the trachea if the
        segmentation does not reach it.
        """
        middle, up = _trachea_axis(trachea, gland_ras[2])
        return cls._along(up, middle + up * ((gland_ras - middle) @ up))

    @classmethod
    def upright_at(cls, trachea: Volume, level_mm: float) -> Placement:
        """Return the placement on the trachea's axis, at a superior coordinate in `ras_mm`; see `upright`."""
        middle, up = _trachea_axis(trachea, level_mm)
        return cls._along(up, middle + up * ((level_mm - middle[2]) / up[2]))

    @classmethod
    def _along(cls, up: np.ndarray, origin_ras: np.ndarray) -> Placement:
        """Return the placement whose third axis is the unit vector `up` (3,), turned as little as possible."""
        right = np.array([1.0, 0.0, 0.0]) - up[0] * up
        right /= np.linalg.norm(right)
        matrix = np.eye(4)
        matrix[:3, :3] = np.stack([right, np.cross(up, right), up], axis=1)
        matrix[:3, 3] = origin_ras
        return cls(matrix)

    def raised(self, shift_mm: float) -> Placement:
        """Return the placement moved upwards along the frame's own third axis."""
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


def _trachea_axis(trachea: Volume, height_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a point (3,) and the upward unit vector (3,) of the trachea's axis near a height, in `ras_mm`."""
    voxels = trachea.to_ras(np.argwhere(trachea.array)[:, ::-1])
    height = np.clip(height_mm, voxels[:, 2].min(), voxels[:, 2].max())
    near = voxels[np.abs(voxels[:, 2] - height) <= _AXIS_HALF_LENGTH_MM]
    middle = near.mean(axis=0)
    above = near[:, 2] - middle[2]
    direction = np.array([0.0, 0.0, 1.0])
    if np.ptp(above) >= _SHORTEST_AXIS_MM:
        direction[:2] = above @ (near[:, :2] - middle[:2]) / (above @ above)
    return middle, direction / np.linalg.norm(direction)
