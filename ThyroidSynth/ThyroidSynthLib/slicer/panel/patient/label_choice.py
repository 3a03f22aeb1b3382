"""The table in which the user chooses the labels of thyroid and trachea in a file without label names."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import qt
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.imaging.segmentations.label_files import label_volumes_ml
from ThyroidSynthLib.imaging.segmentations.opening import open_segmentation, segmentation_kind

_ROW_HEIGHT = 25
_ROWS_SHOWN = 6
# An image of gray values is no label map.
_MOST_LABELS = 300
_MOST_FILES = 5


class LabelChoice:
    """Lists the labels of a file with their volumes, and a combo box for each."""

    def __init__(self, table) -> None:
        self._table = table
        self._source: Path | None = None
        self._boxes: dict[int, qt.QComboBox] = {}
        table.setColumnCount(3)
        table.setHorizontalHeaderLabels([_("Label"), _("Volume"), _("Structure")])
        table.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        table.visible = False

    def offer(self, source: Path) -> str:
        """List the labels of a file, or of the first such file in a folder, if they have no names.

        Returns the name of the file; "" if there is none.
        """
        for path in _files(source):
            if self._list(source, path):
                return path.name
        return ""

    def _list(self, source: Path, path: Path) -> bool:
        self.forget()
        try:
            opened = open_segmentation(path)
            volumes = label_volumes_ml(path) if opened.kind == "labels" and not opened.named else {}
        except InputError:
            return False  # Searching the path reports the fault.
        if not 0 < len(volumes) <= _MOST_LABELS:
            return False
        self._source = source
        self._table.setRowCount(len(volumes))
        for row, (label, volume) in enumerate(volumes.items()):
            for column, text in enumerate((str(label), f"{volume:.1f} mL")):
                item = qt.QTableWidgetItem(text)
                item.setFlags(qt.Qt.ItemIsEnabled)
                self._table.setItem(row, column, item)
            box = qt.QComboBox()
            for text, name in _structures():
                box.addItem(text, name)
            box.toolTip = _("Choose what label {label} is").format(label=label)
            self._table.setCellWidget(row, 2, box)
            self._boxes[label] = box
        header = self._table.horizontalHeader().height or _ROW_HEIGHT
        self._table.setFixedHeight(header + _ROW_HEIGHT * min(len(volumes), _ROWS_SHOWN) + 4)
        self._table.visible = True
        return True

    def forget(self) -> None:
        """Hide the table, because another file or folder was chosen."""
        self._source = None
        self._boxes = {}
        self._table.setRowCount(0)
        self._table.visible = False

    def showFor(self, path: Path) -> None:
        """Hide the table unless it lists the labels of this file or folder."""
        if self._source is not None and path != self._source:
            self.forget()

    @property
    def labels(self) -> dict[int, str]:
        """The structures that the user has chosen, by label; empty without a choice."""
        chosen = {label: box.itemData(box.currentIndex) for label, box in self._boxes.items()}
        return {label: name for label, name in chosen.items() if name}


def _files(source: Path) -> list[Path]:
    """Return a file itself, or the files of a folder that may be label maps, the first ones of many."""
    if not source.is_dir():
        return [source]
    found = (path for path in sorted(source.rglob("*")) if path.is_file())
    return list(islice((path for path in found if segmentation_kind(path) == "labels"), _MOST_FILES))


def _structures() -> list[tuple[str, str]]:
    """Return the text and the name of what a label can be."""
    return [
        (_("other"), ""),
        (_("thyroid"), "thyroid"),
        (_("right lobe of the thyroid"), "thyroid right"),
        (_("left lobe of the thyroid"), "thyroid left"),
        (_("trachea"), "trachea"),
    ]
