"""Organs in a model file: they are read back, checked, and absent from models without them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import ModelError
from ThyroidSynthLib.model.array_file import load_arrays, save_arrays
from ThyroidSynthLib.model.trained_model import TrainedModel


def test_organs_are_read_back_and_the_thyroid_is_the_same_as_without(
    small_necks: TrainedModel, small_model: TrainedModel, tmp_path: Path
) -> None:
    small_necks.save(tmp_path / "necks.safetensors")

    found = TrainedModel.load(tmp_path / "necks.safetensors")

    assert list(found.organs) == list(small_necks.organs) and small_model.organs == {}
    for name, organ in found.organs.items():
        before = small_necks.organs[name]
        assert organ.ids == before.ids and organ.feature_names == before.feature_names
        assert np.array_equal(organ.codes, before.codes)
        points = np.random.default_rng(0).uniform(-1, 1, (50, 3)).astype(np.float32)
        code = organ.codes[0].astype(np.float32)
        assert np.array_equal(
            organ.network.values(points, organ.network.fold(code)),
            before.network.values(points, before.network.fold(code)),
        )
    assert np.array_equal(found.codes, small_model.codes)
    replace(found, organs={}).save(tmp_path / "thyroid.safetensors")
    _, description = load_arrays(tmp_path / "thyroid.safetensors", kind="model")
    assert "organs" not in description


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda a, d: a.pop("organs.trachea.latent_table"), "'latent_table' of its organ 'trachea' is missing"),
        (lambda a, d: a.pop("organs.trachea.network.layers.0.bias"), "the network of its organ 'trachea' is damaged"),
        (
            lambda a, d: a.update({"organs.trachea.latent_table": a["organs.trachea.latent_table"][:, :-1].copy()}),
            "codes of another size",
        ),
        (lambda a, d: a["organs.trachea.conditioning.sd"].fill(0), "SD that is not above 0"),
        (lambda a, d: a["organs.trachea.features"].fill(np.nan), "not finite"),
        (lambda a, d: d["organs"]["trachea"]["ids"].pop(), "'features' of its organ 'trachea'"),
        (lambda a, d: d["organs"]["trachea"]["frame"].update(alignment="x"), "its alignment 'x' is unknown"),
        (lambda a, d: d["organs"]["trachea"].update(conditioning="x"), "conditioning of its organ 'trachea'"),
        (lambda a, d: d.update(organs=[1]), "organs"),
    ],
)
def test_a_damaged_organ_is_refused_with_the_fault(small_necks: TrainedModel, tmp_path: Path, change, fault) -> None:
    path = tmp_path / "necks.safetensors"
    small_necks.save(path)
    arrays, description = load_arrays(path, kind="model")
    arrays = {name: array.copy() for name, array in arrays.items()}
    change(arrays, description)
    save_arrays(path, arrays, description)

    with pytest.raises(ModelError, match=fault) as refused:
        TrainedModel.load(path)
    assert str(path) in str(refused.value) and "Copy or train it again." in str(refused.value)
