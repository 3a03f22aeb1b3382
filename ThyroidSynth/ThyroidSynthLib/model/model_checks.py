"""Checks of a model file by type and value, before anything is computed with it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import InputError, ModelError
from ThyroidSynthLib.common.text_files import entry, is_kind
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.geometry.frame import ALIGNMENTS, Frame

from .array_file import load_arrays, without_prefix
from .conditioning import SCHEMES
from .network import SDFNetwork
from .settings import TrainingSettings

FORMAT_VERSION = 2
"""Of the model file."""

_TYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
# The largest box that holds a thyroid and its trachea, with room to spare.
_LARGEST_MM = 1000.0
_FIXED_SIZE = {"none": 0, "linear": 3, "anatomical": 4}
_LARGEST_LAYER = 1 << 16


def load_model_arrays(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read and check the arrays and the description of a model file.

    Raises
    ------
    ModelError
        The file is missing, damaged, not a model or of another format version, or a value in it is impossible.
    """
    arrays, description = load_arrays(path, kind="model")
    try:
        version = entry(description, "format_version", kind=int)
        if version > FORMAT_VERSION:
            raise ModelError(f"{path} was written by a newer ThyroidSynth. Update the extension to open it.")
        if version < FORMAT_VERSION:
            raise ModelError(f"{path} was written by an older ThyroidSynth. Train the model again.")
        _check_arrays(description, _check_description(description), arrays)
    except (InputError, ValueError) as error:
        fault = str(error).rstrip(".")
        raise ModelError(f"{path} is damaged or was changed: {fault}. Copy or train it again.") from error
    return arrays, description


def _check_description(description: dict[str, Any]) -> TrainingSettings:
    """Check the entries of a description and return its settings; `ValueError` or `InputError` if one is impossible."""
    _check_ids(description)
    if entry(description, "feature_names", kind=list) != list(FEATURE_NAMES):
        raise ValueError(f"its features are not {', '.join(FEATURE_NAMES)}")
    entry(description, "notice", kind=str)
    _check_frame(description)
    settings = TrainingSettings.from_json(entry(description, "settings", kind=dict))
    scheme = entry(description, "conditioning", kind=str)
    if scheme not in SCHEMES or scheme != settings.conditioning:
        raise ValueError(f"its conditioning '{scheme}' is unknown or differs from its settings")
    _check_provenance(entry(description, "provenance", kind=dict))
    if "organs" in description:
        for name in entry(description, "organs", kind=dict):
            _check_organ(name, entry(description, "organs", name, kind=dict))
    return settings


def _check_organ(name: str, organ: dict[str, Any]) -> None:
    _check_ids(organ)
    _check_frame(organ)
    features = entry(organ, "feature_names", kind=list)
    if not features or not all(isinstance(each, str) for each in features):
        raise ValueError(f"the features of its organ '{name}' are missing")
    if entry(organ, "conditioning", kind=str) != "linear":
        raise ValueError(f"the conditioning of its organ '{name}' is unknown")


def _check_ids(description: dict[str, Any]) -> None:
    ids = entry(description, "ids", kind=list)
    if not ids or not all(isinstance(each, str) for each in ids) or len(set(ids)) < len(ids):
        raise ValueError("its ids are missing, are not text or occur twice")


def _check_frame(description: dict[str, Any]) -> None:
    alignment = entry(description, "frame", "alignment", kind=str)
    if alignment not in ALIGNMENTS:
        raise ValueError(f"its alignment '{alignment}' is unknown (known: {', '.join(ALIGNMENTS)})")
    for name in ("scale_mm", "lower_mm", "upper_mm"):
        values = entry(description, "frame", name, kind=list)
        if len(values) != 3 or not all(is_kind(each, float) and abs(each) <= _LARGEST_MM for each in values):
            raise ValueError(f"its entry 'frame/{name}' is not three lengths of at most {_LARGEST_MM:g} mm")
    Frame.from_json(description["frame"])


def _check_provenance(provenance: dict[str, Any]) -> None:
    for keys, kind in (
        (("cohort",), dict),
        (("cohort", "source"), str),
        (("cohort", "statement"), str),
        (("cohort", "lengths"), str),
        (("cohort", "synthetic"), bool),
        (("cohort", "held_out"), list),
        (("licence",), str),
        (("software",), dict),
    ):
        parent = provenance if len(keys) == 1 else provenance.get(keys[0], {})
        if keys[-1] in parent:
            entry(parent, keys[-1], kind=kind)


