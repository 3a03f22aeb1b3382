"""`thyroidsynth example-cohort`: write a synthetic dataset for trying out the software."""

from __future__ import annotations

import argparse
from pathlib import Path

from ThyroidSynthLib.cli.shared import numbers
from ThyroidSynthLib.cli.shared.arguments import add_seed, add_workers
from ThyroidSynthLib.cli.shared.console import Console, Result
from ThyroidSynthLib.common.wording import counted

NAME = "example-cohort"
SUMMARY = "write a synthetic dataset for trying out the software"
DESCRIPTION = """\
Write synthetic necks in the layout of the TotalSegmentator training dataset: CTs, masks, meta.csv, and
ground_truth.csv with the true features and the planted defect of each case. This is software input, not anatomy: every
file is marked as synthetic, and so is every model trained on it."""
EPILOG = """\
examples:
  thyroidsynth example-cohort --cases 60 --out dataset
  thyroidsynth example-cohort --cases 120 --defective-share 0 --no-ct --out valid_cases"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="new or empty folder to write to")
    parser.add_argument(
        "--cases", type=numbers.example_cases, default=60, metavar="N", help="number of cases (default: 60)"
    )
    add_seed(parser)
    parser.add_argument(
        "--defective-share",
        type=numbers.share,
        default=0.15,
        metavar="SHARE",
        help="share of cases with a planted defect (default: 0.15)",
    )
    parser.add_argument("--no-ct", action="store_true", help="write masks only: faster and smaller")
    add_workers(parser)


def run(options: argparse.Namespace, console: Console) -> Result:
    """Run the command."""
    from ThyroidSynthLib.dataset.synthetic import write_example_dataset

    summary = write_example_dataset(
        options.out,
        cases=options.cases,
        seed=options.seed,
        defective_share=options.defective_share,
        with_ct=not options.no_ct,
        workers=options.workers,
        progress=console.progress,
    )
    document = {
        "folder": str(summary.folder),
        "cases": summary.cases,
        "to_be_refused": summary.refused,
        "seed": options.seed,
        "synthetic": True,
    }
    text = (
        f"{summary.folder} holds {counted(summary.cases, 'synthetic case')}; quality control should refuse "
        f"{summary.refused}.\n"
        f"Next: thyroidsynth prepare {summary.folder} --out cohort"
    )
    return Result(document, text)
