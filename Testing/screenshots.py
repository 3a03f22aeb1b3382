"""Pictures of the panel beside the four views, for people: light and dark, each tab and window, a small screen.

Run by ``make screenshots``; they are written to ``Testing/artefacts/screenshots`` and shown in the order in
which the module is used. Drawn by the stand-in for the application: real Qt widgets and Slicer's own views.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "ThyroidSynth")]
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from standin.session import open_session  # noqa: E402

import qt  # noqa: E402  isort: skip
from PySide6 import QtTest  # noqa: E402

from standin import inspection, pictures  # noqa: E402
from support.panel_hands import Hands  # noqa: E402
from ThyroidSynthLib.slicer.scene.display.overlay import bounds_of, look_from_front  # noqa: E402
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import generated_thyroids  # noqa: E402

OUT = HERE / "artefacts" / "screenshots"
WIDTH, NARROW, SMALL_HEIGHT, HEIGHT = 450, 380, 700, 846
FIELD_OF_VIEW_MM = 110.0


class Photographer:
    """Opens the module, uses it, and takes pictures on the way."""

    def __init__(self) -> None:
        self.app = open_session()
        for name in ("Red", "Green", "Yellow", "1"):
            self.app.view(name)
        view = self.app.view("1").node
        view.SetBoxVisible(False)
        view.SetAxisLabelsVisible(False)
        self.module = self.app.load_module(HERE.parent / "ThyroidSynth" / "ThyroidSynth.py")
        self.module.select()
        self.hands = Hands(self.app, self.module)
        self.taken: list[Path] = []

    def __getattr__(self, name: str):
        return getattr(self.hands, name)

    def wait(self, condition: Callable[[], bool] = lambda: True, seconds: float = 0.6) -> None:
        """Let the application run until it is at rest: for a while, and as long as it takes."""
        earliest, latest = time.monotonic() + seconds, time.monotonic() + 120
        panel = self.module.widget.panel
        while panel.busy or time.monotonic() < earliest or not condition():
            if time.monotonic() > latest:
                raise RuntimeError(f"Waited in vain: {self.statusLabel.text}")
            self.app.process_events(1)

    def click(self, name: str, condition: Callable[[], bool] = lambda: True) -> None:
        """Click a button and wait."""
        button = getattr(self, name)
        if not button.enabled:
            raise RuntimeError(f"{name} is disabled: {self.statusLabel.text}")
        button.click()
        self.wait(condition)

    def drag(self, name: str, value: float) -> None:
        """Move a slider and wait."""
        getattr(self, name).setValue(value)
        self.wait()

    def open(self, part: str) -> None:
        """Open a tab, a part of the tab Create, or a window."""
        self.hands.open(part)
        self.wait()

    def look_at(self, node) -> None:
        """Show a thyroid large in all views."""
        lower, upper = bounds_of(node)
        look_from_front(self.app.scene, (lower + upper) / 2, 0.8 * float((upper - lower).max()))
        for name in ("Red", "Green", "Yellow"):
            view = self.app.view(name).node
            view.JumpSliceByCentering(*((lower + upper) / 2).tolist())
            view.SetFieldOfView(FIELD_OF_VIEW_MM, FIELD_OF_VIEW_MM, view.GetFieldOfView()[2])

    def take(self, name: str, title: str, *, width: int = WIDTH, height: int = HEIGHT) -> None:
        """Take a picture of the panel beside the views, light and dark."""
        self._take(name, title, self.module.panel, width, height)

    def take_window(self, name: str, title: str, window) -> None:
        """Take a picture of a window beside the views, light and dark, and close it."""
        self._take(name, title, window.dialog, window.dialog.width, min(window.content.sizeHint.height() + 16, HEIGHT))
        window.dialog.close()

    def _take(self, name: str, title: str, widget, width: int, height: int) -> None:
        for suffix, theme in (("", nullcontext), ("_dark", inspection.dark_theme)):
            with theme():
                widget.show()
                widget.resize(width, height)
                self.wait(seconds=0.1)
                picture = pictures.of_widget(widget, width, height)
                path = OUT / f"{name}{suffix}.png"
                self.taken.append(pictures.save(pictures.beside(picture, self.app.four_views(title)), path))
                print(path)


def main() -> None:
    """Use the module as a radiologist does, and take the pictures."""
    camera = Photographer()
    parameters, panel = camera.parameters, camera.module.widget.panel
    synthetic = "synthetic example; not for clinical use"
    camera.take("01_opened", "ThyroidSynth, just opened")

    camera.click("sampleDataButton", lambda: parameters.ct is not None)
    camera.wait(lambda: "mL" in camera.ownFeaturesLabel.text)
    camera.look_at(parameters.segmentation)
    camera.open("patient")
    camera.take("02_patient", f"A patient's thyroid and trachea, detected and measured ({synthetic})")

    camera.open("library")
    camera.modelCardGroup.collapsed = False
    camera.take_window("03_model", f"The model library and a model card ({synthetic})", panel.model.window)
    camera.modelCollapsible.collapsed = True

    camera.open("generate")
    camera.showOwnCheckBox.checked = False
    camera.click("generateButton", lambda: parameters.result is not None)
    for seed in (3, 8, 21):
        camera.seedSpinBox.setValue(seed)
        camera.click("generateButton")
    camera.drag("volumeSlider", 20.0)
    camera.wait(lambda: "trachea" in camera.overlapLabel.text)
    camera.look_at(parameters.result)
    camera.take("04_generate", f"A thyroid steered to 20 mL at the patient's trachea ({synthetic})")
    camera.take("05_small_screen", f"On a small screen ({synthetic})", width=NARROW, height=SMALL_HEIGHT)

    camera.showOwnCheckBox.checked = True
    parameters.result.GetDisplayNode().SetVisibility(False)
    camera.open("edit")
    camera.click("fitButton", lambda: parameters.edited is not None)
    camera.holdIsthmusAreaCheckBox.checked = False
    camera.drag("editVolumeSlider", 1.1 * camera.editVolumeSlider.value)
    camera.wait(lambda: camera.undoButton.enabled)
    camera.look_at(parameters.edited)
    camera.take("06_edit", f"The patient's own thyroid, 10 % larger, over its outline ({synthetic})")
    camera.click("keepButton")
    camera.showOwnCheckBox.checked = False

    camera.open("compare")
    _fill_table(camera, parameters)
    camera.take("07_compare", f"All thyroids of the scene ({synthetic})")
    camera.click("distanceMapButton")
    camera.take("08_distance", f"Coloured by the distance between two thyroids ({synthetic})")
    camera.click("distanceMapButton")

    camera.open("export")
    camera.take("09_export", f"Export ({synthetic})")
    camera.open("cohort")
    camera.take_window("11_cohort", f"A cohort of new thyroids ({synthetic})", panel.export.window)
    camera.choose("phantomNodulesSelector", "At points")
    camera.open("phantom")
    camera.take_window("12_phantoms", f"Phantoms with nodules at points ({synthetic})", panel.export.phantoms.window)
    camera.open("train")
    camera.take("10_train", f"Training ({synthetic})")
    camera.app.close()
    print(f"{len(camera.taken)} pictures")


def _fill_table(camera: Photographer, parameters) -> None:
    for seed in (30, 31):
        parameters.result = None
        camera.seedSpinBox.setValue(seed)
        camera.click("generateButton")
    for number, node in enumerate(generated_thyroids(camera.app.scene), 1):
        node.SetName(f"No. {number}")
    model = camera.thyroidTable.model()

    def known() -> bool:
        texts = [model.index(row, column).data() for row in range(model.rowCount()) for column in range(8)]
        return "…" not in texts

    camera.wait(known)
    # A click on a row shows that thyroid alone.
    view = camera.thyroidTable
    row = next(row for row in range(model.rowCount()) if model.index(row, 1).data() == "generated")
    view.scrollTo(model.index(row, 0))
    place = view.visualRect(model.index(row, 0)).center()
    QtTest.QTest.mouseClick(view.viewport(), qt.Qt.LeftButton, qt.Qt.NoModifier, place)
    camera.wait()
    camera.look_at(parameters.result)


if __name__ == "__main__":
    main()
