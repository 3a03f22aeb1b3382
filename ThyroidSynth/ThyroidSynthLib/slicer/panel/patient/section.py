"""Section "Patient": a case to load, the CT and segmentation, and which segments are thyroid and trachea."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.geometry.frame import ALIGNMENTS
from ThyroidSynthLib.imaging.labels import THYROID, TRACHEA
from ThyroidSynthLib.slicer.panel.shared.drops import DropTarget
from ThyroidSynthLib.slicer.panel.shared.section import Section
from ThyroidSynthLib.slicer.scene.display.overlay import show_ct, show_own_gland
from ThyroidSynthLib.slicer.scene.patient.patients import propose_patient
from ThyroidSynthLib.slicer.scene.terminology import find_segment
from ThyroidSynthLib.slicer.scene.thyroids.records import ATTRIBUTE
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import generated_thyroids

from .loading import CaseLoading
from .measuring import PatientMeasuring
from .totalsegmentator import TotalSegmentatorRun

if TYPE_CHECKING:
    from pathlib import Path

    from ThyroidSynthLib.model.description import ModelDescription
    from ThyroidSynthLib.slicer.scene.patient.loading import LoadedCase


class PatientSection(Section):
    """Loads a case and follows the segmentation: finds its segments, shows them for the user to change."""

    uiFile = "Patient.ui"

    def connect(self) -> None:
        """Connect the section's own widgets."""
        self._observed = None
        self._tags: list[int] = []
        self._loading = CaseLoading(self.session, self.ui, self.take)
        self._measuring = PatientMeasuring(self.session, self.ui)
        self._segmenting = TotalSegmentatorRun(self.session, self.ui, self._onSegmented)
        self._drops = DropTarget(self.ui.patientCollapsible, self._onFilesDropped, self._onNodesDropped)
        self.ui.loadNoteLabel.visible = False
        self.ui.thyroidSelector.connect("activated(int)", self._onThyroidChosen)
        self.ui.tracheaSelector.connect("activated(int)", self._onTracheaChosen)

    def release(self) -> None:
        """Let go of the scene and of the parameters."""
        self._observe(None)
        self._measuring.forget()

    def close(self) -> None:
        """Let go of everything."""
        self._drops.close()
        super().close()

    def refresh(self) -> None:
        """Show the parameters, which have changed."""
        segmentation = self.parameters.segmentation
        if segmentation is not self._observed:
            self._observe(segmentation)
        self._loading.refresh()
        self._segmenting.refresh()
        self._fill()
        self.showOwnGland()
        self._measuring.update()

    def describe(self, description: ModelDescription | None) -> None:
        """Measure in the same frame as a model's thyroids, so that the numbers can be compared."""
        self._measuring.alignTo(description.alignment if description is not None else ALIGNMENTS[0])
        if self.session.hasParameters:
            self._measuring.update()

    def thyroidsChanged(self) -> None:
        """Let the patient's own thyroid stand back behind a new one."""
        self.showOwnGland()

    def propose(self) -> None:
        """Choose what the scene holds already, as long as nothing is chosen."""
        if self.parameters.ct is not None or self.parameters.segmentation is not None:
            return
        ct, segmentation = propose_patient(slicer.mrmlScene)
        with slicer.util.NodeModify(self.parameters):
            self.parameters.ct = ct
            self.parameters.segmentation = segmentation

    def take(self, loaded: LoadedCase) -> None:
        """Choose what was just loaded; the CT of another patient is let go."""
        with slicer.util.NodeModify(self.parameters):
            self.parameters.ct = loaded.ct
            self._choose(None, loaded.segmentation)

    def showOwnGland(self) -> None:
        """Let the patient's own thyroid stand back behind a generated one, or hide it, as the user wishes."""
        segmentation = self.parameters.segmentation
        if segmentation is None or segmentation.GetAttribute(ATTRIBUTE) is not None:
            return
        display = segmentation.GetDisplayNode()
        segment_id = self.parameters.thyroidSegmentID
        visible = self.parameters.showOwnThyroid
        if display is None or not segment_id:
            return
        if generated_thyroids(segmentation.GetScene()):
            show_own_gland(segmentation, segment_id, visible)
        elif display.GetSegmentVisibility(segment_id) != visible:
            display.SetSegmentVisibility(segment_id, visible)

    def _choose(self, ct, segmentation) -> None:
        """Choose another patient; None leaves what is chosen."""
        with slicer.util.NodeModify(self.parameters):
            if ct is not None:
                self.parameters.ct = ct
            if segmentation is not None:
                self.parameters.thyroidSegmentID = ""
                self.parameters.tracheaSegmentID = ""
                self.parameters.segmentation = segmentation
                # The next thyroid belongs to this patient; those of the one before stay as they are.
                self.parameters.result = None

    def _onSegmented(self, segmentation) -> None:
        self._choose(None, segmentation)

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
            self.session.showStatus(_("Drop a CT or a segmentation here."))
            return
        self._choose(next(iter(scans), None), next(iter(segmentations), None))
        if scans:
            show_ct(scans[0])

    def _observe(self, segmentation) -> None:
        for tag in self._tags:
            self._observed.RemoveObserver(tag)
        self._tags, self._observed = [], segmentation
        if segmentation is not None:
            events = slicer.vtkSegmentation
            self._tags = [
                segmentation.AddObserver(event, self._onSegmentsChanged)
                for event in (
                    events.SegmentAdded,
                    events.SegmentRemoved,
                    events.SegmentModified,
                    events.SourceRepresentationModified,
                    slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
                )
            ]

    def _onSegmentsChanged(self, caller, event) -> None:
        if self.session.hasParameters:
            self._measuring.segmentChanged()
            self.refresh()

    def _fill(self) -> None:
        """List the segments, and choose by terminology what is not chosen or gone."""
        segmentation = self.parameters.segmentation
        content = segmentation.GetSegmentation() if segmentation is not None else None
        ids = list(content.GetSegmentIDs()) if content is not None else []
        for selector, name, structure in (
            (self.ui.thyroidSelector, "thyroidSegmentID", THYROID),
            (self.ui.tracheaSelector, "tracheaSegmentID", TRACHEA),
        ):
            chosen = getattr(self.parameters, name)
            if content is not None and chosen not in ids:
                chosen = find_segment(segmentation, structure)
                setattr(self.parameters, name, chosen)
            wanted = [("", _("none")), *((i, content.GetSegment(i).GetName()) for i in ids)]
            shown = [(selector.itemData(row), selector.itemText(row)) for row in range(selector.count)]
            if shown != wanted:
                selector.clear()
                for segment_id, text in wanted:
                    selector.addItem(text, segment_id)
            selector.currentIndex = ["", *ids].index(chosen) if chosen in ids else 0
            selector.enabled = bool(ids)

    def _onThyroidChosen(self, row: int) -> None:
        self.parameters.thyroidSegmentID = self.ui.thyroidSelector.itemData(row)

    def _onTracheaChosen(self, row: int) -> None:
        self.parameters.tracheaSegmentID = self.ui.tracheaSelector.itemData(row)
