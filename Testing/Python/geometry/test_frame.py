"""Conversion between the patient, the trachea frame and the unit frame."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.frame import Frame, Placement, beyond_usual
from ThyroidSynthLib.geometry.volume import Volume

POINTS = np.array([[1.0, -2.0, 3.0], [40.0, 5.0, -60.0]])


def test_every_surface_lies_within_plus_minus_1_in_the_unit_frame() -> None:
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


def test_a_frame_can_be_made_from_one_box() -> None:
    assert Frame.of_boxes(np.array([-1.0, -2, -3]), np.array([3.0, 2, 1])).scale_mm.tolist() == [3.0, 2.0, 3.0]


@pytest.mark.parametrize("odd", [1, 2])
def test_odd_cases_do_not_stretch_an_upright_frame_and_are_found(odd: int) -> None:
    rng = np.random.default_rng(0)
    lower = -np.array([28.0, 20.0, 25.0]) + rng.normal(0, 2, (60, 3))
    upper = np.array([28.0, 18.0, 25.0]) + rng.normal(0, 2, (60, 3))
    usual = Frame.of_boxes(lower, upper, "upright")
    assert usual.to_json() | {"alignment": ""} == Frame.of_boxes(lower, upper).to_json() | {"alignment": ""}
    upper[:odd, 2] = 90.0

    found = Frame.of_boxes(lower, upper, "upright")

    beyond = beyond_usual(lower, upper)
    assert np.argwhere(beyond).tolist() == [[case, 1, 2] for case in range(odd)]
    assert beyond.max() == pytest.approx(90.0 - upper[odd:, 2].max())
    assert found.upper_mm[2] == upper[odd:, 2].max()
    assert found.scale_mm[2] < 35.0
    # As published, the largest extent of all.
    assert Frame.of_boxes(lower, upper).scale_mm[2] == 90.0


def test_few_cases_have_no_usual_box() -> None:
    lower, upper = -np.ones((3, 3)), np.array([[1.0, 1, 1], [1, 1, 1], [90, 1, 1]])
    assert Frame.of_boxes(lower, upper, "upright").scale_mm.tolist() == [90.0, 1.0, 1.0]


def test_a_frame_is_exactly_restored_from_json() -> None:
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


def test_positions_in_a_rotated_placement_convert_both_ways() -> None:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", [10, 20, 30], degrees=True).as_matrix()
    matrix[:3, 3] = (1, 2, 3)
    placement = Placement(matrix)

    np.testing.assert_allclose(placement.to_trachea(placement.to_ras(POINTS)), POINTS, atol=1e-12)
    np.testing.assert_allclose(placement.to_ras(POINTS), POINTS @ matrix[:3, :3].T + matrix[:3, 3])


def _tube(axis: np.ndarray, length_mm: float, spacing_mm: float = 1.5) -> Volume:
    """A trachea of 8 mm radius along `axis` through the origin, in patient space."""
    size = int(length_mm / spacing_mm)
    ijk_to_ras = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    ijk_to_ras[:3, 3] = -spacing_mm * size / 2
    blank = Volume(np.zeros((size,) * 3, dtype=np.uint8), ijk_to_ras)
    centres = blank.to_ras(np.argwhere(np.ones((size,) * 3))[:, ::-1])
    along = centres @ axis
    distance = np.linalg.norm(centres - along[:, None] * axis, axis=1)
    return Volume((distance < 8.0).reshape((size,) * 3).astype(np.uint8), ijk_to_ras)


def test_the_upright_frame_is_on_the_trachea_axis_at_the_height_of_the_gland() -> None:
    axis = np.array([0.08, -0.4, 1.0]) / np.linalg.norm([0.08, -0.4, 1.0])
    on_axis = 11.0 * axis
    beside = np.cross(axis, [1.0, 0.0, 0.0]) * 14.0

    placement = Placement.upright(_tube(axis, 90.0), on_axis + beside)

    rotation = placement.trachea_to_ras[:3, :3]
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    assert rotation[:, 2] @ axis > np.cos(np.radians(1.0))
    assert rotation[0, 0] > 0.99, "the first axis still points to the right"
    np.testing.assert_allclose(placement.origin_ras, on_axis, atol=0.5)


def test_the_upright_frame_does_not_depend_on_how_much_trachea_is_in_the_scan() -> None:
    axis = np.array([0.0, -0.3, 1.0]) / np.linalg.norm([0.0, -0.3, 1.0])
    whole = _tube(axis, 120.0)
    levels = whole.to_ras(np.argwhere(np.ones(whole.array.shape))[:, ::-1])[:, 2].reshape(whole.array.shape)
    cut = Volume(np.where(levels > -25.0, whole.array, 0), whole.ijk_to_ras)
    gland = 5.0 * axis

    np.testing.assert_allclose(
        Placement.upright(cut, gland).trachea_to_ras, Placement.upright(whole, gland).trachea_to_ras, atol=0.05
    )
    assert np.linalg.norm(Placement.on_trachea(cut).origin_ras - Placement.on_trachea(whole).origin_ras) > 10


def test_the_upright_alignment_requires_a_thyroid() -> None:
    trachea = _tube(np.array([0.0, 0.0, 1.0]), 60.0)

    with pytest.raises(InputError, match="no thyroid segmented"):
        Placement.of_patient("upright", trachea)
    with pytest.raises(InputError, match="no alignment 'sideways'"):
        Placement.of_patient("sideways", trachea)
