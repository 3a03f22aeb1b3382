"""An organ is sampled where its scan shows it: inside the box and the scan, and without the faces where it is cut."""

from __future__ import annotations

import numpy as np
import pytest

from support.analytic_shapes import shifted
from support.necks import EVERYWHERE, FRAME, tube
from ThyroidSynthLib.dataset.organs.organ_samples import draw_organ_samples, is_seen
from ThyroidSynthLib.dataset.organs.organ_shapes import measure_organ, organ_frame, organ_in_scan
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.masks import mask_in_scan

BOX = np.array([[-20.0, -15.0, -20.0], [20.0, 15.0, 20.0]])
NOWHERE = Placement(np.eye(4))


def scan(top_mm: float) -> Grid:
    """Return a scan with voxels of 1 mm whose border lies at a height."""
    matrix = np.eye(4)
    matrix[:3, 3] = [-60.0, -60.0, -80.0]
    return Grid((int(top_mm + 80), 120, 120), matrix)


def in_scan(top_mm: float, radius_mm: float = 9.0):
    grid = scan(top_mm)
    mask = mask_in_scan(voxelise(tube(radius_mm, 2.0, -5.0, half_length_mm=200.0), grid))
    found = organ_in_scan(mask, NOWHERE, BOX)
    assert found is not None
    return found


def test_the_face_where_the_scan_cuts_a_trachea_is_not_learned_as_its_end() -> None:
    surface, seen = in_scan(top_mm=5.0)
    assert is_seen(surface, seen, FRAME)

    samples = draw_organ_samples(surface, seen, FRAME, 4000, np.random.default_rng(0)) * 45.0

    x, y, z, distance = samples.T.astype(float)
    assert z.max() <= 4.0 + 1e-3  # The centre of the last voxel of the scan.
    assert (samples[:, :3] >= FRAME.lower_mm - 1e-3).all() and (samples[:, :3] <= FRAME.upper_mm + 1e-3).all()
    to_tube = np.hypot(x - 2.0, y + 5.0) - 9.0
    assert np.abs(distance - to_tube).max() < 0.7
    # Just below the border the tube is as wide as elsewhere; the corner of a cut mask would be rounded.
    close = (distance == 0) & (z > 1.5)
    assert close.sum() > 50 and np.abs(to_tube[close]).max() < 0.52
    # On the axis just below the border, the tube is 9 mm deep; a cut face would be 1 or 2 mm away. So near to the
    # border that depth is not known, and nothing is said of it.
    assert (4.0 - z >= np.abs(distance) - 1e-3).all()
    assert (distance < -5).sum() > 20


def test_samples_lie_on_near_and_around_the_surface() -> None:
    samples = draw_organ_samples(tube(8.0, 0.0, -20.0), EVERYWHERE, FRAME, 2000, np.random.default_rng(1))

    assert samples.dtype == np.float32 and samples.shape == (2000, 4)
    assert (samples[:, 3] == 0).mean() == pytest.approx(0.4)
    assert (np.abs(samples[:, 3]) < 12 / 45).mean() > 0.7 and (samples[:, 3] * 45 > 25).sum() > 30


def test_features_are_those_of_the_tube_also_where_the_scan_ends_in_the_band() -> None:
    for top_mm in (60.0, 5.0):
        surface, seen = in_scan(top_mm)

        section, lateral = measure_organ(surface, FRAME, seen)

        assert section == pytest.approx(np.pi * 81, rel=0.03)
        assert lateral == pytest.approx(2.0, abs=0.1)


def test_an_organ_that_is_not_near_the_gland_is_missing() -> None:
    grid = scan(60.0)
    low = voxelise(tube(9.0, 0.0, 0.0, half_length_mm=200.0), grid)
    low.array[15:] = 0
    high = voxelise(tube(9.0, 50.0, 50.0, half_length_mm=200.0), grid)

    found = organ_in_scan(mask_in_scan(low), NOWHERE, BOX)
    assert organ_in_scan(mask_in_scan(low), NOWHERE, BOX + np.array([0.0, 0.0, 60.0])) is None
    assert found is None or not is_seen(*found, FRAME)
    assert measure_organ(shifted(tube(9.0, 0.0, 0.0), z=130.0), FRAME) is None
    beside = organ_in_scan(mask_in_scan(high), NOWHERE, BOX)
    assert beside is None or not is_seen(*beside, FRAME)


def test_one_odd_gland_does_not_stretch_the_box_of_all() -> None:
    boxes = np.tile(np.array([[-25.0, -15.0, -20.0], [25.0, 15.0, 20.0]]), (100, 1, 1))
    frame = organ_frame(boxes, "upright")
    boxes[7] *= 4

    odd = organ_frame(boxes, "upright")

    assert np.allclose(odd.lower_mm, frame.lower_mm) and np.allclose(odd.upper_mm, frame.upper_mm)
    assert len(set(frame.scale_mm)) == 1 and (frame.lower_mm < boxes[0, 0]).all()
