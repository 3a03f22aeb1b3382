"""The shape of an organ where a scan shows it, the box in which organs are learned, and their features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib.common.files import sha256_of
from ThyroidSynthLib.geometry.frame import Frame, Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.scan_border import continued, cut_sides, part_between, part_in_scan
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.imaging.masks import Mask
from ThyroidSynthLib.imaging.ply import write_ply

ORGANS_FOLDER = "organs"

ORGAN_FEATURES = ("cross_section_mm2", "lateral_mm")
"""Mean axial cross-section, and distance of the centroid from the trachea's axis to the patient's right, both within
`BAND_MM` of the middle of the box."""

BAND_MM = 15.0

# An organ is stored as far as it lies in the gland's box widened by this, so that a long one takes no more room.
_AROUND_GLAND_MM = 40.0
# The box in which organs are learned is that of the glands but for the few most extreme, widened by this: vessels and
# oesophagus, which touch most glands, are then in it with their whole section.
_EXTREME_SHARE = 0.02
_MARGIN_MM = 12.0


@dataclass(frozen=True)
class OrganShape:
    """The surface of an organ that is stored in a cohort folder.

    Attributes
    ----------
    surface, surface_sha256 : str
        Surface file in `trachea_mm`, relative to the cohort folder, and its checksum. Where the border of the seen
        part cuts the organ, the surface continues straight on beyond it.
    seen_shape, seen_to_trachea : list
        Grid of the part of the scan in which the organ was looked at: its shape and the matrix from voxel indices to
        `trachea_mm`.
    """

    surface: str
    surface_sha256: str
    seen_shape: list[int]
    seen_to_trachea: list[list[float]]

    @property
    def seen(self) -> Grid:
        """The part of the scan in which the organ was looked at, in `trachea_mm`."""
        return seen_grid(self.seen_shape, self.seen_to_trachea)


def seen_grid(shape: Sequence[int], matrix: Sequence[Sequence[float]]) -> Grid:
    """Return the grid that an `OrganShape` describes."""
    nk, nj, ni = shape
    return Grid((nk, nj, ni), np.array(matrix))


def organ_in_scan(mask: Mask, placement: Placement, near_mm: np.ndarray) -> tuple[Surface, Grid] | None:
    """Return an organ's surface near a gland and the part of the scan in which it is known, both in `trachea_mm`.

    The surface is closed. Where the scan's border, or that of the part near the gland, cuts the organ, it continues
    straight on beyond it, so that the cut face lies outside of the part that is known. None if the organ is not near
    the gland.

    Parameters
    ----------
    near_mm : ndarray, shape (2, 3)
        Box of the gland in `trachea_mm`; the organ is looked at within 40 mm of it.
    """
    seen = _near(mask.scan, placement, near_mm)
    if seen is None:
        return None
    first = np.rint(mask.scan.to_ijk(seen.to_ras(np.zeros(3)))).astype(int)[::-1]
    low = np.maximum(first - mask.first_kji, 0)
    high = np.minimum(first + seen.shape - mask.first_kji, mask.volume.array.shape)
    if (low >= high).any():
        return None
    k, j, i = (slice(a, b) for a, b in zip(low.tolist(), high.tolist(), strict=True))
    part = mask.volume.part((k, j, i))
    if not part.array.any():
        return None
    part = part.cropped()
    surface = surface_from_mask(continued(part, cut_sides(part, seen)))
    to_trachea = np.linalg.inv(placement.trachea_to_ras) @ seen.ijk_to_ras
    return surface.moved(placement.to_trachea(surface.vertices)), Grid(seen.shape, to_trachea)


def store_organ(folder: Path, organ: str, case_id: str, surface: Surface, seen: Grid) -> OrganShape:
    """Store an organ's surface in a cohort folder, with the part of the scan in which it is known."""
    name = f"{ORGANS_FOLDER}/{organ}/surfaces/{case_id}.ply"
    write_ply(surface, folder / name, comment=f"{organ} in mm, in the trachea frame; continued beyond the scan")
    return OrganShape(name, sha256_of(folder / name), list(seen.shape), seen.ijk_to_ras.tolist())


def organ_frame(boxes_mm: np.ndarray, alignment: str) -> Frame:
    """Return the `unit` frame and the box of the organs of a cohort, given the boxes (n, 2, 3) of its glands.

    The scale is the same along all axes, so that distances in it are lengths. A few extreme glands do not stretch it.
    """
    lower = np.quantile(boxes_mm[:, 0], _EXTREME_SHARE, axis=0) - _MARGIN_MM
    upper = np.quantile(boxes_mm[:, 1], 1 - _EXTREME_SHARE, axis=0) + _MARGIN_MM
    lower, upper = lower.round(3), upper.round(3)
    return Frame(np.full(3, np.maximum(np.abs(lower), np.abs(upper)).max()), lower, upper, alignment)


def measure_organ(surface: Surface, frame: Frame, seen: Grid | None = None) -> np.ndarray | None:
    """Measure the features of an organ in the order of `ORGAN_FEATURES`; None if it is not at the level of the gland.

    Parameters
    ----------
    surface : Surface
        Closed, in `trachea_mm`.
    seen : Grid, optional
        The part of the scan in which the organ is known, in `trachea_mm`.
    """
    middle = (frame.lower_mm[2] + frame.upper_mm[2]) / 2
    part = part_between(surface, middle - BAND_MM, middle + BAND_MM)
    if len(part.faces) and seen is not None and not seen.holds(part):
        part = part_in_scan(part, seen)
    if not len(part.faces) or part.volume <= 0:
        return None
    lower, upper = part.bounds
    height, corners, normals = upper[2] - lower[2], part.corners[..., 0], part.scaled_normals[:, 0]
    if height <= 0:
        return None
    # ∫x dV = ∫ x²/2 n_x dA, exact for the triangles.
    a, b, c = corners.T
    moment = float(np.sum(normals * (a * a + b * b + c * c + a * b + b * c + c * a))) / 24
    return np.array([part.volume / height, moment / part.volume])


def features_document(values: np.ndarray) -> dict[str, Any]:
    """Return features as entries of a JSON file."""
    return dict(zip(ORGAN_FEATURES, values.tolist(), strict=True))


def _near(scan: Grid, placement: Placement, box_mm: np.ndarray) -> Grid | None:
    """Return the part of a scan near a box in `trachea_mm`; None if it is empty."""
    corners = np.stack(np.meshgrid(*zip(*box_mm, strict=True), indexing="ij"), axis=-1).reshape(-1, 3)
    ijk = scan.to_ijk(placement.to_ras(corners))
    margin = _AROUND_GLAND_MM / scan.spacing_mm
    first = np.maximum(np.floor(ijk.min(axis=0) - margin), 0)
    last = np.minimum(np.ceil(ijk.max(axis=0) + margin), scan.last_ijk)
    if (last < first).any():
        return None
    return scan.part(first.astype(int)[::-1], (last - first + 1).astype(int)[::-1])
