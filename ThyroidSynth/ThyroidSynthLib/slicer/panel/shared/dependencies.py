"""PyTorch, which Slicer does not include and trainings need; it is installed when the first training starts."""

from __future__ import annotations

import shutil
import sys

from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import Cancelled, InputError

TORCH = "2.3"
"""Oldest version of PyTorch that is supported."""


def ensureTorch() -> None:
    """Install PyTorch if it is missing, after asking the user.

    It is installed by its own extension, which finds the build for the computer's GPU. Raises `Cancelled` if the user
    declines, and `InputError` if that extension is missing.
    """
    from slicer import packaging

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
