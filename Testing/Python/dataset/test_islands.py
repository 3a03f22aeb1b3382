"""Islands of thyroid and trachea: which component is the main one, what is removed, and what makes a case doubtful."""

from __future__ import annotations

import numpy as np
import pytest

from support.mask_files import affine, two_masks
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.dataset import islands
from ThyroidSynthLib.dataset.cases import case_from_volumes
from ThyroidSynthLib.dataset.quality import CheckedCase, check_case
from ThyroidSynthLib.dataset.structure_checks import structures_for_placing
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.masks import mask_in_scan

SPACING_MM = 1.5
SPACE = affine()
GLAND, TRACHEA = (np.pad(mask, ((40, 80), (10, 20), (30, 30))) for mask in two_masks())
# The trachea reaches from 60 mm below the gland to its upper end.
TRACHEA[2:44] = TRACHEA[60]
K, J, COLUMN = np.ogrid[tuple(slice(0, n) for n in GLAND.shape)]
GLAND_ML = GLAND.sum() * SPACING_MM**3 / 1000
# Slice, row and column of the gland's centre.
CENTRE = (60, 28, 52)


def ball(centre: tuple[int, int, int], volume_ml: float) -> np.ndarray:
    radius = (volume_ml * 1000 / SPACING_MM**3 * 3 / (4 * np.pi)) ** (1 / 3)
    inside = (K - centre[0]) ** 2 + (J - centre[1]) ** 2 + (COLUMN - centre[2]) ** 2 <= radius**2
    return inside.astype(np.uint8)


def checked(thyroid: np.ndarray, trachea: np.ndarray = TRACHEA) -> CheckedCase:
    return check_case(case_from_volumes("c", Volume(thyroid, SPACE), Volume(trachea, SPACE)))


def voxels(verdict: CheckedCase) -> int:
    return int(verdict.cleaned.thyroid.array.sum())


def test_the_base_case_is_accepted_as_it_is():
    verdict = checked(GLAND)
    assert verdict.accepted and verdict.notes == () and voxels(verdict) == GLAND.sum()


@pytest.mark.parametrize("volume_ml", [0.15, 0.6, 3.0, 15.0, 40.0])
def test_a_component_far_from_gland_and_trachea_is_removed_whatever_its_size(volume_ml: float):
    """A large one refuses the case, as it may be thyroid too; what is measured is the gland."""
    island = ball((122, 33, 52), volume_ml)
    verdict = checked(GLAND | island)
    assert voxels(verdict) == GLAND.sum()
    small = volume_ml < 0.08 * GLAND_ML
    assert verdict.reasons == (() if small else ("components far apart",))
    assert verdict.measurements.islands_removed == 1
    assert verdict.measurements.islands_ml == pytest.approx(island.sum() * SPACING_MM**3 / 1000)
    assert any(note.startswith("1 island of the thyroid removed") for note in verdict.notes)
    if not small:
        assert any("a component of the thyroid of" in note and "from the main one" in note for note in verdict.notes)


def test_islands_in_the_corners_of_a_large_scan_are_found_voxel_by_voxel(monkeypatch):
    thyroid, trachea = GLAND.copy(), TRACHEA.copy()
    for mask in (thyroid, trachea):
        mask[0, 0, 0] = mask[-1, -1, -2:] = mask[-1, 0, 0] = mask[-2, 1, 1] = 1
    dense = checked(thyroid, trachea)
    assert (dense.measurements.islands_removed, dense.measurements.island_voxels) == (3, 5)
    monkeypatch.setattr(islands, "_MAX_DENSE_VOXELS", 1)
    monkeypatch.setattr(islands, "_MAX_SPARSE_SHARE", 1.0)
    sparse = checked(thyroid, trachea)
    assert sparse.measurements == dense.measurements and sparse.notes == dense.notes
    np.testing.assert_array_equal(sparse.cleaned.thyroid.array, dense.cleaned.thyroid.array)
    np.testing.assert_array_equal(sparse.cleaned.thyroid.ijk_to_ras, dense.cleaned.thyroid.ijk_to_ras)


def test_an_island_larger_than_the_gland_near_a_piece_of_false_trachea_is_not_the_gland():
    tube = TRACHEA | ball((122, 33, 70), 1.0)
    verdict = checked(GLAND | ball((122, 33, 52), 12.0), tube)
    assert voxels(verdict) == GLAND.sum()
    assert verdict.cleaned.trachea.array.sum() == TRACHEA.sum()


