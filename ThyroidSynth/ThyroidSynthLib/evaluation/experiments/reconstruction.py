"""How well a model gives thyroids back: those it was trained on, and those it has never seen (paper, section 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, silent
from ThyroidSynthLib.evaluation.metrics.floor import perfect_reconstruction
from ThyroidSynthLib.evaluation.metrics.mask_lattice import mask_lattice
from ThyroidSynthLib.evaluation.metrics.surface_distances import SurfaceComparison, compare_surfaces
from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION
from ThyroidSynthLib.generation.fit.fitting import fit_surface
from ThyroidSynthLib.generation.thyroid import Thyroid, reconstruct
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.model.shape_model import ShapeModel

if TYPE_CHECKING:
    from ThyroidSynthLib.dataset.cohort import Cohort


@dataclass(frozen=True)
class Reconstruction:
    """One case as the model gives it back, compared with its own surface.

    Attributes
    ----------
    id : str
        The case.
    code : ndarray of float32, shape (code_size,), or None
        The latent code, of training or of the fit; None when it had no surface.
    comparison : SurfaceComparison or None
        Distances of its surface; None when it had none.
    floor : SurfaceComparison
        Distances of a perfect model's surface on the same grid.
    own_voxels : bool
        Whether the overlap was counted in the voxels of the case's own mask.
    """

    id: str
    code: np.ndarray | None
    comparison: SurfaceComparison | None
    floor: SurfaceComparison
    own_voxels: bool

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
    should_stop: ShouldStop = never,
) -> Iterator[Reconstruction]:
    """Decode training cases and compare them with their surfaces in the cohort.

    Cases of model and cohort are joined by id.

    Raises
    ------
    CohortError, ModelError
        An id is missing in either.
    Cancelled
        `should_stop` returned true.
    """

    def again(case_id: str, reference: Surface) -> Thyroid:
        return reconstruct(model, model.index_of(case_id), resolution=resolution)

    yield from _compared(model, cohort, ids, again, "Reconstructing", seed, resolution, progress, should_stop)


def fit_held_out(
    model: ShapeModel,
    cohort: Cohort,
    ids: Sequence[str],
    *,
    seed: int = 0,
    resolution: int = DEFAULT_RESOLUTION,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> Iterator[Reconstruction]:
    """Fit the model to cases it was not trained on and compare what it makes of them.

    The model alone is judged: no residual of the patient's own surface is added.

    Raises
    ------
    CohortError
        An id is not in the cohort.
    Cancelled
        `should_stop` returned true.
    """

    def fitted(case_id: str, reference: Surface) -> Thyroid:
        fit = fit_surface(model, reference, seed=seed, resolution=resolution, should_stop=should_stop)
        return fit.thyroid

    yield from _compared(model, cohort, ids, fitted, "Fitting", seed, resolution, progress, should_stop)


def _compared(
    model: ShapeModel,
    cohort: Cohort,
    ids: Sequence[str],
    make: Callable[[str, Surface], Thyroid],
    verb: str,
    seed: int,
    resolution: int,
    progress: ProgressCallback,
    should_stop: ShouldStop,
) -> Iterator[Reconstruction]:
    for number, case_id in enumerate(ids):
        check(should_stop)
        progress(number / len(ids), f"{verb} {case_id} ({number + 1} of {len(ids)})")
        reference, lattice = cohort.surface(case_id), mask_lattice(cohort, case_id)
        perfect = perfect_reconstruction(model, reference, resolution=resolution)
        floor = compare_surfaces(reference, perfect, seed=seed, lattice=lattice)
        code = comparison = None
        try:
            thyroid = make(case_id, reference)
        except SynthesisError:
            pass
        else:
            code = thyroid.code
            comparison = compare_surfaces(reference, thyroid.surface, seed=seed, lattice=lattice)
        yield Reconstruction(case_id, code, comparison, floor, lattice is not None)


def summarise(reconstructions: Sequence[Reconstruction]) -> dict[str, Any]:
    """Give mean, SD and median of every measure, and of its floor, over the cases that have a surface."""
    found = [item for item in reconstructions if item.comparison is not None]
    summary: dict[str, Any] = {
        "cases": len(reconstructions),
        "without_surface": len(reconstructions) - len(found),
        "dice_in_own_voxels": sum(item.own_voxels for item in found),
    }
    for name in found[0].floor.as_dict() if found else ():
        summary[name] = _spread([getattr(item.comparison, name) for item in found])
        summary[name]["floor"] = _spread([getattr(item.floor, name) for item in found])
    if found:
        summary["chamfer_over_floor"] = summary["chamfer_mm"]["mean"] / summary["chamfer_mm"]["floor"]["mean"]
    return summary


def _spread(values: Sequence[float | None]) -> dict[str, Any]:
    known = [value for value in values if value is not None]
    if not known:
        return {"mean": None, "sd": None, "median": None}
    return {"mean": float(np.mean(known)), "sd": float(np.std(known)), "median": float(np.median(known))}
