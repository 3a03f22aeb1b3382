"""Fitting given thyroids and saying how well: the code, its surface in the patient, and the distances."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..anatomy.case_sources import CaseSource
from ..anatomy.cases import Case, read_case
from ..anatomy.features import measure_features
from ..anatomy.frame import Placement
from ..anatomy.quality import check_case
from ..errors import InputError, OutputError, ThyroidSynthError
from ..files import write_json
from ..learning.model import NOTICE, ShapeModel
from ..progress import ProgressCallback, StopRequested, check, never, silent
from ..synthesis.export import write_label_map
from ..synthesis.fitting import Fit, fit_surface
from ..synthesis.grid import LabelGrid, voxelise
from ..synthesis.mesh_files import write_mesh
from ..synthesis.thyroid_files import FileOptions
from .metrics import SurfaceComparison, compare_surfaces

FIT_FILE = "fit.json"


@dataclass(frozen=True)
class FittedCase:
    """A patient's thyroid as a model sees it.

    Attributes
    ----------
    id : str
        The case.
    fit : Fit
        Code and surface, in `trachea_mm`.
    placement : Placement
        The trachea frame in the patient.
    comparison : SurfaceComparison
        Distances between the patient's surface and the fitted one.
    measured : dict of str to float
        The patient's own features.
    grid : LabelGrid
        The patient's scan.
    notes : tuple of str
        What speaks against the case, such as a gland the scan's border cut: its fit is to be read with care.
    """

    id: str
    fit: Fit
    placement: Placement
    comparison: SurfaceComparison
    measured: dict[str, float]
    grid: LabelGrid
    notes: tuple[str, ...]

    def document(self, model: ShapeModel, files: Sequence[str] = ()) -> dict[str, Any]:
        """Give everything needed to make the surface again, as a dictionary for a JSON file."""
        thyroid = self.fit.thyroid
        return {
            "kind": "fit",
            "format_version": 1,
            "notice": NOTICE,
            "software": f"ThyroidSynth {__version__}",
            "id": self.id,
            "model": {"checksum": model.checksum, "variant": model.variant, "synthetic_cohort": model.synthetic},
            "quality": {
                **self.comparison.as_dict(),
                "rms_mm": self.fit.rms_mm,
                "code_distance_sd": self.fit.distance,
                "inside_share": self.fit.inside_share,
            },
            "patient": self.measured,
            "fitted": {name: float(value) for name, value in thyroid.measured.as_dict().items()},
            "trachea_to_ras": self.placement.trachea_to_ras.tolist(),
            "code": [float(f"{value:.9g}") for value in np.asarray(thyroid.code, dtype=np.float32)],
            "notes": list(self.notes),
            "files": list(files),
        }


def fit_case(
    model: ShapeModel,
    case: Case,
    *,
    seed: int = 0,
    progress: ProgressCallback = silent,
    stop_requested: StopRequested = never,
) -> FittedCase:
    """Fit a model to a patient's thyroid, placed at the patient's own trachea.

    Specks and holes of the segmentation are cleaned away first. A case that would be refused for training
    is fitted all the same, with the reasons as notes.

    Raises
    ------
    InputError
        The case has no thyroid or no trachea.
    SynthesisError
        The fitted code has no surface.
    Cancelled
        `stop_requested` said so.
    """
    verdict = check_case(case)
    if verdict.surface_ras is None:
        raise InputError(f"Case {case.id} has no thyroid to fit. Segment it first.")
    placement = case.placement(model.frame.alignment)
    surface = verdict.surface_ras.moved(placement.to_trachea(verdict.surface_ras.vertices))
    fit = fit_surface(model, surface, seed=seed, progress=progress, stop_requested=stop_requested)
    return FittedCase(
        id=case.id,
        fit=fit,
        placement=placement,
        comparison=compare_surfaces(surface, fit.thyroid.surface, seed=seed),
        measured={name: float(value) for name, value in measure_features(surface).as_dict().items()},
        grid=LabelGrid(case.thyroid_mask.scan_shape, case.thyroid_mask.scan_ijk_to_ras),
        notes=(*verdict.reasons, *verdict.notes),
    )


def write_fit(
    fitted: FittedCase, folder: Path, *, model: ShapeModel, options: FileOptions, on_scan_grid: bool, overwrite: bool
) -> dict[str, Any]:
    """Write `fit.json`, the label map and the meshes of one fitted case into a folder of its own.

    Parameters
    ----------
    options : FileOptions
        Which files.
    on_scan_grid : bool
        Make the label map on the grid of the patient's segmentation rather than on that of `options`.

    Returns
    -------
    dict
        What `fit.json` holds.

    Raises
    ------
    OutputError
        The folder holds a fit and `overwrite` is not set, or cannot be written.
    """
    if (folder / FIT_FILE).exists() and not overwrite:
        raise OutputError(f"{folder} already holds a fit. Choose another folder, or ask to overwrite it.")
    surface = fitted.fit.thyroid.surface
    surface_ras = surface.moved(fitted.placement.to_ras(surface.vertices))
    files = [f"thyroid.{suffix}" for suffix in options.mesh_formats]
    for name in files:
        write_mesh(surface_ras, folder / name, space=options.mesh_space)
    if options.label_format is not None:
        grid = fitted.grid if on_scan_grid else options.grid
        grid = grid or LabelGrid.around(surface_ras, spacing_mm=options.spacing_mm)
        files.append(f"thyroid.{options.label_format}")
        write_label_map(voxelise(surface_ras, grid), folder / files[-1])
        if not grid.holds(surface_ras):
            fitted = replace(fitted, notes=(*fitted.notes, "reaches beyond the grid; its label map is cut there"))
    document = fitted.document(model, files)
    try:
        write_json(folder / FIT_FILE, document)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written ({error}). Choose a writable folder.") from error
    return document


def fit_cases(
    model: ShapeModel,
    sources: Sequence[CaseSource],
    folder: Path | str,
    *,
    options: FileOptions,
    on_scan_grid: bool = True,
    overwrite: bool = False,
    seed: int = 0,
    progress: ProgressCallback = silent,
    stop_requested: StopRequested = never,
) -> Iterator[dict[str, Any]]:
    """Fit cases one after the other; one that cannot be fitted does not stop the rest.

    Yields
    ------
    dict
        What was written of each case, or its id and the error.

    Raises
    ------
    InputError
        Two cases have the same id, by which their folders are named.
    """
    twice = sorted(case_id for case_id, count in Counter(source.id for source in sources).items() if count > 1)
    if twice:
        raise InputError(f"Several cases are named {', '.join(twice)}. Fit them one by one, into different folders.")
    for number, source in enumerate(sources):
        check(stop_requested)
        progress(number / len(sources), f"Fitting {source.id} ({number + 1} of {len(sources)})")
        try:
            fitted = fit_case(model, read_case(source), seed=seed, stop_requested=stop_requested)
            yield write_fit(
                fitted,
                Path(folder) / source.id,
                model=model,
                options=options,
                on_scan_grid=on_scan_grid,
                overwrite=overwrite,
            )
        except ThyroidSynthError as error:
            # The wish to stop is for all cases.
            check(stop_requested)
            yield {"id": source.id, "error": str(error)}
    progress(1.0, "Fitted")
