"""Download public data to train on, from a menu."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.dataset.download import RECORDS, ZENODO, Record, download

if TYPE_CHECKING:
    from ThyroidSynthLib.slicer.panel.shared.session import Session


class DownloadMenu:
    """A button with a menu of public data sets, each downloaded from Zenodo into a folder that the user chooses.

    Attributes
    ----------
    baseUrl : str
        The server.
    """

    def __init__(self, session: Session, button) -> None:
        self.baseUrl = ZENODO
        self._session = session
        menu = qt.QMenu(button)
        menu.toolTipsVisible = True
        titles = {
            "totalsegmentator-subset": _("102 cases of TotalSegmentator"),
            "authors": _("The published thyroids of the paper"),
        }
        for name, title in titles.items():
            action = menu.addAction(title)
            action.objectName = f"{name}Action"
            action.toolTip = f"{RECORDS[name].title}. {RECORDS[name].licence_note}"
            action.connect("triggered(bool)", lambda checked=False, name=name: self._onChosen(RECORDS[name]))
        button.setMenu(menu)

    def _onChosen(self, record: Record) -> None:
        folder = qt.QFileDialog.getExistingDirectory(
            slicer.util.mainWindow(), _("New or empty folder for the data, or that of an interrupted download")
        )
        if not folder:
            return
        with self._session.work(_("Downloading")) as work:
            download(record, Path(folder), progress=work.progress, should_stop=work.shouldStop, base_url=self.baseUrl)
            if record.name == "authors":
                text = _("Prepare it with `thyroidsynth prepare --authors {folder}`, then train on the result.")
                self._session.showStatus(text.format(folder=folder))
            else:
                self._session.parameters.trainingData = Path(folder)
                self._session.showStatus(_("The data are downloaded and chosen to train on."))
