"""A structure's voxels, cut out of a scan, with where in the scan they were."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.volume_files import read_volume

from .nifti import is_nifti, read_slabs


@dataclass(frozen=True)
class Mask:
    """A binary mask cut to the box it fills: a thousandth of its scan.

    Attributes
    ----------
    volume : Volume
        uint8, 1 inside. An empty mask is one voxel of 0.
    first : tuple of int
        Index (k, j, i) in the scan of the cut-out's first voxel.
    scan_shape : tuple of int
        Voxels of the scan along k, j and i.
    """

    volume: Volume
    first: tuple[int, int, int]
    scan_shape: tuple[int, int, int]

    @property
    def is_empty(self) -> bool:
        """Whether no voxel is inside."""
        return not self.volume.array.any()

    @property
    def volume_ml(self) -> float:
        """Volume of the voxels inside, in mL."""
        return int(np.count_nonzero(self.volume.array)) * self.volume.voxel_volume_ml

    @property
    def border_distance_voxels(self) -> int:
        """Voxels between the mask and the scan's nearest border; 0 when it lies in the outermost layer."""
        first, shape = np.array(self.first), np.array(self.volume.array.shape)
        return int(min(first.min(), (np.array(self.scan_shape) - first - shape).min()))

    @property
    def scan_ijk_to_ras(self) -> np.ndarray:
        """Geometry (4, 4) of the scan the mask was cut from."""
        matrix = self.volume.ijk_to_ras.copy()
        matrix[:3, 3] = self.volume.to_ras(-np.array(self.first[::-1], dtype=np.float64))
        return matrix

    def whole(self) -> Volume:
        """Give the mask on the whole scan's grid, as uint8."""
        array = np.zeros(self.scan_shape, dtype=np.uint8)
        if not self.is_empty:
            there = tuple(slice(a, a + n) for a, n in zip(self.first, self.volume.array.shape, strict=True))
            array[there] = self.volume.array != 0
        return Volume(array, self.scan_ijk_to_ras)


def mask_in_scan(
    inside: Volume,
    *,
    first: tuple[int, int, int] = (0, 0, 0),
    scan_shape: tuple[int, int, int] | None = None,
) -> Mask:
    """Cut a mask to the box it fills.

    Parameters
    ----------
    inside : Volume
        Non-zero inside.
    first : tuple of int
        Index (k, j, i) of its first voxel in the scan.
    scan_shape : tuple of int, optional
        Shape of the scan; that of `inside` by default.
    """
    scan_shape = tuple(scan_shape or inside.array.shape)
    occupied = [np.flatnonzero(inside.array.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if len(occupied[0]) == 0:
        start = np.zeros(3, dtype=int)
        array = np.zeros((1, 1, 1), dtype=np.uint8)
    else:
        start = np.array([indices[0] for indices in occupied])
        cut = tuple(slice(indices[0], indices[-1] + 1) for indices in occupied)
        array = (inside.array[cut] != 0).astype(np.uint8)
    moved = inside.ijk_to_ras.copy()
    moved[:3, 3] = inside.to_ras(start[::-1])
    return Mask(Volume(array, moved), tuple(int(n) for n in start + np.array(first)), scan_shape)


def read_mask(path: Path | str) -> Mask:
    """Read a file that is the mask of one structure.

    Raises
    ------
    InputError
        The file cannot be read, or holds more than one value besides 0.
    """
    path = Path(path)
    if is_nifti(path):
        return read_labels(path, {"mask": None})["mask"]
    volume = read_volume(path)
    _check_binary(path, volume.array[volume.array != 0])
    return mask_in_scan(volume)


def read_labels(path: Path | str, labels: Mapping[Hashable, int | None]) -> dict[Hashable, Mask]:
    """Read masks out of one NIfTI file in one pass, holding no more than they fill.

    Parameters
    ----------
    path : path-like
        The file.
    labels : mapping
        For each mask wanted the label its voxels have; None for every non-zero voxel of a file that
        must then be binary.

    Raises
    ------
    InputError
        The file cannot be read, or is not binary where it must be.
    """
    path = Path(path)
    pieces: dict[Hashable, list[tuple[np.ndarray, np.ndarray]]] = {key: [] for key in labels}
    for header, first, slab in read_slabs(path):
        occupied = slab.any()
        for key, label in labels.items():
            if not occupied:
                continue
            inside = slab != 0 if label is None else slab == label
            if not inside.any():
                continue
            where = [np.flatnonzero(inside.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
            cut = tuple(slice(indices[0], indices[-1] + 1) for indices in where)
            if label is None:
                _check_binary(path, slab[cut][inside[cut]], first_value=_value_of(pieces[key]))
            start = np.array([first + where[0][0], where[1][0], where[2][0]])
            values = slab[cut].copy() if label is None else inside[cut].astype(np.uint8)
            pieces[key].append((start, values))
        geometry, shape = header.ijk_to_ras, header.shape
    return {key: _assemble(found, geometry, shape) for key, found in pieces.items()}


def _assemble(pieces: list[tuple[np.ndarray, np.ndarray]], ijk_to_ras: np.ndarray, shape: tuple[int, int, int]) -> Mask:
    whole = Volume(np.zeros((1, 1, 1), dtype=np.uint8), ijk_to_ras)
    if not pieces:
        return mask_in_scan(whole, scan_shape=shape)
    start = np.min([first for first, _ in pieces], axis=0)
    end = np.max([first + values.shape for first, values in pieces], axis=0)
    array = np.zeros(end - start, dtype=np.uint8)
    for first, values in pieces:
        cut = tuple(slice(a, a + n) for a, n in zip(first - start, values.shape, strict=True))
        array[cut] = values != 0
    moved = ijk_to_ras.copy()
    moved[:3, 3] = whole.to_ras(start[::-1])
    return Mask(Volume(array, moved), tuple(int(n) for n in start), shape)


def _value_of(pieces: list[tuple[np.ndarray, np.ndarray]]) -> float | None:
    return pieces[0][1][pieces[0][1] != 0][0] if pieces else None


def _check_binary(path: Path, values: np.ndarray, first_value: float | None = None) -> None:
    """Refuse values that are not all the same (0/1 and 0/255 are both masks)."""
    if len(values) == 0:
        return
    expected = values[0] if first_value is None else first_value
    if (values == expected).all():
        return
    if np.issubdtype(values.dtype, np.floating) and not np.array_equal(values, np.round(values)):
        raise InputError(
            f"{path} holds fractional values, so it is not a mask (a probability map, or a mask that was "
            "resampled "
            "with interpolation). Threshold it or export it with nearest-neighbour interpolation."
        )
    raise InputError(
        f"{path} holds more than one label, so it is not the mask of one structure. Give it as a "
        "multi-label file, or export the thyroid and the trachea each as its own file."
    )
