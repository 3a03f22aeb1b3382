"""The folder of the user's models and the default model, stored in Slicer's settings."""

from __future__ import annotations

from pathlib import Path

import slicer

from ThyroidSynthLib.model.library import ModelLibrary

_FOLDER = "ThyroidSynth/ModelsFolder"
_DEFAULT = "ThyroidSynth/DefaultModel"


def modelsFolder() -> Path:
    """Return the folder of the user's models, by default a folder beside Slicer's settings file."""
    chosen = slicer.app.userSettings().value(_FOLDER)
    return Path(chosen) if chosen else Path(slicer.app.slicerUserSettingsFilePath).parent / "ThyroidSynth" / "Models"


def setModelsFolder(folder: Path) -> None:
    """Store the folder of the user's models."""
    slicer.app.userSettings().setValue(_FOLDER, str(folder))


def defaultModel(library: ModelLibrary) -> Path | None:
    """Return the model of new scenes: the user's default, else the first that ships with the module."""
    chosen = slicer.app.userSettings().value(_DEFAULT)
    if chosen and Path(chosen).is_file():
        return Path(chosen)
    return next(iter(library.shipped_files()), None)


def setDefaultModel(path: Path | None) -> None:
    """Store the model of new scenes; None for the one that ships with the module."""
    if path is None:
        slicer.app.userSettings().remove(_DEFAULT)
    else:
        slicer.app.userSettings().setValue(_DEFAULT, str(path))
