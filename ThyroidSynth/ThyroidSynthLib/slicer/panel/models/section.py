"""Section "Shape model": the model library, the chosen model and its card."""

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
from ThyroidSynthLib.slicer.panel.shared.parameters import isSet, showUnsetPaths
from ThyroidSynthLib.slicer.panel.shared.readiness import enableOrExplain
from ThyroidSynthLib.slicer.panel.shared.section import Section

from .model_card import cardHtml, libraryText, modelText

if TYPE_CHECKING:
    from collections.abc import Callable

    from ThyroidSynthLib.model.description import ModelDescription
    from ThyroidSynthLib.model.library import LibraryModel


# A longer name would widen the panel.
_LONGEST_TITLE = 20


class ModelSection(Section):
    """Offers the models of the model library and describes the chosen one, without PyTorch.

    Attributes
    ----------
    onDescribed : callable
        Called with the `ModelDescription` of the chosen model when it changes; None when there is none.
    """

    uiFile = "Model.ui"
    windowFile = "ModelLibrary.ui"

    def windowTitle(self) -> str:
        """Return the title of the window."""
        return _("Model library")

    def connect(self) -> None:
        """Connect the section's own widgets."""
        self.ui.modelLibraryButton.connect("clicked(bool)", lambda checked: self.window.open())
        self.onDescribed: Callable[[ModelDescription | None], None] = lambda description: None
        # What the description and the list were made of.
        self._described: tuple[Path, int, tuple[int, ...]] | None = None
        self._listed: tuple[Path, Path, int, Path | None] | None = None
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
        """Release the scene and the parameters."""
        self._described, self._listed = None, None

    def refresh(self) -> None:
        """Show the parameters after they have changed."""
        path = self._found(self.parameters.model)
        if path != self.parameters.model:
            # Which refreshes the section again.
            self.parameters.model = path
            return
        showUnsetPaths((path, self.ui.modelPathEdit))
        self._list()
        key = (path, path.stat().st_mtime_ns if path.is_file() else 0, evaluation_state(path))
        if key == self._described:
            return
        self._described = key
        if not isSet(path):
            self._show(None, _("No model is chosen. Import a model file into the model library, or train a model."))
            return
        try:
            description = describe_model(path)
        except ThyroidSynthError as error:
            # Not in a dialog, because the path may still be typed.
            self._show(None, str(error))
            return
        self._show(description, modelText(description))

    def _found(self, path: Path) -> Path:
        """Return the chosen model: the default in a new scene; a shipped one in this Slicer's folder."""
        if isSet(path) and path.is_file():
            return path
        if not isSet(path):
            return defaultModel(self.session.library) or path
        shipped = self.session.library.shipped_files()
        return next((each for each in shipped if each.parts[-3:] == path.parts[-3:]), path)

    def _list(self) -> None:
        """List the models if the library or the chosen model has changed."""
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
            self.ui.modelSelector.addItem(_("{name} (not in the library)").format(name=path.name), str(path))
            row = len(paths)
        self.ui.modelSelector.currentIndex = row
        self._enable(path)

    def _enable(self, path: Path) -> None:
        own = path.parent == self.session.library.folder and path.is_file()
        self.ui.modelNameEdit.text = path.stem if isSet(path) else ""
        self.ui.modelNameEdit.enabled = own
        noFile = "" if path.is_file() else _("No shape model is chosen.")
        notOwn = noFile or ("" if own else _("This model is not in the model library, or ships with the module."))
        for button in (self.ui.renameModelButton, self.ui.deleteModelButton):
            enableOrExplain(button, notOwn)
        isDefault = path.is_file() and path == defaultModel(self.session.library)
        enableOrExplain(self.ui.defaultModelButton, noFile or (_("This is the default already.") if isDefault else ""))
        enableOrExplain(self.ui.showModelButton, noFile)

    def _show(self, description: ModelDescription | None, text: str) -> None:
        card = cardHtml(description, evaluation_of(description.path)) if description is not None else escape(text)
        self.ui.modelInfoLabel.text, self.ui.modelCardLabel.text = text, card
        name = description.path.stem if description is not None else _("none")
        short = name if len(name) <= _LONGEST_TITLE else name[: _LONGEST_TITLE - 1] + "…"
        self.ui.modelCollapsible.text = _("Shape model: {name}").format(name=short)
        self.onDescribed(description)

    def _onChosen(self, row: int) -> None:
        self.parameters.model = Path(self.ui.modelSelector.itemData(row))

    def _onListClicked(self, item) -> None:
        row = self.ui.modelList.row(item)
        if 0 <= row < len(self._models):
            self.parameters.model = self._models[row].path

    def _choose(self, path: Path) -> None:
        """Choose a model and list the changed library."""
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
            self.session.showStatus(_("'{name}' was added to the model library.").format(name=added.stem))

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
        question = _("Delete the model '{name}' from the model library? Its file cannot be restored.")
        if not slicer.util.confirmYesNoDisplay(question.format(name=path.stem), windowTitle=_("Delete a model")):
            return
        with self.session.errorsShown():
            self.session.library.delete(path)
            # If the default was deleted, it is the shipped model again.
            self._choose(defaultModel(self.session.library) or Path())
            self.session.showStatus(_("'{name}' was deleted.").format(name=path.stem))

    def _onDefault(self, checked: bool = False) -> None:
        path = self.parameters.model
        setDefaultModel(None if self.session.library.is_shipped(path) else path)
        self._choose(path)

    def _onShow(self, checked: bool = False) -> None:
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self.parameters.model.parent)))

    def _onFolderChanged(self, path: str) -> None:
        # The path may still be typed.
        if Path(path).is_dir() and Path(path) != modelsFolder():
            setModelsFolder(Path(path))
            if self.session.hasParameters:
                self._choose(self.parameters.model)
