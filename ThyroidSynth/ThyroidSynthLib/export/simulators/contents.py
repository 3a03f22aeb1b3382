"""What all simulators need of a phantom: the materials of its labels, and where the thyroid lies under the skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.export.materials import Material
from ThyroidSynthLib.export.neck.phantom_labels import AIR, ISTHMUS, LEFT_LOBE, RIGHT_LOBE
from ThyroidSynthLib.export.phantom import Phantom
from ThyroidSynthLib.export.phantom.phantom import is_nodule
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_maps import BACKGROUND

# Spacings of a file are rounded; a simulator that takes one number for two axes shifts 500 voxels by less than one.
_EQUAL_SPACING = 1e-3
_GLAND = ("thyroid_gland", RIGHT_LOBE, LEFT_LOBE, ISTHMUS)


@dataclass(frozen=True)
class Medium:
    """One label of a phantom, as simulators number them: 0 is the air around the body, then without gaps.

    Attributes
    ----------
    number : int
        Its number for the simulator.
    label : int
        Its label in the phantom.
    structure : str
        Name of the structure.
    material : Material
        What it consists of.
    """

    number: int
    label: int
    structure: str
    material: Material


def is_gland(structure: str) -> bool:
    """Check whether a structure is the thyroid, a part of it, or a nodule in it."""
    return structure in _GLAND or is_nodule(structure)


def media_of(phantom: Phantom) -> list[Medium]:
    """Return the labels that occur in a phantom with their materials, in ascending order, always with the air first."""
    present = np.flatnonzero(np.bincount(phantom.labels.volume.array.ravel())).tolist()
    labels = [BACKGROUND, *(label for label in present if label != BACKGROUND)]
    names = {BACKGROUND: AIR, **phantom.labels.names}
    return [
        Medium(number, label, names[label], phantom.materials.of_structure(names[label]))
        for number, label in enumerate(labels)
    ]


def numbered(phantom: Phantom, media: list[Medium], towards: str) -> Volume:
    """Return the label map with the numbers of media as its labels, with axes as in `Volume.towards`."""
    labels = phantom.labels.volume
    numbers = np.zeros(max(each.label for each in media) + 1, dtype=np.uint8 if len(media) <= 256 else np.uint16)
    for each in media:
        numbers[each.label] = each.number
    return Volume(numbers[labels.array], labels.ijk_to_ras).towards(towards)


def present_materials(phantom: Phantom) -> dict[str, Material]:
    """Return the materials that occur in a phantom, by name."""
    found = {each.material.name: each.material for each in media_of(phantom)}
    for label in phantom.parts:
        material = phantom.materials.of_structure(phantom.labels.names[label])
        found[material.name] = material
    return found


@dataclass(frozen=True)
class Beam:
    """A straight line from the skin of the front of the neck to the back, through the thickest place of the gland.

    All are indices of voxels in an array [k, j, i] whose axes increase to R, A and S.

    Attributes
    ----------
    i, k : int
        Where the line lies.
    skin : int
        The foremost voxel of the body along j.
    front, back : int
        The foremost and the hindmost voxel of the gland along j.
    """

    i: int
    k: int
    skin: int
    front: int
    back: int


def beam_of(phantom: Phantom) -> Beam:
    """Return the line on which light and ultrasound enter; `InputError` if the phantom has no thyroid."""
    labels = phantom.labels.volume.towards("RAS").array
    gland = np.isin(labels, [label for label, name in phantom.labels.names.items() if is_gland(name)])
    if not gland.any():
        raise InputError(
            "The phantom has no thyroid, so that there is nothing to send light or ultrasound to. Use a larger grid."
        )
    thickness = gland.sum(axis=1)
    k, i = np.unravel_index(int(thickness.argmax()), thickness.shape)
    along = np.flatnonzero(gland[k, :, i])
    skin = int(np.flatnonzero(labels[k, :, i] != BACKGROUND)[-1])
    return Beam(int(i), int(k), skin, int(along[-1]), int(along[0]))


def cubic_spacing_mm(grid: Grid, program: str) -> float:
    """Return the edge of cubic voxels in mm; `InputError` with the name of the program if they are no cubes."""
    spacing = grid.spacing_mm
    if spacing.max() > spacing.min() * (1 + _EQUAL_SPACING):
        edges = " x ".join(f"{edge:.4g}" for edge in spacing)
        raise InputError(f"{program} takes cubic voxels only, but those of the phantom are {edges} mm. Use --spacing.")
    return float(spacing.mean())
