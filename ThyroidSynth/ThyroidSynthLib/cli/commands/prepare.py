"""`thyroidsynth prepare`: turn segmentations into a cohort."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

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
from ThyroidSynthLib.cli.shared.shapes import add_input_space, add_trachea_centre, set_scale, without_other_options
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.text_files import listed_shortly
from ThyroidSynthLib.dataset.finding.ids import readable
from ThyroidSynthLib.dataset.finding.layouts import EXPECTED_REASONS
from ThyroidSynthLib.geometry.frame import ALIGNMENTS, DEFAULT_ALIGNMENT

if TYPE_CHECKING:
    from ThyroidSynthLib.common.progress import ShouldStop
    from ThyroidSynthLib.dataset.case_sources import FoundCases
    from ThyroidSynthLib.dataset.prepare import PreparationSummary

NAME = "prepare"
SUMMARY = "turn segmentations into a cohort for training"
DESCRIPTION = """\
Read thyroid and trachea of every case, check their quality, extract and measure the surfaces, and draw the SDF samples
for training. Input: segmentation files, and folders with cases at any depth and in any mixture of layouts: datasets and
results of TotalSegmentator, other folders with masks named as thyroid and trachea, label maps (NIfTI, NRRD, MetaImage),
Slicer segmentations (.seg.nrrd), DICOM; or one pair of mask files. --dry-run shows what is found and what is not.
With --trachea-centre the input is meshes (PLY, STL, OBJ, VTP, VTK); with --authors it is the set that the authors of
the paper published.

