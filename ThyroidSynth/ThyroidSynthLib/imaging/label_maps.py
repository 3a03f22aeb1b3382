"""Label maps of several structures: one label per voxel, with the names of the labels."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.volume import Volume

from .label_table import Look
from .labels import THYROID, structure_called
from .masks import Mask, same_grid

BACKGROUND = 0


@dataclass(frozen=True)
class LabelMap:
    """A label map of several structures: integers, 0 for the background, and the name of each label.

    Names are kept as every file format can hold them: without bytes that are no text, control characters, and spaces
    at the ends; an empty one becomes "label N".

    Attributes
    ----------
    looks : mapping of int to Look
        Colour, terminology and ID of labels whose file states them.
    notes : tuple of str
        Remarks for the user, such as that structures covered each other.
    """

    volume: Volume
    names: dict[int, str]
    looks: Mapping[int, Look] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = {label: _storable(name) or f"label {label}" for label, name in self.names.items()}
        object.__setattr__(self, "names", names)

    def thyroid_labels(self) -> list[int]:
        """Return all labels that are named as the thyroid, in ascending order."""
        return [label for label, name in sorted(self.names.items()) if structure_called(name) is THYROID]


def combine_masks(
    masks: Mapping[str, Mask], *, labels: Mapping[str, int] | None = None, source: str = "The masks"
) -> LabelMap:
    """Combine masks of one scan in a label map; later masks replace earlier ones, which its notes state.

    Parameters
    ----------
    labels : mapping of str to int, optional
        Label of each mask, all different; by default from 1 on.
    source : str
        Where the masks come from, for messages.

    Raises
    ------
    InputError
        The masks are not of one scan, or there are none.
    """
    if not masks:
        raise InputError(f"{source}: there are no structures. Choose another segmentation.")
    first = next(iter(masks.values()))
    labels = labels or {name: label for label, name in enumerate(masks, start=1)}
    array = np.zeros(first.scan.shape, dtype=np.uint8 if max(labels.values()) < 256 else np.uint16)
    named = {label: name for name, label in labels.items()}
    notes = []
    for name, mask in masks.items():
        if not same_grid(mask.scan, first.scan):
            raise InputError(f"{source}: the grid of {name} differs from the others. Export all again from one scan.")
        if not mask.is_empty:
            inside, part = mask.volume.array != 0, array[mask.box]
            covered = np.bincount(part[inside])
            notes += [
                f"{name} covers {covered[other] * mask.scan.voxel_volume_ml:.2f} mL of {named[int(other)]}, which a "
                "label map cannot hold twice"
                for other in np.flatnonzero(covered)
                if other != BACKGROUND
            ]
            part[inside] = labels[name]
    names = {labels[name]: name for name in masks}
    return LabelMap(Volume(array, first.scan.ijk_to_ras), names, notes=tuple(notes))


def _storable(name: str) -> str:
    """Return a name without surrogates, which stand for bytes that are not UTF-8, and without control characters."""
    text = "".join("\ufffd" if "\ud800" <= each <= "\udfff" else each for each in name)
    return "".join(each if each.isprintable() else " " for each in text).strip()


def unique_name(name: str, taken: Container[str]) -> str:
    """Return a name, with a number added if it is taken."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} {number}"
    return free
