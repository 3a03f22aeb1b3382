"""Public names of packages exist, and are imported only when they are used."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import ThyroidSynthLib

PACKAGES = [
    found.name
    for found in pkgutil.walk_packages(ThyroidSynthLib.__path__, "ThyroidSynthLib.")
    if found.ispkg and not found.name.startswith("ThyroidSynthLib.slicer")
]


@pytest.mark.parametrize("name", PACKAGES)
def test_every_public_name_of_a_package_exists(name: str) -> None:
    package = importlib.import_module(name)

    for public in getattr(package, "__all__", []):
        assert hasattr(package, public)
        assert public in dir(package)


def test_an_unknown_name_is_an_attribute_error() -> None:
    import ThyroidSynthLib.geometry as geometry

    with pytest.raises(AttributeError, match=r"ThyroidSynthLib\.geometry.*no_such_name"):
        _ = geometry.no_such_name


def test_importing_a_package_imports_none_of_its_files() -> None:
    program = f"import sys, {', '.join(PACKAGES)}; print(*{{name.partition('.')[0] for name in sys.modules}})"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert not {"torch", "vtkmodules", "scipy", "skimage", "SimpleITK"} & set(loaded)
