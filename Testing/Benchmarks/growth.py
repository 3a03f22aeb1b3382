"""How the work grows: with the resolution of a surface, the size of a cohort and the number of cores."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from material import Material, prepare_material
from timing import Row, median_seconds

from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.dataset.rows.row_view import RowView
from ThyroidSynthLib.dataset.synthetic import write_example_dataset
from ThyroidSynthLib.generation.decode.decoding import decode
from ThyroidSynthLib.model.presets import settings_for
from ThyroidSynthLib.training.loop import seconds_per_epoch

SMALL_COHORT, LARGE_COHORT = 1_000, 100_000
PREPARED = 160
FINE, FINEST = 128, 256


def growth_rows(material: Material, folder: Path) -> list[Row]:
    """Measure the effect of twice the resolution, a hundred times the cases and all cores."""
    return [_resolution_row(material), _cohort_row(material), _cores_row(material, folder)]


def _resolution_row(material: Material) -> Row:
    """The finest surface that the panel offers, against one of half the resolution: four times the area."""
    codes = iter(np.tile(material.model.codes, (20, 1)).astype(np.float32))
    times = median_seconds(
        {
            name: lambda r=name: decode(material.model, next(codes), resolution=int(r))
            for name in (str(FINEST), str(FINE))
        },
        rounds=3,
    )
    finest, fine = times[str(FINEST)], times[str(FINE)]
    return Row(f"growth: one {FINEST}³ surface", f"reference: {FINE}³", finest, "s", fine, fine / finest)


def _cohort_row(material: Material) -> Row:
    """Measure samples per second of training on the same cases, repeated to a large cohort and to a small one."""
    settings = settings_for("best", "fixed")
    pace = {}
    for cases in (SMALL_COHORT, LARGE_COHORT):
        seconds = seconds_per_epoch(_repeated(material.cohort, cases), settings, device="cpu", patience_s=4.0)
        pace[cases] = cases * settings.samples_per_shape / seconds
    large, small = pace[LARGE_COHORT], pace[SMALL_COHORT]
    setting = f"steps of an untrained network; reference: {SMALL_COHORT:,} cases"
    return Row(f"growth: training on {LARGE_COHORT:,} cases", setting, large, "samples/s", small, large / small)


def _repeated(cohort: Cohort, cases: int) -> Cohort:
    rows = np.arange(cases) % len(cohort.ids)
    ids = tuple(f"case{row}" for row in range(cases))
    return replace(cohort, ids=ids, features=cohort.features[rows], samples=RowView(cohort.samples, rows))


def _cores_row(material: Material, folder: Path) -> Row:
    """Preparing by as many processes as there are cores: more cases, as their start takes seconds."""
    workers = os.cpu_count() or 1
    write_example_dataset(folder / "more", cases=PREPARED, seed=2, defective_share=0.0, with_ct=False)
    started = time.perf_counter()
    prepare_material(folder / "more", folder / "more prepared", material.model, workers=workers)
    seconds = (time.perf_counter() - started) / PREPARED
    alone = material.seconds_per_case
    setting = f"a case of {PREPARED}, with the start of the processes; reference: 1 process"
    return Row(f"growth: prepare by {workers} processes", setting, seconds, "s", alone, alone / seconds)
