"""The verdicts on the cases of a training, with a tick for each that the user may set otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import qt
from slicer.i18n import tr as _

from ThyroidSynthLib.dataset.quality_table import CaseVerdict
from ThyroidSynthLib.geometry.features import FEATURE_NAMES

# Rows filled in one turn of the event loop: a thousand cases must not freeze the window.
_ROWS_A_TURN = 100
_WIDTHS = (78, 70, 72, 84)
_ROW_HEIGHT = 23
_DECIMALS = {"volume_ml": 1, "isthmus_area_mm2": 0, "symmetry": 2}


class CasesTable:
    """Fills a table with verdicts and tells when the user ticks one.

    Parameters
    ----------
    table : QTableWidget
        The table.

    Attributes
    ----------
    onDecided : callable
        Called when the user has ticked or unticked a case.
    """

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
        # The second line is a unit.
        names = [_("Case"), _("Volume\nmL"), _("Isthmus\nmm²"), _("Symmetry"), _("Verdict")]
        table.setHorizontalHeaderLabels(names)
        for column, width in enumerate(_WIDTHS):
            table.setColumnWidth(column, width)
        table.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        table.connect("itemChanged(QTableWidgetItem*)", self._onItemChanged)

    @property
    def verdicts(self) -> list[CaseVerdict]:
        """The verdicts shown, with the user's word."""
        return list(self._verdicts)

    def show(self, verdicts: list[CaseVerdict], *, editable: bool) -> None:
        """Show verdicts; those of a training that has begun can be read only."""
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
        """Stop filling."""
        self._timer.stop()

    def _fillSome(self) -> None:
        blocked = self._table.blockSignals(True)
        end = min(self._filled + _ROWS_A_TURN, len(self._verdicts))
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
        # Without a gland and a trachea there is nothing to learn from, whatever the user says.
        if self._editable and verdict.features is not None:
            flags |= qt.Qt.ItemIsUserCheckable
        case.setFlags(flags)
        case.setCheckState(qt.Qt.Checked if verdict.accepted else qt.Qt.Unchecked)
        items = [case]
        for name in FEATURE_NAMES:
            item = qt.QTableWidgetItem()
            if verdict.features is not None:
                # A number, so that the column sorts by it.
                item.setData(qt.Qt.DisplayRole, round(float(verdict.features[name]), _DECIMALS[name]))
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
    """Give what is said of a case: first the verdict, then what was found."""
    if verdict.error:
        return [_("unreadable"), verdict.error]
    return [", ".join(verdict.reasons) or _("accepted"), *verdict.notes]
