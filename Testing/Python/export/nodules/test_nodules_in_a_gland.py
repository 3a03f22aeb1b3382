"""Nodules in a gland of two analytic lobes: sizes on the label map, places, bulges and the gland's features."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from support.analytic_shapes import ellipsoid, together
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.export.nodules import Nodule, NoduleDistribution, build_nodules, draw_nodules
from ThyroidSynthLib.geometry.features import shared_volume
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise

ORIGIN = np.array([3.0, -20.0, 850.0])

PLACEMENT = Placement.at(ORIGIN)
LOBE = (10.0, 11.0, 24.0)


def at(x=0.0, y=0.0, z=0.0) -> tuple[float, float, float]:
    """A position in the trachea frame, in `ras_mm`."""
    return tuple((ORIGIN + np.array([x, y, z])).tolist())


@pytest.fixture(scope="module")
def gland():
    lobes = [ellipsoid(LOBE, at(side * 17.0)) for side in (1, -1)]
    return together(*lobes)


def grid_of(gland, spacing=1.0, degrees=0.0) -> Grid:
    """A grid around the gland, whose axes are turned about S."""
    straight = Grid.around(gland, spacing_mm=spacing, margin_mm=12.0)
    turn = Rotation.from_euler("z", degrees, degrees=True).as_matrix()
    matrix = straight.ijk_to_ras.copy()
    matrix[:3, :3] = turn @ matrix[:3, :3]
    matrix[:3, 3] = ORIGIN + turn @ (matrix[:3, 3] - ORIGIN) + (0.3, 0.1, 0.2)
    return Grid(straight.shape, matrix)


def labelled(made, grid: Grid) -> Volume:
    """The label map of a gland (1) and its nodules (10, 11, …)."""
    labels = voxelise(made.surface, grid)
    for number, built in enumerate(made.nodules):
        labels.array[voxelise(built.surface, grid).array != 0] = 10 + number
    return labels


@pytest.mark.parametrize(("spacing", "degrees"), [(1.0, 0.0), (1.5, 3.6), ((0.7, 0.7, 3.0), 0.0)])
@pytest.mark.parametrize("margin", ["smooth", "lobulated", "irregular"])
def test_diameters_are_within_half_a_voxel_on_the_label_map(gland, spacing, degrees, margin):
    grid = grid_of(gland, spacing, degrees)
    for seed, diameters in enumerate([(6.3, 7.2, 9.6), (10.5, 10.5, 10.5), (5.0, 5.0, 5.0)]):
        drawn = draw_nodules(
            gland, [Nodule(diameters, "right", margin=margin)], placement=PLACEMENT, seed=seed, grid=grid
        )
        made = build_nodules(gland, drawn.nodules, placement=PLACEMENT, grid=grid)
        labels = labelled(made, grid)
        # Measured here by itself: the axes of the nodule are those of the grid, or nearly.
        ijk = np.argwhere(labels.array == 10)[:, ::-1]
        extents = (np.ptp(ijk, axis=0) + 1) * grid.spacing_mm
        tilt = 0.1 * max(diameters) * (degrees > 0)
        assert (np.abs(extents - diameters) <= grid.spacing_mm / 2 + tilt).all(), (extents, diameters)
        (measured,) = made.measured_on(labels, [10])
        assert measured.met
        assert measured.diameters_mm == pytest.approx(extents, abs=0.01 + tilt)
        assert measured.volume_ml == pytest.approx(len(ijk) * grid.voxel_volume_ml)


def test_turned_nodules_have_their_diameters_along_their_own_axes(gland):
    grid = grid_of(gland)
    for angles in [(45.0, 0.0, 0.0), (20.0, 30.0, 40.0)]:
        nodule = Nodule((6.0, 9.0, 14.0), position_ras_mm=at(17.0), angles_deg=angles)
        (placed,) = draw_nodules(gland, [nodule], placement=PLACEMENT, seed=0, grid=grid).nodules
        made = build_nodules(gland, [placed], placement=PLACEMENT, grid=grid)
        inside = np.argwhere(labelled(made, grid).array == 10)[:, ::-1]
        # Second moments of a solid ellipsoid, from which the diameters follow without the steps of voxels.
        along = grid.to_ras(inside) @ Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
        assert 2 * np.sqrt(5 * along.var(axis=0)) == pytest.approx([6.0, 9.0, 14.0], abs=0.5)
        assert made.measured_on(labelled(made, grid), [10])[0].met


def test_without_a_grid_the_surfaces_have_the_diameters_exactly(gland):
    nodules = [Nodule((6.0, 8.0, 9.0), "left", margin=margin) for margin in ("smooth", "lobulated", "irregular")]
    drawn = draw_nodules(gland, nodules, placement=PLACEMENT, seed=4)
    made = build_nodules(gland, drawn.nodules, placement=PLACEMENT)
    for built in made.nodules:
        assert built.surface.is_closed() and built.surface.volume > 0
        assert np.ptp(built.surface.vertices, axis=0) == pytest.approx([6.0, 8.0, 9.0], abs=1e-6)
    smooth, lobulated, irregular = (built.surface.volume for built in made.nodules)
    assert smooth == pytest.approx(np.pi / 6 * 6 * 8 * 9, rel=0.005)
    assert not np.isclose(lobulated, smooth, rtol=0.01) and not np.isclose(irregular, lobulated, rtol=0.01)


def test_nodules_inside_leave_the_surface_and_cut_out_of_the_parenchyma(gland):
    nodules = [Nodule((8.0, 8.0, 8.0), "right", bulge=0.0), Nodule((6.0, 6.0, 12.0), "left")]
    drawn = draw_nodules(gland, nodules, placement=PLACEMENT, seed=1)
    made = build_nodules(gland, drawn.nodules, placement=PLACEMENT)
    assert made.surface is gland
    volumes = [built.surface.volume / 1000 for built in made.nodules]
    assert made.before.volume_ml == made.with_nodules.volume_ml == pytest.approx(gland.volume / 1000)
    assert made.parenchyma.volume_ml == pytest.approx(gland.volume / 1000 - sum(volumes), rel=1e-6)
    # Two equal lobes; the nodules do not mirror each other.
    assert made.with_nodules.symmetry > 0.99 > made.parenchyma.symmetry
    for built, side in zip(made.nodules, (1, -1), strict=True):
        assert built.bulge == 0.0
        assert side * (built.surface.vertices[:, 0] - ORIGIN[0]).min() > 0


@pytest.mark.parametrize("share", [0.15, 0.4])
def test_a_bulge_has_its_share_outside_and_the_gland_grows_by_it(gland, share):
    grid = grid_of(gland)
    drawn = draw_nodules(gland, [Nodule((9.0, 9.0, 9.0), "left", bulge=share)], placement=PLACEMENT, seed=2, grid=grid)
    made = build_nodules(gland, drawn.nodules, placement=PLACEMENT, grid=grid)
    (built,) = made.nodules
    outside = 1 - shared_volume(built.surface, gland) / built.surface.volume
    assert built.bulge == pytest.approx(outside) == pytest.approx(share, abs=0.06)
    assert made.surface.is_closed()
    grown = (made.surface.volume - gland.volume) / built.surface.volume
    assert share < grown < share + 0.35
    nodule, whole = voxelise(built.surface, grid).array, voxelise(made.surface, grid).array
    assert not (nodule > whole).any()
    # Far from the nodule the surface stays.
    (centre,) = [np.array(each.nodule.position_ras_mm) for each in made.nodules]
    far = np.linalg.norm(grid.to_ras(np.argwhere(whole != voxelise(gland, grid).array)[:, ::-1]) - centre, axis=1) > 10
    assert far.sum() < 100
    assert made.before.volume_ml == pytest.approx(gland.volume / 1000)
    assert made.with_nodules.volume_ml == pytest.approx(made.surface.volume / 1000)


def test_a_given_position_is_kept_and_moved_only_for_a_bulge(gland):
    place = at(17.0, 2.0, 5.0)
    (kept,) = draw_nodules(gland, [Nodule((6.0, 6.0, 6.0), position_ras_mm=place)], placement=PLACEMENT, seed=0).nodules
    assert kept.position_ras_mm == place and kept.part == "right"
    (moved,) = draw_nodules(
        gland, [Nodule((6.0, 6.0, 6.0), position_ras_mm=place, bulge=0.3)], placement=PLACEMENT, seed=0
    ).nodules
    assert np.linalg.norm(np.array(moved.position_ras_mm) - place) > 5
    assert build_nodules(gland, [moved], placement=PLACEMENT).nodules[0].bulge == pytest.approx(0.3, abs=0.05)


def test_a_nodule_that_does_not_fit_is_refused_with_what_does(gland):
    with pytest.raises(
        InputError, match=r"Nodule 2 of 21 x 21 x 21 mm does not fit into the left lobe.* has 1[89]\.\d mm"
    ):
        draw_nodules(
            gland,
            [Nodule((5.0, 5.0, 5.0), "right"), Nodule((21.0, 21.0, 21.0), "left")],
            placement=PLACEMENT,
            seed=0,
        )
    with pytest.raises(InputError, match="lies in the isthmus, but this gland has none"):
        draw_nodules(gland, [Nodule((5.0, 5.0, 5.0), "isthmus")], placement=PLACEMENT, seed=0)
    with pytest.raises(InputError, match=r"lies outside the gland by 100% of its volume.*Move it"):
        far = at(60.0)
        draw_nodules(gland, [Nodule((5.0, 5.0, 5.0), position_ras_mm=far)], placement=PLACEMENT, seed=0)
    with pytest.raises(InputError, match=r"A nodule in the left lobe lies at .* which is in the right lobe"):
        draw_nodules(gland, [Nodule((5.0, 5.0, 5.0), "left", at(17.0))], placement=PLACEMENT, seed=0)
    with pytest.raises(InputError, match=r"Nodule 2 .* overlaps another nodule"):
        one = Nodule((5.0, 5.0, 5.0), position_ras_mm=at(17.0))
        draw_nodules(gland, [one, one], placement=PLACEMENT, seed=0)


def test_a_distribution_redraws_what_does_not_fit_and_counts_it(gland):
    spread = NoduleDistribution.parse("count=3,diameter=6-30,part=right/left")
    drawn = [draw_nodules(gland, spread, placement=PLACEMENT, seed=seed) for seed in range(4)]
    assert all(len(each.nodules) == 3 for each in drawn) and sum(each.redrawn for each in drawn) > 0
    assert drawn[0] == draw_nodules(gland, spread, placement=PLACEMENT, seed=0) != drawn[1]
    with pytest.raises(InputError, match=r"No nodule of the distribution fits as number 1 .*40 were drawn.* ball"):
        draw_nodules(gland, NoduleDistribution.parse("diameter=40-60"), placement=PLACEMENT, seed=0)


def test_in_a_cohort_nodules_that_do_not_fit_are_left_out_and_counted(gland):
    large = NoduleDistribution.parse("count=4,diameter=14-15,part=right")
    drawn = draw_nodules(gland, large, placement=PLACEMENT, seed=0, all_must_fit=False)
    assert len(drawn.nodules) + drawn.left_out == 4
    assert drawn.left_out > 0
    with pytest.raises(InputError, match="No nodule of the distribution fits"):
        draw_nodules(gland, large, placement=PLACEMENT, seed=0)


def test_nodules_do_not_overlap_each_other_or_what_they_must_not_reach(gland):
    grid = grid_of(gland, 1.5)
    trachea = voxelise(ellipsoid((9.0, 9.0, 30.0), ORIGIN), grid)
    spread = NoduleDistribution.parse("count=6,diameter=5-8,bulge=0-0.4,margin=irregular")
    for seed in range(2):
        drawn = draw_nodules(gland, spread, placement=PLACEMENT, seed=seed, grid=grid, keep_out=trachea)
        made = build_nodules(gland, drawn.nodules, placement=PLACEMENT, grid=grid)
        inside = np.sum([voxelise(built.surface, grid).array for built in made.nodules], axis=0)
        assert inside.max() == 1
        assert not (inside.astype(bool) & (trachea.array != 0)).any()


@pytest.mark.parametrize("kind", ["micro", "macro", "rim"])
def test_calcification_lies_in_its_nodule_and_leaves_its_diameters(gland, kind):
    grid = grid_of(gland)
    nodule = Nodule((12.0, 12.0, 14.0), "right", calcification=kind)
    made = build_nodules(
        gland, draw_nodules(gland, [nodule], placement=PLACEMENT, seed=3, grid=grid).nodules, placement=PLACEMENT,
        grid=grid,
    )  # fmt: skip
    (built,) = made.nodules
    hard = built.calcification
    assert hard is not None and hard.is_closed() and 0 < hard.volume < 0.5 * built.surface.volume
    assert shared_volume(hard, built.surface) == pytest.approx(hard.volume, rel=0.1)
    if kind == "rim":
        # A shell has nothing in its middle.
        i, j, k = np.rint(grid.to_ijk(np.array(built.nodule.position_ras_mm))).astype(int)
        assert voxelise(hard, grid).array[k, j, i] == 0
    labels = labelled(made, grid)
    labels.array[voxelise(hard, grid).array != 0] = 99
    (whole,) = made.measured_on(labels, [10], calcification=99)
    assert whole.met and whole.volume_ml == pytest.approx(built.surface.volume / 1000, rel=0.05)
    (rest,) = made.measured_on(labels, [10])
    assert whole.volume_ml - rest.volume_ml == pytest.approx(hard.volume / 1000, rel=0.5)


def test_the_document_states_that_nodules_are_modelled_and_all_features(gland):
    drawn = draw_nodules(gland, [Nodule((8.0, 8.0, 8.0), "right")], placement=PLACEMENT, seed=0)
    made = build_nodules(gland, drawn.nodules, placement=PLACEMENT)
    grid = grid_of(gland)
    document = made.as_dict(made.measured_on(labelled(made, grid), [10]))
    assert "modelled" in document["statement"] and "not learned" in document["statement"]
    (entry,) = document["nodules"]
    assert entry["name"] == "thyroid_nodule_1" and entry["material"] == "thyroid_nodule_solid"
    assert entry["on_label_map"]["volume_ml"] == pytest.approx(entry["volume_ml"], rel=0.1)
    assert document["features_without_nodules"]["volume_ml"] < document["features_with_nodules"]["volume_ml"]
