"""Fits of given thyroids as files: the code, its surface in the patient, and the quality of the fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.errors import InputError, SynthesisError
from ThyroidSynthLib.common.files import stated_code, write_json
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, never, part_of, silent
from ThyroidSynthLib.common.results import replacing_result
from ThyroidSynthLib.dataset.cases import Case
from ThyroidSynthLib.dataset.quality import check_case
from ThyroidSynthLib.dataset.structure_checks import check_size
from ThyroidSynthLib.evaluation.metrics.surface_distances import (
    PointComparison,
    SurfaceComparison,
    compare_surfaces,
)
from ThyroidSynthLib.export.thyroid_files import FileOptions
from ThyroidSynthLib.export.writing import write_meshes
from ThyroidSynthLib.generation.fit.completions import (
    DEFAULT_COMPLETIONS,
    INTERVAL_LEVEL,
    Completions,
    plausible_completions,
    share_inside,
    surface_sd_mm,
)
from ThyroidSynthLib.generation.fit.fitting import Fit, fit_mask, fit_notes
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.scan_border import part_in_scan
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.label_map_files import write_label_map
from ThyroidSynthLib.model.trained_model import NOTICE, TrainedModel

FIT_FILE = "fit.json"
# A note is added if a smaller share than this of the segmented surface is consistent with a thyroid.
_MIN_CONSISTENT_SHARE = 0.99


@dataclass(frozen=True)
class FittedCase:
    """A patient's thyroid and the fit of a model to it.

    Attributes
    ----------
    id : str
        The case.
    fit : Fit
        Code and surface, in `trachea_mm`.
    placement : Placement
        The trachea frame in the patient.
    comparison : SurfaceComparison or PointComparison
        Comparison of the patient's surface, or of points on it, with the fitted one.
    measured : dict of str to float
        The patient's own features; empty if only points are given.
    grid : Grid
        Grid of the patient's scan, or one around the given surface.
    spacing_mm : ndarray, shape (3,), or None
        Voxel spacing of the segmentation along i, j and k; None if there is none.
    seen_share : float
        Share of the fitted gland's volume inside the scan; below 1 the rest is a completion.
    surface_sd_mm : ndarray, shape (V,)
        Uncertainty of each vertex of the fitted surface, one SD.
    completions : Completions
        Whole glands that are about equally consistent with the segmentation.
    notes : tuple of str
        Reservations about the case or its fit, such as a gland that is cut by the border of the scan.
    """

    id: str
    fit: Fit
    placement: Placement
    comparison: SurfaceComparison | PointComparison
    measured: dict[str, float]
    grid: Grid
    spacing_mm: np.ndarray | None
    seen_share: float
    surface_sd_mm: np.ndarray
    completions: Completions
    notes: tuple[str, ...]

    @property
    def surface_ras(self) -> Surface:
        """The fitted surface in the patient."""
        surface = self.fit.thyroid.surface
        return surface.moved(self.placement.to_ras(surface.vertices))

    def document(self, model: TrainedModel, files: Sequence[str] = ()) -> dict[str, Any]:
        """Return everything needed to reproduce the surface, as a dictionary for a JSON file."""
        thyroid = self.fit.thyroid
        numbers = stated_code(thyroid.code)
        return {
            "kind": "fit",
            "format_version": 2,
            "notice": NOTICE,
            "software": f"ThyroidSynth {__version__}",
            "id": self.id,
            "model": {"checksum": model.checksum, "variant": model.variant, "synthetic_cohort": model.synthetic},
            "quality": {
                **asdict(self.comparison),
                "rms_mm": self.fit.rms_mm,
                "code_distance_sd": self.fit.distance,
                "inside_share": self.fit.inside_share,
                "out_of_distribution": self.fit.out_of_distribution,
            },
            "observed": {
                "spacing_mm": None if self.spacing_mm is None else [round(float(side), 4) for side in self.spacing_mm],
                "cut_by_scan": self.fit.cut,
                "seen_share": self.seen_share,
                "consistent_share": self.fit.consistent_share,
                "raised_mm": self.fit.shift_mm,
                "removed_ml": self.fit.removed_ml,
            },
            "uncertainty": {
                "level": INTERVAL_LEVEL,
                "completions": len(self.completions.surfaces),
                "intervals": {name: list(ends) for name, ends in self.completions.intervals().items()},
                "surface_sd_mm": self._sd_by_part(),
            },
            "patient": self.measured,
            "fitted": thyroid.measured.as_dict(),
            "trachea_to_ras": self.placement.trachea_to_ras.tolist(),
            "code": numbers[: model.code_size],
            "offset": numbers[model.code_size :],
            "notes": list(self.notes),
            "files": list(files),
        }

    def _sd_by_part(self) -> dict[str, float | None]:
        """Return the median SD of the surface inside the scan and beyond it; None for a part that is empty."""
        beyond = self.grid.depth_mm(self.surface_ras.vertices) < 0
        return {
            part: float(np.median(self.surface_sd_mm[there])) if there.any() else None
            for part, there in (("in_scan", ~beyond), ("beyond_scan", beyond))
        }


def fit_case(
    model: TrainedModel,
    case: Case,
    *,
    completions: int = DEFAULT_COMPLETIONS,
    seed: int = 0,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> FittedCase:
    """Fit a model to a patient's thyroid, placed at the patient's own trachea.

    Islands and holes of the segmentation are removed first, which a note reports. A case that quality control would
    exclude from training is fitted too, with the reasons as notes. A gland that is cut by the border of the scan is
    completed; the comparison and the volumes of the notes cover the part inside the scan.

    Parameters
    ----------
    completions : int
        Number of plausible glands to draw.

    Raises
    ------
    InputError
        The case has no thyroid or no trachea, or its trachea is not at the thyroid, or `completions` is negative.
    SynthesisError
        The model cannot represent the gland.
    Cancelled
        `should_stop` returned true.
    """
    if completions < 0:
        raise InputError(f"{completions} completions cannot be drawn. Give 0 or more.")
    check_size(case.thyroid_mask)
    verdict = check_case(case)
    if verdict.surface_ras is None or verdict.cleaned is None:
        raise InputError(f"Case {case.id} has no thyroid to fit. Segment it first.")
    mask = case.thyroid_mask
    scan = mask.scan
    placement = verdict.placement(model.patient_alignment)
    fit = fit_mask(
        model,
        verdict.cleaned.thyroid,
        placement,
        scan=scan,
        seed=seed,
        progress=part_of(progress, 0.0, 0.6),
        should_stop=should_stop,
    )
    found = plausible_completions(
        model, fit, count=completions, seed=seed, progress=part_of(progress, 0.6, 0.9), should_stop=should_stop
    )
    placement = placement.raised(fit.shift_mm)
    surface = verdict.surface_ras.moved(placement.to_trachea(verdict.surface_ras.vertices))
    fitted = fit.thyroid.surface
    seen = part_in_scan(fitted.moved(placement.to_ras(fitted.vertices)), scan) if fit.cut else fitted
    notes = [*verdict.reasons, *verdict.notes]
    if fit.cut:
        if not len(seen.faces):
            raise SynthesisError(
                f"Too little of the thyroid of case {case.id} is in the scan to complete it. Use a larger scan."
            )
        seen = seen.moved(placement.to_trachea(seen.vertices))
        notes.append(f"{1 - seen.volume / fitted.volume:.0%} of the fitted gland is completed beyond the scan")
    if fit.consistent_share < _MIN_CONSISTENT_SHARE:
        notes.append(f"{1 - fit.consistent_share:.0%} of the segmented surface is not consistent with a thyroid")
    comparison = compare_surfaces(surface, seen, seed=seed)
    # Volumes of the part inside the scan, because the segmentation ends there.
    notes += fit_notes(fit, comparison.dice, seen.volume / 1000, surface.volume / 1000, comparison.hd95_mm)
    if fit.removed_ml > 0:
        removed = f"{fit.removed_ml:.2f} mL" if fit.removed_ml >= 0.005 else "less than 0.01 mL"
        notes.append(f"{removed} of the model's shape, where the gland has no part, was removed")
    return FittedCase(
        id=case.id,
        fit=fit,
        placement=placement,
        comparison=comparison,
        measured=measure_features(surface).as_dict(),
        grid=scan,
        spacing_mm=case.thyroid.spacing_mm,
        seen_share=float(seen.volume / fitted.volume),
        surface_sd_mm=surface_sd_mm(model, fit),
        completions=found,
        notes=tuple(notes),
    )


def write_fit(
    fitted: FittedCase,
    folder: Path,
    *,
    model: TrainedModel,
    options: FileOptions,
    on_scan_grid: bool,
    overwrite: bool,
    completions: int = 0,
) -> dict[str, Any]:
    """Write `fit.json`, the label maps and the meshes of one fitted case into its folder.

    A probability map is written beside the label map: for each voxel the share of the plausible glands that contain
    it. PLY meshes hold the SD of each vertex in mm as `uncertainty_mm`.

    Parameters
    ----------
    options : FileOptions
        Formats and grid of the files.
    on_scan_grid : bool
        Write the label map on the grid of the patient's segmentation instead of that of `options`. For a gland that is
        cut by the scan it is extended to contain the completion.
    completions : int
        Number of plausible glands to write as well.

    Returns
    -------
    dict
        The content of `fit.json`.

    Raises
    ------
    OutputError
        The folder holds a fit and `overwrite` is not set, or a file of another origin would be replaced, or the
        folder cannot be written.
    """
    surface_ras = fitted.surface_ras
    drawn = [surface.moved(fitted.placement.to_ras(surface.vertices)) for surface in fitted.completions.surfaces]
    named = dict(zip(_shape_names(completions), (surface_ras, *drawn), strict=False))
    files, label_map = [], None
    with replacing_result(folder / FIT_FILE, "fit", names_of_fit(options, completions), overwrite=overwrite) as staging:
        for name, surface in named.items():
            scalars = {"uncertainty_mm": fitted.surface_sd_mm} if surface is surface_ras else None
            meshes = write_meshes(surface, staging, name, options.meshes, scalars=scalars)
            files += [path.relative_to(staging).as_posix() for path in meshes]
        if options.label_format is not None:
            grid = fitted.grid if on_scan_grid else options.grid
            if grid is None:
                grid = Grid.around(surface_ras, spacing_mm=options.spacing_mm)
            elif on_scan_grid and fitted.fit.cut:
                for surface in (surface_ras, *drawn):
                    grid = grid.grown_to_hold(surface)
            for name, surface in named.items():
                filled = voxelise(surface, grid)
                options.write_label_map(filled, staging / f"{name}.{options.label_format}")
                files += options.label_files(name)
                if surface is surface_ras:
                    volume_ml = int(filled.array.sum()) * filled.voxel_volume_ml
                    label_map = {"volume_ml": volume_ml, "holds_all": grid.holds(surface_ras)}
            if drawn:
                shares = options.share_files("probability")
                write_label_map(share_inside(drawn, grid), staging / shares[0])
                files += shares
            if label_map is not None and not label_map["holds_all"]:
                note = "extends beyond the grid, so its label map is incomplete"
                fitted = replace(fitted, notes=(*fitted.notes, note))
        document = {**fitted.document(model, files), "label_map": label_map}
        write_json(staging / FIT_FILE, document)
    return document


def _shape_names(completions: int) -> list[str]:
    return ["thyroid", *(f"completions/{number:02d}" for number in range(completions))]


def names_of_fit(options: FileOptions, completions: int) -> list[str]:
    """Return the names of all files that `write_fit` may write beside `fit.json`."""
    shapes = _shape_names(completions)
    names = [name for shape in shapes for name in options.meshes.files(shape)]
    if options.label_format is not None:
        names += [name for shape in shapes for name in options.label_files(shape)]
        names += options.share_files("probability")
    return names
