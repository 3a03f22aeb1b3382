"""The room for thyroids on the grid of their label maps, checked before the work."""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.frame import Frame, Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume


def check_on_grid(
    grid: Grid, frame: Frame, placement: Placement, *, image: str, where: str, whole: bool, remedy: str
) -> None:
    """Check that the thyroids of a model lie on a grid.

    Parameters
    ----------
    frame : Frame
        The model's frame; its box holds the thyroids.
    placement : Placement
        The trachea frame in `ras_mm`.
    image : str
        Name of the image whose grid it is, for the message.
    where : str
        Where the trachea frame lies, for the message.
    whole : bool
        Whether the box must lie on the grid as a whole. A patient's scan may end within the thyroid.
    remedy : str
        What to do, for the message.

    Raises
    ------
    InputError
        The box lies off the grid or, with `whole`, reaches beyond it.
    """
    corners = np.stack(np.meshgrid(*zip(frame.lower_mm, frame.upper_mm, strict=True)), axis=-1).reshape(-1, 3)
    away, beyond = off_grid_mm(grid, placement.to_ras(corners))
    if away > 0:
        fault = f"The thyroids would lie {away:.0f} mm off the grid of {image}: they are placed {where}."
    elif whole and beyond > 0:
        fault = f"The thyroids may reach up to {beyond:.0f} mm beyond the grid of {image}: they are placed {where}."
    else:
        return
    raise InputError(f"{fault} {remedy}")


def check_gland_on_grid(grid: Grid, gland: Volume, case_id: str) -> None:
    """Check that a patient's thyroid, cropped, lies at least in part on a grid that was chosen for label maps.

    `InputError` with the distance if it does not.
    """
    away, _ = off_grid_mm(grid, gland.grid.corners())
    if gland.array.any() and away > 0:
        raise InputError(
            f"The thyroid of case {case_id} lies {away:.0f} mm off the chosen grid. Choose an image of the same "
            "patient, or leave out --grid."
        )


def off_grid_mm(grid: Grid, positions_ras: np.ndarray) -> tuple[float, float]:
    """Return how far the box of positions (n, 3) lies off a grid's voxels, and how far it reaches beyond them, in mm.

    The first is 0 or less if box and grid overlap, the second if the box lies on the grid as a whole.
    """
    ijk = grid.to_ijk(positions_ras)
    low, high = ijk.min(axis=0), ijk.max(axis=0)
    first, last = -0.5, grid.last_ijk + 0.5
    away = np.maximum(first - high, low - last) * grid.spacing_mm
    beyond = np.maximum(first - low, high - last) * grid.spacing_mm
    return float(away.max()), float(beyond.max())
