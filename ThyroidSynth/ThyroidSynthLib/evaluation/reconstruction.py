"""How well the codes found in training give the training cases back (paper, section 3.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SynthesisError
from ..learning.model import ShapeModel
from ..progress import ProgressCallback, StopRequested, check, never, silent
from ..synthesis.decoding import DEFAULT_RESOLUTION
from ..synthesis.thyroid import reconstruct
from .floor import perfect_reconstruction
from .metrics import SurfaceComparison, compare_surfaces

if TYPE_CHECKING:
    from ..anatomy.cohort import Cohort


@dataclass(frozen=True)
class Reconstruction:
    """One training case, decoded again and compared with its own surface.

    Attributes
    ----------
    id : str
        The case.
    comparison : SurfaceComparison or None
        Distances of the decoded surface; None when the code had no surface.
    floor : SurfaceComparison
        Distances of a perfect model's surface on the same grid.
    """

    id: str
    comparison: SurfaceComparison | None
    floor: SurfaceComparison

    def as_row(self) -> dict[str, Any]:
        """Give the distances as a row of a table."""
        names = list(self.floor.as_dict())
        own = self.comparison.as_dict() if self.comparison else dict.fromkeys(names)
        return {"id": self.id, **own, **{f"floor_{name}": value for name, value in self.floor.as_dict().items()}}


def reconstruct_cases(
    model: ShapeModel,
    cohort: Cohort,
    ids: Sequence[str],
    *,
    seed: int = 0,
    resolution: int = DEFAULT_RESOLUTION,
    progress: ProgressCallback = silent,
    stop_requested: StopRequested = never,
) -> Iterator[Reconstruction]:
    """Decode training cases and compare them with their surfaces in the cohort.

    Cases of model and cohort are joined by id.

    Raises
    ------
    CohortError, ModelError
        An id is missing in either.
    Cancelled
        `stop_requested` said so.
    """
    for number, case_id in enumerate(ids):
        check(stop_requested)
        progress(number / len(ids), f"Reconstructing {case_id} ({number + 1} of {len(ids)})")
        reference = cohort.surface(case_id)
        floor = compare_surfaces(reference, perfect_reconstruction(model, reference, resolution=resolution), seed=seed)
        try:
            decoded = reconstruct(model, model.index_of(case_id), resolution=resolution)
        except SynthesisError:
            yield Reconstruction(case_id, None, floor)
            continue
        yield Reconstruction(case_id, compare_surfaces(reference, decoded.surface, seed=seed), floor)


def summarise(reconstructions: Sequence[Reconstruction]) -> dict[str, Any]:
    """Give mean and SD of every measure, and of its floor, over the cases that have a surface."""
    found = [item for item in reconstructions if item.comparison is not None]
    summary: dict[str, Any] = {"cases": len(reconstructions), "without_surface": len(reconstructions) - len(found)}
    for name in found[0].floor.as_dict() if found else ():
        summary[name] = _mean_and_sd([getattr(item.comparison, name) for item in found])
        summary[name]["floor"] = _mean_and_sd([getattr(item.floor, name) for item in found])
    if found:
        summary["chamfer_over_floor"] = summary["chamfer_mm"]["mean"] / summary["chamfer_mm"]["floor"]["mean"]
    return summary


def _mean_and_sd(values: Sequence[float | None]) -> dict[str, Any]:
    known = [value for value in values if value is not None]
    if not known:
        return {"mean": None, "sd": None}
    return {"mean": float(np.mean(known)), "sd": float(np.std(known))}
