"""Reproduce the paper: download and prepare the published set, train and evaluate the three variants, and compare.

The folder of a reproduction contains::

    plan.json            the options
    data/                the published set, if it was downloaded
    cohort/              the set as a cohort
    baseline/, fixed/, correlation/   training and evaluation of each variant
    reproduction.json    all numbers beside those of the paper, also as table.csv
    figure2.png, figure3.png, figure4.png
    reproduction.html    the same for people

An interrupted reproduction continues where it was.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.files import absolute_path, atomic_path, read_json, write_json, write_text
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, part_of, silent
from ThyroidSynthLib.common.results import check_outside, replacing_result
from ThyroidSynthLib.common.staging import output_folder
from ThyroidSynthLib.dataset.authors import AuthorsOptions, open_published_set, prepare_authors_set
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.dataset.download import RECORDS, ZENODO, download
from ThyroidSynthLib.evaluation import EVALUATION_FILE
from ThyroidSynthLib.evaluation.comparison.cross_validation import cross_validate
from ThyroidSynthLib.evaluation.comparison.run_plan import claim_plan
from ThyroidSynthLib.evaluation.comparison.runs import CrossValidationOptions, runs_of
from ThyroidSynthLib.evaluation.experiments.evaluation import EvaluationOptions
from ThyroidSynthLib.evaluation.report.html import render_page
from ThyroidSynthLib.evaluation.report.tables import write_table
from ThyroidSynthLib.model.presets import settings_for
from ThyroidSynthLib.model.trained_model import NOTICE

from .numbers import VARIANTS, comparison_rows

REPRODUCTION_FILE = "reproduction.json"
REPRODUCTION_PAGE = "reproduction.html"
FIGURES: Mapping[str, tuple[tuple[str, ...], str, str]] = {
    "figure2": (
        ("baseline",),
        "distributions",
        "Figure 2 of the paper: features of the training cohort and of random thyroids of the baseline model.",
    ),
    "figure3": (
        ("fixed", "correlation"),
        "agreement_of_direct_sampling",
        "Figure 3 of the paper: measured against "
        "target features of random thyroids, for the fixed model (top) and the correlation model (bottom).",
    ),
    "figure4": (
        ("correlation",),
        "edits",
        "Figure 4 of the paper: a training case with one feature varied at a time "
        "by the correlation model. Dotted lines: as in the paper; solid lines: steering to target.",
    ),
}
"""Of each figure the variants whose evaluations have it, its name there, and its caption."""

_FILES = ("table.csv", REPRODUCTION_PAGE, *(f"{name}.png" for name in FIGURES))
_DATA_SHARE, _LAST_SHARE = 0.05, 0.99


@dataclass(frozen=True)
class ReproductionOptions:
    """The options of a reproduction; the defaults are as published.

    Attributes
    ----------
    authors : Path, optional
        The published set, if it is there already; it is downloaded otherwise.
    scale_mm : three lengths or "published"
        See `dataset.authors.AuthorsOptions`.
    preset, epochs, device, seed
        As in `JobOptions`.
    count : int
        Number of random thyroids of each variant.
    base_url : str
        Server from which the set is downloaded.
    """

    authors: Path | None = None
    scale_mm: tuple[float, float, float] | Literal["published"] = "published"
    preset: str = "paper"
    epochs: int = 0
    count: int = 1000
    device: str = "auto"
    seed: int = 0
    base_url: str = field(default=ZENODO, compare=False)

    def evaluation(self) -> EvaluationOptions:
        """Return the extent of the evaluations: what the paper reports, and little more."""
        return EvaluationOptions(count=self.count, to_target=0, moves=1, seed=self.seed)


def reproduce(
    folder: Path | str,
    options: ReproductionOptions = ReproductionOptions(),
    *,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> dict[str, Any]:
    """Carry out the paper's experiments, or the rest of them, and write the comparison.

    Parameters
    ----------
    folder : path-like
        New, empty, or that of an earlier reproduction with the same options.

    Returns
    -------
    dict
        The content of ``reproduction.json``.

    Raises
    ------
    InputError
        The set cannot be downloaded or read, or an option is not possible.
    JobError
        The folder holds a reproduction with other options, or one of its trainings is running.
    OutputError
        The folder holds other files, or cannot be written.
    Cancelled
        `should_stop` returned true; the next call continues.
    """
    folder = Path(folder)
    check_outside(folder, [options.authors])
    if options.authors is not None:
        # Before the folder is claimed for a set that is not there.
        open_published_set(options.authors)
    with output_folder(folder):
        _claim(folder, options)
        source = folder / "data" if options.authors is None else options.authors
        if options.authors is None:
            fetched = part_of(progress, 0.0, _DATA_SHARE / 2)
            download(RECORDS["authors"], source, progress=fetched, should_stop=should_stop, base_url=options.base_url)
        summary = prepare_authors_set(
            source,
            folder / "cohort",
            AuthorsOptions(scale_mm=options.scale_mm),
            progress=part_of(progress, _DATA_SHARE / 2, _DATA_SHARE),
            should_stop=should_stop,
        )
        cohort = Cohort.open(folder / "cohort")
        evaluations = {}
        for number, variant in enumerate(VARIANTS):
            check(should_stop)
            step = (_LAST_SHARE - _DATA_SHARE) / len(VARIANTS)
            start = _DATA_SHARE + number * step
            evaluations[variant] = _evaluated(
                cohort, folder / variant, variant, options, part_of(progress, start, start + step), should_stop
            )
        runs = {variant: _run_name(cohort, variant, options) for variant in VARIANTS}
        made = {name: _figure(folder, runs, name) for name in FIGURES}
        figures = {name: png for name, png in made.items() if png is not None}
        missing = [
            f"{name} was not made, because a model has no valid surface" for name in FIGURES if name not in figures
        ]
        document = _document(cohort, options, (*missing, *summary.notes), evaluations)
        _write(
            folder,
            document | {"files": ["table.csv", REPRODUCTION_PAGE, *(f"{name}.png" for name in figures)]},
            figures,
        )
    progress(1.0, "Reproduced")
    return document


def _claim(folder: Path, options: ReproductionOptions) -> None:
    chosen = asdict(options)
    del chosen["base_url"], chosen["device"]
    chosen["authors"] = None if options.authors is None else str(absolute_path(options.authors))
    chosen["scale_mm"] = options.scale_mm if isinstance(options.scale_mm, str) else list(options.scale_mm)
    # Checked before anything is computed.
    overrides = {"epochs": options.epochs} if options.epochs else {}
    settings_for(options.preset, VARIANTS[0], **overrides)
    claim_plan(folder, {"kind": "reproduction", **chosen})


def _evaluated(
    cohort: Cohort,
    folder: Path,
    variant: str,
    options: ReproductionOptions,
    progress: ProgressCallback,
    should_stop: ShouldStop,
) -> dict[str, Any]:
    """Train and evaluate a variant on all cases, unless that has been done, and return its evaluation."""
    cross_validate(
        cohort, folder, _runs(variant, options), options.evaluation(), progress=progress, should_stop=should_stop
    )
    found: dict[str, Any] = read_json(folder / _run_name(cohort, variant, options) / "evaluation" / EVALUATION_FILE)
    return found


def _runs(variant: str, options: ReproductionOptions) -> CrossValidationOptions:
    return CrossValidationOptions(
        folds=1,
        seeds=(options.seed,),
        variant=variant,
        preset=options.preset,
        epochs=options.epochs,
        device=options.device,
    )


def _run_name(cohort: Cohort, variant: str, options: ReproductionOptions) -> str:
    return runs_of(cohort, _runs(variant, options))[0].name


def _document(
    cohort: Cohort, options: ReproductionOptions, notes: tuple[str, ...], evaluations: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    settings = evaluations[VARIANTS[-1]]["model"]["settings"]
    more = []
    if options.preset != "paper" or options.epochs:
        more.append(
            f"The models were trained with the preset '{options.preset}' for {settings['epochs']} epochs, not with "
            "'paper' for 10,000 as published, so the numbers are not those of the published method."
        )
    return {
        "kind": "reproduction",
        "format_version": 1,
        "notice": NOTICE,
        "software": f"ThyroidSynth {__version__}",
        "synthetic_cohort": cohort.synthetic,
        "cohort": cohort.provenance(),
        "preset": options.preset,
        "epochs": settings["epochs"],
        "thyroids": options.count,
        "notes": [*more, *(f"{note[0].upper()}{note[1:].rstrip('.')}." for note in notes)],
        "rows": comparison_rows(cohort, evaluations),
        "models": {variant: found["model"]["checksum"] for variant, found in evaluations.items()},
    }


def _figure(folder: Path, runs: Mapping[str, str], name: str) -> bytes | None:
    """Return a figure of the paper, put together from those of the evaluations; None if one of them was not made."""
    from matplotlib.image import imread, imsave

    variants, figure, _ = FIGURES[name]
    paths = [folder / variant / runs[variant] / "evaluation" / "figures" / f"{figure}.png" for variant in variants]
    if not all(path.is_file() for path in paths):
        return None
    pictures = [imread(path)[..., :3] for path in paths]
    width = max(picture.shape[1] for picture in pictures)
    # White beside narrower pictures.
    padded = [
        np.pad(picture, ((0, 0), (0, width - picture.shape[1]), (0, 0)), constant_values=1.0) for picture in pictures
    ]
    stream = io.BytesIO()
    imsave(stream, np.concatenate(padded), format="png")
    return stream.getvalue()


def _write(folder: Path, document: dict[str, Any], figures: Mapping[str, bytes]) -> None:
    captions = {name: caption for name, (_, _, caption) in FIGURES.items()}
    page = render_page("reproduction.html", document=document, figures=figures, captions=captions, variants=VARIANTS)
    # Of the same plan, so an earlier result of it may be replaced.
    with replacing_result(folder / REPRODUCTION_FILE, "reproduction", _FILES, overwrite=True) as new:
        write_table(new / "table.csv", document["rows"])
        for name, png in figures.items():
            with atomic_path(new / f"{name}.png") as temporary:
                temporary.write_bytes(png)
        write_text(new / REPRODUCTION_PAGE, page)
        write_json(new / REPRODUCTION_FILE, document)
