"""The label numbers of the structures of a phantom."""

from __future__ import annotations

import re

import numpy as np

from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_maps import BACKGROUND, LabelMap, unique_name
from ThyroidSynthLib.imaging.labels import THYROID, Structure, is_lesion, normalised, part_called

from .phantom_labels import THYROID_LABEL, label_numbers

# Numbers for structures that have none of their own.
_FIRST_FREE, _LAST_FREE, _FIRST_BEYOND = 118, 199, 400


def numbered(labels: LabelMap) -> LabelMap:
    """Return the structures with the labels of phantoms; the thyroid, its parts and lesions in it have one label."""
    fixed = {normalised(name): (name, label) for name, label in label_numbers().items()}
    present = np.flatnonzero(np.bincount(labels.volume.array.ravel())).tolist()
    table = np.zeros(max(present, default=0) + 1, dtype=np.uint16)
    names: dict[int, str] = {}
    others: dict[int, str] = {}
    for label in (label for label in present if label != BACKGROUND):
        name = labels.names.get(label, f"label {label}")
        if label in labels.thyroid_labels() or (is_lesion(name) and re.search("thyroid|nodul", normalised(name))):
            table[label], names[THYROID_LABEL] = THYROID_LABEL, THYROID.name
            continue
        part = part_called(name)
        known = fixed.get(normalised(name if part is None else part.structure.name))
        if known is not None and known[1] not in names:
            table[label], names[known[1]] = known[1], known[0]
        else:
            others[label] = name
    taken = set(names.values())
    free = (number for number in range(_FIRST_FREE, 2**16) if number <= _LAST_FREE or number >= _FIRST_BEYOND)
    for label, name in others.items():
        number = next(free)
        names[number] = unique_name(name, taken)
        taken.add(names[number])
        table[label] = number
    array = table[labels.volume.array]
    array = array.astype(np.uint8) if max(names, default=0) < 256 else array
    return LabelMap(Volume(array, labels.volume.ijk_to_ras), dict(sorted(names.items())), notes=labels.notes)


def labels_of(labels: LabelMap, structure: Structure) -> list[int]:
    """Return the labels of a structure."""
    return [
        label
        for label, name in labels.names.items()
        if (part := part_called(name)) is not None and part.structure is structure
    ]
