"""The module's panel in the stand-in application, an example case and the model that ships."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.example_case import example_dataset

PROJECT = Path(__file__).resolve().parents[4]
SHIPPED_MODEL = PROJECT / "ThyroidSynth" / "Resources" / "Models" / "example.safetensors"


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> Path:
    return example_dataset(tmp_path_factory)


@pytest.fixture(scope="session")
def model_file(tmp_path_factory) -> Path:
    """A user's file of the model that ships: one trained here would be another draw on each kind of processor."""
    return Path(shutil.copy(SHIPPED_MODEL, tmp_path_factory.mktemp("models") / "model.safetensors"))


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
        self.wait(lambda: not self.module.widget.panel.patient._measuring._timer.isActive())

    def choose_model(self, path: Path) -> None:
        self.modelPathEdit.setCurrentPath(str(path))
        self.app.process_events()


@pytest.fixture
def hands(slicer_app) -> Hands:
    module = slicer_app.load_module(PROJECT / "ThyroidSynth" / "ThyroidSynth.py")
    for name in ("Red", "Green", "Yellow", "1"):
        slicer_app.view(name)  # views are there before any module is opened
    module.select()
    return Hands(slicer_app, module)


@pytest.fixture
def ready(hands, dataset, model_file) -> Hands:
    """The panel with a case and a model, before the first thyroid."""
    hands.load(dataset)
    hands.choose_model(model_file)
    return hands
