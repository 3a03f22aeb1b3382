"""What the sections of the panel share: the parameters, the model in memory, and the operation that runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import Cancelled, ModelError, ThyroidSynthError
from ThyroidSynthLib.model.library import ModelLibrary

from .dependencies import ensurePackages, ensureRequirements
from .models_folder import modelsFolder

if TYPE_CHECKING:
    from ThyroidSynthLib.model.shape_model import ShapeModel

    from .parameters import ThyroidSynthParameterNode

logger = logging.getLogger(__name__)


class Work:
    """An operation of more than a moment on the main thread: it shows progress and can be cancelled.

    Its callbacks let the application draw and listen; only Cancel, and Slicer itself, can be clicked.

    Parameters
    ----------
    show : callable
        Called with the fraction done and a text.
    """

    def __init__(self, show: Callable[[float, str], None]) -> None:
        self._show = show
        self._cancelled = False

    def cancel(self) -> None:
        """Ask the operation to end at its next step."""
        self._cancelled = True

    def progress(self, fraction: float, message: str) -> None:
        """Show how far the operation is."""
        self._show(fraction, message)
        slicer.app.processEvents()

    def shouldStop(self) -> bool:
        """Say whether the operation is to end."""
        slicer.app.processEvents()
        return self._cancelled

    def check(self) -> None:
        """Raise `Cancelled` if the operation is to end."""
        if self.shouldStop():
            raise Cancelled(_("Cancelled."))


class Session:
    """State that belongs to no single section.

    Parameters
    ----------
    status : StatusSection
        Shows what is going on.
    setEnabled : callable
        Called with false while an operation runs and true afterwards.
    requirements : Path
        The requirements file of the module.

    Attributes
    ----------
    announceThyroids : callable
        To be called when a thyroid made here was added, replaced, renamed or removed.
    lastError : str
        The error that was shown last; empty if there was none.
    """

    def __init__(self, status, setEnabled: Callable[[bool], None], requirements: Path) -> None:
        self._parameters: ThyroidSynthParameterNode | None = None
        self.announceThyroids: Callable[[], None] = lambda: None
        self.lastError = ""
        self._status = status
        self._setEnabled = setEnabled
        self._requirements = requirements
        self._work: Work | None = None
        self._model: tuple[tuple[Path, int, int], ShapeModel] | None = None
        status.onCancel = self.cancel

    @property
    def hasParameters(self) -> bool:
        """Whether there are parameters: not while a scene is closed, nor after the module was left."""
        return self._parameters is not None

    @property
    def parameters(self) -> ThyroidSynthParameterNode:
        """The user's choices.

        Raises
        ------
        Cancelled
            The scene was closed: an operation that is under way ends.
        """
        if self._parameters is None:
            raise Cancelled(_("The scene was closed."))
        return self._parameters

    def setParameters(self, parameters: ThyroidSynthParameterNode | None) -> None:
        """Follow another parameter node, or none."""
        self._parameters = parameters

    @property
    def busy(self) -> bool:
        """Whether an operation runs."""
        return self._work is not None

    @property
    def library(self) -> ModelLibrary:
        """The user's models and those that ship with the module."""
        return ModelLibrary(modelsFolder(), self._requirements.parent / "Models")

    def cancel(self) -> None:
        """Ask the running operation to end, if there is one."""
        if self._work is not None:
            self._work.cancel()

    @property
    def message(self) -> str:
        """What is shown in the panel now."""
        return self._status.message

    def showStatus(self, message: str) -> None:
        """Show a message in the panel."""
        self._status.show(None, message)

    @contextmanager
    def errorsShown(self) -> Iterator[None]:
        """Show what the user can act upon in a dialog; anything else is a fault and goes on to Slicer."""
        try:
            yield
        except Cancelled as cancelled:
            self.showStatus(str(cancelled))
        except ThyroidSynthError as error:
            logger.info("Shown to the user: %s", error)
            self.lastError = str(error)
            self.showStatus(_("That did not work."))
            slicer.util.errorDisplay(str(error), windowTitle="ThyroidSynth")

    @contextmanager
    def work(self, title: str, *, blocking: bool = True) -> Iterator[Work]:
        """Run an operation with progress and cancel; errors are shown, the rest of the panel waits.

        With `blocking` false the panel does not wait, so that a slider keeps the keyboard's focus. Such an
        operation must bear that anything happens meanwhile, even another operation.
        """
        outer, self._work = self._work, Work(self._status.show)
        if blocking:
            self._setEnabled(False)
        self._status.start(title)
        try:
            with self.errorsShown():
                yield self._work
        finally:
            self._work = outer
            self._status.finish()
            if blocking:
                self._setEnabled(True)

    def ensurePackages(self) -> None:
        """Have the packages that need no PyTorch installed, asking the user.

        Raises
        ------
        Cancelled
            The user declined.
        """
        ensurePackages(self._requirements)

    def ensureRequirements(self) -> None:
        """Have PyTorch and the other packages installed, asking the user.

        Raises
        ------
        Cancelled
            The user declined.
        """
        ensureRequirements(self._requirements)

    def model(self) -> ShapeModel:
        """Give the chosen model, read once as long as its file is the same.

        Raises
        ------
        ModelError
            None is chosen, or it cannot be read.
        """
        from ThyroidSynthLib.model.shape_model import ShapeModel

        path = self.parameters.model
        if not path.is_file():
            raise ModelError(_("Choose a model file in the section Shape model first."))
        model = self.modelInMemory()
        if model is None:
            model = ShapeModel.load(path)
            self._model = (_fileKey(path), model)
        return model

    def modelInMemory(self) -> ShapeModel | None:
        """Give the chosen model if it has been read already; None otherwise."""
        path = self.parameters.model
        known = self._model is not None and path.is_file() and self._model[0] == _fileKey(path)
        return self._model[1] if known else None


def _fileKey(path: Path) -> tuple[Path, int, int]:
    about = path.stat()
    return path, about.st_mtime_ns, about.st_size
