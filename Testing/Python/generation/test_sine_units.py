"""A model with sine units is decoded, steered, fitted and edited as one with ReLU units is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.generation.decode.decoding import decoding_box
from ThyroidSynthLib.generation.decode.field import Field
from ThyroidSynthLib.generation.decode.nearby_grid import NearbyGrids
from ThyroidSynthLib.generation.decode.sparse_grid import FieldFunction, evaluate_dense, evaluate_sparse
from ThyroidSynthLib.generation.edit.editing import fit_patient
from ThyroidSynthLib.generation.fit.fitting import fit_surface
from ThyroidSynthLib.generation.shapes import ModelShapes
from ThyroidSynthLib.generation.steer.direct_sampling import generate
from ThyroidSynthLib.generation.steer.live_steering import LiveSteering
from ThyroidSynthLib.generation.steer.steering import steer_to_target
from ThyroidSynthLib.generation.thyroid import GeneratedThyroid, reconstruct
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.targets import Targets
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.model.threads import computing_on
from ThyroidSynthLib.model.trained_model import TrainedModel
from ThyroidSynthLib.training.network import TrainableNetwork

Box = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def starts(small_siren: TrainedModel) -> list[GeneratedThyroid]:
    return list(generate(small_siren, count=5, seed=1, resolution=40))


def test_the_field_and_its_derivatives_are_those_of_pytorch(small_siren: TrainedModel) -> None:
    rng = np.random.default_rng(0)
    points = torch.from_numpy(rng.uniform(-1, 1, (5000, 3)).astype(np.float32)).requires_grad_()
    code = small_siren.codes[5] + 0.1 * rng.standard_normal(small_siren.code_size)
    codes = torch.from_numpy(code.astype(np.float32)).expand(len(points), -1).clone().requires_grad_()
    hidden = torch.cat([points, codes], dim=1)
    *layers, last = [[torch.from_numpy(p) for p in (layer.weight, layer.bias)] for layer in small_siren.network.layers]
    for weight, bias in layers:
        hidden = torch.sin(30.0 * torch.nn.functional.linear(hidden, weight, bias))
    expected = torch.nn.functional.linear(hidden, *last)[:, 0]
    expected.sum().backward()

    values, space, by_code = Field(small_siren, code).derivatives(points.detach().numpy())

    np.testing.assert_allclose(values, expected.detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(space, points.grad.numpy(), atol=1e-3)
    np.testing.assert_allclose(by_code, codes.grad.numpy(), atol=1e-3)
    np.testing.assert_allclose(Field(small_siren, code)(points.detach().numpy()), values, atol=1e-6)


def test_results_are_the_same_bits_on_one_thread_and_on_two(small_siren: TrainedModel) -> None:
    points = np.random.default_rng(1).uniform(-1, 1, (20003, 3))
    field = Field(small_siren, small_siren.codes[2])
    with computing_on(1):
        one = field(points), *field.derivatives(points)
    with computing_on(2):
        two = field(points), *field.derivatives(points)

    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first, second)


def inside_found(field: FieldFunction, grids: NearbyGrids, largest_cell: float, box: Box) -> int:
    """Check that evaluation near the surface finds all of it, and return the number of points inside."""
    inside = evaluate_dense(field, *box, 64).values < 0
    np.testing.assert_array_equal(evaluate_sparse(field, *box, 64, largest_cell=largest_cell).values < 0, inside)
    np.testing.assert_array_equal(grids.evaluate(field).values < 0, inside)
    return np.count_nonzero(inside)


def test_evaluation_near_the_surface_finds_the_whole_surface(small_siren: TrainedModel) -> None:
    """The bound on interpolation errors comes from the values of the field, not from the kind of its units."""
    box, cell = decoding_box(small_siren), small_siren.network.largest_cell
    grids = NearbyGrids(*box, 64, largest_cell=cell)
    assert (box[1] - box[0]).max() / 8 < cell < np.inf
    direction = small_siren.codes.std(axis=0) * np.random.default_rng(1).standard_normal(small_siren.code_size)
    for step in np.linspace(-1, 1, 6):
        assert inside_found(Field(small_siren, small_siren.codes[3] + step * direction), grids, cell, box)


@pytest.mark.parametrize("omega", [30.0, 60.0])
def test_evaluation_near_the_surface_finds_all_pieces_of_a_field_with_ripples(omega: float) -> None:
    """With three inputs, untrained sine units have the highest frequencies: a dozen separate pieces."""
    torch.manual_seed(1)
    network = TrainableNetwork(latent_size=0, hidden_width=32, omega=omega).trained()
    folded, box = network.fold(np.zeros(0, np.float32)), (-np.ones(3), np.ones(3))
    grids = NearbyGrids(*box, 64, largest_cell=network.largest_cell)
    values = evaluate_dense(lambda points: network.values(np.float32(points), folded), *box, 24).values
    for level in np.quantile(values, [0.5, 0.1, 0.01]).astype(np.float32):

        def field(points: np.ndarray, level: np.float32 = level) -> np.ndarray:
            return network.values(np.float32(points), folded) - level

        assert inside_found(field, grids, network.largest_cell, box) > 0


def test_targets_are_met(small_siren: TrainedModel, starts: list[GeneratedThyroid]) -> None:
    results = [steer_to_target(small_siren, each.thyroid, each.targets, resolution=40) for each in starts]

    assert sum(result.met for result in results) >= 4
    assert all(result.thyroid.validity.ok for result in results)


def test_live_steering_follows_a_slider(small_siren: TrainedModel, starts: list[GeneratedThyroid]) -> None:
    start = starts[0].thyroid
    live = LiveSteering(ModelShapes(small_siren), start)

    for share in (1.03, 1.06, 1.1, 1.1):
        thyroid = live.follow(Targets(volume_ml=share * start.measured.volume_ml), resolution=40)

    assert thyroid.measured.volume_ml == pytest.approx(1.1 * start.measured.volume_ml, rel=0.02)
    assert thyroid.validity.ok


def test_a_training_case_is_fitted(small_siren: TrainedModel, small_cohort: Cohort) -> None:
    fit = fit_surface(small_siren, small_cohort.surface(small_cohort.ids[7]), resolution=40)

    assert fit.rms_mm < 0.5
    assert fit.thyroid.measured.volume_ml == pytest.approx(small_cohort.features[7, 0], rel=0.05)


def test_an_edit_moves_one_feature_and_no_change_gives_the_patients_gland(small_siren: TrainedModel) -> None:
    surface = reconstruct(small_siren, int(np.argsort(small_siren.features[:, 1])[-4])).surface
    lower = surface.bounds[0] - 9
    matrix = np.diag([1.5, 1.5, 1.5, 1.0])
    matrix[:3, 3] = lower
    mask = voxelise(surface, Grid(tuple(np.ceil((surface.bounds[1] + 9 - lower) / 1.5).astype(int)[::-1]), matrix))
    fitted = fit_patient(small_siren, mask, Placement(np.eye(4)))
    before = fitted.original.measured

    result = steer_to_target(fitted.shapes, fitted.original, Targets(1.1 * before.volume_ml, symmetry=before.symmetry))

    np.testing.assert_array_equal(fitted.shapes.label_map(fitted.original.code, mask).array, mask.array != 0)
    assert result.met
    assert result.thyroid.measured.volume_ml == pytest.approx(1.1 * before.volume_ml, rel=0.01)
    assert result.thyroid.measured.symmetry == pytest.approx(before.symmetry, abs=0.01)
