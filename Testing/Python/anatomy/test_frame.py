"""Positions go to another frame and come back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ThyroidSynthLib.anatomy.frame import Frame, Placement
from ThyroidSynthLib.anatomy.volume import Volume

POINTS = np.array([[1.0, -2.0, 3.0], [40.0, 5.0, -60.0]])


def test_the_unit_frame_holds_every_surface_in_plus_minus_1() -> None:
    lower, upper = (
        np.array([[-30.0, -20.0, 5.0], [-25.0, -28.0, 11.0]]),
        np.array([[20.0, 10.0, 60.0], [33.0, 9.0, 72]]),
    )

    frame = Frame.of_boxes(lower, upper)

    assert frame.scale_mm.tolist() == [33.0, 28.0, 72.0]
    assert frame.lower_mm.tolist() == [-30.0, -28.0, 5.0]
    assert frame.upper_mm.tolist() == [33.0, 10.0, 72.0]
    assert np.abs(frame.to_unit(np.vstack([lower, upper]))).max() == 1.0
    np.testing.assert_allclose(frame.to_mm(frame.to_unit(POINTS)), POINTS)


def test_one_box_is_enough_for_a_frame() -> None:
    assert Frame.of_boxes(np.array([-1.0, -2, -3]), np.array([3.0, 2, 1])).scale_mm.tolist() == [3.0, 2.0, 3.0]


def test_a_frame_survives_a_json_file_exactly() -> None:
    frame = Frame(np.array([1 / 3, 2.0, 3.0]), -np.ones(3) / 7, np.ones(3))

    again = Frame.from_json(json.loads(json.dumps(frame.to_json())))

    for name in ("scale_mm", "lower_mm", "upper_mm"):
        np.testing.assert_array_equal(getattr(again, name), getattr(frame, name))


def test_a_frame_without_size_is_refused() -> None:
    with pytest.raises(ValueError, match="positive scales"):
        Frame(np.array([1.0, 0.0, 1.0]), -np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="lower < upper"):
        Frame(np.ones(3), np.ones(3), np.ones(3))


def test_the_trachea_frame_is_centred_on_the_tracheas_centre_of_mass() -> None:
    mask = np.zeros((4, 4, 4), dtype=np.uint8)
    mask[1:3, 1, 2] = 1
    trachea = Volume(mask, np.array([[-2.0, 0, 0, 10], [0, 2.0, 0, 20], [0, 0, 2.0, 30], [0, 0, 0, 1]]))

    placement = Placement.on_trachea(trachea)

    assert placement.origin_ras == pytest.approx([6.0, 22.0, 33.0])
    assert placement.to_trachea(np.array([6.0, 22.0, 33.0])) == pytest.approx([0.0, 0.0, 0.0])
    np.testing.assert_allclose(placement.to_ras(POINTS), POINTS + np.array([6.0, 22.0, 33.0]))


def test_a_turned_placement_comes_back() -> None:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", [10, 20, 30], degrees=True).as_matrix()
    matrix[:3, 3] = (1, 2, 3)
    placement = Placement(matrix)

    np.testing.assert_allclose(placement.to_trachea(placement.to_ras(POINTS)), POINTS, atol=1e-12)
    np.testing.assert_allclose(placement.to_ras(POINTS), POINTS @ matrix[:3, :3].T + matrix[:3, 3])
