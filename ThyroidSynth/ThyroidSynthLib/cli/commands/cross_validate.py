"""`thyroidsynth cross-validate`: train and evaluate over folds and seeds."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ThyroidSynthLib.cli.shared.arguments import natural, positive_int
from ThyroidSynthLib.cli.shared.console import Console, Result
from ThyroidSynthLib.model.presets import DEFAULT_PRESET, PRESETS
from ThyroidSynthLib.model.settings import VARIANTS

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
        type=positive_int,
        default=5,
        metavar="K",
        help="number of folds; each is held out once. 1: vary the seed only (default: 5)",
    )
    parser.add_argument(
        "--seeds",
        type=natural,
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
        "--split-seed", type=natural, default=0, metavar="SEED", help="seed of the split into folds (default: 0)"
    )
    parser.add_argument("--variant", choices=VARIANTS, default="fixed", help="model variant (default: fixed)")
    parser.add_argument(
        "--preset",
        choices=tuple(PRESETS),
        default=DEFAULT_PRESET,
        help="training settings (default: %(default)s)",
    )
    parser.add_argument(
        "--epochs", type=natural, default=0, metavar="N", help="number of epochs (default: the preset's)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    group = parser.add_argument_group("evaluation of each model")
    group.add_argument("--count", type=positive_int, default=200, metavar="N", help="random thyroids (default: 200)")
    group.add_argument(
        "--to-target", type=natural, default=100, metavar="N", help="thyroids steered to target (default: 100)"
    )
    group.add_argument(
        "--moves", type=natural, default=20, metavar="N", help="thyroids in the cross-talk matrix (default: 20)"
    )
    group.add_argument("--cases", type=positive_int, metavar="N", help="cases to reconstruct and fit (default: all)")
    group.add_argument("--quick", action="store_true", help="one minute per model: a first look, not for publication")
    parser.set_defaults(usage_error=parser.error)


def run(options: argparse.Namespace, console: Console) -> Result:
    """Run the command."""
    from ThyroidSynthLib.common.errors import InputError
    from ThyroidSynthLib.common.progress import stop_on_signals
    from ThyroidSynthLib.dataset.cohort import Cohort
    from ThyroidSynthLib.dataset.splits import held_out_of
    from ThyroidSynthLib.evaluation import REPORT_FILE
    from ThyroidSynthLib.evaluation.comparison.cross_validation import cross_validate
    from ThyroidSynthLib.evaluation.comparison.runs import CrossValidationOptions
    from ThyroidSynthLib.evaluation.experiments.evaluation import EvaluationOptions

    try:
        held_out = held_out_of(options.held_out)
    except InputError as error:
        options.usage_error(str(error))
    if held_out and options.folds > 1:
        options.usage_error("--held-out needs --folds 1: with more folds, each fold is held out once")
    evaluation = EvaluationOptions(
        cases=options.cases, count=options.count, to_target=options.to_target, moves=options.moves
    )
    chosen = CrossValidationOptions(
        folds=options.folds,
        seeds=tuple(options.seeds),
        held_out=held_out,
        split_seed=options.split_seed,
        variant=options.variant,
        preset=options.preset,
        epochs=options.epochs,
        device=options.device,
    )
    with stop_on_signals() as stopped:
        document = cross_validate(
            Cohort.open(options.cohort),
            options.out,
            chosen,
            evaluation.quick() if options.quick else evaluation,
            progress=console.progress,
            should_stop=stopped,
        )
    report = options.out / REPORT_FILE
    lines = [f"The report is in {report}. {len(document['runs'])} models, mean ± SD:"]
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
