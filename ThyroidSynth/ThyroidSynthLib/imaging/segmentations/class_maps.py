"""The class maps of TotalSegmentator: which label number is which structure in which task."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.imaging.labels import normalised, part_called

DEFAULT_CLASS_MAP = "total-v2"
"""The class map whose numbers masks get when they are combined."""

_FILE = Path(__file__).parent / "data" / "class_maps.json"


@cache
def class_map_names() -> tuple[str, ...]:
    """Return the names of all class maps."""
    return tuple(_document()["class_maps"])


def class_map_labels(name: str) -> dict[int, str]:
    """Return the class of each label number of a task.

    Parameters
    ----------
    name : str
        One of `class_map_names`, such as "total-v2".

    Raises
    ------
    InputError
        There is no such class map.
    """
    maps = _document()["class_maps"]
    # TotalSegmentator writes its tasks with underscores.
    key = {each.replace("_", "-"): each for each in maps}.get(name.strip().lower().replace("_", "-"))
    if key is None:
        raise InputError(f"There is no class map {name!r}. Choose one of: {', '.join(maps)}.")
    return dict(enumerate(maps[key], start=1))


@cache
def other_organs() -> frozenset[str]:
    """Return the names of all classes that are neither thyroid nor trachea, normalised by `labels.normalised`."""
    names = {name for labels in _document()["class_maps"].values() for name in labels}
    return frozenset(normalised(name) for name in names if part_called(name) is None)


@cache
def _document() -> dict[str, Any]:
    return json.loads(_FILE.read_text(encoding="utf-8"))
