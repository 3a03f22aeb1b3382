"""Where the shown thyroid lies: at the trachea, or where it was moved by hand; and what it shares with the trachea."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import ThyroidSynthError
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.slicer.panel.shared.wording import featureText
from ThyroidSynthLib.slicer.scene.thyroids import placing
from ThyroidSynthLib.slicer.scene.thyroids.records import ThyroidRecord, read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID, replace_surface
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment, volume_of_segment

if TYPE_CHECKING:
    from collections.abc import Callable

    from ThyroidSynthLib.slicer.panel.shared.session import Session

# After the views were drawn, and once for many moves of the handles.
_MEASURE_AFTER_MS = 150
# Less is rounding.
_SMALLEST_ML = 0.0005


class PlacingControls:
    """Moves the shown thyroid, tells how much of it lies in the trachea, and carves that away.

    Parameters
    ----------
    session : Session
    ui : object
        The section's widgets by name.
    onCarved : callable
        Called after the shown thyroid was carved.
    """

    def __init__(self, session: Session, ui, onOverlapRemoved: Callable[[], None]) -> None:
        self._session, self._ui, self._onOverlapRemoved = session, ui, onOverlapRemoved
        self._observed = None
        self._tags: list[int] = []
        self._trachea = ("", "")
        self._overlapMl: float | None = None
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_MEASURE_AFTER_MS)
        self._timer.connect("timeout()", self._measure)
        ui.moveButton.connect("clicked(bool)", self._onMove)
        ui.backButton.connect("clicked(bool)", self._onBack)
        ui.removeOverlapButton.connect("clicked(bool)", self._onRemoveOverlap)

    def release(self) -> None:
        """Let go of the scene."""
        self._observe(None)
        self._timer.stop()
        self._overlapMl = None
        # Until a thyroid has been measured there is nothing to carve.
        self._showOverlap("")

    def refresh(self) -> None:
        """Show where the chosen result lies."""
        node = self._session.parameters.result
        node = node if node is not None and read_record(node) is not None else None
        parameters = self._session.parameters
        patient = parameters.segmentation.GetID() if parameters.segmentation is not None else ""
        trachea = (patient, parameters.tracheaSegmentID)
        if node is not self._observed or trachea != self._trachea:
            self._trachea = trachea
            self._observe(node)
            self.changed()
        self._showPosition()

    def changed(self) -> None:
        """The shown thyroid, or the patient, is another: measure soon."""
        self._overlapMl = None
        self._timer.start()
        self._showOverlap(_("measuring…") if self._observed is not None else "")

    def _observe(self, node) -> None:
        for tag in self._tags:
            self._observed.RemoveObserver(tag)
        self._observed, self._tags = node, []
        if node is not None:
            event = slicer.vtkMRMLTransformableNode.TransformModifiedEvent
            self._tags = [node.AddObserver(event, self._onMoved)]

    def _onMoved(self, caller, event) -> None:
        if self._session.hasParameters:
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
        node, ui = self._observed, self._ui
        distance, turned = placing.motion_of(node) if node is not None else (0.0, 0.0)
        moving = node is not None and placing.is_moving(node)
        ui.moveButton.enabled = node is not None
        ui.moveButton.checked = moving
        ui.backButton.enabled = moving or distance > 0 or turned > 0
        if node is None:
            ui.positionLabel.text = ""
        elif distance == 0 and turned == 0:
            ui.positionLabel.text = _("At the trachea")
        else:
            ui.positionLabel.text = _("Moved {distance} mm, turned {turned}°").format(
                distance=f"{distance:.1f}", turned=f"{turned:.0f}"
            )

    def _showOverlap(self, text: str) -> None:
        self._ui.overlapLabel.text = text
        self._ui.removeOverlapButton.enabled = self._overlapMl is not None and self._overlapMl > _SMALLEST_ML

    def _readTrachea(self):
        parameters = self._session.parameters
        if parameters.segmentation is None or not parameters.tracheaSegmentID:
            return None
        return volume_of_segment(parameters.segmentation, parameters.tracheaSegmentID)

    def _measure(self) -> None:
        if not self._session.hasParameters or self._observed is None:
            return
        if self._session.busy:
            self._timer.start()
            return
        from ThyroidSynthLib.geometry.overlap import overlap_ml

        try:
            trachea = self._readTrachea()
            if trachea is None:
                self._showOverlap(_("Choose a trachea to see what lies in it."))
                return
            surface = surface_of_segment(self._observed, SEGMENT_ID)
            self._overlapMl = overlap_ml(surface, trachea)
        except ThyroidSynthError as error:
            self._showOverlap(str(error))
            return
        except ModuleNotFoundError as error:
            # Measuring is no action of the user's that could ask to install something.
            self._showOverlap(_("Overlap not measured yet (needs {package})").format(package=error.name))
            return
        self._showOverlap(_overlapText(self._overlapMl, surface.volume / 1000, read_record(self._observed)))

    def _onRemoveOverlap(self, checked: bool = False) -> None:
        node = self._observed
        with self._session.work(_("Carving")) as work:
            self._session.ensureRequirements()
            from ThyroidSynthLib.generation.thyroid import Validity
            from ThyroidSynthLib.geometry.overlap import without_overlap

            surface = surface_of_segment(node, SEGMENT_ID)
            result = without_overlap(surface, self._readTrachea(), progress=work.progress, should_stop=work.shouldStop)
            work.check()
            if not self._session.hasParameters or self._observed is not node:
                return
            record = read_record(node)
            measured = measure_features(result.moved(record.placement.to_trachea(result.vertices)))
            valid = Validity.of(result).ok
            replace_surface(
                node, result, record=replace(record, measured=measured.as_dict(), valid=valid, overlap_removed=True)
            )
            taken = surface.volume - result.volume
            self._session.showStatus(_("{volume} taken out.").format(volume=_volumeText(taken / 1000)))
            self.changed()
            self._onOverlapRemoved()


def _overlapText(overlapMl: float, volumeMl: float, record: ThyroidRecord | None) -> str:
    if overlapMl <= _SMALLEST_ML:
        if record is not None and record.overlap_removed:
            return _("Nothing in the trachea: carved")
        return _("Nothing in the trachea")
    return _("{volume} in the trachea ({share} % of the thyroid)").format(
        volume=_volumeText(overlapMl), share=f"{100 * overlapMl / volumeMl:.1f}"
    )


def _volumeText(volumeMl: float) -> str:
    return featureText("volume_ml", volumeMl) if volumeMl >= 1 else f"{volumeMl:.2f} mL"
