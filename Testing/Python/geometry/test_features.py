"""Measured features of shapes whose features have a formula."""

from __future__ import annotations

import numpy as np
import pytest

from support.analytic_shapes import box, ellipsoid, inside_out, shifted, together, winding_inside
from support.tiny_cohort import two_lobes
from ThyroidSynthLib.geometry.features import (
    FEATURE_NAMES,
    measure_features,
    midsagittal_area,
    midsagittal_outline,
    smaller_side,
)
from ThyroidSynthLib.geometry.surface import Surface


def mirrored(surface: Surface) -> Surface:
    return Surface(surface.vertices * (-1.0, 1.0, 1.0), surface.faces[:, ::-1])


def test_the_features_of_a_sphere() -> None:
    features = measure_features(ellipsoid())

    assert features.volume_ml == pytest.approx(4 / 3 * np.pi, rel=2e-3)
    assert features.isthmus_area_mm2 == pytest.approx(100 * np.pi, rel=1e-3)
    assert features.symmetry == pytest.approx(1.0, abs=1e-9)
    assert list(features.as_dict()) == list(FEATURE_NAMES)
    assert features.as_array() == pytest.approx(list(features.as_dict().values()))


def test_the_features_of_an_ellipsoid_far_above_the_trachea() -> None:
    features = measure_features(ellipsoid((18.0, 9.0, 25.0), (0.0, -8.0, 61.0)))

    assert features.volume_ml == pytest.approx(4 / 3 * np.pi * 18 * 9 * 25 / 1000, rel=2e-3)
    assert features.isthmus_area_mm2 == pytest.approx(np.pi * 9 * 25, rel=1e-3)
    assert features.symmetry == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("offset", [0.3, 2.0, 5.0, 9.0])
def test_a_sphere_off_the_midline_overlaps_its_mirror_image_in_a_lens(offset: float) -> None:
    features = measure_features(ellipsoid(centre=(offset, 3.0, 7.0)))

    cap = 10.0 - offset
    lens = 2 * np.pi * cap**2 * (30.0 - cap) / 3
    assert features.symmetry == pytest.approx(lens / (8 / 3 * np.pi * 1000 - lens), abs=2e-3)
    assert features.isthmus_area_mm2 == pytest.approx(np.pi * (100 - offset**2), rel=5e-3)


@pytest.mark.parametrize("offset", [-12.0, -9.0, -4.0, 0.0, 4.0, 9.0, 12.0])
def test_the_smaller_side_of_a_sphere_is_a_cap(offset: float) -> None:
    cap = max(10.0 - abs(offset), 0.0)

    assert smaller_side(ellipsoid(centre=(offset, 3.0, 7.0))) == pytest.approx(cap**2 * (30 - cap) / 4000, abs=2e-3)


def test_two_separate_spheres_have_no_isthmus_and_overlap_by_the_smaller_one() -> None:
    features = measure_features(together(ellipsoid((8.0,) * 3, (-15.0, 0, 0)), ellipsoid((6.0,) * 3, (15.0, 0, 0))))

    assert features.isthmus_area_mm2 == 0.0
    assert features.volume_ml == pytest.approx(4 / 3 * np.pi * (512 + 216) / 1000, rel=2e-3)
    # The smaller sphere's mirror image lies inside the larger one.
    assert features.symmetry == pytest.approx(2 * 216 / (2 * 512), abs=2e-3)


def test_a_single_lobe_on_one_side_has_symmetry_0() -> None:
    assert measure_features(ellipsoid(centre=(-15.0, 0, 0))).symmetry == 0.0


def test_a_cavity_is_subtracted_from_isthmus_area_and_volume() -> None:
    features = measure_features(together(ellipsoid(), inside_out(ellipsoid((5.0,) * 3))))

    assert features.isthmus_area_mm2 == pytest.approx(75 * np.pi, rel=1e-3)
    assert features.volume_ml == pytest.approx(4 / 3 * np.pi * 0.875, rel=2e-3)
    assert features.symmetry == pytest.approx(1.0, abs=1e-9)


def test_the_areas_of_several_midsagittal_sections_are_summed() -> None:
    three = together(*(ellipsoid((4.0,) * 3, (1.0, 0.0, height)) for height in (-20.0, 0.0, 20.0)))

    assert midsagittal_area(three) == pytest.approx(3 * np.pi * 15, rel=2e-3)


def test_the_outline_is_closed_when_vertices_lie_on_the_plane() -> None:
    surface = ellipsoid()
    assert (surface.vertices[:, 0] == 0).sum() > 10

    start, end = midsagittal_outline(surface)

    assert start.sum(axis=0) == pytest.approx(end.sum(axis=0), abs=1e-9)
    moved = shifted(surface, 1e-9)
    assert midsagittal_area(surface) == pytest.approx(midsagittal_area(moved), rel=1e-6)


