"""Continue a tube that the border of a scan cuts, such as a trachea, beyond that border."""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.scan_border import cut_sides
from ThyroidSynthLib.geometry.volume import Volume

CONTINUED_MM = 25.0
"""Length by which a cut tube is continued: half the height of a thyroid, so that one at the cut is still held off."""

# The direction of the tube is fitted to this length of it, or to less where it is shorter.
_DIRECTION_MM = 15.0


def continued_beyond_scan(tube: Volume, scan: Grid, *, length_mm: float = CONTINUED_MM) -> Volume:
    """Return the mask of a tube, continued in its own direction where the first or last slice of a scan cuts it.

    Parameters
    ----------
    tube : Volume
        Mask, cropped to its voxels, in `ras_mm`.
    scan : Grid
        Grid of the scan. The tube may be cut along the axis of its voxels that is nearest to the body axis.
    length_mm : float
        Length of the continuation.

    Returns
    -------
    Volume
        The mask itself if no border of the scan cuts it along that axis.
    """
    axis = 2 - int(np.argmax(np.abs(scan.ijk_to_ras[2, :3]) / scan.spacing_mm))
    spacing = tube.spacing_mm[2 - axis]
    count = int(np.ceil(length_mm / spacing))
    for end, cut in enumerate(cut_sides(tube, scan)[axis]):
        if cut:
            tube = _continued(tube, axis, end, count, max(2, round(_DIRECTION_MM / spacing)))
    return tube


def _continued(tube: Volume, axis: int, end: int, count: int, fitted: int) -> Volume:
    """Return a mask with `count` more layers at one end of an axis, each a copy of the last one, moved sideways."""
    layers = np.moveaxis(tube.array != 0, axis, 0)
    layers = layers if end else layers[::-1]
    filled = [layer for layer in layers[-fitted:] if layer.any()]
    centres = np.array([np.argwhere(layer).mean(axis=0) for layer in filled])
    numbers = np.arange(len(centres))
    slope = np.polyfit(numbers, centres, 1)[0] if len(centres) > 2 else np.zeros(2)
    moves = np.rint(np.outer(np.arange(1, count + 1), slope)).astype(int)
    pad = int(np.abs(moves).max(initial=0))
    last = np.pad(filled[-1], pad)
    more = [np.roll(last, move, axis=(0, 1)) for move in moves]
    layers = np.concatenate([np.pad(layers, [(0, 0), (pad, pad), (pad, pad)]), more])
    array = np.moveaxis(layers if end else layers[::-1], 0, axis)
    first = np.full(3, -pad)
    first[axis] = 0 if end else -count
    return Volume(np.ascontiguousarray(array, dtype=np.uint8), tube.grid.part(first, array.shape).ijk_to_ras)
