"""Measure phantoms: `python Testing/Benchmarks/phantoms.py [COUNT]`; by default 50 at 1 mm on two worker processes.

Each has three targets from the distribution of the training cohort and two nodules on average. The table states what
issue 17 limits: CPU time, memory, overlap with rigid structures, targets on the label map, and volumes of neighbours.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from timing import machine

from ThyroidSynthLib.common.staging import STAGING_FOLDER
from ThyroidSynthLib.export.cohort.cohort_making import make_thyroids
from ThyroidSynthLib.export.cohort.generated_cohort import record_cohort
from ThyroidSynthLib.export.neck import GridChoice, example_neck
from ThyroidSynthLib.export.nodules import NoduleDistribution
from ThyroidSynthLib.export.phantom.building import model_document
from ThyroidSynthLib.export.phantom.phantom_cohort import PHANTOM_COHORT, PhantomWriter, phantom_plan
from ThyroidSynthLib.export.phantom.phantom_options import PhantomOptions
from ThyroidSynthLib.generation.cohort.stratification import stratified_targets
from ThyroidSynthLib.generation.cohort.target_distribution import TargetDistribution
from ThyroidSynthLib.geometry.targets import Targets
from ThyroidSynthLib.model.shipped import model_path
from ThyroidSynthLib.model.trained_model import TrainedModel

WORKERS = 2
NODULES = "count=0-4,diameter=3-10"


def main(count: int) -> None:
    """Make the phantoms, and print the table."""
    model = TrainedModel.load("example")
    neck = example_neck(model, GridChoice(spacing_mm=1.0), seed=3)
    options = PhantomOptions(nodules=NoduleDistribution.parse(NODULES))
    rows = stratified_targets(model.features, TargetDistribution(), count=count, seed=1)
    targets = [Targets.from_array(row) for row in rows]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "phantoms"
        writer = PhantomWriter(folder / STAGING_FOLDER, neck, options, model=model_document(model))
        plan = phantom_plan(model, Path(model_path("example")), writer, seed=1)
        start, workers = time.perf_counter(), Workers()
        record_cohort(
            make_thyroids(plan, targets, workers=WORKERS),
            folder,
            kind=PHANTOM_COHORT,
            model=model,
            placement=neck.placement,
            total=count,
            progress=workers.look,
        )
        wall = time.perf_counter() - start
        entries = json.loads((folder / "manifest.json").read_text())["phantoms"]
    report(entries, wall, workers)


def report(entries: list[dict], wall: float, workers: Workers) -> None:
    """Print the table."""
    count = len(entries)
    cpu = sum(workers.seconds.values())
    met = [each["met"] for each in entries]
    overlap = [sum(each["overlap_mm3"].values()) for each in entries]
    soft = [n for each in entries for n in each["neighbours"] if n["name"] not in ("trachea", "spinal_cord")]
    print(f"{count} phantoms of {machine()}")
    print(f"  nodules: {np.mean([each['nodules'] for each in entries]):.2f} on average")
    print(f"  time: {wall:.0f} s, {cpu / count:.2f} CPU s each; 500 on 2 CPUs: {500 * cpu / count / 2 / 60:.1f} min")
    print(f"  memory of a worker: {workers.early:.2f} GiB after a fifth of them, {workers.late:.2f} GiB at the end")
    print(f"  targets met on the label map: {np.mean(met):.1%}")
    for each in entries:
        if not each["met"]:
            print(f"    {each['id']}: targets {each['targets']}, error {each['error']}")
    print(
        f"  thyroid voxels in rigid structures before they were left to them: {max(overlap):.1f} mm³ at most, "
        f"in {np.count_nonzero(overlap)} phantoms"
    )
    moved = max(abs(n["moved_ml"] / n["before_ml"] - 1) for n in soft)
    print(f"  change of a neighbour's volume: {max(abs(n['change']) for n in soft):.2%} at most, by motion {moved:.2%}")
    jacobian = min((each["motion"] or {"least_jacobian": 1.0})["least_jacobian"] for each in entries)
    print(f"  least ratio of a small volume after the motion to that before: {jacobian:.3f}")


class Workers:
    """CPU time and memory of this process and its workers, looked at whenever a phantom is written (Linux)."""

    def __init__(self) -> None:
        self.seconds: dict[int, float] = {}
        self.early = self.late = 0.0

    def look(self, fraction: float, _: str) -> None:
        """Note what they have used so far."""
        resident = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:  # It has just ended.
                continue
            if int(fields[2]) == os.getpgrp():
                self.seconds[int(stat.parent.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
                resident.append(int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 2**30)
        if fraction <= 0.2:
            self.early = max(resident)
        self.late = max(resident)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
