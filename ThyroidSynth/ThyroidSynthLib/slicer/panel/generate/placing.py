"""Place the shown thyroid: move it by hand, measure its overlap with the trachea, and remove it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import Cancelled, InputError, ThyroidSynthError
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.targets import misfit
from ThyroidSynthLib.slicer.panel.controls.timers import singleShotTimer
from ThyroidSynthLib.slicer.panel.shared.observing import NodeObserver
from ThyroidSynthLib.slicer.panel.shared.readiness import enableOrExplain
from ThyroidSynthLib.slicer.panel.shared.wording import featureText, lengthText
from ThyroidSynthLib.slicer.scene.thyroids import placing
from ThyroidSynthLib.slicer.scene.thyroids.present import measure_again, thyroid_segment
from ThyroidSynthLib.slicer.scene.thyroids.records import ThyroidRecord, read_record
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment, volume_of_segment

if TYPE_CHECKING:
    from collections.abc import Callable

    from ThyroidSynthLib.geometry.surface import Surface
    from ThyroidSynthLib.slicer.panel.shared.session import Session

# Delay, so that the views are drawn first and many moves of the handles lead to one measurement.
_MEASURE_AFTER_MS = 150
# Smaller overlaps are rounding errors.
_SMALLEST_ML = 0.0005


class PlacingControls:
    """Moves the shown thyroid, and measures and removes its overlap with the trachea.

    Parameters
    ----------
    put : callable
        Called with a node, a surface in `ras_mm` and its record; shows the surface in the node, or beside it if that
        was edited by hand.
    onOverlapRemoved : callable
        Called with the record and the surface in `ras_mm` of the shown thyroid after its overlap was removed.
    """

    def __init__(
        self,
        session: Session,
        ui,
        put: Callable[[Any, Surface, ThyroidRecord], Any],
        onOverlapRemoved: Callable[[ThyroidRecord, Surface], None],
    ) -> None:
        self._session, self._ui, self._put, self._onOverlapRemoved = session, ui, put, onOverlapRemoved
        event = slicer.vtkMRMLTransformableNode.TransformModifiedEvent
        self._shown = NodeObserver((event,), self._onMoved)
        self._trachea = ("", "")
        self._overlapMl: float | None = None
        self._timer = singleShotTimer(self._measure, _MEASURE_AFTER_MS)
        ui.moveButton.connect("clicked(bool)", self._onMove)
        ui.backButton.connect("clicked(bool)", self._onBack)
        ui.removeOverlapButton.connect("clicked(bool)", self._onRemoveOverlap)

    def release(self) -> None:
        """Release the scene."""
        self._shown.follow(None)
        self._timer.stop()
        self._overlapMl = None
        self._showOverlap("")

    def refresh(self) -> None:
        """Show the position and overlap of the chosen result."""
        node = self._session.parameters.result
        node = node if node is not None and read_record(node) is not None else None
        parameters = self._session.parameters
        patient = parameters.segmentation.GetID() if parameters.segmentation is not None else ""
        trachea = (patient, parameters.tracheaSegmentID)
        if node is not self._shown.node or trachea != self._trachea:
            self._trachea = trachea
            self._shown.follow(node)
            self.changed()
        self._showPosition()

    def changed(self) -> None:
        """Measure again after the shown thyroid or the patient has changed."""
        self._overlapMl = None
        self._timer.start()
        self._showOverlap(_("measuring…") if self._shown.node is not None else "")

    def _onMoved(self) -> None:
        self._showPosition()
        self.changed()

    def _onMove(self, checked: bool = False) -> None:
        node = self._session.parameters.result
        if checked:
            placing.start_moving(node)
        else:
            placing.stop_moving(node)
        self._showPosition()

    def _onBack(self, checked: bool = False) -> None:
        placing.back_to_trachea(self._session.parameters.result)
        self._showPosition()
        self.changed()

    def _showPosition(self) -> None:
        node, ui = self._shown.node, self._ui
        distance, angle = placing.motion_of(node) if node is not None else (0.0, 0.0)
        moving = node is not None and placing.is_moving(node)
        noThyroid = "" if node is not None else _("There is no thyroid yet.")
        enableOrExplain(ui.moveButton, noThyroid)
        ui.moveButton.checked = moving
        moved = moving or distance > 0 or angle > 0
        enableOrExplain(ui.backButton, noThyroid or ("" if moved else _("The thyroid was not moved.")))
        if node is None:
            ui.positionLabel.text = ""
        elif distance == 0 and angle == 0:
            ui.positionLabel.text = _("At the trachea")
        else:
            ui.positionLabel.text = _("Moved {distance}, rotated {angle}°").format(
                distance=lengthText(distance, 1), angle=f"{angle:.0f}"
            )

    def _showOverlap(self, text: str) -> None:
        self._ui.overlapLabel.text = text
        if self._shown.node is None:
            problem = _("There is no thyroid yet.")
        elif self._overlapMl is None:
            problem = text or _("The overlap is not known.")
        else:
            problem = "" if self._overlapMl > _SMALLEST_ML else text
        enableOrExplain(self._ui.removeOverlapButton, problem)

    def _readTrachea(self):
        parameters = self._session.parameters
        if parameters.segmentation is None or not parameters.tracheaSegmentID:
            return None
        return volume_of_segment(parameters.segmentation, parameters.tracheaSegmentID)

    def _measure(self) -> None:
        node = self._shown.node
        if node is None:
            return
        if self._session.busy:
            self._timer.start()
            return
        from ThyroidSynthLib.geometry.overlap import overlap_ml

        try:
            trachea = self._readTrachea()
            if trachea is None:
                self._showOverlap(_("Choose a trachea to measure the overlap."))
                return
            surface = surface_of_segment(node, thyroid_segment(node))
            self._overlapMl = overlap_ml(surface, trachea)
        except ThyroidSynthError as error:
            self._showOverlap(str(error))
            return
        self._showOverlap(_overlapText(self._overlapMl, surface.volume / 1000, read_record(node)))

    def _onRemoveOverlap(self, checked: bool = False) -> None:
        node = self._shown.node
        with self._session.work(_("Removing the overlap")) as work:
            trachea = self._readTrachea()
            if node is None or trachea is None:
                raise InputError(_("There is no thyroid or no trachea. Generate one at a patient first."))
            from ThyroidSynthLib.generation.thyroid import Validity
            from ThyroidSynthLib.geometry.overlap import without_overlap

            surface = surface_of_segment(node, thyroid_segment(node))
            result = without_overlap(surface, trachea, progress=work.progress, should_stop=work.shouldStop)
            work.check()
            measure_again(node)
            record = read_record(node)
            if self._shown.node is not node or record is None:
                raise Cancelled(_("The thyroid was removed."))
            measured = measure_features(result.moved(record.placement.to_trachea(result.vertices)))
            valid = Validity.of(result).ok
            values = measured.as_dict()
            record = replace(record, measured=values, valid=valid, overlap_removed=True)
            if record.met is not None:
                # Targets that were met before need not be met without the overlap.
                met = all(misfit(name, values[name], target) <= 1.0 for name, target in record.targets.items())
                record = replace(record, met=met)
            self._put(node, result, record)
            removed = _volumeText((surface.volume - result.volume) / 1000)
            self._session.showStatus(_("Removed {volume} of overlap.").format(volume=removed))
            self._onOverlapRemoved(record, result)


def _overlapText(overlapMl: float, volumeMl: float, record: ThyroidRecord | None) -> str:
    if overlapMl <= _SMALLEST_ML:
        removed = record is not None and record.overlap_removed
        return _("No overlap with the trachea (removed)") if removed else _("No overlap with the trachea")
    return _("{volume} overlap with the trachea ({share} % of the thyroid)").format(
        volume=_volumeText(overlapMl), share=f"{100 * overlapMl / volumeMl:.1f}"
    )


def _volumeText(volumeMl: float) -> str:
    return featureText("volume_ml", volumeMl) if volumeMl >= 1 else f"{volumeMl:.2f} mL"
