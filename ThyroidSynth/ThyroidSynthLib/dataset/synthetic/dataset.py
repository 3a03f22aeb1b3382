"""Writing the example cohort as a dataset in the layout of the TotalSegmentator v2 training data."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.common.files import write_json, write_text
from ThyroidSynthLib.common.progress import ProgressCallback, silent
from ThyroidSynthLib.imaging.volume_files import write_volume

from .case import CasePlan, CaseTruth, build_case, plan_cases

STATEMENT = "SYNTHETIC example cohort of ThyroidSynth: software input, not anatomy"
MARKER_NAME = "SYNTHETIC.txt"
META_COLUMNS = (
    "image_id",
    "age",
    "gender",
    "institute",
    "study_type",
    "split",
    "manufacturer",
    "scanner_model",
    "kvp",
    "pathology",
    "pathology_location",
)
"""Columns of ``meta.csv`` in version 2.0.1 of the dataset, which separates them by semicolons."""

_EXPLANATION = f"""{STATEMENT}.

The scans and masks in this folder were drawn by a program. They imitate the layout, sizes and defects of the
TotalSegmentator training dataset so that software can be tried on them. The shapes are invented: nothing about
human anatomy can be concluded from them or from a model trained on them, and they are not for clinical use.

<case>/ct.nii.gz                      CT, Hounsfield units
<case>/segmentations/<class>.nii.gz   masks; some classes are empty, as in the dataset
meta.csv                              as in the dataset (semicolons)
ground_truth.csv, ground_truth.json   every case's true features, planted defect and what quality control must say
"""


@dataclass(frozen=True)
class ExampleSummary:
    """What was written.

    Attributes
    ----------
    folder
        The dataset's root.
    truths
        What is known about each case, in the order of the case ids.
    """

    folder: Path
    truths: tuple[CaseTruth, ...]

    @property
    def cases(self) -> int:
        """Number of cases."""
        return len(self.truths)

    @property
    def refused(self) -> int:
        """Number of cases quality control must refuse."""
        return sum(truth.expected_verdict == "refused" for truth in self.truths)


def write_example_dataset(
    folder: Path,
    *,
    cases: int,
    seed: int = 0,
    defective_share: float = 0.15,
    with_ct: bool = True,
    workers: int | None = None,
    progress: ProgressCallback | None = None,
) -> ExampleSummary:
    """Write an example dataset.

    The same number of cases, seed and share give the same files, whatever the number of workers.

    Parameters
    ----------
    folder
        Where to write; must not hold anything yet.
    cases
        Number of cases, 1 to 10,000.
    seed
        Seed of everything random, at least 0.
    defective_share
        Share of cases with a planted defect, 0 to 1.
    with_ct
        Write CTs, which take most of the time and space.
    workers
        Number of processes; by default one per CPU.
    progress
        Called after each case.

    Raises
    ------
    InputError
        A number is out of its range.
    OutputError
        The folder is not empty or cannot be written.
    """
    folder = Path(folder)
    report = progress or silent
    _check(folder, cases, seed, defective_share, workers)
    plans = plan_cases(cases, seed, defective_share)
    write_text(folder / MARKER_NAME, _EXPLANATION)
    truths: list[CaseTruth] = []
    job = partial(_write_case, folder=folder, with_ct=with_ct)
    for truth in _in_order(job, plans, workers or os.cpu_count() or 1):
        truths.append(truth)
        report(len(truths) / cases, f"Example case {len(truths)} of {cases} written")
    # A byte order mark as in the dataset's own file.
    write_text(folder / "meta.csv", "\ufeff" + _csv(META_COLUMNS, _meta_rows(truths, seed), ";"))
    names = [field.name for field in fields(CaseTruth)]
    write_text(folder / "ground_truth.csv", _csv(names, [_readable(truth) for truth in truths], ","))
    write_json(
        folder / "ground_truth.json",
        {
            "synthetic": True,
            "statement": STATEMENT,
            "version": __version__,
            "seed": seed,
            "defective_share": defective_share,
            "cases": [asdict(truth) for truth in truths],
        },
    )
    return ExampleSummary(folder, tuple(truths))


def _check(folder: Path, cases: int, seed: int, defective_share: float, workers: int | None) -> None:
    if not 1 <= cases <= 10_000:
        raise InputError(f"{cases} cases cannot be made; ask for 1 to 10,000.")
    if seed < 0:
        raise InputError(f"The seed {seed} is negative; give 0 or more.")
    if not 0.0 <= defective_share <= 1.0:
        raise InputError(f"The defective share {defective_share} is no share; give a number from 0 to 1.")
    if workers is not None and workers < 1:
        raise InputError(f"{workers} workers cannot work; give 1 or more.")
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file. Name a new folder for the example cohort.")
    if folder.is_dir() and any(folder.iterdir()):
        raise OutputError(f"{folder} is not empty. Name a new folder, or empty this one first.")


def _in_order(job: partial[CaseTruth], plans: list[CasePlan], workers: int) -> Iterator[CaseTruth]:
    if workers == 1 or len(plans) == 1:
        yield from map(job, plans)
        return
    # Fresh processes: a fork of a process that has threads (Qt, torch) may hang.
    pool = ProcessPoolExecutor(min(workers, len(plans)), mp_context=get_context("spawn"))
    try:
        yield from pool.map(job, plans)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _write_case(plan: CasePlan, *, folder: Path, with_ct: bool) -> CaseTruth:
    case = build_case(plan, with_ct=with_ct)
    root = folder / plan.case_id
    # ITK stores its notes in the header's 80-character description.
    metadata = {"ITK_FileNotes": STATEMENT}
    for name, mask in case.masks.items():
        write_volume(mask, root / "segmentations" / f"{name}.nii.gz", metadata=metadata)
    if case.ct is not None:
        write_volume(case.ct, root / "ct.nii.gz", metadata=metadata)
    return case.truth


def _meta_rows(truths: list[CaseTruth], seed: int) -> list[dict[str, object]]:
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1 << 20,)))
    return [
        {
            "image_id": truth.case_id,
            "age": int(np.clip(rng.normal(62.0, 15.0), 18, 95)),
            "gender": "mf"[int(rng.random() < 0.45)],
            "institute": "SYNTHETIC",
            "study_type": "ct neck",
            "split": ("train", "val", "test")[rng.choice(3, p=[0.85, 0.05, 0.10])],
            "manufacturer": "SYNTHETIC",
            "scanner_model": "ThyroidSynth example",
            "kvp": 120,
            "pathology": STATEMENT,
            "pathology_location": "",
        }
        for truth in truths
    ]


def _readable(truth: CaseTruth) -> dict[str, object]:
    row = asdict(truth)
    return {
        name: f"{value:.4f}" if isinstance(value, float) else int(value) if isinstance(value, bool) else value
        for name, value in row.items()
    }


def _csv(columns: tuple[str, ...] | list[str], rows: list[dict[str, object]], delimiter: str) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
