"""Section "Shape model": the models on the shelf, which of them thyroids are drawn from, and its card."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import ThyroidSynthError
from ThyroidSynthLib.model.description import describe_model
from ThyroidSynthLib.model.library import evaluation_of, evaluation_state
from ThyroidSynthLib.slicer.panel.shared.models_folder import (
    defaultModel,
    modelsFolder,
    setDefaultModel,
    setModelsFolder,
)
from ThyroidSynthLib.slicer.panel.shared.parameters import isSet
from ThyroidSynthLib.slicer.panel.shared.section import Section

from .model_card import cardHtml, libraryText, modelText

if TYPE_CHECKING:
    from collections.abc import Callable

    from ThyroidSynthLib.model.description import ModelDescription
    from ThyroidSynthLib.model.library import LibraryModel


class ModelSection(Section):
    """Offers the models of the shelf and describes the chosen one; that needs no PyTorch.

    Attributes
    ----------
    onDescribed : callable
        Called with the `ModelDescription` when another model is chosen, or None when there is none.
    """

    uiFile = "Model.ui"

    def connect(self) -> None:
        """Connect the section's own widgets."""
        self.onDescribed: Callable[[ModelDescription | None], None] = lambda description: None
        self._described: tuple[Path, int] | None = None
        self._listed: tuple | None = None
        self._models: tuple[LibraryModel, ...] = ()
        self.ui.modelsFolderEdit.currentPath = str(modelsFolder())
        self.ui.modelSelector.connect("activated(int)", self._onChosen)
        self.ui.modelList.connect("itemClicked(QListWidgetItem*)", self._onListClicked)
        self.ui.modelList.connect("itemActivated(QListWidgetItem*)", self._onListClicked)
        self.ui.importModelButton.connect("clicked(bool)", self._onImport)
        self.ui.defaultModelButton.connect("clicked(bool)", self._onDefault)
        self.ui.deleteModelButton.connect("clicked(bool)", self._onDelete)
        self.ui.showModelButton.connect("clicked(bool)", self._onShow)
        self.ui.renameModelButton.connect("clicked(bool)", self._onRename)
        self.ui.modelNameEdit.connect("returnPressed()", self._onRename)
        self.ui.modelsFolderEdit.connect("currentPathChanged(QString)", self._onFolderChanged)

    def release(self) -> None:
        """Let go of the scene and of the parameters."""
        self._described, self._listed = None, None

    def refresh(self) -> None:
        """Show the parameters, which have changed."""
        path = self._found(self.parameters.model)
        if path != self.parameters.model:
            # Comes back here, with the model that is meant.
            self.parameters.model = path
            return
        if not isSet(path) and self.ui.modelPathEdit.currentPath == ".":
            self.ui.modelPathEdit.currentPath = ""
        self._list()
        key = (path, path.stat().st_mtime_ns if path.is_file() else 0, evaluation_state(path))
        if key == self._described:
            return
        self._described = key
        if not isSet(path):
            self._show(None, _("No model chosen. Import a model file, or train a model below."))
            return
        try:
            description = describe_model(path)
        except ThyroidSynthError as error:
            # The path may be half typed: said here, not in a dialog.
            self._show(None, str(error))
            return
        self._show(description, modelText(description))

    def _found(self, path: Path) -> Path:
        """Give the chosen model; a new scene's is the default, and one that ships is found wherever Slicer is."""
        if isSet(path) and path.is_file():
            return path
        if not isSet(path):
            return defaultModel(self.session.library) or path
        shipped = self.session.library.shipped_files()
        return next((each for each in shipped if each.parts[-3:] == path.parts[-3:]), path)

    def _list(self) -> None:
        """List the models, when the shelf or the chosen one has changed."""
        library, path = self.session.library, self.parameters.model
        changed = library.folder.stat().st_mtime_ns if library.folder.is_dir() else 0
        default = defaultModel(library)
        key = (path, library.folder, changed, default)
        if key == self._listed:
            return
        self._listed, self._models = key, library.models()
        self.ui.modelSelector.clear()
        self.ui.modelList.clear()
        for model in self._models:
            name = model.name + (_(" (ships with the module)") if model.shipped else "")
            self.ui.modelSelector.addItem(name, str(model.path))
            self.ui.modelList.addItem(libraryText(model, isDefault=model.path == default))
            if model.problem:
                self.ui.modelList.item(self.ui.modelList.count - 1).setToolTip(model.problem)
        paths = [model.path for model in self._models]
        row = paths.index(path) if path in paths else -1
        self.ui.modelList.currentRow = row
        if row < 0 and isSet(path):
            self.ui.modelSelector.addItem(_("{name} (not on the shelf)").format(name=path.name), str(path))
            row = len(paths)
        self.ui.modelSelector.currentIndex = row
        self._enable(path)

    def _enable(self, path: Path) -> None:
        own = path.parent == self.session.library.folder and path.is_file()
        self.ui.modelNameEdit.text = path.stem if isSet(path) else ""
        for widget in (self.ui.modelNameEdit, self.ui.renameModelButton, self.ui.deleteModelButton):
            widget.enabled = own
        self.ui.defaultModelButton.enabled = path.is_file() and path != defaultModel(self.session.library)
        self.ui.showModelButton.enabled = path.is_file()

    def _show(self, description: ModelDescription | None, text: str) -> None:
        self.ui.modelInfoLabel.text = text
        if description is not None:
            self.ui.modelCardLabel.text = cardHtml(description, evaluation_of(description.path))
        else:
            self.ui.modelCardLabel.text = escape(text)
        self.onDescribed(description)

    def _onChosen(self, row: int) -> None:
        self.parameters.model = Path(self.ui.modelSelector.itemData(row))

    def _onListClicked(self, item) -> None:
        row = self.ui.modelList.row(item)
        if 0 <= row < len(self._models):
            self.parameters.model = self._models[row].path

    def _choose(self, path: Path) -> None:
        """Take a model, and list the shelf anew: something on it has changed."""
        self._listed = None
        self.parameters.model = path
        self.refresh()

    def _onImport(self, checked: bool = False) -> None:
        title, kinds = _("Import a shape model"), _("Shape models") + " (*.safetensors)"
        path = qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), title, "", kinds)
        if not path:
            return
        with self.session.errorsShown():
            added = self.session.library.add(path)
            self._choose(added)
            self.session.showStatus(_("'{name}' is on the shelf.").format(name=added.stem))

    def _onRename(self, checked: bool = False) -> None:
        path = self.parameters.model
        wasDefault = path == defaultModel(self.session.library)
        with self.session.errorsShown():
            renamed = self.session.library.rename(path, self.ui.modelNameEdit.text)
            if wasDefault:
                setDefaultModel(renamed)
            self._choose(renamed)

    def _onDelete(self, checked: bool = False) -> None:
        path = self.parameters.model
        question = _("Delete the model '{name}' from the shelf? Its file is deleted and cannot be brought back.")
        if not slicer.util.confirmYesNoDisplay(question.format(name=path.stem), windowTitle=_("Delete a model")):
            return
        with self.session.errorsShown():
            self.session.library.delete(path)
            # A default that is gone is none, so that of new scenes is again the one that ships.
            self._choose(defaultModel(self.session.library) or Path())
            self.session.showStatus(_("'{name}' was deleted.").format(name=path.stem))

    def _onDefault(self, checked: bool = False) -> None:
        path = self.parameters.model
        setDefaultModel(None if self.session.library.is_shipped(path) else path)
        self._choose(path)

    def _onShow(self, checked: bool = False) -> None:
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self.parameters.model.parent)))

    def _onFolderChanged(self, path: str) -> None:
        # The path may be half typed; only a folder that is there can be a shelf.
        if Path(path).is_dir() and Path(path) != modelsFolder():
            setModelsFolder(Path(path))
            if self.session.hasParameters:
                self._choose(self.parameters.model)
