"""Lobes and isthmus that a gland has or lacks: `python Testing/Benchmarks/topology.py MODEL COHORT [--cases N]`.

Single lobes of held-out glands are fitted, thyroids are generated with symmetry 0, and the isthmus of held-out glands
is opened to 60 mm² and closed by an edit that holds volume and symmetry. A thorn is a part within 15 mm of the middle
that no ball of 2 mm radius inside the gland reaches; its volume is that which the edit adds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from generalisation import PLACEMENT, grid_around
from scipy import ndimage

from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.evaluation.metrics.surface_distances import compare_surfaces
from ThyroidSynthLib.generation.cohort.thyroid_maker import generate_to_target
from ThyroidSynthLib.generation.edit.editing import fit_patient
from ThyroidSynthLib.generation.fit.fitting import fit_mask
from ThyroidSynthLib.generation.steer.steering import steer_to_target
from ThyroidSynthLib.geometry.features import measure_features, smaller_side
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.targets import Targets
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.model.trained_model import TrainedModel

OPENED_MM2 = 60.0
SPACING_MM = 1.5
SHOWN = ("isthmus_area_mm2", "volume_ml", "symmetry")
THORN_RADIUS_MM, THORN_REACH_MM, THORN_SPACING_MM = 2.0, 15.0, 0.7


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--cases", type=int, default=8)
    given = parser.parse_args()
    model, cohort = TrainedModel.load(given.model), Cohort.open(given.cohort)
    unseen = [cohort.surface(each) for each in cohort.ids if each not in model.ids]
    joined = [gland for gland in unseen if measure_features(gland).isthmus_area_mm2 > 10.0]
    apart = [gland for gland in unseen if is_two_lobed(gland)]
    print_single_lobes(model, apart[: given.cases])
    print_hemithyroids(model, given.cases)
    print_edits(model, f"opened to {OPENED_MM2:.0f} mm²", apart[: given.cases], OPENED_MM2)
    print_edits(model, "closed", joined[: given.cases], 0.0)


def is_two_lobed(gland: Surface) -> bool:
    """Return whether a gland has two separate lobes, neither of them smaller than a tenth of it."""
    return measure_features(gland).isthmus_area_mm2 == 0 and smaller_side(gland) > 0.1


def print_single_lobes(model: TrainedModel, glands: list[Surface]) -> None:
    """Fit one lobe of each gland, left and right in turn."""
    print("| single lobe | Dice | ASSD mm | HD95 mm | mL on the empty side |\n|---|---|---|---|---|")
    for number, gland in enumerate(glands):
        mask = voxelise(gland, grid_around(gland, (SPACING_MM,) * 3))
        x = mask.to_ras(np.indices(mask.array.shape)[::-1].reshape(3, -1).T)[:, 0].reshape(mask.array.shape)
        empty = x < 0 if number % 2 else x > 0
        lobe = Volume(np.where(empty, 0, mask.array), mask.ijk_to_ras)
        fitted = fit_mask(model, lobe, PLACEMENT).thyroid.surface
        compared = compare_surfaces(surface_from_mask(lobe), fitted)
        rest = np.count_nonzero(voxelise(fitted, mask.grid).array[empty]) * SPACING_MM**3 / 1000
        print(f"| {number} | {compared.dice:.3f} | {compared.assd_mm:.2f} | {compared.hd95_mm:.1f} | {rest:.2f} |")


def print_hemithyroids(model: TrainedModel, count: int) -> None:
    """Generate thyroids with the target symmetry 0."""
    print("\n| symmetry 0 | met | mL | components | share of the smaller side |\n|---|---|---|---|---|")
    targets = Targets(symmetry=0.0)
    for number, made in enumerate(generate_to_target(model, [targets] * count, seed=0)):
        thyroid = made.thyroid
        other_side = smaller_side(thyroid.surface)
        shape = f"{thyroid.measured.volume_ml:.1f} | {thyroid.validity.components} | {other_side:.3f}"
        print(f"| {number} | {'yes' if made.met else f'no, {thyroid.measured.symmetry:.3f}'} | {shape} |")


def print_edits(model: TrainedModel, name: str, glands: list[Surface], area_mm2: float) -> None:
    """Change the isthmus area of each gland and hold its volume and symmetry."""
    print(f"\n| {name} | met | mm² | mL | symmetry | thorns mm³ |\n|---|---|---|---|---|---|")
    met = 0
    for number, gland in enumerate(glands):
        fit = fit_patient(model, voxelise(gland, grid_around(gland, (SPACING_MM,) * 3)), PLACEMENT)
        before = fit.original.measured
        targets = Targets(volume_ml=before.volume_ml, isthmus_area_mm2=area_mm2, symmetry=before.symmetry)
        result = steer_to_target(fit.shapes, fit.original, targets)
        after, met = result.thyroid.measured, met + result.met
        thorns = thorns_mm3(result.thyroid.surface) - thorns_mm3(fit.original.surface)
        changes = " | ".join(f"{getattr(before, name):.3g} → {getattr(after, name):.3g}" for name in SHOWN)
        print(f"| {number} | {'yes' if result.met else 'no'} | {changes} | {thorns:.0f} |")
    print(f"{met} of {len(glands)} met")


def thorns_mm3(gland: Surface) -> float:
    """Return the volume of the parts near the middle that are thinner than a ball of 2 mm radius."""
    filled = voxelise(gland, grid_around(gland, (THORN_SPACING_MM,) * 3))
    inside = filled.array != 0
    radius = THORN_RADIUS_MM / THORN_SPACING_MM
    core = ndimage.distance_transform_edt(inside) >= radius
    thin = inside & (ndimage.distance_transform_edt(~core) > radius)
    x = filled.to_ras(np.argwhere(thin)[:, ::-1])[:, 0]
    return float(np.count_nonzero(np.abs(x) < THORN_REACH_MM)) * THORN_SPACING_MM**3


if __name__ == "__main__":
    main()
