"""Fits of several thyroids, one by one, each into a folder of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ThyroidSynthLib.common.errors import InputError, ThyroidSynthError
from ThyroidSynthLib.common.files import real_path
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, part_of, silent
from ThyroidSynthLib.common.results import check_outside, check_replaceable
from ThyroidSynthLib.dataset.case_sources import CaseSource
from ThyroidSynthLib.dataset.cases import read_case
from ThyroidSynthLib.export.thyroid_files import FileOptions
from ThyroidSynthLib.generation.cohort.grid_room import check_gland_on_grid
from ThyroidSynthLib.generation.fit.completions import DEFAULT_COMPLETIONS
from ThyroidSynthLib.model.trained_model import TrainedModel

from .fitted import FIT_FILE, FittedCase, fit_case, names_of_fit, write_fit


def fit_cases(
    model: TrainedModel,
    sources: Sequence[CaseSource],
    folder: Path | str,
    *,
    options: FileOptions,
    on_scan_grid: bool = True,
    overwrite: bool = False,
    completions: int = 0,
    seed: int = 0,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> Iterator[dict[str, Any]]:
    """Fit cases one by one; a case that cannot be fitted does not end the others.

    Parameters are those of `fit_case` and `write_fit`. At least `DEFAULT_COMPLETIONS` glands are drawn, of which
    `completions` are written.

    Yields
    ------
    dict
        The content of `fit.json` of each case, or its id and the error.

    Raises
    ------
    InputError
        Two cases have the same id, after which their folders are named.
    """
    # Some file systems ignore case, so that both would share a folder.
    known = Counter(source.id.casefold() for source in sources)
    duplicates = sorted({source.id for source in sources if known[source.id.casefold()] > 1})
    if duplicates:
        raise InputError(
            f"Several cases are named {', '.join(duplicates)}. Fit them one by one into different folders."
        )

    def fit(source: CaseSource, advance: ProgressCallback) -> FittedCase:
        case = read_case(source)
        if options.grid is not None and not on_scan_grid:
            check_gland_on_grid(options.grid, case.thyroid, case.id)
        drawn = max(completions, DEFAULT_COMPLETIONS)
        return fit_case(model, case, completions=drawn, seed=seed, progress=advance, should_stop=should_stop)

    yield from write_fits(
        [(source.id, source.files, partial(fit, source)) for source in sources],
        folder,
        model=model,
        options=options,
        on_scan_grid=on_scan_grid,
        overwrite=overwrite,
        completions=completions,
        progress=progress,
        should_stop=should_stop,
    )


def write_fits(
    thyroids: Sequence[tuple[str, Sequence[Path], Callable[[ProgressCallback], FittedCase]]],
    folder: Path | str,
    *,
    model: TrainedModel,
    options: FileOptions,
    on_scan_grid: bool,
    overwrite: bool,
    completions: int,
    progress: ProgressCallback,
    should_stop: ShouldStop,
) -> Iterator[dict[str, Any]]:
    """Fit thyroids, given by id, input files and function that fits, and write each; yield as `fit_cases`."""
    names = names_of_fit(options, completions)
    for number, (case_id, files, fit) in enumerate(thyroids):
        check(should_stop)
        progress(number / len(thyroids), f"Fitting {case_id} ({number + 1} of {len(thyroids)})")
        own_folder = Path(folder) / case_id
        try:
            if any(real_path(file).is_relative_to(real_path(own_folder)) for file in files):
                check_outside(own_folder, [own_folder])
            check_replaceable(own_folder / FIT_FILE, "fit", names, overwrite=overwrite, inputs=files)
            yield write_fit(
                fit(part_of(progress, number / len(thyroids), (number + 1) / len(thyroids))),
                own_folder,
                model=model,
                options=options,
                on_scan_grid=on_scan_grid,
                overwrite=overwrite,
                completions=completions,
            )
        except ThyroidSynthError as error:
            # A cancelled case cancels all.
            check(should_stop)
            yield {"id": case_id, "error": str(error)}
    progress(1.0, "Fitted")
