"""Loading a case: from a chosen, typed, recent or dropped path, or the sample case."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import qt
import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import Cancelled, InputError
from ThyroidSynthLib.dataset.case_sources import find_cases, synthetic_statement
from ThyroidSynthLib.imaging.nifti import is_nifti
from ThyroidSynthLib.slicer.panel.shared.choices import ClassMap
from ThyroidSynthLib.slicer.panel.shared.parameters import isSet
from ThyroidSynthLib.slicer.scene.display.overlay import bounds_of, jump_slices, look_from_front, show_ct
from ThyroidSynthLib.slicer.scene.patient.loading import load_case
from ThyroidSynthLib.slicer.scene.patient.sample_case import NAME, load_sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from ThyroidSynthLib.dataset.case_sources import CaseSource
    from ThyroidSynthLib.slicer.panel.shared.session import Session
    from ThyroidSynthLib.slicer.scene.patient.loading import LoadedCase

# Around the gland, with some of the trachea above and below.
_SURROUNDINGS_MM = 110.0


class CaseLoading:
    """Finds the cases a path holds, and loads the chosen one.

    Parameters
    ----------
    session : Session
        What the sections share.
    ui : object
        Widgets of the section "Patient" by name.
    onLoaded : callable
        Called with the `LoadedCase`.
    """

    def __init__(self, session: Session, ui, onLoaded: Callable[[LoadedCase], None]) -> None:
        self._session, self._ui, self._onLoaded = session, ui, onLoaded
        self._sources: list[CaseSource] = []
        self._searched: tuple[Path, ClassMap] | None = None
        self._unnamed: Path | None = None
        menu = qt.QMenu(ui.openButton)
        menu.objectName = "openMenu"
        for name, text, tip, chosen in (
            (
                "openFolderAction",
                _("Folder…"),
                _("A TotalSegmentator dataset, one of its cases, an output folder, or a folder with DICOM SEG"),
                self._onOpenFolder,
            ),
            (
                "openFileAction",
                _("File…"),
                _("A multi-label NIfTI (--ml), a Slicer segmentation or a DICOM SEG"),
                self._onOpenFile,
            ),
        ):
            action = menu.addAction(text)
            action.objectName, action.toolTip = name, tip
            action.connect("triggered(bool)", chosen)
        menu.toolTipsVisible = True
        ui.openButton.setMenu(menu)
        ui.loadButton.connect("clicked(bool)", self._onLoad)
        ui.sampleDataButton.connect("clicked(bool)", self._onSampleData)

    def refresh(self) -> None:
        """Show the parameters, which have changed."""
        ui, parameters = self._ui, self._session.parameters
        # Unset paths are "." in the parameters, and the line begins with the latest path of another session.
        if not isSet(parameters.source) and ui.sourcePathEdit.currentPath:
            ui.sourcePathEdit.currentPath = ""
        if self._searched != self._wanted():
            self._list([])
            self._searched = None
        several = len(self._sources) > 1
        numbers = is_nifti(parameters.source) or parameters.source == self._unnamed
        for widget in (ui.caseLabel, ui.caseSelector):
            widget.visible = several
        for widget in (ui.classMapLabel, ui.classMapSelector):
            widget.visible = numbers or parameters.classMap is not ClassMap.NAMED
        ui.loadButton.enabled = isSet(parameters.source)

    def open(self, path: str | Path) -> None:
        """Load what is at a path; where that is several cases, list them."""
        self._ui.sourcePathEdit.currentPath = str(path)
        self._onLoad()

    def _wanted(self) -> tuple[Path, ClassMap]:
        return self._session.parameters.source, self._session.parameters.classMap

    def _onOpenFolder(self, checked: bool = False) -> None:
        path = qt.QFileDialog.getExistingDirectory(
            slicer.util.mainWindow(), _("Folder with a case or cases"), self._start()
        )
        if path:
            self.open(path)

    def _onOpenFile(self, checked: bool = False) -> None:
        # Files of DICOM need not have a suffix.
        kinds = f"{_('Segmentations')} (*.nii *.nii.gz *.seg.nrrd *.dcm);;{_('All files')} (*)"
        path = qt.QFileDialog.getOpenFileName(
            slicer.util.mainWindow(), _("Multi-label file, segmentation or DICOM SEG"), self._start(), kinds
        )
        if path:
            self.open(path)

    def _start(self) -> str:
        source = self._session.parameters.source
        return str(source.parent) if isSet(source) else ""

    def _onSampleData(self, checked: bool = False) -> None:
        with self._session.work(_("Making the sample case")) as work:
            self._session.ensurePackages()
            loaded = load_sample(slicer.mrmlScene, progress=work.progress, should_stop=work.shouldStop)
            self._take(NAME, loaded, [_("synthetic: software input, not anatomy")])
            self._session.showStatus(_("The sample case is loaded."))

    def _onLoad(self, checked: bool = False) -> None:
        with self._session.work(_("Loading")) as work:
            alreadyListed = self._searched == self._wanted()
            self._search()
            if len(self._sources) > 1 and not alreadyListed:
                self._say(_("{count} cases found. Choose one and load it.").format(count=len(self._sources)))
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
            self._take(source.id, loaded, self._remarks(source, loaded))
            self._session.showStatus(_("{case} is loaded.").format(case=source.id))

    def _search(self) -> None:
        """List the cases, once for each path."""
        if self._searched == self._wanted():
            return
        path, classMap = self._wanted()
        try:
            found = find_cases(path, class_map=classMap.value)
        except InputError:
            # A folder may hold label files without names; then the user can say whose numbers they are.
            self._unnamed = path
            self.refresh()
            raise
        # Removing a line of the history, CTK announces the next one for a moment.
        with slicer.util.NodeModify(self._session.parameters):
            self._ui.sourcePathEdit.addCurrentPathToHistory()
        self._searched = path, classMap
        self._list(found)
        self.refresh()

    def _list(self, sources: list[CaseSource]) -> None:
        self._sources = sources
        self._ui.caseSelector.clear()
        self._ui.caseSelector.addItems([each.id for each in sources])

    def _remarks(self, source: CaseSource, loaded: LoadedCase) -> list[str]:
        remarks = list(loaded.notes)
        if source.files and synthetic_statement(source.files[0].parent):
            remarks.insert(0, _("synthetic: software input, not anatomy"))
        if loaded.ct is None:
            remarks.append(_("it comes without a CT; load that in Slicer and choose it below"))
        return remarks

    def _take(self, name: str, loaded: LoadedCase, remarks: list[str]) -> None:
        if not self._session.hasParameters:
            raise Cancelled(_("The scene was closed."))
        showLoaded(loaded)
        text = _("{case} is loaded.").format(case=name)
        self._say(f"{text} ({'; '.join(remarks)})" if remarks else text)
        self._onLoaded(loaded)

    def _say(self, text: str) -> None:
        self._ui.loadNoteLabel.text = text
        self._ui.loadNoteLabel.visible = bool(text)


def showLoaded(loaded: LoadedCase) -> None:
    """Show a case that was just loaded: its CT in the slice views, and the gland in all of them."""
    if loaded.ct is not None:
        show_ct(loaded.ct)
    lower, upper = bounds_of(loaded.segmentation)
    if (lower <= upper).all():
        centre = (lower + upper) / 2
        jump_slices(slicer.mrmlScene, centre)
        size = float(np.clip((upper - lower).max(), 40.0, _SURROUNDINGS_MM))
        look_from_front(slicer.mrmlScene, centre, size)
