"""Writing of label map files, with the names of their labels."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import OutputError
from ThyroidSynthLib.common.files import write_text
from ThyroidSynthLib.geometry.volume import Volume

from .formats.metaimage import read_metaimage_header
from .formats.raw_volume import read_raw_header
from .label_table import Look, caret_extension, metaimage_entries, names_in_metaimage, segment_keys
from .labels import names_in_extensions
from .nifti import is_nifti, read_header
from .seg_nrrd import has_segments, read_segments
from .volume_files import NOTE_KEY, read_slabs, write_volume

LABEL_FORMATS = ("nii.gz", "nii", "nrrd", "seg.nrrd", "mha", "mhd", "raw")
"""Formats of label maps, all of which store names. The last two are two files each (see `files_of_image`)."""

NOTE = "Synthetic thyroid made by ThyroidSynth; not for clinical use"


def write_label_map(
    volume: Volume,
    path: Path | str,
    *,
    names: Mapping[int, str] | None = None,
    looks: Mapping[int, Look] | None = None,
    note: str = NOTE,
) -> None:
    """Write a label map, and read it back and compare it before it replaces `path`.

    Parameters
    ----------
    path : Path
        Ends in one of `LABEL_FORMATS`.
    names : mapping of int to str, optional
        Names of the labels, written into the file's header; ``.seg.nrrd`` needs them.
    looks : mapping of int to Look, optional
        Colours, and for NRRD terminology and IDs, of labels with a name; by default a colour for each label.
    note : str
        Written into the file's header; NIfTI keeps 79 characters.

    Raises
    ------
    OutputError
        The format is unknown, the file cannot be written, or it reads back differently.
    """
    path = Path(path)
    suffix = checked_suffix(path, LABEL_FORMATS, "label map")
    if suffix == "seg.nrrd" and not names:
        raise OutputError(f"{path} is a segmentation, which needs the names of its segments. Choose nrrd.")
    metadata = {NOTE_KEY: note[:79]}
    if names is not None and suffix.endswith("nrrd"):
        metadata |= segment_keys(names, volume.array, looks or {})
    elif names is not None and suffix in ("mha", "mhd"):
        metadata |= metaimage_entries(names)

    def check(written: Path) -> None:
        _compare(volume, written)
        if names is not None and names_in_file(written) != dict(names):
            raise OutputError(f"{written} reads back with other label names. Check the disk and try again.")

    write_volume(
        volume,
        path,
        metadata=metadata,
        extensions=(caret_extension(names, looks or {}),) if names is not None and is_nifti(path) else (),
        names=names,
        labels=volume.array.dtype.kind in "biu",
        check=check,
    )


def write_names_table(names: Mapping[int, str], path: Path | str) -> None:
    """Write the names of labels as a table (CSV) for software that does not read them from the header."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("label", "name"), *sorted(names.items())])
    write_text(path, text.getvalue())


def names_in_file(path: Path | str) -> dict[int, str]:
    """Return the label names in the header of a label map; empty if it has none.

    Those of a NRRD file are the names of its segments, of which each label has one.
    """
    path, suffix = Path(path), Path(path).suffix.lower()
    if is_nifti(path):
        return names_in_extensions(read_header(path).extensions)
    if suffix in (".mha", ".mhd"):
        return names_in_metaimage(read_metaimage_header(path).entries)
    if suffix in (".raw", ".json"):
        return read_raw_header(path).names
    if suffix == ".nrrd" and has_segments(path):
        return {segment.label: segment.name for segment in read_segments(path)}
    return {}


def _compare(written: Volume, path: Path) -> None:
    """Raise `OutputError` unless a file reads back as what was written; slab by slab, to save memory."""
    for grid, first, slab in read_slabs(path):
        if grid.shape != written.grid.shape or not np.array_equal(written.array[first : first + len(slab)], slab):
            raise OutputError(f"{path} reads back with other voxels than were written. Check the disk and try again.")
    # NIfTI keeps the geometry in single precision: at the far corner that may be a hundredth of a voxel.
    if written.grid.corner_distance_mm(grid) > 1e-2 * written.spacing_mm.min():
        raise OutputError(
            f"{path} reads back in another position than written, because NIfTI keeps single precision. Choose nrrd."
        )


def checked_suffix(path: Path, formats: tuple[str, ...], kind: str) -> str:
    """Return which of some formats a file's name ends in; `OutputError` if it ends in none of them."""
    name = path.name.lower()
    for suffix in formats:
        # A .seg.nrrd is a segmentation, which is not the same format as a label map in .nrrd.
        if name.endswith("." + suffix) and (name.endswith(".seg.nrrd") == (suffix == "seg.nrrd")):
            return suffix
    listed = ", ".join("." + suffix for suffix in formats)
    raise OutputError(f"The name of {path} does not end like that of a {kind}. Use one of {listed}.")
