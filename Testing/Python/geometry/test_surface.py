"""Triangle surfaces: closed or not, their components, volume and bounds."""

from __future__ import annotations

import numpy as np
import pytest

from support.analytic_shapes import ellipsoid, together
from ThyroidSynthLib.geometry.surface import Surface


def test_a_closed_surface_has_two_consistent_triangles_at_every_edge() -> None:
    sphere = ellipsoid(subdivisions=2)
    one_turned = sphere.faces.copy()
    one_turned[5] = one_turned[5, ::-1]

    assert sphere.is_closed()
    assert together(sphere, ellipsoid(centre=(30.0, 0.0, 0.0), subdivisions=2)).is_closed()
    assert not Surface(sphere.vertices, sphere.faces[1:]).is_closed()
    assert not Surface(sphere.vertices, one_turned).is_closed()
    assert not Surface(sphere.vertices, np.vstack([sphere.faces, sphere.faces[:1]])).is_closed()
    assert not Surface(np.empty((0, 3)), np.empty((0, 3))).is_closed()


def test_components_are_numbered_from_0_without_gaps() -> None:
    parts = together(*(ellipsoid((1.0,) * 3, (4.0 * n, 0.0, 0.0), subdivisions=1) for n in range(3)))
    with_loose_vertices = Surface(np.vstack([parts.vertices, np.zeros((5, 3))]), parts.faces)

    for surface in (parts, with_loose_vertices):
        assert np.bincount(surface.components()).tolist() == [80, 80, 80]


def test_a_surface_has_bounds_and_a_volume() -> None:
    sphere = ellipsoid((2.0, 3.0, 4.0), (1.0, 0.0, -1.0), subdivisions=3)
    lower, upper = sphere.bounds

    assert lower == pytest.approx([-1.0, -3.0, -5.0], abs=0.1)
    assert upper == pytest.approx([3.0, 3.0, 3.0], abs=0.1)
    assert sphere.volume == pytest.approx(4 / 3 * np.pi * 2 * 3 * 4, rel=0.02)
    assert sphere.moved(2 * sphere.vertices).volume == pytest.approx(8 * sphere.volume)


def test_a_trimesh_has_the_same_vertices_faces_and_volume() -> None:
    sphere = ellipsoid((2.0, 3.0, 4.0), (1.0, 0.0, -1.0), subdivisions=3)
    surface = Surface(np.vstack([sphere.vertices, sphere.vertices[:1]]), sphere.faces)

    mesh = surface.to_trimesh()

    np.testing.assert_array_equal(mesh.vertices, surface.vertices)
    np.testing.assert_array_equal(mesh.faces, surface.faces)
    assert mesh.volume == pytest.approx(sphere.volume)
    assert sphere.to_trimesh().is_watertight
