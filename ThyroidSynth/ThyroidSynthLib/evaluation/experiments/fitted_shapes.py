"""Fits of thyroids that are given as meshes or point clouds, with the centre of the trachea instead of its mask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, never, part_of, silent
from ThyroidSynthLib.dataset.meshes import Centres, mesh_placement
from ThyroidSynthLib.dataset.meshes.mesh_cases import surface_findings
from ThyroidSynthLib.dataset.quality import QualityRules
from ThyroidSynthLib.evaluation.metrics.surface_distances import compare_points, compare_surfaces
from ThyroidSynthLib.export.thyroid_files import FileOptions
from ThyroidSynthLib.generation.fit.completions import DEFAULT_COMPLETIONS, plausible_completions, surface_sd_mm
from ThyroidSynthLib.generation.fit.fitting import fit_notes, fit_points, fit_surface, unfamiliar_notes
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.imaging.meshes.any_mesh import is_mesh_file, outward, read_mesh_file
from ThyroidSynthLib.imaging.meshes.point_clouds import read_points
from ThyroidSynthLib.model.trained_model import TrainedModel

from .fits import write_fits
from .fitted import FittedCase

# Beyond this distance of 95 % of the points, a fit is reported as far from them.
_MAX_P95_MM = 5.0


@dataclass(frozen=True)
class GivenShape:
    """A thyroid in a patient, as a surface or as points on it.

    Attributes
    ----------
    surface_ras : Surface
        In `ras_mm`; without triangles for a point cloud. A surface that is not closed is fitted as its points.
    centre_ras : ndarray, shape (3,)
        Centre of the trachea: that of the whole trachea for a model with the alignment "trachea", and that at the
        height of the gland for "upright".
    notes : tuple of str
        Remarks about the file.
    """

    id: str
    surface_ras: Surface
    centre_ras: np.ndarray
    notes: tuple[str, ...] = ()


def read_shape(case_id: str, path: Path, centre_ras: np.ndarray, *, space: str | None = None) -> GivenShape:
    """Read a mesh or a point cloud; `InputError` if it is missing, damaged, or of a size that no thyroid has.

    `space` are the axes of a file that does not state them: "LPS", the default, or "RAS".
    """
    if is_mesh_file(path):
        mesh = read_mesh_file(path, space=space)
        if len(mesh.surface.faces):
            return GivenShape(case_id, mesh.surface, centre_ras, mesh.notes)
    points = read_points(path, space=space)
    return GivenShape(case_id, Surface(points, np.empty((0, 3))), centre_ras)


def fit_shape(
    model: TrainedModel,
    shape: GivenShape,
    *,
    completions: int = DEFAULT_COMPLETIONS,
    seed: int = 0,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> FittedCase:
    """Fit a model to a thyroid that is given as a surface or as points, placed at the centre of the trachea.

    Parameters and errors are those of `fitted.fit_case`. What would be a reason to refuse the shape for training is a
    note.
    """
    if completions < 0:
        raise InputError(f"{completions} completions cannot be drawn. Give 0 or more.")
    given = outward(shape.surface_ras)[0] if len(shape.surface_ras.faces) else shape.surface_ras
    closed = given.is_closed()
    placement = mesh_placement(given, shape.centre_ras, model.patient_alignment)
    in_frame = given.moved(placement.to_trachea(given.vertices))
    fitting = part_of(progress, 0.0, 0.6)
    if closed:
        fit = fit_surface(model, in_frame, seed=seed, progress=fitting, should_stop=should_stop)
    else:
        points = in_frame.vertices
        if len(in_frame.faces):  # The corners alone would leave large triangles without a point.
            from ThyroidSynthLib.geometry.sampling import sample_surface

            points = np.concatenate([points, sample_surface(in_frame, 10_000, np.random.default_rng(seed))])
        fit = fit_points(model, points, seed=seed, progress=fitting, should_stop=should_stop)
    drawn = plausible_completions(
        model, fit, count=completions, seed=seed, progress=part_of(progress, 0.6, 0.9), should_stop=should_stop
    )
    fitted = fit.thyroid.surface
    notes = [*shape.notes, *_notes_on(given, shape.centre_ras, closed=closed)]
    if model.frame.alignment == "upright":
        notes.append("the axis of the trachea is unknown and was taken as vertical")
    comparison = compare_surfaces(in_frame, fitted, seed=seed) if closed else compare_points(in_frame.vertices, fitted)
    if closed:
        volumes_ml = fitted.volume / 1000, in_frame.volume / 1000
        notes += fit_notes(fit, comparison.dice, *volumes_ml, comparison.hd95_mm)
    else:
        far = getattr(comparison, "points_p95_mm", 0.0)
        notes += unfamiliar_notes(
            fit, (f"5 % of the points lie more than {far:.1f} mm from the fit",) if far > _MAX_P95_MM else ()
        )
    if fit.removed_ml > 0:
        notes.append(f"{fit.removed_ml:.2f} mL of the model's shape, where the gland has no part, was removed")
    fitted_ras = fitted.moved(placement.to_ras(fitted.vertices))
    return FittedCase(
        id=shape.id,
        fit=fit,
        placement=placement,
        comparison=comparison,
        measured=measure_features(in_frame).as_dict() if closed else {},
        grid=Grid.around(Surface.joined([given, fitted_ras]), spacing_mm=FileOptions.spacing_mm),
        spacing_mm=None,
        seen_share=1.0,
        surface_sd_mm=surface_sd_mm(model, fit),
        completions=drawn,
        notes=tuple(notes),
    )


def fit_shapes(
    model: TrainedModel,
    files: Sequence[tuple[str, Path]],
    centres: Centres,
    folder: Path | str,
    *,
    options: FileOptions,
    space: str | None = None,
    overwrite: bool = False,
    completions: int = 0,
    seed: int = 0,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> Iterator[dict[str, Any]]:
    """Fit meshes and point clouds one by one, as `fits.fit_cases` fits cases.

    Parameters
    ----------
    files : sequence of (id, Path)
        What `dataset.meshes.find_mesh_files` found.
    centres : Centres
        The centres of the tracheas.
    """

    def fit(case_id: str, path: Path, advance: ProgressCallback) -> FittedCase:
        given = read_shape(case_id, path, centres.of(case_id), space=space)
        drawn = max(completions, DEFAULT_COMPLETIONS)
        return fit_shape(model, given, completions=drawn, seed=seed, progress=advance, should_stop=should_stop)

    yield from write_fits(
        [(case_id, [path], partial(fit, case_id, path)) for case_id, path in files],
        folder,
        model=model,
        options=options,
        on_scan_grid=False,
        overwrite=overwrite,
        completions=completions,
        progress=progress,
        should_stop=should_stop,
    )


def _notes_on(given: Surface, centre_ras: np.ndarray, *, closed: bool) -> list[str]:
    if closed:
        reasons, more = surface_findings(given, centre_ras, QualityRules())
        return [*reasons, *more]
    what = "the mesh is not closed, so it" if len(given.faces) else "the point cloud"
    return [f"{what} was fitted by its points; its own volume is unknown"]
