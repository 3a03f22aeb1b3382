"""The motion of a neck whose thyroid changes its shape: soft tissue gives way, rigid structures stay.

While the surface moves from the old to the new gland, what it displaces flows away from it and around rigid structures,
as slowly moving fluid does: the velocity is the gradient of a pressure, has no divergence outside the gland and does
not cross rigid walls. Vessels and the oesophagus are carried along and keep their volumes. The velocity is integrated
in small steps, so the motion is smooth and invertible.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ThyroidSynthLib.geometry.grid import Grid, box_of
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import volume_fractions

# Edge of the cells in which the flow is computed. Half of it takes ten times as long.
_CELL_MM = 3.0
# The flow is computed to this distance from the glands, where it has become a fraction of a voxel.
_REACH_MM = 42.0
_FADE_MM = 9.0
# The surface moves by at most this share of a cell in one step.
_STEP_CELLS = 0.6
_FEWEST_STEPS, _MOST_STEPS = 3, 16
# A gland cell conducts this little, so that the equations have a solution where a gland appears.
_IN_GLAND = 0.02
# Through a face that is partly closed the same volume flows faster; a nearly closed one counts as open by this share.
_LEAST_OPEN = 0.5
_TOLERANCE = 2e-3
_MOST_ROUNDS = 400
# Displacements below this share of a voxel are left out.
_STILL_VOXELS = 0.05
_SLICES_AT_ONCE = 16


@dataclass(frozen=True)
class Motion:
    """A smooth, invertible motion of the neck, sampled on a grid.

    Attributes
    ----------
    grid : Grid
        Cells that cover the part of the neck that moves.
    velocities_mm : tuple of ndarray, each of shape (nk, nj, ni, 3)
        Displacement along R, A and S in each step, the first step first.
    """

    grid: Grid
    velocities_mm: tuple[np.ndarray, ...]

    @cached_property
    def backward(self) -> np.ndarray:
        """Where the tissue at each cell centre came from: displacement in mm along R, A and S, (nk, nj, ni, 3)."""
        return self._integrated(self.velocities_mm, -1.0)

    @cached_property
    def forward(self) -> np.ndarray:
        """Where the tissue at each cell centre goes: displacement in mm along R, A and S, (nk, nj, ni, 3)."""
        return self._integrated(self.velocities_mm[::-1], 1.0)

    @cached_property
    def largest_mm(self) -> float:
        """Length of the largest displacement."""
        return float(np.linalg.norm(self.backward, axis=-1).max(initial=0.0))

    def least_jacobian(self) -> float:
        """Return the least ratio of a small volume after the motion to that before; positive if it is invertible."""
        steps = np.linalg.inv(self.grid.ijk_to_ras[:3, :3]).T
        # Derivatives by the index along i, j and k, then by position.
        by_index = np.stack([np.gradient(self.forward, axis=axis) for axis in (2, 1, 0)], axis=-1)
        jacobian = by_index @ steps.T + np.eye(3)
        return float(np.linalg.det(jacobian).min())

    def moved_points(self, points_ras: np.ndarray) -> np.ndarray:
        """Return where points (n, 3) in `ras_mm` go."""
        return points_ras + _interpolated(self.forward, self.grid.to_ijk(points_ras)[:, ::-1].T)

    def warp_labels(self, volume: Volume) -> Volume:
        """Return a label map after the motion: each voxel has the label of the nearest voxel of where it came from."""
        array = volume.array.copy()
        for box, index in self._sources(volume.grid):
            nearest = tuple(
                np.clip(np.rint(axis).astype(np.int32), 0, size - 1)
                for axis, size in zip(index, array.shape, strict=True)
            )
            array[box] = volume.array[nearest]
        return Volume(array, volume.ijk_to_ras)

    def _sources(self, grid: Grid) -> Iterator[tuple[tuple[slice, slice, slice], np.ndarray]]:
        """Yield boxes of a grid, and the indices (k, j, i) in it, (3, ...), from which the tissue in them came."""
        to_index = np.linalg.inv(grid.ijk_to_ras[:3, :3])
        shift = (self.backward @ to_index.T).astype(np.float32)
        moving = np.abs(shift).max(axis=-1) > _STILL_VOXELS
        if not moving.any():
            return
        cells = box_of(moving, margin=1)
        bounds = np.array([(axis.start - 0.5, axis.stop - 0.5) for axis in cells[::-1]])
        to_grid = np.linalg.inv(grid.ijk_to_ras) @ self.grid.ijk_to_ras
        corners = np.stack(np.meshgrid(*bounds, indexing="ij")).reshape(3, 8)
        ijk = to_grid[:3, :3] @ corners + to_grid[:3, 3:]
        first = np.clip(np.ceil(ijk.min(axis=1)).astype(int), 0, grid.last_ijk + 1)
        last = np.clip(np.floor(ijk.max(axis=1)).astype(int) + 1, 0, grid.last_ijk + 1)
        # A slab at a time, because the coordinates of a whole scan would fill the memory.
        for k in range(first[2], last[2], _SLICES_AT_ONCE):
            box = (
                slice(k, min(k + _SLICES_AT_ONCE, int(last[2]))),
                slice(int(first[1]), int(last[1])),
                slice(int(first[0]), int(last[0])),
            )
            if all(axis.stop > axis.start for axis in box):
                yield box, self._shifted(shift, box, np.linalg.inv(to_grid))

    def _shifted(self, shift: np.ndarray, box: tuple[slice, slice, slice], to_cells: np.ndarray) -> np.ndarray:
        """Return the indices (k, j, i) of a box of voxels (3, ...), each moved by the shift of the cells there."""
        k, j, i = (np.arange(axis.start, axis.stop, dtype=np.float32) for axis in box)
        if np.abs(to_cells[:3, :3] - np.diag(np.diag(to_cells[:3, :3]))).max() < 1e-9:
            # Voxels along the same axes: one axis after the other is much faster.
            moved = shift
            for axis, at in enumerate((k, j, i)):
                place = 2 - axis
                weights = _linear_weights(to_cells[place, place] * at + to_cells[place, 3], shift.shape[axis])
                moved = np.moveaxis(np.tensordot(weights, moved, axes=(1, axis)), 0, axis)
        else:
            ijk = np.stack(np.meshgrid(k, j, i, indexing="ij")[::-1])
            cells = np.tensordot(to_cells[:3, :3], ijk, 1) + to_cells[:3, 3, None, None, None]
            moved = _interpolated(shift, cells[::-1])
        return np.stack([k[:, None, None] + moved[..., 2], j[:, None] + moved[..., 1], i + moved[..., 0]])

    def _integrated(self, velocities: tuple[np.ndarray, ...], sign: float) -> np.ndarray:
        """Return the displacement of each cell centre through all steps (semi-Lagrangian, midpoint rule)."""
        total = np.zeros((*self.grid.shape, 3), dtype=np.float32)
        centres = np.indices(self.grid.shape, dtype=np.float32)
        to_index = np.linalg.inv(self.grid.ijk_to_ras[:3, :3])
        for velocity in velocities:
            step = velocity
            for share in (0.5, 1.0):
                index = (sign * share) * (step @ to_index.T)
                at = centres + np.moveaxis(index[..., ::-1], -1, 0)
                step = _interpolated(velocity, at) if share == 0.5 else step
            total = sign * step + _interpolated(total, at)
        return total.astype(np.float32)


def yielding_motion(old: Surface | None, new: Surface, rigid: Volume) -> Motion:
    """Return the motion of a neck when its thyroid changes.

    Parameters
    ----------
    old, new : Surface
        Closed surfaces in `ras_mm`; None if there was no gland.
    rigid : Volume
        Non-zero in structures that stay, on the grid of the neck.
    """
    grid = _cells(old, new, rigid.grid)
    cell_mm = grid.spacing_mm[::-1]
    open_share = 1 - _block_means(rigid, grid)
    # A cell that is half rigid is a wall.
    free = (open_share > 0.5).astype(np.float32)
    end = _distance(new, grid)
    start = np.maximum(end + _CELL_MM, 2 * _CELL_MM) if old is None else _distance(old, grid)
    near = np.minimum(np.abs(start), np.abs(end)) < 2 * _CELL_MM
    farthest = float(np.abs(end - start)[near].max(initial=0.0))
    count = int(np.clip(np.ceil(farthest / (_STEP_CELLS * float(cell_mm.min()))), _FEWEST_STEPS, _MOST_STEPS))
    fade = _fade(grid, rigid.grid)
    pressure, velocities = np.zeros(grid.shape, dtype=np.float32), []
    for step in range(count):
        before, after = (_inside(start + (end - start) * (step + ahead) / count, cell_mm) for ahead in (0, 1))
        velocity, pressure = _flow((before + after) / 2, after - before, free, cell_mm, pressure)
        velocities.append((velocity * fade[..., None]) @ _axes(grid).T)
    return Motion(grid, tuple(each.astype(np.float32) for each in velocities))


def _cells(old: Surface | None, new: Surface, neck: Grid) -> Grid:
    """Return the cells around both glands: blocks of voxels of the neck."""
    vertices = np.concatenate([each.vertices for each in (old, new) if each is not None])
    factor = np.maximum(np.rint(_CELL_MM / neck.spacing_mm), 1).astype(int)
    ijk = neck.to_ijk(vertices)
    reach = _REACH_MM / neck.spacing_mm
    first = np.clip(np.floor(ijk.min(axis=0) - reach), 0, neck.last_ijk).astype(int)
    last = np.clip(np.ceil(ijk.max(axis=0) + reach), 0, neck.last_ijk).astype(int)
    count = np.maximum(-(-(last - first + 1) // factor), 2)
    matrix = neck.ijk_to_ras.copy()
    matrix[:3, :3] = neck.ijk_to_ras[:3, :3] * factor
    matrix[:3, 3] = neck.to_ras(first + (factor - 1) / 2)
    return Grid(count[::-1], matrix)


def _axes(grid: Grid) -> np.ndarray:
    """Return the directions of i, j and k as columns (3, 3)."""
    return grid.ijk_to_ras[:3, :3] / grid.spacing_mm


def _block_means(volume: Volume, cells: Grid) -> np.ndarray:
    """Return the share of non-zero voxels in each cell, which is a block of voxels."""
    factor = np.rint(cells.spacing_mm / volume.spacing_mm).astype(int)[::-1]
    first = np.rint(volume.to_ijk(cells.to_ras(np.zeros(3))) - (factor[::-1] - 1) / 2).astype(int)[::-1]
    size = factor * cells.shape
    part = volume.array[tuple(slice(a, a + n) for a, n in zip(first, size, strict=True))] != 0
    part = np.pad(part, [(0, n - m) for n, m in zip(size, part.shape, strict=True)], mode="edge")
    shape = [n for pair in zip(cells.shape, factor, strict=True) for n in pair]
    return part.reshape(shape).mean(axis=(1, 3, 5), dtype=np.float32)


def _distance(surface: Surface, grid: Grid) -> np.ndarray:
    """Return the signed distance in mm to a surface at the cell centres, negative inside, exact near the surface."""
    from scipy.ndimage import distance_transform_edt

    share = volume_fractions(surface, grid)
    inside, spacing = share > 0.5, grid.spacing_mm[::-1]
    if not inside.any():
        inside = share >= max(float(share.max()), 1e-6)
    outer = distance_transform_edt(~inside, sampling=spacing).astype(np.float32)
    inner = distance_transform_edt(inside, sampling=spacing).astype(np.float32)
    half = float(spacing.mean()) / 2
    far = np.where(inside, half - inner, outer - half)
    mixed = (share > 0) & (share < 1)
    # In a cell that the surface crosses, the share inside says where.
    return np.where(mixed, (0.5 - share) * 2 * half, np.where(inside, np.minimum(far, -half), np.maximum(far, half)))


def _inside(distance: np.ndarray, cell_mm: np.ndarray) -> np.ndarray:
    """Return the share of each cell inside a surface, from the signed distance of its centre."""
    return np.clip(0.5 - distance / float(cell_mm.mean()), 0, 1)


def _fade(grid: Grid, neck: Grid) -> np.ndarray:
    """Return a factor (nk, nj, ni) that falls to 0 towards the ends of the cells, but not at those of the neck."""
    fade = np.ones(grid.shape, dtype=np.float32)
    ends = neck.to_ijk(grid.to_ras(np.stack([np.full(3, -0.5), grid.last_ijk + 0.5])))
    for axis in range(3):
        count, edge = grid.shape[2 - axis], _FADE_MM / grid.spacing_mm[axis]
        at = np.arange(count) + 0.5
        profile = np.ones(count)
        if ends[0][axis] > 0:
            profile = np.minimum(profile, at / edge)
        if ends[1][axis] < neck.last_ijk[axis]:
            profile = np.minimum(profile, at[::-1] / edge)
        shape = [1, 1, 1]
        shape[2 - axis] = count
        fade *= np.clip(profile, 0, 1).reshape(shape).astype(np.float32)
    return fade


def _flow(
    gland: np.ndarray, growth: np.ndarray, free: np.ndarray, cell_mm: np.ndarray, pressure: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the displacement (nk, nj, ni, 3) along i, j, k in mm that makes room for a growth, and the pressure.

    `gland` and `growth` are shares of cells, `free` is 0 in rigid cells; `pressure` is where the search starts.
    """
    conducts = (_IN_GLAND + (1 - _IN_GLAND) * (1 - gland)) * free
    faces = []
    for axis, length in enumerate(cell_mm):
        low, high = _pair(conducts, axis)
        total = low + high
        between = np.divide(2 * low * high, total, out=np.zeros_like(total), where=total > 0)
        # Beyond the ends the pressure is 0.
        first, last = np.take(conducts, [0], axis), np.take(conducts, [-1], axis)
        faces.append(np.concatenate([2 * first, between, 2 * last], axis) / np.float32(length**2))
    pressure = _solved(faces, growth * (free > 0), pressure)
    displacement = np.zeros((*gland.shape, 3), dtype=np.float32)
    for axis, length in enumerate(cell_mm):
        padded = np.pad(pressure, [(1, 1) if n == axis else (0, 0) for n in range(3)])
        flux = -faces[axis] * np.diff(padded, axis=axis) * np.float32(length)
        open_share = np.maximum(faces[axis] * np.float32(length**2), _LEAST_OPEN)
        low, high = _pair(flux / np.minimum(open_share, 1), axis)
        displacement[..., 2 - axis] = (low + high) / 2
    return _continued(displacement, (1 - gland) * free) * free[..., None], pressure


