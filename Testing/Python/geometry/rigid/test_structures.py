"""The distance to rigid structures is right for tubes, in any placement."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from support.tubes import tube_mask, tube_surface
from ThyroidSynthLib.geometry.frame import Frame, Placement
from ThyroidSynthLib.geometry.rigid.structures import RigidStructures

FRAME = Frame(np.full(3, 30.0), np.full(3, -25.0), np.full(3, 25.0), "upright")
HERE = Placement(np.eye(4))


def around_tube(radius_mm: float) -> np.ndarray:
    """Points up to 6 mm inside and outside a vertical tube around the origin."""
    rng = np.random.default_rng(0)
    angle, distance, z = rng.uniform(0, 2 * np.pi, 500), radius_mm + rng.uniform(-5, 6, 500), rng.uniform(-20, 20, 500)
    return np.column_stack([distance * np.cos(angle), distance * np.sin(angle), z])


@pytest.mark.parametrize("width", [10.0, 25.0])
def test_the_distance_to_a_tube(width: float) -> None:
    tube = RigidStructures.of([tube_surface(width_mm=width, centre=(0.0, 0.0), height_mm=120.0)], HERE, FRAME)

    assert tube is not None
    points = around_tube(width / 2)
    radial = np.hypot(points[:, 0], points[:, 1])
    near = np.abs(radial - width / 2) < 2.5
    np.testing.assert_allclose(tube.distances(points[near]), radial[near] - width / 2, atol=0.05)
    np.testing.assert_allclose(tube.distances(points), radial - width / 2, atol=0.6)
    outwards = np.column_stack([points[:, :2] / radial[:, None], np.zeros(len(points))])
    assert np.einsum("ij,ij->i", tube.gradients(points[near]), outwards[near]).min() > 0.99


def test_a_mask_and_a_placement_in_the_patient() -> None:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("x", 15, degrees=True).as_matrix()
    matrix[:3, 3] = [12.0, -340.0, 777.0]
    placement = Placement(matrix)
    mask = tube_mask(width_mm=16.0, centre=(0.0, 0.0), reach_mm=(-60.0, 60.0), voxel_mm=0.5)
    in_patient = type(mask)(mask.array, placement.trachea_to_ras @ mask.ijk_to_ras)

    tube = RigidStructures.of([in_patient], placement, FRAME)

    assert tube is not None
    points = around_tube(8.0)
    radial = np.hypot(points[:, 0], points[:, 1])
    near = np.abs(radial - 8.0) < 2.5
    np.testing.assert_allclose(tube.distances(points[near]), radial[near] - 8.0, atol=0.3)
    assert np.mean(tube.distances(points[near]) - radial[near] + 8.0) == pytest.approx(0.0, abs=0.1)


def test_several_structures_are_one_union() -> None:
    first, second = (tube_surface(width_mm=10.0, centre=(x, 0.0), height_mm=120.0) for x in (-15.0, 12.0))

    both = RigidStructures.of([first, second], HERE, FRAME)

    assert both is not None
    found = both.distances(np.array([[-15.0, 0.0, 0.0], [12.0, 0.0, 5.0], [-1.5, 0.0, 0.0], [-15.0, 7.0, 0.0]]))
    np.testing.assert_allclose(found, [-5.0, -5.0, 8.5, 2.0], atol=0.6)


def test_structures_far_from_any_thyroid_are_none() -> None:
    assert RigidStructures.of([tube_surface(width_mm=10.0, centre=(300.0, 0.0), height_mm=120.0)], HERE, FRAME) is None
    assert RigidStructures.of([], HERE, FRAME) is None
