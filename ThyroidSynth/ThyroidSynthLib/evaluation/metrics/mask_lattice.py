"""The voxel lattice of a case's segmentation, so that Dice is computed in the voxels of its own mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.errors import CohortError, ThyroidSynthError
from ThyroidSynthLib.dataset.case_sources import CaseSource
from ThyroidSynthLib.dataset.cases import read_case

from .surface_distances import DICE_SPACING_MM

if TYPE_CHECKING:
    from ThyroidSynthLib.dataset.cohort import Cohort

_SPACING_TOLERANCE_MM = 0.02


def mask_lattice(cohort: Cohort, case_id: str) -> np.ndarray | None:
    """Return the lattice of a case's segmentation in the trachea frame.

    Returns
    -------
    ndarray, shape (4, 4), or None
        Maps voxel indices (i, j, k, 1) to `trachea_mm`. None if the cohort holds only surfaces, if the segmentation
        no longer exists, or if its voxels are not TotalSegmentator's 1.5 mm, because Dice depends on the voxel size.
    """
    try:
        source = CaseSource.from_json(case_id, cohort.entry(case_id).get("source") or {})
    except (AttributeError, KeyError, TypeError, ValueError):
        raise CohortError(f"{cohort.folder} is damaged (the source of case {case_id}). Prepare it again.") from None
    if source is None or not all(path.is_file() for path in source.files):
        return None
    try:
        scan = read_case(source).thyroid_mask.scan
    except ThyroidSynthError:
        return None
    if np.abs(scan.spacing_mm - DICE_SPACING_MM).max() > _SPACING_TOLERANCE_MM:
        return None
    return np.linalg.inv(cohort.placement(case_id).trachea_to_ras) @ scan.ijk_to_ras
