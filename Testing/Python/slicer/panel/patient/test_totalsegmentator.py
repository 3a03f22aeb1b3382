"""The button that runs the TotalSegmentator extension, with a logic that has the interface of the real one."""

from __future__ import annotations

import subprocess
import sys
import time
import types
from typing import ClassVar

import pytest

from ThyroidSynthLib.dataset.case_sources import find_cases
from ThyroidSynthLib.slicer.scene.patient.loading import load_case

PRINTS = "import time\nfor n in range(4): print(f'Predicting part {n} of 4', flush=True); time.sleep(0.05)"
HANGS = "import time\nprint('Predicting', flush=True); time.sleep(600)"
FAILS = "print('out of memory', flush=True); raise SystemExit(3)"


class ExtensionLogic:
    """The used part of `TotalSegmentatorLogic`, with a child process that segments nothing."""

    program = PRINTS
    finds: object = None
    installs = True
    received: ClassVar[dict] = {}
    processes: ClassVar[list] = []

    def __init__(self) -> None:
        self.logCallback = None

    def log(self, text) -> None:
        if self.logCallback:
            self.logCallback(text)

    def setupPythonRequirements(self, upgrade=False) -> None:
        if not self.installs:
            raise RuntimeError("User cancelled.")

    def logProcessOutput(self, proc, returnOutput=False):
        raise AssertionError("the extension's own method waits for each line and cannot be cancelled")

    def process(
        self, inputVolume, outputSegmentation, quality=None, cpu=False, task=None, subset=None, interactive=False
    ):
        self.received.update({"ct": inputVolume, "quality": quality, "task": task, "subset": subset})
        self.log("Creating segmentations with TotalSegmentator AI...")
        proc = subprocess.Popen([sys.executable, "-c", self.program], stdout=subprocess.PIPE, text=True)
        self.processes.append(proc)
        self.logProcessOutput(proc)
        self.log("Importing segmentation results...")
        if self.finds is not None:
            outputSegmentation.GetSegmentation().DeepCopy(self.finds.GetSegmentation())


@pytest.fixture
def extension(hands, monkeypatch, dataset):
    """The installed extension, and a CT whose segmentation it returns."""
    import slicer

    logic = type("TotalSegmentatorLogic", (ExtensionLogic,), {"processes": [], "received": {}})
    loaded = load_case(hands.app.scene, find_cases(dataset)[0])
    logic.finds = hands.app.scene.CreateNodeByClass("vtkMRMLSegmentationNode")
    logic.finds.UnRegister(None)
    logic.finds.Copy(loaded.segmentation)
    hands.app.scene.RemoveNode(loaded.segmentation)
    monkeypatch.setitem(sys.modules, "TotalSegmentator", types.SimpleNamespace(TotalSegmentatorLogic=logic))
    monkeypatch.setattr(slicer.modules, "totalsegmentator", object(), raising=False)
    hands.ctSelector.setCurrentNode(loaded.ct)
    hands.app.process_events()
    yield logic
    for process in logic.processes:
        process.stdout.close()


def segmentations(hands) -> int:
    return hands.app.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")


def test_without_the_extension_a_hint_is_shown_instead_of_the_button(hands, a_ct_node):
    assert hands.segmentButton.isHidden()
    assert hands.segmentHintLabel.isHidden()
    hands.ctSelector.setCurrentNode(a_ct_node)
    assert not hands.segmentHintLabel.isHidden()
    hands.segmentationSelector.setCurrentNode(hands.app.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "s"))
    assert hands.segmentHintLabel.isHidden()


def test_thyroid_and_trachea_are_segmented_and_chosen(hands, extension):
    assert not hands.segmentButton.isHidden()
    hands.click("segmentButton")
    assert extension.received["ct"] is hands.parameters.ct
    assert extension.received["task"] == "total"
    assert extension.received["subset"] == ["thyroid_gland", "trachea"]
    assert hands.parameters.segmentation.GetName() == "s0000 CT TotalSegmentator"
    assert hands.tracheaSelector.currentText == "trachea"
    hands.wait(lambda: "mL" in hands.ownFeaturesLabel.text)
    assert extension.processes[0].poll() == 0


def test_cancel_ends_the_process_and_leaves_no_node(hands, extension, monkeypatch):
    from ThyroidSynthLib.slicer.panel.shared.session import Work

    extension.program = HANGS
    original = Work.check

    def cancel_soon(self):
        if extension.processes and hands.cancelButton.enabled:
            hands.cancelButton.click()
        original(self)

    monkeypatch.setattr(Work, "check", cancel_soon)
    before, start = segmentations(hands), time.monotonic()
    hands.click("segmentButton")
    assert time.monotonic() - start < 10
    assert extension.processes[0].poll() is not None
    assert segmentations(hands) == before
    assert hands.parameters.segmentation is None
    assert hands.segmentButton.enabled


def test_events_are_processed_while_the_process_prints_nothing(hands, extension):
    import qt

    extension.program = "import time\ntime.sleep(0.6)"
    ticks = []
    timer = qt.QTimer()
    timer.connect("timeout()", lambda: ticks.append(1))
    timer.start(20)
    hands.click("segmentButton")
    timer.stop()
    assert len(ticks) > 4


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"program": FAILS}, "exit code 3"),
        ({"finds": None}, "neither a thyroid nor a trachea"),
        ({"installs": False}, "User cancelled"),
    ],
)
def test_an_error_of_the_extension_is_shown_and_leaves_no_node(hands, extension, fault, message):
    for name, value in fault.items():
        setattr(extension, name, value)
    before = segmentations(hands)
    hands.app.dialogs.expect("error", message)
    hands.click("segmentButton")
    assert segmentations(hands) == before
    assert hands.parameters.segmentation is None


def test_closing_the_scene_during_the_segmentation_is_safe(hands, extension, monkeypatch):
    import slicer

    original = ExtensionLogic.log

    def close(self, text):
        original(self, text)
        if "Importing" in text:
            slicer.mrmlScene.Clear(False)

    monkeypatch.setattr(extension, "log", close)
    hands.click("segmentButton")
    assert hands.parameters.segmentation is None
    assert segmentations(hands) == 0
