"""A model file is checked by type and value, with the same message for the library, `info` and every other command."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import pytest

from fuzzing.file_mutations import Mutation
from fuzzing.model_mutations import MODEL
from support.kept_models import kept_model
from ThyroidSynthLib.common.errors import ModelError
from ThyroidSynthLib.model.description import describe_model
from ThyroidSynthLib.model.library import ModelLibrary
from ThyroidSynthLib.model.trained_model import TrainedModel


@pytest.mark.parametrize("mutation", [each for each in MODEL if each.message], ids=lambda each: each.name)
def test_a_changed_model_is_refused_everywhere_with_the_fault(tmp_path: Path, mutation: Mutation) -> None:
    path = Path(shutil.copy(kept_model("small"), tmp_path / "m.safetensors"))
    mutation.change(path, random.Random(0))

    for read in (describe_model, TrainedModel.load):
        with pytest.raises(ModelError) as refused:
            read(path)
        assert str(path) in str(refused.value) and mutation.message in str(refused.value)
        assert re.search(r"(Copy or train it again|Choose a .*file|to open it)\.$", str(refused.value))


def test_one_damaged_model_does_not_hide_the_others(tmp_path: Path) -> None:
    for name in "ab":
        shutil.copy(kept_model("small"), tmp_path / f"{name}.safetensors")
    next(each for each in MODEL if each.name == "NaN in the weights").change(
        tmp_path / "a.safetensors", random.Random(0)
    )
    (tmp_path / "c.safetensors").write_bytes(b"\xff" * 100)
    (tmp_path / "d.safetensors").mkdir()

    found = {model.name: model for model in ModelLibrary(tmp_path).models() if not model.shipped}

    assert found["b"].description is not None and not found["b"].problem
    assert all(found[name].problem for name in "acd") and "not finite" in found["a"].problem
