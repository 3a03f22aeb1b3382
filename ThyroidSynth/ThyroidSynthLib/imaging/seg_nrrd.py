"""Reading of Slicer's segmentation files (.seg.nrrd).

Own code, because pynrrd and slicerio are not part of Slicer, and SimpleITK does not know what the keys of the header
mean.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TypeVar

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.volume import Volume

from .formats.nrrd import read_nrrd_header
from .formats.stored_voxels import damaged
from .labels import colour_of_texts
from .masks import Mask, mask_in_scan
from .segments import Segment

Key = TypeVar("Key", bound=Hashable)


def is_segmentation_file(path: Path | str) -> bool:
    """Check whether a file name is that of a Slicer segmentation."""
    return str(path).lower().endswith(".seg.nrrd")


def has_segments(path: Path | str) -> bool:
    """Check whether a NRRD file is a Slicer segmentation, whatever its name."""
    try:
        return any(key.startswith("Segment0_") for key in read_nrrd_header(Path(path)).keys)
    except InputError:
        return False  # Reading it as a label map reports the fault.


def read_segments(path: Path | str) -> list[Segment]:
    """Read the header entries of all segments of a Slicer segmentation; at least one."""
    path = Path(path)
    return _segments(path, read_nrrd_header(path).keys)


def read_masks(path: Path | str, chosen: Mapping[Key, Segment]) -> dict[Key, Mask]:
    """Read the masks of some segments of a Slicer segmentation."""
    path = Path(path)
    header = read_nrrd_header(path)
    layers = header.voxels.components
    for segment in chosen.values():
        if segment.layer >= layers:
            raise damaged(path, f"it has no layer {segment.layer}, in which segment {segment.name} should be")
    voxels = header.voxels.whole()
    masks = {}
    for key, segment in chosen.items():
        layer = voxels if layers == 1 else voxels[..., segment.layer]
        masks[key] = mask_in_scan(Volume(layer == segment.label, header.grid.ijk_to_ras), header.scan)
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
                label=int(header.get(key + "LabelValue", 1)),
                # In files of older Slicer versions each segment is an image of its own, with values 0 and 1.
                layer=int(header.get(key + "Layer", index)),
                terminology=entry.group(1) if entry else "",
                # A segment is complete without a colour, or with a damaged one.
                colour=colour_of_texts(header.get(key + "Color", "").split()),
            )
        )
    if not segments:
        raise InputError(f"{path} has no segments. Save the segmentation from Slicer as .seg.nrrd.")
    return segments
