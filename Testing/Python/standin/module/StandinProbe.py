"""A small scripted module of the usual shape, to try the stand-in with."""

import enum
import pathlib
from typing import Annotated

import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Default, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class StandinProbe(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Stand-in probe")
        self.parent.categories = ["Testing"]
        self.parent.helpText = _("Nothing to see.")


class Side(enum.Enum):
    LEFT = "left"
    RIGHT = "right"


@parameterNodeWrapper
class StandinProbeParameterNode:
    volume: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    amount: Annotated[float, WithinRange(0.0, 50.0)] = 20.0
    count: Annotated[int, WithinRange(1, 9), Default(3)]
    active: bool = True
    note: str
    folder: pathlib.Path
    side: Side = Side.RIGHT
    codes: list[float]
    limit: float | None


class StandinProbeWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.node = None
        self.tag = None
        self.events = []

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        panel = slicer.util.loadUI(self.resourcePath("UI/StandinProbe.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.logic = StandinProbeLogic()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.ui.applyButton.connect("clicked(bool)", self.onApply)
        self.connectNode()

    def cleanup(self):
        self.disconnectNode()
        self.removeObservers()

    def enter(self):
        self.connectNode()

    def exit(self):
        self.disconnectNode()

    def onSceneStartClose(self, caller, event):
        self.disconnectNode()

    def onSceneEndClose(self, caller, event):
        if self.parent.isEntered:
            self.connectNode()

    def connectNode(self):
        self.disconnectNode()
        self.node = self.logic.getParameterNode()
        self.tag = self.node.connectGui(self.ui)
        self.addObserver(self.node, vtk.vtkCommand.ModifiedEvent, self.onModified)
        self.onModified()

    def disconnectNode(self):
        if self.node is not None:
            self.node.disconnectGui(self.tag)
            self.removeObserver(self.node, vtk.vtkCommand.ModifiedEvent, self.onModified)
        self.node = None

    def onModified(self, caller=None, event=None):
        self.ui.applyButton.enabled = self.node.volume is not None

    def onApply(self):
        with slicer.util.tryWithErrorDisplay(_("Failed."), waitCursor=True):
            self.events.append(self.logic.voxels(self.node.volume))


class StandinProbeLogic(ScriptedLoadableModuleLogic):
    def getParameterNode(self):
        return StandinProbeParameterNode(super().getParameterNode())

    def voxels(self, volume):
        return slicer.util.arrayFromVolume(volume).size


class StandinProbeTest(ScriptedLoadableModuleTest):
    def runTest(self):
        self.assertIsNotNone(StandinProbeLogic().getParameterNode())
