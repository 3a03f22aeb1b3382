"""The module's self test: its main flow inside the application it runs in, by the panel's own widgets."""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import slicer

from ThyroidSynthLib.imaging.labels import THYROID
from ThyroidSynthLib.slicer.scene.terminology import find_segment
from ThyroidSynthLib.slicer.scene.thyroids.records import read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID, generated_thyroids
from ThyroidSynthLib.slicer.scene.volumes import features_of_segment

_PATIENCE_S = 180.0
# A step is over when the panel has not been busy for this long: a slider's exact result comes after a pause.
_REST_S = 1.0
_LARGER = 1.05


def runMainFlow(test) -> None:
    """Open the sample case, generate, steer, fit, edit, undo, keep, export, save, and open the scene again.

    Parameters
    ----------
    test : ScriptedLoadableModuleTest
        Shows messages and makes the checks.
    """
    if importlib.util.find_spec("torch") is None:
        test.delayDisplay("Skipped: PyTorch is not installed.")
        return
    flow = _Flow(test)
    flow.openSample()
    flow.generate()
    flow.edit()
    with tempfile.TemporaryDirectory() as name:
        flow.export(Path(name))
        flow.reopen(Path(name))
    test.delayDisplay("Test passed")


class _Flow:
    """The main flow, step by step."""

    def __init__(self, test) -> None:
        self.test = test
        slicer.util.selectModule("ThyroidSynth")
        self.widget = slicer.modules.thyroidsynth.widgetRepresentation().self()
        self.panel = self.widget.panel

    @property
    def parameters(self):
        return self.panel.session.parameters

    def say(self, message: str) -> None:
        self.test.delayDisplay(message)

    def wait(self, condition: Callable[[], bool] = lambda: True) -> None:
        """Let the application run until the panel rests and a condition holds."""
        latest, rested = time.monotonic() + _PATIENCE_S, time.monotonic()
        while not (condition() and time.monotonic() - rested > _REST_S):
            self.test.assertLess(time.monotonic(), latest, self.panel.status.ui.statusLabel.text)
            slicer.app.processEvents()
            if self.panel.busy:
                rested = time.monotonic()

    def click(self, button, condition: Callable[[], bool] = lambda: True) -> None:
        self.test.assertTrue(button.enabled, button.text)
        button.click()
        self.wait(condition)

    def openSample(self) -> None:
        self.say("Opening the sample case")
        ui = self.panel.patient.ui
        self.click(ui.sampleDataButton, lambda: self.parameters.ct is not None)
        self.wait(lambda: "mL" in ui.ownFeaturesLabel.text)
        self.test.assertTrue(self.parameters.thyroidSegmentID)
        self.test.assertTrue(self.parameters.tracheaSegmentID)

    def generate(self) -> None:
        self.say("Generating a thyroid, and steering it")
        ui = self.panel.generate.ui
        self.click(ui.generateButton, lambda: self.parameters.result is not None)
        node = self.parameters.result
        target = _LARGER * ui.volumeSlider.value
        ui.volumeSlider.value = target
        self.wait(lambda: abs(_volume(node) - target) < 0.05 * target)
        record = read_record(node)
        shown = features_of_segment(node, SEGMENT_ID, record.placement)
        self.test.assertAlmostEqual(shown.volume_ml, _volume(node), delta=0.02 * target)
        self.test.assertEqual(find_segment(node, THYROID), SEGMENT_ID)

    def edit(self) -> None:
        self.say("Fitting the patient's thyroid, and editing it")
        ui = self.panel.edit.ui
        self.click(ui.fitButton, lambda: self.parameters.edited is not None)
        node = self.parameters.edited
        own = _volume(node)
        ui.editVolumeSlider.value = _LARGER * own
        self.wait(lambda: _volume(node) > 1.02 * own)
        self.click(ui.undoButton)
        self.test.assertAlmostEqual(_volume(node), own, delta=0.001 * own)
        self.click(ui.redoButton)
        self.test.assertGreater(_volume(node), 1.02 * own)
        before = len(generated_thyroids(slicer.mrmlScene))
        self.click(ui.keepButton)
        self.test.assertEqual(len(generated_thyroids(slicer.mrmlScene)), before + 1)

    def export(self, folder: Path) -> None:
        self.say("Exporting the thyroid")
        ui = self.panel.export.ui
        ui.exportFolderEdit.currentPath = str(folder)
        self.wait()
        self.click(ui.exportButton)
        files = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size > 0]
        self.test.assertTrue(any(path.name.endswith((".nii.gz", ".nrrd")) for path in files), ui.exportLabel.text)

    def reopen(self, folder: Path) -> None:
        self.say("Saving the scene, and opening it again")
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


def _volume(node) -> float:
    return read_record(node).measured["volume_ml"]
