"""Section "Patient": load a case; choose the CT, the segmentation and the segments of thyroid and trachea."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.geometry.frame import ALIGNMENTS
from ThyroidSynthLib.imaging.labels import THYROID, TRACHEA
from ThyroidSynthLib.slicer.panel.controls.drops import DropTarget
from ThyroidSynthLib.slicer.panel.shared.observing import SEGMENTATION_EVENTS, NodeObserver
from ThyroidSynthLib.slicer.panel.shared.readiness import enableOrExplain, patientProblem
from ThyroidSynthLib.slicer.panel.shared.section import Section
from ThyroidSynthLib.slicer.scene.display.flip import end_saved_flip
from ThyroidSynthLib.slicer.scene.display.overlay import (
    set_own_gland_in_3d,
    show_as_loaded,
    show_ct,
    show_own_gland,
)
from ThyroidSynthLib.slicer.scene.display.views import look_at
from ThyroidSynthLib.slicer.scene.hiding import forget_shown, hide_again, show_hidden
from ThyroidSynthLib.slicer.scene.lobes import join_lobes
from ThyroidSynthLib.slicer.scene.patient.patients import propose_patient, scan_of_segmentation
from ThyroidSynthLib.slicer.scene.patient.segment_choice import chosen_segment, note_choice
from ThyroidSynthLib.slicer.scene.patient.switching import show_patient
from ThyroidSynthLib.slicer.scene.terminology import thyroid_lobes
from ThyroidSynthLib.slicer.scene.thyroids.collection import visible_thyroids
from ThyroidSynthLib.slicer.scene.thyroids.edits import source_of
from ThyroidSynthLib.slicer.scene.thyroids.records import ATTRIBUTE

from .loading import CaseLoading
from .measuring import PatientMeasuring
from .totalsegmentator import TotalSegmentatorRun

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ThyroidSynthLib.model.description import ModelDescription
    from ThyroidSynthLib.slicer.scene.patient.loading import LoadedCase


class PatientSection(Section):
    """Loads a case, finds the segments of thyroid and trachea, and lets the user change them."""

    uiFile = "Patient.ui"

    def connect(self) -> None:
        """Connect the section's own widgets."""
        self._segments = NodeObserver(SEGMENTATION_EVENTS, self._onSegmentsChanged)
        self._display = NodeObserver(
            (slicer.vtkMRMLDisplayableNode.DisplayModifiedEvent,), self._onDisplayChanged, later=True
        )
        # Whether another section shows and hides the patient's thyroid for a while.
        self.isDisplayBorrowed: Callable[[], bool] = lambda: False
        # Called after the sample case was loaded, which needs no check before it is used.
        self.onSample: Callable[[], None] = lambda: None
        # Called to fit and edit the patient's own thyroid.
        self.onEdit: Callable[[], None] = lambda: None
        self._patientID = ""
        # Of the CT that was chosen last; None before the first look at a scene.
        self._ctID: str | None = None
        self._isAway = True
        self._loading = CaseLoading(self.session, self.ui, self.take, lambda: self.onSample())
        self._measuring = PatientMeasuring(self.session, self.ui)
        self._segmenting = TotalSegmentatorRun(self.session, self.ui, lambda node: self._choose(segmentation=node))
        self._drops = DropTarget(self.widget, self._onFilesDropped, self._onNodesDropped)
        self.ui.loadNoteLabel.visible = False
        self.ui.editOwnButton.connect("clicked(bool)", lambda checked: self.onEdit())
        self.ui.thyroidSelector.connect("activated(int)", self._onThyroidChosen)
        self.ui.tracheaSelector.connect("activated(int)", self._onTracheaChosen)

    @property
    def measuring(self) -> bool:
        """Whether a measurement is due or running."""
        return self._measuring.pending

    def release(self) -> None:
        """Release the scene and the parameters, and show what the module has hidden."""
        if self.session.hasParameters and not slicer.mrmlScene.IsClosing():
            self.beforeSave()
        if slicer.mrmlScene.IsClosing():
            self._patientID, self._ctID = "", None
            self._loading.forget()
        self._isAway = True
        self._segments.follow(None)
        self._display.follow(None)
        self._measuring.forget()

    def close(self) -> None:
        """Release everything."""
        self._drops.close()
        super().close()

    def refresh(self) -> None:
        """Show the parameters after they have changed."""
        self._arrive()
        self._segments.follow(self.parameters.segmentation)
        self._display.follow(self.parameters.segmentation)
        self._loading.refresh()
        self._segmenting.refresh()
        self._fill()
        enableOrExplain(self.ui.editOwnButton, patientProblem(self.session, thyroid=True))
        self._showPatient()
        self._showCT()
        self.showOwnGland()
        self._measuring.update()

    def describe(self, description: ModelDescription | None) -> None:
        """Measure in the same frame as the model's thyroids, so that features can be compared."""
        self._measuring.alignTo(description.alignment if description is not None else ALIGNMENTS[0])
        self._measuring.update()

    def thyroidsChanged(self) -> None:
        """Show the patient's own thyroid as an outline while there is another one over it."""
        forget_shown(slicer.mrmlScene)
        self.showOwnGland()

    def propose(self) -> None:
        """Choose a CT and a segmentation of the scene if none is chosen."""
        if self.parameters.ct is not None or self.parameters.segmentation is not None:
            return
        ct, segmentation = propose_patient(slicer.mrmlScene)
        self._ctID = _idOf(ct)
        with slicer.util.NodeModify(self.parameters):
            self.parameters.ct = ct
            self.parameters.segmentation = segmentation

    def take(self, loaded: LoadedCase) -> None:
        """Choose a case that was loaded, instead of the CT and segmentation of another patient."""
        with slicer.util.NodeModify(self.parameters):
            self.parameters.ct = loaded.ct
            self._choose(segmentation=loaded.segmentation)

    def showOwnGland(self) -> None:
        """Show the patient's own thyroid, as an outline if there is another one over it, or hide it."""
        segmentation = self.parameters.segmentation
        if segmentation is None or segmentation.GetAttribute(ATTRIBUTE) is not None or self.isDisplayBorrowed():
            return
        display = segmentation.GetDisplayNode()
        segment_id = self.parameters.thyroidSegmentID
        visible = self.parameters.showOwnThyroid
        if display is None or not segment_id:
            return
        if visible_thyroids(segmentation.GetScene()):
            show_own_gland(segmentation, segment_id, visible)
            return
        show_as_loaded(segmentation)
        if display.GetSegmentVisibility(segment_id) != visible:
            display.SetSegmentVisibility(segment_id, visible)

    def beforeSave(self) -> None:
        """Show what the module hides, as when it is left."""
        forget_shown(slicer.mrmlScene)
        show_hidden(slicer.mrmlScene)
        if self.parameters.segmentation is not None:
            set_own_gland_in_3d(self.parameters.segmentation, True)

    def afterSave(self) -> None:
        """Hide again what `beforeSave` has shown."""
        hide_again(slicer.mrmlScene)
        if self.parameters.segmentation is not None:
            set_own_gland_in_3d(self.parameters.segmentation, False)

    def _arrive(self) -> None:
        """Hide again what is hidden in the module, when it is entered or a scene was opened."""
        if self._isAway:
            self._isAway = False
            end_saved_flip(slicer.mrmlScene)
            self.afterSave()

    def _showPatient(self) -> None:
        """Show a patient who was chosen instead of another one, whose thyroids are hidden."""
        segmentation = self.parameters.segmentation
        if segmentation is None or segmentation.GetID() == self._patientID:
            return
        isFirst, self._patientID = not self._patientID, segmentation.GetID()
        if segmentation.GetAttribute(ATTRIBUTE) is not None:
            return
        show_patient(segmentation)
        if not isFirst:
            self._chooseScan(segmentation)
            edited = self.parameters.edited
            if edited is not None and source_of(edited) is segmentation and self.parameters.result is None:
                self.parameters.result = edited
            look_at(segmentation, self.parameters.thyroidSegmentID or self.parameters.tracheaSegmentID)
        self.session.announceThyroids()

    def _chooseScan(self, segmentation) -> None:
        """Choose the CT on which a segmentation was drawn, unless another one was chosen with it."""
        scan = scan_of_segmentation(segmentation)
        if scan is not None and _idOf(self.parameters.ct) == self._ctID:
            self.parameters.ct = scan

    def _showCT(self) -> None:
        """Show a CT that was chosen instead of another one; the views stay where they are."""
        ct = self.parameters.ct
        before, self._ctID = self._ctID, _idOf(ct)
        # What is shown when the module is opened stays.
        if ct is not None and before is not None and before != self._ctID:
            show_ct(ct, fit=False)

    def _choose(self, *, ct=None, segmentation=None) -> None:
        """Choose another CT or segmentation; None leaves the present one."""
        with slicer.util.NodeModify(self.parameters):
            if ct is not None:
                self.parameters.ct = ct
            if segmentation is not None:
                self.parameters.thyroidSegmentID = ""
                self.parameters.tracheaSegmentID = ""
                self.parameters.segmentation = segmentation
                # The next thyroid must not replace one of the previous patient.
                self.parameters.result = None

    def _onFilesDropped(self, paths: list[Path]) -> None:
        if self.session.hasParameters and not self.session.busy:
            self._loading.open(paths[0])

    def _onNodesDropped(self, nodes: list) -> None:
        """Choose nodes that were dragged here from the subject hierarchy."""
        if not self.session.hasParameters or self.session.busy:
            return
        scans = [node for node in nodes if node.IsA("vtkMRMLScalarVolumeNode")]
        segmentations = [node for node in nodes if node.IsA("vtkMRMLSegmentationNode")]
        if not (scans or segmentations):
            self.session.showStatus(_("Only a CT or a segmentation can be dropped here."))
            return
        self._choose(ct=next(iter(scans), None), segmentation=next(iter(segmentations), None))
        if scans:
            show_ct(scans[0])

    def _onDisplayChanged(self) -> None:
        """Follow the eye of the thyroid's segment in Slicer's own modules."""
        if not self.session.hasParameters or self.isDisplayBorrowed():
            return
        parameters = self.parameters
        segmentation, segment_id = parameters.segmentation, parameters.thyroidSegmentID
        if segmentation is None or segmentation.GetSegmentation().GetSegment(segment_id) is None:
            return
        display = segmentation.GetDisplayNode()
        if display is not None and bool(display.GetSegmentVisibility(segment_id)) != parameters.showOwnThyroid:
            parameters.showOwnThyroid = not parameters.showOwnThyroid

    def _onSegmentsChanged(self) -> None:
        self._measuring.segmentChanged()
        self.refresh()

    def _fill(self) -> None:
        """List the segments, and find those of thyroid and trachea if they are not chosen or were removed."""
        segmentation = self.parameters.segmentation
        names: dict[str, str] = {}
        if segmentation is not None:
            self._joinLobes(segmentation)
            content = segmentation.GetSegmentation()
            names = {each: content.GetSegment(each).GetName() for each in content.GetSegmentIDs()}
        lines = [("", _("none")), *names.items()]
        for selector, name, structure in (
            (self.ui.thyroidSelector, "thyroidSegmentID", THYROID),
            (self.ui.tracheaSelector, "tracheaSegmentID", TRACHEA),
        ):
            chosen = getattr(self.parameters, name)
            if segmentation is not None and chosen not in names:
                chosen = chosen_segment(segmentation, structure)
                setattr(self.parameters, name, chosen)
            shown = [(selector.itemData(row), selector.itemText(row)) for row in range(selector.count)]
            if shown != lines:
                selector.clear()
                for segmentID, text in lines:
                    selector.addItem(text, segmentID)
            selector.currentIndex = ["", *names].index(chosen) if chosen in names else 0
            selector.enabled = bool(names)

    def _joinLobes(self, segmentation) -> None:
        """Add a segment of the whole thyroid if there are only its lobes and none of them was chosen."""
        lobes = thyroid_lobes(segmentation)
        if not lobes or self.parameters.thyroidSegmentID in lobes:
            return
        content = segmentation.GetSegmentation()
        names = ", ".join(content.GetSegment(each).GetName() for each in lobes)
        joined = join_lobes(segmentation, lobes)
        text = _("The parts of the thyroid ({parts}) were joined as the segment '{segment}'.")
        self.session.showStatus(text.format(parts=names, segment=content.GetSegment(joined).GetName()))

    def _onThyroidChosen(self, row: int) -> None:
        note_choice(self.parameters.segmentation, THYROID, self.ui.thyroidSelector.itemData(row))
        self.parameters.thyroidSegmentID = self.ui.thyroidSelector.itemData(row)

    def _onTracheaChosen(self, row: int) -> None:
        note_choice(self.parameters.segmentation, TRACHEA, self.ui.tracheaSelector.itemData(row))
        self.parameters.tracheaSegmentID = self.ui.tracheaSelector.itemData(row)


def _idOf(node) -> str:
    return node.GetID() if node is not None else ""
