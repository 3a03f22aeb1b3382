"""`thyroidsynth example-cohort`: a synthetic dataset to try everything on."""

from __future__ import annotations

import argparse
from pathlib import Path

from ThyroidSynthLib.cli.shared.arguments import natural, positive_int, share
from ThyroidSynthLib.cli.shared.console import Console, Result

NAME = "example-cohort"
SUMMARY = "write a synthetic dataset to try the software on"
DESCRIPTION = """\
Write a dataset of invented necks in the layout of the TotalSegmentator training dataset: CTs, masks, meta.csv, and a
ground truth of every case's true features and planted defect. It is software input, not anatomy, and says so
everywhere; what is trained on it carries that mark along."""
EPILOG = """\
examples:
  thyroidsynth example-cohort --cases 60 --out dataset
  thyroidsynth example-cohort --cases 120 --defective-share 0 --no-ct --out sound_cases"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="new or empty folder to write to")
    parser.add_argument("--cases", type=positive_int, default=60, metavar="N", help="number of cases (default: 60)")
    parser.add_argument("--seed", type=natural, default=0, help="seed of everything random (default: 0)")
    parser.add_argument(
        "--defective-share",
        type=share,
        default=0.15,
        metavar="SHARE",
        help="share of cases with a defect that quality control must find (default: 0.15)",
    )
    parser.add_argument("--no-ct", action="store_true", help="write masks only: faster and smaller")
    parser.add_argument("--workers", type=positive_int, metavar="N", help="processes (default: one for each CPU)")


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
        f"{summary.cases} synthetic cases are in {summary.folder}; quality control must refuse {summary.refused}.\n"
        f"Next: thyroidsynth prepare {summary.folder} --out cohort"
    )
    return Result(document, text)