def _check_arrays(description: dict[str, Any], settings: TrainingSettings, arrays: Mapping[str, np.ndarray]) -> None:
    """Raise `ValueError` if an array is missing, has another shape, or holds an impossible value."""
    for name, (kind, shape) in _expected(len(description["ids"]), settings).items():
        if name not in arrays:
            if name.startswith("feature_map.") and not any(each.startswith("feature_map.") for each in arrays):
                continue
            if name == "tracheas":
                continue
            raise ValueError(f"its array '{name}' is missing")
        found = arrays[name]
        if found.dtype != _TYPES[kind] or not _fits(found.shape, shape):
            raise ValueError(
                f"its array '{name}' is {found.dtype} {list(found.shape)}, not {_TYPES[kind]} {list(shape)}"
            )
    for name, organ in description.get("organs", {}).items():
        _check_organ_arrays(name, organ, without_prefix(f"organs.{name}.", arrays))
    for name, found in arrays.items():
        if not np.isfinite(found).all():
            raise ValueError(f"its array '{name}' has values that are not finite")
    volume, area, symmetry = arrays["features"].T
    if (volume <= 0).any() or (area < 0).any() or (symmetry < 0).any() or (symmetry > 1).any():
        raise ValueError("the features of its training cases are impossible")
    if "tracheas" in arrays and (np.abs(arrays["tracheas"]) > _LARGEST_MM).any():
        raise ValueError("the tracheas of its training cases are impossible")
    for name in ("conditioning.sd", "feature_map.code_sd", "feature_map.output_sd"):
        if name in arrays and (arrays[name] <= 0).any():
            raise ValueError(f"its array '{name}' has values that are not above 0")


def _check_organ_arrays(name: str, organ: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Raise `ValueError` if an array of an organ is missing or does not fit to the others."""
    cases, fixed, none = len(organ["ids"]), len(organ["feature_names"]), np.empty(0)
    codes = arrays.get("latent_table", none)
    expected = {
        "features": ("F64", (cases, fixed)),
        "latent_table": ("F32", (cases, codes.shape[-1])),
        "conditioning.mean": ("F64", (fixed,)),
        "conditioning.sd": ("F64", (fixed,)),
    }
    for each, (kind, shape) in expected.items():
        found = arrays.get(each, none)
        if found.shape != shape or found.dtype != _TYPES[kind]:
            raise ValueError(f"the array '{each}' of its organ '{name}' is missing or does not fit to the others")
    if (arrays["conditioning.sd"] <= 0).any():
        raise ValueError(f"the features of its organ '{name}' have an SD that is not above 0")
    layers = without_prefix("network.", arrays)
    if any(array.dtype != _TYPES["F32"] for array in layers.values()):
        raise ValueError(f"the network of its organ '{name}' has another type")
    try:
        size = SDFNetwork.from_arrays(layers).code_size
    except (KeyError, IndexError, ValueError):
        raise ValueError(f"the network of its organ '{name}' is damaged") from None
    if size != fixed + codes.shape[1]:
        raise ValueError(f"the network of its organ '{name}' has codes of another size")


def _fits(found: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    return len(found) == len(expected) and all(b is None or a == b for a, b in zip(found, expected, strict=True))


def _expected(cases: int, settings: TrainingSettings) -> dict[str, tuple[str, tuple[int | None, ...]]]:
    """Return type and shape of every array of a model; None in a shape stands for any size."""
    fixed = _FIXED_SIZE[settings.conditioning]
    code, width = fixed + settings.latent_size, settings.hidden_width
    if max(code, width) > _LARGEST_LAYER or settings.hidden_layers > _LARGEST_LAYER:
        raise ValueError("the layers that its settings state are too large")
    found: dict[str, tuple[str, tuple[int | None, ...]]] = {
        "features": ("F64", (cases, 3)),
        "tracheas": ("F64", (cases, 3)),
        "latent_table": ("F32", (cases, settings.latent_size)),
        "conditioning.mean": ("F64", (fixed,)),
        "conditioning.sd": ("F64", (fixed,)),
    }
    for number, (a, b) in enumerate(pairwise([3 + code, *[width] * settings.hidden_layers, 1])):
        found[f"network.layers.{number}.weight"] = ("F32", (b, a))
        found[f"network.layers.{number}.bias"] = ("F32", (b,))
    hidden = None  # The width of the feature map is not a setting.
    for name, shape in {
        "code_mean": (code,),
        "code_sd": (code,),
        "output_mean": (3,),
        "output_sd": (3,),
        "linear": (3, code),
        "first": (hidden, code),
        "first_bias": (hidden,),
        "second": (hidden, hidden),
        "second_bias": (hidden,),
        "third": (3, hidden),
        "third_bias": (3,),
        "error": (3,),
    }.items():
        found[f"feature_map.{name}"] = ("F32", shape)
    return found
