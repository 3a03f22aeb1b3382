"""ThyroidSynth: generate thyroid shapes over a patient's CT. The shell: all it does is in ThyroidSynthLib."""

from __future__ import annotations

from pathlib import Path

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from ThyroidSynthLib.slicer.panel.panel import Panel
from ThyroidSynthLib.slicer.panel.sample_data import registerSampleData
from ThyroidSynthLib.slicer.panel.shared.parameters import ThyroidSynthParameterNode


class ThyroidSynth(ScriptedLoadableModule):
    """Describes the module to Slicer."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = "ThyroidSynth"
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Shape Analysis")]
        self.parent.dependencies = []
        self.parent.contributors = ["ThyroidSynth contributors"]
        self.parent.helpText = _(
            "Learns the shapes of thyroids from TotalSegmentator segmentations, generates new thyroids with a given "
            "volume, isthmus area and symmetry at a patient's trachea, and edits the patient's own thyroid over the "
            "CT. PyTorch is installed on first use, after asking. Research software, not for clinical use. "
            '<a href="https://github.com/ThyroidSynth/SlicerThyroidSynth">Documentation</a>'
        )
        self.parent.acknowledgementText = _(
            "Implements B. de Wilde, M. T. Rietberg et al., Steerable Anatomical Shape Synthesis with Implicit "
            'Neural Representations, <a href="https://arxiv.org/abs/2504.03313">arXiv:2504.03313</a>. '
            "Segmentations come from TotalSegmentator (J. Wasserthal et al., Radiology: Artificial Intelligence "
            "2023)."
        )
        # Only then are the other modules there.
        slicer.app.connect("startupCompleted()", registerSampleData)


class ThyroidSynthWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Connects the panel with the application: scene, parameter node, entering and leaving."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        from vtk import vtkCommand

        self._modified = vtkCommand.ModifiedEvent
        self.logic = None
        self.panel = None
        self._parameterNode = None
        self._guiTag = None

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        self.logic = ThyroidSynthLogic()
        self.panel = Panel(Path(self.resourcePath("UI")), Path(self.resourcePath("requirements.txt")))
        self.layout.addWidget(self.panel.widget)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartImportEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndClose)
        self.initializeParameterNode()

    def cleanup(self):
        self.setParameterNode(None)
        self.removeObservers()
        if self.panel is not None:
            self.panel.close()

    def enter(self):
        self.initializeParameterNode()

    def exit(self):
        if not self.panel.busy:
            self.setParameterNode(None)

    def onSceneStartClose(self, caller, event):
        self.panel.cancel()
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event):
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self):
        if slicer.mrmlScene.IsClosing() or slicer.mrmlScene.IsImporting():
            return
        self.setParameterNode(self.logic.getParameterNode())

    def setParameterNode(self, parameterNode):
        """Follow another parameter node, or none."""
        if self._parameterNode is not None:
            self._parameterNode.disconnectGui(self._guiTag)
            self.removeObserver(self._parameterNode, self._modified, self._onParametersModified)
        self._parameterNode, self._guiTag = parameterNode, None
        if parameterNode is not None:
            self._guiTag = parameterNode.connectGui(self.panel.sections)
            # After connectGui: the panel refines what the connection has just written into the widgets.
            self.addObserver(parameterNode, self._modified, self._onParametersModified)
        self.panel.setParameters(parameterNode)

    def _onParametersModified(self, caller, event):
        self.panel.refresh()


class ThyroidSynthLogic(ScriptedLoadableModuleLogic):
    """Gives the typed parameter node; the work is done by ThyroidSynthLib."""

    def getParameterNode(self):
        return ThyroidSynthParameterNode(super().getParameterNode())


class ThyroidSynthTest(ScriptedLoadableModuleTest):
    """The main flow inside Slicer, by the panel: load, generate, steer, fit, edit, keep, export, save, reopen."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        self.setUp()
        self.test_MainFlow()

    def test_MainFlow(self):
        from ThyroidSynthLib.slicer.panel.self_test import runMainFlow

        runMainFlow(self)
