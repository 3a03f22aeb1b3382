"""Thyroids are steered out of rigid structures, with their targets met, before anything is subtracted."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from support.tubes import tube_surface
from ThyroidSynthLib.generation.cohort.thyroid_maker import ThyroidMaker
from ThyroidSynthLib.generation.decode.field import Field
from ThyroidSynthLib.generation.decode.sensitivity import Sensitivity
from ThyroidSynthLib.generation.shapes import ModelShapes
from ThyroidSynthLib.generation.steer.contact import Contact
from ThyroidSynthLib.generation.steer.live_steering import LiveSteering
from ThyroidSynthLib.generation.steer.steering import steer_to_target
from ThyroidSynthLib.generation.thyroid import Thyroid, reconstruct, thyroid_of_code
from ThyroidSynthLib.geometry import features
from ThyroidSynthLib.geometry.features import shared_volume
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.rigid.lying import isthmus_gap_mm, lying_on
from ThyroidSynthLib.geometry.rigid.structures import RigidStructures
from ThyroidSynthLib.geometry.sampling import signed_distance
from ThyroidSynthLib.geometry.targets import NO_TARGETS, Targets
from ThyroidSynthLib.model.trained_model import TrainedModel

TRACHEA = tube_surface(width_mm=21.0, centre=(0.0, 0.0), height_mm=200.0)


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    return TrainedModel.load("example")


@pytest.fixture(scope="module")
def trachea(model: TrainedModel) -> RigidStructures:
    found = RigidStructures.of([TRACHEA], Placement(np.eye(4)), model.frame)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def joined(model: TrainedModel) -> Thyroid:
    """A gland with an isthmus that lies in the trachea."""
    ordinary = np.argsort(np.abs(model.features[:, 0] - np.median(model.features[:, 0])))
    learned = (reconstruct(model, int(row)) for row in ordinary)
    return next(each for each in learned if each.measured.isthmus_area_mm2 > 0 and share_inside(each) > 0.056)


def share_inside(thyroid: Thyroid) -> float:
    return shared_volume(thyroid.surface, TRACHEA) / thyroid.surface.volume


def test_the_motion_of_the_surface_is_that_of_a_changed_code(model: TrainedModel, joined: Thyroid) -> None:
    motion = ModelShapes(model).sensitivity(joined).motion
    rng = np.random.default_rng(3)
    change = 0.03 * rng.standard_normal(len(joined.code)) * model.codes.std(axis=0)

    changed = thyroid_of_code(model, joined.code + change.astype(np.float32), resolution=96)

    before = signed_distance(changed.surface, motion.points_mm)
    after = signed_distance(changed.surface, motion.after(change).points_mm)
    assert np.abs(before).mean() > 0.05
    assert np.abs(after).mean() < 0.4 * np.abs(before).mean()
    assert motion.area_mm2.sum() == pytest.approx(np.linalg.norm(joined.surface.scaled_normals, axis=1).sum() / 2)


@pytest.fixture(scope="module")
def in_trachea(model: TrainedModel) -> list[Thyroid]:
    """Four ordinary glands with an isthmus, 2 % or more of which lie in the trachea."""
    ordinary = np.argsort(np.abs(model.features[:, 0] - np.median(model.features[:, 0])))
    learned = (reconstruct(model, int(row)) for row in ordinary)
    found = (each for each in learned if each.measured.isthmus_area_mm2 > 0 and share_inside(each) > 0.02)
    return list(islice(found, 4))


def random_direction(model: TrainedModel, seed: int) -> np.ndarray:
    """Return a change of the code in which every number has its SD."""
    return model.codes.std(axis=0) * np.random.default_rng(seed).standard_normal(model.code_size)


def test_the_derivative_of_the_overlap(
    model: TrainedModel, in_trachea: list[Thyroid], trachea: RigidStructures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over several glands and directions; a single difference of meshes is no exact measure.

    A mesh is a linear interpolation over cells of half a millimetre, in which the motion of the network's field varies.
    Differences of meshes thus deviate from the derivative, to both sides, by up to a tenth of the whole motion.
    """
    # Columns 0.5 mm apart are too coarse for differences.
    monkeypatch.setattr(features, "_COLUMN_MM", 0.2)
    found, measured, step = [], [], 0.03
    for seed, thyroid in enumerate(in_trachea):
        motion, direction = ModelShapes(model).sensitivity(thyroid).motion, random_direction(model, seed)
        inside = trachea.distances(motion.points_mm) < 0
        moved = motion.per_code[inside] @ direction
        found.append(motion.area_mm2[inside] @ moved)
        ends = [thyroid_of_code(model, thyroid.code + sign * step * direction, resolution=96) for sign in (-1, 1)]
        low, high = (shared_volume(end.surface, TRACHEA) for end in ends)
        measured.append((high - low) / (2 * step))
        assert abs(found[-1] - measured[-1]) < 0.15 * (motion.area_mm2[inside] @ np.abs(moved))
    assert np.polyfit(measured, found, 1)[0] == pytest.approx(1.0, abs=0.12)
    assert np.corrcoef(measured, found)[0, 1] > 0.98