def test_a_gland_that_touches_the_midline_in_one_point_has_no_isthmus() -> None:
    for side in (-1.0, 1.0):
        touching = ellipsoid(subdivisions=3)
        touching = shifted(touching, side * np.abs(touching.vertices[:, 0]).max())
        assert np.abs(touching.vertices[:, 0]).min() == 0
        features = measure_features(touching)
        assert features.isthmus_area_mm2 == pytest.approx(0.0, abs=1e-9)
        assert features.symmetry == 0.0


def test_two_halves_that_meet_in_the_midline_have_the_features_of_the_whole() -> None:
    halves = together(box((5, 10, 10), (-2.5, 0, 0)), box((5, 10, 10), (2.5, 0, 0)))

    features = measure_features(halves)

    assert features.as_array() == pytest.approx(measure_features(box()).as_array(), abs=1e-9)
    assert features.as_array() == pytest.approx([1.0, 100.0, 1.0], abs=1e-9)


def test_the_order_of_vertices_and_faces_does_not_matter() -> None:
    surface = two_lobes(semi_axes_mm=(9.0, 8.0, 16.0), offset_mm=8.0, right_share=0.85)
    expected = measure_features(surface).as_array()
    rng = np.random.default_rng(0)

    order = rng.permutation(len(surface.vertices))
    shuffled = Surface(surface.vertices[order], np.argsort(order)[surface.faces][rng.permutation(len(surface.faces))])
    rotated = Surface(surface.vertices, np.roll(surface.faces, 1, axis=1))

    assert measure_features(shuffled).as_array() == pytest.approx(expected, abs=1e-9)
    assert measure_features(rotated).as_array() == pytest.approx(expected, abs=1e-9)
    assert measure_features(mirrored(surface)).as_array() == pytest.approx(expected, abs=1e-9)


def test_a_symmetric_gland_has_symmetry_1_for_any_position_of_the_columns() -> None:
    surface = two_lobes(semi_axes_mm=(7.0, 5.0, 11.0), offset_mm=9.0, right_share=1.0)

    for shift in np.linspace(0.0, 0.9, 5):
        moved = shifted(surface, 0.0, shift, -shift)
        assert measure_features(moved).symmetry == pytest.approx(1.0, abs=1e-3)


def test_the_symmetry_differs_by_about_a_thousandth_from_that_of_much_denser_columns() -> None:
    rng = np.random.default_rng(0)
    for _ in range(6):
        surface = two_lobes(
            semi_axes_mm=tuple(rng.uniform((7.0, 6.0, 12.0), (11.0, 10.0, 22.0))),
            offset_mm=rng.uniform(7.0, 14.0),
            right_share=rng.uniform(0.7, 1.0),
        )
        surface = shifted(surface, *rng.uniform((-3, -1, -1), (3, 1, 1)))
        exact = measure_features(surface, column_mm=0.1).symmetry
        assert measure_features(surface).symmetry == pytest.approx(exact, abs=1.5e-3)


def test_symmetry_is_the_intersection_over_union_of_random_points() -> None:
    surface = two_lobes(semi_axes_mm=(9.0, 8.0, 16.0), offset_mm=8.0, right_share=0.8)
    surface = shifted(surface, 1.7)
    rng = np.random.default_rng(0)
    reach = np.abs(surface.vertices).max(axis=0)
    points = rng.uniform(-reach, reach, (800, 3))

    inside = winding_inside(surface, points)
    mirror_inside = winding_inside(surface, points * (-1, 1, 1))

    expected = (inside & mirror_inside).sum() / (inside | mirror_inside).sum()
    assert measure_features(surface).symmetry == pytest.approx(expected, abs=0.07)


def test_an_open_surface_has_finite_features_near_those_of_the_closed_one() -> None:
    surface = ellipsoid(centre=(1.0, 0.0, 0.0))
    hole = Surface(surface.vertices, surface.faces[40:])

    features = measure_features(hole)

    assert np.isfinite(features.as_array()).all()
    assert features.volume_ml == pytest.approx(measure_features(surface).volume_ml, rel=0.1)
    assert 0.0 <= features.symmetry <= 1.0


def test_a_sheet_without_thickness_has_volume_0_and_symmetry_0() -> None:
    sheet = box((0.0, 10.0, 10.0))

    assert measure_features(sheet).volume_ml == 0.0
    assert measure_features(sheet).symmetry == 0.0
