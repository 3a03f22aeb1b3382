"""The craniocaudal level of a gland that is not segmented, estimated from the trachea."""

from __future__ import annotations

import numpy as np

from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume

DEPTH_MM = 7.5
"""Distance along the trachea's axis from its upper end, at the cricoid, to the centre of the gland.

Mean of 120 cases of the example cohort, in which the estimate is off by up to 8 mm in 95 % (largest error 12 mm). In
the only patient at hand, whose gland the scan cuts, it is at least 7 mm too low.
"""
ERROR_MM = 10.0
"""Error that users should expect."""


def estimated_level_mm(trachea: Volume, scan: Grid) -> float | None:
    """Estimate the superior coordinate in `ras_mm` of a gland's centre from the upper end of the trachea.

    Returns None if the trachea reaches the border of the scan there, so that its upper end is not in the scan.
    """
    voxels = trachea.to_ras(np.argwhere(trachea.array)[:, ::-1])
    highest = voxels[:, 2].max()
    end = voxels[voxels[:, 2] > highest - 0.5 * np.abs(trachea.ijk_to_ras[2, :3]).max()]
    if scan.depth_mm(end).min() < 0.5 * scan.spacing_mm.min():
        return None
    top = Placement.upright(trachea, end.mean(axis=0))
    return float(top.raised(-DEPTH_MM).origin_ras[2])
