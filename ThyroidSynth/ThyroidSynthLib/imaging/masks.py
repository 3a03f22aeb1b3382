"""Binary masks of structures, cropped to their voxels, and their position in the scan."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.grid import MOST_VOXELS_HELD, Grid, box_of
from ThyroidSynthLib.geometry.volume import Volume

from .volume_files import reading_slabs

Key = TypeVar("Key", bound=Hashable)

SAME_PLACE_VOXELS = 0.1
"""Largest distance, due to rounding, between two copies of one grid; at a larger one a header is wrong."""


@dataclass(frozen=True)
class Mask:
    """A binary mask cropped to its voxels, which fill about a thousandth of the scan, and the grid of the scan.

    The volume has type uint8, 1 inside. An empty mask is one voxel of 0.
    """

    volume: Volume
    scan: Grid

    @property
    def is_empty(self) -> bool:
        """Whether no voxel is inside."""
        return not self.volume.array.any()

    @property
    def volume_ml(self) -> float:
        """Volume of the voxels inside, in mL."""
        return int(np.count_nonzero(self.volume.array)) * self.volume.voxel_volume_ml

    @property
    def first_kji(self) -> np.ndarray:
        """Index (k, j, i), in the scan, of the first voxel of `volume`."""
        return np.rint(self.scan.to_ijk(self.volume.to_ras(np.zeros(3)))).astype(int)[::-1]

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """Which voxels of the scan, along k, j and i, `volume` holds."""
        k, j, i = (slice(a, a + n) for a, n in zip(self.first_kji.tolist(), self.volume.array.shape, strict=True))
        return k, j, i

    @property
    def border_distance_voxels(self) -> int:
        """Voxels between the mask and the scan's nearest border; 0 when it lies in the outermost layer."""
        after = np.array(self.scan.shape) - self.first_kji - self.volume.array.shape
        return int(min(self.first_kji.min(), after.min()))

    def whole(self) -> Volume:
        """Return the mask on the whole grid of the scan, as uint8; `InputError` if it would fill the memory."""
        self.scan.checked_for_holding("The scan of the segmentation")
        array = np.zeros(self.scan.shape, dtype=np.uint8)
        if not self.is_empty:
            array[self.box] = self.volume.array != 0
        return Volume(array, self.scan.ijk_to_ras)


def mask_in_scan(inside: Volume, scan: Grid | None = None) -> Mask:
    """Crop a mask to its voxels, which are part of the grid of a scan, by default the mask's own."""
    scan = scan or inside.grid
    if not inside.array.any():
        return _empty_mask(scan)
    cropped = inside.part(box_of(inside.array != 0))
    return Mask(Volume((cropped.array != 0).astype(np.uint8), cropped.ijk_to_ras), scan)


def _empty_mask(scan: Grid) -> Mask:
    return Mask(Volume(np.zeros((1, 1, 1), dtype=np.uint8), scan.ijk_to_ras), scan)


def joined_masks(masks: Sequence[Mask], *, source: str) -> Mask:
    """Return the union of masks of one scan; `source`, where they come from, is for messages.

    The masks may be cropped; their union is then, too.

    Raises
    ------
    InputError
        The voxels of the masks do not coincide.
    """
    first = masks[0]
    if len(masks) == 1:
        return first
    filled = [mask for mask in masks if not mask.is_empty]
    if not all(same_grid(mask.scan, first.scan) for mask in masks):
        return _joined_crops(filled or list(masks[:1]), source)
    if not filled:
        return first
    return _assemble([(mask.first_kji, mask.volume.array) for mask in filled], first.scan)


def _joined_crops(masks: Sequence[Mask], source: str) -> Mask:
    """Return the union of masks on different parts of one grid."""
    grid = masks[0].scan
    starts = []
    for mask in masks:
        turned = np.abs(mask.scan.ijk_to_ras[:3, :3] - grid.ijk_to_ras[:3, :3]).max() * max(mask.scan.shape)
        start = grid.to_ijk(mask.scan.to_ras(np.zeros(3)))
        if (
            turned > SAME_PLACE_VOXELS * grid.spacing_mm.min()
            or np.abs(start - np.rint(start)).max() > SAME_PLACE_VOXELS
        ):
            raise InputError(f"The parts of {source} lie on different grids. Export them again from one scan.")
        starts.append(np.rint(start).astype(int)[::-1])
    low = np.min(starts, axis=0)
    high = np.max([start + mask.scan.shape for start, mask in zip(starts, masks, strict=True)], axis=0)
    if np.prod((high - low).astype(float)) > MOST_VOXELS_HELD:
        raise InputError(f"The parts of {source} lie too far apart to be of one patient. Check the files.")
    pieces = [(start - low + mask.first_kji, mask.volume.array) for start, mask in zip(starts, masks, strict=True)]
    return _assemble(pieces, grid.part(low, high - low))


