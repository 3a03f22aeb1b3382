"""A user at the panel, for tests: finds widgets by name, sets, clicks and waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


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

    def choose_model(self, path: Path) -> None:
        self.modelPathEdit.setCurrentPath(str(path))
        self.app.process_events()
