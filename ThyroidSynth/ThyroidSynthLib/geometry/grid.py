"""A regular grid of voxels in space, and the change between LPS and RAS axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.common.errors import InputError

from .surface import Surface

MOST_VOXELS = 2**31
"""Most voxels of an image file. Scans of 1024 x 1024 x 1500 voxels exist; masks in them are read slice by slice."""

MOST_VOXELS_HELD = 2**30
"""Most voxels of an array that is held in memory as a whole, of one byte each: 1 GiB."""

SPACING_LIMITS_MM = (0.01, 100.0)
"""Least and largest distance of neighbouring voxels: from that of micro-CT to far above that of any scan."""

# No scanner has a table of 5 m, and no scan lies 10 m from the scanner's origin.
_LARGEST_EXTENT_MM = 5_000.0
_FARTHEST_MM = 10_000.0
# Volume of a voxel over that of a box with its edges. A gantry is tilted by up to 30 degrees, which is 0.87.
_LEAST_BOX_SHARE = 0.3


def flip_lps_ras(positions: np.ndarray) -> np.ndarray:
    """Convert positions or directions (..., 3) from LPS to RAS axes, or back: the first two change sign."""
    return np.asarray(positions) * (-1.0, -1.0, 1.0)


@dataclass(frozen=True)
class Grid:
    """The voxels of an image in space.

    Arrays on a grid are indexed [k, j, i], as in SimpleITK and Slicer's ``arrayFromVolume``; positions are
    computed from indices in the order (i, j, k).

    Attributes
    ----------
    shape : tuple of int
        Number of voxels along k, j and i: the shape of an array on the grid.
    ijk_to_ras : ndarray, shape (4, 4)
        Maps a voxel index (i, j, k, 1) to the position of the voxel's centre, in `ras_mm` unless a grid is said
        to be in another frame.
    """

    shape: tuple[int, int, int]
    ijk_to_ras: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "ijk_to_ras", np.asarray(self.ijk_to_ras, dtype=np.float64).reshape(4, 4))
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"A grid needs three positive sizes, not {self.shape}.")

    @classmethod
    def of_lps(cls, shape: Sequence[int], axes_lps: np.ndarray, origin_lps: Sequence[float]) -> Grid:
        """Return the grid of shape (nk, nj, ni) that a file or library describes in LPS axes.

        The columns of `axes_lps` (3, 3) are the steps in mm from one voxel to the next along i, j and k; `origin_lps`
        is the centre of the first voxel in mm.
        """
        matrix = np.eye(4)
        matrix[:3] = flip_lps_ras(np.column_stack([axes_lps, origin_lps]).T).T
        nk, nj, ni = shape
        return cls((nk, nj, ni), matrix)

    @classmethod
    def of_file(cls, source: object, shape: Sequence[int], ijk_to_ras: np.ndarray, *, hint: str = "") -> Grid:
        """Return the grid that a file describes, after a check that it can be a scan of a person.

        All readers of images call this before they allocate memory for voxels.

        Parameters
        ----------
        source : object
            The file, for messages.
        shape : sequence of int
            Number of voxels along k, j and i.
        hint : str
            What else the message of an impossible grid should say, such as the file's unit of length.

        Raises
        ------
        InputError
            There are too many voxels, or the geometry is not finite, or its voxels, extent or position are impossible.
        """

        def refused(fault: str) -> InputError:
            more = f" {hint}" if hint else ""
            return InputError(f"{source} has an invalid geometry: {fault}.{more} Export it again with its geometry.")

        counts = [int(n) for n in shape]
        size = " x ".join(str(n) for n in reversed(counts))
        if min(counts) < 1:
            raise refused(f"its size is {size} voxels")
        if counts[0] * counts[1] * counts[2] > MOST_VOXELS:
            raise InputError(
                f"{source} is too large ({size} voxels; at most {MOST_VOXELS:,} in all are read). Crop or resample it."
            )
        matrix = np.asarray(ijk_to_ras, dtype=np.float64)
        if not np.isfinite(matrix).all():
            raise refused("its axes or its position are not numbers (NaN or infinite)")
        grid = cls((counts[0], counts[1], counts[2]), matrix)
        with np.errstate(over="ignore"):
            spacing = grid.spacing_mm
        voxel = " x ".join(f"{length:.4g}" for length in spacing)
        least, largest = SPACING_LIMITS_MM
        if spacing.min() < least or spacing.max() > largest:
            fault = "an axis of length 0" if spacing.min() == 0 else f"voxels of {voxel} mm"
            raise refused(f"{fault}, while {least:g} to {largest:g} mm are possible")
        if abs(np.linalg.det(matrix[:3, :3])) < _LEAST_BOX_SHARE * spacing.prod():
            raise refused("its axes lie almost in one plane")
        extent = float((spacing * counts[::-1]).max())
        if extent > _LARGEST_EXTENT_MM:
            raise refused(f"it is {extent / 1000:,.1f} m long (voxels of {voxel} mm)")
        farthest = float(np.abs(grid.corners()).max())
        if farthest > _FARTHEST_MM:
            raise refused(f"it lies {farthest / 1000:.3g} m from the scanner's origin")
        return grid

    def checked_for_holding(self, source: object) -> Grid:
        """Return this grid; `InputError` if a label map on the grid of `source` would not fit into memory."""
        if np.prod(self.shape, dtype=np.float64) > MOST_VOXELS_HELD:
            size = " x ".join(str(n) for n in reversed(self.shape))
            raise InputError(
                f"{source} has {size} voxels, of which a label map would fill the memory (at most "
                f"{MOST_VOXELS_HELD:,} voxels in all). Crop or resample it."
            )
        return self

    @classmethod
    def around(
        cls, surface_ras: Surface | Grid, *, spacing_mm: float | Sequence[float], margin_mm: float = 5.0
    ) -> Grid:
        """Return a grid along the patient's axes that holds a surface in `ras_mm`, or the voxels of another grid.

        Voxel centres lie on whole multiples of the spacing, so that the label maps of one cohort can be combined
        without resampling.

        Parameters
        ----------
        spacing_mm : float or three floats
            Edge of the voxels: one for cubes, or one each along R, A and S.
        margin_mm : float
            Least distance from the surface to the outermost voxel centres.

        Raises
        ------
        InputError
            The spacing is outside `SPACING_LIMITS_MM`, or so small that the label map would fill the memory.
        """
        spacing = np.broadcast_to(np.asarray(spacing_mm, dtype=np.float64), 3)
        least, largest = SPACING_LIMITS_MM
        if not ((spacing >= least) & (spacing <= largest)).all():
            raise InputError(
                f"A voxel spacing of {spacing_mm} mm is impossible. Use a positive one, {least:g} to {largest:g} mm, "
                "such as 1.5."
            )
        lower, upper = surface_ras.bounds
        first = np.floor((lower - margin_mm) / spacing)
        ni, nj, nk = np.ceil((upper + margin_mm) / spacing) - first + 1
        if ni * nj * nk > MOST_VOXELS_HELD:
            raise InputError(f"A voxel spacing of {spacing_mm} mm makes the label map too large. Use a larger one.")
        ijk_to_ras = np.diag([*spacing, 1.0])
        ijk_to_ras[:3, 3] = first * spacing
        return cls((nk, nj, ni), ijk_to_ras)

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """The least and the greatest coordinates of its voxels, each of shape (3,)."""
        corners = self.corners(beyond=0.5)
        return corners.min(axis=0), corners.max(axis=0)

    @property
    def spacing_mm(self) -> np.ndarray:
        """Distance between neighbouring voxel centres along i, j and k, in mm, shape (3,)."""
        return np.linalg.norm(self.ijk_to_ras[:3, :3], axis=0)

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in mL."""
        return float(abs(np.linalg.det(self.ijk_to_ras[:3, :3]))) / 1000.0

    def axes_along_ras(self) -> np.ndarray:
        """Return which of the axes i, j and k (0, 1, 2) lies along R, A and S, shape (3,): the nearest, each once."""
        from scipy.optimize import linear_sum_assignment

        return linear_sum_assignment(-np.abs(self.ijk_to_ras[:3, :3] / self.spacing_mm))[1]

    def deviation_from_right_angles(self) -> float:
        """Return the largest cosine of the angle between two axes: 0 if all are at right angles."""
        axes = self.ijk_to_ras[:3, :3] / self.spacing_mm
        return float(np.abs(axes.T @ axes - np.eye(3)).max())

    def straightened(self) -> Grid:
        """Return the grid of the same spacing whose axes are at right angles and nearest to these, grown to hold all.

        The centres of both grids coincide.
        """
        left, _, right = np.linalg.svd(self.ijk_to_ras[:3, :3] / self.spacing_mm)
        middle, matrix = self.last_ijk / 2, np.eye(4)
        matrix[:3, :3] = left @ right * self.spacing_mm
        matrix[:3, 3] = self.to_ras(middle) - matrix[:3, :3] @ middle
        straight = Grid(self.shape, matrix)
        reach = np.abs(straight.to_ijk(self.corners()) - middle).max(axis=0)
        more = np.maximum(np.ceil(reach - middle - 1e-3), 0).astype(int)[::-1]
        return straight.part(-more, np.array(self.shape) + 2 * more)

    @property
    def last_ijk(self) -> np.ndarray:
        """Index (i, j, k) of the last voxel, shape (3,)."""
        return np.array(self.shape[::-1]) - 1

    def to_ras(self, ijk: np.ndarray) -> np.ndarray:
        """Map continuous voxel indices (..., 3) in i, j, k order to positions."""
        return np.asarray(ijk) @ self.ijk_to_ras[:3, :3].T + self.ijk_to_ras[:3, 3]

    def to_ijk(self, ras_mm: np.ndarray) -> np.ndarray:
        """Map positions (..., 3) to continuous voxel indices in i, j, k order."""
        return (np.asarray(ras_mm) - self.ijk_to_ras[:3, 3]) @ np.linalg.inv(self.ijk_to_ras[:3, :3]).T

    def corners(self, *, beyond: float = 0.0) -> np.ndarray:
        """Return the centres of the eight corner voxels, or positions `beyond` voxels further out, shape (8, 3)."""
        ends = zip(np.full(3, -beyond), self.last_ijk + beyond, strict=True)
        return self.to_ras(np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3))

    def corner_distance_mm(self, other: Grid) -> float:
        """Return the largest distance between corresponding corners of two grids of the same shape."""
        return float(np.linalg.norm(self.corners() - other.corners(), axis=1).max())

    def part(self, first_kji: Sequence[int] | np.ndarray, shape: Sequence[int] | np.ndarray) -> Grid:
        """Return the grid of a box of voxels from index (k, j, i) on, which may be negative, of shape (nk, nj, ni)."""
        matrix = self.ijk_to_ras.copy()
        matrix[:3, 3] = self.to_ras(np.asarray(first_kji)[::-1])
        nk, nj, ni = shape
        return Grid((nk, nj, ni), matrix)

    def grown_to_hold(self, surface_ras: Surface, *, margin_mm: float = 5.0) -> Grid:
        """Return the grid with enough voxels added on each side to hold a surface in `ras_mm`."""
        ijk = self.to_ijk(surface_ras.vertices)
        margin, last = margin_mm / self.spacing_mm, self.last_ijk
        before = np.maximum(np.ceil(margin - ijk.min(axis=0)), 0) * (ijk.min(axis=0) < 0)
        after = np.maximum(np.ceil(ijk.max(axis=0) + margin - last), 0) * (ijk.max(axis=0) > last)
        if np.prod(last + 1.0 + before + after) > MOST_VOXELS_HELD:
            raise InputError(
                "The surface lies so far outside the image that a label map of both does not fit in memory."
            )
        return self.part(-before[::-1], (last + 1 + before + after)[::-1])

    def box_near(self, points_ras: np.ndarray) -> tuple[slice, slice, slice]:
        """Return the voxels around positions (n, 3), along k, j and i; a single one if these lie outside the grid."""
        ijk = self.to_ijk(points_ras)
        first = np.clip(np.floor(ijk.min(axis=0)).astype(int) - 1, 0, self.last_ijk).tolist()
        last = np.clip(np.ceil(ijk.max(axis=0)).astype(int) + 1, 0, self.last_ijk).tolist()
        i, j, k = (slice(a, b + 1) for a, b in zip(first, last, strict=True))
        return k, j, i

    def part_of_box(self, box: tuple[slice, slice, slice]) -> Grid:
        """Return the grid of a box of voxels, given as slices along k, j and i."""
        return self.part([axis.start for axis in box], [axis.stop - axis.start for axis in box])

    def depth_mm(self, ras_mm: np.ndarray) -> np.ndarray:
        """Return how far positions (n, 3) lie inside the box of the outermost voxel centres; negative outside it."""
        ijk = self.to_ijk(ras_mm)
        return (np.minimum(ijk, self.last_ijk - ijk) * self.spacing_mm).min(axis=1)

    def contains(self, ras_mm: np.ndarray) -> np.ndarray:
        """Check which positions (n, 3) lie in a voxel of the grid; bool, shape (n,)."""
        ijk = self.to_ijk(ras_mm)
        return np.all((ijk >= -0.5) & (ijk <= self.last_ijk + 0.5), axis=1)

    def holds(self, surface_ras: Surface) -> bool:
        """Check whether a surface in `ras_mm` lies entirely within the voxels, so that none of it is cut off."""
        return bool(self.contains(surface_ras.vertices).all())


def box_of(inside: np.ndarray, *, margin: int = 0) -> tuple[slice, slice, slice]:
    """Return the smallest box that holds the true elements of an array (n0, n1, n2), as slices.

    Of an array without any it is the whole array. A margin ends at the array's first element; at the other end the
    slices may reach beyond the last.
    """
    if not inside.any():
        return slice(0, inside.shape[0]), slice(0, inside.shape[1]), slice(0, inside.shape[2])
    occupied = [np.flatnonzero(inside.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    first, second, third = (slice(max(int(at[0]) - margin, 0), int(at[-1]) + margin + 1) for at in occupied)
    return first, second, third


def box_with_zeros(array: np.ndarray, first: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a box of an array from an index (k, j, i) on, with zeros where it reaches beyond the array."""
    found = np.zeros(shape, dtype=array.dtype)
    low, high = np.maximum(first, 0), np.minimum(first + shape, array.shape)
    if (low < high).all():
        into = tuple(slice(a, b) for a, b in zip(low - first, high - first, strict=True))
        found[into] = array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    return found
