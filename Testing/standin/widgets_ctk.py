"""Containers, paths and message boxes of CTK, over Qt's own widgets.

Public names are exactly those that PythonQt shows of the C++ class: properties, slots, invokable
methods and signals. A setter that is no slot (``setSettingKey``) is therefore missing, as in Slicer.
"""

from __future__ import annotations

import re

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Qt, Signal, Slot

from .properties import stored


def text_and_parent(arguments: tuple) -> tuple[str, QtWidgets.QWidget | None]:
    """Sort out the arguments of constructors ``(parent)`` and ``(text, parent)``."""
    text = next((each for each in arguments if isinstance(each, str)), "")
    parent = next((each for each in arguments if isinstance(each, QtWidgets.QWidget)), None)
    return text, parent


class _HidesChildren:
    """What both collapsible containers do with their children."""

    _forcing = False

    def childEvent(self, event: QtCore.QChildEvent) -> None:
        if event.added() and event.child().isWidgetType():
            event.child().installEventFilter(self)
        super().childEvent(event)

    def eventFilter(self, child: QtCore.QObject, event: QtCore.QEvent) -> bool:
        # A child that is shown while the container is closed waits until it opens, as in CTK.
        if event.type() == QtCore.QEvent.ShowToParent and self.collapsed and not self._forcing:
            self._force(child, False)
            self._hidden_here.append(child)
        elif event.type() == QtCore.QEvent.HideToParent and not self._forcing and child in self._hidden_here:
            self._hidden_here.remove(child)
        return super().eventFilter(child, event)

    def _force(self, child: QtWidgets.QWidget, visible: bool) -> None:
        self._forcing = True
        child.setVisible(visible)
        # As in CTK: what the module itself says later is heard, even if it is to hide what is hidden.
        child.setAttribute(Qt.WA_WState_ExplicitShowHide, False)
        self._forcing = False

    def _show_children(self, visible: bool) -> None:
        children = [each for each in self.children() if isinstance(each, QtWidgets.QWidget)]
        if visible:
            hidden_here, self._hidden_here = self._hidden_here, []
            for child in hidden_here:
                if child in children:
                    self._force(child, True)
            return
        for child in children:
            # Children the module has hidden itself must stay hidden when the container opens again.
            hidden_by_module = child.testAttribute(Qt.WA_WState_ExplicitShowHide) and child.isHidden()
            if not hidden_by_module and child not in self._hidden_here:
                self._hidden_here.append(child)
                self._force(child, False)


class ctkCollapsibleButton(_HidesChildren, QtWidgets.QAbstractButton):
    """Button with contents that it shows while it is checked; ``collapsed`` is ``not checked``."""

    contentsCollapsed = Signal(bool)

    def __init__(self, *arguments) -> None:
        text, parent = text_and_parent(arguments)
        super().__init__(parent)
        self._hidden_here: list[QtWidgets.QWidget] = []
        self._is_collapsed, self._open_height = False, self.maximumHeight
        self.text = text
        self.checkable = True
        self.checked = True
        self.setContentsMargins(0, self._button_height(), 0, 0)
        self.setSizePolicy(QtWidgets.QSizePolicy.Minimum, QtWidgets.QSizePolicy.Preferred)
        self.connect("toggled(bool)", self._on_toggled)

    def _button_height(self) -> int:
        return self.fontMetrics().height() + 8

    def _get_collapsed(self) -> bool:
        return self._is_collapsed

    def _set_collapsed(self, collapsed: bool) -> None:
        if self.checkable:
            self.checked = not collapsed
        else:
            self._collapse(collapsed)

    def showEvent(self, event) -> None:
        # What a .ui file adds to a button that is collapsed already stays hidden.
        if self._is_collapsed:
            self._show_children(False)
        super().showEvent(event)

    def _on_toggled(self, checked: bool) -> None:
        if self.checkable:
            self._collapse(not checked)

    def _collapse(self, collapsed: bool) -> None:
        if collapsed == self._is_collapsed:
            return
        self._is_collapsed = collapsed
        # As in CTK, a closed one takes no more room than its button and a little frame.
        if collapsed:
            self._open_height = self.maximumHeight
            self.setMaximumHeight(self._button_height() + self.collapsedHeight)
        else:
            self.setMaximumHeight(self._open_height)
        self._show_children(not collapsed)
        self.updateGeometry()
        self.contentsCollapsed.emit(collapsed)

    def hitButton(self, position: QtCore.QPoint) -> bool:
        return position.y() < self._button_height()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect.setHeight(self._button_height())
        arrow = "\u25b8" if self._is_collapsed else "\u25be"
        painter = QtWidgets.QStylePainter(self)
        painter.drawControl(QtWidgets.QStyle.CE_PushButtonBevel, option)
        painter.drawText(option.rect.adjusted(8, 0, 0, 0), Qt.AlignVCenter, f"{arrow} {self.text}")

    collapsed = Property(bool, _get_collapsed, _set_collapsed, notify=contentsCollapsed)
    collapsedHeight = stored(int, 14)
    flat = stored(bool, False)
    contentsFrameShape = stored(int, 0)
    contentsFrameShadow = stored(int, 16)
    contentsLineWidth = stored(int, 1)
    contentsMidLineWidth = stored(int, 0)
    buttonTextAlignment = stored(int, 0x81)
    indicatorAlignment = stored(int, 0x81)


