"""Contact of thyroids with rigid structures, such as the patient's own trachea, as a constraint of steering.

Where a point of the surface lies too near to a structure, its distance d and the derivative of d by the code, which is
the motion of the point along the gradient of d, give one row of the step of steering: the step ends where no point is
too near, as far as the shapes of the model allow. One more row moves the isthmus to its distance from the trachea. The
rows are weighted by the area of the surface, so that they do not depend on the number of points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ThyroidSynthLib.generation.decode.sensitivity import SurfaceMotion
from ThyroidSynthLib.geometry.frame import Frame, Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.rigid.continuation import continued_beyond_scan
from ThyroidSynthLib.geometry.rigid.lying import isthmus_gap_mm, isthmus_weights, lying_on, near_midline
from ThyroidSynthLib.geometry.rigid.structures import RigidStructures
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume

CLEARANCE_MM = 0.1
"""Least distance to a structure where nothing is known about the cohort's: triangles are flat, structures are not."""

# Tolerances: share of the gland that may lie in a structure, share that may lie within the clearance of it, and error
# of the isthmus's gap.
_OVERLAP_SHARE = 5e-4
_NEAR_SHARE = 5e-3
_GAP_MM = 0.3
# Share of a gland in a structure, and depth of 1 % of its surface, above which one of the two is segmented wrongly.
_MOST_OVERLAP, _DEEPEST_MM = 0.01, 1.0
# What weighs as much as a change of the code by one SD: 10 mm² of surface that is too near by 0.05 mm, and this error
# of the gap.
_PRESSED_MM = 0.05
_PRESSED_MM2 = 10.0
_GAP_SD_MM = 0.03
# Points farther than this beyond the clearance are not reached by one step.
_REACH_MM = 6.0


