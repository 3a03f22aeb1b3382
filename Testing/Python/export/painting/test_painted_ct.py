"""A CT that follows a changed gland, in a small neck with a known gland, airway, vessel, point spread and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion, center_of_mass, distance_transform_edt, gaussian_filter
from scipy.stats import ks_2samp

from support.analytic_shapes import ellipsoid, together
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.export.nodules import Nodule, build_nodules
from ThyroidSynthLib.export.painting import paint_ct
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import volume_fractions, voxelise

GLAND_HU, SIGMA, SHAPE = 160.0, 0.6, (60, 70, 90)
ORIGIN = np.array([10.0, -30.0, 700.0])
GRID = Grid(SHAPE, np.vstack([np.column_stack([np.diag([1.0, 1.0, 1.25]), ORIGIN - (44.5, 34.5, 36.9)]), [0, 0, 0, 1]]))


def lobes(size: float = 1.0, *, only: int | None = None) -> Surface:
    sides = (-1, 1) if only is None else (only,)
    found = [ellipsoid(np.array([8.0, 9.0, 18.0]) * size, ORIGIN + np.array([side * 17.0, 0, 0])) for side in sides]
    return together(*found)


@dataclass(frozen=True)
class NeckScan:
    """The CT, the gland's mask, the airway's mask and that of a bright vessel."""

    ct: Volume
    gland: Volume
    airway: Volume
    vessel: Volume


@pytest.fixture(scope="module")
def neck() -> NeckScan:
    rng = np.random.default_rng(5)
    x, y, _ = (GRID.to_ras(np.indices(SHAPE)[::-1].reshape(3, -1).T) - ORIGIN).T
    hu = np.where(gaussian_filter(rng.standard_normal(SHAPE), 5) > 0, 50.0, 25.0)
    airway = (np.hypot(x, y + 4) < 7).reshape(SHAPE)
    vessel = (np.hypot(x - 33, y + 2) < 3.5).reshape(SHAPE)
    hu[airway], hu[vessel] = -1000.0, 240.0
    share = volume_fractions(lobes(), GRID)
    hu = gaussian_filter(hu + share * (GLAND_HU - hu), SIGMA)
    hu += 12 * 3 * gaussian_filter(rng.standard_normal(SHAPE), 0.8)
    masks = [Volume(each.astype(np.uint8), GRID.ijk_to_ras) for each in (airway, vessel)]
    return NeckScan(Volume(np.rint(hu).astype(np.int16), GRID.ijk_to_ras), voxelise(lobes(), GRID), *masks)


def depth(mask: np.ndarray) -> np.ndarray:
    """Distance in mm to the border of a mask, positive inside."""
    steps = GRID.spacing_mm[::-1]
    return distance_transform_edt(mask, sampling=steps) - distance_transform_edt(~mask, sampling=steps)


def values_at(ct: Volume, mask: np.ndarray, low: float, high: float) -> np.ndarray:
    inside = depth(mask)
    return ct.array[(inside > low) & (inside <= high) & (ct.array > -300)].astype(float)


def test_a_gland_that_does_not_change_leaves_the_ct_as_it_is(neck):
    painted = paint_ct(neck.ct, lobes(), lobes(), seed=0)
    assert (painted.volume.array == neck.ct.array).all()
    assert painted.volume.array is not neck.ct.array and painted.notes == ()


@pytest.mark.parametrize("size", [0.8, 1.15])
def test_the_new_gland_has_the_values_and_the_edge_of_the_old_one(neck, size):
    painted = paint_ct(neck.ct, lobes(), lobes(size), seed=1)
    old, new = neck.gland.array != 0, voxelise(lobes(size), GRID).array != 0
    core = [values_at(*pair, 2.5, 99) for pair in ((neck.ct, old), (painted.volume, new))]
    assert ks_2samp(*core).statistic < 0.12
    assert core[1].mean() == pytest.approx(core[0].mean(), abs=2.0)
    assert core[1].std() == pytest.approx(core[0].std(), rel=0.15)
    # The profile across the rim, and how steep it is.
    profiles = [
        np.array([values_at(*pair, low, low + 1.25).mean() for low in (-3.75, -2.5, -1.25, 0, 1.25)])
        for pair in ((neck.ct, old), (painted.volume, new))
    ]
    assert profiles[1] == pytest.approx(profiles[0], abs=9.0)
    assert np.diff(profiles[1]).max() == pytest.approx(np.diff(profiles[0]).max(), rel=0.15)
    assert painted.document["gland_mean_hu"] == pytest.approx(GLAND_HU, abs=2)
    assert painted.document["gland_values"] == "measured in the patient's gland"
    assert "Synthetic" in painted.document["statement"]


def test_where_the_gland_is_gone_there_is_tissue_like_that_around_it(neck):
    painted = paint_ct(neck.ct, lobes(), lobes(only=1), seed=2, neighbours=neck.airway)
    gone = (neck.gland.array != 0) & (voxelise(lobes(only=1), GRID).array == 0)
    around = ~binary_dilation(neck.gland.array != 0, iterations=3) & (neck.vessel.array == 0) & (neck.ct.array > -150)
    around &= neck.ct.array < 130
    before = neck.ct.array[gone].astype(float)
    filled, tissue = painted.volume.array[gone].astype(float), neck.ct.array[around].astype(float)
    assert before.mean() > tissue.mean() + 80
    assert filled.mean() == pytest.approx(tissue.mean(), abs=10) and filled.std() == pytest.approx(
        tissue.std(), rel=0.3
    )
    # No edge is left where the outline was.
    before, after = (
        np.linalg.norm(np.gradient(gaussian_filter(ct.array.astype(float), 1.5)), axis=0)
        for ct in (neck.ct, painted.volume)
    )
    left = (np.abs(depth(gone)) < 1.5) & (painted.volume.array > -200)
    assert before[left].mean() > 3 * before[around].mean() and after[left].mean() < 1.3 * after[around].mean()
    # The airway and what is far away stay.
    far = depth(neck.gland.array != 0) < -12
    assert (painted.volume.array == neck.ct.array)[far].all()
    lumen = binary_erosion(neck.airway.array != 0)
    assert (painted.volume.array == neck.ct.array)[lumen].all()


def test_a_bright_rim_that_the_segmentation_missed_goes_with_the_gland(neck):
    small = voxelise(lobes(0.8), GRID).array != 0
    painted = paint_ct(neck.ct, lobes(0.8), lobes(only=1), seed=2)
    rim = (neck.gland.array != 0) & (voxelise(lobes(1.3, only=1), GRID).array == 0) & ~small
    assert neck.ct.array[rim].mean() > 95 > 70 > painted.volume.array[rim].mean()


def test_nodules_have_their_own_values_and_calcification_is_bright(neck):
    place = Placement.at(ORIGIN)
    right, left = (tuple((ORIGIN + np.array([side * 17.0, 0, 0])).tolist()) for side in (1, -1))
    nodules = [
        Nodule((10.0, 10.0, 14.0), position_ras_mm=right, composition="cystic", seed=1),
        Nodule((10.0, 10.0, 14.0), position_ras_mm=left, calcification="macro", seed=2),
    ]
    made = build_nodules(lobes(), nodules, placement=place)
    painted = paint_ct(neck.ct, lobes(), made.surface, nodules=made.nodules, seed=3)
    cyst, solid = (depth(voxelise(each.surface, GRID).array != 0) > 2.0 for each in made.nodules)
    hard = volume_fractions(made.nodules[1].calcification, GRID)
    assert painted.volume.array[cyst].mean() == pytest.approx(15.0, abs=6)
    clear = solid & (gaussian_filter(hard, 1.0) < 0.01)
    assert painted.volume.array[clear].mean() == pytest.approx(0.53 * GLAND_HU, abs=8)
    assert painted.volume.array[hard > 0.9].mean() > 250
    assert painted.volume.array[clear].std() == pytest.approx(
        neck.ct.array[depth(neck.gland.array != 0) > 3].std(), rel=0.3
    )


@dataclass(frozen=True)
class Push:
    """A motion of the tissue on the right by some mm to the right, which fades."""

    grid: Grid
    backward: np.ndarray


def push(distance_mm: float) -> Push:
    grid = Grid.around(lobes(), spacing_mm=3.0, margin_mm=20.0)
    x = (grid.to_ras(np.indices(grid.shape)[::-1].reshape(3, -1).T) - ORIGIN)[:, 0].reshape(grid.shape)
    backward = np.zeros((*grid.shape, 3), dtype=np.float32)
    backward[..., 0] = -distance_mm * np.clip((x - 8) / 10, 0, 1)
    return Push(grid, backward)


def test_neighbours_move_with_the_tissue_and_noise_is_kept(neck):
    moved = lobes().moved(lobes().vertices + np.where(lobes().vertices[:, :1] > ORIGIN[0], 1, 0) * (2.2, 0, 0))
    painted = paint_ct(neck.ct, lobes(), moved, motion=push(2.6), rigid=neck.airway, neighbours=neck.vessel, seed=4)
    near = (slice(20, 40), slice(20, 45), slice(71, 90))
    before, after = (
        center_of_mass(np.clip(gaussian_filter(ct.array.astype(float), 0.7)[near] - 120, 0, None))
        for ct in (neck.ct, painted.volume)
    )
    assert after[2] - before[2] == pytest.approx(2.6, abs=0.3) and after[:2] == pytest.approx(before[:2], abs=0.3)
    # High-pass noise in moved soft tissue, without edges.
    noise = [ct.array - gaussian_filter(ct.array.astype(float), 1.0) for ct in (neck.ct, painted.volume)]
    quiet = (
        (depth(neck.gland.array != 0) < -6)
        & (depth(neck.vessel.array != 0) < -6)
        & (depth(neck.airway.array != 0) < -6)
    )
    right = np.zeros(SHAPE, dtype=bool)
    right[12:48, :, 64:86] = True
    spread = [1.4826 * np.median(np.abs(each[quiet & right])) for each in noise]
    assert quiet[right].sum() > 500 and (painted.volume.array != neck.ct.array)[quiet & right].mean() > 0.5
    assert spread[1] == pytest.approx(spread[0], rel=0.08)
    # Rigid structures and the left side stay.
    assert (painted.volume.array == neck.ct.array)[neck.airway.array != 0].all()
    assert (painted.volume.array == neck.ct.array)[:, :, :20].all()


def test_a_coarse_motion_pulls_no_air_out_of_the_airway(neck):
    grid = Grid.around(lobes(), spacing_mm=3.0, margin_mm=20.0)
    backward = np.zeros((*grid.shape, 3), dtype=np.float32)
    backward[..., 0] = -6.0
    painted = paint_ct(neck.ct, lobes(), lobes(), motion=Push(grid, backward), rigid=neck.airway, seed=0)
    wall = binary_dilation(neck.airway.array != 0, iterations=9) & ~binary_dilation(neck.airway.array != 0)
    assert painted.volume.array[wall].min() > -250
    assert (painted.volume.array != neck.ct.array)[wall].mean() > 0.3


def test_a_gland_beside_the_airway_does_not_fill_it(neck):
    wide = ellipsoid((14.0, 9.0, 18.0), ORIGIN + np.array([20.0, 0, 0]))
    painted = paint_ct(neck.ct, lobes(), wide, seed=1)
    lumen = neck.airway.array != 0
    assert painted.volume.array[lumen].mean() == pytest.approx(neck.ct.array[lumen].mean(), abs=15)


def test_a_ct_without_a_gland_is_painted_with_published_values_and_says_so(neck):
    painted = paint_ct(neck.ct, None, lobes(0.7), seed=1)
    new = depth(voxelise(lobes(0.7), GRID).array != 0) > 2.0
    assert painted.volume.array[new].mean() == pytest.approx(110.0, abs=4)
    assert any("is not in the CT" in note for note in painted.notes)
    assert painted.document["gland_values"] == "published"


def test_the_same_seed_gives_the_same_ct_and_only_the_neighbourhood_changes(neck):
    first, again, other = (paint_ct(neck.ct, lobes(), lobes(1.1), seed=seed) for seed in (1, 1, 2))
    assert (first.volume.array == again.volume.array).all() and (first.volume.array != other.volume.array).any()
    assert first.volume.array.dtype == neck.ct.array.dtype
    far = depth(voxelise(lobes(1.1), GRID).array != 0) < -8
    assert (first.volume.array == neck.ct.array)[far].all()


def test_a_gland_outside_the_ct_and_an_image_not_in_hu_are_refused(neck):
    away = lobes().moved(lobes().vertices + 500.0)
    with pytest.raises(InputError, match="new thyroid lies outside the CT"):
        paint_ct(neck.ct, lobes(), away, seed=0)
    with pytest.raises(InputError, match="no soft tissue"):
        paint_ct(Volume(neck.ct.array + np.int16(3000), GRID.ijk_to_ras), lobes(), lobes(1.2), seed=0)
