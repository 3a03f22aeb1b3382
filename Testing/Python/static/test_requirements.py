"""The lists of packages agree with each other: the project's and the pinned one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

tomllib = pytest.importorskip("tomllib", reason="Python 3.10 cannot read TOML")

PROJECT = Path(__file__).resolve().parents[3]


def requirements_of(lines: list[str]) -> dict[str, Requirement]:
    entries = [line.partition(" #")[0].strip() for line in lines]
    found = [Requirement(entry) for entry in entries if entry and not entry.startswith(("#", "-"))]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def file(path: str) -> dict[str, Requirement]:
    return requirements_of((PROJECT / path).read_text(encoding="utf-8").splitlines())


PROJECT_TABLE = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LIBRARY = requirements_of(PROJECT_TABLE["dependencies"])


def test_every_pin_is_exact_and_within_what_the_project_asks_for() -> None:
    pins = file("requirements/dev.txt") | file("requirements/simulation.txt")
    targets = list(LIBRARY.values())
    for extra in PROJECT_TABLE["optional-dependencies"].values():
        targets += requirements_of(extra).values()

    assert all(str(pin.specifier).startswith("==") for pin in pins.values())
    for requirement in targets:
        pinned = str(pins[canonicalize_name(requirement.name)].specifier).removeprefix("==")
        assert requirement.specifier.contains(pinned), requirement


def test_the_extensions_index_knows_the_same_dependency_as_cmake() -> None:
    entry = json.loads((PROJECT / "docs/extension-index/ThyroidSynth.json").read_text(encoding="utf-8"))
    cmake = (PROJECT / "CMakeLists.txt").read_text(encoding="utf-8")

    assert f'set(EXTENSION_DEPENDS "{" ".join(entry["build_dependencies"])}")' in cmake
