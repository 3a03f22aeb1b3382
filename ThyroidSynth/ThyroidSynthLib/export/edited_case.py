"""Editing a patient's thyroid from files to files: fit it, change features, hold others, write the result."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.errors import InputError, SynthesisError
from ThyroidSynthLib.common.files import stated_code, write_json
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, never, part_of, silent
from ThyroidSynthLib.common.results import check_replaceable, replacing_result
from ThyroidSynthLib.dataset.cases import Case
from ThyroidSynthLib.dataset.quality import check_case
from ThyroidSynthLib.dataset.structure_checks import check_size
from ThyroidSynthLib.generation.edit.editing import PatientFit, fit_patient
from ThyroidSynthLib.generation.fit.fitting import fit_notes
from ThyroidSynthLib.generation.steer.as_written import steer_as_written
from ThyroidSynthLib.generation.steer.contact import Contact
from ThyroidSynthLib.generation.steer.feature_space import FeatureSpace
from ThyroidSynthLib.generation.steer.steering import SteeringResult, steer_to_target
from ThyroidSynthLib.generation.thyroid import Thyroid
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.geometry.grid import Grid, box_with_zeros
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.targets import Targets, misfit
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.label_maps import LabelMap
from ThyroidSynthLib.model.trained_model import NOTICE, TrainedModel

from .measuring import measured_as_written
from .merging import Merged, replace_thyroid
from .thyroid_files import FileOptions
from .writing.label_files import write_labels
from .writing.mesh_files import write_meshes
from .written_measure import WrittenMeasure

EDIT_FILE = "edit.json"

_SAME_PLACE_MM = 1e-3


@dataclass(frozen=True)
class Change:
    """The target of one feature: an amount in mL, mm² or 1 or, if relative, the share to add, such as 0.2."""

    amount: float
    relative: bool = False

    def of(self, before: float) -> float:
        """Return the target for a feature's value before the edit."""
        return before * (1 + self.amount) if self.relative else self.amount


@dataclass(frozen=True)
class EditedCase:
    """A patient's thyroid, edited.

    Attributes
    ----------
    fit : PatientFit
        The gland as it was.
    steered : SteeringResult
        The edited gland; its targets include the features that are held.
    changed : tuple of str
        Features that were changed.
    mask : Volume
        The patient's segmentation without islands, on the whole scan's grid.
    notes : tuple of str
        Findings of quality control, and a warning if the fit is far from the gland.
    unlike : str
        Description of targets that are unlike the training cases; empty if they are ordinary or nothing is changed.
    """

    id: str
    fit: PatientFit
    steered: SteeringResult
    changed: tuple[str, ...]
    mask: Volume
    notes: tuple[str, ...]
    unlike: str = ""

    @property
    def label_map(self) -> Volume:
        """The edited gland on the grid of the patient's segmentation; without changes equal to it."""
        return self.fit.shapes.label_map(self.steered.thyroid.code, self.mask)

    def document(self, model: TrainedModel) -> dict[str, Any]:
        """Return targets, measured features and everything that reproduces the edit, for `edit.json`."""
        steered, thyroid = self.steered, self.steered.thyroid
        targets = steered.targets.as_dict()
        return {
            "kind": "edit",
            "format_version": 2,
            "notice": NOTICE,
            "software": f"ThyroidSynth {__version__}",
            "id": self.id,
            "model": {"checksum": model.checksum, "variant": model.variant, "synthetic_cohort": model.synthetic},
            "before": self.fit.original.measured.as_dict(),
            "targets": {name: targets[name] for name in self.changed},
            "held": {name: value for name, value in targets.items() if name not in self.changed},
            "after": thyroid.measured.as_dict(),
            "met": steered.met,
            "moved_sd": steered.moved,
            "code_distance_sd": steered.distance,
            "fit": {
                "rms_mm": self.fit.fit.rms_mm,
                "cut_by_scan": self.fit.fit.cut,
                "out_of_distribution": self.fit.fit.out_of_distribution,
            },
            "trachea_to_ras": self.fit.placement.trachea_to_ras.tolist(),
            "fitted_code": stated_code(self.fit.original.code),
            "fitted_offset": stated_code(self.fit.fit.thyroid.code[model.code_size :]),
            "code": stated_code(thyroid.code),
            "notes": list(self.notes),
        }


