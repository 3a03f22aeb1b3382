"""A user at the panel, for tests: finds widgets by name, sets, clicks and waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]


def on_progress(monkeypatch, text: str, act: Callable[[], None]) -> list[str]:
    """Call `act` once, when an operation reports progress with a message that contains a text.

    Returns a list that holds the message afterwards.
    """
    from ThyroidSynthLib.slicer.panel.shared.session import Work

    original, done = Work.progress, []

    def progress(self, fraction, message):
        original(self, fraction, message)
        if text in message and not done:
            done.append(message)
            act()

    monkeypatch.setattr(Work, "progress", progress)
    return done


def in_theme(dark: bool):
    """Return a context in which Slicer has its dark or its light theme."""
    from standin import inspection

    return inspection.dark_theme() if dark else nullcontext()


def save_section(section, path: Path, *, dark: bool) -> Path:
    """Save a picture of a section, 450 pixels wide."""
    from standin import pictures

    # Detached, because in the panel its size follows its neighbours.
    section.setParent(None)
    with in_theme(dark):
        # A layout has its final size only when it is drawn again.
        pictures.of_widget(section, width=450)
        return pictures.save(pictures.of_widget(section, width=450), path)


class Hands:
    """A user at the panel: finds widgets by name, sets, clicks and waits."""

    def __init__(self, app, module) -> None:
        self.app = app
        self.module = module

    def __getattr__(self, name: str):
        import qt

        found = self.module.panel.findChildren(qt.QWidget, name)
        assert len(found) == 1, f"{len(found)} widgets are named {name}"
        return found[0]

    @property
    def parameters(self):
        return self.module.widget._parameterNode

    def open(self, *parts: str) -> None:
        """Open a tab, a collapsible part of the tab Create (generate, edit, model), or a window.

        The windows are those of the cohort, the phantoms and the model library.
        """
        panel = self.module.widget.panel
        for part in parts:
            if part in ("generate", "edit", "model"):
                panel.tabs.open("create")
                getattr(self, f"{part}Collapsible").collapsed = False
            elif part in ("cohort", "phantom", "library"):
                self.open("model" if part == "library" else "export")
                self.click("modelLibraryButton" if part == "library" else f"{part}Button")
            else:
                panel.tabs.open(part)
        self.app.process_events()

    def pages(self) -> Iterator[tuple[str, Any]]:
        """Open each tab with everything in it, then each window; yield its name and the widget that is scrolled."""
        from standin import inspection

        panel = self.module.widget.panel
        for name in ("patient", "create", "compare", "export", "train"):
            panel.tabs.open(name)
            page = panel.tabs.widget.currentWidget().widget()
            inspection.open_all(page)
            self.app.process_events()
            yield name, page
            if name == "create":
                # Only one of the two is open.
                self.open("generate")
                yield "generate", page
        windows = {"library": panel.model, "cohort": panel.export, "phantom": panel.export.phantoms}
        for name, window in ((name, section.window) for name, section in windows.items()):
            window.open()
            inspection.open_all(window.content)
            self.app.process_events()
            yield name, window.content
            window.dialog.close()

    def click(self, name: str) -> None:
        button = getattr(self, name)
        assert button.enabled, f"{name} is disabled"
        button.click()
        self.app.process_events()

    def choose(self, name: str, text: str) -> None:
        """Choose a line of a combo box as a user does, by its text."""
        box = getattr(self, name)
        row = box.findText(text)
        assert row >= 0, f"{name} has no line {text!r}"
        box.setCurrentIndex(row)
        box.activated.emit(row)
        self.app.process_events()

    def wait(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"waited {seconds} s in vain: {self.statusLabel.text}"
            self.app.process_events()
            time.sleep(0.02)

    def load(self, path: Path) -> None:
        self.sourcePathEdit.setCurrentPath(str(path))
        self.click("loadButton")

    def measured(self) -> None:
        """Wait until the patient has been measured: until then this may begin between any two events."""
        self.wait(lambda: "mL" in self.ownFeaturesLabel.text and "mm" in self.tracheaInfoLabel.text)
        self.wait(lambda: not self.module.widget.panel.patient.measuring)

    def save_and_close(self, folder: Path) -> str:
        """Save the scene in a folder and close it; return the path of its file."""
        import slicer

        path = str(folder / "scene.mrb")
        assert slicer.util.saveScene(path)
        slicer.mrmlScene.Clear(False)
        self.app.process_events()
        return path

    def open_scene(self, path: str) -> None:
        import slicer

        slicer.util.loadScene(path)
        self.app.process_events()

    def choose_model(self, path: Path) -> None:
        self.modelPathEdit.setCurrentPath(str(path))
        self.app.process_events()
