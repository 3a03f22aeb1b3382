from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mask_files import affine, two_masks
from ThyroidSynthLib.anatomy.cases import case_from_volumes, find_cases, read_case
from ThyroidSynthLib.anatomy.quality import REASONS, QualityRules, QualityVerdict, check_case, overrule
from ThyroidSynthLib.anatomy.volume import Volume

REAL_CASE = Path(__file__).resolve().parents[2] / "Data" / "totalsegmentator_s0327"
GLAND, TRACHEA = two_masks()
SPACING = affine()
RULES = QualityRules()


def _verdict(thyroid: np.ndarray, trachea: np.ndarray = TRACHEA, rules: QualityRules = RULES) -> QualityVerdict:
    return check_case(case_from_volumes("c", Volume(thyroid, SPACING), Volume(trachea, SPACING)), rules)


def _ball(center: tuple[int, int, int], radius: float) -> np.ndarray:
    k, j, i = np.ogrid[tuple(slice(0, n) for n in GLAND.shape)]
    return ((k - center[0]) ** 2 + (j - center[1]) ** 2 + (i - center[2]) ** 2 <= radius**2).astype(np.uint8)


def test_a_sound_gland_is_accepted_and_measured():
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
    cavity = GLAND * (1 - _ball((20, 18, 32), 2.0))
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


def test_a_surface_that_does_not_close_is_a_reason(monkeypatch):
    from ThyroidSynthLib.anatomy import quality
    from ThyroidSynthLib.anatomy.surface import Surface, surface_from_mask

    def torn(mask):
        whole = surface_from_mask(mask)
        return Surface(whole.vertices, whole.faces[1:])

    monkeypatch.setattr(quality, "surface_from_mask", torn)
    assert _verdict(GLAND).reasons == ("not watertight",)


def test_several_reasons_are_all_given():
    thyroid = np.zeros_like(GLAND)
    thyroid[0, 0, 0] = 1
    assert _verdict(thyroid, TRACHEA * 0).reasons == (
        "trachea missing",
        "cut by the scan's border",
        "implausible volume",
    )


def test_specks_are_dropped_and_counted_even_at_the_border():
    specked = GLAND.copy()
    specked[0, 0, 0] = specked[39, 35, 10:12] = 1
    verdict = _verdict(specked)
    assert verdict.accepted
    assert (verdict.measurements.specks_dropped, verdict.measurements.speck_voxels) == (2, 3)
    assert verdict.cleaned.array.sum() == GLAND.sum()
    assert any("specks" in note for note in verdict.notes)


def test_a_piece_that_is_a_fair_share_of_a_small_gland_is_no_speck():
    small = _ball((20, 10, 12), 3) | _ball((20, 10, 32), 4)
    small[30, 10, 20:24] = 1
    verdict = _verdict(small)
    assert verdict.measurements.specks_dropped == 0
    assert "too many components" in verdict.reasons


def test_tiny_cavities_are_filled_and_counted_and_do_not_refuse():
    cavity = GLAND.copy()
    cavity[20, 18, 32] = 0
    verdict = _verdict(cavity)
    assert verdict.accepted and verdict.measurements.hole_voxels == 1
    assert verdict.cleaned.array.sum() == GLAND.sum()


def test_the_border_margin_is_a_rule():
    assert _verdict(GLAND[9:]).measurements.border_distance_voxels == 1
    assert _verdict(GLAND[9:], TRACHEA[9:]).accepted
    assert not _verdict(GLAND[9:], TRACHEA[9:], QualityRules(border_margin_voxels=3)).accepted


def test_a_user_can_overrule_but_the_reasons_stay():
    refused = _verdict(GLAND[10:], TRACHEA[10:])
    accepted = overrule(refused, accept=True)
    assert accepted.accepted and accepted.overruled == "accepted by the user"
    assert accepted.reasons == ("cut by the scan's border",)
    rejected = overrule(_verdict(GLAND), accept=False)
    assert not rejected.accepted and rejected.overruled == "refused by the user"
    assert overrule(refused, accept=False) == refused


def test_nothing_to_learn_from_cannot_be_accepted():
    verdict = overrule(_verdict(GLAND, TRACHEA * 0), accept=True)
    assert not verdict.accepted and verdict.overruled == ""
    assert "nothing to learn from" in verdict.notes[-1]


def test_a_verdict_comes_back_from_json():
    verdict = overrule(_verdict(GLAND[10:], TRACHEA[10:]), accept=True)
    back = QualityVerdict.from_json(verdict.to_json())
    assert back.to_json() == verdict.to_json() and back.measurements == verdict.measurements


def test_the_real_case_is_refused_because_the_scan_cuts_it_yet_has_a_surface():
    verdict = check_case(read_case(find_cases(REAL_CASE)[0]))
    assert verdict.reasons == ("cut by the scan's border",)
    assert verdict.surface_ras.volume / 1000 == pytest.approx(38.36, rel=0.01)
    assert verdict.can_be_accepted
