"""The table of thyroids, which can be sorted, renamed and chosen by a click."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import qt
from slicer.i18n import tr as _

from ThyroidSynthLib.evaluation.metrics.nearest import Nearest
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.slicer.panel.controls.colour import swatch
from ThyroidSynthLib.slicer.panel.shared.wording import featureText, lengthText
from ThyroidSynthLib.slicer.scene.thyroids.records import EDITED, FITTED, GENERATED, ThyroidRecord

_NAME = 0
_SORT_ROLE = qt.Qt.UserRole
_ID_ROLE = qt.Qt.UserRole + 1
_COLOUR_ROLE = qt.Qt.UserRole + 2
# Sorts unknown values last.
_UNKNOWN = 1e9
_COLUMNS = 7
# Room beside the text of a cell, in pixels.
_SPACE = 8
# Columns that are left out of a narrow table, the first one first, so that names have room:
# code, nearest, kind. Their content is in the tooltip of the name.
_OPTIONAL = (6, 5, 1)
_NAME_CHARACTERS = 16


class _ResizeFilter(qt.QObject):
    """Event filter that calls a function after a widget was resized."""

    def __init__(self, watched, onResized: Callable[[], None]) -> None:
        qt.QObject.__init__(self, watched)
        self._onResized = onResized
        watched.installEventFilter(self)

    def eventFilter(self, watched, event) -> bool:
        """Pass every event on."""
        if event.type() == qt.QEvent.Resize:
            self._onResized()
        return False


@dataclass(frozen=True)
class Row:
    """One row of the table; None is not known (yet).

    Attributes
    ----------
    distance : float or None
        Distance of the code from the mean, in SDs.
    otherModel : bool
        Whether the thyroid comes from another model than the chosen one.
    visible : bool
        Whether the thyroid is shown in the views.
    colour : tuple of float
        Its colour in the views.
    """

    nodeID: str
    name: str
    record: ThyroidRecord | None
    nearest: Nearest | None
    distance: float | None
    otherModel: bool
    visible: bool
    colour: tuple[float, float, float]


def kindText(kind: str) -> str:
    """Return how a thyroid was made, in one word."""
    return {GENERATED: _("generated"), FITTED: _("fitted"), EDITED: _("edited")}.get(kind, kind)


class ThyroidTable:
    """Fills a table view and reports what the user does with it.

    Attributes
    ----------
    onChosen : callable
        Called with the node ID of the row that the user chose.
    onRenamed : callable
        Called with a node ID and the name that the user gave it.
    onShown : callable
        Called with a node ID and whether the user wants to see it.
    onRecoloured : callable
        Called with the node ID of the thyroid whose name was double-clicked, to choose another colour.
    """

    def __init__(self, view) -> None:
        self.onChosen: Callable[[str], None] = lambda nodeID: None
        self.onRenamed: Callable[[str, str], None] = lambda nodeID, name: None
        self.onShown: Callable[[str, bool], None] = lambda nodeID, visible: None
        self.onRecoloured: Callable[[str], None] = lambda nodeID: None
        self._view = view
        self._filling = False
        self._shown: tuple[list[Row], str] = ([], "")
        self._model = qt.QStandardItemModel(0, _COLUMNS, view)
        self._model.setSortRole(_SORT_ROLE)
        self._writeHeader()
        view.setModel(self._model)
        header = view.horizontalHeader()
        # Unsorted at first: thyroids are in the order in which they were added.
        header.setSortIndicator(-1, qt.Qt.AscendingOrder)
        view.setSortingEnabled(True)
        header.setSectionResizeMode(_NAME, qt.QHeaderView.Stretch)
        metrics = view.fontMetrics()
        header.minimumSectionSize = _SPACE
        self._widths = {
            column: max(map(metrics.horizontalAdvance, widest.split("\n"))) + _SPACE
            for column, widest in enumerate(_widestTexts(), start=1)
        }
        for column, width in self._widths.items():
            view.setColumnWidth(column, width)
        # Two lines per row; longer names are elided in the middle.
        view.verticalHeader().defaultSectionSize = 2 * metrics.lineSpacing() + 4
        view.textElideMode = qt.Qt.ElideMiddle
        self._resizeFilter = _ResizeFilter(view.viewport(), self._fitColumns)
        self._model.connect("itemChanged(QStandardItem*)", self._onItemChanged)
        self._selection = view.selectionModel()
        self._selection.connect("currentRowChanged(QModelIndex,QModelIndex)", self._onCurrentRow)
        view.connect("clicked(QModelIndex)", self._onClicked)
        view.connect("doubleClicked(QModelIndex)", self._onDoubleClicked)

    def fill(self, rows: Sequence[Row], current: str) -> None:
        """Show rows and mark the current one by its node ID; the user's selection is kept."""
        if (list(rows), current) == self._shown:
            return
        self._shown = list(rows), current
        # The selection follows the current thyroid, unless the user is on its row already.
        selected = set(self.selected()) if self.current() == current else {current}
        self._filling = True
        try:
            self._model.setRowCount(len(rows))
            for index, row in enumerate(rows):
                self._writeRow(index, row)
            header = self._view.horizontalHeader()
            self._model.sort(header.sortIndicatorSection(), header.sortIndicatorOrder())
            self._select(selected, current)
        finally:
            self._filling = False

    def selected(self) -> list[str]:
        """Return the node IDs of the selected rows, from top to bottom."""
        rows = sorted({index.row() for index in self._selection.selectedRows(_NAME)})
        return [self._idOf(row) for row in rows]

    def current(self) -> str:
        """Return the node ID of the current row; empty if there is none."""
        index = self._view.currentIndex()
        return self._idOf(index.row()) if index.isValid() else ""

    def rename(self) -> None:
        """Start editing the name in the current row."""
        index = self._view.currentIndex()
        if index.isValid():
            self._view.setFocus()
            self._view.edit(self._model.index(index.row(), _NAME))

    def _fitColumns(self) -> None:
        """Leave out columns until the names have enough room."""
        room = self._view.viewport().width - self._view.fontMetrics().averageCharWidth() * _NAME_CHARACTERS
        widths = {column: self._widths[column] for column in range(1, _COLUMNS)}
        for column in _OPTIONAL:
            hidden = sum(widths.values()) > room
            self._view.setColumnHidden(column, hidden)
            if hidden:
                del widths[column]

    def _select(self, selected: set[str], current: str) -> None:
        flags = qt.QItemSelectionModel
        indices = {self._idOf(row): self._model.index(row, _NAME) for row in range(self._model.rowCount())}
        if current in indices and self.current() != current:
            self._selection.setCurrentIndex(indices[current], flags.NoUpdate)
        if set(self.selected()) == selected & set(indices):
            return
        self._selection.clearSelection()
        for nodeID in selected & set(indices):
            self._selection.select(indices[nodeID], flags.Select | flags.Rows)

    def _idOf(self, row: int) -> str:
        return self._model.data(self._model.index(row, _NAME), _ID_ROLE) or ""

    def _writeHeader(self) -> None:
        columns = (
            (_("Thyroid"), _("The box shows or hides a thyroid, a double click changes its colour, F2 its name")),
            (
                _("Kind"),
                _(
                    "Generated, fitted or edited, with a note if it was edited by hand, the surface is not valid or "
                    "the targets are not met"
                ),
            ),
            (_("Volume\n(mL)"), _("Measured volume, with the target in brackets")),
            (_("Isthmus\n(mm²)"), _("Measured isthmus area in the midsagittal plane, with the target in brackets")),
            (_("Sym-\nmetry"), _("Measured left–right symmetry from 0 to 1, with the target in brackets")),
            (
                _("Nearest\n(mm)"),
                _("Mean surface distance to the nearest training shape: near 0 for a copy, large for an unusual shape"),
            ),
            (_("Code\n(SD)"), _("Distance of the latent code from the cohort mean: about 1 is usual, above 2 is far")),
        )
        for column, (title, tip) in enumerate(columns):
            self._model.setHeaderData(column, qt.Qt.Horizontal, title)
            self._model.setHeaderData(column, qt.Qt.Horizontal, tip, qt.Qt.ToolTipRole)

    def _writeRow(self, index: int, row: Row) -> None:
        record = row.record
        kind = kindText(record.kind) if record is not None else _("unknown")
        nearest, nearestValue, nearestTip = _nearestTexts(row)
        tip = "\n".join(filter(None, (row.name, kind, _kindTip(record), nearestTip)))
        self._write(index, _NAME, row.name, row.name.lower(), tip, editable=True)
        place = self._model.index(index, _NAME)
        self._model.setData(place, row.nodeID, _ID_ROLE)
        item = self._model.item(index, _NAME)
        item.setCheckable(True)
        item.setCheckState(qt.Qt.Checked if row.visible else qt.Qt.Unchecked)
        if self._model.data(place, _COLOUR_ROLE) != str(row.colour):
            self._model.setData(place, str(row.colour), _COLOUR_ROLE)
            item.setIcon(swatch(row.colour))
        note = _faultText(record)
        self._write(index, 1, f"{kind}\n{note}" if note else kind, f"{kind} {note}", _kindTip(record))
        for column, name in enumerate(FEATURE_NAMES, start=2):
            self._writeFeature(index, column, name, record)
        self._write(index, 5, nearest, nearestValue, nearestTip)
        known = row.distance is not None
        self._write(index, 6, f"{row.distance:.1f}" if known else "–", row.distance if known else _UNKNOWN, "")

    def _writeFeature(self, index: int, column: int, name: str, record: ThyroidRecord | None) -> None:
        if record is None or name not in record.measured:
            self._write(index, column, "–", _UNKNOWN, "")
            return
        measured, target = record.measured[name], record.targets.get(name)
        text, tip = _number(name, measured), _("measured {value}").format(value=featureText(name, measured))
        if target is not None:
            text += "\n" + _("({value})").format(value=_number(name, target))
            tip += "\n" + _("target {value}").format(value=featureText(name, target))
        self._write(index, column, text, measured, tip)

    def _write(self, row: int, column: int, text: str, sortBy: object, tip: str, *, editable: bool = False) -> None:
        place = self._model.index(row, column)
        # Only changes are written, because writing a cell discards what the user is typing in it.
        for value, role in ((text, qt.Qt.EditRole), (sortBy, _SORT_ROLE), (tip, qt.Qt.ToolTipRole)):
            if self._model.data(place, role) != value:
                self._model.setData(place, value, role)
        self._model.item(row, column).setEditable(editable)

    def _onClicked(self, index) -> None:
        # Also if it was the current row before: the user may want to see it again.
        self.onChosen(self._idOf(index.row()))

    def _onDoubleClicked(self, index) -> None:
        if index.column() == _NAME:
            self.onRecoloured(self._idOf(index.row()))

    def _onCurrentRow(self, index, before) -> None:
        if not self._filling and index.isValid() and self._view.focus:
            self.onChosen(self._idOf(index.row()))

    def _onItemChanged(self, item) -> None:
        if self._filling or item.column() != _NAME:
            return
        nodeID = self._idOf(item.row())
        shown = next((each for each in self._shown[0] if each.nodeID == nodeID), None)
        visible = item.checkState() == qt.Qt.Checked
        if shown is not None and visible != shown.visible:
            self.onShown(nodeID, visible)
        elif item.text().strip() != (shown.name if shown is not None else ""):
            self.onRenamed(nodeID, item.text().strip())


