"""Reading of Slicer's segmentation files (.seg.nrrd).

Own code, because pynrrd and slicerio are not part of Slicer, and SimpleITK reads the voxels and the keys of the header
but not what the keys mean.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume, grid_of_sitk

from .labels import STRUCTURES, Structure, structure_called, structure_coded
from .masks import Mask, mask_in_scan

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Segment:
    """The header entry of a segment: its voxel value, and which of the file's images (layers) it is in.

    Overlapping segments are in different layers. The terminology entry may be empty.
    """

    id: str
    name: str
    label: int
    layer: int
    terminology: str


def is_segmentation_file(path: Path | str) -> bool:
    """Check whether a file name is that of a Slicer segmentation."""
    return str(path).lower().endswith(".seg.nrrd")


def read_segmentation(path: Path | str) -> dict[Structure, Mask]:
    """Read the masks of the thyroid and the trachea of a Slicer segmentation, of which one may be missing."""
    return read_masks(path, structures_among(path, read_segments(path)))


def read_segments(path: Path | str) -> list[Segment]:
    """Read the header entries of all segments of a Slicer segmentation; at least one."""
    path = Path(path)
    return _segments(path, _header(path))


def read_masks(path: Path | str, chosen: Mapping[Key, Segment]) -> dict[Key, Mask]:
    """Read the masks of some segments of a Slicer segmentation."""
    import SimpleITK

    path = Path(path)
    header = _header(path)
    try:
        image = SimpleITK.ReadImage(str(path))
    except RuntimeError as error:
        raise _unreadable(path, error) from error
    if image.GetDimension() != 3:
        raise InputError(f"{path} is not a 3-D segmentation. Save it again from Slicer as .seg.nrrd.")
    layers = image.GetNumberOfComponentsPerPixel()
    file_grid = grid_of_sitk(image)
    scan = _scan_grid(header, file_grid)
    masks = {}
    for key, segment in chosen.items():
        if segment.layer >= layers:
            raise InputError(
                f"{path} is damaged (it has no layer {segment.layer}, in which segment {segment.name} should be). "
                "Save it again from Slicer."
            )
        one = image if layers == 1 else SimpleITK.VectorIndexSelectionCast(image, segment.layer)
        inside = SimpleITK.GetArrayViewFromImage(one) == segment.label
        masks[key] = mask_in_scan(Volume(inside, file_grid.ijk_to_ras), scan)
    return masks


def structures_among(path: Path | str, segments: list[Segment]) -> dict[Structure, Segment]:
    """Find the thyroid and the trachea among segments by terminology code, else by id, else by name.

    `InputError` if there is neither, or several segments may be the same structure.
    """
    chosen: dict[Structure, Segment] = {}
    for structure in STRUCTURES:
        by_code = [s for s in segments if structure_coded(s.terminology) is structure]
        by_id = [s for s in segments if structure_called(s.id) is structure]
        by_name = [s for s in segments if structure_called(s.name) is structure]
        found = by_code or by_id or by_name
        # Several nodules or lobes may have the same code; then the id or name decides.
        if len(found) > 1:
            found = [s for s in found if s in by_id] or [s for s in found if s in by_name] or found
        if len(found) > 1:
            listed = ", ".join(s.name for s in found)
            raise InputError(
                f"{path} has several segments that may be the {structure.name} ({listed}). Keep one of them."
            )
        if found:
            chosen[structure] = found[0]
    if not chosen:
        listed = ", ".join(s.name for s in segments[:8]) + (", …" if len(segments) > 8 else "")
        raise InputError(
            f"{path} has neither a thyroid nor a trachea among its segments ({listed}). Name them 'thyroid' and "
            "'trachea', or set their terminology in Slicer's Segmentations module."
        )
    return chosen


def _header(path: Path) -> dict[str, str]:
    import SimpleITK

    if not path.is_file():
        raise InputError(f"{path} does not exist. Check the path.")
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise _unreadable(path, error) from error
    return {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}


def _segments(path: Path, header: dict[str, str]) -> list[Segment]:
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
            )
        )
    if not segments:
        raise InputError(f"{path} has no segments. Save the segmentation from Slicer as .seg.nrrd.")
    return segments


def _scan_grid(header: dict[str, str], file_grid: Grid) -> Grid:
    """Return the grid of the scan that was segmented.

    Slicer stores only the part of the scan that is segmented, and the scan's extent in the header. Without it, or
    when the segmentation was made on another grid than the scan's, the file's own grid is returned.
    """
    found = re.search(r"Reference image geometry\|([^|&]*)", header.get("Segmentation_ConversionParameters", ""))
    offset = header.get("Segmentation_ReferenceImageExtentOffset", "").split()
    values = [value for value in found.group(1).split(";") if value.strip()] if found else []
    if len(values) != 22 or len(offset) != 3:
        return file_grid
    extent = np.array([int(value) for value in values[16:]]).reshape(3, 2)
    first = np.array([int(value) for value in offset]) - extent[:, 0]
    size = extent[:, 1] - extent[:, 0] + 1
    if (first < 0).any() or (first + file_grid.last_ijk >= size).any():
        return file_grid
    return file_grid.part(-first[::-1], size[::-1])


def _unreadable(path: Path, error: Exception) -> InputError:
    reason = str(error).strip().splitlines()[-1]
    return InputError(f"{path} cannot be read as a segmentation ({reason}). Save it again from Slicer as .seg.nrrd.")
