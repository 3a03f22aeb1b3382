"""Edits of a patient's gland change the targeted feature only, and nothing without targets."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import label
from scipy.spatial import cKDTree

from support.analytic_shapes import roughness_degrees
from support.tubes import tube_surface
from ThyroidSynthLib.common.errors import Cancelled, InputError
from ThyroidSynthLib.generation.edit.editing import PatientFit, PatientShapes, fit_patient
from ThyroidSynthLib.generation.steer.contact import Contact
from ThyroidSynthLib.generation.steer.live_steering import LiveSteering
from ThyroidSynthLib.generation.steer.steering import steer_to_target
from ThyroidSynthLib.generation.thyroid import reconstruct
from ThyroidSynthLib.geometry.features import shared_volume
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid, box_with_zeros
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.rigid.structures import RigidStructures
from ThyroidSynthLib.geometry.targets import Targets
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.model.trained_model import TrainedModel

# A rotated trachea frame and anisotropic voxels, so that no test depends on simple ones.
_ROTATION = np.array([[0.96, 0.28, 0.0], [-0.28, 0.96, 0.0], [0.0, 0.0, 1.0]])
PLACEMENT = Placement(np.block([[_ROTATION, np.array([[12.0], [-7.0], [90.0]])], [np.zeros((1, 3)), np.ones((1, 1))]]))


@pytest.fixture(scope="module")
def mask(small_model: TrainedModel) -> Volume:
    """Segment a gland of the model, with a bump added, in voxels of 1.4 x 1.6 x 2 mm with reversed axes."""
    row = int(np.argsort(small_model.features[:, 1])[-4])
    surface = reconstruct(small_model, row, resolution=64).surface
    surface = surface.moved(PLACEMENT.to_ras(surface.vertices))
    lower, upper = surface.bounds
    spacing = np.array([-1.4, -1.6, 2.0])
    matrix = np.diag([*spacing, 1.0])
    matrix[:3, 3] = np.where(spacing > 0, lower - 9, upper + 9)
    size = np.ceil((upper - lower + 18) / np.abs(spacing)).astype(int)
    volume = voxelise(surface, Grid(tuple(size), matrix))
    array = volume.array.copy()
    k, _, i = np.argwhere(array)[len(np.argwhere(array)) // 3]
    first = int(np.flatnonzero(array[k, :, i])[0])
    array[k - 1 : k + 2, first - 3 : first, i - 1 : i + 2] = 1
    return Volume(array, volume.ijk_to_ras)


@pytest.fixture(scope="module")
def fitted(small_model: TrainedModel, mask: Volume) -> PatientFit:
    return fit_patient(small_model, mask, PLACEMENT)


def test_the_unchanged_gland_equals_the_segmentation(fitted: PatientFit, mask: Volume) -> None:
    again = fitted.shapes.label_map(fitted.original.code, mask)
    np.testing.assert_array_equal(again.array, mask.array != 0)
    np.testing.assert_array_equal(again.ijk_to_ras, mask.ijk_to_ras)

    own = surface_from_mask(mask)
    assert fitted.original.surface.is_closed()
    assert fitted.original.measured.volume_ml == pytest.approx(own.volume / 1000, rel=1e-4)
    # Without the steps of the voxels, it is nowhere a voxel (2 mm) away from the surface of the mask.
    own_points = PLACEMENT.to_trachea(own.vertices)
    assert cKDTree(own_points).query(fitted.original.surface.vertices)[0].max() < 1.0
    assert roughness_degrees(fitted.original.surface) < 0.8 * roughness_degrees(own)


def test_an_edit_is_smooth_and_keeps_the_voxels_that_it_does_not_move(fitted: PatientFit, mask: Volume) -> None:
    volume = 1.25 * fitted.original.measured.volume_ml
    edited = steer_to_target(fitted.shapes, fitted.original, Targets(volume_ml=volume)).thyroid
    assert roughness_degrees(edited.surface) < 0.8 * roughness_degrees(surface_from_mask(mask))

    # As it is exported: the surface is filled on the grid of the segmentation.
    written = voxelise(edited.surface.moved(PLACEMENT.to_ras(edited.surface.vertices)), mask.grid).array != 0
    inside = mask.array != 0
    change = fitted.shapes.field(edited.code) - fitted.shapes.field(fitted.original.code)
    first, shape = fitted.shapes._gland.first, mask.array.shape
    unmoved = box_with_zeros(np.abs(change) < 1e-3, -first, shape).astype(bool)
    assert 0 < np.count_nonzero(written != inside) < 0.6 * np.count_nonzero(inside)
    assert np.array_equal(written[unmoved], inside[unmoved])


def test_a_tiny_edit_changes_the_gland_very_little(fitted: PatientFit) -> None:
    """The surface does not jump between the unchanged gland and the first edit."""
    code = fitted.original.code + np.float32(1e-5)

    edited = fitted.shapes.thyroid(code)

    assert edited.measured.volume_ml == pytest.approx(fitted.original.measured.volume_ml, rel=1e-3)
    assert len(edited.surface.vertices) == pytest.approx(len(fitted.original.surface.vertices), rel=0.02)


def test_one_feature_changes_and_the_others_are_held(fitted: PatientFit) -> None:
    before = fitted.original.measured
    targets = Targets(1.15 * before.volume_ml, before.isthmus_area_mm2, before.symmetry)

    result = steer_to_target(fitted.shapes, fitted.original, targets)

    assert result.met
    after = result.thyroid.measured
    assert after.volume_ml == pytest.approx(targets.volume_ml, rel=0.005)
    assert after.isthmus_area_mm2 == pytest.approx(before.isthmus_area_mm2, abs=1.0)
    assert after.symmetry == pytest.approx(before.symmetry, abs=0.003)
    assert result.thyroid.validity.ok


def test_the_patients_own_details_survive_an_edit(fitted: PatientFit) -> None:
    """The model's surface lacks the bump; the edited gland still has it."""
    own, model = fitted.original, fitted.model_alone
    larger = Targets.of(own.measured.as_dict() | {"volume_ml": 1.1 * own.measured.volume_ml})
    edited = steer_to_target(fitted.shapes, own, larger)

    missed_mm = _farthest(own.surface.vertices, model.surface.vertices)
    kept_mm = _farthest(own.surface.vertices, edited.thyroid.surface.vertices)

    assert missed_mm > 2.0
    assert kept_mm < 0.7 * missed_mm


