"""An edit of a patient's thyroid: the fit in memory, and the history of its steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, part_of
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.targets import Targets, misfit
from ThyroidSynthLib.slicer.panel.shared.history import History
from ThyroidSynthLib.slicer.scene.thyroids.records import EDITED, ThyroidRecord

if TYPE_CHECKING:
    from ThyroidSynthLib.generation.edit.editing import PatientShapes
    from ThyroidSynthLib.generation.fit.fitting import Fit
    from ThyroidSynthLib.generation.steer.contact import Contact
    from ThyroidSynthLib.generation.steer.steering import SteeringResult
    from ThyroidSynthLib.generation.thyroid import Thyroid
    from ThyroidSynthLib.geometry.grid import Grid
    from ThyroidSynthLib.geometry.surface import Surface
    from ThyroidSynthLib.model.trained_model import TrainedModel
    from ThyroidSynthLib.slicer.scene.thyroids.edits import PatientGland

# Points per surface for the distances of a fit: the mean is then accurate to 0.01 mm.
_COMPARED_POINTS = 4000


@dataclass(frozen=True)
class EditStep:
    """One step of an edit, from which its surface can be computed again.

    Attributes
    ----------
    code : ndarray of float32, shape (code_size,)
        Latent code.
    slider_values : dict of str to float
        What each slider shows and a held feature keeps, see `sliderValues`.
    targets : dict of str to float
        Empty for the patient's own gland.
    distance : float or None
        Distance of the code from the training codes' mean, in SDs per dimension.
    """

    code: np.ndarray
    slider_values: dict[str, float]
    targets: dict[str, float]
    met: bool | None = None
    distance: float | None = None


class PatientEdit:
    """The edit of a patient's thyroid.

    Parameters
    ----------
    shapes : PatientShapes
        The gland and its edits by latent code.
    template : ThyroidRecord
        Record of the fit, whose model, fitted code, quality and source hold for every step.
    placement : Placement
        The patient's trachea frame.
    completed : Surface, optional
        The model's estimate of the part beyond the scan's border, in `ras_mm`.
    contact : Contact, optional
        With the patient's trachea, into which the thyroid does not grow.

    Attributes
    ----------
    original : Thyroid
        The patient's own thyroid.
    history : History of EditStep
        Begins with the patient's own thyroid.
    """

    def __init__(
        self,
        gland: PatientGland,
        shapes: PatientShapes,
        template: ThyroidRecord,
        placement: Placement,
        completed: Surface | None = None,
        contact: Contact | None = None,
    ) -> None:
        from ThyroidSynthLib.generation.steer.live_steering import LiveSteering

        self.gland = gland
        self.original = shapes.thyroid(shapes.fitted_code)
        self.placement = placement
        self.completed = completed
        self._shapes = shapes
        self._template = template
        self._live = LiveSteering(shapes, self.original, contact)
        features = self.original.measured.as_dict()
        self.history = History(EditStep(self.original.code, features, {}, distance=template.quality.get("distance")))

    def follow(self, targets: Mapping[str, float]) -> Thyroid:
        """Return a quick approximation of a thyroid with given targets."""
        return self._live.follow(Targets.of(targets))

    def settle(
        self, targets: Mapping[str, float], *, progress: ProgressCallback, should_stop: ShouldStop
    ) -> SteeringResult:
        """Return a thyroid whose measured features match given targets, as closely as this gland allows."""
        return self._live.settle(Targets.of(targets), progress=progress, should_stop=should_stop)

    def add(self, result: SteeringResult) -> None:
        """Add a result of `settle` to the history."""
        targets = result.targets.as_dict()
        slider_values = sliderValues(result.thyroid.measured.as_dict(), targets)
        self.history.add(EditStep(result.thyroid.code, slider_values, targets, result.met, result.distance))

    def currentThyroid(self) -> Thyroid:
        """Return the thyroid of the current step, from which the next edit starts."""
        step = self.history.current
        thyroid = self.original if step is self.history.first else self._shapes.thyroid(step.code)
        self._live.go_on_from(thyroid)
        return thyroid

    def recordOf(self, thyroid: Thyroid, placement: Placement) -> ThyroidRecord:
        """Return the record of the current step, whose thyroid is given, at a placement."""
        template, step = self._template, self.history.current
        return replace(
            ThyroidRecord.of(thyroid, placement, targets=step.targets, model=template.model),
            met=step.met,
            distance=None if step is self.history.first else step.distance,
            kind=EDITED,
            fitted_code=template.fitted_code,
            quality=template.quality,
            original=template.original,
            source_segment=template.source_segment,
        )


def sliderValues(measured: Mapping[str, float], targets: Mapping[str, float]) -> dict[str, float]:
    """Return the value of each feature that a slider shows and that is held from now on.

    It is the measured one, or the target if that is met: small deviations would add up from step to step.
    """
    met = {name: target for name, target in targets.items() if misfit(name, measured[name], target) <= 1.0}
    return {**measured, **met}


def fitPatient(
    gland: PatientGland,
    segment_id: str,
    model: TrainedModel,
    placement: Placement,
    *,
    scan: Grid | None,
    contactAt: Callable[[Placement, TrainedModel], Contact | None],
    progress: ProgressCallback,
    shouldStop: ShouldStop,
) -> PatientEdit:
    """Fit a model to a patient's thyroid and measure the quality of the fit.

    Parameters
    ----------
    placement : Placement
        The patient's trachea frame, in the model's alignment.
    scan : Grid or None
        Extent of the scan, if it is known.
    contactAt : callable
        Returns the contact with the trachea, given the trachea frame and the model.
    """
    from ThyroidSynthLib.evaluation.metrics.surface_distances import compare_surfaces
    from ThyroidSynthLib.generation.edit.editing import fit_patient

    found = fit_patient(
        model, gland.mask, placement, scan=scan, progress=part_of(progress, 0.0, 0.8), should_stop=shouldStop
    )
    progress(0.8, _("Measuring the quality of the fit"))
    alone = found.model_alone.surface
    completed, completion = None, {}
    if found.fit.cut and scan is not None:
        alone, completed = _splitAtBorder(alone, found.placement, scan)
        completion = _completionNumbers(model, found.fit, part_of(progress, 0.8, 1.0), shouldStop)
    compared = compare_surfaces(found.original.surface, alone, points=_COMPARED_POINTS)
    record = replace(
        ThyroidRecord.of(found.original, found.placement, targets={}, model=model.checksum),
        kind=EDITED,
        fitted_code=tuple(float(value) for value in found.fit.thyroid.code),
        quality={
            # An open surface has no Dice coefficient.
            "dice": compared.dice or 0.0,
            "assd_mm": compared.assd_mm,
            "hd95_mm": compared.hd95_mm,
            "distance": found.fit.distance,
            "inside_share": found.fit.inside_share,
            "out_of_distribution": found.fit.out_of_distribution,
            "cut_by_scan": float(found.fit.cut),
            **completion,
        },
        original=found.original.measured.as_dict(),
        source_segment=segment_id,
    )
    contact = contactAt(found.placement, model)
    return PatientEdit(gland, found.shapes, record, found.placement, completed, contact)


def _splitAtBorder(surface: Surface, placement: Placement, scan: Grid) -> tuple[Surface, Surface | None]:
    """Return the part of a gland inside the scan, in `trachea_mm`, and the part beyond it, in `ras_mm`."""
    from ThyroidSynthLib.geometry.scan_border import part_in_scan, parts_beyond_scan
    from ThyroidSynthLib.geometry.surface import Surface

    surface_ras = surface.moved(placement.to_ras(surface.vertices))
    beyond = parts_beyond_scan(surface_ras, scan)
    seen = part_in_scan(surface_ras, scan)
    return seen.moved(placement.to_trachea(seen.vertices)), Surface.joined(beyond) if beyond else None


def _completionNumbers(
    model: TrainedModel, fit: Fit, progress: ProgressCallback, shouldStop: ShouldStop
) -> dict[str, float]:
    """Return the estimated volume of the whole gland and its interval; empty if the estimate is too uncertain."""
    from ThyroidSynthLib.generation.fit.completions import plausible_completions

    found = plausible_completions(model, fit, progress=progress, should_stop=shouldStop).intervals()
    if not found:
        return {}
    low, high = found["volume_ml"]
    return {"completed_ml": fit.thyroid.measured.volume_ml, "completed_low_ml": low, "completed_high_ml": high}


def resumeEdit(
    gland: PatientGland,
    model: TrainedModel,
    record: ThyroidRecord,
    placement: Placement,
    contactAt: Callable[[Placement, TrainedModel], Contact | None],
) -> PatientEdit:
    """Resume an edit from its record, as after reopening a scene, without another fit.

    Parameters
    ----------
    placement : Placement
        The patient's trachea frame at the time of the fit.
    contactAt : callable
        As for `fitPatient`.

    Raises
    ------
    InputError
        Another model is chosen, or the patient's thyroid is not the one that was fitted.
    """
    from ThyroidSynthLib.generation.edit.editing import PatientShapes

    if model.checksum != record.model:
        raise InputError(
            _("This thyroid was fitted with another shape model. Choose that model, or fit the thyroid again.")
        )
    code = np.array(record.fitted_code, dtype=np.float32)
    shapes = PatientShapes.of_patient(model, gland.mask, placement, code)
    edit = PatientEdit(gland, shapes, record, placement, contact=contactAt(placement, model))
    found, known = edit.original.measured.as_dict(), record.original
    if not all(np.isclose(found[name], known[name], rtol=1e-3, atol=1e-3) for name in FEATURE_NAMES):
        raise InputError(_("The patient's thyroid was changed after it was fitted. Fit it again to continue."))
    if record.targets:
        slider_values = sliderValues(record.measured, record.targets)
        code = np.array(record.code, dtype=np.float32)
        edit.history.add(EditStep(code, slider_values, dict(record.targets), record.met, record.distance))
        edit.currentThyroid()
    return edit
