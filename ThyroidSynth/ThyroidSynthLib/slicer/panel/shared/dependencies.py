"""Python packages that Slicer does not come with, installed when an action first needs them."""

from __future__ import annotations

from pathlib import Path

from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import Cancelled, InputError

TORCH = "2.3"


def ensurePackages(requirements: Path) -> None:
    """Have the requirements file's packages, asking the user before anything is installed.

    Slicer's own NumPy, SimpleITK, pydicom and VTK are never replaced.

    Raises
    ------
    Cancelled
        The user declined.
    """
    from slicer import packaging

    try:
        packaging.pip_ensure(packaging.load_requirements(str(requirements)), requester="ThyroidSynth")
    except RuntimeError as error:
        raise Cancelled(_("Nothing was installed, and the operation did not start.")) from error


def ensureRequirements(requirements: Path) -> None:
    """Have the requirements file's packages and PyTorch, asking the user before anything is installed.

    PyTorch comes through its own extension, which finds the build that fits the computer's GPU.

    Raises
    ------
    Cancelled
        The user declined.
    InputError
        The PyTorch extension is missing or could not install PyTorch.
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
