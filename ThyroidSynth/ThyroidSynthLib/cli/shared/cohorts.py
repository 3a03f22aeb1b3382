"""What the commands that make cohorts share: a request that can be continued, worker processes, and a figure."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.files import atomic_path, sha256_of
from ThyroidSynthLib.generation.cohort.achieved_distribution import DISTRIBUTION_PNG

if TYPE_CHECKING:
    from ThyroidSynthLib.generation.cohort.achieved_distribution import AchievedDistribution

_LARGEST_SUMMED = 256 << 20  # bytes


def workers_of(options: argparse.Namespace, count: int, *, few: int) -> int:
    """Return the number of worker processes for `count` thyroids; `few` of them do not repay the start of one."""
    from ThyroidSynthLib.common.workers import usable_workers

    # A process takes seconds to start.
    return min(usable_workers(options.workers), count if options.workers else max(1, count // few))


def request_of(options: argparse.Namespace, inputs: Sequence[Path]) -> str:
    """Return a checksum of everything on which the thyroids depend: the options, the input files and the version."""
    same_result = ("out", "overwrite", "workers", "dask_scheduler", "json", "quiet", "debug", "run", "usage_error")
    values = {name: str(value) for name, value in sorted(vars(options).items()) if name not in same_result}
    files: list[object] = []
    for path in sorted(inputs):
        # Reading an input reports why it cannot be read.
        with suppress(OSError):
            status = path.stat()
            if path.is_file():
                # A damaged file may state any size, so a large one is not read as a whole before it is checked.
                small = status.st_size <= _LARGEST_SUMMED
                files.append(sha256_of(path) if small else (status.st_size, status.st_mtime_ns))
    return sha256(json.dumps([__version__, values, files]).encode()).hexdigest()


def draw_distribution(distribution: AchievedDistribution, folder: Path) -> None:
    """Write the figure of a distribution into a folder."""
    # Slicer's own Python has no matplotlib; the figure is then left out.
    if find_spec("matplotlib") is None:
        return
    from ThyroidSynthLib.evaluation.report.figures.distributions import cohort_figure

    with atomic_path(folder / DISTRIBUTION_PNG) as temporary:
        temporary.write_bytes(cohort_figure(distribution))
