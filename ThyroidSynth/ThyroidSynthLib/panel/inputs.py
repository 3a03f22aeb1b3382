"""Section "Patient": CT, segmentation, and which segments are the thyroid and the trachea."""

from __future__ import annotations

from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from ..anatomy.frame import ALIGNMENTS
from ..anatomy.labels import THYROID, TRACHEA
from ..errors import ThyroidSynthError
from ..scene.overlay import show_own_gland
from ..scene.records import ATTRIBUTE
from ..scene.segmentations import generated_thyroids
from ..scene.terminology import find_segment
from ..scene.volumes import features_of_segment, placement_of_patient
from .section import Section
from .wording import featuresText

if TYPE_CHECKING:
    from ..learning.description import ModelDescription
    from ..scene.loading import LoadedCase

_MEASURE_AFTER_MS = 50


class InputsSection(Section):
    """Follows the segmentation: finds its segments, shows them for the user to change, and measures."""

    uiFile = "Inputs.ui"

    def connect(self) -> None:
        """Connect the section's own widgets."""
        self._observed = None
        self._tags: list[int] = []
        self._measured: tuple | None = None
        self._alignment = ALIGNMENTS[0]
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_MEASURE_AFTER_MS)
        self._timer.connect("timeout()", self._measure)
        self.ui.thyroidSelector.connect("activated(int)", self._onThyroidChosen)
        self.ui.tracheaSelector.connect("activated(int)", self._onTracheaChosen)

    def release(self) -> None:
        """Let go of the scene and of the parameters."""
        self._observe(None)
        self._timer.stop()
        self._measured = None

    def refresh(self) -> None:
        """Show the parameters, which have changed."""
        segmentation = self.parameters.segmentation
        if segmentation is not self._observed:
            self._observe(segmentation)
        self._fill()
        self.showOwnGland()
        self._measureSoon()

    def describe(self, description: ModelDescription | None) -> None:
        """Measure in the same frame as a model's thyroids, so that the numbers can be compared."""
        self._alignment = description.alignment if description is not None else ALIGNMENTS[0]
        self._measureSoon()

    def thyroidsChanged(self) -> None:
        """Let the patient's own thyroid stand back behind a new one."""
        self.showOwnGland()

    def take(self, loaded: LoadedCase) -> None:
        """Choose what was just loaded."""
        with slicer.util.NodeModify(self.parameters):
            if loaded.ct is not None:
                self.parameters.ct = loaded.ct
            self.parameters.thyroidSegmentID = ""
            self.parameters.tracheaSegmentID = ""
            self.parameters.segmentation = loaded.segmentation
            # The next thyroid belongs to this patient; those of the one before stay as they are.
            self.parameters.result = None

    def showOwnGland(self) -> None:
        """Let the patient's own thyroid stand back behind a generated one, or hide it, as the user wishes."""
        segmentation = self.parameters.segmentation
        if segmentation is None or segmentation.GetAttribute(ATTRIBUTE) is not None:
            return
        visible = self.parameters.showOwnThyroid
        display = segmentation.GetDisplayNode()
        segment_id = self.parameters.thyroidSegmentID
        if display is None or not segment_id:
            return
        if generated_thyroids(segmentation.GetScene()):
            show_own_gland(segmentation, segment_id, visible)
        elif display.GetSegmentVisibility(segment_id) != visible:
            display.SetSegmentVisibility(segment_id, visible)

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
        if self.parameters is not None:
            self._measured = None
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

    def _chosen(self) -> tuple:
        parameters = self.parameters
        segmentation = parameters.segmentation
        node = segmentation.GetID() if segmentation is not None else ""
        return node, parameters.thyroidSegmentID, parameters.tracheaSegmentID, self._alignment

    def _measureSoon(self) -> None:
        if self._measured == self._chosen():
            return
        node, thyroid, trachea, _alignment = self._chosen()
        if not (node and thyroid and trachea):
            self._measured = self._chosen()
            self.ui.ownFeaturesLabel.text = _("Choose a thyroid and a trachea.") if node else "–"
            return
        self.ui.ownFeaturesLabel.text = _("measuring…")
        self._timer.start()

    def _measure(self) -> None:
        """Measure the patient's own thyroid; a moment later, so that lists and views are drawn first."""
        if self.parameters is None:
            return
        if self.session.busy:
            self._timer.start()
            return
        self._measured = self._chosen()
        segmentation = self.parameters.segmentation
        thyroid, trachea = self.parameters.thyroidSegmentID, self.parameters.tracheaSegmentID
        try:
            placement = placement_of_patient(segmentation, trachea, thyroid, self._alignment)
            features = features_of_segment(segmentation, thyroid, placement)
            self.ui.ownFeaturesLabel.text = featuresText(features)
        except ThyroidSynthError as error:
            self.ui.ownFeaturesLabel.text = str(error)
        except ModuleNotFoundError as error:
            # Measuring is no action of the user's that could ask to install something.
            self.ui.ownFeaturesLabel.text = _("not measured yet (needs {package})").format(package=error.name)
