"""Segment the patient's CT with the TotalSegmentator extension where it is installed."""

from __future__ import annotations

import logging
import queue
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import Cancelled, InputError, ThyroidSynthError
from ThyroidSynthLib.imaging.labels import STRUCTURES
from ThyroidSynthLib.slicer.panel.shared.readiness import enableOrExplain

if TYPE_CHECKING:
    from collections.abc import Callable

    from ThyroidSynthLib.slicer.panel.shared.session import Session, Work

logger = logging.getLogger(__name__)

_POLL_S = 0.05
_TERMINATE_WITHIN_S = 5.0
# The extension reports no progress; its steps are recognised by what it logs.
_STEPS = (("Creating segmentations", 0.2), ("Predicting", 0.5), ("Saving", 0.8), ("Importing", 0.9))


class TotalSegmentatorRun:
    """Runs the extension's logic on the CT, for thyroid and trachea only."""

    def __init__(self, session: Session, ui, onSegmented: Callable[[object], None]) -> None:
        self._session, self._ui, self._onSegmented = session, ui, onSegmented
        ui.segmentButton.connect("clicked(bool)", self._onSegment)

    def refresh(self) -> None:
        """Show the parameters after they have changed."""
        installed = hasattr(slicer.modules, "totalsegmentator")
        ct, segmentation = self._session.parameters.ct, self._session.parameters.segmentation
        self._ui.segmentButton.visible = installed
        enableOrExplain(self._ui.segmentButton, "" if ct is not None else _("Choose a CT first."))
        self._ui.segmentHintLabel.visible = not installed and ct is not None and segmentation is None

    def _onSegment(self, checked: bool = False) -> None:
        with self._session.work(_("Starting TotalSegmentator")) as work:
            scene, ct = slicer.mrmlScene, self._session.parameters.ct
            logic = _logicOf(work)
            work.progress(0.05, _("Checking the packages of TotalSegmentator"))
            _call(logic.setupPythonRequirements)
            name = _("{ct} TotalSegmentator").format(ct=ct.GetName())
            node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", scene.GenerateUniqueName(name))
            try:
                node.CreateDefaultDisplayNodes()
                classes = [structure.name for structure in STRUCTURES]
                _call(logic.process, ct, node, quality="normal", task="total", subset=classes, interactive=True)
                work.check()
                if not scene.IsNodePresent(node):
                    raise Cancelled(_("The scene was closed."))
                if node.GetSegmentation().GetNumberOfSegments() == 0:
                    text = _("TotalSegmentator found neither a thyroid nor a trachea in {ct}.")
                    raise InputError(text.format(ct=ct.GetName()))
                node.CreateClosedSurfaceRepresentation()
            except BaseException:
                if scene.IsNodePresent(node):
                    scene.RemoveNode(node)
                raise
            self._onSegmented(node)
            self._session.showStatus(_("TotalSegmentator has segmented {ct}.").format(ct=ct.GetName()))


def _call(action: Callable, *arguments: object, **options: object) -> None:
    """Call the extension; its errors are shown to the user, because they are no defects of the panel."""
    try:
        action(*arguments, **options)
    except ThyroidSynthError:
        raise
    except subprocess.CalledProcessError as error:
        text = _("TotalSegmentator failed (exit code {code}). Its output is in Slicer's log.")
        raise InputError(text.format(code=error.returncode)) from error
    except Exception as error:
        raise InputError(_("TotalSegmentator failed: {error}").format(error=error)) from error


def _logicOf(work: Work):
    """Return the extension's logic with progress and cancel.

    Its own `logProcessOutput` waits for each line of the child process, which may take minutes, and cannot
    be cancelled. This one reads lines in a thread while the application processes its events.
    """
    from TotalSegmentator import TotalSegmentatorLogic

    class Logic(TotalSegmentatorLogic):
        def logProcessOutput(self, proc: subprocess.Popen[str], returnOutput: bool = False) -> str | None:
            lines: queue.Queue[str | None] = queue.Queue()
            threading.Thread(target=_read, args=(proc.stdout, lines), daemon=True).start()
            output, saved = "", False
            try:
                # On macOS the workers never end after saving, so that the extension terminates them, too.
                while not saved and (line := _next(lines)) is not None:
                    work.check()
                    if line:
                        self.log(line.rstrip())
                        output += line
                        saved = sys.platform == "darwin" and "Saved in " in line
            except BaseException:
                _terminate(proc)
                raise
            if saved:
                _terminate(proc)
            proc.wait()
            if proc.returncode and not saved:
                raise subprocess.CalledProcessError(proc.returncode, proc.args, output=output)
            return output if returnOutput else None

    logic = Logic()
    reached = 0.1

    def log(text: str) -> None:
        nonlocal reached
        reached = max([reached, *(fraction for word, fraction in _STEPS if word in text)])
        logger.info("TotalSegmentator: %s", text)
        if text.strip():
            work.progress(reached, text.strip()[-80:])
        work.check()

    logic.logCallback = log
    return logic


def _read(stream, lines: queue.Queue) -> None:
    while True:
        try:
            line = stream.readline()
        except UnicodeDecodeError:
            continue  # Progress bars on systems whose encoding is not UTF-8.
        except ValueError:
            line = ""
        lines.put(line or None)
        if not line:
            return


def _next(lines: queue.Queue) -> str | None:
    """Return the next line, an empty one if none is available yet, None at the end."""
    try:
        return lines.get_nowait()
    except queue.Empty:
        # Sleeping releases Python's lock for the reading thread.
        time.sleep(_POLL_S)
        return ""


def _terminate(proc: subprocess.Popen[str]) -> None:
    proc.terminate()
    try:
        proc.wait(timeout=_TERMINATE_WITHIN_S)
    except subprocess.TimeoutExpired:
        proc.kill()
        proc.wait()
