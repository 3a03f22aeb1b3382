"""Widgets of Slicer that know a scene: base widget, slider, spin box, range, collapsible button."""

from __future__ import annotations

import vtk
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Property, Signal, Slot

from .properties import inner, stored
from .signals import accepted_arguments
from .strictness import faults
from .widgets_ctk import ctkCollapsibleButton
from .widgets_numbers import ctkDoubleSpinBox, ctkRangeWidget, ctkSliderWidget


class Observers:
    """Observations of VTK objects that a widget owns; they end with the widget."""

    def __init__(self, owner: QtCore.QObject) -> None:
        self._tags: list[tuple[vtk.vtkObject, int]] = []
        owner.destroyed.connect(self.clear)

    def add(self, vtk_object: vtk.vtkObject, event: int, function) -> None:
        """Observe an event; the function gets no arguments, or caller, event and the node concerned."""
        wants_node = accepted_arguments(function) != 0

        def on_event(caller, name, node=None) -> None:
            try:
                function(caller, name, node) if wants_node else function()
            except Exception as error:
                faults.add_exception(f"observer of {name}", error)

        if wants_node:
            on_event.CallDataType = vtk.VTK_OBJECT
        self._tags.append((vtk_object, vtk_object.AddObserver(event, on_event)))

    def clear(self) -> None:
        """End all observations."""
        for vtk_object, tag in self._tags:
            vtk_object.RemoveObserver(tag)
        self._tags.clear()


class HasScene:
    """Scene of a widget: slot ``setMRMLScene``, invokable ``mrmlScene``."""

    def mrmlScene(self):
        return self.__dict__.get("_scene")


class qMRMLWidget(QtWidgets.QWidget, HasScene):
    """Widget that knows a scene and hands it on through its signal."""

    VTK_SIGNATURES = ("setMRMLScene(vtkMRMLScene*)", "mrmlSceneChanged(vtkMRMLScene*)")
    mrmlSceneChanged = Signal(object)

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self._scene = None

    @Slot(object)
    def setMRMLScene(self, scene) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


class qSlicerWidget(QtWidgets.QWidget):
    """Same, of the application; it does not show ``mrmlScene`` to Python."""

    VTK_SIGNATURES = qMRMLWidget.VTK_SIGNATURES
    mrmlSceneChanged = Signal(object)

    @Slot(object)
    def setMRMLScene(self, scene) -> None:
        if scene is not self.__dict__.get("_scene"):
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


class qMRMLCollapsibleButton(ctkCollapsibleButton):
    """Collapsible button that hands a scene on; it does not show ``mrmlScene`` to Python."""

    VTK_SIGNATURES = qMRMLWidget.VTK_SIGNATURES
    mrmlSceneChanged = Signal(object)

    @Slot(object)
    def setMRMLScene(self, scene) -> None:
        if scene is not self.__dict__.get("_scene"):
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


class qMRMLSliderWidget(ctkSliderWidget, HasScene):
    """Slider that may take its suffix from the units of the scene (here: has none of them)."""

    VTK_SIGNATURES = ("setMRMLScene(vtkMRMLScene*)",)

    @Slot(object)
    def setMRMLScene(self, scene) -> None:
        self._scene = scene

    @Slot(str)
    def setQuantity(self, quantity: str) -> None:
        self._quantity = quantity

    quantity = Property(str, lambda self: self.__dict__.get("_quantity", ""), setQuantity)
    unitAwareProperties = stored(int, 0x27)
    orientation = inner(int, "_slider", "orientation")


class qMRMLSpinBox(ctkDoubleSpinBox, HasScene):
    """Spin box that may take its suffix from the units of the scene."""

    VTK_SIGNATURES = ("setMRMLScene(vtkMRMLScene*)",)

    @Slot(object)
    def setMRMLScene(self, scene) -> None:
        self._scene = scene

    quantity = stored(str, "")


class qMRMLRangeWidget(ctkRangeWidget):
    """Range widget that may take its suffix from the units of the scene."""

    VTK_SIGNATURES = ("setMRMLScene(vtkMRMLScene*)",)

    @Slot(object)
    def setMRMLScene(self, scene) -> None:
        self._scene = scene

    quantity = stored(str, "")


MRML_WIDGETS = (
    qMRMLWidget,
    qSlicerWidget,
    qMRMLCollapsibleButton,
    qMRMLSliderWidget,
    qMRMLSpinBox,
    qMRMLRangeWidget,
)