def test_parts_of_a_gland_are_kept():
    middle = GLAND.copy()
    middle[:, :, 50:55] = 0
    remnant = middle.copy()
    remnant[:, :, 55:] = 0
    remnant |= ball((60, 28, 64), 0.2)
    pyramidal = GLAND | ball((78, 22, 52), 0.5)
    corner = GLAND.copy()
    k, j, i = np.argwhere(GLAND).max(axis=0)[0], *np.argwhere(GLAND[np.argwhere(GLAND).max(axis=0)[0]])[0]
    corner[k + 1, j - 1, i - 1] = 1
    for name, gland, components in (
        ("lobes", middle, 2),
        ("lobe and remnant", remnant, 2),
        ("pyramidal lobe", pyramidal, 2),
        ("corner", corner, 1),
    ):
        verdict = checked(gland)
        assert verdict.accepted, (name, verdict.reasons, verdict.notes)
        assert verdict.measurements.components == components, name
        assert voxels(verdict) == gland.sum(), name


def test_a_part_of_a_goitre_at_the_trachea_below_is_kept_and_a_small_island_there_is_not():
    goitre = GLAND | ball((30, 30, 62), 3.0)
    verdict = checked(goitre)
    assert verdict.accepted and voxels(verdict) == goitre.sum()
    verdict = checked(GLAND | ball((30, 30, 59), 0.3))
    assert verdict.accepted and voxels(verdict) == GLAND.sum()


def test_an_island_at_the_other_end_of_the_trachea():
    for volume_ml, reasons in ((0.3, ()), (3.0, ("components far apart",))):
        verdict = checked(GLAND | ball((10, 30, 61), volume_ml))
        assert verdict.reasons == reasons


def test_an_ectopic_gland_above_is_not_mixed_with_a_remnant():
    remnant = GLAND.copy()
    remnant[:, :, 45:] = 0
    verdict = checked(remnant | ball((122, 25, 52), 6.0))
    assert verdict.reasons == ("components far apart",) and voxels(verdict) == remnant.sum()
    alone = checked(ball((122, 25, 52), 6.0))
    assert alone.reasons == ("trachea away from the thyroid",)


def test_a_mass_beside_the_neck_is_no_second_lobe():
    verdict = checked(GLAND | ball((60, 28, 94), 0.5))
    assert verdict.accepted and voxels(verdict) == GLAND.sum()


def test_single_voxels_are_removed_and_many_of_them_refuse_the_case():
    rng = np.random.default_rng(0)
    free = np.argwhere(np.ones(GLAND.shape, dtype=bool))
    few, many = GLAND.copy(), GLAND.copy()
    for mask, count in ((few, 60), (many, 500)):
        mask[tuple(free[rng.choice(len(free), count, replace=False)].T)] = 1
    verdict = checked(few)
    assert verdict.accepted and verdict.measurements.islands_removed > 50
    verdict = checked(many)
    assert verdict.reasons == ("too many components",)
    assert abs(voxels(verdict) - GLAND.sum()) < 0.05 * GLAND.sum()
    assert any("the islands of the thyroid have" in note for note in verdict.notes)


@pytest.mark.parametrize("volume_ml", [0.9, 1.6])
def test_an_island_of_the_trachea_is_removed(volume_ml: float):
    island = ball((122, 30, 90), volume_ml)
    verdict = checked(GLAND, TRACHEA | island)
    assert verdict.accepted and verdict.cleaned.trachea.array.sum() == TRACHEA.sum()
    assert verdict.measurements.trachea_islands_ml == pytest.approx(island.sum() * SPACING_MM**3 / 1000)
    assert verdict.measurements.trachea_islands_mm > 50


def test_a_false_trachea_larger_than_the_true_one_is_removed_and_refuses_the_case():
    verdict = checked(GLAND, TRACHEA | ball((115, 30, 80), 30.0))
    assert verdict.reasons == ("components far apart",)
    assert verdict.cleaned.trachea.array.sum() == TRACHEA.sum()
    assert verdict.placement_faults == ()


def test_a_trachea_in_two_parts_with_a_short_gap_is_kept():
    tube = TRACHEA.copy()
    tube[30:35] = 0
    verdict = checked(GLAND, tube)
    assert verdict.accepted and verdict.cleaned.trachea.array.sum() == tube.sum()


def tube_of(rows: slice, radius: float) -> np.ndarray:
    inside = (radius**2 >= (J - 31) ** 2 + (COLUMN - 52) ** 2) & (rows.start <= K) & (rows.stop > K)
    return (inside & (GLAND == 0)).astype(np.uint8)


