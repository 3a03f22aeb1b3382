"""The table of thyroids: a row for each, sorted by any column, renamed in place, chosen by a click."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import qt
from slicer.i18n import tr as _

from ThyroidSynthLib.evaluation.metrics.nearest import Nearest
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.slicer.panel.shared.wording import featureText
from ThyroidSynthLib.slicer.scene.thyroids.records import EDITED, FITTED, GENERATED, ThyroidRecord

_NAME = 0
_SORT_ROLE = qt.Qt.UserRole
_ID_ROLE = qt.Qt.UserRole + 1
# Unknown values come last.
_UNKNOWN = 1e9
_COLUMNS = 7
# Beside a text, in pixels.
_SPACE = 8


@dataclass(frozen=True)
class Row:
    """What the table shows of a thyroid.

    Attributes
    ----------
    nodeID, name : str
        Its node.
    record : ThyroidRecord or None
        What is known of it.
    nearest : Nearest or None
        The nearest training shape, if it is known.
    distance : float or None
        Distance of its code from the mean, in SDs, if it is known.
    otherModel : bool
        Whether it comes from another model than the chosen one.
    """

    nodeID: str
    name: str
    record: ThyroidRecord | None
    nearest: Nearest | None
    distance: float | None
    otherModel: bool


def kindText(kind: str) -> str:
    """Give the word for how a thyroid was made."""
    return {GENERATED: _("generated"), FITTED: _("fitted"), EDITED: _("edited")}.get(kind, kind)


class ThyroidTable:
    """Fills a table view and tells what the user does with it.

    Attributes
    ----------
    onChosen : callable
        Called with the node ID of the row that the user went to.
    onRenamed : callable
        Called with a node ID and the name that the user gave it.
    """

    def __init__(self, view) -> None:
        self.onChosen: Callable[[str], None] = lambda nodeID: None
        self.onRenamed: Callable[[str, str], None] = lambda nodeID, name: None
        self._view = view
        self._filling = False
        self._shown: tuple[list[Row], str] = ([], "")
        self._model = qt.QStandardItemModel(0, _COLUMNS, view)
        self._model.setSortRole(_SORT_ROLE)
        self._writeHeader()
        view.setModel(self._model)
        header = view.horizontalHeader()
        # No column sorts at first: thyroids come in the order in which they were made.
        header.setSortIndicator(-1, qt.Qt.AscendingOrder)
        view.setSortingEnabled(True)
        header.setSectionResizeMode(_NAME, qt.QHeaderView.Stretch)
        metrics = view.fontMetrics()
        header.minimumSectionSize = _SPACE
        for column, widest in enumerate(_widestTexts(), start=1):
            view.setColumnWidth(column, max(map(metrics.horizontalAdvance, widest.split("\n"))) + _SPACE)
        # Two lines each: of a longer name, beginning and end are shown.
        view.verticalHeader().defaultSectionSize = 2 * metrics.lineSpacing() + 4
        view.textElideMode = qt.Qt.ElideMiddle
        self._model.connect("itemChanged(QStandardItem*)", self._onItemChanged)
        self._selection = view.selectionModel()
        self._selection.connect("currentRowChanged(QModelIndex,QModelIndex)", self._onCurrentRow)
        view.connect("clicked(QModelIndex)", self._onClicked)

    def fill(self, rows: Sequence[Row], current: str) -> None:
        """Show rows, and mark the current one by its node ID; what the user has selected stays selected."""
        if (list(rows), current) == self._shown:
            return
        self._shown = list(rows), current
        # Where the user has gone to the current row, the selection is the user's; else it follows.
        wanted = set(self.selected()) if self.current() == current else {current}
        self._filling = True
        try:
            self._model.setRowCount(len(rows))
            for index, row in enumerate(rows):
                self._writeRow(index, row)
            header = self._view.horizontalHeader()
            self._model.sort(header.sortIndicatorSection(), header.sortIndicatorOrder())
            self._select(wanted, current)
        finally:
            self._filling = False

    def selected(self) -> list[str]:
        """Give the node IDs of the selected rows, from top to bottom."""
        rows = sorted({index.row() for index in self._selection.selectedRows(_NAME)})
        return [self._idOf(row) for row in rows]

    def current(self) -> str:
        """Give the node ID of the row the user is on; empty when there is none."""
        index = self._view.currentIndex()
        return self._idOf(index.row()) if index.isValid() else ""

    def rename(self) -> None:
        """Let the user type a name into the current row."""
        index = self._view.currentIndex()
        if index.isValid():
            self._view.setFocus()
            self._view.edit(self._model.index(index.row(), _NAME))

    def _select(self, selected: set[str], current: str) -> None:
        flags = qt.QItemSelectionModel
        found = {self._idOf(row): self._model.index(row, _NAME) for row in range(self._model.rowCount())}
        if current in found and self.current() != current:
            self._selection.setCurrentIndex(found[current], flags.NoUpdate)
        if set(self.selected()) == selected & set(found):
            return
        self._selection.clearSelection()
        for nodeID in selected & set(found):
            self._selection.select(found[nodeID], flags.Select | flags.Rows)

    def _idOf(self, row: int) -> str:
        return self._model.data(self._model.index(row, _NAME), _ID_ROLE) or ""

    def _writeHeader(self) -> None:
        columns = (
            (_("Thyroid"), _("Name of the thyroid; F2 renames it")),
            (
                _("Kind"),
                _("Generated by a model, fitted to a patient's gland, or edited from it; and what is wrong with it"),
            ),
            (_("Volume\n(mL)"), _("Volume as measured, and in brackets as asked for")),
            (
                _("Isthmus\n(mm²)"),
                _("Area of the isthmus in the midsagittal plane as measured, and in brackets as asked for"),
            ),
            (_("Sym-\nmetry"), _("Left-right symmetry from 0 to 1 as measured, and in brackets as asked for")),
            (
                _("Nearest\n(mm)"),
                _("Mean surface distance to the nearest training shape: near 0 is a copy, much is unlike the cohort"),
            ),
            (
                _("Code\n(SD)"),
                _("Distance of the shape's code from the cohort's mean: about 1 is ordinary, above 2 far"),
            ),
        )
        for column, (title, tip) in enumerate(columns):
            self._model.setHeaderData(column, qt.Qt.Horizontal, title)
            self._model.setHeaderData(column, qt.Qt.Horizontal, tip, qt.Qt.ToolTipRole)

    def _writeRow(self, index: int, row: Row) -> None:
        record = row.record
        self._write(index, _NAME, row.name, row.name.lower(), row.name, editable=True)
        self._model.setData(self._model.index(index, _NAME), row.nodeID, _ID_ROLE)
        kind = kindText(record.kind) if record is not None else _("unknown")
        note = _faultText(record)
        self._write(index, 1, f"{kind}\n{note}" if note else kind, f"{kind} {note}", _kindTip(record))
        for column, name in enumerate(FEATURE_NAMES, start=2):
            self._writeFeature(index, column, name, record)
        text, value, tip = _nearestTexts(row)
        self._write(index, 5, text, value, tip)
        known = row.distance is not None
        self._write(index, 6, f"{row.distance:.1f}" if known else "–", row.distance if known else _UNKNOWN, "")

    def _writeFeature(self, index: int, column: int, name: str, record: ThyroidRecord | None) -> None:
        if record is None or name not in record.measured:
            self._write(index, column, "–", _UNKNOWN, "")
            return
        measured, targets = record.measured[name], record.targets.get(name)
        text, tip = _number(name, measured), _("measured {value}").format(value=featureText(name, measured))
        if targets is not None:
            text += "\n" + _("({value})").format(value=_number(name, targets))
            tip += "\n" + _("asked for {value}").format(value=featureText(name, targets))
        self._write(index, column, text, measured, tip)

    def _write(self, row: int, column: int, text: str, order, tip: str, *, editable: bool = False) -> None:
        place = self._model.index(row, column)
        # Only what has changed: writing a text takes away what the user is typing there.
        for value, role in ((text, qt.Qt.EditRole), (order, _SORT_ROLE), (tip, qt.Qt.ToolTipRole)):
            if self._model.data(place, role) != value:
                self._model.setData(place, value, role)
        self._model.item(row, column).setEditable(editable)

    def _onClicked(self, index) -> None:
        # Also when it was current before: the user may want to see it again.
        self.onChosen(self._idOf(index.row()))

    def _onCurrentRow(self, index, before) -> None:
        if not self._filling and index.isValid() and self._view.focus:
            self.onChosen(self._idOf(index.row()))

    def _onItemChanged(self, item) -> None:
        if not self._filling:
            self.onRenamed(self._idOf(item.row()), item.text().strip())


def _widestTexts() -> tuple[str, ...]:
    """Give a text for each column but the name's that is hardly ever wider: the name takes what is left."""
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
    """Give a feature's value without its unit, which stands in the header."""
    return featureText(name, value).split(" ")[0]


