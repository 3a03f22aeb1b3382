"""Quality control: reasons to refuse a case, islands, cavities, and manual decisions."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from support.mask_files import affine, two_masks
from support.reported_cases import synthetic_case
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.dataset.case_sources import find_cases
from ThyroidSynthLib.dataset.cases import case_from_volumes, read_case
from ThyroidSynthLib.dataset.quality import (
    REASONS,
    CheckedCase,
    QualityRules,
    QualityVerdict,
    apply_manual_decision,
    check_case,
)
from ThyroidSynthLib.geometry.volume import Volume

REAL_CASE = Path(__file__).resolve().parents[2] / "Data" / "totalsegmentator_s0327"
GLAND, TRACHEA = two_masks()
SPACING = affine()
RULES = QualityRules()


def _verdict(thyroid: np.ndarray, trachea: np.ndarray = TRACHEA, rules: QualityRules = RULES) -> CheckedCase:
    return check_case(case_from_volumes("c", Volume(thyroid, SPACING), Volume(trachea, SPACING)), rules)


def _ball(center: tuple[int, int, int], radius: float) -> np.ndarray:
    k, j, i = np.ogrid[tuple(slice(0, n) for n in GLAND.shape)]
    return ((k - center[0]) ** 2 + (j - center[1]) ** 2 + (i - center[2]) ** 2 <= radius**2).astype(np.uint8)


def test_a_valid_thyroid_is_accepted_and_measured():
    verdict = _verdict(GLAND)
    assert verdict.accepted and verdict.reasons == () and verdict.notes == ()
    assert verdict.measurements.volume_ml == pytest.approx(GLAND.sum() * 1.5**3 / 1000)
    assert verdict.measurements.components == 1
    assert verdict.surface_ras.is_closed()


def test_two_separate_lobes_and_a_single_lobe_are_normal():
    middle = GLAND.shape[2] // 2
    lobes = GLAND.copy()
    lobes[:, :, middle - 2 : middle + 3] = 0
    assert _verdict(lobes).accepted and _verdict(lobes).measurements.components == 2
    lobes[:, :, middle:] = 0
    assert _verdict(lobes).accepted and _verdict(lobes).measurements.components == 1


def test_each_defect_gives_its_own_reason():
    thick = GLAND | _ball((20, 18, 32), 8.0) & (1 - TRACHEA)
    cavity = thick * (1 - _ball((20, 18, 33), 4.0))
    pieces = GLAND | _ball((5, 5, 5), 3) | _ball((34, 5, 38), 3) | _ball((34, 30, 5), 3)
    cut = GLAND[10:]
    planted = {
        "empty thyroid": (GLAND * 0, TRACHEA),
        "trachea missing": (GLAND, TRACHEA * 0),
        "cut by the scan's border": (cut, TRACHEA[10:]),
        "too many components": (pieces, TRACHEA),
        "holes": (cavity, TRACHEA),
        "implausible volume": (_ball((20, 10, 20), 3), TRACHEA),
    }
    for reason, (thyroid, trachea) in planted.items():
        verdict = _verdict(thyroid, trachea)
        assert verdict.reasons == (reason,), reason
        assert not verdict.accepted
        assert reason in REASONS


def test_one_mask_given_as_thyroid_and_trachea_is_refused():
    for mask in (GLAND, TRACHEA):
        verdict = _verdict(mask, mask, QualityRules(border_margin_voxels=0))
        assert verdict.reasons == ("thyroid and trachea overlap",)
        assert any("100% of the thyroid is also labelled as trachea" in note for note in verdict.notes)


def test_a_thyroid_and_a_trachea_that_share_a_border_layer_are_accepted():
    grown = TRACHEA | np.roll(TRACHEA, 1, axis=2) | np.roll(TRACHEA, -1, axis=2)
    assert 0 < (grown & GLAND).sum() < 0.5 * GLAND.sum()
    assert _verdict(GLAND, grown).accepted


def test_the_same_mask_on_two_grids_is_refused():
    moved = SPACING.copy()
    moved[:3, 3] = SPACING[:3, :3] @ [0, 0, 3] + SPACING[:3, 3]
    cut = GLAND[3:]
    verdict = check_case(case_from_volumes("c", Volume(GLAND, SPACING), Volume(cut, moved)))
    assert verdict.reasons == ("thyroid and trachea overlap",)


def test_a_slab_of_trachea_far_below_the_gland_is_refused():
    gland, trachea = np.roll(_in_long_scan(GLAND), 60, axis=0), _in_long_scan(TRACHEA)
    trachea[8:] = 0
    verdict = check_case(case_from_volumes("c", Volume(gland, SPACING), Volume(trachea, SPACING)))
    assert verdict.reasons == ("trachea too short", "trachea away from the thyroid")
    # The trachea ends at slice 7 and the gland begins at slice 70, beside it by a few millimetres.
    assert "the trachea ends 95 mm from the thyroid" in verdict.notes
    assert "only 9 mm of trachea; at least 20 mm are needed" in verdict.notes
    with pytest.raises(InputError, match=r"ends 95 mm from the thyroid.*Segment the trachea at the height"):
        verdict.placement("upright")


@pytest.mark.parametrize("number", [0, 1])
def test_thyroid_and_trachea_that_were_exchanged_are_refused(number: int):
    own = synthetic_case(number)
    thyroid, trachea = Volume(own.thyroid, own.ras), Volume(own.trachea, own.ras)
    assert check_case(case_from_volumes("right", thyroid, trachea)).accepted

    exchanged = check_case(case_from_volumes("exchanged", trachea, thyroid))

    assert "implausible trachea" in exchanged.reasons and "may be exchanged" in exchanged.notes[-1]
    with pytest.raises(InputError, match="both may be exchanged"):
        exchanged.placement("upright")


def test_an_open_surface_is_a_reason(monkeypatch):
    from ThyroidSynthLib.dataset import quality
    from ThyroidSynthLib.geometry.isosurface import surface_from_mask
    from ThyroidSynthLib.geometry.surface import Surface

    def torn(mask):
        whole = surface_from_mask(mask)
        return Surface(whole.vertices, whole.faces[1:])

    monkeypatch.setattr(quality, "surface_from_mask", torn)
    assert _verdict(GLAND).reasons == ("not watertight",)


def test_all_reasons_are_reported():
    thyroid = np.zeros_like(GLAND)
    thyroid[0, 0, 0] = 1
    assert _verdict(thyroid, TRACHEA * 0).reasons == (
        "trachea missing",
        "cut by the scan's border",
        "only one slice",
        "implausible volume",
    )


def _in_long_scan(mask: np.ndarray) -> np.ndarray:
    """Return a mask in a scan that reaches 150 mm further up."""
    return np.pad(mask, ((0, 100), (0, 0), (0, 0)))


def _box(volume_ml: float, k: int) -> np.ndarray:
    """Return the mask of a compact island of this volume in slice `k` of the long scan."""
    voxels = round(volume_ml * 1000 / 1.5**3)
    island = np.zeros_like(_in_long_scan(GLAND))
    side = int(np.ceil(voxels ** (1 / 3)))
    kji = np.argwhere(np.ones((side, side, side)))[:voxels] + np.array([k, 2, 2])
    island[tuple(kji.T)] = 1
    return island


def test_an_island_far_from_the_gland_is_removed_and_reported():
    clean = check_case(
        case_from_volumes("c", Volume(_in_long_scan(GLAND), SPACING), Volume(_in_long_scan(TRACHEA), SPACING))
    )
    verdict = check_case(
        case_from_volumes(
            "c", Volume(_in_long_scan(GLAND) | _box(0.15, 125), SPACING), Volume(_in_long_scan(TRACHEA), SPACING)
        )
    )
    found = verdict.measurements
    assert verdict.accepted and verdict.reasons == ()
    assert (found.components, found.islands_removed, found.island_voxels) == (1, 1, 44)
    assert found.islands_ml == pytest.approx(0.1485)
    assert verdict.notes == ("1 island of the thyroid removed (0.15 mL, 44 voxels, 144 mm away)",)
    assert found.islands_mm == pytest.approx(144, abs=0.5)
    np.testing.assert_array_equal(verdict.surface_ras.vertices, clean.surface_ras.vertices)


def test_an_island_of_the_trachea_is_removed_and_does_not_move_the_trachea_frame():
    gland, trachea = _in_long_scan(GLAND), _in_long_scan(TRACHEA)
    clean = case_from_volumes("c", Volume(gland, SPACING), Volume(trachea, SPACING))
    detached = case_from_volumes("c", Volume(gland, SPACING), Volume(trachea | _box(0.5, 125), SPACING))
    verdict = check_case(detached)
    assert verdict.accepted
    assert verdict.measurements.trachea_islands_removed == 1
    assert verdict.measurements.trachea_islands_ml == pytest.approx(0.5, abs=0.002)
    assert verdict.measurements.trachea_ml == pytest.approx(clean.trachea_mask.volume_ml)
    assert verdict.notes == ("1 island of the trachea removed (0.5 mL, 148 voxels, 134 mm away)",)
    np.testing.assert_allclose(verdict.cleaned.placement().origin_ras, clean.placement().origin_ras)
    assert np.abs(detached.placement().origin_ras - clean.placement().origin_ras).max() > 5


@pytest.mark.parametrize(("radius", "from_middle_mm"), [(6.0, 36.0), (3.0, 24.0)])
def test_a_second_lobe_beside_the_trachea_is_kept_large_or_small(radius: float, from_middle_mm: float):
    """Two lobes 30 mm apart, and the remnant of a hemithyroidectomy of 0.4 mL opposite a whole lobe."""
    wide = np.pad(GLAND, ((0, 0), (0, 0), (0, 20)))
    wide[:, :, 20:] = 0
    centre = 22 + round(from_middle_mm / 1.5)
    k, j, i = np.ogrid[tuple(slice(0, n) for n in wide.shape)]
    lobe = (k - 20) ** 2 + (j - 15) ** 2 + (i - centre) ** 2 <= radius**2
    trachea = np.pad(TRACHEA, ((0, 0), (0, 0), (0, 20)))
    verdict = check_case(case_from_volumes("c", Volume(wide | lobe, SPACING), Volume(trachea, SPACING)))
    assert verdict.accepted and verdict.measurements.components == 2
    assert verdict.measurements.islands_removed == 0
    assert verdict.cleaned.thyroid.array.sum() == (wide | lobe).sum()


def test_tiny_islands_are_removed_and_counted_even_at_the_border():
    with_islands = GLAND.copy()
    with_islands[0, 0, 0] = with_islands[39, 35, 10:12] = 1
    verdict = _verdict(with_islands)
    assert verdict.accepted
    assert (verdict.measurements.islands_removed, verdict.measurements.island_voxels) == (2, 3)
    assert verdict.cleaned.thyroid.array.sum() == GLAND.sum()
    assert any("2 islands of the thyroid removed" in note for note in verdict.notes)


def test_a_considerable_part_of_a_small_thyroid_is_no_island():
    small = _ball((20, 10, 12), 3) | _ball((20, 10, 32), 4)
    small[30, 10, 20:24] = 1
    verdict = _verdict(small)
    assert verdict.measurements.islands_removed == 0
    assert "too many components" in verdict.reasons


def test_cavities_are_judged_by_their_share_of_the_volume():
    """One voxel of 3 mm is filled and no reason, and neither is a large share of a fraction of a mL."""
    coarse = affine(spacing_mm=(3.0, 3.0, 3.0))
    gland, trachea = GLAND[::2, ::2, ::2].copy(), TRACHEA[::2, ::2, ::2]
    whole = gland.sum()
    gland[10, 9, 16] = 0
    assert whole - gland.sum() == 1
    verdict = check_case(case_from_volumes("c", Volume(gland, coarse), Volume(trachea, coarse)))
    assert verdict.accepted and verdict.measurements.hole_voxels == 1
    assert verdict.measurements.hole_ml == pytest.approx(0.027)
    assert verdict.notes == ("cavities of 1 voxel filled (0.027 mL, 0.3%)",)
    assert verdict.cleaned.thyroid.array.sum() == whole
    hollow = GLAND * (1 - _ball((20, 18, 32), 2.0))
    verdict = _verdict(hollow)
    assert verdict.accepted and verdict.measurements.hole_ml > 0.1


def test_a_cut_gland_says_once_that_it_is_cut():
    assert _verdict(GLAND[10:], TRACHEA[10:]).notes == ()
    strict = _verdict(GLAND[9:], TRACHEA[9:], QualityRules(border_margin_voxels=3))
    assert strict.notes == ("1 of 3 voxels from the scan's border",)


def test_the_border_margin_can_be_changed():
    assert _verdict(GLAND[9:]).measurements.border_distance_voxels == 1
    assert _verdict(GLAND[9:], TRACHEA[9:]).accepted
    assert not _verdict(GLAND[9:], TRACHEA[9:], QualityRules(border_margin_voxels=3)).accepted


def test_a_manual_decision_keeps_the_reasons():
    refused = _verdict(GLAND[10:], TRACHEA[10:])
    included = apply_manual_decision(refused, include=True)
    assert included.accepted and included.manual_decision == "included"
    assert included.reasons == ("cut by the scan's border",)
    excluded = apply_manual_decision(_verdict(GLAND), include=False)
    assert not excluded.accepted and excluded.manual_decision == "excluded"
    assert apply_manual_decision(refused, include=False) == refused


def test_a_case_without_a_trachea_cannot_be_included():
    verdict = apply_manual_decision(_verdict(GLAND, TRACHEA * 0), include=True)
    assert not verdict.accepted and verdict.manual_decision == ""
    assert "cannot be included manually" in verdict.notes[-1]


def test_a_verdict_is_restored_from_json():
    verdict = apply_manual_decision(_verdict(GLAND[10:], TRACHEA[10:]).verdict(), include=True)
    assert QualityVerdict.from_json(json.loads(json.dumps(asdict(verdict)))) == verdict


def test_the_real_case_is_cut_by_the_scan_but_has_a_surface():
    verdict = check_case(read_case(find_cases(REAL_CASE)[0]))
    assert verdict.reasons == ("cut by the scan's border",)
    assert verdict.surface_ras.volume / 1000 == pytest.approx(38.36, rel=0.01)
    assert verdict.can_be_included
