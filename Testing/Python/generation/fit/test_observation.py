"""An observation has errors that follow from the voxel size, and no points beyond the scan."""

from __future__ import annotations

import numpy as np
import pytest

from support.tiny_cohort import two_lobes
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.generation.fit.observation import Observation
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.frame import Frame, Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.sampling import signed_distance
from ThyroidSynthLib.geometry.scan_border import cut_sides, part_in_scan, parts_beyond_scan
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise

FRAME = Frame([30.0, 20.0, 40.0], [-25.0, -12.0, -25.0], [25.0, 12.0, 25.0])
PLACEMENT = Placement.at([5.0, -3.0, 60.0])
GLAND = two_lobes(semi_axes_mm=(9.0, 8.0, 17.0), offset_mm=10.0, right_share=0.9)


def segmented(spacing_mm: tuple[float, float, float], *, lowest_mm: float = -30.0) -> Volume:
    """Segment the gland in a scan whose first slice lies at a level of the trachea frame."""
    surface = GLAND.moved(PLACEMENT.to_ras(GLAND.vertices))
    matrix = np.diag([*spacing_mm, 1.0])
    matrix[:3, 3] = PLACEMENT.to_ras(np.array([-30.0, -20.0, lowest_mm]))
    size = np.ceil(np.array([60.0, 40.0, 30.0 - lowest_mm]) / spacing_mm).astype(int)
    return voxelise(surface, Grid(tuple(size[::-1]), matrix))


def observed(mask: Volume) -> Observation:
    return Observation.of_mask(mask, PLACEMENT, FRAME, np.random.default_rng(0), scan=mask.grid)


def test_errors_are_larger_where_the_normal_is_across_thick_slices() -> None:
    seen = observed(segmented((1.0, 1.0, 5.0)))
    points, error_sd = seen.points_mm[: seen.on_surface], seen.error_sd[: seen.on_surface]
    poles, sides = points[:, 2] > 15.5, np.abs(points[:, 2]) < 4.0

    assert np.median(error_sd[poles]) > 1.7 * np.median(error_sd[sides])
    assert not seen.cut


def test_sides_agree_with_the_true_surface() -> None:
    seen = observed(segmented((1.0, 1.0, 5.0)))
    sided = seen.side != 0
    distance = signed_distance(GLAND, seen.points_mm[sided])

    assert sided.sum() > 1000
    clear = np.abs(distance) > 1e-3
    np.testing.assert_array_equal(np.sign(distance[clear]), seen.side[sided][clear])
    # Some lie far from the gland, where a completion must not grow.
    assert np.abs(distance).max() > 10.0


def test_no_point_lies_on_a_cut_face_or_beyond_the_scan() -> None:
    mask = segmented((1.5, 1.5, 2.0), lowest_mm=-3.0)
    seen = observed(mask)

    assert seen.cut
    on_surface = seen.points_mm[: seen.on_surface]
    assert np.abs(signed_distance(GLAND, on_surface)).max() < 1.6
    assert seen.points_mm[:, 2].min() >= -3.0 - 0.8
    # Some lie close to the border, where a surface closed at the border would be rounded.
    assert on_surface[:, 2].min() < -2.5
    lowest = on_surface[on_surface[:, 2] < -1.5]
    assert np.abs(signed_distance(GLAND, lowest)).mean() < 0.5


def test_a_single_slice_of_a_gland_raises() -> None:
    mask = segmented((1.5, 1.5, 2.0))
    matrix = mask.ijk_to_ras.copy()
    matrix[:3, 3] = mask.to_ras(np.array([0, 0, 15]))
    with pytest.raises(InputError, match="Too little of the thyroid lies in the scan"):
        observed(Volume(mask.array[15:16], matrix))


def test_the_sides_that_cut_a_gland_are_found_for_any_voxel_grid() -> None:
    cut, whole = segmented((1.5, 1.5, 2.0), lowest_mm=-3.0), segmented((1.5, 1.5, 2.0))
    np.testing.assert_array_equal(cut_sides(cut.cropped(), cut.grid), [[True, False], [False, False], [False, False]])
    assert not cut_sides(whole.cropped(), whole.grid).any()
    # The gland was segmented on a coarser grid than the scan's, whose axes are reversed.
    fine = np.diag([-0.8, -0.8, 0.8, 1.0])
    fine[:3, 3] = PLACEMENT.to_ras(np.array([30.0, 20.0, -3.2]))
    assert cut_sides(cut.cropped(), Grid((60, 50, 75), fine)).tolist()[0] == [True, False]


def test_a_surface_is_split_at_the_border_of_the_scan() -> None:
    surface = GLAND.moved(PLACEMENT.to_ras(GLAND.vertices))
    scan = segmented((1.5, 1.5, 2.0), lowest_mm=-3.0).grid

    seen, beyond = part_in_scan(surface, scan), parts_beyond_scan(surface, scan)

    assert len(beyond) == 1 and beyond[0].is_closed() and seen.is_closed()
    assert seen.volume + beyond[0].volume == pytest.approx(surface.volume, rel=1e-5)
    assert seen.bounds[0][2] == pytest.approx(60.0 - 4.0, abs=1e-3)
    assert parts_beyond_scan(surface, segmented((1.5, 1.5, 2.0)).grid) == []


def test_the_parts_beyond_a_corner_of_the_scan_do_not_overlap() -> None:
    surface = GLAND.moved(PLACEMENT.to_ras(GLAND.vertices))
    matrix = np.eye(4)
    matrix[:3, 3] = PLACEMENT.origin_ras
    scan = Grid((9, 9, 9), matrix)

    parts = [part_in_scan(surface, scan), *parts_beyond_scan(surface, scan)]

    assert sum(part.volume for part in parts) == pytest.approx(surface.volume, rel=1e-5)
    whole = Surface.joined(parts)
    assert isinstance(whole, Surface) and whole.volume == pytest.approx(surface.volume, rel=1e-5)


def test_a_whole_surface_is_known_equally_well_everywhere() -> None:
    seen = Observation.of_surface(GLAND, FRAME, np.random.default_rng(0))

    exact = seen.side == 0
    assert np.ptp(seen.error_sd[exact]) == 0
    # Far from it the sides are known.
    distance = signed_distance(GLAND, seen.points_mm[~exact])
    np.testing.assert_array_equal(np.sign(distance), seen.side[~exact])
    assert np.abs(signed_distance(GLAND, seen.points_mm[: seen.on_surface])).max() < 1e-4
    thin = seen.thinned(4)
    assert thin.on_surface == seen.on_surface // 4
    independent, of_thinned = (each.independent_share * len(each.target) for each in (seen, thin))
    assert of_thinned == pytest.approx(independent, rel=0.01)
    assert measure_features(seen.gland.surface) == measure_features(GLAND)


def test_a_fit_that_grows_outside_the_gland_contradicts_reserve_voxels() -> None:
    seen = observed(segmented((1.5, 1.5, 1.5)))

    def true(points_mm: np.ndarray) -> np.ndarray:
        return signed_distance(GLAND, points_mm)

    def with_a_blob(points_mm: np.ndarray) -> np.ndarray:
        return np.minimum(true(points_mm), np.linalg.norm(points_mm - [0.0, 9.0, 15.0], axis=1) - 4.0)

    assert seen.contradicted(true) is None
    more = seen.contradicted(with_a_blob)
    new = more.points_mm[len(seen.points_mm) :]
    assert len(new) > 5 and (np.linalg.norm(new - [0.0, 9.0, 15.0], axis=1) < 4.0).all()
    assert (more.side[len(seen.points_mm) :] == 1).all()
    assert more.contradicted(with_a_blob) is None