def test_large_edits_create_no_islands(fitted: PatientFit, mask: Volume) -> None:
    spread = fitted.shapes.model.codes.std(axis=0)
    rng = np.random.default_rng(5)
    for _ in range(4):
        code = fitted.original.code + 1.5 * spread * rng.standard_normal(len(spread))
        sizes = np.bincount(label(fitted.shapes.label_map(code, mask).array)[0].ravel())[1:]
        assert sizes.min() > 0.01 * np.count_nonzero(mask.array), sizes


def test_sensitivities_agree_with_finite_differences(fitted: PatientFit) -> None:
    thyroid = fitted.original
    local = fitted.shapes.sensitivity(thyroid)
    rng = np.random.default_rng(3)
    for _ in range(3):
        step = 0.05 * fitted.shapes.model.codes.std(axis=0) * rng.standard_normal(len(thyroid.code))
        low, high = (fitted.shapes.thyroid(thyroid.code + sign * step).measured.as_array() for sign in (-1, 1))
        expected = local.jacobian @ step * 2
        assert high[0] - low[0] == pytest.approx(expected[0], rel=0.15, abs=0.02)
        assert high[2] - low[2] == pytest.approx(expected[2], rel=0.3, abs=0.004)


def test_a_growing_gland_does_not_enter_what_lies_beside_it(fitted: PatientFit) -> None:
    """It keeps the overlap that the segmentation has, here a little, and the unchanged gland stays as it is."""
    start = fitted.original
    outermost = start.surface.vertices[np.argmax(start.surface.vertices[:, 0])]
    vessel = tube_surface(width_mm=8.0, centre=(outermost[0] + 3.7, outermost[1]), height_mm=80.0)
    found = RigidStructures.of([vessel], Placement(np.eye(4)), fitted.shapes.model.frame)
    assert found is not None
    contact = Contact(found).kept_by(start.surface)
    assert contact is not None
    own = shared_volume(start.surface, vessel)
    assert 0 < own < 20
    targets = Targets(volume_ml=1.5 * start.measured.volume_ml)

    free, edited = (steer_to_target(fitted.shapes, start, targets, contact=each) for each in (None, contact))
    unchanged = steer_to_target(fitted.shapes, start, Targets.of(start.measured.as_dict()), contact=contact)

    assert free.met and edited.met
    assert shared_volume(free.thyroid.surface, vessel) > own + 8
    assert shared_volume(edited.thyroid.surface, vessel) < own + 2
    assert unchanged.thyroid is start
    live = LiveSteering(fitted.shapes, start, Contact(found))
    for share in (1.1, 1.2, 1.3, 1.4):
        followed = live.follow(Targets(volume_ml=share * start.measured.volume_ml))
        assert shared_volume(followed.surface, vessel) < own + 5


