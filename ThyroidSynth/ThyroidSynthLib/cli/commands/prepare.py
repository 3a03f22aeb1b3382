"""`thyroidsynth prepare`: turn segmentations into a cohort."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from ThyroidSynthLib.cli.shared import numbers
from ThyroidSynthLib.cli.shared.arguments import (
    add_labels,
    add_masks,
    add_out,
    add_scheduler,
    add_seed,
    add_workers,
)
from ThyroidSynthLib.cli.shared.console import Console, Result
from ThyroidSynthLib.geometry.frame import ALIGNMENTS

NAME = "prepare"
SUMMARY = "turn segmentations into a cohort for training"
DESCRIPTION = """\
Read thyroid and trachea of every case, check their quality, extract and measure the surfaces, and draw the SDF samples
for training. Input: a TotalSegmentator training dataset or one of its cases, output folders of TotalSegmentator,
multi-label NIfTI files (--ml), Slicer segmentations (.seg.nrrd), DICOM SEG, or one pair of mask files.

quality.csv in the cohort folder lists every case with its verdict and the reasons. After an interruption the same
command resumes."""
EPILOG = """\
examples:
  thyroidsynth prepare Totalsegmentator_dataset_v201 --out cohort
  thyroidsynth prepare my_outputs --out cohort --include case17 --exclude case03 case09
  thyroidsynth prepare labels.nii.gz --class-map total-v2 --out cohort
  thyroidsynth prepare --thyroid thyroid_gland.nii.gz --trachea trachea.nii.gz --out cohort"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("source", nargs="?", type=Path, metavar="SOURCE", help="folder or file with the cases")
    add_masks(parser, instead_of="SOURCE")
    add_out(parser, "cohort folder: new, empty, or of an earlier run of the same command")
    add_labels(parser)
    parser.add_argument(
        "--include", nargs="+", default=[], metavar="ID", help="include these cases whatever the rules say"
    )
    parser.add_argument("--exclude", nargs="+", default=[], metavar="ID", help="exclude these cases")
    parser.add_argument(
        "--alignment",
        choices=ALIGNMENTS,
        default=ALIGNMENTS[0],
        help="trachea frame: 'trachea' has its origin at the trachea's centroid, as published; 'upright' is aligned "
        "with the axis of the trachea at the height of the gland, so that the length of trachea in the scan and a "
        "tilted neck have no effect (default: trachea)",
    )
    parser.add_argument(
        "--samples", type=numbers.samples, default=50_000, metavar="N", help="SDF samples per shape (default: 50000)"
    )
    add_seed(parser, "random seed of the samples")
    add_workers(parser)
    add_scheduler(parser)


def run(options: argparse.Namespace, console: Console) -> Result:
    """Run the command."""
    from ThyroidSynthLib.common.progress import stop_on_signals
    from ThyroidSynthLib.dataset.case_sources import find_cases
    from ThyroidSynthLib.dataset.prepare import PrepareOptions, prepare_cohort

    if options.dask_scheduler:
        for name in ("source", "thyroid", "trachea"):
            path = getattr(options, name)
            setattr(options, name, path and path.absolute())
    # A path alone is passed on as it is: the cohort then knows the dataset it comes from.
    pair = options.source is None or options.thyroid is not None or options.trachea is not None
    masks = {"thyroid": options.thyroid, "trachea": options.trachea, "labels": options.labels}
    source = find_cases(options.source, **masks) if pair else options.source
    chosen = PrepareOptions(
        labels=options.labels,
        alignment=options.alignment,
        include=tuple(options.include),
        exclude=tuple(options.exclude),
        samples_per_shape=options.samples,
        seed=options.seed,
        overwrite=options.overwrite,
    )
    with stop_on_signals() as stopped:
        summary = prepare_cohort(
            source,
            options.out,
            chosen,
            progress=console.progress,
            should_stop=stopped,
            workers=options.workers,
            scheduler=options.dask_scheduler,
        )
    document = {**asdict(summary), "folder": str(summary.folder)}
    lines = [f"{summary.accepted} of {summary.cases} cases are in {summary.folder} ({summary.seconds:.0f} s)."]
    if summary.refused:
        reasons = ", ".join(f"{reason} ({count})" for reason, count in summary.reasons.items())
        lines.append(f"{summary.refused} were refused: {reasons}.")
    if summary.unreadable:
        lines.append(f"{summary.unreadable} could not be read.")
    lines.append(f"Every verdict is in {summary.folder / 'quality.csv'}.")
    if summary.synthetic:
        lines.append("The cohort is synthetic: software input, not anatomy.")
    return Result(document, "\n".join(lines))
