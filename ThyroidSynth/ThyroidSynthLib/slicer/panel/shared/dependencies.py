"""Python packages that Slicer does not include, installed when an action first needs them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import Cancelled, InputError

TORCH = "2.3"
"""Oldest version of PyTorch that is supported."""


def ensurePackages(requirements: Path) -> None:
    """Install the packages of the requirements file that are missing, after asking the user.

    Slicer's own NumPy, SimpleITK, pydicom and VTK are never replaced. Raises `Cancelled` if the user declines.
    """
    from slicer import packaging

    try:
        packaging.pip_ensure(packaging.load_requirements(str(requirements)), requester="ThyroidSynth")
    except RuntimeError as error:
        raise Cancelled(_("Nothing was installed, and the operation did not start.")) from error


def ensureRequirements(requirements: Path) -> None:
    """Install PyTorch and the packages of the requirements file that are missing, after asking the user.

    PyTorch is installed by its own extension, which finds the build for the computer's GPU. Raises `Cancelled`
    if the user declines, and `InputError` if that extension is missing.
    """
    from slicer import packaging

    ensurePackages(requirements)
    if packaging.pip_check(f"torch>={TORCH}"):
        return
    try:
        import PyTorchUtils
    except ModuleNotFoundError as error:
        raise InputError(
            _("PyTorch is missing. Install the PyTorch extension in the Extensions Manager and restart Slicer.")
        ) from error
    torch = PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=True, torchVersionRequirement=f">={TORCH}")
    if torch is None:
        raise Cancelled(_("PyTorch was not installed, and the operation did not start."))


def pythonExecutable() -> str:
    """Return Slicer's Python for background processes; without Slicer, the running Python."""
    return shutil.which("PythonSlicer") or sys.executable
