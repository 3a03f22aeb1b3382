"""Quality control: may a case be learnt from, and if not, why not."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from .cases import Case
from .masks import Mask, mask_in_scan
from .surface import Surface, surface_from_mask
from .volume import Volume

EMPTY_THYROID = "empty thyroid"
TRACHEA_MISSING = "trachea missing"
CUT_BY_BORDER = "cut by the scan's border"
TOO_MANY_COMPONENTS = "too many components"
HOLES = "holes"
NOT_WATERTIGHT = "not watertight"
IMPLAUSIBLE_VOLUME = "implausible volume"

REASONS = (
    EMPTY_THYROID,
    TRACHEA_MISSING,
    CUT_BY_BORDER,
    TOO_MANY_COMPONENTS,
    HOLES,
    NOT_WATERTIGHT,
    IMPLAUSIBLE_VOLUME,
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
        Pieces a gland may have once specks are dropped: two separate lobes are normal.
    speck_share, speck_ml : float
        A piece below both, as a share of the gland and in mL, is a speck and is dropped.
    max_hole_ml : float
        Cavities are filled; above this volume together they are a reason to refuse.
    min_volume_ml, max_volume_ml : float
        Plausible volume of the gland. The smallest complete one among 102 cases of the
        TotalSegmentator dataset has 0.7 mL, the largest 63 mL; goitres are larger.
    min_trachea_ml : float
        Less trachea than this is a stray label and no place to centre a gland on.
    """

    border_margin_voxels: int = 1
    max_components: int = 2
    speck_share: float = 0.01
    speck_ml: float = 0.1
    max_hole_ml: float = 0.02
    min_volume_ml: float = 0.5
    max_volume_ml: float = 200.0
    min_trachea_ml: float = 0.2


@dataclass(frozen=True)
class QualityMeasurements:
    """What quality control measured of a case.

    Attributes
    ----------
    volume_ml : float
        Voxel volume of the cleaned gland.
    components : int
        Pieces without specks, holding together across faces, edges and corners of voxels.
    specks_dropped, speck_voxels : int
        Number of specks, and of voxels in them.
    hole_voxels : int
        Voxels of cavities.
    border_distance_voxels : int
        Voxels between the cleaned gland and the scan's border; 0 touches it.
    trachea_ml : float
        Voxel volume of the trachea.
    """

    volume_ml: float = 0.0
    components: int = 0
    specks_dropped: int = 0
    speck_voxels: int = 0
    hole_voxels: int = 0
    border_distance_voxels: int = 0
    trachea_ml: float = 0.0


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
    overruled : {"", "accepted by the user", "refused by the user"}
        Whether a user decided otherwise than the rules.
    cleaned : Volume, optional
        The gland without specks and cavities; not kept when a verdict is stored.
    surface_ras : Surface, optional
        Its surface in `ras_mm`; None when there is no gland, and not kept either.
    """

    accepted: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    measurements: QualityMeasurements
    overruled: Literal["", "accepted by the user", "refused by the user"] = ""
    cleaned: Volume | None = None
    surface_ras: Surface | None = None

    @property
    def can_be_accepted(self) -> bool:
        """Whether a user may accept it: without a gland or a trachea there is nothing to learn from."""
        return EMPTY_THYROID not in self.reasons and TRACHEA_MISSING not in self.reasons

    def to_json(self) -> dict[str, Any]:
        """Give what is stored of a verdict."""
        return {
            "accepted": self.accepted,
            "reasons": list(self.reasons),
            "notes": list(self.notes),
            "overruled": self.overruled,
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
            overruled=value["overruled"],
        )


def check_case(case: Case, rules: QualityRules = QualityRules()) -> QualityVerdict:
    """Judge a case by the rules.

    Nothing is dropped silently: every reason, speck and filled cavity is in the verdict.
    """
    gland, measurements = clean_thyroid(case.thyroid_mask, rules)
    measurements = replace(measurements, trachea_ml=case.trachea_mask.volume_ml)
    reasons: list[str] = []
    notes = list(case.notes)
    surface = None
    if measurements.trachea_ml < rules.min_trachea_ml:
        reasons.append(TRACHEA_MISSING)
        if measurements.trachea_ml > 0:
            notes.append(f"only {measurements.trachea_ml:.3f} mL of trachea")
    if gland.is_empty:
        reasons.append(EMPTY_THYROID)
    else:
        surface = surface_from_mask(gland.volume)
        found, remarks = _judge(measurements, surface, rules, gland.volume.voxel_volume_ml)
        reasons += found
        notes += remarks
    ordered = tuple(reason for reason in REASONS if reason in reasons)
    return QualityVerdict(not ordered, ordered, tuple(notes), measurements, cleaned=gland.volume, surface_ras=surface)


def overrule(verdict: QualityVerdict, accept: bool) -> QualityVerdict:
    """Apply a user's decision; its reasons stay on record.

    A case without a gland or without a trachea stays refused, and a note says so.
    """
    if accept == verdict.accepted:
        return verdict
    if accept and not verdict.can_be_accepted:
        note = "the user accepted it, but without a gland and a trachea there is nothing to learn from"
        return replace(verdict, notes=(*verdict.notes, note))
    return replace(verdict, accepted=accept, overruled=f"{'accepted' if accept else 'refused'} by the user")


def clean_thyroid(mask: Mask, rules: QualityRules) -> tuple[Mask, QualityMeasurements]:
    """Drop specks and fill cavities.

    Voxels hold together across faces, edges and corners, and cavities are therefore what the outside
    does not reach across faces: the pair that leaves no contradiction on a grid.

    Returns
    -------
    Mask
        The cleaned gland.
    QualityMeasurements
        All but the trachea's.
    """
    from scipy import ndimage

    if mask.is_empty:
        return mask, QualityMeasurements()
    array = mask.volume.array != 0
    label, count = ndimage.label(array, structure=np.ones((3, 3, 3)))
    voxel_ml = mask.volume.voxel_volume_ml
    voxels = np.bincount(label.ravel(), minlength=count + 1)[1:]
    specks = (voxels < rules.speck_share * voxels.sum()) & (voxels * voxel_ml < rules.speck_ml)
    if specks.any():
        array = np.concatenate([[False], ~specks])[label]
    filled = ndimage.binary_fill_holes(array)
    kept = mask_in_scan(Volume(filled, mask.volume.ijk_to_ras), first=mask.first, scan_shape=mask.scan_shape)
    return kept, QualityMeasurements(
        volume_ml=kept.volume_ml,
        components=int(count - specks.sum()),
        specks_dropped=int(specks.sum()),
        speck_voxels=int(voxels[specks].sum()),
        hole_voxels=int(filled.sum() - array.sum()),
        border_distance_voxels=kept.border_distance_voxels,
    )


def _judge(
    found: QualityMeasurements, surface: Surface, rules: QualityRules, voxel_ml: float
) -> tuple[list[str], list[str]]:
    reasons, notes = [], []
    if found.border_distance_voxels < rules.border_margin_voxels:
        reasons.append(CUT_BY_BORDER)
        notes.append(f"{found.border_distance_voxels} voxels from the scan's border")
    if found.specks_dropped:
        notes.append(f"{found.specks_dropped} specks of together {found.speck_voxels} voxels dropped")
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
