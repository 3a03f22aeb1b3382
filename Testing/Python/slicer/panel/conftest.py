"""The module's panel in the stand-in application, an example case and the model that ships."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.example_case import example_dataset
from support.panel_hands import PROJECT, Hands
from ThyroidSynthLib.model.shipped import model_path


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> Path:
    return example_dataset(tmp_path_factory)


@pytest.fixture(scope="session")
def model_file(tmp_path_factory) -> Path:
    """A user's file of the model that ships: one trained here would be another draw on each kind of CPU."""
    return Path(shutil.copy(model_path("example"), tmp_path_factory.mktemp("models") / "model.safetensors"))


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
