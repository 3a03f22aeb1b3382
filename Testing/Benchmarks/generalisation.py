"""Fit cases that a model has not seen: `python Testing/Benchmarks/generalisation.py MODEL COHORT [--cases N]`.

The cases of the cohort that are not among the model's are fitted from their surfaces, from slices of 5 mm, from voxels
of 3 mm, from masks with a piece missing and one added, and cut by the scan's border such that the upper third is
missing. All distances are to the true surface. Rows differ by the prior SD of the offset of the network's first layer,
relative to that of the training codes; 0 is a fit of the code alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.evaluation.metrics.surface_distances import compare_surfaces
from ThyroidSynthLib.generation.fit import code_solver, fitting
from ThyroidSynthLib.generation.fit.fitting import fit_mask, fit_surface
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.sampling import sample_surface, signed_distance
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.model.trained_model import TrainedModel

PLACEMENT = Placement(np.eye(4))
SHARE_SEEN = 0.65
MISSING_MM, ADDED_MM = 5.0, 4.0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--cases", type=int, default=10)
    parser.add_argument("--offsets", type=float, nargs="+", default=[0.0, 0.5, 1.0, 2.0])
    given = parser.parse_args()
    model, cohort = TrainedModel.load(given.model), Cohort.open(given.cohort)
    glands = [cohort.surface(each) for each in cohort.ids if each not in model.ids][: given.cases]
    print(f"{len(glands)} cases; ASSD in mm, and Dice for surfaces\n")
    print(f"| offset | {' | '.join(MEASURES)} |\n|{'---|' * (len(MEASURES) + 1)}")
    rounds = fitting._OFFSET_ROUNDS
    for offset in given.offsets:
        code_solver._OFFSET_SD = max(offset, 1e-6)
        fitting._OFFSET_ROUNDS = rounds if offset else 0
        means = [np.mean([measure(model, gland) for gland in glands], axis=0) for measure in MEASURES.values()]
        print(f"| {offset:g} | {' | '.join(', '.join(f'{x:.3f}' for x in np.atleast_1d(each)) for each in means)} |")


def of_surface(model: TrainedModel, gland: Surface) -> list[float]:
    """Return ASSD and Dice of a fit to a surface."""
    compared = compare_surfaces(gland, fit_surface(model, gland).thyroid.surface)
    return [compared.assd_mm, compared.dice or 0.0]


def of_voxels(spacing_mm: tuple[float, float, float]) -> Callable[[TrainedModel, Surface], float]:
    """Return the measurement of fits to masks of a voxel size."""

    def measure(model: TrainedModel, gland: Surface) -> float:
        fitted = fit_mask(model, voxelise(gland, grid_around(gland, spacing_mm)), PLACEMENT)
        return compare_surfaces(gland, fitted.thyroid.surface).assd_mm

    return measure


def of_damaged(model: TrainedModel, gland: Surface) -> float:
    """Return the ASSD of a fit to a mask with a ball missing and one added at random places of the border."""
    mask = voxelise(gland, grid_around(gland, (1.5, 1.5, 1.5)))
    array, rng = mask.array.copy(), np.random.default_rng(1)
    inside, index = np.argwhere(array), np.indices(array.shape)
    for value, radius_mm in ((0, MISSING_MM), (1, ADDED_MM)):
        centre = inside[rng.integers(len(inside))]
        array[1.5 * np.linalg.norm(index - centre[:, None, None, None], axis=0) < radius_mm] = value
    fitted = fit_mask(model, Volume(array, mask.ijk_to_ras), PLACEMENT)
    return compare_surfaces(gland, fitted.thyroid.surface).assd_mm


def of_cut(model: TrainedModel, gland: Surface) -> list[float]:
    """Return the mean distance of the true surface from a fit to its lower part, within the scan and beyond it."""
    grid = grid_around(gland, (1.5, 1.5, 1.5))
    mask = voxelise(gland, grid)
    levels = np.flatnonzero(mask.array.any(axis=(1, 2)))
    count = levels[0] + int(SHARE_SEEN * len(levels))
    scan = grid.part([0, 0, 0], (count, *mask.array.shape[1:]))
    fit = fit_mask(model, Volume(mask.array[:count], mask.ijk_to_ras), PLACEMENT, scan=scan)
    surface = fit.thyroid.surface
    points = sample_surface(gland, 6000, np.random.default_rng(0))
    away = np.abs(signed_distance(surface.moved(surface.vertices + np.array([0.0, 0.0, fit.shift_mm])), points))
    seen = points[:, 2] < scan.to_ras(np.array([0.0, 0.0, count - 0.5]))[2]
    return [away[seen].mean(), away[~seen].mean()]


def grid_around(gland: Surface, spacing_mm: tuple[float, float, float]) -> Grid:
    """Return a grid that holds a gland with a margin of 10 mm."""
    lower, upper = gland.bounds
    matrix = np.diag([*spacing_mm, 1.0])
    matrix[:3, 3] = lower - 10.0
    size = np.ceil((upper - lower + 20.0) / spacing_mm).astype(int)
    return Grid(size[::-1], matrix)


MEASURES = {
    "surface: ASSD, Dice": of_surface,
    "5 mm slices": of_voxels((1.0, 1.0, 5.0)),
    "3 mm voxels": of_voxels((3.0, 3.0, 3.0)),
    "damaged": of_damaged,
    "cut: seen, unseen": of_cut,
}

if __name__ == "__main__":
    main()
