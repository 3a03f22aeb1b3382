"""A radiologist's session from an empty scene to a loaded one, step by step, by the widgets.

The stand-in fails on exceptions in slots and observers, errors of VTK and Qt, and unexpected dialogs. Slow
slots, processes and timers left behind and growing memory are checked here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ThyroidSynthLib.slicer.scene.thyroids.records import read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import generated_thyroids

VIEWS = ("Red", "Green", "Yellow", "1")
EDITS = 200
LARGER = 1.1
# Twice the 100 ms of the design, in CPU time, because test machines are slow.
LONGEST_SLOT_S = 0.2
LONGEST_PREVIEW_S = 0.6
MEMORY_MB = 50


def resident_mb() -> float:
    """Return the resident memory of this process in MB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


class Radiologist:
    """Carries out the steps and remembers them for messages."""

    def __init__(self, hands, previews: list) -> None:
        self.hands, self.previews = hands, previews
        self.steps: list[str] = []

    @property
    def panel(self):
        return self.hands.module.widget.panel

    def step(self, name: str, act: Callable[[], object], until: Callable[[], bool] | None = None) -> None:
        """Do something and wait until nothing is running; name the step if it fails."""
        self.steps.append(name)
        try:
            act()
            self.hands.wait(lambda: self.at_rest() and (until is None or until()), 120)
        except Exception as error:
            raise AssertionError(f"step {len(self.steps)}, {name}: {error}") from error

    def at_rest(self) -> bool:
        """Check whether nothing is running or due; faults are raised."""
        seen = self.hands.app.faults.seen
        assert not seen, seen[0]
        return not self.panel.busy and not any(each.pending for each in self.previews)

    def drag(self, name: str, values) -> None:
        """Move a slider from value to value; the views are rendered as in Slicer."""
        slider = getattr(self.hands, name)
        for value in values:
            slider.setValue(float(value))
            self.hands.app.process_events(1)
            for view in VIEWS:
                self.hands.app.view(view).render()


@pytest.fixture
def watched(hands):
    """Measure the duration of slots, except for operations with progress and Cancel."""
    from standin.responsiveness import stopwatch

    session = hands.module.widget.panel.session
    set_enabled = session.setEnabled

    def split_and_set(enabled: bool) -> None:
        stopwatch.split()
        set_enabled(enabled)

    session.setEnabled = split_and_set
    stopwatch.start(lambda: session.busy)
    yield stopwatch
    stopwatch.stop()


@pytest.fixture
def previews(monkeypatch) -> list:
    """The live previews of the panel."""
    from ThyroidSynthLib.slicer.panel.shared.live_preview import LivePreview

    made: list[LivePreview] = []
    make = LivePreview.__init__

    def make_and_note(self, *arguments, **keywords) -> None:
        make(self, *arguments, **keywords)
        made.append(self)

    monkeypatch.setattr(LivePreview, "__init__", make_and_note)
    return made


@pytest.fixture
def radiologist(slicer_app, previews, request) -> Radiologist:
    return Radiologist(request.getfixturevalue("hands"), previews)


def volume(node) -> float:
    return read_record(node).measured["volume_ml"]


def slow_slots(watched) -> list[str]:
    """Return slow slots; a preview while a slider is dragged may take longer."""
    return [
        f"{each.what}: {1000 * each.seconds:.0f} ms"
        for each in watched.slower_than(LONGEST_SLOT_S)
        if "LivePreview._onTurn" not in each.what or each.seconds > LONGEST_PREVIEW_S
    ]


def export_to(hands, folder: Path) -> None:
    folder.mkdir()
    hands.open("export")
    hands.exportFolderEdit.setCurrentPath(str(folder))


