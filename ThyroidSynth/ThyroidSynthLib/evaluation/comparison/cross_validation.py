"""Cross-validation: several trainings with different held-out cases and random seeds, each with its evaluation.

The folder of a cross-validation contains::

    plan.json               training settings, cohort, and division of the cases
    fold1_seed0/, …         the training jobs, each with its model and its evaluation/
    cross_validation.json   the measures of all runs and their spread, also as measures.csv and runs.csv
    report.html             the same for people
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import read_json, sha256_of
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, part_of, silent
from ThyroidSynthLib.common.staging import output_folder
from ThyroidSynthLib.dataset.splits import held_out_text
from ThyroidSynthLib.evaluation import EVALUATION_FILE
from ThyroidSynthLib.evaluation.experiments.evaluation import EvaluationOptions
from ThyroidSynthLib.evaluation.report.document import FORMAT_VERSION
from ThyroidSynthLib.generation.steer.calibration import calibrated
from ThyroidSynthLib.jobs.job_options import JobOptions, job_for
from ThyroidSynthLib.jobs.job_run import Trainer, run_job
from ThyroidSynthLib.model.presets import settings_for
from ThyroidSynthLib.model.settings import OMEGA

from .cross_validation_report import write_cross_validation
from .run_plan import claim_plan
from .runs import CrossValidationOptions, Run, runs_of

if TYPE_CHECKING:
    from ThyroidSynthLib.dataset.cohort import Cohort
    from ThyroidSynthLib.jobs.job import JobFolder


_TRAINING_SHARE = 0.7

Evaluator = Callable[["JobFolder", "Cohort", EvaluationOptions, ProgressCallback, ShouldStop], None]
"""Evaluates the model of a job with a cohort and writes the evaluation to the job's folder ``evaluation``."""


def cross_validate(
    cohort: Cohort,
    folder: Path | str,
    options: CrossValidationOptions,
    evaluation: EvaluationOptions,
    *,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
    train: Trainer | None = None,
    evaluate: Evaluator | None = None,
) -> dict[str, Any]:
    """Train, evaluate and summarise all runs; runs that an earlier call has finished in the folder are kept.

    Parameters
    ----------
    cohort : Cohort
        A prepared cohort.
    folder : path-like
        Folder of the cross-validation: new, empty, or of an earlier one with the same options. Seeds may be added.
    train, evaluate : callable, optional
        Replacements of `training.train` and of the evaluation, for tests.

    Returns
    -------
    dict
        The content of ``cross_validation.json``.

    Raises
    ------
    InputError
        The options contradict each other.
    JobError
        The folder holds a different cross-validation, or one of its jobs is running.
    OutputError
        The folder holds other files or cannot be written, or another process writes to it.
    Cancelled
        `should_stop` returned true; the next call continues from there.
    """
    folder = Path(folder)
    with output_folder(folder):
        return _cross_validate(cohort, folder, options, evaluation, progress, should_stop, train, evaluate)


def _cross_validate(
    cohort: Cohort,
    folder: Path,
    options: CrossValidationOptions,
    evaluation: EvaluationOptions,
    progress: ProgressCallback,
    should_stop: ShouldStop,
    train: Trainer | None,
    evaluate: Evaluator | None,
) -> dict[str, Any]:
    runs = runs_of(cohort, options)
    plan = _plan(cohort, options)
    claim_plan(folder, plan, _differences)
    finished: list[tuple[Run, dict[str, Any]]] = []
    document: dict[str, Any] = {}
    for number, run in enumerate(runs):
        check(should_stop)
        start, end = number / len(runs), (number + 1) / len(runs)
        between = start + _TRAINING_SHARE * (end - start)
        prefix = f"Run {number + 1} of {len(runs)}, {run.name}"
        job = job_for(folder / run.name, _job_options(cohort, options, run))
        trained = job.read_state().status == "finished" and job.model_file.is_file()
        if not trained:
            report = _with_prefix(prefix, part_of(progress, start, between))
            run_job(job, progress=report, should_stop=should_stop, train=train, finish=calibrated)
        kept = trained and _is_evaluated(job, evaluation)
        if not kept:
            report = _with_prefix(prefix, part_of(progress, between, end))
            (evaluate or _evaluate)(job, cohort, evaluation, report, should_stop)
        finished.append((run, read_json(job.path / "evaluation" / EVALUATION_FILE)))
        # Written after each new run, because a cross-validation may take days.
        if not kept or len(finished) == len(runs):
            document = write_cross_validation(folder, cohort, plan, finished, planned=len(runs))
    progress(1.0, "Cross-validated")
    return document


def _plan(cohort: Cohort, options: CrossValidationOptions) -> dict[str, Any]:
    """Return the plan without the seeds, so that seeds can be added later."""
    overrides = {"epochs": options.epochs} if options.epochs else {}
    network = {"activation": options.activation, "omega": options.omega}
    settings = settings_for(options.preset, options.variant, **network, **overrides).to_json()
    settings.pop("seed")
    return {
        "kind": "cross-validation",
        "cohort_checksum": cohort.checksum,
        "folds": options.folds,
        "held_out": held_out_text(options.held_out),
        "split_seed": options.split_seed,
        "settings": settings,
    }


def _differences(earlier: Mapping[str, Any], plan: Mapping[str, Any]) -> list[str]:
    found = [] if earlier.get("cohort_checksum") == plan["cohort_checksum"] else ["its cohort is different"]
    # As `TrainingSettings.to_json` omits them for a ReLU network.
    relu = {"activation": "relu", "omega": OMEGA}
    old, new = ({**relu, **each, **each.get("settings", {})} for each in (earlier, plan))
    for name in sorted({*old, *new} - {"settings", "cohort_checksum"}):
        if old.get(name) != new.get(name):
            found.append(f"its {name} is {old.get(name)}, not {new.get(name)}")
    return found


def _job_options(cohort: Cohort, options: CrossValidationOptions, run: Run) -> JobOptions:
    return JobOptions(
        input=cohort.folder,
        variant=options.variant,
        preset=options.preset,
        epochs=options.epochs,
        activation=options.activation,
        omega=options.omega,
        seed=run.seed,
        device=options.device,
        held_out=run.held_out,
        split_seed=options.split_seed,
    )


def _is_evaluated(job: JobFolder, options: EvaluationOptions) -> bool:
    """Return whether the job's current model has been evaluated with these options by this version."""
    path = job.path / "evaluation" / EVALUATION_FILE
    try:
        document = read_json(path)
        same = document["model"]["checksum"] == sha256_of(job.model_file)
        same_format = document["format_version"] == FORMAT_VERSION
        return same and same_format and document["options"] == json.loads(json.dumps(asdict(options)))
    except (InputError, KeyError, TypeError):
        return False


def _evaluate(
    job: JobFolder,
    cohort: Cohort,
    options: EvaluationOptions,
    progress: ProgressCallback,
    should_stop: ShouldStop,
) -> None:
    from ThyroidSynthLib.evaluation.experiments.evaluate import evaluate
    from ThyroidSynthLib.evaluation.report.report import write_evaluation
    from ThyroidSynthLib.model.trained_model import TrainedModel

    model = TrainedModel.load(job.model_file)
    found = evaluate(model, cohort, options, progress=progress, should_stop=should_stop)
    write_evaluation(found, job.path / "evaluation", overwrite=True)


def _with_prefix(prefix: str, progress: ProgressCallback) -> ProgressCallback:
    return lambda fraction, message: progress(fraction, f"{prefix}: {message}")