quality.csv in the cohort folder lists every case with its verdict and the reasons, and what was passed over in the
folders. After an interruption the same command resumes."""
EPILOG = """\
examples:
  thyroidsynth prepare Totalsegmentator_dataset_v201 --out cohort
  thyroidsynth prepare my_outputs --dry-run
  thyroidsynth prepare hospital_a hospital_b case17.seg.nrrd --out cohort
  thyroidsynth prepare my_outputs --out cohort --include case17 --exclude case03 case09
  thyroidsynth prepare labels.nii.gz --class-map total-v2 --out cohort
  thyroidsynth prepare my_outputs --organs trachea,esophagus --out cohort
  thyroidsynth prepare --thyroid thyroid_gland.nii.gz --trachea trachea.nii.gz --out cohort
  thyroidsynth prepare meshes --trachea-centre centres.csv --out cohort
  thyroidsynth prepare --authors zenodo_15100852 --scale-mm published --out cohort"""

# Notes that are printed; quality.csv has all.
_NOTES = 10


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("sources", nargs="*", type=Path, metavar="SOURCE", help="folders or files with the cases")
    add_masks(parser, instead_of="SOURCE")
    add_out(parser, "cohort folder: new, empty, or of an earlier run of the same command", required=False)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="list the cases that are found, what they are read from, and what is passed over and why; write nothing",
    )
    add_labels(parser)
    parser.add_argument(
        "--include", nargs="+", default=[], metavar="ID", help="include these cases whatever the rules say"
    )
    parser.add_argument("--exclude", nargs="+", default=[], metavar="ID", help="exclude these cases")
    parser.add_argument(
        "--organs",
        type=organ_names,
        metavar="NAMES",
        help="organs beside the thyroid that models learn as well, by their names in the segmentations, separated by "
        "commas: trachea,esophagus,common_carotid_artery_right,common_carotid_artery_left; a case may lack some, and "
        "they are learned where its scan shows them",
    )
    add_trachea_centre(parser)
    add_input_space(parser)
    parser.add_argument(
        "--authors",
        type=Path,
        metavar="FOLDER",
        help="the published set, Zenodo 15100852 unpacked, instead of SOURCE: ply/, sdf/ and features.csv; its samples "
        "are used as they are, in the alignment 'trachea'",
    )
    parser.add_argument(
        "--scale-mm",
        type=set_scale,
        metavar="LENGTHS",
        help="of --authors: millimetres per unit along its three axes, as in 60,40,35, one number for all, or "
        "'published' to derive them from the mean extents in the paper (default: unknown, lengths stay in units)",
    )
    parser.add_argument(
        "--alignment",
        choices=ALIGNMENTS,
        help="trachea frame: 'upright' is aligned with the axis of the trachea at the height of the gland, so that the "
        "length of trachea in the scan and a tilted neck have no effect; 'trachea' has its origin at the trachea's "
        "centroid, as published, for the preset 'paper' (default: upright)",
    )
    parser.add_argument("--samples", type=numbers.samples, metavar="N", help="SDF samples per shape (default: 50000)")
    add_seed(parser, "random seed of the samples")
    add_workers(parser)
    add_scheduler(parser)
    parser.set_defaults(usage_error=parser.error)


def run(options: argparse.Namespace, console: Console) -> Result:
    """Run the command."""
    from ThyroidSynthLib.common.progress import stop_on_signals
    from ThyroidSynthLib.dataset.case_sources import search_cases
    from ThyroidSynthLib.dataset.cohort import Cohort
    from ThyroidSynthLib.dataset.cohort_writing import SAMPLES_PER_SHAPE
    from ThyroidSynthLib.dataset.prepare import PrepareOptions, prepare_cohort

    if options.out is None and not options.dry_run:
        options.usage_error("the following arguments are required: --out")
    if options.scale_mm is not None and options.authors is None:
        options.usage_error("--scale-mm is the scale of the set in --authors; give it too")
    with stop_on_signals() as stopped:
        if options.authors is not None:
            summary = _of_authors_set(options, console, stopped)
        elif options.trachea_centre is not None:
            summary = _of_meshes(options, console, stopped)
        else:
            if options.input_space is not None:
                options.usage_error(
                    "--input-space is for meshes; give the centre of their trachea too (--trachea-centre)"
                )
            console.progress(0.0, "Searching for cases")
            found = search_cases(
                options.sources, labels=options.labels, thyroid=options.thyroid, trachea=options.trachea
            )
            if options.dry_run:
                return _listing(found)
            chosen = PrepareOptions(
                labels=options.labels,
                alignment=options.alignment or DEFAULT_ALIGNMENT,
                include=tuple(options.include),
                exclude=tuple(options.exclude),
                samples_per_shape=options.samples or SAMPLES_PER_SHAPE,
                organs=options.organs or (),
                seed=options.seed,
                overwrite=options.overwrite,
            )
            summary = prepare_cohort(
                found,
                options.out,
                chosen,
                progress=console.progress,
                should_stop=stopped,
                workers=options.workers,
                scheduler=options.dask_scheduler,
            )
    return _result(summary, Cohort.open(summary.folder).frame.alignment)


def _of_authors_set(options: argparse.Namespace, console: Console, stopped: ShouldStop) -> PreparationSummary:
    from ThyroidSynthLib.dataset.authors import AuthorsOptions, prepare_authors_set

    without_other_options(
        options,
        "--authors",
        "sources thyroid trachea labels organs samples alignment trachea_centre input_space dask_scheduler workers "
        "dry_run",
    )
    chosen = AuthorsOptions(options.scale_mm, tuple(options.include), tuple(options.exclude), options.overwrite)
    return prepare_authors_set(options.authors, options.out, chosen, progress=console.progress, should_stop=stopped)


def _of_meshes(options: argparse.Namespace, console: Console, stopped: ShouldStop) -> PreparationSummary:
    from ThyroidSynthLib.dataset.cohort_writing import SAMPLES_PER_SHAPE
    from ThyroidSynthLib.dataset.meshes import MeshOptions, centres_of, prepare_meshes

    without_other_options(options, "--trachea-centre", "thyroid trachea labels organs dask_scheduler dry_run")
    if not options.sources:
        options.usage_error("the following arguments are required: SOURCE, the meshes of --trachea-centre")
    chosen = MeshOptions(
        space=options.input_space,
        alignment=options.alignment or DEFAULT_ALIGNMENT,
        include=tuple(options.include),
        exclude=tuple(options.exclude),
        samples_per_shape=options.samples or SAMPLES_PER_SHAPE,
        seed=options.seed,
        overwrite=options.overwrite,
    )
    return prepare_meshes(
        options.sources,
        options.out,
        centres_of(options.trachea_centre),
        chosen,
        progress=console.progress,
        should_stop=stopped,
        workers=options.workers,
    )


def _result(summary: PreparationSummary, alignment: str) -> Result:
    document = {**asdict(summary), "folder": str(summary.folder), "alignment": alignment}
    lines = [
        f"{summary.accepted} of {summary.cases} cases are in {summary.folder}, alignment {alignment} "
        f"({summary.seconds:.0f} s)."
    ]
    if summary.organs:
        counts = ", ".join(f"{name} in {count}" for name, count in summary.organs.items())
        lines.append(f"Organs beside the thyroid: {counts} of the cases.")
    if summary.refused:
        reasons = ", ".join(f"{reason} ({count})" for reason, count in summary.reasons.items())
        lines.append(f"{summary.refused} were refused: {reasons}.")
    if summary.unreadable:
        lines.append(f"{summary.unreadable} could not be read.")
    for what, ids in (("new since the last run", summary.added), ("no longer in the source", summary.removed)):
        if ids:
            lines.append(f"{len(ids)} {what}: {listed_shortly(ids)}.")
    if unexpected := {reason: n for reason, n in summary.passed_over.items() if reason not in EXPECTED_REASONS}:
        listed = "; ".join(f"{reason} ({count})" for reason, count in unexpected.items())
        lines.append(f"Passed over: {listed}.")
    lines += [_note_line(note) for note in summary.notes[:_NOTES]]
    if len(summary.notes) > _NOTES:
        lines.append(f"{len(summary.notes) - _NOTES} more notes are in quality.csv.")
    lines.append(f"Every verdict is in {summary.folder / 'quality.csv'}.")
    if summary.synthetic:
        lines.append("The cohort is synthetic: software input, not anatomy.")
    return Result(document, "\n".join(lines))


def _note_line(note: str) -> str:
    """Return a note as a line: one on a case begins with its id, one on the whole is a sentence."""
    return f"{note[0].upper()}{note[1:].rstrip('.')}." if ": " not in note else f"Check {note}."


def organ_names(text: str) -> tuple[str, ...]:
    """Read the names of organs that are separated by commas."""
    from ThyroidSynthLib.dataset.organs.reading import checked_names

    try:
        return checked_names([name for name in text.split(",") if name.strip()])
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _listing(found: FoundCases) -> Result:
    """Return what a search has found, as a table and for JSON."""
    from ThyroidSynthLib.dataset.finding.listing import case_listing, listing_text, passed_over_listing

    cases = [case_listing(source) for source in found.cases]
    passed_over = [passed_over_listing(entry) for entry in found.passed_over]
    document = {"sources": [readable(str(path)) for path in found.sources], "cases": cases, "passed_over": passed_over}
    return Result(document, listing_text(cases, found.passed_over))
