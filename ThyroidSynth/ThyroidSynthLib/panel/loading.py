"""Section "Load a case": TotalSegmentator and Slicer files into the scene."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import qt
import slicer
from slicer.i18n import tr as _

from ..anatomy.case_sources import find_cases
from ..errors import Cancelled
from ..scene.loading import load_case
from ..scene.overlay import bounds_of, jump_slices, look_from_front, show_ct
from .parameters import isSet
from .section import Section

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..anatomy.case_sources import CaseSource
    from ..scene.loading import LoadedCase

# Around the gland, with some of the trachea above and below.
_SURROUNDINGS_MM = 110.0


class LoadSection(Section):
    """Finds the cases a path holds, and loads the chosen one.

    Attributes
    ----------
    onLoaded : callable
        Called with the `LoadedCase`.
    """

    uiFile = "Load.ui"

    def connect(self) -> None:
        """Connect the section's own widgets."""
        self.onLoaded: Callable[[LoadedCase], None] = lambda loaded: None
        self._sources: list[CaseSource] = []
        self._searched: tuple[Path, object] | None = None
        self.ui.browseFolderButton.connect("clicked(bool)", self._onBrowseFolder)
        self.ui.browseFileButton.connect("clicked(bool)", self._onBrowseFile)
        self.ui.loadButton.connect("clicked(bool)", self._onLoad)

    def refresh(self) -> None:
        """Show the parameters, which have changed."""
        if not isSet(self.parameters.source) and self.ui.sourcePathEdit.currentPath == ".":
            self.ui.sourcePathEdit.currentPath = ""
        if self._searched != self._wanted():
            self._sources, self._searched = [], None
            self.ui.caseSelector.clear()
        self.ui.caseSelector.enabled = len(self._sources) > 1
        self.ui.loadButton.enabled = isSet(self.parameters.source)

    def _wanted(self) -> tuple[Path, object]:
        return self.parameters.source, self.parameters.classMap

    def _onBrowseFolder(self, checked: bool = False) -> None:
        self._choose(qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), _("Folder with a case or cases")))

    def _onBrowseFile(self, checked: bool = False) -> None:
        kinds = _("Segmentations") + " (*.nii *.nii.gz *.seg.nrrd)"
        self._choose(
            qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), _("Multi-label file or segmentation"), "", kinds)
        )

    def _choose(self, path: str) -> None:
        if path:
            self.ui.sourcePathEdit.currentPath = path
            with self.session.errorsShown():
                self._search()

    def _search(self) -> None:
        """List the cases, once for each path."""
        if self._searched == self._wanted():
            return
        source, classMap = self._wanted()
        self._sources = find_cases(source, class_map=classMap.value)
        self._searched = (source, classMap)
        self.ui.caseSelector.clear()
        self.ui.caseSelector.addItems([each.id for each in self._sources])
        self.ui.caseSelector.enabled = len(self._sources) > 1
        if len(self._sources) > 1:
            self.ui.loadNoteLabel.text = _("{count} cases found. Choose one and load it.").format(
                count=len(self._sources)
            )

    def _onLoad(self, checked: bool = False) -> None:
        with self.session.work(_("Loading")) as work:
            alreadyListed = self._searched == self._wanted()
            self._search()
            if len(self._sources) > 1 and not alreadyListed:
                self.session.say(_("Choose one of the cases and load it."))
                return
            source = self._sources[max(self.ui.caseSelector.currentIndex, 0)]
            belongsTo = self.parameters.ct if source.ct_path is None else None
            loaded = load_case(
                slicer.mrmlScene,
                source,
                ct=belongsTo,
                progress=work.progress,
                stop_requested=work.stopRequested,
            )
            if self.parameters is None:
                raise Cancelled(_("The scene was closed."))
            self._show(source, loaded)

    def _show(self, source: CaseSource, loaded: LoadedCase) -> None:
        if loaded.ct is not None:
            show_ct(loaded.ct)
        lower, upper = bounds_of(loaded.segmentation)
        if (lower <= upper).all():
            centre = (lower + upper) / 2
            jump_slices(slicer.mrmlScene, centre)
            size = float(np.clip((upper - lower).max(), 40.0, _SURROUNDINGS_MM))
            look_from_front(slicer.mrmlScene, centre, size)
        notes = "; ".join(loaded.notes)
        self.ui.loadNoteLabel.text = _("{case} is loaded.").format(case=source.id) + (f" ({notes})" if notes else "")
        self.onLoaded(loaded)
