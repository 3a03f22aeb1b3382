"""Widgets of Slicer for segments and tables, over real MRML nodes."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Property, Signal, Slot

from .node_selector import qMRMLNodeComboBox
from .properties import inner, stored
from .strictness import faults
from .widgets_mrml import Observers, qMRMLWidget

SEGMENT_ID = QtCore.Qt.UserRole
_NO_SEGMENT = "None"


def _segment_ids(node) -> list[str]:
    segmentation = node.GetSegmentation() if node is not None else None
    if segmentation is None:
        return []
    return [segmentation.GetNthSegmentID(index) for index in range(segmentation.GetNumberOfSegments())]


class qMRMLSegmentSelectorWidget(qMRMLWidget):
    """Selector of a segmentation and of one of its segments.

    When the list of segments changes and the current one is not in it, the first becomes current and
    ``currentSegmentChanged`` is sent; when there is no segment left nothing is sent and
    ``currentSegmentID`` keeps its old value, as in Slicer.
    """

    VTK_SIGNATURES = (
        "setCurrentNode(vtkMRMLNode*)",
        "currentNodeChanged(vtkMRMLNode*)",
        "nodeAboutToBeEdited(vtkMRMLNode*)",
    )
    currentNodeChanged = Signal((object,), (bool,))
    currentSegmentChanged = Signal(str)
    segmentSelectionChanged = Signal("QStringList")
    nodeAboutToBeEdited = Signal(object)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._node, self._segment_id = None, ""
        self._observers = Observers(self)
        self._nodes = qMRMLNodeComboBox(self)
        self._nodes.nodeTypes = ("vtkMRMLSegmentationNode",)
        self._nodes.addEnabled = False
        self._nodes.renameEnabled = True
        self._segments = QtWidgets.QComboBox(self)
        self._message = QtWidgets.QLabel("No node is selected ", self)
        self._layout = QtWidgets.QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self._nodes, self._message, self._segments):
            self._layout.addWidget(widget)
        self._nodes.connect("currentNodeChanged(vtkMRMLNode*)", self._on_node)
        self._nodes.connect("currentNodeChanged(bool)", self.currentNodeChanged[bool].emit)
        self._segments.connect("currentIndexChanged(int)", self._on_segment)
        self.connect("mrmlSceneChanged(vtkMRMLScene*)", self._nodes.setMRMLScene)
        self._fill()

    def _on_node(self, node) -> None:
        if node is not self._node:
            self._observers.clear()
            self._node = node
            if node is not None:
                import slicer

                for event in ("SegmentAdded", "SegmentRemoved", "SegmentModified"):
                    self._observers.add(node, getattr(slicer.vtkSegmentation, event), self._fill)
            self._fill()
        self.currentNodeChanged[object].emit(node)

    def _fill(self) -> None:
        blocked = self._segments.blockSignals(True)
        self._segments.clear()
        ids = _segment_ids(self._node)
        missing = "No segments in segmentation " if self._node is not None else "No node is selected "
        self._message.setText("" if ids else missing)
        self._message.setVisible(not ids)
        self._segments.setVisible(bool(ids))
        if ids and self.noneEnabled:
            self._segments.addItem(_NO_SEGMENT, _NO_SEGMENT)
        for segment_id in ids:
            self._segments.addItem(self._node.GetSegmentation().GetSegment(segment_id).GetName(), segment_id)
        self._segments.setCurrentIndex(0 if self._segments.count else -1)
        known = self._segment_id in ids or (self.noneEnabled and not self._segment_id)
        if ids and known:
            self.setCurrentSegmentID(self._segment_id)
        self._segments.blockSignals(blocked)
        if ids and not known:
            self._segments.blockSignals(True)
            self._segments.setCurrentIndex(-1)
            self._segments.blockSignals(blocked)
            self._segments.setCurrentIndex(1 if self.noneEnabled else 0)

    def _on_segment(self, row: int) -> None:
        if self._node is None:
            return
        chosen = self._segments.itemData(row) or ""
        self._segment_id = "" if chosen == _NO_SEGMENT else chosen
        self.currentSegmentChanged.emit(self._segment_id)

    def currentNode(self):
        return self._nodes.currentNode()

    def currentNodeID(self) -> str:
        return self._nodes.currentNodeID

    def currentSegmentID(self) -> str:
        return self._segment_id

    @Slot(object)
    def setCurrentNode(self, node) -> None:
        self._nodes.setCurrentNode(node)

    @Slot(str)
    def setCurrentNodeID(self, node_id: str) -> None:
        self._nodes.setCurrentNodeID(node_id)

    @Slot(str)
    def setCurrentSegmentID(self, segment_id: str) -> None:
        if not segment_id and self.noneEnabled:
            self._segments.setCurrentIndex(0)
            return
        row = self._segments.findData(segment_id)
        if row != -1 and row != self._segments.currentIndex:
            self._segments.setCurrentIndex(row)

    def _set_none_enabled(self, enabled: bool) -> None:
        self._nodes.noneEnabled = enabled
        self._fill()

    def _set_multi_selection(self, multiple: bool) -> None:
        if multiple:
            faults.add("qMRMLSegmentSelectorWidget", "the stand-in has no multiSelection")

    noneEnabled = Property(bool, lambda self: self._nodes.noneEnabled, _set_none_enabled)
    editEnabled = inner(bool, "_nodes", "editEnabled")
    # As in Slicer: false as well while the whole widget is not shown.
    segmentationNodeSelectorVisible = Property(
        bool, lambda self: self._nodes.isVisible(), lambda self, shown: self._nodes.setVisible(shown)
    )
    multiSelection = Property(bool, lambda self: False, _set_multi_selection)
    horizontalLayout = stored(bool, False)
    selectNodeUponCreation = inner(bool, "_nodes", "selectNodeUponCreation")


class qMRMLSegmentsTableView(qMRMLWidget):
    """Table of the segments of one segmentation: name, and whether each is visible."""

    VTK_SIGNATURES = ("setSegmentationNode(vtkMRMLNode*)",)
    selectionChanged = Signal(QtCore.QItemSelection, QtCore.QItemSelection)
    segmentAboutToBeModified = Signal(str)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._node = None
        self._observers = Observers(self)
        self._table = QtWidgets.QTableWidget(0, 1, self)
        self._table.setHorizontalHeaderLabels(["Name"])
        self._table.horizontalHeader().setStretchLastSection(True)
        self._table.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectRows)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._table)
        self._table.selectionModel().connect(
            "selectionChanged(QItemSelection,QItemSelection)", self.selectionChanged.emit
        )

    def segmentationNode(self):
        return self._node

    @Slot(object)
    def setSegmentationNode(self, node) -> None:
        self._observers.clear()
        self._node = node
        if node is not None:
            import slicer

            for event in ("SegmentAdded", "SegmentRemoved", "SegmentModified"):
                self._observers.add(node, getattr(slicer.vtkSegmentation, event), self._fill)
        self._fill()

    def _fill(self) -> None:
        ids = self.displayedSegmentIDs()
        self._table.setRowCount(len(ids))
        for row, segment_id in enumerate(ids):
            item = QtWidgets.QTableWidgetItem(self._node.GetSegmentation().GetSegment(segment_id).GetName())
            item.setData(SEGMENT_ID, segment_id)
            self._table.setItem(row, 0, item)

    def tableWidget(self):
        return self._table

    def displayedSegmentIDs(self) -> tuple[str, ...]:
        return tuple(_segment_ids(self._node))

    def selectedSegmentIDs(self) -> tuple[str, ...]:
        rows = sorted({index.row() for index in self._table.selectionModel().selectedRows()})
        return tuple(self._table.item(row, 0).data(SEGMENT_ID) for row in rows)

    def setSelectedSegmentIDs(self, segment_ids) -> None:
        self._table.clearSelection()
        for segment_id in segment_ids:
            if self.rowForSegmentID(segment_id) >= 0:
                self._table.selectRow(self.rowForSegmentID(segment_id))

    def clearSelection(self) -> None:
        self._table.clearSelection()

    def rowForSegmentID(self, segment_id: str) -> int:
        ids = self.displayedSegmentIDs()
        return ids.index(segment_id) if segment_id in ids else -1

    def segmentIDForRow(self, row: int) -> str:
        ids = self.displayedSegmentIDs()
        return ids[row] if 0 <= row < len(ids) else ""

    selectionMode = Property(
        int, lambda self: int(self._table.selectionMode), lambda self, mode: self._set_selection_mode(mode)
    )
    segmentCount = Property(int, lambda self: len(self.displayedSegmentIDs()))
    headerVisible = stored(bool, True)
    visibilityColumnVisible = stored(bool, True)
    colorColumnVisible = stored(bool, True)
    opacityColumnVisible = stored(bool, True)
    statusColumnVisible = stored(bool, False)
    layerColumnVisible = stored(bool, False)
    readOnly = stored(bool, False)
    filterBarVisible = stored(bool, False)
    textFilter = stored(str, "")
    jumpToSelectedSegmentEnabled = stored(bool, False)

    def _set_selection_mode(self, mode: int) -> None:
        self._table.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode(mode))


class qMRMLTableView(QtWidgets.QTableView):
    """View of a table node."""

    VTK_SIGNATURES = (
        "setMRMLScene(vtkMRMLScene*)",
        "setMRMLTableNode(vtkMRMLTableNode*)",
        "setMRMLTableNode(vtkMRMLNode*)",
        "mrmlSceneChanged(vtkMRMLScene*)",
    )
    mrmlSceneChanged = Signal(object)
    selectionChanged = Signal()

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._scene = self._node = None
        self._observers = Observers(self)
        from PySide6.QtGui import QStandardItemModel

        self._model = QStandardItemModel(self)
        self.setModel(self._model)

    def mrmlScene(self):
        return self._scene

    @Slot(object)
    def setMRMLScene(self, scene) -> None:
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)

    def mrmlTableNode(self):
        return self._node

    @Slot(object)
    def setMRMLTableNode(self, node) -> None:
        import vtk

        self._observers.clear()
        self._node = node
        if node is not None:
            self._observers.add(node, vtk.vtkCommand.ModifiedEvent, self._fill)
        self._fill()

    def _fill(self) -> None:
        from PySide6.QtGui import QStandardItem

        self._model.clear()
        node = self._node
        if node is None:
            return
        columns, rows = node.GetNumberOfColumns(), node.GetNumberOfRows()
        self._model.setHorizontalHeaderLabels([node.GetColumnName(column) for column in range(columns)])
        for row in range(rows):
            self._model.appendRow([QStandardItem(node.GetCellText(row, column)) for column in range(columns)])

    transposed = stored(bool, False)
    firstRowLocked = stored(bool, False)
    firstColumnLocked = stored(bool, False)


SEGMENT_WIDGETS = (qMRMLSegmentSelectorWidget, qMRMLSegmentsTableView, qMRMLTableView)