def test_structures_that_a_segmentation_overlaps_with_are_no_limit(fitted: PatientFit) -> None:
    through = tube_surface(width_mm=8.0, centre=(0.0, 0.0), height_mm=80.0)
    found = RigidStructures.of([through], Placement(np.eye(4)), fitted.shapes.model.frame)

    assert found is not None
    assert Contact(found).kept_by(fitted.original.surface) is None


def test_live_steering_follows_a_slider_and_returns_to_the_start(fitted: PatientFit) -> None:
    start = fitted.original
    live = LiveSteering(fitted.shapes, start)
    held = start.measured.as_dict()
    for share in (1.03, 1.06, 1.1, 1.1):
        thyroid = live.follow(Targets.of(held | {"volume_ml": share * held["volume_ml"]}))
        assert thyroid.validity.ok
    assert thyroid.measured.volume_ml == pytest.approx(1.1 * held["volume_ml"], rel=0.01)
    assert thyroid.measured.symmetry == pytest.approx(held["symmetry"], abs=0.01)

    assert live.settle(Targets.of(held | {"volume_ml": 1.1 * held["volume_ml"]})).met
    np.testing.assert_array_equal(live.follow(Targets.of(held)).code, start.code)
    np.testing.assert_array_equal(live.settle(Targets.of(held)).thyroid.code, start.code)


def test_a_slow_drag_rarely_computes_derivatives(fitted: PatientFit, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    sensitivity = PatientShapes.sensitivity
    monkeypatch.setattr(
        PatientShapes, "sensitivity", lambda self, thyroid: taken.append(1) or sensitivity(self, thyroid)
    )
    live = LiveSteering(fitted.shapes, fitted.original)
    held = fitted.original.measured.as_dict()
    for share in np.linspace(1.01, 1.1, 10):
        thyroid = live.follow(Targets.of(held | {"volume_ml": share * held["volume_ml"]}))

    assert thyroid.measured.volume_ml == pytest.approx(1.1 * held["volume_ml"], rel=0.01)
    assert thyroid.measured.isthmus_area_mm2 == pytest.approx(held["isthmus_area_mm2"], abs=3.0)
    assert thyroid.measured.symmetry == pytest.approx(held["symmetry"], abs=0.01)
    assert len(taken) <= 5


def test_a_gland_fitted_before_is_edited_without_another_fit(
    small_model: TrainedModel, fitted: PatientFit, mask: Volume
) -> None:
    shapes = PatientShapes.of_patient(small_model, mask, PLACEMENT, fitted.fit.thyroid.code)
    code = fitted.original.code + np.float32(0.05)

    # The last bits of a value depend on the points that are evaluated together with it.
    again, first = shapes.thyroid(code).surface, fitted.shapes.thyroid(code).surface
    np.testing.assert_array_equal(again.faces, first.faces)
    np.testing.assert_allclose(again.vertices, first.vertices, atol=1e-4)


def test_a_gland_cut_by_the_border_is_unchanged_at_the_fitted_code(small_model: TrainedModel, mask: Volume) -> None:
    k = int(np.argwhere(mask.array)[:, 0].mean())
    matrix = mask.ijk_to_ras.copy()
    matrix[:3, 3] = mask.to_ras(np.array([0, 0, k]))
    cut = Volume(mask.array[k:], matrix)

    fit = fit_patient(small_model, cut, PLACEMENT)

    np.testing.assert_array_equal(fit.shapes.label_map(fit.original.code, cut).array, cut.array != 0)
    assert fit.original.validity.closed


def test_an_empty_segment_raises_and_fitting_can_be_cancelled(small_model: TrainedModel, mask: Volume) -> None:
    with pytest.raises(InputError, match="empty"):
        fit_patient(small_model, Volume(np.zeros_like(mask.array), mask.ijk_to_ras), PLACEMENT)
    with pytest.raises(Cancelled):
        fit_patient(small_model, mask, PLACEMENT, should_stop=lambda: True)


def _farthest(points: np.ndarray, others: np.ndarray) -> float:
    from scipy.spatial import cKDTree

    return float(np.percentile(cKDTree(others).query(points)[0], 99.5))