def same_grid(one: Grid, other: Grid) -> bool:
    """Check whether two grids are the same but for rounding."""
    tolerance_mm = SAME_PLACE_VOXELS * one.spacing_mm.min()
    return one.shape == other.shape and one.corner_distance_mm(other) <= tolerance_mm


def read_mask(path: Path | str) -> Mask:
    """Read the mask of one structure from a file, in which all voxels but 0 must have the same value."""
    return read_labels(path, {"mask": None})["mask"]


def read_labels(path: Path | str, labels: Mapping[Key, int | None]) -> dict[Key, Mask]:
    """Read the masks of several labels from an image file, in one pass and without loading the whole scan.

    The label None stands for all non-zero voxels of a file that must be binary. `InputError` if it is not, or as in
    `check_labels`.
    """
    path = Path(path)
    pieces: dict[Key, list[tuple[np.ndarray, np.ndarray]]] = {key: [] for key in labels}
    with reading_slabs(path) as slabs:
        for grid, first, slab in slabs:
            scan = grid
            if not slab.any():
                continue
            if None not in labels.values():
                check_labels(path, slab)
            for key, label in labels.items():
                inside = slab != 0 if label is None else slab == label
                if not inside.any():
                    continue
                box = box_of(inside)
                if label is None:
                    _check_binary(path, slab[box][inside[box]], first_value=_value_of(pieces[key]))
                start = np.array([first + box[0].start, box[1].start, box[2].start])
                values = slab[box].copy() if label is None else inside[box].astype(np.uint8)
                pieces[key].append((start, values))
    return {key: _assemble(found, scan) for key, found in pieces.items()}


def check_labels(path: Path, values: np.ndarray) -> None:
    """Raise `InputError` unless all values of an image are whole numbers from 0 on, as those of a label map."""
    floating = np.issubdtype(values.dtype, np.floating)
    if (floating and not (np.isfinite(values).all() and np.array_equal(values, np.round(values)))) or values.min() < 0:
        raise InputError(f"{path} has fractional or negative values, so it is not a label map. Choose another file.")


def _assemble(pieces: list[tuple[np.ndarray, np.ndarray]], scan: Grid) -> Mask:
    if not pieces:
        return _empty_mask(scan)
    start = np.min([first for first, _ in pieces], axis=0)
    end = np.max([first + values.shape for first, values in pieces], axis=0)
    array = np.zeros(end - start, dtype=np.uint8)
    for first, values in pieces:
        cut = tuple(slice(a, a + n) for a, n in zip(first - start, values.shape, strict=True))
        array[cut] |= values != 0
    return Mask(Volume(array, scan.part(start, array.shape).ijk_to_ras), scan)


def _value_of(pieces: list[tuple[np.ndarray, np.ndarray]]) -> float | None:
    return pieces[0][1][pieces[0][1] != 0][0] if pieces else None


def _check_binary(path: Path, values: np.ndarray, first_value: float | None = None) -> None:
    """Raise `InputError` unless all values are the same (0/1 and 0/255 are both masks)."""
    if len(values) == 0:
        return
    if not np.isfinite(values).all():
        raise InputError(f"{path} has voxels that are no numbers (NaN or infinite). Export it again as integers.")
    expected = values[0] if first_value is None else first_value
    if (values == expected).all():
        return
    if values.min() < 0:
        raise InputError(f"{path} has negative values, so it is no mask but an image such as a CT. Choose another.")
    if np.issubdtype(values.dtype, np.floating) and not np.array_equal(values, np.round(values)):
        raise InputError(
            f"{path} has fractional values, so it is not a mask (but perhaps a probability map, or a mask that was "
            "interpolated). Threshold it, or export it with nearest-neighbour interpolation."
        )
    raise InputError(
        f"{path} has more than one label, so it is not the mask of one structure. State the labels "
        "(--labels thyroid=N,trachea=M), or export the thyroid and the trachea as separate files."
    )
