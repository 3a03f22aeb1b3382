"""The model library lists, copies, renames and deletes models, and never overwrites or changes a shipped one."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from ThyroidSynthLib.common.errors import ModelError, OutputError
from ThyroidSynthLib.common.files import sha256_of
from ThyroidSynthLib.model.description import describe_model
from ThyroidSynthLib.model.library import (
    ModelLibrary,
    check_card_room,
    evaluation_of,
    evaluation_state,
    put_evaluation_beside,
)
from ThyroidSynthLib.model.shipped import model_path
from ThyroidSynthLib.model.trained_model import TrainedModel

EXAMPLE = model_path("example")


@pytest.fixture
def library(tmp_path):
    return ModelLibrary(tmp_path / "library")


@pytest.fixture
def other_model(tmp_path):
    """A file that is another model: the same, with the last bit of a number changed."""
    content = bytearray(EXAMPLE.read_bytes())
    content[-8] ^= 1
    path = tmp_path / "trained" / "model.safetensors"
    path.parent.mkdir()
    path.write_bytes(content)
    return path


def write_evaluation(path: Path, model: Path) -> None:
    path.write_text(json.dumps({"kind": "evaluation", "model": {"checksum": sha256_of(model)}}))


def test_a_new_library_has_the_shipped_model(library):
    (model,) = library.models()

    assert (model.name, model.shipped, model.path) == ("example", True, EXAMPLE)
    assert model.description.synthetic
    assert model.description.cases == 560
    assert model.description.size_bytes == EXAMPLE.stat().st_size
    assert not library.folder.exists()


def test_an_added_model_is_a_copy_that_keeps_its_date(library, other_model):
    os.utime(other_model, (1_600_000_000, 1_600_000_000))

    path = library.add(other_model, "neck study")

    assert path == library.folder / "neck study.safetensors"
    assert path.read_bytes() == other_model.read_bytes()
    assert [model.name for model in library.models()] == ["example", "neck study"]
    assert library.models()[1].description.modified == pytest.approx(1_600_000_000)
    assert other_model.is_file()


def test_adding_a_model_twice_keeps_one_and_another_model_of_its_name_gets_a_number(library, other_model):
    first = library.add(other_model, "m")

    assert library.add(other_model, "m") == first
    assert library.add(EXAMPLE, "m").name == "m 2.safetensors"
    assert library.add(EXAMPLE, "m").name == "m 2.safetensors"
    assert first.read_bytes() == other_model.read_bytes()


def test_only_models_are_added(library, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"not a model")

    with pytest.raises(ModelError, match="damaged"):
        library.add(path)
    assert not library.folder.exists()


def test_a_damaged_file_is_listed_with_its_problem(library):
    library.folder.mkdir()
    (library.folder / "broken.safetensors").write_bytes(b"1")
    (library.folder / ".half.partial.safetensors").write_bytes(b"1")

    model = library.models()[-1]

    assert (model.name, model.description) == ("broken", None)
    assert "damaged" in model.problem


def test_renaming_never_overwrites(library, other_model):
    a, b = library.add(other_model, "a"), library.add(EXAMPLE, "b")

    with pytest.raises(OutputError, match="already has a model named 'b'"):
        library.rename(a, "b")
    renamed = library.rename(a, " c ")

    assert renamed.name == "c.safetensors"
    assert b.read_bytes() == EXAMPLE.read_bytes()
    assert not a.exists()
    assert library.rename(renamed, "c") == renamed


def test_shipped_models_and_files_elsewhere_are_neither_renamed_nor_deleted(library, other_model):
    before = EXAMPLE.read_bytes()

    for path in (EXAMPLE, other_model):
        with pytest.raises(OutputError):
            library.delete(path)
        with pytest.raises(OutputError):
            library.rename(path, "mine")
    assert EXAMPLE.read_bytes() == before
    assert other_model.is_file()


def test_deleting_a_model_deletes_its_evaluation(library, other_model):
    write_evaluation(other_model.parent / "evaluation.json", other_model)
    path = library.add(other_model, "m")
    assert (library.folder / "m.evaluation.json").is_file()

    library.delete(path)

    assert list(library.folder.iterdir()) == []


@pytest.mark.parametrize("name", ["", "  ", "a/b", "..", ".x", "a:b", "x" * 81, "a\nb", "dot."])
def test_names_that_cannot_be_file_names_are_refused(library, other_model, name):
    path = library.add(other_model, "m")

    with pytest.raises(OutputError, match="cannot be named"):
        library.rename(path, name)


def test_an_evaluation_is_renamed_with_its_model_and_ignored_for_another(library, other_model):
    write_evaluation(other_model.parent / "evaluation.json", other_model)
    path = library.rename(library.add(other_model, "m"), "n")

    assert evaluation_of(path)["model"]["checksum"] == sha256_of(other_model)
    shutil.copy(EXAMPLE, path)
    assert evaluation_of(path) is None
    assert evaluation_of(EXAMPLE)["model"]["checksum"] == sha256_of(EXAMPLE)


def test_an_evaluation_put_beside_its_model_replaces_an_earlier_one_on_request(other_model, tmp_path):
    found = tmp_path / "report" / "evaluation.json"
    found.parent.mkdir()
    write_evaluation(found, other_model)
    before = evaluation_state(other_model)

    path = put_evaluation_beside(other_model, found)

    assert path == other_model.with_name("model.evaluation.json")
    assert evaluation_of(other_model)["kind"] == "evaluation"
    assert evaluation_state(other_model) != before
    write_evaluation(path, EXAMPLE)
    with pytest.raises(OutputError, match="is an earlier evaluation"):
        put_evaluation_beside(other_model, found)
    assert evaluation_of(other_model) is None
    put_evaluation_beside(other_model, found, overwrite=True)
    assert evaluation_of(other_model) is not None


def test_the_evaluation_of_a_shipped_model_is_never_replaced():
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="'example' is installed with the module"):
            check_card_room(EXAMPLE, overwrite=overwrite)


def test_only_a_models_own_evaluation_is_put_beside_it_and_other_files_are_kept(other_model, tmp_path):
    found = tmp_path / "evaluation.json"
    write_evaluation(found, EXAMPLE)
    with pytest.raises(ModelError, match="is not an evaluation of"):
        put_evaluation_beside(other_model, found)

    write_evaluation(found, other_model)
    mine = other_model.with_name("model.evaluation.json")
    mine.write_text("my notes")
    with pytest.raises(OutputError, match="is not replaced"):
        put_evaluation_beside(other_model, found)
    assert mine.read_text() == "my notes"

    mine.unlink()
    mine.symlink_to("unmounted.json")
    with pytest.raises(OutputError, match="is not replaced"):
        put_evaluation_beside(other_model, found)
    assert mine.is_symlink()


def test_the_shipped_model_can_be_named_instead_of_its_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "example").mkdir()  # A folder of that name is not a model file.

    assert EXAMPLE.is_file()
    assert describe_model("example").path == EXAMPLE
    assert TrainedModel.load("example").checksum == sha256_of(EXAMPLE)
    for other in ("model.safetensors", "no/example", "example.safetensors"):
        assert model_path(other) == Path(other)
    (tmp_path / "example").rmdir()
    (tmp_path / "example").write_bytes(b"a file of the user")
    assert model_path("example") == Path("example")