def _faultText(record: ThyroidRecord | None) -> str:
    if record is None:
        return ""
    if not record.valid:
        return _("not valid")
    return _("not met") if record.met is False else ""


def _kindTip(record: ThyroidRecord | None) -> str:
    if record is None:
        return _("What is known of this thyroid cannot be read")
    lines = [_("valid surface") if record.valid else _("not valid: open, in pieces, or cut by the model's box")]
    if record.met is not None:
        lines.append(_("meets what was asked") if record.met else _("could not meet what was asked"))
    if record.kind == GENERATED:
        lines.append(_("seed {seed}").format(seed=record.seed))
    return "\n".join(lines)


def _nearestTexts(row: Row) -> tuple[str, float, str]:
    """Give text, order and tooltip of the nearest training shape."""
    if row.nearest is not None:
        tip = _("Nearest training shape: {case}, {distance} mm away on average")
        distance = f"{row.nearest.distance_mm:.1f}"
        return distance, row.nearest.distance_mm, tip.format(case=row.nearest.id, distance=distance)
    if row.record is None:
        return "–", _UNKNOWN, ""
    if row.otherModel:
        return _("another\nmodel"), _UNKNOWN, _("It was made with another model than the one that is chosen")
    return "…", _UNKNOWN, _("Being found; the model's training shapes are decoded when it is first used")
