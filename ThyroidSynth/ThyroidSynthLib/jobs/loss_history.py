"""The loss curve of a job, followed while it grows: each look reads only what is new."""

from __future__ import annotations

import itertools
import json
import math
from array import array
from typing import Any

from .job import JobFolder

LAST_EPOCHS = 20


class LossHistory:
    """Epochs and losses of a job.

    Parameters
    ----------
    job : JobFolder
        The job; it need not have begun.

    Attributes
    ----------
    epochs, losses : array of float
        One entry for each epoch that was told, oldest first.
    """

    def __init__(self, job: JobFolder) -> None:
        self._file = job.metrics_file
        self._forget()

    def _forget(self) -> None:
        self.epochs, self.losses, self._seconds = array("d"), array("d"), array("d")
        self._offset = 0
        self._start = b""

    def update(self) -> bool:
        """Read what is new and say whether anything has changed."""
        try:
            with self._file.open("rb") as stream:
                # A training that resumes or restarts writes the file anew.
                start = stream.read(len(self._start))
                size = stream.seek(0, 2)
                anew = start != self._start or size < self._offset
                if anew:
                    self._forget()
                stream.seek(self._offset)
                text = stream.read()
        except OSError:
            changed = len(self.epochs) > 0
            self._forget()
            return changed
        # What follows the last line break is half a line of a training that is writing.
        lines = text[: text.rfind(b"\n") + 1]
        if self._offset == 0:
            self._start = lines[:200]
        self._offset += len(lines)
        for line in lines.splitlines():
            self._take(line)
        return anew or bool(lines)

    def _take(self, line: bytes) -> None:
        try:
            record: Any = json.loads(line)
            epoch, loss, seconds = (float(record[name]) for name in ("epoch", "loss", "seconds"))
        except (ValueError, KeyError, TypeError):
            return
        # An epoch that was told and then lost in a crash comes again.
        while self.epochs and self.epochs[-1] >= epoch:
            for values in (self.epochs, self.losses, self._seconds):
                values.pop()
        if math.isfinite(loss):
            self.epochs.append(epoch)
            self.losses.append(loss)
            self._seconds.append(seconds)

    @property
    def seconds_per_epoch(self) -> float | None:
        """How long an epoch took lately: the median, which a pause of the machine does not move."""
        recent = sorted(self._seconds[-LAST_EPOCHS:])
        return recent[len(recent) // 2] if recent else None

    def thinned(self, most: int) -> list[tuple[float, float]]:
        """Give at most `most` points to draw, (epoch, loss); each is the geometric mean of its stretch."""
        count = len(self.epochs)
        edges = [round(index * count / most) for index in range(most + 1)] if count > most else range(count + 1)
        points = []
        for first, end in itertools.pairwise(edges):
            logs = [math.log(max(loss, 1e-300)) for loss in self.losses[first:end]]
            points.append((self.epochs[end - 1], math.exp(sum(logs) / len(logs))))
        return points
