"""A training case in the views: the one that is selected in the table of cases."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.imaging.labels import STRUCTURES, THYROID
from ThyroidSynthLib.slicer.scene.display.view_state import ViewState
from ThyroidSynthLib.slicer.scene.display.views import fit_views
from ThyroidSynthLib.slicer.scene.hiding import end_hiding, hide_for_now
from ThyroidSynthLib.slicer.scene.nodes import nodes_of, remove_node
from ThyroidSynthLib.slicer.scene.patient.loading import load_case
from ThyroidSynthLib.slicer.scene.terminology import find_segment
from ThyroidSynthLib.slicer.scene.volumes import CLOSED_SURFACE

if TYPE_CHECKING:
    from ThyroidSynthLib.dataset.case_sources import CaseSource
    from ThyroidSynthLib.slicer.panel.shared.session import Session
    from ThyroidSynthLib.slicer.scene.patient.loading import LoadedCase

ATTRIBUTE = "ThyroidSynth.TrainingCase"
"""Attribute of the nodes of the case that is shown; its value is the id of the case."""

_REASON = "a training case"


class CaseView:
    """Shows one case at a time, and nothing else; its nodes are neither listed nor saved.

    `clear` removes them and restores what the views showed before the first case.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._nodes: list[Any] = []
        self._before: ViewState | None = None
        self._paused: ViewState | None = None

    def show(self, source: CaseSource, *, withCT: bool) -> str:
        """Load a case and show it instead of the one before; return why it cannot be shown, empty if it is."""
        scene, problem = slicer.mrmlScene, ""
        self._remove()
        if self._before is None:
            self._before = ViewState(scene)
        # The CT of another patient behind the case would mislead.
        _showAlone(None)
        with self._session.work(_("Loading case {case}").format(case=source.id)) as work:
            given = source if withCT else replace(source, ct_path=None)
            try:
                self._take(load_case(scene, given, progress=work.progress, should_stop=work.shouldStop), source.id)
            except InputError as error:
                problem = str(error)
            self._session.showStatus("")  # What is shown is said beside the table.
        # What was loaded may have looked like a scene that is saved.
        self._paused = None
        if self._before is not None:
            self._hideOthers()
        return problem

    def _take(self, loaded: LoadedCase, caseID: str) -> None:
        segmentation = loaded.segmentation
        self._nodes = [node for node in (segmentation, loaded.ct) if node is not None]
        for node in self._nodes:
            _setApart(node, caseID)
        if self._before is None:  # It was cleared meanwhile.
            self._remove()
            return
        _keepStructures(segmentation)
        if loaded.ct is not None:
            _showAlone(loaded.ct)
        thyroid = find_segment(segmentation, THYROID)
        if thyroid:
            fit_views(segmentation, thyroid)

    def clear(self) -> None:
        """Remove the case and restore the views."""
        before, self._before, self._paused = self._before, None, None
        if before is not None and not slicer.mrmlScene.IsClosing():
            self._showAsBefore(before)
        self._remove()

    def pause(self) -> None:
        """Restore the views until `resume`, because the scene is being saved without the case."""
        if self._before is not None and self._paused is None:
            self._paused = ViewState(slicer.mrmlScene)
            self._showAsBefore(self._before)

    def resume(self) -> None:
        """Show the case again after `pause`."""
        paused, self._paused = self._paused, None
        if paused is not None:
            paused.restore()
            self._hideOthers()

    def _showAsBefore(self, before: ViewState) -> None:
        before.restore()
        for node in nodes_of(slicer.mrmlScene, "vtkMRMLSegmentationNode"):
            end_hiding(node, _REASON)

    def _hideOthers(self) -> None:
        for node in nodes_of(slicer.mrmlScene, "vtkMRMLSegmentationNode"):
            if node not in self._nodes:
                hide_for_now(node, _REASON)

    def _remove(self) -> None:
        nodes, self._nodes = self._nodes, []
        for node in nodes:
            if slicer.mrmlScene.IsNodePresent(node) and not slicer.mrmlScene.IsClosing():
                remove_node(node)


def _showAlone(ct) -> None:
    """Show a CT, or none, in the slice views, and nothing else than segmentations over it."""
    slicer.util.setSliceViewerLayers(background=ct, foreground=None, label=None, fit=ct is not None)


def _setApart(node, caseID: str) -> None:
    """Mark a node as shown for a while only."""
    node.SetAttribute(ATTRIBUTE, caseID)
    displays = [node.GetNthDisplayNode(index) for index in range(node.GetNumberOfDisplayNodes())]
    for each in (node, node.GetStorageNode(), *displays):
        if each is not None:
            each.SetSaveWithScene(False)
    node.SetHideFromEditors(True)


def _keepStructures(segmentation) -> None:
    """Remove all segments but thyroid and trachea, and show these in 3D."""
    content = segmentation.GetSegmentation()
    kept = [find_segment(segmentation, structure) for structure in STRUCTURES]
    for segmentID in content.GetSegmentIDs():
        if segmentID not in kept:
            content.RemoveSegment(segmentID)
    segmentation.CreateClosedSurfaceRepresentation()
    segmentation.GetDisplayNode().SetPreferredDisplayRepresentationName3D(CLOSED_SURFACE)