@dataclass(frozen=True)
class Contact:
    """The structures that a thyroid must not enter, and how it lies on them.

    Attributes
    ----------
    structures : RigidStructures
        The trachea, or any structures where the trachea is not known.
    clearance_mm : float
        Distance to the structures below which hardly any of the surface lies; negative for a thyroid that overlaps.
    gap_mm : float or None
        Mean distance of the isthmus to the structures, see `LyingOn`; None if it is free.
    allowed_mm3 : float
        Overlap that a patient's own gland has already, and may keep.
    width_mm : float or None
        Width of the trachea; None if it is not known.
    others : RigidStructures or None
        Further structures beside the trachea, which the thyroid may touch.
    """

    structures: RigidStructures
    clearance_mm: float = CLEARANCE_MM
    gap_mm: float | None = None
    allowed_mm3: float = 0.0
    width_mm: float | None = None
    others: RigidStructures | None = None

    @classmethod
    def at(
        cls,
        trachea: Volume | None,
        placement: Placement,
        frame: Frame,
        *,
        scan: Grid | None = None,
        structures: Sequence[Volume | Surface] = (),
    ) -> Contact | None:
        """Return the contact with a patient's trachea and further rigid structures.

        Parameters
        ----------
        trachea : Volume or None
            Mask, cropped to its voxels, in `ras_mm`.
        placement : Placement
            The patient's trachea frame.
        frame : Frame
            The frame of the model.
        scan : Grid, optional
            Grid of the scan, by default the mask's own. A trachea that the border of the scan cuts is continued a
            little beyond it.
        structures : sequence of Volume or Surface
            Masks or closed surfaces of further structures in `ras_mm`.

        Returns
        -------
        Contact or None
            None if nothing of them lies where thyroids of the model can lie.
        """
        others = RigidStructures.of(structures, placement, frame)
        tube = None
        if trachea is not None:
            tube = RigidStructures.of([continued_beyond_scan(trachea, scan or trachea.grid)], placement, frame)
        if tube is not None:
            return cls(tube, width_mm=tube.width_mm, others=others)
        return None if others is None else cls(others)

    def kept_by(self, surface: Surface, *, with_overlap: bool = True) -> Contact | None:
        """Return the contact that a thyroid, given its surface in `trachea_mm`, keeps while it is changed.

        With its overlap, it may stay as deep in the structures as it is, but not enter them further. None if it
        overlaps so much that the structures are no limit to it.
        """
        lying = lying_on(surface, self.structures)
        beside = 0.0 if self.others is None else lying_on(surface, self.others).overlap_mm3
        deep = lying.clearance_mm < -_DEEPEST_MM or max(lying.overlap_mm3, beside) > _MOST_OVERLAP * surface.volume
        if with_overlap and deep:
            return None
        clearance = min(lying.clearance_mm, self.clearance_mm)
        return replace(
            self,
            clearance_mm=clearance if with_overlap else max(clearance, min(CLEARANCE_MM, self.clearance_mm)),
            gap_mm=None if np.isnan(lying.gap_mm) else lying.gap_mm,
            allowed_mm3=max(lying.overlap_mm3, beside) if with_overlap else 0.0,
        )

    def misfit(self, surface: Surface) -> float:
        """Return the largest deviation of a surface in `trachea_mm`, as a multiple of its tolerance."""
        found = 0.0
        for structures, clearance in self._clearances():
            lying = lying_on(surface, structures, clearance_mm=clearance)
            entered = max(lying.overlap_mm3 - self.allowed_mm3, 0.0) / (_OVERLAP_SHARE * surface.volume)
            near = max(lying.near_mm3 - self.allowed_mm3, 0.0) / (_NEAR_SHARE * surface.volume)
            of_gap = abs(self._gap_error(lying.gap_mm)) / _GAP_MM if structures is self.structures else 0.0
            found = max(found, entered, near, of_gap)
        return found

    def overlap_misfit(self, surface: Surface) -> float:
        """Return the overlap of a surface in `trachea_mm`, as a multiple of its tolerance.

        It must be 1 at most: clearance and gap are how a thyroid should lie, overlap is where it cannot.
        """
        overlaps = [lying_on(surface, structures).overlap_mm3 for structures, _ in self._clearances()]
        return max(max(overlaps) - self.allowed_mm3, 0.0) / (_OVERLAP_SHARE * surface.volume)

    def rows(self, motion: SurfaceMotion, surface: Surface) -> ContactRows:
        """Return the contact of a surface in `trachea_mm` to first order, from the motion of its points."""
        parts = [_pressing_rows(motion, *each) for each in self._clearances()]
        if self.gap_mm is not None:
            parts.append(self._gap_row(motion, self._gap_error(isthmus_gap_mm(surface, self.structures))))
        value, slope = (np.concatenate(column) for column in zip(*parts, strict=True))
        pressing = np.ones(len(value), dtype=bool)
        if self.gap_mm is not None:
            pressing[-1] = False
        return ContactRows(value, slope, pressing)

    def _clearances(self) -> list[tuple[RigidStructures, float]]:
        """Return the structures, each with the least distance to it."""
        trachea = (self.structures, self.clearance_mm)
        return [trachea] if self.others is None else [trachea, (self.others, min(self.clearance_mm, CLEARANCE_MM))]

    def _gap_row(self, motion: SurfaceMotion, error_mm: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the weighted error (1,) of the gap and its derivative (1, code_size); 0 without an isthmus."""
        near = np.flatnonzero(near_midline(motion.points_mm))
        points, per_code = motion.points_mm[near], motion.per_code[near]
        gradient = self.structures.gradients(points)
        towards = np.einsum("ij,ij->i", motion.normals[near], gradient)
        share = isthmus_weights(points, gradient, towards) * motion.area_mm2[near]
        share *= self.structures.distances(points) < self.clearance_mm + _REACH_MM
        row = (share * towards) @ per_code / max(float(share.sum()), 1e-12)
        return np.array([error_mm / _GAP_SD_MM * share.any()]), row[None] / _GAP_SD_MM

    def _gap_error(self, measured_mm: float) -> float:
        return 0.0 if self.gap_mm is None or np.isnan(measured_mm) else measured_mm - self.gap_mm


def _pressing_rows(
    motion: SurfaceMotion, structures: RigidStructures, clearance_mm: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted distances (m,) beyond the clearance of the points near structures, and their derivatives."""
    distance = structures.distances(motion.points_mm)
    near = np.flatnonzero(distance < clearance_mm + _REACH_MM)
    towards = np.einsum("ij,ij->i", motion.normals[near], structures.gradients(motion.points_mm[near]))
    weight = np.sqrt(motion.area_mm2[near] / _PRESSED_MM2) / _PRESSED_MM
    return weight * (distance[near] - clearance_mm), (weight * towards)[:, None] * motion.per_code[near]


@dataclass(frozen=True)
class ContactRows:
    """Weighted distances (m,) that should be 0 or, where `pressing`, at least 0; and their derivatives (m, k)."""

    value: np.ndarray
    slope: np.ndarray
    pressing: np.ndarray

    def active(self, change: np.ndarray) -> np.ndarray:
        """Return which rows (m,) count after a change of the code (k,)."""
        return ~self.pressing | (self.value + self.slope @ change < 0)

    def response(self, active: np.ndarray, precision: np.ndarray, back: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the best change of the code (k,) for these rows, and how freely it changes beside them (k, k).

        Both are those of the least sum of the squared rows and the squared distance from the change `back`, in SDs of
        the training codes, whose inverse covariance is `precision` (k, k).
        """
        slope = self.slope[active]
        covariance = np.linalg.inv(precision + slope.T @ slope)
        return covariance @ (precision @ back - slope.T @ self.value[active]), covariance
