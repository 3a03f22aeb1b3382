"""Load a case from a path that is chosen, typed, recent or dropped, or the sample case."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.dataset.case_sources import find_cases, synthetic_statement
from ThyroidSynthLib.imaging.labels import THYROID, TRACHEA
from ThyroidSynthLib.imaging.nifti import is_nifti
from ThyroidSynthLib.imaging.segmentations.class_maps import class_map_labels
from ThyroidSynthLib.slicer.panel.shared.choices import ClassMap
from ThyroidSynthLib.slicer.panel.shared.parameters import isSet
from ThyroidSynthLib.slicer.panel.shared.readiness import enableOrExplain
from ThyroidSynthLib.slicer.scene.display.overlay import show_ct
from ThyroidSynthLib.slicer.scene.display.views import fit_views
from ThyroidSynthLib.slicer.scene.patient.loading import load_case
from ThyroidSynthLib.slicer.scene.patient.sample_case import NAME, load_sample
from ThyroidSynthLib.slicer.scene.terminology import find_segment

from .label_choice import LabelChoice

if TYPE_CHECKING:
    from collections.abc import Callable

    from ThyroidSynthLib.dataset.case_sources import CaseSource
    from ThyroidSynthLib.slicer.panel.shared.session import Session
    from ThyroidSynthLib.slicer.scene.patient.loading import LoadedCase


class CaseLoading:
    """Finds the cases at a path and loads the chosen one, using widgets of the section "Patient"."""

    def __init__(
        self, session: Session, ui, onLoaded: Callable[[LoadedCase], None], onSample: Callable[[], None]
    ) -> None:
        self._session, self._ui, self._onLoaded, self._onSample = session, ui, onLoaded, onSample
        self._sources: list[CaseSource] = []
        self._searched: tuple[Path, dict[int, str] | None] | None = None
        self._unnamed: Path | None = None
        self._labelChoice = LabelChoice(ui.labelTable)
        menu = qt.QMenu(ui.openButton)
        menu.objectName = "openMenu"
        folderTip = _("Load a folder with one or more cases: masks, label maps, Slicer segmentations or DICOM")
        fileTip = _("Load a label map, a Slicer segmentation, a DICOM SEG or an RTSTRUCT")
        for name, text, tip, slot in (
            ("openFolderAction", _("Folder…"), folderTip, self._onOpenFolder),
            ("openFileAction", _("File…"), fileTip, self._onOpenFile),
        ):
            action = menu.addAction(text)
            action.objectName, action.toolTip = name, tip
            action.connect("triggered(bool)", slot)
        menu.toolTipsVisible = True
        ui.openButton.setMenu(menu)
        ui.loadButton.connect("clicked(bool)", self._onLoad)
        ui.sampleDataButton.connect("clicked(bool)", self._onSampleData)

    def refresh(self) -> None:
        """Show the parameters after they have changed."""
        ui, parameters = self._ui, self._session.parameters
        # An unset path is "." in the parameters, while the widget starts with the last path of another session.
        if not isSet(parameters.source) and ui.sourcePathEdit.currentPath:
            ui.sourcePathEdit.currentPath = ""
        self._labelChoice.showFor(parameters.source)
        if self._searched != self._source():
            self._list([])
            self._searched = None
        for widget in (ui.caseLabel, ui.caseSelector):
            widget.visible = len(self._sources) > 1
        mayHaveNumbers = is_nifti(parameters.source) or parameters.source == self._unnamed
        for widget in (ui.classMapLabel, ui.classMapSelector):
            widget.visible = mayHaveNumbers or parameters.classMap is not ClassMap.NAMED
        enableOrExplain(ui.loadButton, "" if isSet(parameters.source) else _("Choose a folder or a file first."))

    def forget(self) -> None:
        """Forget what was said of a case whose scene is closed."""
        self._showNote("")

    def open(self, path: str | Path) -> None:
        """Load the case at a path; several cases are listed for the user to choose."""
        self._ui.sourcePathEdit.currentPath = str(path)
        self._onLoad()

    def _source(self) -> tuple[Path, dict[int, str] | None]:
        """Return the path, and the names of the labels of files without names that the user chose."""
        classMap = self._session.parameters.classMap.value
        labels = self._labelChoice.labels or (class_map_labels(classMap) if classMap else None)
        return self._session.parameters.source, labels

    def _onOpenFolder(self, checked: bool = False) -> None:
        path = qt.QFileDialog.getExistingDirectory(
            slicer.util.mainWindow(), _("Folder with a case or cases"), self._start()
        )
        if path:
            self.open(path)

    def _onOpenFile(self, checked: bool = False) -> None:
        # DICOM files may have no suffix.
        kinds = f"{_('Segmentations')} (*.nii *.nii.gz *.nrrd *.mha *.mhd *.dcm);;{_('All files')} (*)"
        path = qt.QFileDialog.getOpenFileName(
            slicer.util.mainWindow(), _("Label map, segmentation or DICOM file"), self._start(), kinds
        )
        if path:
            self.open(path)

    def _start(self) -> str:
        source = self._session.parameters.source
        return str(source.parent) if isSet(source) else ""

    def _onSampleData(self, checked: bool = False) -> None:
        with self._session.work(_("Creating the sample case")) as work:
            loaded = load_sample(slicer.mrmlScene, progress=work.progress, should_stop=work.shouldStop)
            self._finish(NAME, loaded, [_syntheticText()])
            self._session.showStatus(_("The sample case is loaded."))
            self._onSample()

    def _onLoad(self, checked: bool = False) -> None:
        with self._session.work(_("Loading")) as work:
            wasListed = self._searched == self._source()
            path, labels = self._source()
            try:
                self._search()
            except InputError:
                unnamed = self._labelChoice.offer(path) if labels is None else ""
                if not unnamed:
                    raise
                self._showNote(_("{file} has no label names. Choose the thyroid and the trachea.").format(file=unnamed))
                self._session.showStatus(_("Choose the labels of thyroid and trachea, and load again."))
                return
            if len(self._sources) > 1 and not wasListed:
                self._showNote(_("{count} cases found. Choose one and load it.").format(count=len(self._sources)))
                self._session.showStatus(_("Choose one of the cases and load it."))
                return
            source = self._sources[max(self._ui.caseSelector.currentIndex, 0)]
            loaded = load_case(
                slicer.mrmlScene,
                source,
                ct=self._session.parameters.ct if source.ct_path is None else None,
                progress=work.progress,
                should_stop=work.shouldStop,
            )
            self._finish(source.id, loaded, self._remarks(source, loaded))
            self._session.showStatus(_("{case} is loaded.").format(case=source.id))

    def _search(self) -> None:
        """List the cases at the path, unless they are listed already."""
        path, labels = self._source()
        if self._searched == (path, labels):
            return
        try:
            found = find_cases(path, labels=labels)
        except InputError:
            # A folder may hold label files without names, for which the user must choose the task.
            self._unnamed = path
            self.refresh()
            raise
        # While CTK removes an entry of the history, it sets the next one for a moment.
        with slicer.util.NodeModify(self._session.parameters):
            self._ui.sourcePathEdit.addCurrentPathToHistory()
        self._searched = path, labels
        self._list(found)
        self.refresh()

    def _list(self, sources: list[CaseSource]) -> None:
        self._sources = sources
        self._ui.caseSelector.clear()
        self._ui.caseSelector.addItems([each.id for each in sources])

    def _remarks(self, source: CaseSource, loaded: LoadedCase) -> list[str]:
        remarks = list(loaded.notes)
        if source.files and synthetic_statement(source.files[0].parent):
            remarks.insert(0, _syntheticText())
        if loaded.ct is None:
            remarks.append(_("the case has no CT; load one in Slicer and choose it below"))
        return remarks

    def _finish(self, name: str, loaded: LoadedCase, remarks: list[str]) -> None:
        self._onLoaded(loaded)
        showLoaded(loaded)
        text = _("{case} is loaded.").format(case=name)
        self._showNote(f"{text} ({'; '.join(remarks)})" if remarks else text)

    def _showNote(self, text: str) -> None:
        self._ui.loadNoteLabel.text = text
        self._ui.loadNoteLabel.visible = bool(text)


def showLoaded(loaded: LoadedCase) -> None:
    """Show a loaded case: its CT in the slice views, and all views on the gland, or on the trachea without one."""
    if loaded.ct is not None:
        show_ct(loaded.ct)
    segmentID = find_segment(loaded.segmentation, THYROID) or find_segment(loaded.segmentation, TRACHEA)
    fit_views(loaded.segmentation, segmentID)


def _syntheticText() -> str:
    return _("synthetic: software input, not anatomy")
