"""A CT without the patient's gland: nothing shows where it was."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion, distance_transform_edt, gaussian_filter

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.evaluation.metrics.reader_agreement import area_under_curve
from ThyroidSynthLib.evaluation.reader_study import without_gland
from ThyroidSynthLib.evaluation.reader_study.infill import MARGIN_MM
from ThyroidSynthLib.geometry.volume import Volume

SPACING = np.array([0.9, 0.9, 1.25])


@pytest.fixture(scope="module")
def neck() -> tuple[Volume, Volume, np.ndarray]:
    """A noisy neck of fat and muscle with an airway, two bright lobes with a brighter rim, and the airway's mask."""
    rng = np.random.default_rng(5)
    shape = (60, 90, 90)
    k, j, i = np.indices(shape).astype(float) - (np.array(shape).reshape(3, 1, 1, 1) - 1) / 2
    x, y, z = i * SPACING[0], j * SPACING[1], k * SPACING[2]
    hu = np.where(gaussian_filter(rng.standard_normal(shape), 6) > 0, 55.0, 20.0)
    lobes = np.minimum(*(((x - side * 16) / 8) ** 2 + (y / 9) ** 2 + (z / 18) ** 2 for side in (-1, 1)))
    gland = lobes < 1
    hu[binary_dilation(gland)] = 160.0  # the rim of the gland that the segmentation misses
    hu[gland] = 190.0
    airway = x**2 + (y - 4) ** 2 < 49
    hu[airway] = -990.0
    hu = gaussian_filter(hu, 0.7) + gaussian_filter(rng.standard_normal(shape), 0.8) * 40
    matrix = np.diag([*SPACING, 1.0])
    matrix[:3, 3] = (-40.0, 30.0, 900.0)
    return Volume(np.rint(hu).astype(np.int16), matrix), Volume(gland.astype(np.uint8), matrix), airway


@pytest.fixture(scope="module")
def filled(neck) -> Volume:
    ct, gland, _ = neck
    return without_gland(ct, gland.cropped(), seed=3)


def tissue_around(ct: Volume, gland: Volume) -> np.ndarray:
    distance = distance_transform_edt(gland.array == 0, sampling=SPACING[::-1])
    soft = binary_erosion((ct.array > -150) & (ct.array < 130))
    return (distance > MARGIN_MM[1]) & (distance < MARGIN_MM[1] + 10) & soft


def test_the_old_gland_has_the_values_of_the_tissue_around_it(neck, filled):
    ct, gland, _ = neck
    assert filled.array.shape == ct.array.shape and filled.array.dtype == ct.array.dtype
    inside = filled.array[gland.array != 0].astype(float)
    around = filled.array[tissue_around(ct, gland)].astype(float)
    assert ct.array[gland.array != 0].mean() > around.mean() + 100
    assert inside.mean() == pytest.approx(around.mean(), abs=8)
    assert inside.std() == pytest.approx(around.std(), rel=0.2)
    # A reader who judges single voxels would guess.
    sample = np.random.default_rng(0)
    some = (sample.choice(inside, 800).reshape(-1, 1), sample.choice(around, 800).reshape(-1, 1))
    assert area_under_curve(*some).value == pytest.approx(0.5, abs=0.1)


def test_noise_in_the_old_gland_has_the_texture_of_the_tissue_around_it(neck, filled):
    ct, gland, _ = neck
    inner, around = binary_erosion(gland.array != 0, iterations=2), tissue_around(ct, gland)
    values = filled.array.astype(float)
    for axis in range(3):
        step = np.abs(np.diff(values, axis=axis))
        inside, outside = (
            step[tuple(slice(0, n) for n in step.shape)][_pairs(m, axis)].mean() for m in (inner, around)
        )
        assert inside == pytest.approx(outside, rel=0.15)


def _pairs(mask: np.ndarray, axis: int) -> np.ndarray:
    moved = np.moveaxis(mask, axis, 0)
    return np.moveaxis(moved[1:] & moved[:-1], 0, axis)


def test_no_edge_follows_the_outline_of_the_old_gland(neck, filled):
    ct, gland, airway = neck
    distance = distance_transform_edt(gland.array == 0, sampling=SPACING[::-1])
    far_from_air = distance_transform_edt(~airway, sampling=SPACING[::-1]) > 6
    edge = far_from_air & (distance > 0) & (distance <= 1.3)
    elsewhere = far_from_air & (distance > MARGIN_MM[1] + 2) & (distance < MARGIN_MM[1] + 10)
    core = far_from_air & (distance_transform_edt(gland.array, sampling=SPACING[::-1]) > 2)

    def gradient(array: np.ndarray) -> np.ndarray:
        return np.linalg.norm(np.gradient(gaussian_filter(array.astype(float), 1.5), *SPACING[::-1]), axis=0)

    before, after = gradient(ct.array), gradient(filled.array)
    assert before[edge].mean() > 2 * max(before[elsewhere].mean(), before[core].mean())
    assert after[edge].mean() < 1.15 * max(after[elsewhere].mean(), after[core].mean())


def test_the_airway_and_all_beyond_the_margin_stay_as_they_are(neck, filled):
    ct, gland, airway = neck
    beyond = distance_transform_edt(gland.array == 0, sampling=SPACING[::-1]) > MARGIN_MM[1]
    assert (filled.array == ct.array)[beyond].all()
    core = binary_erosion(airway, iterations=2)
    assert (filled.array == ct.array)[core].all()


def test_another_seed_gives_another_filling_and_the_same_seed_the_same(neck, filled):
    ct, gland, _ = neck
    assert (without_gland(ct, gland, seed=3).array == filled.array).all()
    assert (without_gland(ct, gland, seed=4).array != filled.array).any()


def test_only_the_neck_is_kept_and_its_place_stays(neck):
    ct, gland, _ = neck
    large = Volume(
        np.pad(ct.array, ((0, 0), (120, 0), (0, 120))), ct.grid.part([0, -120, 0], (60, 210, 210)).ijk_to_ras
    )
    shown = without_gland(large, gland.cropped(), seed=0)
    assert shown.array.shape[1] < 210 and shown.array.shape[2] < 210
    first = np.rint(large.to_ijk(shown.to_ras(np.zeros(3)))).astype(int)[::-1]
    part = large.array[tuple(slice(a, a + n) for a, n in zip(first, shown.array.shape, strict=True))]
    assert (part == shown.array).mean() > 0.8


def test_a_sheared_ct_gets_axes_at_right_angles(neck):
    ct, gland, _ = neck
    sheared = ct.ijk_to_ras.copy()
    sheared[1, 2] = 0.2
    shown = without_gland(Volume(ct.array, sheared), Volume(gland.array, sheared), seed=0)
    assert shown.grid.deviation_from_right_angles() < 1e-6


def test_a_gland_outside_the_ct_and_an_image_without_tissue_are_refused(neck):
    ct, gland, _ = neck
    away = gland.ijk_to_ras.copy()
    away[0, 3] += 1000
    with pytest.raises(InputError, match="lies outside the CT"):
        without_gland(ct, Volume(gland.array, away), seed=0)
    with pytest.raises(InputError, match="no soft tissue"):
        without_gland(Volume(ct.array + np.int16(3000), ct.ijk_to_ras), gland, seed=0)
