"""What the commands that make cohorts share: a request that can be continued, the making, and a figure."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.files import atomic_path, sha256_of
from ThyroidSynthLib.generation.cohort.achieved_distribution import DISTRIBUTION_PNG

if TYPE_CHECKING:
    from ThyroidSynthLib.common.progress import ShouldStop
    from ThyroidSynthLib.export.cohort.cohort_kind import CohortKind, WrittenMember
    from ThyroidSynthLib.export.cohort.cohort_making import CohortPlan
    from ThyroidSynthLib.export.cohort.generated_cohort import GeneratedCohort
    from ThyroidSynthLib.generation.cohort.achieved_distribution import AchievedDistribution
    from ThyroidSynthLib.geometry.frame import Placement
    from ThyroidSynthLib.geometry.targets import Targets
    from ThyroidSynthLib.model.trained_model import TrainedModel

    from .console import Console
    from .targets import TargetOptions

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


def in_parallel(
    options: argparse.Namespace, plan: CohortPlan, targets: Sequence[Targets], few: int, start: int, stopped: ShouldStop
) -> Iterator[WrittenMember]:
    """Make the members of a cohort from number `start` on, with the workers that the options name."""
    from ThyroidSynthLib.export.cohort.cohort_making import make_thyroids

    return make_thyroids(
        plan,
        targets,
        start=start,
        workers=workers_of(options, len(targets), few=few),
        scheduler=options.dask_scheduler,
        should_stop=stopped,
    )


def record(
    options: argparse.Namespace,
    console: Console,
    made: Callable[[int, ShouldStop], Iterable[WrittenMember]],
    *,
    kind: CohortKind | None = None,
    model: TrainedModel,
    placement: Placement,
    chosen: TargetOptions,
    specification: Mapping[str, Any],
    request: str,
    begun: Sequence[Mapping[str, Any]] | None,
    documents: Mapping[str, Callable[[Path], None]] | None = None,
) -> tuple[GeneratedCohort, AchievedDistribution | None]:
    """Record the members that `made` makes from a number on, and return the cohort, and the distribution if it has one.

    A signal, or a file named STOP in the folder, ends the making after the current member. For the other parameters and
    the errors see `record_cohort`.
    """
    from ThyroidSynthLib.common.progress import stop_on_signals
    from ThyroidSynthLib.export.cohort.generated_cohort import STOP_FILE, record_cohort
    from ThyroidSynthLib.generation.cohort.achieved_distribution import AchievedDistribution

    distribution = AchievedDistribution(model.features, chosen.distribution) if chosen.differ else None
    stop_file = options.out / STOP_FILE
    with stop_on_signals() as signalled:

        def stopped() -> bool:
            return signalled() or stop_file.exists()

        written = record_cohort(
            made(len(begun or ()), stopped),
            options.out,
            kind=kind,
            model=model,
            placement=placement,
            specification={**chosen.specification, **specification},
            distribution=distribution,
            total=len(chosen.targets),
            request=request,
            begun=begun,
            draw=_draw_distribution,
            documents=documents,
            overwrite=options.overwrite,
            progress=console.progress,
            should_stop=stopped,
        )
    return written, distribution


def model_lines(model: TrainedModel) -> list[str]:
    """Return what the text of a result says about its model."""
    lines = [model.lengths] if model.lengths else []
    if model.synthetic:
        lines.append("The model was trained on a synthetic cohort: software output, not anatomy.")
    return lines


def _draw_distribution(distribution: AchievedDistribution, folder: Path) -> None:
    """Write the figure of a distribution into a folder."""
    # Slicer's own Python has no matplotlib; the figure is then left out.
    if find_spec("matplotlib") is None:
        return
    from ThyroidSynthLib.evaluation.report.figures.distributions import cohort_figure

    with atomic_path(folder / DISTRIBUTION_PNG) as temporary:
        temporary.write_bytes(cohort_figure(distribution))
