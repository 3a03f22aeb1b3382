"""The table of an edit: each feature before and now, and the difference."""

from __future__ import annotations

from collections.abc import Mapping

import qt

from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.slicer.panel.shared.wording import featureText

from .wording import changeText

_COLUMNS = 3
_NO_VALUE = "–"


class EditTable:
    """Shows the features of a thyroid before and after an edit, one per row in the order of `FEATURE_NAMES`."""

    def __init__(self, table) -> None:
        self._table = table
        header = table.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        # The longest texts; the other columns leave it the rest of a narrow panel.
        header.setSectionResizeMode(_COLUMNS - 1, qt.QHeaderView.Stretch)
        for row in range(len(FEATURE_NAMES)):
            for column in range(_COLUMNS):
                item = qt.QTableWidgetItem(_NO_VALUE)
                item.setTextAlignment(qt.Qt.AlignCenter)
                table.setItem(row, column, item)

    def show(self, before: Mapping[str, float], now: Mapping[str, float]) -> None:
        """Show the features of the original thyroid and of its edit."""
        for row, name in enumerate(FEATURE_NAMES):
            values = featureText(name, before[name]), featureText(name, now[name])
            self._write(row, *values, changeText(name, before[name], now[name]))

    def clear(self) -> None:
        """Show no values."""
        for row in range(len(FEATURE_NAMES)):
            self._write(row, *([_NO_VALUE] * _COLUMNS))

    def _write(self, row: int, *texts: str) -> None:
        for column, text in enumerate(texts):
            self._table.item(row, column).setText(text)
