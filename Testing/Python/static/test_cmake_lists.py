"""CMake names exactly the files that lie in the folders, and the check notices when it does not."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]

_SPEC = importlib.util.spec_from_file_location("cmake_lists", PROJECT / "scripts" / "cmake_lists.py")
cmake_lists = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(cmake_lists)


def test_cmake_names_every_file_of_the_module() -> None:
    assert cmake_lists.differences(PROJECT / "ThyroidSynth") == []


def test_the_extension_adds_every_folder_with_a_cmake_file() -> None:
    text = (PROJECT / "CMakeLists.txt").read_text(encoding="utf-8")

    added = set(re.findall(r"add_subdirectory\((\w+)\)", text))

    assert added == {path.parent.name for path in PROJECT.glob("*/CMakeLists.txt")}


def test_the_training_cli_has_the_two_files_its_macro_copies() -> None:
    names = {path.name for path in (PROJECT / "ThyroidSynthTrain").iterdir() if path.is_file()}

    assert names == {"CMakeLists.txt", "ThyroidSynthTrain.py", "ThyroidSynthTrain.xml"}


def test_slicer_never_sees_a_shebang_in_the_module_file() -> None:
    assert not (PROJECT / "ThyroidSynth" / "ThyroidSynth.py").read_text(encoding="utf-8").startswith("#!")


@pytest.fixture
def a_module(tmp_path: Path) -> Path:
    module = tmp_path / "Some"
    for file in ("Some.py", "SomeLib/__init__.py", "SomeLib/part/idea.py", "Resources/Icons/Some.png"):
        (module / file).parent.mkdir(parents=True, exist_ok=True)
        (module / file).touch()
    (module / "CMakeLists.txt").write_text(
        "set(MODULE_NAME Some)\n"
        "set(MODULE_PYTHON_SCRIPTS\n  ${MODULE_NAME}.py\n  SomeLib/__init__.py # why\n  SomeLib/part/idea.py\n  )\n"
        "set(MODULE_PYTHON_RESOURCES\n  Resources/Icons/Some.png\n  )\n",
        encoding="utf-8",
    )
    return module


def test_complete_lists_have_no_differences(a_module: Path) -> None:
    (a_module / "SomeLib" / "__pycache__").mkdir()
    (a_module / "SomeLib" / "__pycache__" / "idea.pyc").touch()

    assert cmake_lists.differences(a_module) == []


@pytest.mark.parametrize("file", ["SomeLib/part/new.py", "SomeLib/part/table.json", "Resources/UI/Some.ui"])
def test_a_file_that_is_not_named_is_found(a_module: Path, file: str) -> None:
    (a_module / file).parent.mkdir(exist_ok=True)
    (a_module / file).touch()

    (fault,) = cmake_lists.differences(a_module)

    assert f"{file} is missing" in fault


def test_a_named_file_that_is_gone_is_found(a_module: Path) -> None:
    (a_module / "SomeLib/part/idea.py").unlink()

    (fault,) = cmake_lists.differences(a_module)

    assert "SomeLib/part/idea.py does not exist" in fault


def test_rewriting_makes_the_lists_right(a_module: Path) -> None:
    (a_module / "SomeLib/part/idea.py").rename(a_module / "SomeLib/part/better.py")
    (a_module / "Resources/requirements.txt").touch()

    cmake_lists.rewrite(a_module)

    assert cmake_lists.differences(a_module) == []