def test_a_radiologists_session(radiologist, watched, tmp_path):
    import slicer

    from standin.leaks import held
    from standin.strictness import child_processes

    hands, step = radiologist.hands, radiologist.step
    processes = child_processes()
    step("open the sample case", lambda: hands.click("sampleDataButton"), lambda: hands.parameters.ct is not None)
    step("see what was detected", lambda: None, lambda: "mL" in hands.ownFeaturesLabel.text)
    assert hands.thyroidSelector.currentText == "thyroid gland"
    step("generate", lambda: hands.click("generateButton"), lambda: hands.parameters.result is not None)
    first = hands.parameters.result
    step("drag the volume", lambda: radiologist.drag("volumeSlider", np.linspace(15, 22, 8)))
    assert volume(first) == pytest.approx(22, abs=0.5)
    step("free the symmetry", lambda: hands.symmetryCheckBox.click())
    step("another at random", lambda: hands.click("randomButton"))
    assert "symmetry" not in read_record(hands.parameters.result).targets
    step("one like the patient's", lambda: hands.click("similarButton"))
    step("keep it, ask for a new one", lambda: hands.resultSelector.setCurrentNode(None))
    step("generate again", lambda: hands.click("generateButton"))
    assert len(generated_thyroids(hands.app.scene)) == 2
    step("open Edit", lambda: hands.open("edit"))
    step("fit the patient's thyroid", lambda: hands.click("fitButton"), lambda: hands.parameters.edited is not None)
    edited = hands.parameters.edited
    own = volume(edited)
    step("let the isthmus follow", lambda: hands.holdIsthmusAreaCheckBox.click())
    step("make it larger", lambda: radiologist.drag("editVolumeSlider", np.linspace(own, LARGER * own, 6)))
    assert volume(edited) == pytest.approx(LARGER * own, rel=0.03)
    step(
        "make it more symmetric",
        lambda: radiologist.drag("editSymmetrySlider", [hands.editSymmetrySlider.value + 0.05]),
    )
    step("undo twice", lambda: [hands.click("undoButton"), hands.click("undoButton")])
    assert volume(edited) == pytest.approx(own, rel=1e-3)
    step("redo", lambda: hands.click("redoButton"))
    assert volume(edited) == pytest.approx(LARGER * own, rel=0.03)
    step("keep the edit", lambda: hands.click("keepButton"))
    step("colour by distance", lambda: [hands.open("compare"), hands.click("distanceMapButton")])
    assert hands.app.scene.GetFirstNodeByClass("vtkMRMLColorLegendDisplayNode") is not None
    step("take the colours away", lambda: hands.click("distanceMapButton"))
    step("choose a folder for files", lambda: export_to(hands, tmp_path / "files"))
    step("export", lambda: hands.click("exportButton"))
    assert list((tmp_path / "files").rglob("*.nii.gz")), hands.exportLabel.text
    kept = [node.GetName() for node in generated_thyroids(hands.app.scene)]
    path = str(tmp_path / "session.mrb")
    step("save the scene", lambda: slicer.util.saveScene(path))
    saved = hands.volumeSlider.value, hands.seedSpinBox.value
    step("close the scene", lambda: slicer.mrmlScene.Clear(False), lambda: hands.parameters is not None)
    assert not generated_thyroids(hands.app.scene)
    assert hands.parameters.edited is None
    step("open the scene again", lambda: slicer.util.loadScene(path), lambda: hands.parameters.ct is not None)
    assert [node.GetName() for node in generated_thyroids(hands.app.scene)] == kept
    assert (hands.volumeSlider.value, hands.seedSpinBox.value) == saved
    assert hands.exportFolderEdit.currentPath == str(tmp_path / "files")
    own_again = volume(hands.parameters.edited)
    step("go on editing", lambda: radiologist.drag("editVolumeSlider", [own_again / LARGER]))
    assert volume(hands.parameters.edited) == pytest.approx(own_again / LARGER, rel=0.03)
    step("undo that", lambda: hands.click("undoButton"))
    assert len(radiologist.steps) >= 20

    assert slow_slots(watched) == []
    hands.module.close()
    slicer.mrmlScene.Clear(False)
    hands.app.process_events()
    assert child_processes() == processes
    assert held(hands.app.scene).timers == {}


def test_two_hundred_edits_need_no_more_memory(radiologist):
    hands, step = radiologist.hands, radiologist.step
    step("open the sample case", lambda: hands.click("sampleDataButton"))
    step("fit", lambda: hands.click("fitButton"))
    own = hands.editVolumeSlider.value
    swing = own * (1 + 0.1 * np.sin(np.arange(EDITS) / 5))
    step("warm up", lambda: radiologist.drag("editVolumeSlider", swing[:20]))
    before = resident_mb()
    step("edit", lambda: radiologist.drag("editVolumeSlider", swing))
    assert resident_mb() - before < MEMORY_MB
