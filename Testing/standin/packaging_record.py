"""``slicer.packaging`` and ``PyTorchUtils``: checks are real, installing is only recorded."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from .strictness import faults


@dataclass
class Installations:
    """Installations that a module started in a test.

    Attributes
    ----------
    requested : list of str
        Missing requirements that the module tried to install, in order.
    refused : list of str
        Requirements whose installation the user declined, in order.
    absent : set of str
        Packages to be taken for absent although they are there.
    declined : bool
        Whether the user declines.
    """

    requested: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    absent: set[str] = field(default_factory=set)
    declined: bool = False

    def clear(self) -> None:
        """Forget everything."""
        self.requested.clear()
        self.refused.clear()
        self.absent.clear()
        self.declined = False


installations = Installations()


def load_requirements(path: str | Path) -> list[Requirement]:
    """Read a requirements file; comments, empty lines and pip options are skipped."""
    lines = [line.strip() for line in Path(path).read_text().splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def _requirements(given) -> list[Requirement]:
    if isinstance(given, Requirement):
        return [given]
    if isinstance(given, str):
        try:
            return [Requirement(given)]
        except InvalidRequirement:
            return [Requirement(each) for each in given.split()]
    if isinstance(given, list):
        return [Requirement(each) if isinstance(each, str) else each for each in given]
    raise TypeError(f"Expected str, Requirement, or list, got {type(given).__name__}")


def _is_satisfied(requirement: Requirement) -> bool:
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    if requirement.name.lower() in installations.absent:
        return False
    try:
        return version(requirement.name) in requirement.specifier
    except PackageNotFoundError:
        return False


def pip_check(req) -> bool:
    """Return whether all requirements are met in this environment."""
    return all(_is_satisfied(each) for each in _requirements(req))


def pip_ensure(
    requirements,
    constraints=None,
    skip_packages=None,
    prompt_install: bool = True,
    prompt_restart: bool = True,
    requester: str | None = None,
    skip_in_testing: bool = True,
    show_progress: bool = True,
) -> None:
    """Record the missing requirements; after that they count as installed.

    Raises
    ------
    RuntimeError
        If the test says that the user declines.
    """
    missing = [each for each in _requirements(requirements) if not _is_satisfied(each)]
    if missing and prompt_install and installations.declined:
        installations.refused.extend(map(str, missing))
        raise RuntimeError("User declined package installation")
    for each in missing:
        installations.requested.append(str(each))
        installations.absent.discard(each.name.lower())


def pip_install(requirements, *_arguments, **_keywords) -> None:
    """Refuse: a module has to ask through :func:`pip_ensure`."""
    faults.add("slicer.packaging", f"pip_install({requirements!r}) without asking the user")


class PyTorchUtilsLogic:
    """Logic of the PyTorch extension."""

    def installTorch(
        self,
        askConfirmation: bool = False,
        forceComputationBackend: str | None = None,
        torchVersionRequirement: str | None = None,
        torchvisionVersionRequirement: str | None = None,
    ):
        """Record the call; return torch, or None if the user declines."""
        if askConfirmation and installations.declined:
            installations.refused.append(f"torch{torchVersionRequirement or ''}")
            return None
        installations.requested.append(f"torch{torchVersionRequirement or ''}")
        installations.absent.discard("torch")
        return self.torch

    @staticmethod
    def torchInstalled() -> bool:
        """Return whether torch is installed."""
        return pip_check("torch")

    @property
    def torch(self):
        """The torch package."""
        return importlib.import_module("torch")


def install(make_module: Callable) -> None:
    """Make the modules ``slicer.packaging`` and ``PyTorchUtils``."""
    make_module(
        "slicer.packaging",
        load_requirements=load_requirements,
        pip_check=pip_check,
        pip_ensure=pip_ensure,
        pip_install=pip_install,
        Requirement=Requirement,
    )
    make_module("PyTorchUtils", PyTorchUtilsLogic=PyTorchUtilsLogic)
