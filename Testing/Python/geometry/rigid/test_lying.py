"""How a gland lies on a structure is measured right on boxes before a wall."""

from __future__ import annotations

import numpy as np
import pytest

from support.analytic_shapes import box, together
from support.tubes import tube_mask
from ThyroidSynthLib.geometry.frame import Frame, Placement
from ThyroidSynthLib.geometry.rigid.lying import LyingOn, OnTrachea, lying_on
from ThyroidSynthLib.geometry.rigid.structures import RigidStructures
from ThyroidSynthLib.geometry.surface import Surface


@pytest.fixture(scope="module")
def wall() -> RigidStructures:
    """Everything behind y = 0."""
    frame = Frame(np.full(3, 30.0), np.full(3, -30.0), np.full(3, 30.0), "upright")
    found = RigidStructures.of([box((200.0, 40.0, 200.0), (0.0, -20.0, 0.0))], Placement(np.eye(4)), frame)
    assert found is not None
    return found


def fine(surface: Surface) -> Surface:
    """Divide each triangle into smaller ones of 1 mm."""
    import trimesh

    vertices, faces = trimesh.remesh.subdivide_to_size(surface.vertices, surface.faces, 1.0)
    return Surface(vertices, faces)


def lying(wall: RigidStructures, *boxes: Surface, clearance_mm: float = 0.0) -> LyingOn:
    return lying_on(fine(together(*boxes)), wall, clearance_mm=clearance_mm)


def test_a_gland_before_the_wall(wall: RigidStructures) -> None:
    found = lying(wall, box((20.0, 6.0, 10.0), (0.0, 5.5, 0.0)), clearance_mm=3.0)

    assert found.overlap_mm3 == 0.0
    assert found.near_mm3 == pytest.approx(20 * 10 * 0.5, rel=0.02)
    assert found.gap_mm == pytest.approx(2.5, abs=0.01)
    assert found.clearance_mm == pytest.approx(2.5, abs=0.01)


def test_a_gland_in_the_wall(wall: RigidStructures) -> None:
    found = lying(wall, box((20.0, 6.0, 10.0), (0.0, 1.8, 0.0)))

    assert found.overlap_mm3 == pytest.approx(20 * 10 * 1.2, rel=0.02)
    assert found.gap_mm == pytest.approx(-1.2, abs=0.02)


def test_a_bridge_inside_the_wall_counts_with_its_own_volume(wall: RigidStructures) -> None:
    assert lying(wall, box((20.0, 2.0, 10.0), (0.0, -1.6, 0.0))).overlap_mm3 == pytest.approx(400.0, rel=0.05)


def test_a_tube_through_a_gland_overlaps_with_it() -> None:
    frame = Frame(np.full(3, 30.0), np.full(3, -30.0), np.full(3, 30.0), "upright")
    tube = RigidStructures.of(
        [tube_mask(width_mm=8.0, centre=(0.0, 0.0), reach_mm=(-60, 60))], Placement(np.eye(4)), frame
    )

    assert tube is not None
    assert lying(tube, box((20.0, 20.0, 20.0))).overlap_mm3 > 0.05 * 20 * np.pi * 4.0**2


def test_two_lobes_have_no_gap(wall: RigidStructures) -> None:
    found = lying(wall, box((8.0, 6.0, 10.0), (5.0, 5.0, 0.0)), box((8.0, 6.0, 10.0), (-5.0, 5.0, 0.0)))

    assert np.isnan(found.gap_mm)
    assert found.clearance_mm == pytest.approx(2.0, abs=0.01)


def test_a_gland_on_the_patients_own_trachea() -> None:
    trachea = tube_mask(width_mm=16.0, centre=(0.0, 0.0), reach_mm=(-40.0, 10.0), voxel_mm=0.5).cropped()
    bridge, lobes = (
        box((24.0, 6.0, 10.0), (0.0, 14.0, 0.0)),
        [box((8.0, 8.0, 20.0), (x, 0.0, 0.0)) for x in (-15.0, 15.0)],
    )

    for parts, clearance, gap in (([bridge], 3.0, 3.0), (lobes, 3.0, 0.0)):
        found = OnTrachea.measured(fine(together(*parts)), trachea, trachea.grid, Placement(np.eye(4)))
        assert found is not None
        assert found.width_mm == pytest.approx(16.0, abs=0.5)
        # A hundredth of a flat surface beside a round one.
        assert clearance - 0.05 < found.clearance_mm < clearance + 0.35
        assert found.gap_mm == pytest.approx(gap, abs=0.3)


def test_a_trachea_away_from_the_gland_is_not_measured() -> None:
    trachea = tube_mask(width_mm=16.0, centre=(0.0, 0.0), reach_mm=(-140.0, -110.0)).cropped()
    scan = trachea.grid.part([-5, -5, -5], np.add(trachea.array.shape, 10))

    assert OnTrachea.measured(fine(box((24.0, 6.0, 10.0))), trachea, scan, Placement(np.eye(4))) is None
