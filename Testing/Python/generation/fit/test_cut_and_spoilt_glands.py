"""Fits of glands in thick slices, with leaks and gaps, and cut by the scan's border; their completions and SDs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from support.tiny_cohort import two_lobes
from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.generation.fit import completions as completions_module
from ThyroidSynthLib.generation.fit.code_solver import Problem
from ThyroidSynthLib.generation.fit.completions import plausible_completions, share_inside, surface_sd_mm
from ThyroidSynthLib.generation.fit.fitting import Fit, fit_mask, fit_surface
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.sampling import sample_surface, signed_distance
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.model.trained_model import TrainedModel

PLACEMENT = Placement.at([0.0, 0.0, 0.0])
# Glands that the model was not trained on.
GLANDS = [
    two_lobes(semi_axes_mm=(9.3, 8.1, 17.2), offset_mm=10.3, right_share=0.93),
    two_lobes(semi_axes_mm=(10.1, 9.0, 19.0), offset_mm=12.5, right_share=0.85),
    two_lobes(semi_axes_mm=(8.6, 9.4, 15.5), offset_mm=9.0, right_share=0.97),
]


def segmented(gland: Surface, spacing_mm: tuple[float, float, float], *, lowest_mm: float = -30.0) -> Volume:
    matrix = np.diag([*spacing_mm, 1.0])
    matrix[:3, 3] = [-30.0, -20.0, lowest_mm]
    size = np.ceil(np.array([60.0, 40.0, 30.0 - lowest_mm]) / spacing_mm).astype(int)
    return voxelise(gland, Grid(tuple(size[::-1]), matrix))


def apart_mm(first: Surface, second: Surface) -> float:
    """Return the average symmetric surface distance."""
    rng = np.random.default_rng(0)
    there = np.abs(signed_distance(second, sample_surface(first, 1500, rng))).mean()
    return float(there + np.abs(signed_distance(first, sample_surface(second, 1500, rng))).mean()) / 2


def fitted(model: TrainedModel, mask: Volume) -> Fit:
    return fit_mask(model, mask, PLACEMENT, scan=mask.grid, resolution=40)


def test_errors_by_voxel_size_improve_fits_of_thick_slices(small_model: TrainedModel) -> None:
    """The fit is nearer to the true gland than a fit to the surface of the segmentation."""
    weighed, plain = [], []
    for gland in GLANDS:
        mask = segmented(gland, (1.0, 1.0, 5.0), lowest_mm=-31.3)
        weighed.append(apart_mm(fitted(small_model, mask).thyroid.surface, gland))
        plain.append(apart_mm(fit_surface(small_model, surface_from_mask(mask), resolution=40).thyroid.surface, gland))
    assert np.mean(weighed) < 0.85 * np.mean(plain)


def _spoilt(gland: Surface) -> Volume:
    """Make a gap in the right lobe, and a leak at the side of the left one."""
    mask = segmented(gland, (1.5, 1.5, 1.5))
    array, inside = mask.array.copy(), np.argwhere(mask.array)
    for target, value, reach in (((11.0, 0.0, 7.0), 0, 6.0), ((-22.0, 2.0, -6.0), 1, 5.0)):
        k, j, i = np.indices(array.shape)
        away = np.linalg.norm(mask.to_ras(np.stack([i, j, k], axis=-1)) - target, axis=-1)
        array[away < reach] = value
    assert len(inside) and (array != mask.array).sum() > 0.05 * len(inside)
    return Volume(array, mask.ijk_to_ras)


def test_a_gap_and_a_leak_get_little_weight(small_model: TrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    masks = [_spoilt(gland) for gland in GLANDS]
    robust = [fitted(small_model, mask) for mask in masks]
    monkeypatch.setattr(Problem, "made_robust", lambda self, state: self)
    plain = [fitted(small_model, mask) for mask in masks]
    errors = [
        np.mean([apart_mm(fit.thyroid.surface, gland) for fit, gland in zip(fits, GLANDS, strict=True)])
        for fits in (robust, plain)
    ]

    assert errors[0] < 0.85 * errors[1]
    assert min(fit.consistent_share for fit in robust) < 1.0
    assert all(fit.consistent_share == 1.0 for fit in plain)


def test_a_cut_gland_is_completed(small_model: TrainedModel) -> None:
    for gland in GLANDS:
        fit = fitted(small_model, segmented(gland, (1.5, 1.5, 1.5), lowest_mm=-6.0))
        assert fit.cut and fit.shift_mm == 0.0
        assert fit.thyroid.surface.volume == pytest.approx(gland.volume, rel=0.2)
        assert fit.thyroid.surface.bounds[0][2] < -12.0


def test_the_shift_of_a_cut_gland_is_found_in_an_upright_frame(small_model: TrainedModel) -> None:
    """The centre of the visible part is not that of the gland, which is the origin of an upright frame."""
    model = replace(small_model, frame=replace(small_model.frame, alignment="upright"))
    mask = segmented(GLANDS[0], (1.5, 1.5, 1.5), lowest_mm=-6.0)
    placement = Placement.at([0.0, 0.0, 6.0])

    fit = fit_mask(model, mask, placement, scan=mask.grid, resolution=40)

    assert fit.shift_mm == pytest.approx(-6.0, abs=3.0)
    raised = placement.raised(fit.shift_mm)
    surface = fit.thyroid.surface.moved(raised.to_ras(fit.thyroid.surface.vertices))
    assert apart_mm(surface, GLANDS[0]) < 1.2
    assert fit.covariance.shape == (model.code_size + 1,) * 2


@pytest.fixture(scope="module")
def cut_fit(small_model: TrainedModel) -> Fit:
    return fitted(small_model, segmented(GLANDS[0], (1.5, 1.5, 1.5), lowest_mm=-6.0))


def test_the_unseen_part_is_less_certain(small_model: TrainedModel, cut_fit: Fit) -> None:
    sd = surface_sd_mm(small_model, cut_fit)
    level = cut_fit.thyroid.surface.vertices[:, 2]
    assert np.median(sd[level < -12.0]) > 1.25 * np.median(sd[level > 0.0])

    # With fewer completions, all may lie on one side of the fit.
    found = plausible_completions(small_model, cut_fit, count=16)
    low, high = found.intervals()["volume_ml"]
    assert low < cut_fit.thyroid.measured.volume_ml < high

    grid = Grid.around(cut_fit.thyroid.surface, spacing_mm=2.0)
    share = share_inside(found.surfaces, grid).array
    assert share.dtype == np.float32 and share.min() == 0.0 and share.max() == 1.0
    assert ((share > 0) & (share < 1)).any()


def test_completions_are_reproducible_with_their_seed(small_model: TrainedModel, cut_fit: Fit) -> None:
    first, again, other = (plausible_completions(small_model, cut_fit, count=2, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.features, again.features)
    assert not np.array_equal(first.features, other.features)


def test_draws_without_a_surface_are_omitted(
    small_model: TrainedModel, cut_fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = completions_module.thyroid_of_code

    def only_the_fit(model, code, **more):
        if np.array_equal(code, cut_fit.thyroid.code):
            return decode(model, code, **more)
        raise SynthesisError("no surface")

    monkeypatch.setattr(completions_module, "thyroid_of_code", only_the_fit)
    none = plausible_completions(small_model, cut_fit, count=8)
    assert none.surfaces == () and none.features.shape == (0, 3)
    assert none.intervals() == {}
