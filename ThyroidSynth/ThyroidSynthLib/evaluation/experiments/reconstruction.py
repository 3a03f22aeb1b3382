"""Reconstruction of training cases, and fits of held-out cases (paper, section 3.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, silent
from ThyroidSynthLib.evaluation.metrics.mask_lattice import mask_lattice
from ThyroidSynthLib.evaluation.metrics.statistics import summary
from ThyroidSynthLib.evaluation.metrics.surface_distances import SurfaceComparison, compare_surfaces
from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION, decoding_box, surface_of_grid
from ThyroidSynthLib.generation.decode.sparse_grid import evaluate_sparse
from ThyroidSynthLib.generation.fit.fitting import fit_surface
from ThyroidSynthLib.generation.thyroid import reconstruct
from ThyroidSynthLib.geometry.sampling import signed_distance
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.model.trained_model import TrainedModel

if TYPE_CHECKING:
    from ThyroidSynthLib.dataset.cohort import Cohort


@dataclass(frozen=True)
class Reconstruction:
    """One case as the model reconstructs it, compared with its own surface."""

    id: str
    code: np.ndarray | None  # (code_size,), from training or from the fit; None if it has no surface
    comparison: SurfaceComparison | None  # None if the code has no surface
    floor: SurfaceComparison  # of a perfect model's surface on the same grid
    own_voxels: bool  # whether Dice was computed in the voxels of the case's own mask

    def as_row(self) -> dict[str, Any]:
        """Return the measures as a row of a table."""
        floor = asdict(self.floor)
        own = asdict(self.comparison) if self.comparison else dict.fromkeys(floor)
        return {"id": self.id, **own, **{f"floor_{name}": value for name, value in floor.items()}}


def reconstruct_cases(
    model: TrainedModel,
    cohort: Cohort,
    ids: Sequence[str],
    *,
    fit: bool = False,
    seed: int = 0,
    resolution: int = DEFAULT_RESOLUTION,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> Iterator[Reconstruction]:
    """Reconstruct cases of a cohort and compare them with their surfaces.

    Parameters
    ----------
    fit : bool
        Fit a code to each case, as for held-out cases, instead of decoding its code from training. The surface is that
        of the model alone, without the residual of the patient's own surface.

    Raises
    ------
    CohortError, ModelError
        An id is missing in the cohort or, unless `fit` is set, in the model.
    """
    for number, case_id in enumerate(ids):
        check(should_stop)
        progress(number / len(ids), f"{'Fitting' if fit else 'Reconstructing'} {case_id} ({number + 1} of {len(ids)})")
        reference, lattice = cohort.surface(case_id), mask_lattice(cohort, case_id)
        perfect = perfect_reconstruction(model, reference, resolution=resolution)
        floor = compare_surfaces(reference, perfect, seed=seed, lattice=lattice)
        code = comparison = None
        try:
            if fit:
                found = fit_surface(model, reference, seed=seed, resolution=resolution, should_stop=should_stop)
                thyroid = found.thyroid
            else:
                thyroid = reconstruct(model, model.index_of(case_id), resolution=resolution)
        except SynthesisError:
            pass
        else:
            code = thyroid.code
            comparison = compare_surfaces(reference, thyroid.surface, seed=seed, lattice=lattice)
        yield Reconstruction(case_id, code, comparison, floor, lattice is not None)


def perfect_reconstruction(model: TrainedModel, reference: Surface, *, resolution: int = DEFAULT_RESOLUTION) -> Surface:
    """Decode a case's true signed distance, as a perfect model would represent it; surfaces are in `trachea_mm`.

    Box, grid and surface extraction are those of the model's own codes. The result is the reference on other vertices,
    so the authors' Chamfer distance between the two, which compares vertices, is the floor of that measure.
    """
    unit = reference.moved(model.frame.to_unit(reference.vertices))

    def true_distance(points: np.ndarray) -> np.ndarray:
        return signed_distance(unit, points).astype(np.float32)

    return surface_of_grid(model, evaluate_sparse(true_distance, *decoding_box(model), resolution))


def summarise(reconstructions: Sequence[Reconstruction]) -> dict[str, Any]:
    """Return mean, SD and median of every measure and of its floor over the cases that have a surface."""
    compared = [(item.comparison, item.floor) for item in reconstructions if item.comparison is not None]
    found: dict[str, Any] = {
        "cases": len(reconstructions),
        "without_surface": len(reconstructions) - len(compared),
        "dice_in_own_voxels": sum(item.own_voxels for item in reconstructions if item.comparison is not None),
    }
    if not compared:
        return found
    comparisons, floors = zip(*compared, strict=True)
    for name in (each.name for each in fields(SurfaceComparison)):
        found[name] = {**summary(_values(comparisons, name)), "floor": summary(_values(floors, name))}
    found["chamfer_over_floor"] = found["chamfer_mm"]["mean"] / found["chamfer_mm"]["floor"]["mean"]
    return found


def _values(comparisons: Sequence[SurfaceComparison], name: str) -> np.ndarray:
    """Return the known values of a measure; Dice of an open surface is not known."""
    values = (getattr(each, name) for each in comparisons)
    return np.array([value for value in values if value is not None])
