"""Quality control: may a case be learnt from, and if not, why not."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
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
"""Why a case may be refused. A verdict holds any number of them."""


@dataclass(frozen=True)
class QualityRules:
    """What quality control asks of a case.

    Attributes
    ----------
    border_margin_voxels : int
        Layers of voxels that must lie between the gland and the scan's border. 1 refuses glands that
        touch the outermost layer, which are those the scan cut; TotalSegmentator's own statistics ask
        for 3.
    max_components : int
        Components a gland may have once islands are removed: two separate lobes are normal.
    thyroid_components, trachea_components : ComponentRules
        Which components are islands and are removed.
    max_hole_ml : float
        Cavities are filled; above this volume together they are a reason to refuse.
    min_volume_ml, max_volume_ml : float
        Plausible volume of the gland. The smallest complete one among 102 cases of the
        TotalSegmentator dataset has 0.7 mL, the largest 63 mL; goitres are larger.
    min_trachea_ml : float
        Less trachea than this is a stray label and no place to centre a gland on.
    max_overlap_share : float
        This share of the thyroid's voxels may be trachea as well; with more, one mask was given twice.
    max_trachea_distance_mm : float
        Trachea and thyroid touch in a patient. Farther apart than this the trachea shown is not the part beside
        the gland, and says nothing of where the gland lies.
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
    """What quality control measured of a case.

    Attributes
    ----------
    volume_ml : float
        Voxel volume of the cleaned gland.
    components : int
        Components of the gland without islands, connected across faces, edges and corners of voxels.
    islands_removed, island_voxels : int
        Number of the gland's islands, and of voxels in them.
    islands_ml : float
        Volume of the gland's islands.
    hole_voxels : int
        Voxels of cavities.
    border_distance_voxels : int
        Voxels between the cleaned gland and the scan's border; 0 touches it.
    trachea_ml : float
        Voxel volume of the cleaned trachea.
    trachea_islands_removed : int
        Number of the trachea's islands.
    trachea_islands_ml : float
        Their volume.
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
    """What became of a case, and why.

    Attributes
    ----------
    accepted : bool
        Whether the case is learnt from.
    reasons : tuple of str
        Members of `REASONS` that speak against it; a user may have accepted it nevertheless.
    notes : tuple of str
        What was cleaned, and the numbers behind the reasons.
    measurements : QualityMeasurements
        As found.
    manual_decision : {"", "included", "excluded"}
        What the user decided against the rules, if anything.
    cleaned : Case, optional
        The case with a gland without islands and cavities and a trachea without islands; not kept when a
        verdict is stored.
    without_islands : Mask, optional
        The gland without islands, its cavities as segmented; not kept either.
    surface_ras : Surface, optional
        Its surface in `ras_mm`; None when there is no gland, and not kept either.
    """

    accepted: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    measurements: QualityMeasurements
    manual_decision: Literal["", "included", "excluded"] = ""
    cleaned: Case | None = None
    without_islands: Mask | None = None
    surface_ras: Surface | None = None

    @property
    def can_be_included(self) -> bool:
        """Whether it may be included manually: it needs a thyroid and a trachea."""
        return EMPTY_THYROID not in self.reasons and TRACHEA_MISSING not in self.reasons

    def to_json(self) -> dict[str, Any]:
        """Give what is stored of a verdict."""
        return {
            "accepted": self.accepted,
            "reasons": list(self.reasons),
            "notes": list(self.notes),
            "manual_decision": self.manual_decision,
            "measurements": asdict(self.measurements),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> QualityVerdict:
        """Read what `to_json` gave."""
        return cls(
            accepted=value["accepted"],
            reasons=tuple(value["reasons"]),
            notes=tuple(value["notes"]),
            measurements=QualityMeasurements(**value["measurements"]),
            manual_decision=value["manual_decision"],
        )


def check_case(case: Case, rules: QualityRules = QualityRules()) -> QualityVerdict:
    """Judge a case by the rules.

    Nothing is dropped silently: every reason, island and filled cavity is in the verdict.
    """
    gland, in_gland = without_islands(case.thyroid_mask, rules.thyroid_components)
    trachea, in_trachea = without_islands(case.trachea_mask, rules.trachea_components)
    filled = _without_cavities(gland)
    measurements = QualityMeasurements(
        trachea_ml=trachea.volume_ml,
        trachea_islands_removed=in_trachea.islands,
        trachea_islands_ml=in_trachea.islands_ml,
    )
    reasons: list[str] = []
    notes = [*case.notes, *island_notes("thyroid", in_gland), *island_notes("trachea", in_trachea)]
    surface = None
    if measurements.trachea_ml < rules.min_trachea_ml:
        reasons.append(TRACHEA_MISSING)
        if measurements.trachea_ml > 0:
            notes.append(f"only {measurements.trachea_ml:.3f} mL of trachea")
    for name, found in (("thyroid", in_gland), ("trachea", in_trachea)):
        if found.apart_mm > 0:
            reasons.append(COMPONENTS_APART)
            notes.append(f"components of the {name} lie {found.apart_mm:.0f} mm apart")
    if gland.is_empty:
        reasons.append(EMPTY_THYROID)
    else:
        surface = surface_from_mask(filled.volume)
        measurements = replace(
            measurements,
            volume_ml=filled.volume_ml,
            components=in_gland.kept,
            islands_removed=in_gland.islands,
            island_voxels=in_gland.island_voxels,
            islands_ml=in_gland.islands_ml,
            hole_voxels=int(np.count_nonzero(filled.volume.array) - np.count_nonzero(gland.volume.array)),
            border_distance_voxels=filled.border_distance_voxels,
        )
        found, remarks = _judge(measurements, surface, rules, gland.volume.voxel_volume_ml)
        reasons += found
        notes += remarks
        if not trachea.is_empty:
            found, remarks = _judge_together(gland, trachea, rules)
            reasons += found
            notes += remarks
    ordered = tuple(reason for reason in REASONS if reason in reasons)
    return QualityVerdict(
        not ordered,
        ordered,
        tuple(notes),
        measurements,
        cleaned=replace(case, thyroid_mask=filled, trachea_mask=trachea),
        without_islands=gland,
        surface_ras=surface,
    )


def apply_manual_decision(verdict: QualityVerdict, *, include: bool) -> QualityVerdict:
    """Include or exclude a case manually; the reasons of the rules stay on record.

    A case without a thyroid or a trachea stays refused, and a note says so.
    """
    if include == verdict.accepted:
        return verdict
    if include and not verdict.can_be_included:
        note = "it was to be included manually, but without a thyroid and a trachea there is nothing to learn from"
        return replace(verdict, notes=(*verdict.notes, note))
    return replace(verdict, accepted=include, manual_decision="included" if include else "excluded")


def island_notes(structure: str, found: Components) -> tuple[str, ...]:
    """Return a note on the islands removed from a structure; empty if there were none."""
    if not found.islands:
        return ()
    islands, voxels = (
        f"{count} {noun}{'s' if count > 1 else ''}"
        for count, noun in ((found.islands, "island"), (found.island_voxels, "voxel"))
    )
    return (f"{islands} of the {structure} removed ({found.islands_ml:.2g} mL, {voxels})",)


def _without_cavities(mask: Mask) -> Mask:
    """Return a mask with its cavities filled.

    Components are connected across faces, edges and corners, and cavities are therefore what the outside
    does not reach across faces: the pair that leaves no contradiction on a grid.
    """
    from scipy import ndimage

    filled = Volume(ndimage.binary_fill_holes(mask.volume.array), mask.volume.ijk_to_ras)
    return mask_in_scan(filled, mask.scan)


def _judge_together(thyroid: Mask, trachea: Mask, rules: QualityRules) -> tuple[list[str], list[str]]:
    """Judge where two masks that are not empty lie to each other, each placed by its own grid."""
    from scipy.spatial import cKDTree

    points = thyroid.volume.to_ras(np.argwhere(thyroid.volume.array)[:, ::-1])
    kji = np.rint(trachea.volume.to_ijk(points)).astype(int)[:, ::-1]
    kji = kji[((kji >= 0) & (kji < trachea.volume.array.shape)).all(axis=1)]
    share = np.count_nonzero(trachea.volume.array[tuple(kji.T)]) / len(points)
    if share > rules.max_overlap_share:
        return [SAME_VOXELS], [f"{share:.0%} of the thyroid is trachea as well; give each its own mask"]
    if share > 0:
        return [], []
    distance, _ = cKDTree(border_points(trachea.volume)).query(border_points(thyroid.volume))
    if distance.min() > rules.max_trachea_distance_mm:
        return [TRACHEA_AWAY], [f"the trachea ends {distance.min():.0f} mm from the thyroid"]
    return [], []


def _judge(
    found: QualityMeasurements, surface: Surface, rules: QualityRules, voxel_ml: float
) -> tuple[list[str], list[str]]:
    reasons, notes = [], []
    if found.border_distance_voxels < rules.border_margin_voxels:
        reasons.append(CUT_BY_BORDER)
        notes.append(f"{found.border_distance_voxels} voxels from the scan's border")
    if found.components > rules.max_components:
        reasons.append(TOO_MANY_COMPONENTS)
        notes.append(f"{found.components} components")
    if found.hole_voxels:
        notes.append(f"cavities of {found.hole_voxels} voxels filled")
    if found.hole_voxels * voxel_ml > rules.max_hole_ml:
        reasons.append(HOLES)
    if not surface.is_closed():
        reasons.append(NOT_WATERTIGHT)
    if not rules.min_volume_ml <= found.volume_ml <= rules.max_volume_ml:
        reasons.append(IMPLAUSIBLE_VOLUME)
        notes.append(f"{found.volume_ml:.2f} mL")
    return reasons, notes
