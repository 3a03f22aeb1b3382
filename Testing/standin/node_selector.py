"""Selector of nodes of Slicer (``qMRMLNodeComboBox``) over a real scene."""

from __future__ import annotations

import vtk
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Property, Signal, Slot

from .properties import inner, stored
from .strictness import faults
from .widgets_ctk import ctkComboBox
from .widgets_mrml import HasScene, Observers

NODE_ID, ACTION = QtCore.Qt.UserRole, QtCore.Qt.UserRole + 1


class qMRMLNodeComboBox(QtWidgets.QWidget, HasScene):
    """Selector of nodes of given classes.

    An inner combo box of Qt holds "None", one line per node and the actions, in this order, so that what
    is current after adding and removing nodes follows Qt's own rules, as in Slicer:

    - ``currentNodeChanged`` is sent when the *text* of the current line changes: renaming the current
      node sends it, going to another node of the same name does not;
    - without ``noneEnabled`` and with any action (``addEnabled`` and ``removeEnabled`` are on by default)
      a first node is not chosen by itself; without actions it is.
    """

    VTK_SIGNATURES = (
        "setMRMLScene(vtkMRMLScene*)",
        "setCurrentNode(vtkMRMLNode*)",
        "currentNodeChanged(vtkMRMLNode*)",
        "nodeActivated(vtkMRMLNode*)",
        "nodeAdded(vtkMRMLNode*)",
        "nodeAddedByUser(vtkMRMLNode*)",
        "nodeAddedByUserAction(vtkMRMLNode*)",
        "nodeAboutToBeRemoved(vtkMRMLNode*)",
        "nodeAboutToBeEdited(vtkMRMLNode*)",
    )
    currentNodeChanged = Signal((object,), (bool,))
    currentNodeIDChanged = Signal(str)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeAddedByUserAction = Signal(object)
    nodeAboutToBeRemoved = Signal(object)
    nodeAboutToBeEdited = Signal(object)
    currentNodeRenamed = Signal(str)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._scene = None
        self._requested = None
        self._switching = False
        self._attributes: dict[tuple[str, str], str | None] = {}
        self._base_names: dict[str, str] = {}
        self._labels: dict[str, str] = {}
        self._observers, self._node_observers = Observers(self), Observers(self)
        self._combo = ctkComboBox(self)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo)
        self.setSizePolicy(QtWidgets.QSizePolicy.Preferred, QtWidgets.QSizePolicy.Fixed)
        self._combo.connect("currentTextChanged(QString)", self._emit_current)
        self._combo.connect("activated(int)", self._on_activated)
        self.setEnabled(False)

    # -- the lines of the combo box -------------------------------------------------------------------

    def _shows(self, node) -> bool:
        if node is None or (node.GetHideFromEditors() and not self.showHidden):
            return False
        for kind in self.nodeTypes:
            if node.IsA(kind) if self.showChildNodeTypes else node.GetClassName() == kind:
                if any(node.IsA(hidden) for hidden in self.hideChildNodeTypes):
                    continue
                expected = {name: value for (of, name), value in self._attributes.items() if of == kind}
                values = {name: node.GetAttribute(name) for name in expected}
                if all(
                    found is not None and value in (None, found)
                    for value, found in ((expected[name], values[name]) for name in expected)
                ):
                    return True
        return False

    def _listed_ids(self) -> list[str]:
        ids = [self._combo.itemData(row, NODE_ID) for row in range(self._combo.count)]
        return [each for each in ids if each]

    def _insert_node(self, node) -> None:
        row = self.noneEnabled + len(self._listed_ids())
        self._combo.insertItem(row, node.GetName() or "", node.GetID())
        self._node_observers.add(node, vtk.vtkCommand.ModifiedEvent, self._on_node_modified)
        self.nodeAdded.emit(node)

    def _on_node_modified(self, node, event, data) -> None:
        row = self._combo.findData(node.GetID())
        if row >= 0 and not self._shows(node):
            self._remove_row(row)
        elif row >= 0 and self._combo.itemText(row) != (node.GetName() or ""):
            self._combo.setItemText(row, node.GetName() or "")

    def _on_node_added(self, scene, event, node) -> None:
        if self._shows(node) and self._combo.findData(node.GetID()) < 0:
            self._insert_node(node)

    def _on_node_removed(self, scene, event, node) -> None:
        row = self._combo.findData(node.GetID()) if node is not None else -1
        if row >= 0:
            self.nodeAboutToBeRemoved.emit(node)
            self._remove_row(row)

    def _remove_row(self, row: int) -> None:
        self._combo.removeItem(row)
        if self.currentNode() is None:
            self.setCurrentNode(None)

    def _rebuild(self) -> None:
        """Make all lines anew and keep the current node if it is still listed."""
        if "_combo" not in self.__dict__:
            return
        current = self.currentNode()
        blocked = self._combo.blockSignals(True)
        self._switching = True
        self._node_observers.clear()
        self._combo.clear()
        if self._scene is not None:
            if self.noneEnabled:
                self._combo.addItem(self.noneDisplay)
            for label, action in self._actions():
                self._combo.addItem(label)
                self._combo.setItemData(self._combo.count - 1, action, ACTION)
            for index in range(self._scene.GetNumberOfNodes()):
                node = self._scene.GetNthNode(index)
                if self._shows(node):
                    self._insert_node(node)
        self._combo.defaultText = f"Select a {self.nodeTypeLabel(next(iter(self.nodeTypes), ''))}"
        kept = current if current is not None and self._shows(current) else None
        self._select(kept.GetID() if kept is not None else "")
        self._combo.blockSignals(blocked)
        self._switching = False
        if current is not kept:
            self._emit_current()

    def _actions(self) -> list[tuple[str, str]]:
        label = self.nodeTypeLabel(self.nodeTypes[0] if len(self.nodeTypes) == 1 else "")
        actions = []
        if self.renameEnabled:
            actions.append((f"Rename current {label}", "RENAME"))
        if self.editEnabled:
            actions.append((f"Edit current {label}", "EDIT"))
        if self.addEnabled:
            actions += [(f"Create new {self.nodeTypeLabel(each)}", f"CREATE/{each}") for each in self.nodeTypes]
        if self.removeEnabled:
            actions.append((f"Delete current {label}", "DELETE"))
        return actions

    def _select(self, node_id: str) -> None:
        row = self._combo.findData(node_id) if node_id else -1
        self._combo.setCurrentIndex(row if row >= 0 else (0 if self.noneEnabled and self._combo.count else -1))

    def _emit_current(self, *_text) -> None:
        if self._switching:
            return
        row, node = self._combo.currentIndex, self.currentNode()
        if node is None and row != (0 if self.noneEnabled else -1):
            listed = self._listed_ids()  # an action became current: go to the last node instead
            if listed:
                self.setCurrentNodeID(listed[-1])
            return
        self.currentNodeChanged[object].emit(node)
        self.currentNodeChanged[bool].emit(node is not None)
        self.currentNodeIDChanged.emit(node.GetID() if node is not None else "")

    def _on_activated(self, row: int) -> None:
        action = self._combo.itemData(row, ACTION)
        if not action:
            self.nodeActivated.emit(self.currentNode())
        elif action.startswith("CREATE/"):
            node = self.addNode(action.partition("/")[2])
            self.setCurrentNode(node)
            self.nodeAddedByUserAction.emit(node)
        elif action == "DELETE":
            self.removeCurrentNode()
        elif action == "EDIT":
            self.editCurrentNode()
        else:
            self.renameCurrentNode()

    # -- what Python sees -----------------------------------------------------------------------------

    @Slot(object)
    def setMRMLScene(self, scene) -> None:
        if scene is self._scene:
            return
        self._observers.clear()
        self._scene = scene
        self._rebuild()
        if scene is not None:
            self._observers.add(scene, scene.NodeAddedEvent, self._on_node_added)
            self._observers.add(scene, scene.NodeRemovedEvent, self._on_node_removed)
            self._observers.add(scene, scene.EndBatchProcessEvent, self._rebuild)
        requested, self._requested = self._requested, None
        if requested:
            self.setCurrentNodeID(requested)
        self.setEnabled(scene is not None)

    def currentNode(self):
        node_id = self._combo.itemData(self._combo.currentIndex, NODE_ID) if self._scene is not None else None
        return self._scene.GetNodeByID(node_id) if node_id else None

    @Slot(object)
    def setCurrentNode(self, node) -> None:
        if isinstance(node, str):
            raise TypeError("setCurrentNode takes a node; a node ID goes to setCurrentNodeID.")
        self.setCurrentNodeID(node.GetID() or "" if node is not None else "")

    @Slot(str)
    def setCurrentNodeID(self, node_id: str) -> None:
        if self._scene is None:
            self._requested = node_id
        else:
            self._select(node_id)

    @Slot(int)
    def setCurrentNodeIndex(self, index: int) -> None:
        index = -1 if index >= self.nodeCount() else index
        self._combo.setCurrentIndex(index + self.noneEnabled)

    def nodeCount(self) -> int:
        return len(self._listed_ids()) if self._scene is not None else 0

    def nodeFromIndex(self, index: int):
        listed = self._listed_ids()
        return self._scene.GetNodeByID(listed[index]) if 0 <= index < len(listed) else None

    def addAttribute(self, kind: str, name: str, value=None) -> None:
        self._attributes[kind, name] = None if value is None else str(value)
        self._rebuild()

    def removeAttribute(self, kind: str, name: str) -> None:
        self._attributes.pop((kind, name), None)
        self._rebuild()

    def setNodeTypeLabel(self, label: str, kind: str) -> None:
        self._labels[kind] = label
        self._rebuild()

    def nodeTypeLabel(self, kind: str) -> str:
        if kind in self._labels or self._scene is None or not kind:
            return self._labels.get(kind, "node")
        return self._scene.GetTypeDisplayNameByClassName(kind) or "node"

    def addNode(self, kind: str | None = None):
        if not self.nodeTypes or (kind is not None and kind not in self.nodeTypes):
            faults.add("qMRMLNodeComboBox", f"addNode({kind!r}): not among the node types {self.nodeTypes}")
            return None
        kind = kind or self.nodeTypes[0]
        node = self._scene.CreateNodeByClass(kind)
        node.UnRegister(None)
        base_name = self._base_names.get(kind) or node.GetDefaultNodeNamePrefix()
        node.SetName(self._scene.GetUniqueNameByString(base_name))
        for (_, name), value in self._attributes.items():
            node.SetAttribute(name, value or "")
        node = self._scene.AddNode(node)
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    @Slot()
    def removeCurrentNode(self) -> None:
        self._scene.RemoveNode(self.currentNode())

    @Slot()
    def editCurrentNode(self) -> None:
        self.nodeAboutToBeEdited.emit(self.currentNode())

    @Slot()
    def renameCurrentNode(self) -> None:
        node = self.currentNode()
        name = QtWidgets.QInputDialog.getText(self, "Rename", "New name:") if node is not None else ""
        if name:
            node.SetName(name)
            self.currentNodeRenamed.emit(name)

    def _set_base_name(self, name: str) -> None:
        if not self.nodeTypes:
            faults.add("qMRMLNodeComboBox", "setBaseName failed: no node types have been set yet")
        self._base_names.update(dict.fromkeys(self.nodeTypes, name))

    def _get_base_name(self) -> str:
        return self._base_names.get(self.nodeTypes[0], "") if self.nodeTypes else ""

    currentNodeID = Property(
        str,
        lambda self: self.currentNode().GetID() if self.currentNode() is not None else "",
        setCurrentNodeID,
        notify=currentNodeIDChanged,
    )
    nodeTypes = stored("QStringList", (), _rebuild)
    showHidden = stored(bool, False, _rebuild)
    showChildNodeTypes = stored(bool, True, _rebuild)
    hideChildNodeTypes = stored("QStringList", (), _rebuild)
    baseName = Property(str, _get_base_name, _set_base_name)
    noneEnabled = stored(bool, False, _rebuild)
    addEnabled = stored(bool, True, _rebuild)
    removeEnabled = stored(bool, True, _rebuild)
    editEnabled = stored(bool, False, _rebuild)
    renameEnabled = stored(bool, False, _rebuild)
    interactionNodeSingletonTag = stored(str, "")
    selectNodeUponCreation = stored(bool, True)
    noneDisplay = stored(str, "None", _rebuild)
    sizeAdjustPolicy = inner(int, "_combo", "sizeAdjustPolicy")