def _pair(array: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the elements before and after each inner face along an axis."""
    low = [slice(None)] * 3
    high = [slice(None)] * 3
    low[axis], high[axis] = slice(None, -1), slice(1, None)
    return array[tuple(low)], array[tuple(high)]


def _solved(faces: list[np.ndarray], source: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """Solve for the pressure at which as much flows out of each cell as its source (conjugate gradients)."""
    diagonal = sum(sum(_pair(face, axis)) for axis, face in enumerate(faces))
    inner = [
        face[tuple(slice(1, -1) if n == axis else slice(None) for n in range(3))] for axis, face in enumerate(faces)
    ]
    inverse = np.divide(1, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)
    # A cell without open faces has no pressure.
    source = np.where(diagonal > 0, source, 0).astype(np.float32)

    def applied(p: np.ndarray) -> np.ndarray:
        result = diagonal * p
        for axis, face in enumerate(inner):
            low, high = _pair(p, axis)
            to_low, to_high = _pair(result, axis)
            to_low -= face * high
            to_high -= face * low
        return result

    p = guess
    residual = source - applied(p)
    goal = _TOLERANCE * float(np.linalg.norm(source))
    direction = scaled = inverse * residual
    product = float(np.vdot(residual, scaled))
    for _ in range(_MOST_ROUNDS):
        if float(np.linalg.norm(residual)) <= goal:
            break
        along = applied(direction)
        length = np.float32(product / float(np.vdot(direction, along)))
        p = p + length * direction
        residual = residual - length * along
        scaled = inverse * residual
        product, before = float(np.vdot(residual, scaled)), product
        direction = scaled + np.float32(product / before) * direction
    return p


def _continued(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return values (nk, nj, ni, 3) that are continued smoothly from where they have weight into where they do not."""
    from scipy.ndimage import gaussian_filter

    spread = np.maximum(gaussian_filter(weight, 1.0, mode="nearest"), 1e-3)
    mean = np.stack([gaussian_filter(values[..., n] * weight, 1.0, mode="nearest") / spread for n in range(3)], axis=-1)
    return values * weight[..., None] + mean * (1 - weight[..., None])


def _linear_weights(at: np.ndarray, count: int) -> np.ndarray:
    """Return the weights (n, count) by which samples at 0, 1, … are interpolated at positions (n,)."""
    at = np.clip(at, 0, count - 1)
    low = np.minimum(np.floor(at).astype(int), max(count - 2, 0))
    weights = np.zeros((len(at), count), dtype=np.float32)
    rows = np.arange(len(at))
    weights[rows, low] = 1 - (at - low)
    weights[rows, np.minimum(low + 1, count - 1)] += at - low
    return weights


def _interpolated(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Return values (nk, nj, ni, 3) interpolated at indices (3, ...) in the order k, j, i, as (..., 3)."""
    from scipy.ndimage import map_coordinates

    return np.stack(
        [map_coordinates(values[..., n], index, order=1, mode="nearest") for n in range(values.shape[-1])], axis=-1
    )
