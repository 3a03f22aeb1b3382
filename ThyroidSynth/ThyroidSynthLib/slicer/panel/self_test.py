"""Self test of the module in Slicer: the main flow, through the widgets of the panel."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import slicer

from ThyroidSynthLib.imaging.labels import THYROID
from ThyroidSynthLib.slicer.scene.terminology import find_segment
from ThyroidSynthLib.slicer.scene.thyroids.records import ThyroidRecord, read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID, generated_thyroids
from ThyroidSynthLib.slicer.scene.volumes import features_of_segment

_TIMEOUT_S = 180.0
# A step has ended when the panel has been idle for this long; an exact result follows a slider after a pause.
_IDLE_S = 1.0
_FACTOR = 1.05


def runMainFlow(test) -> None:
    """Load the sample case, generate, steer, fit, edit, undo, keep, export, save and reopen the scene.

    Parameters
    ----------
    test : ScriptedLoadableModuleTest
        Shows messages and provides the assertions.
    """
    flow = _Flow(test)
    flow.openSample()
    flow.generate()
    flow.edit()
    with tempfile.TemporaryDirectory() as name:
        flow.export(Path(name))
        flow.reopen(Path(name))
    test.delayDisplay("Test passed")


class _Flow:
    """The steps of the main flow."""

    def __init__(self, test) -> None:
        self.test = test
        slicer.util.selectModule("ThyroidSynth")
        self.widget = slicer.modules.thyroidsynth.widgetRepresentation().self()
        self.panel = self.widget.panel

    @property
    def parameters(self):
        return self.panel.session.parameters

    def show(self, message: str) -> None:
        self.test.delayDisplay(message)

    def wait(self, condition: Callable[[], bool] = lambda: True) -> None:
        """Process events until the panel is idle and a condition holds."""
        deadline, lastBusy = time.monotonic() + _TIMEOUT_S, time.monotonic()
        while not (condition() and time.monotonic() - lastBusy > _IDLE_S):
            self.test.assertLess(time.monotonic(), deadline, self.panel.bar.status.ui.statusLabel.text)
            slicer.app.processEvents()
            if self.panel.busy:
                lastBusy = time.monotonic()

    def click(self, button, condition: Callable[[], bool] = lambda: True) -> None:
        self.test.assertTrue(button.enabled, button.text)
        button.click()
        self.wait(condition)

    def openSample(self) -> None:
        self.show("Loading the sample case")
        ui = self.panel.patient.ui
        self.click(ui.sampleDataButton, lambda: self.parameters.ct is not None)
        self.wait(lambda: "mL" in ui.ownFeaturesLabel.text)
        self.test.assertTrue(self.parameters.thyroidSegmentID)
        self.test.assertTrue(self.parameters.tracheaSegmentID)

    def generate(self) -> None:
        self.show("Generating and steering a thyroid")
        ui = self.panel.generate.ui
        self.click(ui.generateButton, lambda: self.parameters.result is not None)
        node = self.parameters.result
        target = _FACTOR * ui.volumeSlider.value
        ui.volumeSlider.value = target
        self.wait(lambda: abs(_volume(node) - target) < 0.05 * target)
        shown = features_of_segment(node, SEGMENT_ID, _record(node).placement)
        self.test.assertAlmostEqual(shown.volume_ml, _volume(node), delta=0.02 * target)
        self.test.assertEqual(find_segment(node, THYROID), SEGMENT_ID)

    def edit(self) -> None:
        self.show("Fitting and editing the patient's thyroid")
        ui, bar = self.panel.edit.ui, self.panel.bar.ui
        self.panel.tabs.open("create")
        ui.editCollapsible.collapsed = False
        self.click(ui.fitButton, lambda: self.parameters.edited is not None)
        node = self.parameters.edited
        own = _volume(node)
        ui.editVolumeSlider.value = _FACTOR * own
        self.wait(lambda: _volume(node) > 1.02 * own)
        self.click(bar.undoButton)
        self.test.assertAlmostEqual(_volume(node), own, delta=0.001 * own)
        self.click(bar.redoButton)
        self.test.assertGreater(_volume(node), 1.02 * own)
        self.click(ui.keepButton)
        message = self.panel.session.message
        kept = [each for each in generated_thyroids(slicer.mrmlScene) if f"'{each.GetName()}'" in message]
        self.test.assertEqual(len(kept), 1, message)
        self.test.assertGreater(_volume(kept[0]), 1.02 * own)

    def export(self, folder: Path) -> None:
        self.show("Exporting the thyroid")
        ui = self.panel.export.ui
        ui.exportFolderEdit.currentPath = str(folder)
        self.wait()
        self.click(ui.exportButton)
        files = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size > 0]
        self.test.assertTrue(any(path.name.endswith((".nii.gz", ".nrrd")) for path in files), ui.exportLabel.text)

    def reopen(self, folder: Path) -> None:
        self.show("Saving and reopening the scene")
        names = [node.GetName() for node in generated_thyroids(slicer.mrmlScene)]
        seed, path = self.parameters.seed, str(folder / "scene.mrb")
        self.test.assertTrue(slicer.util.saveScene(path))
        slicer.mrmlScene.Clear(False)
        self.wait(lambda: self.panel.session.hasParameters)
        self.test.assertEqual(generated_thyroids(slicer.mrmlScene), [])
        slicer.util.loadScene(path)
        self.wait(lambda: self.panel.session.hasParameters and self.parameters.ct is not None)
        self.test.assertEqual([node.GetName() for node in generated_thyroids(slicer.mrmlScene)], names)
        self.test.assertEqual(self.parameters.seed, seed)


def _record(node) -> ThyroidRecord:
    record = read_record(node)
    if record is None:
        raise AssertionError(f"{node.GetName()} has no record")
    return record


def _volume(node) -> float:
    return _record(node).measured["volume_ml"]
