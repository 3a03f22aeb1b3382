"""Thyroids at tracheas of 10 to 25 mm: `python Testing/Benchmarks/trachea.py [MODEL] [SEEDS]`.

Each trachea is that of the example generator: along the body axis, tilted by 15 degrees, deviated to one side, or cut
by the upper border of the scan at the level of the gland. Thyroids are steered to the features of their draw, with the
trachea unknown and known. Overlap is that with the whole trachea, before anything is subtracted.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

import numpy as np
from scipy.stats import ks_2samp

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.dataset.synthetic.airway import Airway
from ThyroidSynthLib.generation.cohort.thyroid_maker import ThyroidMaker
from ThyroidSynthLib.generation.steer.contact import Contact
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.overlap import overlap_ml
from ThyroidSynthLib.geometry.rigid.lying import lying_on
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.targets import NO_TARGETS
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.model.trained_model import TrainedModel

WIDTHS_MM = (10.0, 14.0, 18.0, 21.0, 25.0)
SEEDS = 20
VOXEL_MM = 1.5
# Below the upper end of the trachea, as in the example cohort.
LEVEL_MM = -7.5
# Slope and lean of the axis, and its bow in mm.
COURSES = {
    "straight": (0.1, 0.0, 0.0),
    "tilted": (0.27, 0.0, 0.0),
    "deviated": (0.15, 0.2, 8.0),
    "cut": (0.15, 0.0, 0.0),
}


@dataclass(frozen=True)
class Made:
    """What was measured on one thyroid: overlap as a share of the gland, gap in mm (NaN without an isthmus)."""

    overlap: float
    gap_mm: float
    met: bool
    seconds: float


def main(arguments: list[str]) -> None:
    """Print the table."""
    model = TrainedModel.load(arguments[0] if arguments else "example")
    seeds = int(arguments[1]) if len(arguments) > 1 else SEEDS
    cohort_gaps = np.empty(0) if model.tracheas is None else model.tracheas[model.tracheas[:, 2] > 0, 2]
    print("| trachea | overlap, mean / largest: unknown | known | targets met | gap: mean, KS p | time |")
    print("|---|---|---|---|---|---|")
    everything: list[tuple[list[Made], list[Made]]] = []
    for width in WIDTHS_MM:
        of_width: tuple[list[Made], list[Made]] = ([], [])
        for course in COURSES:
            before, after = made_at(model, width, course, seeds)
            _print_row(f"{width:g} mm, {course}", before, after, cohort_gaps)
            of_width[0].extend(before)
            of_width[1].extend(after)
        _print_row(f"**{width:g} mm**", *of_width, cohort_gaps)
        everything.append(of_width)
    _print_row(
        "**all**",
        [each for made, _ in everything for each in made],
        [each for _, made in everything for each in made],
        cohort_gaps,
    )


def made_at(model: TrainedModel, width_mm: float, course: str, seeds: int) -> tuple[list[Made], list[Made]]:
    """Make thyroids at a trachea without and with knowing it."""
    whole = trachea_mask(width_mm, course)
    known = whole
    if course == "cut":
        known = Volume(whole.array[: int(np.argmin(np.abs(_heights(whole) - LEVEL_MM - 3.0)))], whole.ijk_to_ras)
    cropped = known.cropped()
    placement = Placement.upright_at(cropped, LEVEL_MM)
    tube = surface_from_mask(whole)
    contact = Contact.at(cropped, placement, model.frame, scan=known.grid)
    reference = Contact.at(whole.cropped(), placement, model.frame, scan=whole.grid)
    assert contact is not None and reference is not None
    found = []
    for each in (None, contact):
        seed = 100 * list(COURSES).index(course) + round(width_mm)
        maker = ThyroidMaker.of(model, seed=seed, to_target=True, contact=each)
        made = []
        for index in range(seeds):
            started = time.perf_counter()
            try:
                thyroid = maker.make(index, NO_TARGETS)
            except SynthesisError:
                made.append(Made(float("nan"), float("nan"), False, time.perf_counter() - started))
                continue
            seconds = time.perf_counter() - started
            surface: Surface = thyroid.thyroid.surface
            share = 1000 * overlap_ml(surface.moved(placement.to_ras(surface.vertices)), tube) / surface.volume
            gap = lying_on(surface, reference.structures).gap_mm
            made.append(Made(share, gap, bool(thyroid.met), seconds))
        found.append(made)
    return found[0], found[1]


def trachea_mask(width_mm: float, course: str) -> Volume:
    """Return the mask of a trachea whose upper end is at the origin, on the grid of a scan."""
    tilt, lean, bow = COURSES[course]
    airway = Airway(width_mm, 0.82 * width_mm, tilt, lean, bow, 110.0)
    x, y, z = (np.arange(*ends, VOXEL_MM) for ends in ((-45.0, 45.1), (-60.0, 40.1), (-80.0, 12.1)))
    up, forward, right = np.meshgrid(z, y, x, indexing="ij")
    inside = airway.trachea_distance(right, forward, up) < 0
    matrix = np.diag([VOXEL_MM, VOXEL_MM, VOXEL_MM, 1.0])
    matrix[:3, 3] = [x[0], y[0], z[0]]
    return Volume(inside.astype(np.uint8), Grid(inside.shape, matrix).ijk_to_ras)


def _heights(mask: Volume) -> np.ndarray:
    return mask.ijk_to_ras[2, 3] + mask.spacing_mm[2] * np.arange(len(mask.array))


def _print_row(name: str, before: list[Made], after: list[Made], cohort_gaps: np.ndarray) -> None:
    overlaps = [np.array([each.overlap for each in made]) for made in (before, after)]
    shown = [f"{100 * np.nanmean(each):.2f} / {100 * np.nanmax(each):.2f} %" for each in overlaps]
    met = [sum(each.met for each in made) for made in (before, after)]
    gaps = np.array([each.gap_mm for each in after if not np.isnan(each.gap_mm)])
    p = f"{ks_2samp(gaps, cohort_gaps).pvalue:.2f}" if len(gaps) and len(cohort_gaps) else "-"
    ratio = sum(each.seconds for each in after) / sum(each.seconds for each in before)
    print(
        f"| {name} | {shown[0]} | {shown[1]} | {met[0]}, {met[1]} of {len(after)} "
        f"| {gaps.mean():.2f} mm, {p} | {ratio:.1f} |",
        flush=True,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
