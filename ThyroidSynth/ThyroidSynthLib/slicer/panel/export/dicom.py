"""The current thyroid as DICOM segmentation, written by Slicer's own export dialog."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.slicer.panel.shared.readiness import enableOrExplain
from ThyroidSynthLib.slicer.scene.nodes import remove_node
from ThyroidSynthLib.slicer.scene.thyroids.dicom import add_for_dicom, ct_of, image_uids, study_item

if TYPE_CHECKING:
    from ThyroidSynthLib.slicer.panel.shared.session import Session

_SEG_PLUGIN = "DICOMSegmentationPlugin"


class DicomExport:
    """Opens Slicer's dialog *Export to DICOM* for the current thyroid."""

    def __init__(self, session: Session, button) -> None:
        self._session, self._button = session, button
        button.connect("clicked(bool)", self._onClicked)

    def refresh(self) -> None:
        """Enable the button, or state in its tooltip why the thyroid cannot be exported."""
        enableOrExplain(self._button, self._problem())

    def _problem(self) -> str:
        node = self._session.parameters.result
        if node is None:
            return _("There is no thyroid to export yet.")
        ct = ct_of(node)
        if ct is None:
            return _(
                "This thyroid has no CT. Only thyroids of a CT that was loaded from DICOM can be exported to DICOM."
            )
        if not image_uids(ct):
            return _("The CT '{ct}' was not loaded from DICOM. Load it with Slicer's module DICOM.").format(
                ct=ct.GetName()
            )
        if not study_item(ct):
            return _(
                "The CT '{ct}' is in no study of a patient. Drag it back under its study in the module Data."
            ).format(ct=ct.GetName())
        # Neither exists in a Slicer that was started without its DICOM modules.
        if _SEG_PLUGIN not in getattr(slicer.modules, "dicomPlugins", {}) or not hasattr(slicer, "dicomDatabase"):
            return _(
                "Slicer's DICOM modules are not loaded. Enable DICOM and DICOMPlugins in Edit > Application Settings > "
                "Modules, and restart Slicer."
            )
        return ""

    def _onClicked(self, checked: bool = False) -> None:
        copy = None
        try:
            with self._session.work(_("Preparing the DICOM export")):
                node = self._session.parameters.result
                self._checkImages(ct_of(node))
                copy = add_for_dicom(node)
            if copy is not None:
                hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
                dialog = slicer.qSlicerDICOMExportDialog()
                dialog.setMRMLScene(slicer.mrmlScene)
                dialog.execDialog(hierarchy.GetItemByDataNode(copy))
                self._session.showStatus("")
        finally:
            if copy is not None and slicer.mrmlScene.IsNodePresent(copy):
                remove_node(copy)

    @staticmethod
    def _checkImages(ct) -> None:
        """Raise `InputError` if images of a CT are no longer in Slicer's DICOM database, which the export reads."""
        uids = image_uids(ct)
        missing = sum(not slicer.dicomDatabase.fileForInstance(uid) for uid in uids)
        if missing:
            text = _(
                "{missing} of the {all} images of the CT '{ct}' are not in Slicer's DICOM database any more. Import "
                "them in the module DICOM, then export again."
            )
            raise InputError(text.format(missing=missing, all=len(uids), ct=ct.GetName()))
