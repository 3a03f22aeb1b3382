"""`thyroidsynth compare`: several evaluations in one table."""

from __future__ import annotations

import argparse
from pathlib import Path

from ThyroidSynthLib.cli.shared.arguments import add_out
from ThyroidSynthLib.cli.shared.console import Console, Result
from ThyroidSynthLib.cli.shared.outputs import owning_out

NAME = "compare"
SUMMARY = "compare evaluations in one table"
DESCRIPTION = """\
Write the measures of several evaluations in one table with one column per model, named after its folder, beside the
published numbers of the paper. A cross-validation has one column too, with mean and SD over its seeds and folds; so
several of them show every measure on several cohorts. Writes comparison.html (self-contained), comparison.csv and
comparison.json."""
EPILOG = """\
examples:
  thyroidsynth compare evaluations/ours evaluations/fixed --out comparison
  thyroidsynth compare evaluations/* --out comparison --overwrite
  thyroidsynth compare seeds_of_cohort_a seeds_of_cohort_b --out two_cohorts"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "evaluations",
        type=Path,
        nargs="+",
        metavar="EVALUATION",
        help="folder of an evaluation or a cross-validation, or its evaluation.json or cross_validation.json",
    )
    add_out(parser, "folder for the tables")


@owning_out
def run(options: argparse.Namespace, console: Console) -> Result:
    """Run the command."""
    from ThyroidSynthLib.evaluation.comparison.compare import (
        check_comparison_room,
        compare,
        read_evaluations,
        write_comparison,
    )

    check_comparison_room(options.out, overwrite=options.overwrite)
    comparison = compare(read_evaluations(options.evaluations))
    page = write_comparison(comparison, options.out, overwrite=options.overwrite)
    lines = [f"The comparison of {len(comparison['models'])} models is in {page}.", *comparison["notes"]]
    return Result({"page": str(page), **comparison}, "\n".join(lines))
