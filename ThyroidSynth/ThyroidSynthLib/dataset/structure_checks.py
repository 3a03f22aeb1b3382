"""Whether a mask can be a trachea and shows where the thyroid belongs, and how coarsely a thyroid is sampled.

Everything that is placed by a patient's trachea is checked here: cases of a cohort, fits, edits and generated thyroids.
A tube beside the trachea of about its size and length, such as the upper oesophagus, is not recognised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.masks import Mask

from .islands import LARGEST_ML, TRACHEA_COMPONENTS, border_points, both_without_islands, distance_mm, without_islands

TRACHEA_MISSING = "trachea missing"
SAME_VOXELS = "thyroid and trachea overlap"
TRACHEA_INSIDE = "trachea inside the thyroid"
TRACHEA_SHORT = "trachea too short"
TRACHEA_IMPLAUSIBLE = "implausible trachea"
TRACHEA_AWAY = "trachea away from the thyroid"

Finding = tuple[str, str]
"""A reason to refuse a case and a note, one of which may be empty."""

# Craniocaudal thickness, at least, of the sections whose areas are measured.
_SECTION_MM = 3.0
# A gland of so few slices is noted, and so are slices so many times thicker than their pixels.
_FEW_SLICES = 3
_THICK_SLICES = 3.0
# A mask was drawn on thicker slices if this share of its slices equals the next one, among at least so many slices.
_REPEATED_SHARE = 0.45
_MIN_REPEATED_SLICES = 8
# With one of these reasons the trachea does not show where the thyroid belongs, so that nothing is placed by it.
_MISLEADING = (TRACHEA_MISSING, SAME_VOXELS, TRACHEA_IMPLAUSIBLE, TRACHEA_AWAY)


@dataclass(frozen=True)
class TracheaRules:
    """Limits of a plausible trachea.

    Attributes
    ----------
    min_ml : float
        A smaller mask is a wrong label.
    max_ml : float
        An adult's trachea with its main bronchi has 20 to 80 mL; more are lungs joined to it.
    min_length_mm : float
        Smallest craniocaudal length. A shorter part does not show the direction of the trachea.
    min_length_ratio : float
        Smallest ratio of the length to the diameter. A tube is longer than wide, a ball is not.
    max_length_mm : float
        A trachea with its main bronchi is up to 180 mm long; longer tubes are the oesophagus, the aorta or the spine.
    min_area_mm2, max_area_mm2 : float
        Median area of the horizontal sections: diameters of 7 mm (a child) to 36 mm.
    max_overlap_share : float
        Maximum share of the thyroid's voxels that are also labelled as trachea, and of the trachea's voxels at its
        height that are also labelled as thyroid. Larger ones mean that the same mask was given twice, or that a
        mask holds both.
    max_distance_mm : float
        Maximum distance between trachea and thyroid, which touch in a patient, and of the height of the thyroid's
        centre above or below the trachea. At a larger one the segmented part of the trachea is not at the level of
        the thyroid and does not locate it.
    max_width_mm : float
        Maximum median width of the trachea at the height of the thyroid, 12 to 24 mm in the example cohort. There 95 %
        of the thyroids are wider than 37 mm, so a wider trachea is a thyroid: both were exchanged.
    """

    min_ml: float = 0.2
    max_ml: float = 120.0
    min_length_mm: float = 20.0
    min_length_ratio: float = 1.3
    max_length_mm: float = 200.0
    min_area_mm2: float = 40.0
    max_area_mm2: float = 1000.0
    max_overlap_share: float = 0.5
    max_distance_mm: float = 15.0
    max_width_mm: float = 32.0


@dataclass(frozen=True)
class TracheaMeasurements:
    """Volume, craniocaudal length and median area of the horizontal sections of a trachea; 0 without one."""

    volume_ml: float = 0.0
    length_mm: float = 0.0
    area_mm2: float = 0.0

    @classmethod
    def of(cls, trachea: Mask) -> TracheaMeasurements:
        """Measure a mask without islands; only the volume of one above `LARGEST_ML`."""
        if trachea.is_empty or trachea.volume_ml > LARGEST_ML:
            return cls(trachea.volume_ml)
        volume = trachea.volume
        height = _heights_mm(volume)
        thickness = float(np.abs(volume.ijk_to_ras[2, :3]).max())
        section = thickness * np.ceil(_SECTION_MM / thickness)
        voxels = np.bincount(((height - height.min()) / section + 1e-6).astype(int))
        # The last section is seldom full.
        voxels = voxels[: max(1, len(voxels) - 1)]
        area = np.median(voxels[voxels > 0]) * 1000 * volume.voxel_volume_ml / section
        return cls(trachea.volume_ml, float(np.ptp(height)) + thickness, float(area))


def check_trachea(measured: TracheaMeasurements, rules: TracheaRules = TracheaRules()) -> list[Finding]:
    """Check whether a trachea is one, by its measurements."""
    if measured.volume_ml < rules.min_ml:
        return [(TRACHEA_MISSING, f"only {measured.volume_ml:.3f} mL of trachea" if measured.volume_ml > 0 else "")]
    if measured.volume_ml > rules.max_ml:
        note = (
            f"{measured.volume_ml:.0f} mL are too much for a trachea (at most {rules.max_ml:.0f}); lungs may be joined"
        )
        return [(TRACHEA_IMPLAUSIBLE, note)]
    if measured.length_mm > rules.max_length_mm:
        note = f"{measured.length_mm:.0f} mm are too long for a trachea (at most {rules.max_length_mm:.0f})"
        return [(TRACHEA_IMPLAUSIBLE, note)]
    if not rules.min_area_mm2 <= measured.area_mm2 <= rules.max_area_mm2:
        limits = f"{rules.min_area_mm2:.0f} to {rules.max_area_mm2:.0f}"
        note = f"horizontal sections of {measured.area_mm2:.0f} mm² are not those of a trachea ({limits})"
        return [(TRACHEA_IMPLAUSIBLE, note)]
    diameter = 2 * (measured.area_mm2 / np.pi) ** 0.5
    needed = max(rules.min_length_mm, rules.min_length_ratio * diameter)
    if measured.length_mm < needed:
        return [(TRACHEA_SHORT, f"only {measured.length_mm:.0f} mm of trachea; at least {needed:.0f} mm are needed")]
    return []


def check_position(thyroid: Volume, trachea: Volume, rules: TracheaRules = TracheaRules()) -> list[Finding]:
    """Check the position of two masks to each other; they may lie on different grids, and neither may be empty."""
    share = _inside(thyroid, trachea).mean()
    if share > rules.max_overlap_share:
        return [(SAME_VOXELS, f"{share:.0%} of the thyroid is also labelled as trachea; give each its own mask")]
    findings = []
    heights, own_heights = _heights_mm(trachea), _heights_mm(thyroid)
    beside = (heights >= own_heights.min()) & (heights <= own_heights.max())
    share = _inside(trachea, thyroid)[beside].mean() if beside.any() else 0.0
    if share > rules.max_overlap_share:
        findings.append((TRACHEA_INSIDE, f"{share:.0%} of the trachea beside the thyroid is also labelled as thyroid"))
    distance = distance_mm(border_points(thyroid), border_points(trachea))
    if distance > rules.max_distance_mm:
        return [*findings, (TRACHEA_AWAY, f"the trachea ends {distance:.0f} mm from the thyroid")]
    width = _width_beside_mm(trachea, thyroid)
    if width > rules.max_width_mm:
        note = f"the trachea is {width:.0f} mm wide at the height of the thyroid; both may be exchanged"
        return [*findings, (TRACHEA_IMPLAUSIBLE, note)]
    centre = float(own_heights.mean())
    for gap, where in ((centre - heights.max(), "below"), (heights.min() - centre, "above")):
        if gap > rules.max_distance_mm:
            return [*findings, (TRACHEA_AWAY, f"the trachea ends {gap:.0f} mm {where} the centre of the thyroid")]
    return findings


def placement_faults(findings: list[Finding]) -> tuple[str, ...]:
    """Return the findings because of which the trachea does not show where the thyroid belongs."""
    return tuple(note or reason for reason, note in findings if reason in _MISLEADING)


def check_placement(faults: tuple[str, ...], source: str = "", *, label: str = "") -> None:
    """Raise `InputError` if there are `placement_faults`.

    `source` names where the trachea comes from, and `label` which label of it the user gave as the trachea.
    """
    if not faults:
        return
    if label:
        raise InputError(
            f"{label[0].upper()}{label[1:]}, does not show where the thyroid belongs: {'; '.join(faults)}. Check the "
            "labels (--labels) or the class map (--class-map): in another task or version they are other organs."
        )
    raise InputError(
        f"The trachea{source and ' of '}{source} does not show where the thyroid belongs: {'; '.join(faults)}. "
        "Segment the trachea at the height of the thyroid, or choose its mask or label."
    )


def check_size(thyroid: Mask) -> None:
    """Raise `InputError` if a mask is too large for a thyroid of any patient."""
    if thyroid.volume_ml > LARGEST_ML:
        raise InputError(
            f"A mask of {thyroid.volume_ml:.0f} mL cannot be a thyroid; it may be the body or the background. Choose "
            "the mask or label of the thyroid."
        )


def structures_for_placing(trachea: Mask, thyroid: Mask | None = None) -> tuple[Volume, Volume | None]:
    """Return a patient's trachea and thyroid without islands, checked to place something by them.

    `InputError` if the trachea is none, or is not at the thyroid.
    """
    if thyroid is None or thyroid.is_empty:
        cleaned, _ = without_islands(trachea, TRACHEA_COMPONENTS)
        check_placement(placement_faults(check_trachea(TracheaMeasurements.of(cleaned))))
        return cleaned.volume, None
    check_size(thyroid)
    (gland, _), (cleaned, _) = both_without_islands(thyroid, trachea)
    findings = check_trachea(TracheaMeasurements.of(cleaned))
    if not cleaned.is_empty and cleaned.volume_ml <= LARGEST_ML:
        findings += check_position(gland.volume, cleaned.volume)
    check_placement(placement_faults(findings))
    return cleaned.volume, gland.volume


def sampling_notes(thyroid: Volume) -> tuple[str, ...]:
    """Return notes on a thyroid, cropped and not empty, whose slices are few, thick or repeated."""
    notes = []
    spacing = thyroid.spacing_mm
    slices = int(min(thyroid.array.shape))
    if 1 < slices <= _FEW_SLICES:
        notes.append(f"the thyroid has only {slices} slices, so its features are rough")
    if spacing.max() >= _THICK_SLICES * spacing.min():
        notes.append(f"voxels of {' × '.join(f'{side:.3g}' for side in spacing)} mm are coarse in one direction")
    repeated = max(_repeated_share(np.moveaxis(thyroid.array, axis, 0)) for axis in range(3))
    if repeated >= _REPEATED_SHARE:
        notes.append(f"{repeated:.0%} of the slices repeat their neighbour: the thyroid was drawn on thicker slices")
    return tuple(notes)


def _inside(own: Volume, other: Volume) -> np.ndarray:
    """Check which voxels of a structure another one holds too; bool, shape (n,)."""
    kji = np.rint(other.to_ijk(own.to_ras(np.argwhere(own.array)[:, ::-1]))).astype(int)[:, ::-1]
    within = ((kji >= 0) & (kji < other.array.shape)).all(axis=1)
    inside = np.zeros(len(kji), dtype=bool)
    inside[within] = other.array[tuple(kji[within].T)] != 0
    return inside


def _width_beside_mm(trachea: Volume, thyroid: Volume) -> float:
    """Return the median width of the trachea's horizontal sections at the height of the thyroid; 0 without any."""
    beside = _heights_mm(thyroid)
    positions = trachea.to_ras(np.argwhere(trachea.array)[:, ::-1])
    positions = positions[(positions[:, 2] >= beside.min()) & (positions[:, 2] <= beside.max())]
    if len(positions) == 0:
        return 0.0
    section = np.unique(np.floor(positions[:, 2] / _SECTION_MM), return_inverse=True)[1]
    low, high = np.full(section.max() + 1, np.inf), np.full(section.max() + 1, -np.inf)
    np.minimum.at(low, section, positions[:, 0])
    np.maximum.at(high, section, positions[:, 0])
    return float(np.median(high - low))


def _heights_mm(volume: Volume) -> np.ndarray:
    """Return the craniocaudal position in `ras_mm` of each voxel of a structure, shape (n,)."""
    return volume.to_ras(np.argwhere(volume.array)[:, ::-1])[:, 2]


def _repeated_share(slices: np.ndarray) -> float:
    """Return which share of the slices equals the next one; 0 for few slices."""
    if len(slices) < _MIN_REPEATED_SLICES:
        return 0.0
    inside = slices != 0
    return float(np.mean((inside[1:] == inside[:-1]).all(axis=(1, 2))))
