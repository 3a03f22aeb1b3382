"""A patient's thyroid while it is edited: the fit in memory, the steps taken, and the record of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, part_of
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.slicer.scene.thyroids.records import EDITED, ThyroidRecord

from .history import History

if TYPE_CHECKING:
    from ThyroidSynthLib.generation.edit.editing import PatientShapes
    from ThyroidSynthLib.generation.fit.fitting import Fit
    from ThyroidSynthLib.generation.thyroid import Thyroid
    from ThyroidSynthLib.geometry.grid import Grid
    from ThyroidSynthLib.geometry.surface import Surface
    from ThyroidSynthLib.model.shape_model import ShapeModel
    from ThyroidSynthLib.slicer.scene.thyroids.edits import PatientGland

# Points on either surface for the distances of a fit: the average is then known to 0.01 mm.
_COMPARED_POINTS = 4000


@dataclass(frozen=True)
class EditStep:
    """What an edit has come to: enough to make its surface again, and no more.

    Attributes
    ----------
    code : ndarray of float32, shape (code_size,)
        Its latent code.
    wishes : dict of str to float
        Value of every feature as wished; of one that was free, as it came.
    asked : dict of str to float
        Features that were asked for; empty for the patient's own gland.
    met : bool or None
        Whether they are met.
    distance : float or None
        Distance of the code to the training codes' mean, in SDs per dimension.
    """

    code: np.ndarray
    slider_values: dict[str, float]
    targets: dict[str, float]
    met: bool | None = None
    distance: float | None = None


class PatientEdit:
    """Edits of one patient's thyroid.

    Parameters
    ----------
    gland : PatientGland
        The patient's thyroid.
    shapes : PatientShapes
        The gland and what can be made of it.
    about : ThyroidRecord
        What stays the same in the records of all its edits.
    placement : Placement
        The patient's trachea frame.
    completed : Surface, optional
        What the model adds beyond the scan that cuts the gland, in `ras_mm`.

    Attributes
    ----------
    gland : PatientGland
    original : Thyroid
        The patient's own thyroid.
    placement : Placement
    completed : Surface or None
    history : History of EditStep
        From the patient's own thyroid on.
    """

    def __init__(
        self,
        gland: PatientGland,
        shapes: PatientShapes,
        about: ThyroidRecord,
        placement: Placement,
        completed: Surface | None = None,
    ) -> None:
        from ThyroidSynthLib.generation.steer.live import LiveSteering

        self.gland = gland
        self.original = shapes.thyroid(shapes.fitted_code, targets={})
        self.placement = placement
        self.completed = completed
        self._shapes = shapes
        self._about = about
        self._live = LiveSteering(shapes, self.original)
        features = self.original.measured.as_dict()
        self.history = History(EditStep(self.original.code, features, {}, distance=about.quality.get("distance")))

    def follow(self, targets: Mapping[str, float]) -> Thyroid:
        """Give a thyroid on the way to targets, quickly."""
        return self._live.follow(targets)

    def settle(self, targets: Mapping[str, float], *, progress: ProgressCallback, should_stop: ShouldStop) -> Thyroid:
        """Meet targets as exactly as this gland can.

        Raises
        ------
        Cancelled
            `should_stop` returned true.
        """
        return self._live.settle(targets, progress=progress, should_stop=should_stop).thyroid

    def add(self, thyroid: Thyroid) -> None:
        """Take a thyroid that was settled as the next step."""
        slider_values = {**thyroid.measured.as_dict(), **thyroid.targets}
        self.history.add(EditStep(thyroid.code, slider_values, dict(thyroid.targets), thyroid.met, thyroid.distance))

    def present(self) -> Thyroid:
        """Make the thyroid of the present step again, from which edits go on."""
        step = self.history.current
        if step is self.history.first:
            thyroid = self.original
        else:
            thyroid = self._shapes.thyroid(step.code, targets=step.targets, met=step.met, distance=step.distance)
        self._live.go_on_from(thyroid)
        return thyroid

    def recordOf(self, thyroid: Thyroid, placement: Placement) -> ThyroidRecord:
        """Give the record of one of its thyroids at a placement."""
        about = self._about
        return ThyroidRecord.of(
            thyroid,
            placement,
            targets=thyroid.targets,
            model=about.model,
            kind=EDITED,
            fitted_code=about.fitted_code,
            quality=about.quality,
            original=about.original,
            source_segment=about.source_segment,
        )


def fitPatient(
    gland: PatientGland,
    segment_id: str,
    model: ShapeModel,
    placement: Placement,
    *,
    scan: Grid | None,
    progress: ProgressCallback,
    shouldStop: ShouldStop,
) -> PatientEdit:
    """Fit a model to a patient's thyroid, and say how well it does.

    Parameters
    ----------
    segment_id : str
        The thyroid's segment, for the record.
    placement : Placement
        The patient's trachea frame, in the model's alignment.
    scan : Grid or None
        Where the scan ends, if that is known.

    Raises
    ------
    Cancelled
        `stopRequested` said so.
    """
    from ThyroidSynthLib.evaluation.metrics.surface_distances import compare_surfaces
    from ThyroidSynthLib.generation.edit.editing import fit_patient

    found = fit_patient(
        model, gland.mask, placement, scan=scan, progress=part_of(progress, 0.0, 0.8), should_stop=shouldStop
    )
    progress(0.8, _("Comparing the model's version with the patient's thyroid"))
    alone, about = found.model_alone.surface, {}
    completed = None
    if found.fit.cut:
        alone, completed = _partedByScan(alone, found.placement, scan)
        about = _completionNumbers(model, found.fit, part_of(progress, 0.8, 1.0), shouldStop)
    compared = compare_surfaces(found.original.surface, alone, points=_COMPARED_POINTS)
    record = ThyroidRecord.of(
        found.original,
        found.placement,
        targets={},
        model=model.checksum,
        kind=EDITED,
        fitted_code=tuple(float(value) for value in np.ravel(found.original.code)),
        quality={
            # A surface that is open has no voxels to overlap with.
            "dice": compared.dice or 0.0,
            "assd_mm": compared.assd_mm,
            "hd95_mm": compared.hd95_mm,
            "distance": found.fit.distance,
            "inside_share": found.fit.inside_share,
            "cut_by_scan": float(found.fit.cut),
            **about,
        },
        original=found.original.measured.as_dict(),
        source_segment=segment_id,
    )
    return PatientEdit(gland, found.shapes, record, found.placement, completed)


def _partedByScan(surface: Surface, placement: Placement, scan: Grid) -> tuple[Surface, Surface | None]:
    """Part a gland of the trachea frame where the scan ends: what is in it, and what is beyond it."""
    from ThyroidSynthLib.geometry.scan_border import joined, part_in_scan, parts_beyond_scan

    surface_ras = surface.moved(placement.to_ras(surface.vertices))
    beyond = parts_beyond_scan(surface_ras, scan)
    seen = part_in_scan(surface_ras, scan)
    return seen.moved(placement.to_trachea(seen.vertices)), joined(beyond) if beyond else None


def _completionNumbers(
    model: ShapeModel, fit: Fit, progress: ProgressCallback, shouldStop: ShouldStop
) -> dict[str, float]:
    """Give the volume of the whole gland that a model takes a cut one for, and its interval; empty if none is sure."""
    from ThyroidSynthLib.generation.fit.completions import plausible_completions

    found = plausible_completions(model, fit, progress=progress, should_stop=shouldStop).intervals()
    if not found:
        return {}
    low, high = found["volume_ml"]
    return {"completed_ml": fit.thyroid.measured.volume_ml, "completed_low_ml": low, "completed_high_ml": high}


def resumeEdit(gland: PatientGland, model: ShapeModel, record: ThyroidRecord, placement: Placement) -> PatientEdit:
    """Take up an edit again from its record, as after a scene was reopened; nothing is fitted anew.

    Parameters
    ----------
    placement : Placement
        The patient's trachea frame, as it was when the thyroid was fitted.

    Raises
    ------
    InputError
        Another model is chosen, or the patient's thyroid is not the one that was fitted.
    """
    from ThyroidSynthLib.generation.edit.editing import PatientShapes

    if model.checksum != record.model:
        raise InputError(
            _("This thyroid was fitted with another shape model. Choose that model again, or fit this thyroid anew.")
        )
    code = np.array(record.fitted_code, dtype=np.float32)
    shapes = PatientShapes.of_patient(model, gland.mask, placement, code)
    edit = PatientEdit(gland, shapes, record, placement)
    found, known = edit.original.measured.as_dict(), record.original
    if not all(np.isclose(found[name], known[name], rtol=1e-3, atol=1e-3) for name in FEATURE_NAMES):
        raise InputError(_("The patient's thyroid was changed after it was fitted. Fit it anew to go on."))
    if record.targets:
        slider_values = {**record.measured, **record.targets}
        code = np.array(record.code, dtype=np.float32)
        edit.history.add(EditStep(code, slider_values, dict(record.targets), record.met, record.distance))
        edit.present()
    return edit
