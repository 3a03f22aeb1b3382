"""Surface distances with analytically known values."""

import numpy as np
import pytest

from ThyroidSynthLib.evaluation.metrics.surface_distances import assd, chamfer, compare_surfaces, dice
from ThyroidSynthLib.geometry.isosurface import surface_from_sdf
from ThyroidSynthLib.geometry.surface import Surface


def a_sphere(radius: float, resolution: int = 48) -> Surface:
    axes = np.linspace(-1.1, 1.1, resolution)
    x, y, z = np.meshgrid(axes, axes, axes, indexing="ij")
    unit = surface_from_sdf(np.sqrt(x**2 + y**2 + z**2) - 1)
    return Surface((unit.vertices / (resolution - 1) * 2.2 - 1.1) * radius, unit.faces)


def test_the_authors_chamfer_is_the_sum_of_both_unsquared_means():
    assert chamfer(np.zeros((1, 3)), np.array([[3.0, 4.0, 0.0]])) == pytest.approx(10.0)
    # 0 mm in one direction, a mean of 1 mm in the other.
    assert chamfer(np.zeros((1, 3)), np.array([[0.0, 0, 0], [2.0, 0, 0]])) == pytest.approx(1.0)


def test_distances_of_concentric_spheres_equal_the_difference_of_their_radii():
    result = compare_surfaces(a_sphere(20.0), a_sphere(21.5))
    assert result.assd_mm == pytest.approx(1.5, abs=0.02)
    assert assd(a_sphere(20.0), a_sphere(21.5)) == pytest.approx(1.5, abs=0.02)
    assert result.surface_chamfer_mm == pytest.approx(3.0, abs=0.04)
    assert result.hd95_mm == pytest.approx(1.5, abs=0.03)
    assert (result.nsd_1mm, result.nsd_2mm) == (0.0, 1.0)
    shells = 20.0**3, 21.5**3
    assert result.dice == pytest.approx(2 * shells[0] / sum(shells), abs=0.01)


def test_a_remeshed_copy_has_zero_assd_but_not_zero_chamfer():
    reference = a_sphere(20.0)
    same = compare_surfaces(reference, reference)
    assert same.chamfer_mm == 0 and same.assd_mm < 1e-4 and same.dice == 1
    remeshed = compare_surfaces(reference, a_sphere(20.0, resolution=31))
    assert remeshed.assd_mm < 0.05
    assert remeshed.chamfer_mm > 0.5


def test_assd_does_not_depend_on_the_mesh_density():
    plain, other = a_sphere(20.0), a_sphere(22.0)
    # Split every triangle on the right into three: the same surface with crowded vertices there.
    right = plain.corners.mean(axis=1)[:, 0] > 0
    centers = plain.corners[right].mean(axis=1)
    index = len(plain.vertices) + np.arange(len(centers))
    a, b, c = plain.faces[right].T
    split = np.concatenate([np.stack(t, axis=1) for t in ((a, b, index), (b, c, index), (c, a, index))])
    crowded = Surface(np.concatenate([plain.vertices, centers]), np.concatenate([plain.faces[~right], split]))
    moved = other.moved(other.vertices + np.array([1.0, 0, 0]))
    assert compare_surfaces(crowded, moved).assd_mm == pytest.approx(compare_surfaces(plain, moved).assd_mm, abs=0.02)


def test_results_are_reproducible_with_the_seed():
    a, b = a_sphere(20.0, 24), a_sphere(21.0, 24)
    assert compare_surfaces(a, b, seed=3) == compare_surfaces(a, b, seed=3)
    assert compare_surfaces(a, b, seed=3).assd_mm != compare_surfaces(a, b, seed=4).assd_mm


def test_dice_is_none_for_an_open_surface_and_zero_for_separate_ones():
    sphere = a_sphere(8.0, 24)
    assert dice(sphere, Surface(sphere.vertices, sphere.faces[1:])) is None
    assert dice(sphere, sphere.moved(sphere.vertices + 50)) == 0


def test_dice_is_computed_in_the_given_voxels():
    sphere, larger = a_sphere(8.0, 24), a_sphere(9.0, 24)
    coarse = np.diag([6.0, 6.0, 6.0, 1.0])
    assert dice(sphere, larger, lattice=coarse) != dice(sphere, larger)
    # A rotated, mirrored and translated lattice of the same spacing gives the same overlap.
    turned = np.eye(4)
    turned[:3, :3] = 1.5 * np.array([[0.8, 0.6, 0.0], [0.6, -0.8, 0.0], [0.0, 0.0, 1.0]])
    turned[:3, 3] = 400.0, -300.0, 77.0
    assert dice(sphere, larger, lattice=turned) == pytest.approx(dice(sphere, larger), abs=0.02)
