"""Label maps in one file: the names of their labels, and their voxels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.text_files import listed_shortly
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_map_files import names_in_file
from ThyroidSynthLib.imaging.masks import Mask, check_labels, read_labels
from ThyroidSynthLib.imaging.segments import Segment
from ThyroidSynthLib.imaging.volume_files import read_volume, reading_slabs

# Atlases of the brain have a few hundred labels.
_MOST_LABELS = 4096

Key = TypeVar("Key", bound=Hashable)


def read_label_segments(path: Path) -> list[Segment]:
    """Return the labels that a label map file names; empty if it has no names."""
    return [Segment(name, name, label) for label, name in sorted(names_in_file(path).items())]


def read_label_masks(path: Path, chosen: Mapping[Key, Segment]) -> tuple[dict[Key, Mask], tuple[str, ...]]:
    """Read the masks of some labels.

    Returns
    -------
    masks : dict
        Of each label; empty for one that does not occur.
    notes : tuple of str
        Labels that the user named and that do not occur.

    Raises
    ------
    InputError
        None of the labels that the user named occurs, or the file is no label map.
    """
    labels = {key: segment.label for key, segment in chosen.items()}
    masks = read_labels(path, labels)
    # A file may name labels that it does not have; a user who names one expects it.
    given = {key: segment for key, segment in chosen.items() if segment.given}
    missing = [f"{segment.label} ({segment.name})" for key, segment in given.items() if masks[key].is_empty]
    if not missing:
        return masks, ()
    occurring = listed_shortly([str(label) for label in labels_in(path)]) or "none"
    text = f"no voxel has the label {' or '.join(missing)}; labels that occur: {occurring}"
    if len(missing) == len(chosen):
        raise InputError(f"{path}: {text}. State the right labels (--labels thyroid=N,trachea=M).")
    return masks, (text,)


def read_whole_labels(path: Path) -> Volume:
    """Read all voxels of a label map as unsigned integers; errors are those of `check_labels`."""
    volume = read_volume(path)
    array = volume.array
    check_labels(path, array)
    if array.max() > np.iinfo(np.uint16).max:
        raise InputError(f"{path} has labels above 65535, so it is not a label map. Choose another file.")
    return Volume(array.astype(np.uint8 if array.max() < 256 else np.uint16), volume.ijk_to_ras)


def labels_in(path: Path) -> list[int]:
    """Return the labels that occur in the voxels of a label map, in ascending order, without the background.

    `InputError` for fractional or negative values.
    """
    return list(label_volumes_ml(path))


def label_volumes_ml(path: Path) -> dict[int, float]:
    """Return the volume in mL of each label in the voxels of a label map, in ascending order of labels.

    `InputError` for fractional or negative values, or more different ones than a label map has.
    """
    voxels: Counter[int] = Counter()
    voxel_ml = 0.0
    with reading_slabs(path) as slabs:
        for grid, _, slab in slabs:
            voxel_ml = grid.voxel_volume_ml
            if not slab.any():
                continue
            values, counts = np.unique(slab, return_counts=True)
            check_labels(path, values)
            voxels.update(dict(zip(map(int, values.tolist()), counts.tolist(), strict=True)))
            if len(voxels) > _MOST_LABELS:
                raise InputError(
                    f"{path} has more than {_MOST_LABELS:,} different values, so it is an image and not a label map. "
                    "Choose another file."
                )
    del voxels[0]
    return {label: voxels[label] * voxel_ml for label in sorted(voxels)}