def test_what_is_no_trachea_is_refused_with_the_measured_number():
    lungs = TRACHEA | (ball((20, 30, 52), 150.0) & (GLAND == 0)).astype(np.uint8)
    inverted = np.zeros_like(TRACHEA)
    inverted[1:-1, 1:-1, 1:-1] = 1 - GLAND[1:-1, 1:-1, 1:-1]
    for name, tube, reason, number in (
        ("lungs", lungs, "implausible trachea", "mL are too much for a trachea"),
        ("background", inverted, "implausible trachea", "mL are too much"),
        ("vessel", tube_of(slice(2, 90), 2.0), "implausible trachea", "sections of"),
        ("slab at the gland", tube_of(slice(57, 63), 5.0), "trachea too short", "only 9 mm of trachea"),
        ("ball", ball((60, 33, 52), 8.0), "trachea too short", "mm of trachea; at least"),
        ("below", tube_of(slice(2, 44), 5.0), "trachea away from the thyroid", "below the centre of the thyroid"),
        ("above", tube_of(slice(76, 120), 5.0), "trachea away from the thyroid", "above the centre of the thyroid"),
    ):
        verdict = checked(GLAND, tube)
        assert reason in verdict.reasons, (name, verdict.reasons, verdict.notes)
        assert any(number in note for note in verdict.notes), (name, verdict.notes)


def test_a_tube_longer_than_any_trachea_is_refused():
    long = np.pad(GLAND, ((60, 0), (0, 0), (0, 0)))
    tube = np.repeat(TRACHEA[50:51], len(long), axis=0)
    verdict = check_case(case_from_volumes("c", Volume(long, SPACE), Volume(tube, SPACE)))
    assert verdict.reasons == ("implausible trachea",)
    assert "330 mm are too long for a trachea (at most 200)" in verdict.notes


def test_a_thyroid_that_holds_the_trachea_is_refused():
    filled = GLAND.copy()
    filled[50:71] |= TRACHEA[50:71]
    verdict = checked(filled)
    assert verdict.reasons == ("trachea inside the thyroid",) and verdict.placement_faults == ()
    assert any("of the trachea beside the thyroid is also labelled as thyroid" in note for note in verdict.notes)


def test_main_bronchi_are_tolerated():
    tube = TRACHEA.copy()
    for k in range(2, 16):
        for side in (-1, 1):
            tube[k] |= ((J[0] - 31) ** 2 + (COLUMN[0] - 52 - side * 1.5 * (16 - k)) ** 2 <= 16).astype(np.uint8)
    assert checked(GLAND, tube).accepted


def test_coarse_sampling_is_noted():
    flat = np.zeros_like(GLAND)
    flat[60] = GLAND[60]
    assert checked(flat).reasons == ("only one slice",)
    terraces = np.repeat(GLAND[::4], 4, axis=0)[: len(GLAND)]
    verdict = checked(terraces)
    assert verdict.accepted and any("of the slices repeat their neighbour" in note for note in verdict.notes)
    thick = affine(spacing_mm=(1.5, 1.5, 6.0))
    volumes = (Volume(mask[::4], thick) for mask in (GLAND, TRACHEA))
    verdict = check_case(case_from_volumes("c", *volumes))
    assert verdict.accepted and "voxels of 1.5 × 1.5 × 6 mm are coarse in one direction" in verdict.notes


def test_the_background_as_a_structure_is_refused_without_examining_it(monkeypatch):
    class Examined(islands._Parts):
        def __init__(self, mask):
            assert mask.volume_ml < islands.LARGEST_ML
            super().__init__(mask)

    monkeypatch.setattr(islands, "_Parts", Examined)
    wide = affine(spacing_mm=(3.0, 3.0, 3.0))
    background = (1 - TRACHEA).astype(np.uint8)
    verdict = check_case(case_from_volumes("c", Volume(background, wide), Volume(TRACHEA, wide)))
    assert "implausible volume" in verdict.reasons and verdict.surface_ras is None and not verdict.can_be_included
    assert any("mL cannot be a thyroid" in note for note in verdict.notes)
    background = (1 - GLAND).astype(np.uint8)
    verdict = check_case(case_from_volumes("c", Volume(GLAND, wide), Volume(background, wide)))
    assert "implausible trachea" in verdict.reasons and not verdict.can_be_included
    with pytest.raises(InputError, match="mL are too much for a trachea"):
        verdict.placement("upright")
    with pytest.raises(InputError, match=r"cannot be a thyroid.*Choose the"):
        structures_for_placing(mask_in_scan(Volume(TRACHEA, wide)), mask_in_scan(Volume(background, wide)))