class ctkCollapsibleGroupBox(_HidesChildren, QtWidgets.QGroupBox):
    """Group box whose title box shows and hides its contents."""

    def __init__(self, *arguments) -> None:
        text, parent = text_and_parent(arguments)
        super().__init__(parent)
        self._hidden_here: list[QtWidgets.QWidget] = []
        self.title = text
        self.checkable = True
        self.connect("toggled(bool)", self._show_children)

    def _get_collapsed(self) -> bool:
        return not self.checked

    def _set_collapsed(self, collapsed: bool) -> None:
        self.checked = not collapsed

    collapsed = Property(bool, _get_collapsed, _set_collapsed)
    collapsedHeight = stored(int, 14)


class ctkPathLineEdit(QtWidgets.QWidget):
    """Line edit for a path, with history and browse button.

    ``currentPathChanged`` comes only for acceptable paths: never for an empty one, nor for one that does
    not fit the name filters.
    """

    validInputChanged = Signal(bool)
    currentPathChanged = Signal(str)

    Dirs, Files, Drives, NoSymLinks, AllEntries = 0x001, 0x002, 0x004, 0x008, 0x007
    Readable, Writable, Executable, Modified, Hidden = 0x010, 0x020, 0x040, 0x080, 0x100
    NoDotAndDotDot = 0x1000
    _MAXIMUM_HISTORY = 5

    def __init__(self, *arguments) -> None:
        super().__init__(text_and_parent(arguments)[1])
        self._valid = False
        self._setting_key = ""
        self._combo = QtWidgets.QComboBox(self)
        self._combo.editable = True
        # CTK's own size hint leaves the text out by default: a long path makes it no wider.
        self._combo.sizeAdjustPolicy = QtWidgets.QComboBox.AdjustToMinimumContentsLengthWithIcon
        self._browse = QtWidgets.QToolButton(self)
        self._browse.text = "..."
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo, 1)
        layout.addWidget(self._browse)
        self.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
        self._edit = self._combo.lineEdit()
        self._edit.connect("textChanged(QString)", self._on_text)
        self._browse.connect("clicked()", self.browse)

    def _is_acceptable(self) -> bool:
        """Return whether the path fits the name filters, by the regular expression CTK makes of them.

        It looks at the first extension only: ``*.nii.gz`` accepts ``a.nii`` and refuses ``a.nii.gz``.
        """
        globs = []
        for each in self.nameFilters:
            bracketed = re.search(r"\(([^()]*)\)$", each)
            globs += bracketed.group(1).split() if bracketed else [each]
        extensions = [match.group(1) for match in (re.search(r"\*\.(\w+)", glob) for glob in globs) if match]
        pattern = "|".join(rf".*\.{extension}?" for extension in extensions) or ".+"
        return re.fullmatch(pattern, self._edit.text) is not None

    def _on_text(self, text: str) -> None:
        was_valid, self._valid = self._valid, self._is_acceptable()
        if self._valid:
            self.currentPathChanged.emit(text)
        if was_valid != self._valid:
            self.validInputChanged.emit(self._valid)

    @Slot(str)
    def setCurrentPath(self, path: str) -> None:
        self._edit.setText(path)

    @Slot()
    def browse(self) -> None:
        chooser, start = QtWidgets.QFileDialog, self.currentPath
        if not self.filters & self.Files:
            path = chooser.getExistingDirectory(self, "Select a directory...", start)
        elif self.filters & self.Writable:
            path = chooser.getSaveFileName(self, "Select a file to save ", start)
        else:
            path = chooser.getOpenFileName(self, "Open a file", start)
        if path:
            self.setCurrentPath(path)

    def _settings_entry(self) -> str:
        return f"ctkPathLineEdit/{self._setting_key or self.objectName}"

    def _history(self) -> list[str]:
        kept = QtCore.QSettings().value(self._settings_entry())
        return [kept] if isinstance(kept, str) else list(kept or [])

    @Slot()
    def retrieveHistory(self) -> None:
        path, blocked = self.currentPath, self.blockSignals(True)
        self._combo.clear()
        self._combo.addItems(self._history()[: self._MAXIMUM_HISTORY])
        if path:
            self.setCurrentPath(path)
            self.blockSignals(blocked)
        else:
            # The latest path of an earlier session appears by itself, and unannounced: Qt has chosen the
            # first line already while signals were blocked.
            self.blockSignals(blocked)
            self._combo.setCurrentIndex(0)

    @Slot()
    def addCurrentPathToHistory(self) -> None:
        path = self.currentPath
        if not path:
            return
        history = [path, *(each for each in self._history() if each != path)]
        QtCore.QSettings().setValue(self._settings_entry(), history)
        index = self._combo.findText(path)
        if index >= 0:
            self._combo.removeItem(index)
        while self._combo.count >= self._MAXIMUM_HISTORY:
            self._combo.removeItem(self._combo.count - 1)
        self._combo.insertItem(0, path)
        self._combo.setCurrentIndex(0)

    @Slot(result=QtWidgets.QComboBox)
    def comboBox(self) -> QtWidgets.QComboBox:
        return self._combo

    def _set_setting_key(self, key: str) -> None:
        self._setting_key = key
        self.retrieveHistory()

    label = stored(str, "")
    filters = stored(int, 0x007 | 0x1000 | 0x010 | 0x040, key="_filters")
    currentPath = Property(str, lambda self: self._edit.text, setCurrentPath, user=True)
    options = stored(int, 0)
    settingKey = Property(str, lambda self: self._setting_key, _set_setting_key)
    showBrowseButton = Property(
        bool, lambda self: not self._browse.isHidden(), lambda self, shown: self._browse.setVisible(shown)
    )
    showHistoryButton = stored(bool, True)
    sizeAdjustPolicy = stored(int, 2)
    minimumContentsLength = stored(int, 0)
    nameFilters = stored("QStringList", [], key="_name_filters")


