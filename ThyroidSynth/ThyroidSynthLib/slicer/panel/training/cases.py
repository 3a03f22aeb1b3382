"""The table of cases: quality control, features, and a tick to include or exclude each case manually."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import qt
from slicer.i18n import tr as _

from ThyroidSynthLib.dataset.quality_table import CaseVerdict
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.slicer.panel.shared.wording import FEATURE_DECIMALS

# Rows filled per turn of the event loop, so that thousands of cases do not freeze the window.
_ROWS_PER_TURN = 100
_WIDTHS = (78, 70, 72, 84)
_ROW_HEIGHT = 23


class CasesTable:
    """Fills a table with verdicts, and calls `onDecided` when the user has ticked or unticked a case."""

    def __init__(self, table) -> None:
        self.onDecided: Callable[[], None] = lambda: None
        self._table = table
        self._verdicts: list[CaseVerdict] = []
        self._editable = False
        self._filled = 0
        self._timer = qt.QTimer()
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self._fillSome)
        table.setColumnCount(5)
        names = [_("Case"), _("Volume\nmL"), _("Isthmus\nmm²"), _("Symmetry"), _("Verdict")]
        table.setHorizontalHeaderLabels(names)
        for column, width in enumerate(_WIDTHS):
            table.setColumnWidth(column, width)
        table.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        table.connect("itemChanged(QTableWidgetItem*)", self._onItemChanged)

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
        self._filled = 0
        self._fillSome()
        if self._filled < len(verdicts):
            self._timer.start()

    def release(self) -> None:
        """Stop filling the table."""
        self._timer.stop()

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
        texts = verdictTexts(verdict)
        case = qt.QTableWidgetItem(verdict.id)
        case.setData(qt.Qt.UserRole, verdict.id)
        flags = qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable
        # Without thyroid or trachea a case cannot be included.
        if self._editable and verdict.features is not None:
            flags |= qt.Qt.ItemIsUserCheckable
        case.setFlags(flags)
        case.setCheckState(qt.Qt.Checked if verdict.accepted else qt.Qt.Unchecked)
        items = [case]
        for name in FEATURE_NAMES:
            item = qt.QTableWidgetItem()
            if verdict.features is not None:
                # Set as a number, so that the column is sorted by number.
                item.setData(qt.Qt.DisplayRole, round(float(verdict.features[name]), FEATURE_DECIMALS[name]))
            item.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
            items.append(item)
        items.append(qt.QTableWidgetItem(texts[0]))
        for column, item in enumerate(items):
            if column:
                item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
            item.setToolTip("\n".join(texts))
            self._table.setItem(row, column, item)

    def _onItemChanged(self, item) -> None:
        if item.column() != 0:
            return
        case_id, accepted = item.data(qt.Qt.UserRole), item.checkState() == qt.Qt.Checked
        for number, verdict in enumerate(self._verdicts):
            if verdict.id == case_id and verdict.accepted != accepted:
                self._verdicts[number] = replace(verdict, accepted=accepted)
                self.onDecided()
                return


def verdictTexts(verdict: CaseVerdict) -> list[str]:
    """Return the verdict on a case, followed by notes."""
    if verdict.error:
        return [_("unreadable"), verdict.error]
    return [", ".join(verdict.reasons) or _("accepted"), *verdict.notes]
