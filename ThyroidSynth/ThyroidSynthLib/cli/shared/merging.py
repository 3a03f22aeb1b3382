"""Options for writing the patient's label map with the thyroid replaced."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from ThyroidSynthLib.export.thyroid_files import FileOptions

from . import numbers
from .console import Console


def add_merging(parser: argparse.ArgumentParser, *, more: str = "") -> None:
    """Add the options; `more` is appended to the help of ``--merge-into``."""
    merge = parser.add_argument_group("the patient's label map with the thyroid replaced")
    merge.add_argument(
        "--merge-into",
        type=Path,
        metavar="PATIENT",
        help=f"multi-label NIfTI, Slicer segmentation or folder of masks{more}",
    )
    merge.add_argument(
        "--merge-overlaps",
        choices=("keep", "overwrite"),
        default="keep",
        help="keep or overwrite other structures where the new thyroid overlaps with them (default: keep)",
    )
    merge.add_argument(
        "--thyroid-label",
        type=numbers.label,
        metavar="N",
        help="label of the new thyroid (default: that of the old one, which is found by name and always replaced)",
    )
    merge.add_argument(
        "--old-thyroid",
        type=numbers.label_or_background,
        default=0,
        metavar="N",
        help="label of the voxels that the old thyroid filled and the new one does not (default: 0, background)",
    )


def with_merging(files: FileOptions, options: argparse.Namespace, console: Console) -> FileOptions:
    """Return `files` with the options that `add_merging` added; print notes on labels that are unknown."""
    from ThyroidSynthLib.export.merging import MergeRules, merging_notes
    from ThyroidSynthLib.imaging.segmentations.label_map_reading import read_label_map

    if options.merge_into is None:
        return files
    rules = MergeRules(options.thyroid_label, options.old_thyroid, overwrite=options.merge_overlaps == "overwrite")
    patient = read_label_map(options.merge_into, labels=options.labels)
    for note in merging_notes(patient, rules):
        console.note(f"{options.merge_into}: {note}.")
    return replace(files, merge_into=patient, merge_rules=rules)
