"""Measure the patient: features of the thyroid, extent of the trachea, and quality control."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import Cancelled, ThyroidSynthError
from ThyroidSynthLib.dataset.quality import check_case
from ThyroidSynthLib.generation.cohort.gland_level import DEPTH_MM, ERROR_MM, estimated_level_mm
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.frame import ALIGNMENTS
from ThyroidSynthLib.slicer.panel.controls.timers import singleShotTimer
from ThyroidSynthLib.slicer.panel.shared.idle import userPauses
from ThyroidSynthLib.slicer.panel.shared.readiness import misplacedText, sameSegmentText
from ThyroidSynthLib.slicer.panel.shared.wording import featuresText, lengthText, qualityTexts
from ThyroidSynthLib.slicer.scene.patient.ct_placement import mask_lies_in
from ThyroidSynthLib.slicer.scene.patient.patients import case_of_patient, height_mm, scan_grid
from ThyroidSynthLib.slicer.scene.volumes import is_made_of_surfaces, surface_of_segment, volume_of_segment

if TYPE_CHECKING:
    from ThyroidSynthLib.dataset.quality import CheckedCase
    from ThyroidSynthLib.geometry.grid import Grid
    from ThyroidSynthLib.geometry.surface import Surface
    from ThyroidSynthLib.geometry.volume import Volume
    from ThyroidSynthLib.slicer.panel.shared.session import Session

_AFTER_MS = 50
# While a segment is drawn, many changes follow each other.
_AFTER_CHANGE_MS = 400


class PatientMeasuring:
    """Measures with a delay and in steps, so that widgets and views are drawn first and stay responsive."""

    def __init__(self, session: Session, ui) -> None:
        self._session, self._ui = session, ui
        self._alignment = ALIGNMENTS[0]
        self._measured: tuple | None = None
        self._steps: Iterator[None] | None = None
        self._delay = _AFTER_MS
        self._timer = singleShotTimer(self._onTime)

    @property
    def pending(self) -> bool:
        """Whether a measurement is due or running."""
        return self._timer.isActive()

    def alignTo(self, alignment: str) -> None:
        """Measure in the same frame as the model's thyroids, so that features can be compared."""
        self._alignment = alignment

    def forget(self) -> None:
        """Release the scene and discard what was measured."""
        self._timer.stop()
        self._measured = self._steps = None

    def segmentChanged(self) -> None:
        """Measure again when the changes have ended."""
        self.forget()
        self._delay = _AFTER_CHANGE_MS

    def update(self) -> None:
        """Measure if the patient's choices differ from those that were measured."""
        chosen = self._chosen()
        if self._measured == chosen:
            return
        self.forget()
        self._measured = chosen
        parameters, ui = self._session.parameters, self._ui
        self._warn([])
        self._noteMisplaced(None)
        # The IDs of the segments are kept without a segmentation, in case it is chosen again.
        hasSegments = parameters.segmentation is not None
        hasTrachea = hasSegments and bool(parameters.tracheaSegmentID)
        if hasTrachea and parameters.tracheaSegmentID == parameters.thyroidSegmentID:
            ui.tracheaInfoLabel.text = ui.ownFeaturesLabel.text = ""
            self._warn([sameSegmentText()])
            self._showLabels()
            return
        ui.tracheaInfoLabel.text = _("measuring…") if hasTrachea else ""
        if not (hasSegments and parameters.thyroidSegmentID):
            ui.ownFeaturesLabel.text = ""
        elif hasTrachea:
            ui.ownFeaturesLabel.text = _("measuring…")
        else:
            ui.ownFeaturesLabel.text = _("Choose a trachea, in whose frame the thyroid is measured.")
        self._showLabels()
        if hasTrachea:
            self._steps = self._measure()
            self._timer.start(self._delay)
        self._delay = _AFTER_MS

    def _chosen(self) -> tuple:
        parameters = self._session.parameters
        nodes = (parameters.segmentation, parameters.ct)
        ids = (node.GetID() if node is not None else "" for node in nodes)
        return *ids, parameters.thyroidSegmentID, parameters.tracheaSegmentID, self._alignment

    def _onTime(self) -> None:
        if self._steps is None:
            return
        if self._session.busy or not userPauses():
            # Measuring would delay a slider that is being moved.
            self._timer.start(_AFTER_MS)
            return
        steps = self._steps
        try:
            next(steps)
            self._timer.start(0)
        except StopIteration:
            # During the last step another measurement may have been started.
            self._steps = None if self._steps is steps else self._steps
        except ThyroidSynthError as error:
            self._fail(str(error))
        self._showLabels()

    def _measure(self) -> Iterator[None]:
        """Measure step by step."""
        parameters, ui = self._session.parameters, self._ui
        segmentation, ct = parameters.segmentation, parameters.ct
        thyroidID, tracheaID = parameters.thyroidSegmentID, parameters.tracheaSegmentID
        trachea = volume_of_segment(segmentation, tracheaID)
        volume = int(trachea.array.sum()) * trachea.voxel_volume_ml
        ui.tracheaInfoLabel.text = _("{height} in the scan, {volume:.1f} mL").format(
            height=lengthText(height_mm(trachea)), volume=volume
        )
        yield
        misplaced = ct is not None and not mask_lies_in(trachea, ct)
        self._noteMisplaced(ct if misplaced else None)
        yield
        thyroid = None
        if thyroidID:
            thyroid = volume_of_segment(segmentation, thyroidID)
            yield
        chosen, message = self._measured, self._session.message
        failure: Exception | None = None
        with self._session.work(_("Measuring the patient"), blocking=False) as work:
            try:
                for fraction in self._checkAndMeasure(segmentation, thyroidID, trachea, thyroid):
                    work.progress(fraction, _("Measuring the patient"))
                    if self._measured is not chosen:
                        break
                    work.check()
                self._session.showStatus(message)
            except Cancelled:
                self._fail(_("not measured"))
                raise
            except ThyroidSynthError as error:
                failure = error
        if failure is not None:
            raise failure

    def _checkAndMeasure(
        self, segmentation, thyroidID: str, trachea: Volume, thyroid: Volume | None
    ) -> Iterator[float]:
        """Run quality control and measure the thyroid; yield the fraction done where this may be cancelled."""
        misplaced, ct = self._session.misplacedCT, self._session.parameters.ct
        ct = ct if ct is not misplaced else None
        yield 0.1
        case = case_of_patient(segmentation.GetName(), thyroid, trachea, segmentation=segmentation, ct=ct)
        checked = check_case(case)
        texts = [] if misplaced is None else [misplacedText(misplaced.GetName())]
        texts += qualityTexts(checked, thyroid=bool(thyroidID))
        if thyroid is None:
            upright = self._alignment == "upright" and not checked.cleaned.trachea_mask.is_empty
            self._warn([*texts, *([_levelText(checked, scan_grid(segmentation, ct))] if upright else [])])
            return
        self._warn(texts)
        yield 0.6
        placement = checked.cleaned.placement(self._alignment)
        surface = _surface(segmentation, thyroidID, checked)
        yield 0.9
        features = measure_features(surface.moved(placement.to_trachea(surface.vertices)))
        self._ui.ownFeaturesLabel.text = featuresText(features)

    def _noteMisplaced(self, ct) -> None:
        """Note the CT if the segmentation is not inside it; the other sections follow."""
        if ct is not self._session.misplacedCT:
            self._session.misplacedCT = ct
            self._session.announceThyroids()

    def _fail(self, text: str) -> None:
        self._steps = None
        for label in (self._ui.ownFeaturesLabel, self._ui.tracheaInfoLabel):
            if label.text == _("measuring…"):
                label.text = text
                text = ""

    def _warn(self, texts: list[str]) -> None:
        self._ui.qualityLabel.text = "\n".join(f"⚠ {text}" for text in texts)

    def _showLabels(self) -> None:
        for label in (self._ui.ownFeaturesLabel, self._ui.tracheaInfoLabel, self._ui.qualityLabel):
            label.visible = bool(label.text)


def _levelText(checked: CheckedCase, scan: Grid | None) -> str:
    """Return where thyroids are placed in a patient without a thyroid, with a model that needs its level."""
    if scan is None or estimated_level_mm(checked.cleaned.trachea, scan) is None:
        return _(
            "There is no thyroid, and its level cannot be estimated because the upper end of the trachea is not in the "
            "scan. Segment the thyroid roughly, or choose a model that is centred on the trachea."
        )
    return _(
        "There is no thyroid: new ones are placed at an estimated level, {depth} below the upper end of the "
        "trachea. It may be off by {error} or more. Move them where needed, or segment the thyroid roughly."
    ).format(depth=lengthText(DEPTH_MM, 1), error=lengthText(ERROR_MM))


def _surface(segmentation, segment_id: str, checked: CheckedCase) -> Surface:
    """Return a segment's surface without islands: that of quality control, unless it filled cavities."""
    found = checked.measurements
    as_stored = is_made_of_surfaces(segmentation) or found.hole_voxels
    if checked.surface_ras is not None and (found.islands_removed or not as_stored):
        return checked.surface_ras
    return surface_of_segment(segmentation, segment_id)