def test_the_field_moves_as_the_derivative_of_the_overlap_states(
    model: TrainedModel, in_trachea: list[Thyroid], trachea: RigidStructures
) -> None:
    """Without a mesh in between, differences agree with the derivative to a hundredth."""
    step = 0.002
    for thyroid in in_trachea:
        motion = ModelShapes(model).sensitivity(thyroid).motion
        inside = trachea.distances(motion.points_mm) < 0
        points, normals, area = motion.points_mm[inside], motion.normals[inside], motion.area_mm2[inside]
        before = Field(model, thyroid.code)(model.frame.to_unit(points)).astype(float)
        for direction in (random_direction(model, 5), random_direction(model, 6)):
            ends = []
            for sign in (-1, 1):
                field, moved = (
                    Field(model, (thyroid.code + sign * step * direction).astype(np.float32)),
                    np.zeros(len(points)),
                )
                for _ in range(4):
                    values, gradient, _ = field.derivatives(model.frame.to_unit(points + moved[:, None] * normals))
                    slope = np.einsum("ij,ij->i", gradient / model.frame.scale_mm, normals)
                    moved -= (values - before) / np.maximum(slope, 1e-3)
                ends.append(moved)
            expected = (ends[1] - ends[0]) / (2 * step)
            found = motion.per_code[inside] @ direction
            assert abs(area @ (found - expected)) < 0.01 * (area @ np.abs(found))
            assert area @ np.abs(found - expected) < 0.1 * (area @ np.abs(found))


def test_rows_predict_the_gap_of_the_isthmus(model: TrainedModel, joined: Thyroid, trachea: RigidStructures) -> None:
    local = ModelShapes(model).sensitivity(joined)
    rows = Contact(trachea, gap_mm=0.0).rows(local.motion, joined.surface)
    rng, spread = np.random.default_rng(1), model.codes.std(axis=0)
    predicted, found = [], []
    for _ in range(5):
        direction = 0.06 * spread * rng.standard_normal(len(joined.code))
        ends = [thyroid_of_code(model, (joined.code + sign * direction).astype(np.float32)) for sign in (-1, 1)]
        low, high = (isthmus_gap_mm(end.surface, trachea) for end in ends)
        found.append(high - low)
        predicted.append(2 * 0.03 * rows.slope[-1] @ direction)

    assert not rows.pressing[-1]
    assert rows.value[-1] == pytest.approx(isthmus_gap_mm(joined.surface, trachea) / 0.03)
    assert np.abs(found).max() > 0.2
    assert np.corrcoef(predicted, found)[0, 1] > 0.8
    assert np.polyfit(predicted, found, 1)[0] == pytest.approx(1.0, abs=0.5)


def test_a_gland_is_steered_out_of_the_trachea(model: TrainedModel, joined: Thyroid, trachea: RigidStructures) -> None:
    targets = Targets.of(joined.measured.as_dict())
    contact = Contact(trachea, clearance_mm=0.3, gap_mm=0.5)

    without = steer_to_target(model, joined, targets)
    with_ = steer_to_target(model, joined, targets, contact=contact)

    assert share_inside(without.thyroid) > 0.01
    assert with_.met
    assert share_inside(with_.thyroid) < 1e-3
    assert with_.misfit >= contact.misfit(with_.thyroid.surface)
    assert lying_on(with_.thyroid.surface, trachea).gap_mm == pytest.approx(0.5, abs=0.15)
    assert with_.distance < without.distance + 1.0


