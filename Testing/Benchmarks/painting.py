"""Compare painted CTs with the original ones: `python Testing/Benchmarks/painting.py [PICTURES]`.

In ten example cases the gland is made larger or smaller and gets nodules; the neck gives way. The table compares the HU
of the core and of layers around the gland's border with those of the original scan (KS: largest difference of the
distribution functions); "step" is the difference of the means of inner and outer rim. How much two original scans
differ by nature is the last column: KS between the right and the left half of the same neck. With a folder, pictures
at W400/L40 are written into it, original on the left.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_fill_holes, distance_transform_edt
from scipy.stats import ks_2samp

from ThyroidSynthLib.dataset.synthetic.case import ExampleCase, build_case, plan_cases
from ThyroidSynthLib.export.nodules import NodularGland, NoduleDistribution, build_nodules, draw_nodules
from ThyroidSynthLib.export.painting import PaintedCt, paint_ct
from ThyroidSynthLib.export.phantom.motion import yielding_motion
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.overlap import without_overlap
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise

CASES = 10
FACTORS = (1.15, 0.85, 1.2, 0.8, 1.1, 0.9, 1.25, 0.85, 1.1, 0.9)
NODULES = "count=0-2,diameter=6-11,bulge=0-0.2,composition=solid/mixed/cystic,margin=smooth/lobulated"
LAYERS = {"core": (2.5, 99.0), "inner rim": (0.0, 1.6), "outer rim": (-1.6, 0.0), "beside": (-3.2, -1.6)}
BONE_HU, AIR_HU = 300.0, -300.0


def main(arguments: list[str]) -> None:
    """Print the table."""
    print("| case | gland HU | SD | step | seconds | " + " | ".join(f"KS {name}" for name in LAYERS) + " | by nature |")
    print("|---" * (len(LAYERS) + 6) + "|")
    for number, plan in enumerate(plan_cases(CASES, 5, 0.0)):
        case = build_case(plan)
        start = time.perf_counter()
        made, painted = _painted(case, FACTORS[number], seed=number)
        seconds = time.perf_counter() - start
        old, new = case.masks["thyroid_gland"].array != 0, voxelise(made.surface, case.ct.grid).array != 0
        # A nodule is not like the gland was.
        left_out = np.zeros(new.shape, dtype=bool)
        for built in made.nodules:
            left_out |= _depth(voxelise(built.surface, case.ct.grid).array != 0, case.ct) > -3.0
        before, after = _layers(case.ct, old, np.zeros(old.shape, dtype=bool)), _layers(painted.volume, new, left_out)
        distances = [ks_2samp(before[name], after[name]).statistic for name in LAYERS]
        sides = [_layers(case.ct, old, _half(old, side)) for side in (0, 1)]
        nature = [ks_2samp(*(side[name] for side in sides)).statistic for name in LAYERS]
        core = f"{before['core'].mean():.0f} → {after['core'].mean():.0f}"
        spread = f"{before['core'].std():.1f} → {after['core'].std():.1f}"
        step = " → ".join(f"{each['inner rim'].mean() - each['outer rim'].mean():.0f}" for each in (before, after))
        row = [plan.case_id, core, spread, step, f"{seconds:.1f}", *(f"{each:.2f}" for each in distances)]
        print(f"| {' | '.join(row)} | {' '.join(f'{each:.2f}' for each in nature)} |", flush=True)
        if arguments:
            _picture(case, painted, old, Path(arguments[0]) / f"{plan.case_id}.png")


def _painted(case: ExampleCase, factor: float, *, seed: int) -> tuple[NodularGland, PaintedCt]:
    """Return a gland made larger or smaller with nodules, and the CT that follows it."""
    ct, trachea = case.ct, case.masks["trachea"]
    placement = Placement.upright(trachea, case.masks["thyroid_gland"].center_of_mass_ras())
    own = surface_from_mask(case.masks["thyroid_gland"])
    gland = own.moved(placement.to_ras(placement.to_trachea(own.vertices) * factor))
    gland = without_overlap(gland, trachea)
    nodules = NoduleDistribution.parse(NODULES)
    drawn = draw_nodules(gland, nodules, placement=placement, seed=seed, grid=ct.grid, keep_out=trachea)
    made = build_nodules(gland, drawn.nodules, placement=placement, grid=ct.grid)
    rigid = Volume((_airway(ct.array) | (ct.array > BONE_HU)).astype(np.uint8), ct.ijk_to_ras)
    others = np.any([mask.array != 0 for name, mask in case.masks.items() if name != "thyroid_gland"], axis=0)
    neighbours = Volume(others.astype(np.uint8), ct.ijk_to_ras)
    motion = yielding_motion(own, made.surface, rigid)
    painted = paint_ct(
        ct, own, made.surface, nodules=made.nodules, neighbours=neighbours, rigid=rigid, motion=motion, seed=seed
    )
    return made, painted


def _airway(hu: np.ndarray) -> np.ndarray:
    """Return the air inside the body, in each axial slice."""
    air = hu < AIR_HU
    return air & np.stack([binary_fill_holes(~each) for each in air])


def _layers(ct: Volume, mask: np.ndarray, left_out: np.ndarray) -> dict[str, np.ndarray]:
    """Return the HU in each layer around the border of a mask, without air and bone."""
    depth = _depth(mask, ct)
    free = (ct.array > AIR_HU) & (ct.array < BONE_HU) & ~left_out
    return {name: ct.array[(depth > low) & (depth <= high) & free] for name, (low, high) in LAYERS.items()}


def _depth(mask: np.ndarray, ct: Volume) -> np.ndarray:
    steps = ct.spacing_mm[::-1]
    return distance_transform_edt(mask, sampling=steps) - distance_transform_edt(~mask, sampling=steps)


def _half(mask: np.ndarray, side: int) -> np.ndarray:
    """Return all voxels on one side of a mask along i."""
    middle = int(np.median(np.nonzero(mask)[2]))
    half = np.zeros(mask.shape, dtype=bool)
    half[..., :middle] = True
    return half if side else ~half


def _picture(case: ExampleCase, painted: PaintedCt, gland: np.ndarray, path: Path) -> None:
    """Write axial and coronal slices of both CTs."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    path.parent.mkdir(parents=True, exist_ok=True)
    k, j, _ = np.argwhere(gland).mean(axis=0).astype(int)
    figure, axes = pyplot.subplots(1, 4, figsize=(20, 5.5))
    images = [part for ct in (case.ct, painted.volume) for part in (ct.array[k], ct.array[:, j])]
    for axis, image in zip(axes, images, strict=True):
        axis.imshow(image, cmap="gray", vmin=-160, vmax=240, origin="lower", interpolation="bicubic")
        axis.axis("off")
    figure.tight_layout()
    figure.savefig(path, dpi=60)
    pyplot.close(figure)


if __name__ == "__main__":
    main(sys.argv[1:])
