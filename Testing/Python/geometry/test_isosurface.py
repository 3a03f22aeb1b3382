"""The surface of a mask is closed, faces outward and holds exactly the mask."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.measure import marching_cubes

from support.analytic_shapes import roughness_degrees
from ThyroidSynthLib.geometry.isosurface import (
    sdf_of_mask,
    sdf_without_islands,
    smoothed_sdf,
    surface_from_mask,
    surface_from_sdf,
)
from ThyroidSynthLib.geometry.sampling import signed_distance
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume


def a_gland(*, size: float = 1.0, bridge: bool = False) -> np.ndarray:
    """Two lobes in (k, j, i) order; the bridge is one voxel thin."""
    k, j, i = np.meshgrid(np.arange(34), np.arange(22), np.arange(28), indexing="ij")
    left = ((i - 7) / 5) ** 2 + ((j - 11) / 5) ** 2 + ((k - 17) / 11) ** 2 < size**2
    right = ((i - 20) / 4) ** 2 + ((j - 10) / 5) ** 2 + ((k - 15) / 10) ** 2 < size**2
    mask = left | right
    if bridge:
        mask[14:17, 11, 7:20] = True
    return mask


def volume_of(mask: np.ndarray, spacing: tuple[float, float, float] = (1.5, 1.5, 1.5)) -> Volume:
    return Volume(mask, np.diag([*spacing, 1.0]))


def voxelised(surface: Surface, volume: Volume) -> np.ndarray:
    centres = volume.to_ras(np.argwhere(np.ones(volume.array.shape, dtype=bool))[:, ::-1])
    return signed_distance(surface, centres).reshape(volume.array.shape) < 0


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("signs", list(product((-1.0, 1.0), repeat=3)))
def test_the_surface_is_closed_and_faces_outwards_for_any_axes(
    order: tuple[int, ...], signs: tuple[float, ...]
) -> None:
    mask = np.zeros((7, 6, 5), dtype=np.uint8)
    mask[1:6, 2:4, 1:4] = 1
    mask[1, 4, 1] = 1
    matrix = np.eye(4)
    matrix[:3, :3] = np.eye(3)[:, order] * signs * (1.0, 1.5, 2.0)
    matrix[:3, 3] = (30.0, -200.0, 900.0)
    volume = Volume(mask, matrix)

    surface = surface_from_mask(volume)

    assert surface.is_closed()
    assert surface.volume / 1000 == pytest.approx(mask.sum() * volume.voxel_volume_ml, rel=0.02)
    assert (surface.vertices.mean(axis=0) - volume.center_of_mass_ras()) == pytest.approx(0.0, abs=1.5)


@pytest.mark.parametrize(
    ("size", "spacing", "smallest_ml", "largest_ml"),
    [
        (1.0, (1.5, 1.5, 1.5), 5.0, 10.0),
        (1.0, (0.8, 0.8, 5.0), 5.0, 10.0),
        (0.5, (1.5, 1.5, 1.5), 0.5, 1.0),
        (0.3, (1.5, 1.5, 1.5), 0.05, 0.3),
    ],
)
def test_the_surface_has_the_volume_of_the_voxels(size, spacing, smallest_ml: float, largest_ml: float) -> None:
    volume = volume_of(a_gland(size=size), spacing)
    voxels_ml = volume.array.sum() * volume.voxel_volume_ml
    assert smallest_ml < voxels_ml < largest_ml

    surface = surface_from_mask(volume)

    assert surface.volume / 1000 == pytest.approx(voxels_ml, rel=0.01)


def test_a_single_voxel_keeps_its_volume() -> None:
    mask = np.zeros((3, 3, 3), dtype=np.uint8)
    mask[1, 1, 1] = 1

    surface = surface_from_mask(volume_of(mask))

    assert surface.is_closed()
    assert surface.volume == pytest.approx(1.5**3, rel=0.02)


def test_every_voxel_centre_stays_on_its_side_of_the_surface() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(11, 12, 13))
    for axis in range(3):
        noise = noise + np.roll(noise, 1, axis=axis)
    ragged = np.pad(noise > 0.5, 1)
    # The rounded lobes stand for glands, the ragged mask for the worst segmentation.
    for mask in (a_gland(size=0.6, bridge=False)[8:28, 4:18], ragged):
        volume = volume_of(mask, (1.5, 1.0, 2.0))
        np.testing.assert_array_equal(voxelised(surface_from_mask(volume), volume), mask)


def test_an_isthmus_of_one_voxel_survives_and_two_lobes_stay_separate() -> None:
    with_bridge = surface_from_mask(volume_of(a_gland(bridge=True)))
    without = surface_from_mask(volume_of(a_gland()))

    assert with_bridge.components().max() + 1 == 1
    assert without.components().max() + 1 == 2
    assert with_bridge.is_closed()


def test_a_gap_of_one_voxel_between_lobes_survives() -> None:
    mask = np.zeros((12, 12, 15), dtype=bool)
    mask[2:10, 2:10, 1:7] = mask[2:10, 2:10, 8:14] = True

    assert surface_from_mask(volume_of(mask)).components().max() + 1 == 2


def test_the_surface_is_closed_where_the_scan_cuts_the_mask() -> None:
    volume = volume_of(np.ones((4, 5, 6), dtype=np.uint8))

    surface = surface_from_mask(volume)

    assert surface.is_closed()
    assert surface.volume / 1000 == pytest.approx(120 * volume.voxel_volume_ml, rel=0.02)


def test_labels_other_than_1_are_inside_and_an_empty_mask_is_refused() -> None:
    mask = a_gland().astype(np.int16)

    assert surface_from_mask(volume_of(17 * mask)).volume == surface_from_mask(volume_of(mask)).volume
    with pytest.raises(ValueError, match="empty mask"):
        surface_from_mask(volume_of(np.zeros_like(mask)))


def test_a_field_with_zeros_at_grid_points_gives_a_closed_surface() -> None:
    position = np.stack(np.meshgrid(*[np.arange(-12.0, 13.0)] * 3, indexing="ij"), axis=-1)
    distance = np.linalg.norm(position, axis=-1)

    for radius in (5.0, 9.0, 10.0):
        assert (distance == radius).any()
        surface = surface_from_sdf(distance - radius)
        assert surface.is_closed()
        assert surface.volume == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.03)
        assert surface.vertices.mean(axis=0) == pytest.approx([12.0] * 3, abs=1e-6)


@pytest.mark.parametrize("smoothing", [0.6, 1.0, 2.0])
@pytest.mark.parametrize("rounded", [False, True])
def test_surfaces_of_random_fields_are_closed_and_oriented(smoothing: float, rounded: bool) -> None:
    """Rounded values lie on the level at many grid points, where marching cubes easily leaves holes."""
    for seed in range(5):
        field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(20, 20, 20)), smoothing)
        field = np.round(3 * field / np.abs(field).max()) if rounded else field
        faces = surface_from_sdf(np.pad(field, 1, constant_values=1.0)).faces
        edges = faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
        assert (np.unique(edges, axis=0, return_counts=True)[1] == 1).all()  # Each direction once ...
        assert (np.unique(np.sort(edges), axis=0, return_counts=True)[1] == 2).all()  # ... by two triangles.


def test_surfaces_equal_those_of_scikit_image() -> None:
    kji = np.indices((50, 50, 50)).astype(np.float32)
    field = np.minimum(*(np.linalg.norm(kji - centre, axis=0) - 11.3 for centre in (16.4, 30.7)))
    ours = surface_from_sdf(field)
    theirs, faces, *_ = marching_cubes(field, 0.0, gradient_direction="descent", allow_degenerate=False)

    assert cKDTree(theirs).query(ours.vertices)[0].max() < 1e-4
    assert ours.volume == pytest.approx(Surface(theirs, faces).volume, rel=1e-5)


def test_a_field_that_does_not_cross_the_level_is_refused() -> None:
    with pytest.raises(ValueError, match="level"):
        surface_from_sdf(np.ones((4, 4, 4)))


def test_small_islands_and_cavities_are_removed_from_a_field() -> None:
    sdf = np.full((20, 20, 20), 0.5)
    sdf[2:12, 2:12, 2:12] = -0.5
    sdf[5, 5, 5] = 0.25
    sdf[15, 15, 15:17] = -0.25
    large = sdf.copy()
    large[5, 5, 5] = -0.25
    large[15, 15, 15:17] = 0.25

    np.testing.assert_array_equal(sdf_without_islands(sdf, smallest=3), large)
    assert sdf[15, 15, 15] == -0.25, "the argument is left as it is"
    np.testing.assert_array_equal(sdf_without_islands(sdf, smallest=1), sdf)


def test_islands_of_the_original_field_stay() -> None:
    original = np.full((20, 20, 20), 0.5)
    original[2:12, 2:12, 2:12] = -0.5
    original[15, 15, 15:17] = -0.25
    edited = original.copy()
    edited[17, 3, 3] = -0.5

    np.testing.assert_array_equal(sdf_without_islands(edited, smallest=3, original=original), original)


def test_a_component_apart_from_the_original_is_removed_whatever_its_size():
    original = np.ones((6, 6, 20), dtype=np.float32)
    original[2:4, 2:4, 2:5] = -1
    edited = original.copy()
    edited[2:4, 2:4, 5] = -1
    grown = edited.copy()
    edited[1:5, 1:5, 10:18] = -1
    np.testing.assert_array_equal(
        sdf_without_islands(edited, smallest=3, original=original), np.where(grown < 0, grown, 1)
    )
    # Two parts of one original are both kept.
    edited[2:4, 2:4, 6:10] = -1
    np.testing.assert_array_equal(sdf_without_islands(edited, smallest=3, original=edited), edited)


@pytest.mark.parametrize("bridge", [False, True])
def test_a_smoothed_field_has_no_steps_the_same_voxels_and_the_same_volume(bridge: bool) -> None:
    stepped = np.pad(sdf_of_mask(volume_of(a_gland(bridge=bridge))).array, 3, mode="edge")
    rough = surface_from_sdf(stepped)
    points = np.argwhere(np.ones(stepped.shape, dtype=bool))
    distance = signed_distance(rough, points).reshape(stepped.shape).astype(np.float32)

    smooth = smoothed_sdf(np.where(stepped < 0, -np.abs(distance), np.abs(distance)), rough.volume)

    assert np.array_equal(smooth < 0, stepped < 0)
    surface = surface_from_sdf(smooth)
    assert surface.is_closed()
    assert surface.volume == pytest.approx(rough.volume, rel=3e-3)
    assert roughness_degrees(surface) < 0.8 * roughness_degrees(rough)
