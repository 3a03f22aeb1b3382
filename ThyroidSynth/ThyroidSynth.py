"""The ThyroidSynth module of 3D Slicer.

Slicer imports this file at every start, whether or not the module is opened. Everything from ThyroidSynthLib
is therefore imported where it is first used.
"""

from __future__ import annotations

import sys
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


class ThyroidSynth(ScriptedLoadableModule):
    """Title, help and acknowledgement of the module; registers the sample case."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = "ThyroidSynth"
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Shape Analysis")]
        self.parent.dependencies = []
        self.parent.contributors = ["ThyroidSynth contributors"]
        self.parent.helpText = _(
            "Learns the shapes of thyroids from TotalSegmentator segmentations, generates new thyroids with a given "
            "volume, isthmus area and symmetry at a patient's trachea, and edits the patient's own thyroid over the "
            "CT. Only training needs PyTorch, which is installed after asking. "
            "Research software, not for clinical use. "
            '<a href="https://github.com/ThyroidSynth/SlicerThyroidSynth">Documentation</a>'
        )
        self.parent.acknowledgementText = _(
            "Implements B. de Wilde, M. T. Rietberg et al., Steerable Anatomical Shape Synthesis with Implicit "
            'Neural Representations, <a href="https://arxiv.org/abs/2504.03313">arXiv:2504.03313</a>. '
            "Segmentations come from TotalSegmentator (J. Wasserthal et al., Radiology: Artificial Intelligence "
            "2023)."
        )
        # The other modules exist only once all have been loaded.
        slicer.app.connect("startupCompleted()", registerSampleData)
        slicer.app.connect("startupCompleted()", shareIcon)


def registerSampleData():
    """List the sample case in the module Sample Data."""
    from ThyroidSynthLib.slicer.panel.sample_data import registerSampleCase

    registerSampleCase()


def shareIcon():
    """Show the module's icon beside ThyroidSynthTrain, too: a CLI module has no icon of its own in Slicer."""
    training = getattr(slicer.modules, "thyroidsynthtrain", None)
    if training is not None:
        training.action().setIcon(slicer.modules.thyroidsynth.icon)


OLDEST_SLICER = (5, 12)


def slicerProblem():
    """Return why the module cannot be used in this Slicer; empty if it can."""
    version = slicer.app.majorVersion, slicer.app.minorVersion
    try:
        # Asks the user before it installs a package; new in 5.12.
        from slicer import packaging
    except ImportError:
        packaging = None
    if version >= OLDEST_SLICER and packaging is not None:
        return ""
    return _(
        "ThyroidSynth needs Slicer {needed} or newer; this is Slicer {version}. Install a newer Slicer from "
        "download.slicer.org, and ThyroidSynth there in the Extensions Manager."
    ).format(needed="{}.{}".format(*OLDEST_SLICER), version=slicer.app.applicationVersion)


class ThyroidSynthWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Creates the panel and hands it the parameter node of the scene while the module is open."""

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
        problem = slicerProblem()
        if problem:
            # Nothing else is loaded: the library uses what an older Slicer does not have.
            self._showProblem(problem)
            return
        from ThyroidSynthLib.slicer.panel.panel import Panel

        self.logic = ThyroidSynthLogic()
        self.panel = Panel(Path(self.resourcePath("UI")))
        self.layout.addWidget(self.panel.widget)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartImportEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndClose)
        self.initializeParameterNode()

    def _showProblem(self, text):
        import qt

        label = qt.QLabel(text)
        label.objectName = "problemLabel"
        label.wordWrap = True
        self.layout.addWidget(label)

    def cleanup(self):
        if self.panel is not None:
            self.setParameterNode(None)
        self.removeObservers()
        if self.panel is not None:
            self.panel.close()

    def onReload(self):
        """Reload the library as well: Slicer reads only this file again."""
        for name in [name for name in sys.modules if name.partition(".")[0] == "ThyroidSynthLib"]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def enter(self):
        self.initializeParameterNode()

    def exit(self):
        if self.panel is not None and not self.panel.busy:
            self.setParameterNode(None)

    def onSceneStartClose(self, caller, event):
        self.panel.cancel()
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event):
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self):
        if self.panel is None:
            return
        if slicer.mrmlScene.IsClosing() or slicer.mrmlScene.IsImporting():
            return
        self.setParameterNode(self.logic.getParameterNode())

    def setParameterNode(self, parameterNode):
        """Connect the panel to a parameter node; None disconnects it."""
        if self._parameterNode is not None:
            self._parameterNode.disconnectGui(self._guiTag)
            self.removeObserver(self._parameterNode, self._modified, self._onParametersModified)
        self._parameterNode, self._guiTag = parameterNode, None
        if parameterNode is not None:
            self._guiTag = parameterNode.connectGui(self.panel.sections)
            # Observed after connectGui, so that the widgets already hold the new values when the panel refreshes.
            self.addObserver(parameterNode, self._modified, self._onParametersModified)
        self.panel.setParameters(parameterNode)

    def _onParametersModified(self, caller, event):
        self.panel.refresh()


class ThyroidSynthLogic(ScriptedLoadableModuleLogic):
    """Wraps the module's parameter node with its typed fields."""

    def getParameterNode(self):
        from ThyroidSynthLib.slicer.panel.shared.parameters import ThyroidSynthParameterNode

        return ThyroidSynthParameterNode(super().getParameterNode())


class ThyroidSynthTest(ScriptedLoadableModuleTest):
    """Test of the main flow in Slicer, see `ThyroidSynthLib.slicer.panel.self_test`."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        self.setUp()
        self.test_MainFlow()

    def test_MainFlow(self):
        from ThyroidSynthLib.slicer.panel.self_test import runMainFlow

        runMainFlow(self)
