"""The button that runs the TotalSegmentator extension, on a logic with the interface of the real one."""

from __future__ import annotations

import subprocess
import sys
import time
import types
from typing import ClassVar

import pytest

from ThyroidSynthLib.dataset.cases import find_cases
from ThyroidSynthLib.slicer.scene.patient.loading import load_case

SAYS = "import time\nfor n in range(4): print(f'Predicting part {n} of 4', flush=True); time.sleep(0.05)"
HANGS = "import time\nprint('Predicting', flush=True); time.sleep(600)"
FAILS = "print('out of memory', flush=True); raise SystemExit(3)"


class ExtensionLogic:
    """`TotalSegmentatorLogic` as far as it is used: what it calls, in its order; the child does nothing."""

    program = SAYS
    finds: object = None
    installs = True
    targets: ClassVar[dict] = {}
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
        raise AssertionError("waits for each line and knows no cancel")

    def process(
        self, inputVolume, outputSegmentation, quality=None, cpu=False, task=None, subset=None, interactive=False
    ):
        self.targets.update({"ct": inputVolume, "quality": quality, "task": task, "subset": subset})
        self.log("Creating segmentations with TotalSegmentator AI...")
        proc = subprocess.Popen([sys.executable, "-c", self.program], stdout=subprocess.PIPE, text=True)
        self.processes.append(proc)
        self.logProcessOutput(proc)
        self.log("Importing segmentation results...")
        if self.finds is not None:
            outputSegmentation.GetSegmentation().DeepCopy(self.finds.GetSegmentation())


@pytest.fixture
def extension(hands, monkeypatch, dataset):
    """The extension installed, and a CT whose segmentation it will find."""
    import slicer

    logic = type("TotalSegmentatorLogic", (ExtensionLogic,), {"processes": [], "targets": {}})
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


def test_without_the_extension_there_is_no_button_but_a_hint(hands, a_ct_node):
    assert hands.segmentButton.isHidden()
    assert hands.segmentHintLabel.isHidden()
    hands.ctSelector.setCurrentNode(a_ct_node)
    assert not hands.segmentHintLabel.isHidden()
    hands.segmentationSelector.setCurrentNode(hands.app.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "s"))
    assert hands.segmentHintLabel.isHidden()


def test_the_ct_is_segmented_for_two_structures_and_the_result_chosen(hands, extension):
    assert not hands.segmentButton.isHidden()
    hands.click("segmentButton")
    assert extension.targets["ct"] is hands.parameters.ct
    assert extension.targets["task"] == "total"
    assert extension.targets["subset"] == ["thyroid_gland", "trachea"]
    assert hands.parameters.segmentation.GetName() == "s0000 CT TotalSegmentator"
    assert hands.tracheaSelector.currentText == "trachea"
    hands.wait(lambda: "mL" in hands.ownFeaturesLabel.text)
    assert extension.processes[0].poll() == 0


def test_cancel_ends_the_process_at_once_and_leaves_nothing(hands, extension, monkeypatch):
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


def test_the_panel_goes_on_drawing_while_the_process_says_nothing(hands, extension):
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
    ("spoil", "said"),
    [
        ({"program": FAILS}, "exit code 3"),
        ({"finds": None}, "neither a thyroid nor a trachea"),
        ({"installs": False}, "User cancelled"),
    ],
)
def test_what_goes_wrong_is_said_and_leaves_nothing(hands, extension, spoil, said):
    for name, value in spoil.items():
        setattr(extension, name, value)
    before = segmentations(hands)
    hands.app.dialogs.expect("error", said)
    hands.click("segmentButton")
    assert segmentations(hands) == before
    assert hands.parameters.segmentation is None


def test_closing_the_scene_meanwhile_is_safe(hands, extension, monkeypatch):
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
