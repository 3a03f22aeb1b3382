"""Quality control: clean a case, and accept it or refuse it with reasons."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.masks import Mask, mask_in_scan

from .cases import Case
from .islands import THYROID_COMPONENTS, TRACHEA_COMPONENTS, ComponentRules, Components, border_points, without_islands

EMPTY_THYROID = "empty thyroid"
TRACHEA_MISSING = "trachea missing"
CUT_BY_BORDER = "cut by the scan's border"
TOO_MANY_COMPONENTS = "too many components"
COMPONENTS_APART = "components far apart"
HOLES = "holes"
NOT_WATERTIGHT = "not watertight"
IMPLAUSIBLE_VOLUME = "implausible volume"
SAME_VOXELS = "thyroid and trachea overlap"
TRACHEA_AWAY = "trachea away from the thyroid"

REASONS = (
    EMPTY_THYROID,
    TRACHEA_MISSING,
    CUT_BY_BORDER,
    TOO_MANY_COMPONENTS,
    COMPONENTS_APART,
    HOLES,
    NOT_WATERTIGHT,
    IMPLAUSIBLE_VOLUME,
    SAME_VOXELS,
    TRACHEA_AWAY,
)
"""Reasons to refuse a case. A verdict holds any number of them."""


@dataclass(frozen=True)
class QualityRules:
    """Limits of quality control.

    Attributes
    ----------
    border_margin_voxels : int
        Minimum number of voxel layers between the thyroid and the scan's border. 1 refuses thyroids that
        touch the outermost layer, which are those that the scan cut; TotalSegmentator's own statistics
        require 3.
    max_components : int
        Maximum number of components of a thyroid, islands excluded: two separate lobes are normal.
    thyroid_components, trachea_components : ComponentRules
        Which components are islands and are removed.
    max_hole_ml : float
        Cavities are filled; a larger total volume of them is a reason to refuse.
    min_volume_ml, max_volume_ml : float
        Plausible volume of a thyroid. The smallest complete one among 102 cases of the TotalSegmentator
        dataset has 0.7 mL, the largest 63 mL; goitres are larger.
    min_trachea_ml : float
        Minimum volume of a trachea; a smaller one is a wrong label.
    max_overlap_share : float
        Maximum share of the thyroid's voxels that are also labelled as trachea. A larger one means that the same mask
        was given twice.
    max_trachea_distance_mm : float
        Maximum distance between trachea and thyroid, which touch in a patient. At a larger one the segmented
        part of the trachea is not at the level of the thyroid and does not locate it.
    """

    border_margin_voxels: int = 1
    max_components: int = 2
    thyroid_components: ComponentRules = THYROID_COMPONENTS
    trachea_components: ComponentRules = TRACHEA_COMPONENTS
    max_hole_ml: float = 0.02
    min_volume_ml: float = 0.5
    max_volume_ml: float = 200.0
    min_trachea_ml: float = 0.2
    max_overlap_share: float = 0.5
    max_trachea_distance_mm: float = 15.0


@dataclass(frozen=True)
class QualityMeasurements:
    """Measurements of quality control, of the thyroid unless the name says otherwise.

    Attributes
    ----------
    volume_ml, trachea_ml : float
        Voxel volumes of the cleaned structures.
    components : int
        Number of components without islands, connected across faces, edges and corners of voxels.
    islands_removed, island_voxels : int
        Number of islands, and of their voxels.
    hole_voxels : int
        Number of voxels of cavities.
    border_distance_voxels : int
        Number of voxel layers between the cleaned thyroid and the scan's border; 0 if they touch.
    """

    volume_ml: float = 0.0
    components: int = 0
    islands_removed: int = 0
    island_voxels: int = 0
    islands_ml: float = 0.0
    hole_voxels: int = 0
    border_distance_voxels: int = 0
    trachea_ml: float = 0.0
    trachea_islands_removed: int = 0
    trachea_islands_ml: float = 0.0


@dataclass(frozen=True)
class QualityVerdict:
    """Whether a case is accepted, and why not.

    Attributes
    ----------
    reasons : tuple of str
        The `REASONS` to refuse it, also those of a case that was included manually.
    notes : tuple of str
        What was cleaned, and the numbers behind the reasons.
    manual_decision : {"", "included", "excluded"}
        The user's decision, if it differs from that of the rules.
    """

    accepted: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    measurements: QualityMeasurements
    manual_decision: Literal["", "included", "excluded"] = ""

    @property
    def can_be_included(self) -> bool:
        """Whether it may be included manually: it needs a thyroid and a trachea."""
        return EMPTY_THYROID not in self.reasons and TRACHEA_MISSING not in self.reasons

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> QualityVerdict:
        """Return the verdict of which `value` is the result of `asdict`, also after a conversion to JSON."""
        measurements = QualityMeasurements(**value["measurements"])
        lists = {name: tuple(value[name]) for name in ("reasons", "notes")}
        return cls(**{**value, **lists, "measurements": measurements})


@dataclass(frozen=True, kw_only=True)
class CheckedCase(QualityVerdict):
    """A verdict together with the cleaned case.

    Attributes
    ----------
    cleaned : Case
        The case without islands, and with the thyroid's cavities filled.
    without_islands : Mask
        The thyroid without islands, with its cavities.
    surface_ras : Surface, optional
        Surface of the cleaned thyroid in `ras_mm`; None if there is no thyroid.
    """

    cleaned: Case
    without_islands: Mask
    surface_ras: Surface | None

    def verdict(self) -> QualityVerdict:
        """Return the verdict alone, without masks and surface."""
        return QualityVerdict(self.accepted, self.reasons, self.notes, self.measurements, self.manual_decision)


def check_case(case: Case, rules: QualityRules = QualityRules()) -> CheckedCase:
    """Check a case by the rules.

    Nothing is dropped silently: every reason, island and filled cavity is in the verdict.
    """
    thyroid, in_thyroid = without_islands(case.thyroid_mask, rules.thyroid_components)
    trachea, in_trachea = without_islands(case.trachea_mask, rules.trachea_components)
    filled = _with_cavities_filled(thyroid)
    measurements = QualityMeasurements(
        volume_ml=filled.volume_ml,
        components=in_thyroid.kept,
        islands_removed=in_thyroid.islands,
        island_voxels=in_thyroid.island_voxels,
        islands_ml=in_thyroid.islands_ml,
        hole_voxels=int(np.count_nonzero(filled.volume.array) - np.count_nonzero(thyroid.volume.array)),
        border_distance_voxels=filled.border_distance_voxels,
        trachea_ml=trachea.volume_ml,
        trachea_islands_removed=in_trachea.islands,
        trachea_islands_ml=in_trachea.islands_ml,
    )
    surface = None
    # Pairs of a reason to refuse and a note, one of which may be empty.
    findings: list[tuple[str, str]] = []
    if trachea.volume_ml < rules.min_trachea_ml:
        note = f"only {trachea.volume_ml:.3f} mL of trachea" if trachea.volume_ml > 0 else ""
        findings.append((TRACHEA_MISSING, note))
    for name, components in (("thyroid", in_thyroid), ("trachea", in_trachea)):
        if components.apart_mm > 0:
            findings.append((COMPONENTS_APART, f"components of the {name} lie {components.apart_mm:.0f} mm apart"))
    if thyroid.is_empty:
        findings.append((EMPTY_THYROID, ""))
    else:
        surface = surface_from_mask(filled.volume)
        findings += _check_thyroid(measurements, surface, rules, thyroid.volume.voxel_volume_ml)
        if not trachea.is_empty:
            findings += _check_position(thyroid, trachea, rules)
    found = {reason for reason, _ in findings}
    reasons = tuple(reason for reason in REASONS if reason in found)
    islands = (*island_notes("thyroid", in_thyroid), *island_notes("trachea", in_trachea))
    return CheckedCase(
        not reasons,
        reasons,
        (*case.notes, *islands, *(note for _, note in findings if note)),
        measurements,
        cleaned=replace(case, thyroid_mask=filled, trachea_mask=trachea),
        without_islands=thyroid,
        surface_ras=surface,
    )


def apply_manual_decision(verdict: QualityVerdict, *, include: bool) -> QualityVerdict:
    """Include or exclude a case manually; the reasons of the rules stay in the verdict.

    A case without a thyroid or a trachea stays refused, and a note says so.
    """
    if include == verdict.accepted:
        return verdict
    if include and not verdict.can_be_included:
        note = "it cannot be included manually, because it has no thyroid or no trachea"
        return replace(verdict, notes=(*verdict.notes, note))
    return replace(verdict, accepted=include, manual_decision="included" if include else "excluded")


def island_notes(structure: str, components: Components) -> tuple[str, ...]:
    """Return a note on the islands removed from a structure; empty if there were none."""
    if not components.islands:
        return ()
    islands, voxels = (
        f"{count} {noun}{'s' if count > 1 else ''}"
        for count, noun in ((components.islands, "island"), (components.island_voxels, "voxel"))
    )
    return (f"{islands} of the {structure} removed ({components.islands_ml:.2g} mL, {voxels})",)


def _with_cavities_filled(mask: Mask) -> Mask:
    """Return a mask with its cavities filled.

    As components are connected across faces, edges and corners, the background is connected across faces
    only: other pairs are contradictory on a grid.
    """
    from scipy import ndimage

    return mask_in_scan(Volume(ndimage.binary_fill_holes(mask.volume.array), mask.volume.ijk_to_ras), mask.scan)


def _check_position(thyroid: Mask, trachea: Mask, rules: QualityRules) -> list[tuple[str, str]]:
    """Check the position of two masks, which may lie on different grids, to each other."""
    from scipy.spatial import cKDTree

    points = thyroid.volume.to_ras(np.argwhere(thyroid.volume.array)[:, ::-1])
    kji = np.rint(trachea.volume.to_ijk(points)).astype(int)[:, ::-1]
    kji = kji[((kji >= 0) & (kji < trachea.volume.array.shape)).all(axis=1)]
    share = np.count_nonzero(trachea.volume.array[tuple(kji.T)]) / len(points)
    if share > rules.max_overlap_share:
        return [(SAME_VOXELS, f"{share:.0%} of the thyroid is also labelled as trachea; give each its own mask")]
    if share > 0:
        return []
    distance, _ = cKDTree(border_points(trachea.volume)).query(border_points(thyroid.volume))
    if distance.min() > rules.max_trachea_distance_mm:
        return [(TRACHEA_AWAY, f"the trachea ends {distance.min():.0f} mm from the thyroid")]
    return []


def _check_thyroid(
    measured: QualityMeasurements, surface: Surface, rules: QualityRules, voxel_ml: float
) -> list[tuple[str, str]]:
    findings = []
    if measured.border_distance_voxels < rules.border_margin_voxels:
        findings.append((CUT_BY_BORDER, f"{measured.border_distance_voxels} voxels from the scan's border"))
    if measured.components > rules.max_components:
        findings.append((TOO_MANY_COMPONENTS, f"{measured.components} components"))
    if measured.hole_voxels:
        reason = HOLES if measured.hole_voxels * voxel_ml > rules.max_hole_ml else ""
        findings.append((reason, f"cavities of {measured.hole_voxels} voxels filled"))
    if not surface.is_closed():
        findings.append((NOT_WATERTIGHT, ""))
    if not rules.min_volume_ml <= measured.volume_ml <= rules.max_volume_ml:
        findings.append((IMPLAUSIBLE_VOLUME, f"{measured.volume_ml:.2f} mL"))
    return findings
