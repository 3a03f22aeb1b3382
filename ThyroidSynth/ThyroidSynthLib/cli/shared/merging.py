"""Options for writing the patient's label map with the thyroid replaced."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.export.thyroid_files import FileOptions
from ThyroidSynthLib.geometry.grid import Grid

from . import numbers
from .console import Console


def add_merging(parser: argparse.ArgumentParser, *, more: str = "") -> None:
    """Add the options; `more` is appended to the help of ``--merge-into``."""
    merge = parser.add_argument_group("the patient's label map with the thyroid replaced")
    merge.add_argument(
        "--merge-into",
        type=Path,
        metavar="PATIENT",
        help=f"segmentation file of all structures, or folder with it or with masks; written on the grid of --grid or "
        f"--spacing if one is given, else on its own{more}",
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
    """Return `files` with the options that `add_merging` added; print notes on labels and on the change of the grid."""
    from ThyroidSynthLib.export.merging import MergeRules, merging_notes, on_grid
    from ThyroidSynthLib.imaging.segmentations.label_map_reading import read_label_map

    if options.merge_into is None:
        _refuse_alone(options)
        return files
    rules = MergeRules(options.thyroid_label, options.old_thyroid, overwrite=options.merge_overlaps == "overwrite")
    patient = read_label_map(options.merge_into, labels=options.labels)
    warnings = merging_notes(patient, rules)
    grid = files.grid
    if grid is None and options.spacing:
        grid = Grid.around(patient.volume.grid, spacing_mm=options.spacing, margin_mm=0.0)
    if grid is not None:
        patient = on_grid(patient, grid)
    for note in (*patient.notes, *warnings):
        console.warn(f"{options.merge_into}: {note}.")
    return replace(files, merge_into=patient, merge_rules=rules)


def merged_text(merged: Mapping[str, Any]) -> str:
    """Return what a merged map, given by its JSON document, holds and what it changed of other structures."""
    from ThyroidSynthLib.export.merging import changes_in

    text = f"Merged map: thyroid {merged['written_ml']:.2f} mL (label {merged['thyroid_label']})"
    if merged["written_ml"] < merged["new_ml"]:
        kept_by = ", ".join(f"{other['name']} {other['volume_ml']:.2f} mL" for other in merged["overlaps"])
        text += f", {merged['new_ml'] - merged['written_ml']:.2f} mL left to other structures ({kept_by})"
    changes = changes_in(merged)
    return f"{text}; {'; '.join(changes) if changes else 'no other structure changed'}."


def _refuse_alone(options: argparse.Namespace) -> None:
    """Raise `InputError` if an option has no effect because ``--merge-into`` is missing."""
    given = {
        "--thyroid-label": options.thyroid_label is not None,
        "--old-thyroid": options.old_thyroid != 0,
        "--merge-overlaps": options.merge_overlaps != "keep",
    }
    for name, chosen in given.items():
        if chosen:
            raise InputError(f"{name} needs --merge-into. Give the patient's label map there, or leave out {name}.")
