"""State shared by the sections of the panel: parameters, loaded model, running operation."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import Cancelled, ModelError, ThyroidSynthError, explained
from ThyroidSynthLib.model.library import ModelLibrary

from .models_folder import modelsFolder

if TYPE_CHECKING:
    from ThyroidSynthLib.model.trained_model import TrainedModel
    from ThyroidSynthLib.slicer.panel.controls.status_line import StatusLine

    from .parameters import ThyroidSynthParameterNode

logger = logging.getLogger(__name__)


class Work:
    """A longer operation on the main thread that shows progress and can be cancelled.

    Its callbacks process Qt's events, so that the application is redrawn and Cancel can be clicked.
    """

    def __init__(self, show: Callable[[float, str], None]) -> None:
        self._show = show
        self._cancelled = False

    def cancel(self) -> None:
        """Let the operation end at its next step."""
        self._cancelled = True

    def progress(self, fraction: float, message: str) -> None:
        """Show the progress of the operation."""
        self._show(fraction, message)
        slicer.app.processEvents()

    def shouldStop(self) -> bool:
        """Check whether the operation was cancelled."""
        slicer.app.processEvents()
        return self._cancelled

    def check(self) -> None:
        """Raise `Cancelled` if the operation was cancelled."""
        if self.shouldStop():
            raise Cancelled(_("Cancelled."))


class Session:
    """State shared by the sections of the panel.

    Parameters
    ----------
    setEnabled : callable
        Called with false when an operation starts and with true when it has ended.

    Attributes
    ----------
    announceThyroids : callable
        Called by sections when one of the module's thyroids was added, replaced, renamed or removed.
    onFinished : callable
        Called when an operation has ended, also one during which the sections stayed enabled.
    lastError : str
        The last error shown; empty if there was none.
    misplacedCT : node or None
        The chosen CT if the patient's segmentation is not inside it.
    """

    def __init__(self, status: StatusLine, setEnabled: Callable[[bool], None]) -> None:
        self._parameters: ThyroidSynthParameterNode | None = None
        self.announceThyroids: Callable[[], None] = lambda: None
        self.onFinished: Callable[[], None] = lambda: None
        self.lastError = ""
        self.misplacedCT: Any = None
        self._status = status
        self.setEnabled = setEnabled
        self._work: Work | None = None
        self._model: tuple[tuple[Path, int, int], TrainedModel] | None = None
        status.onCancel = self.cancel

    @property
    def hasParameters(self) -> bool:
        """Whether there are parameters; there are none while the scene is closed or after leaving the module."""
        return self._parameters is not None

    @property
    def parameters(self) -> ThyroidSynthParameterNode:
        """The user's choices; raises `Cancelled` after the scene was closed, so that a running operation ends."""
        if self._parameters is None:
            raise Cancelled(_("The scene was closed."))
        return self._parameters

    def setParameters(self, parameters: ThyroidSynthParameterNode | None) -> None:
        """Use another parameter node, or none."""
        self._parameters = parameters

    @property
    def busy(self) -> bool:
        """Whether an operation is running."""
        return self._work is not None

    @property
    def library(self) -> ModelLibrary:
        """The user's models and those that ship with the module."""
        return ModelLibrary(modelsFolder())

    def cancel(self) -> None:
        """Cancel the running operation, if there is one."""
        if self._work is not None:
            self._work.cancel()

    @property
    def message(self) -> str:
        """The status message that is shown."""
        return self._status.message

    def showStatus(self, message: str) -> None:
        """Show a status message."""
        self._status.show(None, message)

    @contextmanager
    def errorsShown(self, action: str = "") -> Iterator[None]:
        """Show errors in a dialog; those that the user cannot act on are defects and raised to Slicer, too.

        The status then names the action that failed, such as "Loading", or the fault if there is no name.
        """
        try:
            yield
        except Cancelled as cancelled:
            self.showStatus(str(cancelled))
        except Exception as error:
            message = explained(error, _("Report it with Slicer's log"))
            logger.info("Shown to the user: %s", message)
            self.lastError = message
            fault = message.partition(". ")[0].rstrip(".") + "."
            self.showStatus(_("{action} failed.").format(action=action) if action else fault)
            slicer.util.errorDisplay(message, windowTitle="ThyroidSynth")
            # A full disk or memory is no defect.
            if not isinstance(error, (ThyroidSynthError, OSError, MemoryError)):
                raise

    @contextmanager
    def work(self, title: str, *, blocking: bool = True) -> Iterator[Work]:
        """Run an operation with progress and Cancel; errors are shown, and the sections are disabled.

        With `blocking` false the sections stay enabled, so that a slider keeps the keyboard focus. Anything
        may then happen during the operation, even another operation.
        """
        outer, self._work = self._work, Work(self._status.show)
        if blocking:
            self.setEnabled(False)
        self._status.start(title)
        try:
            with self.errorsShown(title):
                yield self._work
        finally:
            self._work = outer
            self._status.finish()
            if blocking:
                self.setEnabled(True)
            self.onFinished()

    def model(self) -> TrainedModel:
        """Return the chosen model, whose file is read once as long as it does not change; else raise `ModelError`."""
        from ThyroidSynthLib.model.trained_model import TrainedModel

        path = self.parameters.model
        if not path.is_file():
            raise ModelError(_("Choose a model in the section Shape model first."))
        model = self.modelInMemory()
        if model is None:
            model = TrainedModel.load(path)
            self._model = (_fileKey(path), model)
        return model

    def modelInMemory(self) -> TrainedModel | None:
        """Return the chosen model if it has been read already; None otherwise."""
        path = self.parameters.model
        if self._model is None or not path.is_file() or self._model[0] != _fileKey(path):
            return None
        return self._model[1]


def _fileKey(path: Path) -> tuple[Path, int, int]:
    status = path.stat()
    return path, status.st_mtime_ns, status.st_size