class ctkComboBox(QtWidgets.QComboBox):
    """Combo box with a text for "nothing chosen"."""

    returnRelease = Signal()

    def __init__(self, parent=None) -> None:
        super().__init__(parent)

    def _get_user_data(self) -> str:
        return str(self.currentData() or "")

    @Slot(str)
    def setCurrentUserDataAsString(self, data: str) -> None:
        self.setCurrentIndex(self.findData(data))

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        option = QtWidgets.QStyleOptionComboBox()
        self.initStyleOption(option)
        if self.currentIndex == -1 or self.forceDefault:
            option.currentText = self.defaultText
        painter = QtWidgets.QStylePainter(self)
        painter.drawComplexControl(QtWidgets.QStyle.CC_ComboBox, option)
        painter.drawControl(QtWidgets.QStyle.CE_ComboBoxLabel, option)

    # Not Qt's own placeholder: with one, Qt would not choose the first line by itself.
    defaultText = stored(str, "", lambda self: self.update())
    forceDefault = stored(bool, False)
    elideMode = stored(int, 3)
    scrollWheelEffect = stored(int, 1)
    currentUserDataAsString = Property(str, _get_user_data, setCurrentUserDataAsString)


class ctkMessageBox(QtWidgets.QMessageBox):
    """Message box with "Don't show this message again"."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self._dont_show_again = False

    @Slot(bool)
    def setDontShowAgain(self, dont_show: bool) -> None:
        self._dont_show_again = dont_show

    dontShowAgain = Property(bool, lambda self: self._dont_show_again, setDontShowAgain)
    dontShowAgainSettingsKey = stored(str, "")
    dontShowAgainVisible = stored(bool, False)


CTK_WIDGETS = (
    ctkCollapsibleButton,
    ctkCollapsibleGroupBox,
    ctkPathLineEdit,
    ctkComboBox,
    ctkMessageBox,
)
