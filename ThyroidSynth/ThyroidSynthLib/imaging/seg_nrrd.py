"""Reading of Slicer's segmentation files (.seg.nrrd).

Own code, because pynrrd and slicerio are not part of Slicer, and SimpleITK does not know what the keys of the header
mean.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume

from .formats.nrrd import read_nrrd_header
from .formats.stored_voxels import damaged
from .masks import Mask, mask_in_scan
from .segments import Segment

Key = TypeVar("Key", bound=Hashable)


def is_segmentation_file(path: Path | str) -> bool:
    """Check whether a file name is that of a Slicer segmentation."""
    return str(path).lower().endswith(".seg.nrrd")


def read_segments(path: Path | str) -> list[Segment]:
    """Read the header entries of all segments of a Slicer segmentation; at least one."""
    path = Path(path)
    return _segments(path, read_nrrd_header(path).keys)


def read_masks(path: Path | str, chosen: Mapping[Key, Segment]) -> dict[Key, Mask]:
    """Read the masks of some segments of a Slicer segmentation."""
    path = Path(path)
    header = read_nrrd_header(path)
    layers = header.voxels.components
    scan = _scan_grid(path, header.keys, header.grid)
    for segment in chosen.values():
        if segment.layer >= layers:
            raise damaged(path, f"it has no layer {segment.layer}, in which segment {segment.name} should be")
    voxels = header.voxels.whole()
    masks = {}
    for key, segment in chosen.items():
        layer = voxels if layers == 1 else voxels[..., segment.layer]
        masks[key] = mask_in_scan(Volume(layer == segment.label, header.grid.ijk_to_ras), scan)
    return masks


def _segments(path: Path, header: dict[str, str]) -> list[Segment]:
    kind = header.get("Segmentation_MasterRepresentation") or header.get("Segmentation_SourceRepresentation")
    if kind not in (None, "", "Binary labelmap"):
        raise InputError(
            f"{path} stores a '{kind}' instead of a binary label map. Save it from Slicer as a binary one."
        )
    segments: list[Segment] = []
    while (key := f"Segment{len(segments)}_") and any(key + field in header for field in ("ID", "Name", "LabelValue")):
        index = len(segments)
        tags = header.get(key + "Tags", "")
        entry = re.search(r"(?:^|\|)(?:Segmentation\.)?TerminologyEntry:([^|]*)", tags)
        segments.append(
            Segment(
                id=header.get(key + "ID", ""),
                name=header.get(key + "Name", header.get(key + "ID", "")),
                label=_whole(path, key + "LabelValue", header.get(key + "LabelValue", "1")),
                # In files of older Slicer versions each segment is an image of its own, with values 0 and 1.
                layer=_whole(path, key + "Layer", header.get(key + "Layer", str(index))),
                terminology=entry.group(1) if entry else "",
                colour=_colour(header.get(key + "Color", "")),
            )
        )
    if not segments:
        raise InputError(f"{path} has no segments. Save the segmentation from Slicer as .seg.nrrd.")
    return segments


def _colour(text: str) -> tuple[float, float, float] | None:
    """Return a colour of the header; None for one that is missing or damaged, without which the segment is complete."""
    parts = text.split()
    if len(parts) != 3 or not all(re.fullmatch(r"[01](\.[0-9]{1,18})?", part) for part in parts):
        return None
    red, green, blue = (min(float(part), 1.0) for part in parts)
    return red, green, blue


def _whole(path: Path, key: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text.strip()):
        raise damaged(path, f"{key} in its header is {text!r} instead of a whole number")
    return int(text)


def _scan_grid(path: Path, header: dict[str, str], file_grid: Grid) -> Grid:
    """Return the grid of the scan that was segmented.

    Slicer stores only the part of the scan that is segmented, and the scan's extent in the header. Without it, or
    when the segmentation was made on another grid than the scan's, the file's own grid is returned.
    """
    found = re.search(r"Reference image geometry\|([^|&]*)", header.get("Segmentation_ConversionParameters", ""))
    offset = header.get("Segmentation_ReferenceImageExtentOffset", "").split()
    values = [value for value in found.group(1).split(";") if value.strip()] if found else []
    if len(values) != 22 or len(offset) != 3:
        return file_grid
    try:
        extent = np.array([int(value) for value in values[16:]]).reshape(3, 2)
        first = np.array([int(value) for value in offset]) - extent[:, 0]
    except (ValueError, OverflowError):
        raise damaged(path, "the extent of its scan in its header is not of whole numbers") from None
    size = extent[:, 1] - extent[:, 0] + 1
    if (first < 0).any() or (first + file_grid.last_ijk >= size).any():
        return file_grid
    part = file_grid.part(-first[::-1], size[::-1])
    return Grid.of_file(path, part.shape, part.ijk_to_ras)
