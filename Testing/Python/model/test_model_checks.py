"""A model file is checked by type and value, with the same message for the library, `info` and every other command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.kept_models import kept_model
from ThyroidSynthLib.common.errors import ModelError
from ThyroidSynthLib.model.array_file import load_arrays, save_arrays
from ThyroidSynthLib.model.description import describe_model
from ThyroidSynthLib.model.library import ModelLibrary
from ThyroidSynthLib.model.trained_model import TrainedModel

Change = Callable[[dict[str, np.ndarray], dict[str, Any]], object]


def changed(path: Path, change: Change) -> Path:
    arrays, description = load_arrays(kept_model("small"), kind="model")
    change(arrays, description)
    save_arrays(path, arrays, description)
    return path


def put(name: str, value: float) -> Change:
    def change(arrays: dict[str, np.ndarray], description: dict[str, Any]) -> None:
        arrays[name].flat[1] = value

    return change


def entry(*keys: str, value: Any) -> Change:
    def change(arrays: dict[str, np.ndarray], description: dict[str, Any]) -> None:
        place = description
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (put("network.layers.1.weight", np.nan), "'network.layers.1.weight' has values that are not finite"),
        (put("latent_table", np.inf), "'latent_table' has values that are not finite"),
        (put("features", -3.0), "the features of its training cases are impossible"),
        (put("conditioning.sd", 0.0), "'conditioning.sd' has values that are not above 0"),
        (
            lambda arrays, description: arrays.update({"latent_table": arrays["latent_table"].astype(np.int32)}),
            "'latent_table' is int32",
        ),
        (lambda arrays, description: arrays.pop("latent_table"), "'latent_table' is missing"),
        (entry("frame", "alignment", value="sideways"), "alignment 'sideways' is unknown"),
        (entry("frame", "alignment", value=["trachea"]), "'frame/alignment' is not text"),
        (entry("frame", "scale_mm", value=[1e6, 1, 1]), "'frame/scale_mm' is not three lengths"),
        (entry("settings", "variant", value="best"), "'variant' is 'best'"),
        (entry("settings", "latent_size", value="six"), "'latent_size' is 'six'"),
        (entry("settings", "hidden_width", value=10**9), "the layers that its settings state are too large"),
        (entry("settings", "epochs", value=True), "'epochs' is True"),
        (entry("conditioning", value="psychic"), "conditioning 'psychic' is unknown"),
        (entry("ids", value=["a"] * 24), "occur twice"),
        (entry("provenance", value="home"), "'provenance' is not an object"),
        (entry("provenance", "cohort", value=3), "'cohort' is not an object"),
        (entry("format_version", value="2"), "'format_version' is not a whole number"),
        (entry("feature_names", value=["a", "b", "c"]), "its features are not volume_ml"),
    ],
)
def test_a_changed_model_is_refused_everywhere_with_the_fault(tmp_path: Path, change: Change, fault: str) -> None:
    path = changed(tmp_path / "m.safetensors", change)

    for read in (describe_model, TrainedModel.load):
        with pytest.raises(ModelError) as refused:
            read(path)
        assert str(path) in str(refused.value) and fault in str(refused.value)
        assert str(refused.value).endswith(("Copy or train it again.", "Train the model again."))


def test_one_damaged_model_does_not_hide_the_others(tmp_path: Path) -> None:
    changed(tmp_path / "a.safetensors", put("latent_table", np.nan))
    shutil.copy(kept_model("small"), tmp_path / "b.safetensors")
    (tmp_path / "c.safetensors").write_bytes(b"\xff" * 100)
    (tmp_path / "d.safetensors").mkdir()

    found = {model.name: model for model in ModelLibrary(tmp_path).models() if not model.shipped}

    assert found["b"].description is not None and not found["b"].problem
    assert all(found[name].problem for name in "acd") and "not finite" in found["a"].problem


def stated(content: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    change(header)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (
            lambda content: (10 << 30).to_bytes(8, "little") + content[8:],
            "is not a model file, or its beginning is damaged",
        ),
        (lambda content: (200_000).to_bytes(8, "little") + b"[" * 200_000, "its header is not JSON"),
        (lambda content: stated(content, lambda header: header["features"].update(data_offsets=[0])), "position"),
        (lambda content: stated(content, lambda header: header["features"].update(shape=[1e9, 3])), "invalid shape"),
        (lambda content: stated(content, lambda header: header["features"].update(shape=[1 << 40, 3])), "wrong size"),
        (lambda content: stated(content, lambda header: header["features"].update(dtype="BF16")), "type BF16"),
        (lambda content: stated(content, lambda header: header.update(features=[])), "is not an object"),
        (lambda content: stated(content, lambda header: header.pop("__metadata__")), "not written by ThyroidSynth"),
        (lambda content: content.replace(b'"latent_table"', b'"features"    ', 1), "an array occurs twice"),
        (lambda content: content[:-100], "cut short"),
    ],
)
def test_a_header_that_states_the_impossible_is_refused(tmp_path: Path, damage, fault: str) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(damage(kept_model("small").read_bytes()))

    with pytest.raises(ModelError, match=fault) as refused:
        describe_model(path)

    assert str(path) in str(refused.value)
