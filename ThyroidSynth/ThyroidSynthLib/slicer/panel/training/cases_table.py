"""The table of cases: volume and verdict, a tick to include or exclude each manually, a click to see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import qt
from slicer.i18n import tr as _

from ThyroidSynthLib.dataset.quality_table import CaseVerdict
from ThyroidSynthLib.slicer.panel.controls.timers import singleShotTimer
from ThyroidSynthLib.slicer.panel.shared.wording import FEATURE_DECIMALS

from .wording import caseText, verdictText

# Rows filled per turn of the event loop, so that thousands of cases do not freeze the window.
_ROWS_PER_TURN = 100
# More rows are scrolled.
_MOST_ROWS = 8
# Characters of a volume.
_DIGITS = 7
# Usual texts of the first columns; a longer id is elided.
_USUAL = ("mm0000", f"{100.0:{_DIGITS}.1f}")
# Room for the tick, and beside the text of a cell, in pixels.
_TICK, _SPACE = 24, 10
# The arrow keys pass over rows without loading every case.
_SETTLE_MS = 150


class CasesTable:
    """Fills a table with verdicts.

    Attributes
    ----------
    onDecided : callable
        Called when the user has ticked or unticked a case.
    onSelected : callable
        Called with the verdict on the case that the user has selected; None when no case is selected any more.
    """

    def __init__(self, table) -> None:
        self.onDecided: Callable[[], None] = lambda: None
        self.onSelected: Callable[[CaseVerdict | None], None] = lambda verdict: None
        self._table = table
        self._verdicts: list[CaseVerdict] = []
        self._editable = False
        self._filled = 0
        self._timer = qt.QTimer()
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self._fillSome)
        self._settling = singleShotTimer(self._select, _SETTLE_MS)
        table.setColumnCount(3)
        table.setHorizontalHeaderLabels([_("Case"), _("mL"), _("Verdict")])
        table.horizontalHeaderItem(1).setToolTip(_("Volume"))
        table.horizontalHeaderItem(2).setToolTip(_("Accepted, flagged, excluded or unreadable, with the reason"))
        metrics = table.fontMetrics()
        for column, (text, more) in enumerate(zip(_USUAL, (_TICK, 0), strict=True)):
            table.setColumnWidth(column, metrics.horizontalAdvance(text) + more + _SPACE)
        self._rowHeight = metrics.lineSpacing() + _SPACE
        table.verticalHeader().setDefaultSectionSize(self._rowHeight)
        table.connect("itemChanged(QTableWidgetItem*)", self._onItemChanged)
        table.connect("itemSelectionChanged()", self._settling.start)

    @property
    def verdicts(self) -> list[CaseVerdict]:
        """The verdicts shown, including manual decisions."""
        return list(self._verdicts)

    def show(self, verdicts: list[CaseVerdict], *, editable: bool) -> None:
        """Show verdicts, which the user may change if they are editable."""
        if (verdicts, editable) == (self._verdicts, self._editable):
            return
        self._verdicts, self._editable = list(verdicts), editable
        self._table.setSortingEnabled(False)
        self._table.setRowCount(0)
        self._table.setRowCount(len(verdicts))
        rows = min(len(verdicts), _MOST_ROWS)
        header = self._table.horizontalHeader().sizeHint.height()
        self._table.setFixedHeight(header + rows * self._rowHeight + 2 * self._table.frameWidth)
        self._filled = 0
        self._fillSome()
        if self._filled < len(verdicts):
            self._timer.start()

    @property
    def selected(self) -> CaseVerdict | None:
        """The verdict on the selected case; None if no case is selected."""
        rows = self._table.selectionModel().selectedRows(0)
        item = self._table.item(rows[0].row(), 0) if rows else None
        return self._verdictOn(item.data(qt.Qt.UserRole)) if item is not None else None

    def deselect(self) -> None:
        """Select no case."""
        self._table.clearSelection()

    def release(self) -> None:
        """Stop filling the table, and forget a selection that has not been reported yet."""
        self._timer.stop()
        self._settling.stop()

    def _select(self) -> None:
        self.onSelected(self.selected)

    def _verdictOn(self, caseID: str) -> CaseVerdict | None:
        return next((verdict for verdict in self._verdicts if verdict.id == caseID), None)

    def _fillSome(self) -> None:
        blocked = self._table.blockSignals(True)
        end = min(self._filled + _ROWS_PER_TURN, len(self._verdicts))
        for row in range(self._filled, end):
            self._fill(row, self._verdicts[row])
        self._filled = end
        self._table.blockSignals(blocked)
        if self._filled == len(self._verdicts):
            self._timer.stop()
            self._table.setSortingEnabled(True)

    def _fill(self, row: int, verdict: CaseVerdict) -> None:
        case, volume, reason = (qt.QTableWidgetItem(text) for text in (verdict.id, "", verdictText(verdict)))
        case.setData(qt.Qt.UserRole, verdict.id)
        flags = qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable
        # Without thyroid or trachea a case cannot be included.
        tickable = self._editable and verdict.features is not None
        case.setFlags(flags | qt.Qt.ItemIsUserCheckable if tickable else flags)
        case.setCheckState(qt.Qt.Checked if verdict.accepted else qt.Qt.Unchecked)
        if verdict.features is not None:
            # Padded, so that the column is sorted by number.
            decimals = FEATURE_DECIMALS["volume_ml"]
            volume.setText(f"{verdict.features['volume_ml']:{_DIGITS}.{decimals}f}")
        volume.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
        for column, item in enumerate((case, volume, reason)):
            if column:
                item.setFlags(flags)
            item.setToolTip(caseText(verdict))
            self._table.setItem(row, column, item)

    def _onItemChanged(self, item) -> None:
        if item.column() != 0:
            return
        verdict, accepted = self._verdictOn(item.data(qt.Qt.UserRole)), item.checkState() == qt.Qt.Checked
        if verdict is None or verdict.accepted == accepted:
            return
        decided = replace(verdict, accepted=accepted)
        self._verdicts[self._verdicts.index(verdict)] = decided
        blocked = self._table.blockSignals(True)
        self._table.item(item.row(), 2).setText(verdictText(decided))
        for column in range(3):
            self._table.item(item.row(), column).setToolTip(caseText(decided))
        self._table.blockSignals(blocked)
        self.onDecided()
