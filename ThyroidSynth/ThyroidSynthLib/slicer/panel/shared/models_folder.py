"""Where the user's models lie and which is used in a new scene: remembered in Slicer's settings."""

from __future__ import annotations

from pathlib import Path

import slicer

from ThyroidSynthLib.model.library import ModelLibrary

_FOLDER = "ThyroidSynth/ModelsFolder"
_DEFAULT = "ThyroidSynth/DefaultModel"


def modelsFolder() -> Path:
    """Give the folder of the user's models; beside Slicer's own settings if none was chosen."""
    chosen = slicer.app.userSettings().value(_FOLDER)
    return Path(chosen) if chosen else Path(slicer.app.slicerUserSettingsFilePath).parent / "ThyroidSynth" / "Models"


def setModelsFolder(folder: Path) -> None:
    """Remember another folder for the user's models."""
    slicer.app.userSettings().setValue(_FOLDER, str(folder))


def defaultModel(library: ModelLibrary) -> Path | None:
    """Give the model of new scenes: the one the user said, else the first that ships with the module."""
    said = slicer.app.userSettings().value(_DEFAULT)
    if said and Path(said).is_file():
        return Path(said)
    return next(iter(library.shipped_files()), None)


def setDefaultModel(path: Path | None) -> None:
    """Remember the model of new scenes; none for the one that ships with the module."""
    if path is None:
        slicer.app.userSettings().remove(_DEFAULT)
    else:
        slicer.app.userSettings().setValue(_DEFAULT, str(path))