def _widestTexts() -> tuple[str, ...]:
    """Return the widest usual text of each column except the name, which takes the remaining width."""
    volume, isthmus, symmetry = (_("({value})").format(value=value) for value in ("888.8", "888", "0.88"))
    return (
        max((kindText(kind) for kind in (GENERATED, FITTED, EDITED)), key=len),
        volume + "\n" + _("Volume\n(mL)"),
        isthmus + "\n" + _("Isthmus\n(mm²)"),
        symmetry + "\n" + _("Sym-\nmetry"),
        _("another\nmodel") + "\n" + _("Nearest\n(mm)"),
        _("Code\n(SD)"),
    )


def _number(name: str, value: float) -> str:
    """Return the value of a feature without its unit, which is in the header."""
    return featureText(name, value).split(" ")[0]


def _faultText(record: ThyroidRecord | None) -> str:
    if record is None:
        return ""
    if record.edited_by_hand:
        return _("by hand")
    if not record.valid:
        return _("not valid")
    return _("target not met") if record.met is False else ""


def _kindTip(record: ThyroidRecord | None) -> str:
    if record is None:
        return _("The record of this thyroid cannot be read")
    lines = [_("edited by hand")] if record.edited_by_hand else []
    lines += [_("valid surface") if record.valid else _("not valid: open, in pieces, or outside the bounding box")]
    if record.met is not None:
        lines.append(_("the targets are met") if record.met else _("the targets are not met"))
    if record.kind == GENERATED:
        lines.append(_("random seed {seed}").format(seed=record.seed))
    return "\n".join(lines)


def _nearestTexts(row: Row) -> tuple[str, float, str]:
    """Return text, sort value and tooltip of the nearest training shape."""
    if row.nearest is not None:
        tip = _("Nearest training shape: {case}, {distance} away on average")
        distance = f"{row.nearest.distance_mm:.1f}"
        return (
            distance,
            row.nearest.distance_mm,
            tip.format(case=row.nearest.id, distance=lengthText(row.nearest.distance_mm, 1)),
        )
    if row.record is None:
        return "–", _UNKNOWN, ""
    if row.otherModel:
        return _("another\nmodel"), _UNKNOWN, _("This thyroid comes from another model than the chosen one")
    return "…", _UNKNOWN, _("Not known yet; the training shapes are decoded after the model has been used")
