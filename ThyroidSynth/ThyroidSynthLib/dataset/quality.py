"""Quality control: clean a case, and accept it or refuse it with reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.masks import Mask, mask_in_scan

from .cases import Case
from .islands import (
    LARGEST_ML,
    THYROID_COMPONENTS,
    TRACHEA_COMPONENTS,
    ComponentRules,
    Components,
    both_without_islands,
)
from .structure_checks import (
    SAME_VOXELS,
    TRACHEA_AWAY,
    TRACHEA_IMPLAUSIBLE,
    TRACHEA_INSIDE,
    TRACHEA_MISSING,
    TRACHEA_SHORT,
    Finding,
    TracheaMeasurements,
    TracheaRules,
    check_placement,
    check_position,
    check_trachea,
    placement_faults,
    sampling_notes,
)

EMPTY_THYROID = "empty thyroid"
CUT_BY_BORDER = "cut by the scan's border"
TOO_MANY_COMPONENTS = "too many components"
COMPONENTS_APART = "components far apart"
HOLES = "holes"
NOT_WATERTIGHT = "not watertight"
ONE_SLICE = "only one slice"
IMPLAUSIBLE_VOLUME = "implausible volume"

REASONS = (
    EMPTY_THYROID,
    TRACHEA_MISSING,
    CUT_BY_BORDER,
    TOO_MANY_COMPONENTS,
    COMPONENTS_APART,
    HOLES,
    NOT_WATERTIGHT,
    ONE_SLICE,
    IMPLAUSIBLE_VOLUME,
    SAME_VOXELS,
    TRACHEA_INSIDE,
    TRACHEA_SHORT,
    TRACHEA_IMPLAUSIBLE,
    TRACHEA_AWAY,
)
"""Reasons to refuse a case. A verdict holds any number of them."""


# Reasons that also concern where the thyroid is, or where another one would be placed.
_OF_THE_PLACE = (
    COMPONENTS_APART,
    TRACHEA_MISSING,
    SAME_VOXELS,
    TRACHEA_INSIDE,
    TRACHEA_SHORT,
    TRACHEA_IMPLAUSIBLE,
    TRACHEA_AWAY,
)


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
    max_hole_ml, max_hole_share : float
        Cavities are filled. They are a reason to refuse if their total volume is above both limits, in mL and as a
        share of the thyroid: one voxel of 3 mm has 0.027 mL.
    min_volume_ml, max_volume_ml : float
        Plausible volume of a thyroid. The smallest complete one among 102 cases of the TotalSegmentator
        dataset has 0.7 mL, the largest 63 mL; goitres are larger.
    trachea : TracheaRules
        Limits of a plausible trachea, also of its position.
    """

    border_margin_voxels: int = 1
    max_components: int = 2
    thyroid_components: ComponentRules = THYROID_COMPONENTS
    trachea_components: ComponentRules = TRACHEA_COMPONENTS
    max_hole_ml: float = 0.1
    max_hole_share: float = 0.05
    min_volume_ml: float = 0.5
    max_volume_ml: float = 200.0
    trachea: TracheaRules = field(default_factory=TracheaRules)


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
    islands_ml, islands_mm : float
        Volume of the islands, and distance of the farthest one to the thyroid.
    hole_voxels : int
        Number of voxels of cavities.
    hole_ml : float
        Volume of the cavities.
    border_distance_voxels : int
        Number of voxel layers between the cleaned thyroid and the scan's border; 0 if they touch.
    trachea_length_mm, trachea_area_mm2 : float
        Craniocaudal length of the trachea, and median area of its horizontal sections.
    trachea_islands_removed, trachea_island_voxels, trachea_islands_ml, trachea_islands_mm
        The same of the trachea as of the thyroid.
    """

    volume_ml: float = 0.0
    components: int = 0
    islands_removed: int = 0
    island_voxels: int = 0
    islands_ml: float = 0.0
    islands_mm: float = 0.0
    hole_voxels: int = 0
    hole_ml: float = 0.0
    border_distance_voxels: int = 0
    trachea_ml: float = 0.0
    trachea_length_mm: float = 0.0
    trachea_area_mm2: float = 0.0
    trachea_islands_removed: int = 0
    trachea_island_voxels: int = 0
    trachea_islands_ml: float = 0.0
    trachea_islands_mm: float = 0.0


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
        """Whether it may be included manually: it needs a thyroid and a trachea of possible size."""
        if max(self.measurements.volume_ml, self.measurements.trachea_ml) > LARGEST_ML:
            return False
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
    trachea : TracheaMeasurements
        Measurements of the cleaned trachea.
    placement_faults : tuple of str
        Why the trachea does not show where the thyroid belongs; empty if it does.
    placement_notes : tuple of str
        Those of the notes that concern the place of the thyroid: islands, and faults of the trachea.
    """

    cleaned: Case
    without_islands: Mask
    surface_ras: Surface | None
    trachea: TracheaMeasurements
    placement_faults: tuple[str, ...] = ()
    placement_notes: tuple[str, ...] = ()

    def placement(self, alignment: str) -> Placement:
        """Return the trachea frame of the cleaned case.

        `InputError` if there is no trachea at the thyroid, or no thyroid although the alignment needs one.
        """
        check_placement(self.placement_faults, f"case {self.cleaned.id}", label=self.cleaned.trachea_source)
        return self.cleaned.placement(alignment)

    def verdict(self) -> QualityVerdict:
        """Return the verdict alone, without masks and surface."""
        return QualityVerdict(self.accepted, self.reasons, self.notes, self.measurements, self.manual_decision)


