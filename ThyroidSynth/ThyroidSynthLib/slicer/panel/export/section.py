"""Section "Export": write thyroids of the scene to files, and generate cohorts in the background."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import Cancelled, InputError
from ThyroidSynthLib.common.progress import part_of
from ThyroidSynthLib.slicer.panel.shared.choices import ExportWhat, LabelGridChoice
from ThyroidSynthLib.slicer.panel.shared.parameters import isSet, showUnsetPaths
from ThyroidSynthLib.slicer.panel.shared.readiness import enableOrExplain
from ThyroidSynthLib.slicer.panel.shared.section import Section
from ThyroidSynthLib.slicer.scene.thyroids.export import TABLE_FILE, export_thyroid, file_stem, write_table
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import generated_thyroids

from .cohort import CohortExport
from .dicom import DicomExport
from .phantoms import PhantomWindow
from .plan import UNTICKED, chosenThyroids, mergeRules, patientMap, sceneFiles, spacingOf, structureNames
from .wording import exportedText

if TYPE_CHECKING:
    from ThyroidSynthLib.model.description import ModelDescription
    from ThyroidSynthLib.slicer.scene.thyroids.export import ExportedThyroid

_MAP_SHARE = 0.4


class ExportSection(Section):
    """Exports thyroids of the scene; existing files are replaced only after asking."""

    uiFile = "Export.ui"
    windowFile = "Cohort.ui"

    def windowTitle(self) -> str:
        """Return the title of the window."""
        return _("Generate a cohort")

    def connect(self) -> None:
        """Connect the section's widgets."""
        self._written: Path | None = None
        self._filling = False
        self._cohort = CohortExport(self.session, self.ui)
        self._dicom = DicomExport(self.session, self.ui.dicomButton)
        self.phantoms = PhantomWindow(self.session, self._folder, self.widget)
        self.ui.phantomButton.connect("clicked(bool)", lambda checked: self.phantoms.window.open())
        self.ui.cohortButton.connect("clicked(bool)", lambda checked: self.window.open())
        self.ui.exportButton.connect("clicked(bool)", self._onExport)
        self.ui.showExportButton.connect("clicked(bool)", self._onShow)
        self.ui.exportList.connect("itemChanged(QListWidgetItem*)", self._onTicked)
        self.ui.mergeOldSelector.connect("activated(int)", self._onOldChosen)

    def describe(self, description: ModelDescription | None) -> None:
        """Follow the chosen shape model."""
        self._cohort.describe(description)
        self.phantoms.describe(description)

    def release(self) -> None:
        """Stop monitoring the cohort and the phantoms."""
        self._cohort.release()
        self.phantoms.release()

    def thyroidsChanged(self) -> None:
        """Update the list of thyroids."""
        self._fillThyroids()
        self._enable()
        self._dicom.refresh()

    def refresh(self) -> None:
        """Update the widgets from the parameters."""
        parameters = self.parameters
        showUnsetPaths(
            (parameters.exportFolder, self.ui.exportFolderEdit),
            (parameters.cohortFolder, self.ui.cohortFolderEdit),
            (parameters.cohortTable, self.ui.cohortTableEdit),
        )
        own = parameters.exportLabels and parameters.labelGrid is LabelGridChoice.OWN
        spacing = (self.ui.spacingRSpinBox, self.ui.spacingASpinBox, self.ui.spacingSSpinBox)
        for widget in (self.ui.exportSpacingLabel, *spacing):
            widget.visible = own
        for widget in (self.ui.exportFormatSelector, self.ui.exportGridSelector):
            widget.enabled = parameters.exportLabels or parameters.exportMerged
        self.ui.meshSpaceSelector.enabled = parameters.exportPly or parameters.exportStl or parameters.exportObj
        fromVolume = parameters.mergeLabels is not None
        self.ui.mergeThyroidLabel.visible = fromVolume
        self.ui.mergeThyroidSpinBox.visible = fromVolume
        self.ui.exportList.visible = parameters.exportWhat is ExportWhat.CHOSEN
        self._fillThyroids()
        self._fillStructures()
        self._enable()
        self._cohort.refresh()
        self.phantoms.refresh()
        self._dicom.refresh()

    def _enable(self) -> None:
        problem = "" if self._candidates() else _("There is no thyroid to export yet.")
        enableOrExplain(self.ui.exportButton, problem)
        enableOrExplain(self.ui.showExportButton, "" if self._written is not None else _("Nothing was exported yet."))
        if self._written is None:
            self.ui.exportLabel.text = problem

    def _candidates(self) -> list:
        if self.parameters.exportWhat is ExportWhat.CURRENT:
            return [self.parameters.result] if self.parameters.result is not None else []
        return generated_thyroids(slicer.mrmlScene)

    def _fillThyroids(self) -> None:
        """Update the list of the thyroids of the scene and their ticks."""
        thyroids = [(node.GetName(), node.GetID(), node) for node in generated_thyroids(slicer.mrmlScene)]
        items = [self.ui.exportList.item(row) for row in range(self.ui.exportList.count)]
        if [(item.text(), item.data(qt.Qt.UserRole)) for item in items] == [each[:2] for each in thyroids]:
            return
        self._filling = True
        self.ui.exportList.clear()
        for row, (name, nodeID, node) in enumerate(thyroids):
            self.ui.exportList.addItem(name)
            item = self.ui.exportList.item(row)
            item.setData(qt.Qt.UserRole, nodeID)
            item.setCheckState(qt.Qt.Checked if node.GetAttribute(UNTICKED) is None else qt.Qt.Unchecked)
        self._filling = False

    def _onTicked(self, item) -> None:
        node = slicer.mrmlScene.GetNodeByID(item.data(qt.Qt.UserRole))
        if not self._filling and node is not None:
            # Stored in the node, so that it is saved with the scene and removed with the thyroid.
            if item.checkState() == qt.Qt.Checked:
                node.RemoveAttribute(UNTICKED)
            else:
                node.SetAttribute(UNTICKED, "1")

    def _fillStructures(self) -> None:
        """Update the list of structures that can replace the old thyroid."""
        names = ["", *structureNames(self.parameters)]
        selector = self.ui.mergeOldSelector
        if self.parameters.mergeOld not in names:
            names.append(self.parameters.mergeOld)
        if [selector.itemData(row) for row in range(selector.count)] != names:
            selector.clear()
            for name in names:
                selector.addItem(name or _("becomes background"), name)
        selector.currentIndex = names.index(self.parameters.mergeOld)

    def _onOldChosen(self, row: int) -> None:
        self.parameters.mergeOld = self.ui.mergeOldSelector.itemData(row)

    def _onExport(self, checked: bool = False) -> None:
        parameters = self.parameters
        if not isSet(parameters.exportFolder):
            title = _("Folder for the exported thyroids")
            self.ui.exportFolderEdit.currentPath = qt.QFileDialog.getExistingDirectory(self.widget, title, "")
        if not isSet(parameters.exportFolder):
            return
        notes: list[str] = []
        with self.session.work(_("Exporting")) as work:
            folder = parameters.exportFolder
            files = sceneFiles(parameters)
            nodes = chosenThyroids(parameters)
            if parameters.exportMerged:
                patient = patientMap(parameters, part_of(work.progress, 0.0, _MAP_SHARE), work.shouldStop)
                work.check()
                if parameters.exportLabels and parameters.labelGrid is LabelGridChoice.OWN:
                    patient = patient.with_spacing(spacingOf(parameters))
                files = replace(files, patient=patient, rules=mergeRules(patient, parameters))
                notes += patient.notes
            stems: list[str] = []
            for node in nodes:
                stems.append(file_stem(node.GetName(), stems))
            planned = [path for stem in stems for path in files.paths(folder, stem)] + [folder / TABLE_FILE]
            self._askToReplace(planned)
            written: list[ExportedThyroid] = []
            start = _MAP_SHARE if parameters.exportMerged else 0.0
            for number, (node, stem) in enumerate(zip(nodes, stems, strict=True)):
                if not slicer.mrmlScene.IsNodePresent(node):
                    raise Cancelled(_("The scene was closed."))
                share = start + (1 - start) * number / len(nodes)
                work.progress(share, _("Writing {name}").format(name=stem))
                work.check()
                written.append(export_thyroid(node, stem, folder, files))
            write_table(written, folder / TABLE_FILE)
            notes += dict.fromkeys(note for each in written if each.merged for note in each.merged.notes)
            self._written = folder
            if files.ct is not None and files.ct.GetParentTransformNode() is not None:
                note = _("the CT is transformed in the scene: label maps match its file, surfaces match the scene")
                notes.append(note)
            self.ui.exportLabel.text = exportedText(written, folder, notes)
            self.session.showStatus(_("The files were written and read back."))
        if self.session.hasParameters:
            self._enable()

    def _askToReplace(self, planned: list[Path]) -> None:
        """Ask before existing files are replaced."""
        if planned[-1].parent.is_file():
            raise InputError(_("{path} is a file. Choose a folder.").format(path=planned[-1].parent))
        existing = [path.name for path in planned if path.exists()]
        if not existing:
            return
        question = _("{count} of the files already exist in {folder}: {names}. Replace them?").format(
            count=len(existing),
            folder=planned[-1].parent,
            names=", ".join(existing[:4]) + ("…" if len(existing) > 4 else ""),
        )
        if not slicer.util.confirmYesNoDisplay(question, windowTitle=_("Replace files")):
            raise Cancelled(_("Nothing was written."))

    def _onShow(self, checked: bool = False) -> None:
        if self._written is not None:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self._written)))
