"""`thyroidsynth cross-validate`: train and evaluate over folds and seeds."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ThyroidSynthLib.cli.shared import numbers
from ThyroidSynthLib.cli.shared.arguments import (
    add_evaluation_extent,
    add_training,
    evaluation_options,
)
from ThyroidSynthLib.cli.shared.console import Console, Result
from ThyroidSynthLib.common.wording import counted

NAME = "cross-validate"
SUMMARY = "train and evaluate over folds and seeds"
DESCRIPTION = """\
Divide a cohort into folds, train one model with each fold held out, evaluate each on its held-out cases, and report
mean and SD of every headline measure. Everything is written to one folder. After Ctrl-C the same command resumes;
finished runs are kept, and seeds may be added later."""
EPILOG = """\
examples:
  thyroidsynth cross-validate cohort --out folds
  thyroidsynth cross-validate cohort --folds 5 --seeds 0 1 2 --out folds
  thyroidsynth cross-validate cohort --folds 1 --held-out 20% --seeds 0 1 2 3 4 --out seeds"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("cohort", type=Path, metavar="COHORT", help="cohort folder")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder of the cross-validation")
    parser.add_argument(
        "--folds",
        type=numbers.folds,
        default=5,
        metavar="K",
        help="number of folds; each is held out once. 1: vary the seed only (default: 5)",
    )
    parser.add_argument(
        "--seeds",
        type=numbers.seed,
        nargs="+",
        default=[0],
        metavar="SEED",
        help="training seeds; every fold is trained with each (default: 0)",
    )
    parser.add_argument(
        "--held-out",
        default="0",
        metavar="CASES",
        help="with --folds 1: cases held out from every training, a number such as 40 or a share such as 20%%",
    )
    parser.add_argument(
        "--split-seed", type=numbers.seed, default=0, metavar="SEED", help="seed of the split into folds (default: 0)"
    )
    add_training(parser)
    add_evaluation_extent(parser)
    parser.set_defaults(usage_error=parser.error)


def run(options: argparse.Namespace, console: Console) -> Result:
    """Run the command."""
    from ThyroidSynthLib.common.errors import InputError
    from ThyroidSynthLib.common.progress import stop_on_signals
    from ThyroidSynthLib.common.results import check_outside
    from ThyroidSynthLib.dataset.cohort import Cohort
    from ThyroidSynthLib.dataset.splits import held_out_of
    from ThyroidSynthLib.evaluation import REPORT_FILE
    from ThyroidSynthLib.evaluation.comparison.cross_validation import cross_validate
    from ThyroidSynthLib.evaluation.comparison.runs import CrossValidationOptions

    try:
        held_out = held_out_of(options.held_out)
    except InputError as error:
        options.usage_error(str(error))
    if held_out and options.folds > 1:
        options.usage_error("--held-out needs --folds 1: with more folds, each fold is held out once")
    chosen = CrossValidationOptions(
        folds=options.folds,
        seeds=tuple(options.seeds),
        held_out=held_out,
        split_seed=options.split_seed,
        variant=options.variant,
        preset=options.preset,
        epochs=options.epochs,
        activation=options.activation,
        omega=options.omega,
        device=options.device,
    )
    check_outside(options.out, [options.cohort])
    with stop_on_signals() as stopped:
        document = cross_validate(
            Cohort.open(options.cohort),
            options.out,
            chosen,
            evaluation_options(options),
            progress=console.progress,
            should_stop=stopped,
        )
    report = options.out / REPORT_FILE
    lines = [f"The report is in {report}. {counted(len(document['runs']), 'model')}, mean ± SD:"]
    lines += summary_lines(document)
    if document["synthetic_cohort"]:
        lines.append("The cohort is synthetic: software input, not anatomy.")
    return Result({"report": str(report), **document}, "\n".join(lines))


def summary_lines(document: dict[str, Any]) -> list[str]:
    """Return the headline measures of a cross-validation, one per line."""
    from ThyroidSynthLib.evaluation.comparison.cross_validation_report import SUMMARY_MEASURES
    from ThyroidSynthLib.evaluation.metrics.headline import MEASURES

    found = {each["key"]: each for each in document["measures"]}
    lines = []
    for measure in MEASURES:
        if measure.key in SUMMARY_MEASURES and measure.key in found:
            each = found[measure.key]
            sd = "" if each["sd"] is None else f" ± {measure.text(each['sd'])}"
            lines.append(f"  {measure.group}, {measure.label}: {measure.text(each['mean'])}{sd}{measure.suffix}")
    return lines
