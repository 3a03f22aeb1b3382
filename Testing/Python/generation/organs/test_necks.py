"""Organs around a thyroid: they belong to it, do not overlap with it, and are steered one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from support.necks import ARTERY, LACKING, TRACHEA, radius_for, tube
from ThyroidSynthLib.common.errors import InputError, ModelError
from ThyroidSynthLib.generation.organs import (
    OrganMaker,
    fit_organ,
    organ_of_code,
    own_organs_of,
    steer_organ,
    whole_label_map,
)
from ThyroidSynthLib.generation.organs.clearance import cleared, points_of
from ThyroidSynthLib.generation.organs.organ_set import named_surfaces
from ThyroidSynthLib.generation.thyroid import reconstruct
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.overlap import overlap_ml
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.masks import Mask, mask_in_scan
from ThyroidSynthLib.model.joint import THYROID_CODE, JointPrior, conditioned_prior
from ThyroidSynthLib.model.prior import prior_of
from ThyroidSynthLib.model.trained_model import TrainedModel


def area(radius_mm: float) -> float:
    return np.pi * radius_mm**2


def codes_of_case(model: TrainedModel, row: int) -> dict[str, np.ndarray]:
    """Return the codes of a training case that has all organs."""
    found = {THYROID_CODE: model.codes[row].astype(np.float64)}
    for name, organ in model.organs.items():
        found[name] = organ.codes[organ.ids.index(model.ids[row])].astype(np.float64)
    return found


def test_organs_are_learned_with_their_features_in_those_cases_that_have_them(small_necks: TrainedModel) -> None:
    trachea, artery = small_necks.organs[TRACHEA], small_necks.organs[ARTERY]
    assert trachea.ids == small_necks.ids and artery.ids == small_necks.ids[LACKING:]

    for row in (0, 7, 20):
        shape = organ_of_code(trachea, trachea.codes[row])
        assert shape.surface.is_closed()
        assert shape.features["cross_section_mm2"] == pytest.approx(trachea.features[row, 0], rel=0.1)
    shape = organ_of_code(artery, artery.codes[3])
    assert shape.features["lateral_mm"] == pytest.approx(artery.features[3, 1], abs=0.7)
    lower, upper = shape.surface.bounds
    assert (lower >= artery.frame.lower_mm - 0.1).all() and (upper <= artery.frame.upper_mm + 0.1).all()


def test_a_large_thyroid_has_a_wide_trachea(small_necks: TrainedModel) -> None:
    joint = JointPrior(small_necks)
    volumes = small_necks.features[:, 0]
    trachea = small_necks.organs[TRACHEA]

    for row in (int(volumes.argmin()), int(volumes.argmax())):
        expected = joint.expected(TRACHEA, {THYROID_CODE: small_necks.codes[row]})
        found = organ_of_code(trachea, expected).features["cross_section_mm2"]
        assert found == pytest.approx(area(radius_for(volumes[row])), rel=0.25)
    # And a wide trachea makes a large thyroid likely, also through the organ that some cases lack.
    widest, narrowest = (trachea.codes[row].astype(float) for row in (volumes.argmax(), volumes.argmin()))
    large, small = (joint.expected(THYROID_CODE, {TRACHEA: code})[0] for code in (widest, narrowest))
    assert large > small + 1.0
    both = {TRACHEA: widest, ARTERY: small_necks.organs[ARTERY].codes[0].astype(float)}
    assert joint.expected(THYROID_CODE, both)[0] > small + 1.0


def test_the_thyroid_given_a_trachea_is_drawn_from_another_distribution(small_necks: TrainedModel) -> None:
    code = small_necks.organs[TRACHEA].codes[2].astype(float)
    free, given = prior_of(small_necks), conditioned_prior(small_necks, {TRACHEA: code})

    fixed = small_necks.codes[2, : small_necks.conditioning.size]
    drawn = given.draw(fixed, np.random.default_rng(0))
    assert drawn.shape == free.intercept.shape and np.isfinite(drawn).all()
    # At the mean of the organs the mean is that without them.
    middle = conditioned_prior(small_necks, {TRACHEA: small_necks.organs[TRACHEA].codes.mean(axis=0)})
    assert np.allclose(middle.mean(np.zeros_like(fixed)), free.mean(np.zeros_like(fixed)), atol=0.02)
    assert conditioned_prior(small_necks, {}).factor.shape == free.factor.shape
    with pytest.raises(InputError, match="no organ 'spleen'"):
        conditioned_prior(small_necks, {"spleen": code})
    with pytest.raises(InputError, match="has 3 numbers, not 5"):
        conditioned_prior(small_necks, {TRACHEA: code[:3]})


def test_a_model_of_thyroids_says_how_it_gets_organs(small_model: TrainedModel) -> None:
    for make in (JointPrior, OrganMaker):
        with pytest.raises(ModelError, match=r"the thyroid only.*--organs trachea"):
            make(small_model)


def test_thyroids_without_features_and_with_sine_units_have_organs_too(
    small_necks: TrainedModel, small_baseline: TrainedModel, small_siren: TrainedModel
) -> None:
    for thyroids in (small_baseline, small_siren):
        model = replace(thyroids, organs=small_necks.organs)
        code = model.organs[TRACHEA].codes[2].astype(float)

        prior = conditioned_prior(model, {TRACHEA: code})

        drawn = prior.draw(model.codes[0, : model.conditioning.size], np.random.default_rng(0))
        assert drawn.shape == model.latent_table[0].shape and np.isfinite(drawn).all()
        expected = JointPrior(model).expected(TRACHEA, {THYROID_CODE: model.codes[0]})
        assert organ_of_code(model.organs[TRACHEA], expected).surface.is_closed()


def test_drawn_organs_do_not_overlap_and_leave_the_thyroid_as_it_is(small_necks: TrainedModel) -> None:
    maker, thyroid = OrganMaker(small_necks), reconstruct(small_necks, int(small_necks.features[:, 0].argmax()))

    organs = maker.draw(thyroid.code, thyroid.surface, seed=1, index=0)

    again = OrganMaker(small_necks).draw(thyroid.code, thyroid.surface, seed=1, index=0)
    other = maker.draw(thyroid.code, thyroid.surface, seed=2, index=0)
    assert list(organs) == [TRACHEA, ARTERY]
    assert all(np.array_equal(organs[name].organ.code, again[name].organ.code) for name in organs)
    assert not np.array_equal(organs[TRACHEA].organ.code, other[TRACHEA].organ.code)
    surfaces = named_surfaces(thyroid.surface, organs)
    assert surfaces["thyroid_gland"] is thyroid.surface
    names = list(surfaces)
    for number, name in enumerate(names):
        for before in names[:number]:
            assert overlap_ml(surfaces[name], surfaces[before]) < 1e-3
    grid = Grid.around(surfaces[TRACHEA], spacing_mm=1.5, margin_mm=30)
    labels = whole_label_map(surfaces, grid)
    assert labels.names == {1: "thyroid_gland", 2: TRACHEA, 3: ARTERY}
    assert np.array_equal(labels.volume.array == 1, voxelise(thyroid.surface, grid).array != 0)


def test_an_organ_gives_way_to_what_is_there_by_its_code_and_then_by_a_cut(small_necks: TrainedModel) -> None:
    artery = small_necks.organs[ARTERY]
    code = artery.codes[artery.features[:, 1].argmin()].astype(float)
    # A rod that reaches 1 mm into the artery on its inner side.
    rod = tube(4.0, artery.features[:, 1].min() - 6.0, -5.0, half_length_mm=20.0)
    before = overlap_ml(organ_of_code(artery, code).surface, rod)
    assert before > 0.05

    moved = organ_of_code(artery, cleared(artery, code, points_of(rod)))

    assert overlap_ml(moved.surface, rod) < 0.1 * before
    assert moved.features["lateral_mm"] > artery.features[:, 1].min() + 0.5
    # What is not likely is cut off: a rod through the middle of the trachea.
    trachea = organ_of_code(small_necks.organs[TRACHEA], small_necks.organs[TRACHEA].codes[0])
    inside = tube(2.0, 3.0, -25.0, half_length_mm=10.0)
    cut = OrganMaker(small_necks).separated(inside, {TRACHEA: trachea})[TRACHEA]
    assert cut.overlap_ml == pytest.approx(inside.volume / 1000, rel=0.05)
    assert overlap_ml(cut.organ.surface, inside) < 1e-3


def test_drawn_organs_keep_clear_before_anything_is_cut(small_necks: TrainedModel) -> None:
    maker, code = OrganMaker(small_necks), small_necks.codes[3]
    # A rod that reaches 0.5 mm into the place of an artery on its way to the trachea.
    beside = tube(4.0, 29.5, -5.0, half_length_mm=20.0)

    drawn = [maker.draw(code, beside, seed=seed, index=0)[ARTERY] for seed in range(2)]

    assert all(each.overlap_ml < 1e-3 for each in drawn)
    assert all(each.organ.features["lateral_mm"] > 35.0 for each in drawn)
    # Where there is no room at all, what is left of the artery is written.
    blocked = maker.draw(code, tube(6.0, 34.0, -5.0, half_length_mm=20.0), seed=0, index=0)[ARTERY]
    assert blocked.overlap_ml > 0.3 and blocked.organ.surface.volume > 100


def test_one_organ_is_steered_and_the_others_are_held_exactly(small_necks: TrainedModel) -> None:
    codes = codes_of_case(small_necks, 10)
    target = area(9.3)

    steered = steer_organ(small_necks, codes, TRACHEA, {"cross_section_mm2": target})

    spread = small_necks.organs[TRACHEA].features[:, 0].std()
    assert steered.met and steered.organ.features["cross_section_mm2"] == pytest.approx(target, abs=0.03 * spread)
    for name in (THYROID_CODE, ARTERY):
        assert steered.codes[name] is codes[name]
    moved = steer_organ(small_necks, codes, ARTERY, {"lateral_mm": 37.5})
    assert moved.met and moved.organ.features["lateral_mm"] == pytest.approx(37.5, abs=0.1)
    assert not steer_organ(small_necks, codes, TRACHEA, {"cross_section_mm2": 5000.0}).met


def test_free_organs_follow_as_the_training_cases_do(small_necks: TrainedModel) -> None:
    codes = codes_of_case(small_necks, 10)

    wide = steer_organ(small_necks, codes, TRACHEA, {"cross_section_mm2": area(9.8)}, free=True)
    narrow = steer_organ(small_necks, codes, TRACHEA, {"cross_section_mm2": area(6.3)}, free=True)

    # The first number of the thyroid's code is its volume, in SDs.
    assert wide.codes[THYROID_CODE][0] > narrow.codes[THYROID_CODE][0] + 1.0
    still = JointPrior(small_necks).moved(codes, {TRACHEA: codes[TRACHEA]})
    assert all(np.array_equal(still[name], codes[name]) for name in codes)


@pytest.mark.parametrize(
    ("name", "targets", "fault"),
    [
        ("spleen", {"lateral_mm": 1.0}, "no organ 'spleen'"),
        (TRACHEA, {"volume_ml": 1.0}, "no feature 'volume_ml'"),
        (TRACHEA, {"cross_section_mm2": -1.0}, "is impossible"),
        (TRACHEA, {"lateral_mm": float("nan")}, "is impossible"),
    ],
)
def test_impossible_targets_are_refused(small_necks: TrainedModel, name: str, targets: dict, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        steer_organ(small_necks, codes_of_case(small_necks, 10), name, targets)


def test_a_patients_own_trachea_is_fitted_where_the_scan_shows_it(small_necks: TrainedModel) -> None:
    organ, place = small_necks.organs[TRACHEA], Placement.at(np.array([12.0, -7.0, 100.0]))
    own = tube(7.6, 0.4, -25.0, half_length_mm=150.0)
    in_patient = own.moved(place.to_ras(own.vertices))
    for top_mm in (40, 4):  # The whole of it, and a scan that ends within the box.
        matrix = np.eye(4)
        matrix[:3, 3] = [-38.0, -67.0, 30.0]
        mask = voxelise(in_patient, Grid((70 + top_mm, 100, 100), matrix))

        fit = fit_organ(organ, mask, place)

        found = organ_of_code(organ, fit.code)
        assert fit.rms_mm < 0.6
        assert found.features["cross_section_mm2"] == pytest.approx(area(7.6), rel=0.06)
    assert organ_of_code(organ, fit_organ(organ, in_patient, place).code).features[
        "cross_section_mm2"
    ] == pytest.approx(area(7.6), rel=0.05)
    mask.array[:] = 0
    mask.array[:4, :4, :4] = 1
    with pytest.raises(InputError, match="Too little of the trachea lies in the scan"):
        fit_organ(organ, mask, place)


def test_an_organ_unlike_those_of_the_training_cases_is_drawn_again(
    small_necks: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    trachea, thyroid = small_necks.organs[TRACHEA], reconstruct(small_necks, 3)
    ordinary = trachea.codes[3].astype(float)
    thin = ordinary.copy()
    # The first number of the code is the cross-section, in SDs.
    thin[0] = trachea.codes[:, 0].min() - 0.5
    draw = JointPrior.draw

    def drawn_with(*tracheas: np.ndarray) -> float:
        codes = iter(tracheas)
        monkeypatch.setattr(
            JointPrior,
            "draw",
            lambda self, organ, *others: next(codes) if organ == TRACHEA else draw(self, organ, *others),
        )
        found = OrganMaker(small_necks).draw(thyroid.code, thyroid.surface, seed=0, index=0)
        return found[TRACHEA].organ.code[0]

    assert drawn_with(thin, thin, ordinary) == pytest.approx(ordinary[0], abs=0.2)
    # If none is like them, one is written all the same.
    assert drawn_with(*[thin] * 5) == pytest.approx(thin[0], abs=0.2)


def test_organs_are_drawn_given_a_patients_own_and_keep_clear_of_them(small_necks: TrainedModel) -> None:
    place = Placement.at(np.array([12.0, -7.0, 100.0]))
    matrix = np.eye(4)
    matrix[:3, 3] = [-38.0, -67.0, 30.0]
    grid = Grid((140, 100, 100), matrix)

    def mask_of(surface: Surface) -> Mask:
        return mask_in_scan(voxelise(surface.moved(place.to_ras(surface.vertices)), grid))

    # A vessel that is no organ of the model reaches 0.5 mm into the place of an artery on its way to the trachea.
    masks = {
        TRACHEA: mask_of(tube(9.6, 0.4, -25.0, half_length_mm=150.0)),
        "vein": mask_of(tube(4.0, 29.5, -5.0, half_length_mm=150.0)),
    }
    own = own_organs_of(small_necks, masks, place)
    thyroid = reconstruct(small_necks, 3)

    maker = OrganMaker(small_necks, own)
    drawn = maker.draw(thyroid.code, thyroid.surface, seed=0, index=0)

    assert own["vein"].fit is None and own[TRACHEA].fit is not None and own[TRACHEA].fit.rms_mm < 0.6
    assert own[TRACHEA].features["cross_section_mm2"] == pytest.approx(area(9.6), rel=0.06)
    assert list(drawn) == [ARTERY]
    assert drawn[ARTERY].overlap_ml < 1e-3 and drawn[ARTERY].organ.features["lateral_mm"] > 35.0
    assert overlap_ml(drawn[ARTERY].organ.surface, own["vein"].near) < 1e-3
    # The random numbers are the same, so what differs is what is expected from the trachea's code.
    alone = OrganMaker(small_necks, {TRACHEA: own[TRACHEA]}).draw(thyroid.code, thyroid.surface, seed=0, index=0)
    codes = {THYROID_CODE: thyroid.code, TRACHEA: own[TRACHEA].fit.code}
    rng = np.random.default_rng(np.random.SeedSequence([0, 0, 4]))
    expected = JointPrior(small_necks).draw(ARTERY, codes, rng)
    assert np.allclose(alone[ARTERY].organ.code, expected, atol=0.2)
    assert maker.in_order({ARTERY: 3, "vein": 4, TRACHEA: 2, "thyroid_gland": 1}) == {
        "thyroid_gland": 1,
        TRACHEA: 2,
        ARTERY: 3,
        "vein": 4,
    }


def test_voxels_of_a_patients_own_organ_do_not_belong_to_what_is_drawn() -> None:
    grid = Grid((10, 20, 20), np.eye(4))
    mask = Volume(np.ones((4, 8, 8), dtype=np.uint8), np.eye(4))
    box = tube(6.0, 8.0, 8.0, half_length_mm=9.0)

    labels = whole_label_map({"thyroid_gland": box, "trachea": mask}, grid)

    assert np.array_equal(labels.volume.array[:4, :8, :8], np.full((4, 8, 8), 2))
    assert (labels.volume.array == 2).sum() == 256 and (labels.volume.array == 1).any()
    assert labels.names == {1: "thyroid_gland", 2: "trachea"}