def test_without_targets_the_contact_alone_is_met(
    model: TrainedModel, joined: Thyroid, trachea: RigidStructures
) -> None:
    result = steer_to_target(model, joined, NO_TARGETS, contact=Contact(trachea))

    assert result.met
    assert result.error == {}
    assert share_inside(result.thyroid) < 1e-3


def test_a_start_out_of_reach_of_the_trachea_is_not_changed(model: TrainedModel, trachea: RigidStructures) -> None:
    ordinary = np.argsort(np.abs(model.features[:, 0] - np.median(model.features[:, 0])))
    learned = (reconstruct(model, int(row)) for row in ordinary)
    lobes = next(each for each in learned if lying_on(each.surface, trachea).clearance_mm > 1.0)

    result = steer_to_target(model, lobes, Targets.of(lobes.measured.as_dict()), contact=Contact(trachea))

    assert result.thyroid is lobes


def test_drawn_thyroids_keep_their_features(model: TrainedModel, trachea: RigidStructures) -> None:
    plain = ThyroidMaker.of(model, seed=5)
    maker = ThyroidMaker(model, plain.prior, plain.space, seed=5, contact=Contact(trachea))
    numbers = range(1, 4)

    for number in numbers:
        drawn, made = (each.make(number, NO_TARGETS) for each in (plain, maker))
        assert made.met is None
        assert made.targets == drawn.targets
        assert share_inside(made.thyroid) < 1e-3
        if made.attempts == drawn.attempts:
            assert made.thyroid.measured.volume_ml == pytest.approx(drawn.thyroid.measured.volume_ml, rel=0.01)
    assert max(share_inside(plain.make(number, NO_TARGETS).thyroid) for number in numbers) > 0.01


def test_other_structures_may_be_touched(model: TrainedModel, trachea: RigidStructures) -> None:
    """The trachea is kept at its clearance, a vessel beside the lobe only out of the gland."""
    vessel = tube_surface(width_mm=8.0, centre=(24.0, -14.0), height_mm=200.0)
    others = RigidStructures.of([vessel], Placement(np.eye(4)), model.frame)
    ordinary = np.argsort(np.abs(model.features[:, 0] - np.median(model.features[:, 0])))
    learned = (reconstruct(model, int(row)) for row in ordinary)
    start = next(each for each in learned if 0.005 < shared_volume(each.surface, vessel) / each.surface.volume < 0.03)
    volume = Targets(volume_ml=start.measured.volume_ml)

    result = steer_to_target(model, start, volume, contact=Contact(trachea, clearance_mm=1.5, others=others))

    assert others is not None
    assert result.met
    assert shared_volume(result.thyroid.surface, vessel) < 1e-3 * start.surface.volume
    assert lying_on(result.thyroid.surface, trachea).clearance_mm > 1.3
    assert lying_on(result.thyroid.surface, others).clearance_mm < 1.2


class Counting(ModelShapes):
    """Counts how often the derivatives are computed."""

    def __init__(self, model: TrainedModel) -> None:
        super().__init__(model)
        self.computed = 0

    def in_small_steps(self) -> Counting:
        return self

    def sensitivity(self, thyroid: Thyroid) -> Sensitivity:
        self.computed += 1
        return super().sensitivity(thyroid)


def test_a_changing_gland_stays_out_of_the_trachea(
    model: TrainedModel, joined: Thyroid, trachea: RigidStructures
) -> None:
    start = steer_to_target(model, joined, NO_TARGETS, contact=Contact(trachea)).thyroid
    volume, area = start.measured.volume_ml, start.measured.isthmus_area_mm2
    shapes = Counting(model)
    held, free = LiveSteering(shapes, start, Contact(trachea)), LiveSteering(ModelShapes(model), start)

    for share in np.linspace(1.0, 0.5, 9)[1:]:
        targets = Targets(volume_ml=share * volume, isthmus_area_mm2=area)
        assert share_inside(held.follow(targets)) < 5e-4
        free.follow(targets)

    assert shapes.computed < 8
    assert share_inside(free.current) > 6e-4
    settled = held.settle(targets)
    assert settled.met
    assert share_inside(settled.thyroid) < 1e-3
