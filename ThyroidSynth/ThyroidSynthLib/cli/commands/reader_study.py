"""`thyroidsynth reader-study`: the results of a reader study."""

from __future__ import annotations

import argparse
from pathlib import Path

from ThyroidSynthLib.cli.shared.arguments import add_out
from ThyroidSynthLib.cli.shared.console import Console, Result

NAME = "reader-study"
SUMMARY = "summarise the ratings of a reader study"
DESCRIPTION = """\
Summarise a reader study, which is created and read in Slicer: for each reader and for all of them how well real and
synthetic shapes were separated (area under the ROC curve), how well readers agree (intraclass correlation), and how
well a reader agrees with him- or herself on shapes that were shown twice. Ratings that are still to come may change it.

With --out, also writes summary.json, summary.txt and ratings.csv, which names the kind of every shape: keep it from
readers who have not finished."""
EPILOG = """\
examples:
  thyroidsynth reader-study study
  thyroidsynth reader-study study --out results --overwrite"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("study", type=Path, metavar="STUDY", help="folder of the reader study")
    add_out(parser, "also write the results to this folder", required=False)


def run(options: argparse.Namespace, console: Console) -> Result:
    """Run the command."""
    from ThyroidSynthLib.common.results import check_outside
    from ThyroidSynthLib.evaluation.reader_study import summarise, write_summary

    if options.out is not None:
        check_outside(options.out, [options.study])
    summary = summarise(options.study)
    text = summary.text
    if options.out is not None:
        text += f"\n\nThe results are in {write_summary(summary, options.out, overwrite=options.overwrite).parent}."
    return Result(summary.document, text)