def check_case(case: Case, rules: QualityRules = QualityRules()) -> CheckedCase:
    """Check a case by the rules.

    Nothing is dropped silently: every reason, island and filled cavity is in the verdict.
    """
    (thyroid, in_thyroid), (trachea, in_trachea) = both_without_islands(
        case.thyroid_mask, case.trachea_mask, rules.thyroid_components, rules.trachea_components
    )
    examined = thyroid.volume_ml <= LARGEST_ML
    filled = _with_cavities_filled(thyroid) if examined else thyroid
    hole_voxels = int(np.count_nonzero(filled.volume.array) - np.count_nonzero(thyroid.volume.array))
    tube = TracheaMeasurements.of(trachea)
    measurements = QualityMeasurements(
        volume_ml=filled.volume_ml,
        components=in_thyroid.kept,
        islands_removed=in_thyroid.islands,
        island_voxels=in_thyroid.island_voxels,
        islands_ml=in_thyroid.islands_ml,
        islands_mm=in_thyroid.islands_mm,
        hole_voxels=hole_voxels,
        hole_ml=hole_voxels * thyroid.volume.voxel_volume_ml,
        border_distance_voxels=filled.border_distance_voxels,
        trachea_ml=tube.volume_ml,
        trachea_length_mm=tube.length_mm,
        trachea_area_mm2=tube.area_mm2,
        trachea_islands_removed=in_trachea.islands,
        trachea_island_voxels=in_trachea.island_voxels,
        trachea_islands_ml=in_trachea.islands_ml,
        trachea_islands_mm=in_trachea.islands_mm,
    )
    surface = None
    findings = check_trachea(tube, rules.trachea)
    for name, components, limits in (
        ("thyroid", in_thyroid, rules.thyroid_components),
        ("trachea", in_trachea, rules.trachea_components),
    ):
        findings += _check_components(name, components, limits)
    if thyroid.is_empty:
        findings.append((EMPTY_THYROID, ""))
    elif not examined:
        note = f"{thyroid.volume_ml:.0f} mL cannot be a thyroid, so that nothing else was examined"
        findings.append((IMPLAUSIBLE_VOLUME, note))
    else:
        surface = surface_from_mask(filled.volume)
        findings += _check_thyroid(measurements, surface, filled.volume, rules)
        if not trachea.is_empty and trachea.volume_ml <= LARGEST_ML:
            findings += check_position(thyroid.volume, trachea.volume, rules.trachea)
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
        trachea=tube,
        placement_faults=placement_faults(findings),
        placement_notes=(*islands, *_notes_on_place(findings)),
    )


def apply_manual_decision(verdict: QualityVerdict, *, include: bool) -> QualityVerdict:
    """Include or exclude a case manually; the reasons of the rules stay in the verdict.

    A case without a thyroid or a trachea stays refused, and a note says so.
    """
    if include == verdict.accepted:
        return verdict
    if include and not verdict.can_be_included:
        note = "it cannot be included manually, because it has no thyroid or no trachea of possible size"
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
    where = "" if components.islands == 1 else "up to "
    return (
        f"{islands} of the {structure} removed ({components.islands_ml:.2g} mL, {voxels}, "
        f"{where}{components.islands_mm:.0f} mm away)",
    )


def _notes_on_place(findings: Sequence[Finding]) -> Iterator[str]:
    for reason, note in findings:
        if reason == CUT_BY_BORDER:
            yield "the thyroid is cut by the scan's border, so its centre is uncertain"
        elif reason in _OF_THE_PLACE:
            yield note or reason


def _with_cavities_filled(mask: Mask) -> Mask:
    """Return a mask with its cavities filled.

    As components are connected across faces, edges and corners, the background is connected across faces
    only: other pairs are contradictory on a grid.
    """
    from scipy import ndimage

    return mask_in_scan(Volume(ndimage.binary_fill_holes(mask.volume.array), mask.volume.ijk_to_ras), mask.scan)


def _check_components(structure: str, found: Components, rules: ComponentRules) -> list[Finding]:
    findings = []
    if found.apart_mm > 0:
        note = (
            f"a component of the {structure} of {found.apart_ml:.2g} mL lies {found.apart_mm:.0f} mm from the main one"
        )
        findings.append((COMPONENTS_APART, note))
    if found.small_share > rules.far_share:
        note = f"the islands of the {structure} have {found.small_share:.0%} of the volume of the rest"
        findings.append((TOO_MANY_COMPONENTS, note))
    return findings


def _check_thyroid(
    measured: QualityMeasurements, surface: Surface, thyroid: Volume, rules: QualityRules
) -> list[Finding]:
    findings = [("", note) for note in sampling_notes(thyroid)]
    if min(thyroid.array.shape) == 1:
        findings.append((ONE_SLICE, ""))
    if measured.border_distance_voxels < rules.border_margin_voxels:
        note = f"{measured.border_distance_voxels} of {rules.border_margin_voxels} voxels from the scan's border"
        findings.append((CUT_BY_BORDER, note if measured.border_distance_voxels else ""))
    if measured.components > rules.max_components:
        findings.append((TOO_MANY_COMPONENTS, f"{measured.components} components"))
    if measured.hole_voxels:
        share = measured.hole_ml / measured.volume_ml
        reason = HOLES if measured.hole_ml > rules.max_hole_ml and share > rules.max_hole_share else ""
        voxels = f"{measured.hole_voxels} voxel{'s' if measured.hole_voxels > 1 else ''}"
        findings.append((reason, f"cavities of {voxels} filled ({measured.hole_ml:.2g} mL, {share:.1%})"))
    if not surface.is_closed():
        findings.append((NOT_WATERTIGHT, ""))
    if not rules.min_volume_ml <= measured.volume_ml <= rules.max_volume_ml:
        findings.append((IMPLAUSIBLE_VOLUME, f"{measured.volume_ml:.2f} mL"))
    return findings