def edit_case(
    model: TrainedModel,
    case: Case,
    changes: Mapping[str, Change],
    *,
    held: Sequence[str] | None = None,
    options: FileOptions | None = None,
    on_scan_grid: bool = True,
    seed: int = 0,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> EditedCase:
    """Change features of a patient's thyroid and keep its details; it does not grow into the patient's trachea.

    Parameters
    ----------
    changes : mapping of str to Change
        Targets by feature. Without any, every voxel of the gland is kept, except for islands: they are
        removed, which a note reports.
    held : sequence of str, optional
        Other features to hold; by default all.
    options, on_scan_grid
        As for `write_edit`: with them the targets are met by what it will write.
    seed : int
        Random seed of the points at which model and gland are compared.

    Raises
    ------
    InputError
        The case has no thyroid or no trachea, its trachea is not at the thyroid, or a target is impossible.
    Cancelled
        `should_stop` returned true.
    """
    for name in (*changes, *(held or ())):
        if name not in FEATURE_NAMES:
            raise InputError(f"There is no feature '{name}'. Choose among: {', '.join(FEATURE_NAMES)}.")
    check_size(case.thyroid_mask)
    verdict = check_case(case)
    if verdict.surface_ras is None:
        raise InputError(f"Case {case.id} has no thyroid to edit. Segment it first.")
    mask = verdict.without_islands.whole()
    fit = fit_patient(
        model,
        mask,
        verdict.placement(model.patient_alignment),
        cleaned=verdict.cleaned.thyroid,
        scan=mask.grid,
        seed=seed,
        progress=part_of(progress, 0.0, 0.6),
        should_stop=should_stop,
    )
    before = fit.original.measured.as_dict()
    changed = {name: change.of(before[name]) for name, change in changes.items()}
    kept = {name: before[name] for name in (FEATURE_NAMES if held is None else held)}
    targets = Targets.of(kept | changed)
    trachea = verdict.cleaned.trachea_mask
    contact = Contact.at(trachea.volume, fit.placement, model.frame, scan=trachea.scan) if changes else None
    if contact is not None:
        contact = contact.kept_by(fit.original.surface)
    steered = steer_to_target(
        fit.shapes,
        fit.original,
        targets,
        contact=contact,
        progress=part_of(progress, 0.6, 0.9),
        should_stop=should_stop,
    )
    if options is not None and changes:
        measure = _EditMeasure(fit.placement, _on_scan(options, mask, on_scan_grid), fit=fit, mask=mask)
        with contextlib.suppress(SynthesisError):
            steered = steer_as_written(
                fit.shapes,
                steered,
                measure,
                contact=contact,
                progress=part_of(progress, 0.9, 1.0),
                should_stop=should_stop,
            )
    unlike = FeatureSpace(model.features).unlike(targets.as_array()) if changes else ""
    notes = [*verdict.reasons, *verdict.notes, *_mismatch(fit, mask)]
    if unlike:
        notes.append(f"the targets are {unlike}")
    return EditedCase(case.id, fit, steered, tuple(changes), mask, tuple(notes), unlike)


@dataclass(frozen=True, kw_only=True)
class _EditMeasure(WrittenMeasure):
    """Measures edits as they are written: with the voxels of the edited segmentation where a grid has the same ones."""

    fit: PatientFit
    mask: Volume

    def _filled(self, thyroid: Thyroid, surface: Surface, grid: Grid) -> Volume:
        first = np.rint(self.mask.to_ijk(grid.to_ras(np.zeros(3))))[::-1]
        if self.mask.grid.part(first, grid.shape).corner_distance_mm(grid) > _SAME_PLACE_MM:
            return voxelise(surface, grid)
        own = self.fit.shapes.label_map(thyroid.code, self.mask).array
        return Volume(box_with_zeros(own, first.astype(int), grid.shape), grid.ijk_to_ras)


def _on_scan(options: FileOptions, mask: Volume, on_scan_grid: bool) -> FileOptions:
    return replace(options, grid=mask.grid) if on_scan_grid else options


def _mismatch(fit: PatientFit, mask: Volume) -> tuple[str, ...]:
    """Return a warning if the model's surface is far from the gland, so that its edits are unreliable."""
    alone = fit.model_alone.surface
    if not alone.is_closed():
        return fit_notes(fit.fit, None, alone.volume / 1000, fit.original.measured.volume_ml)
    grid = mask.grid
    fitted = voxelise(alone.moved(fit.placement.to_ras(alone.vertices)), grid).array != 0
    own = mask.array != 0
    dice = 2 * np.count_nonzero(fitted & own) / (np.count_nonzero(fitted) + np.count_nonzero(own))
    fitted_ml, own_ml = (np.count_nonzero(inside) * mask.voxel_volume_ml for inside in (fitted, own))
    return fit_notes(fit.fit, dice, fitted_ml, own_ml)


def check_edit_room(folder: Path, options: FileOptions, *, overwrite: bool, inputs: Iterable[Path | None] = ()) -> None:
    """Raise `OutputError` if writing an edit into a folder would replace an input or an unrelated file."""
    check_replaceable(folder / EDIT_FILE, "edit", _names(options), overwrite=overwrite, inputs=inputs)


def write_edit(
    edited: EditedCase,
    folder: Path,
    *,
    model: TrainedModel,
    options: FileOptions,
    on_scan_grid: bool = True,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Write the label map, the meshes, the patient's map with the thyroid replaced, and `edit.json`.

    The label map has the grid of the patient's segmentation or, unless `on_scan_grid`, that of `options`. Returns the
    content of `edit.json`.

    Raises
    ------
    InputError
        The thyroid cannot be merged into the patient's map.
    OutputError
        The folder holds an edit and `overwrite` is not set, another file would be replaced, or a file cannot
        be written or reads back differently.
    """
    surface = edited.steered.thyroid.surface
    surface_ras = surface.moved(edited.fit.placement.to_ras(surface.vertices))
    document, own = edited.document(model), edited.label_map
    document["files"] = _names(options)
    with replacing_result(folder / EDIT_FILE, "edit", document["files"], overwrite=overwrite) as staging:
        write_meshes(surface_ras, staging, "thyroid", options.meshes)
        whole, merged = None, None
        if options.label_format is not None:
            whole = own if on_scan_grid else voxelise(surface_ras, options.label_grid(surface_ras))
            options.write_label_map(whole, staging / f"thyroid.{options.label_format}")
            document["label_map"] = {
                "volume_ml": int(whole.array.sum()) * whole.voxel_volume_ml,
                "holds_all": whole.grid.holds(surface_ras),
            }
        if options.merge_into is not None:
            whole = _on_map(own, surface_ras, options.merge_into)
            merged = replace_thyroid(options.merge_into, whole, options.merge_rules)
            path = staging / f"merged.{options.merged_format}"
            write_labels(merged.labels, path, series=options.series)
            document["merged"] = merged.to_json()
        document |= _as_written(edited, whole, merged)
        write_json(staging / EDIT_FILE, document)
    return document


def _names(options: FileOptions) -> list[str]:
    """Return the names of the files that `write_edit` writes beside `edit.json`."""
    return [*options.meshes.files("thyroid"), *options.label_files("thyroid"), *options.merged_files("merged")]


def _on_map(own: Volume, surface_ras: Surface, patient: LabelMap) -> Volume:
    """Return an edited gland on the grid of the patient's map; its own voxels if that is the segmentation's grid."""
    scan = patient.volume
    same = own.array.shape == scan.array.shape and own.grid.corner_distance_mm(scan.grid) <= _SAME_PLACE_MM
    return Volume(own.array, scan.ijk_to_ras) if same else voxelise(surface_ras, scan.grid)


def _as_written(edited: EditedCase, whole: Volume | None, merged: Merged | None) -> dict[str, Any]:
    """Return what the edit measures in its files, and whether that meets the targets."""
    placement = edited.fit.placement
    kept = None if merged is None else merged.thyroid
    features, on_map = measured_as_written(edited.steered.thyroid.measured, whole, kept, placement)
    written = features.as_dict()
    targets = edited.steered.targets.as_dict()
    return {
        "measured_on": "surface" if whole is None else "label map" if merged is None else "merged map",
        "written": written,
        "map": None if on_map is None else on_map.as_dict(),
        "error": {name: written[name] - target for name, target in targets.items()},
        "met": all(misfit(name, written[name], target) <= 1.0 for name, target in targets.items()),
    }
