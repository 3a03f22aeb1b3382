"""The loss curve of a job, read incrementally while the training runs."""

from __future__ import annotations

import itertools
import json
import math
import statistics
from array import array
from typing import Any

from .job import JobFolder

RECENT_EPOCHS = 20


class LossHistory:
    """Epochs and losses of a job, which need not have started.

    Attributes
    ----------
    epochs, losses : array of float
        One entry per completed epoch, oldest first.
    """

    def __init__(self, job: JobFolder) -> None:
        self._file = job.metrics_file
        self._clear()

    def _clear(self) -> None:
        self.epochs, self.losses, self._seconds = array("d"), array("d"), array("d")
        self._offset = 0
        self._start = b""

    def update(self) -> bool:
        """Read the epochs added since the last call and return whether anything has changed."""
        try:
            with self._file.open("rb") as stream:
                # A training that resumes or restarts writes the file anew.
                start = stream.read(len(self._start))
                size = stream.seek(0, 2)
                rewritten = start != self._start or size < self._offset
                if rewritten:
                    self._clear()
                stream.seek(self._offset)
                text = stream.read()
        except OSError:
            changed = len(self.epochs) > 0
            self._clear()
            return changed
        # A last line without a line break is still being written.
        lines = text[: text.rfind(b"\n") + 1]
        if self._offset == 0:
            self._start = lines[:200]
        self._offset += len(lines)
        for line in lines.splitlines():
            self._add(line)
        return rewritten or bool(lines)

    def _add(self, line: bytes) -> None:
        try:
            record: Any = json.loads(line)
            epoch, loss, seconds = (float(record[name]) for name in ("epoch", "loss", "seconds"))
        except (ValueError, KeyError, TypeError):
            return
        # After a crash the epochs since the last checkpoint are trained and recorded again.
        while self.epochs and self.epochs[-1] >= epoch:
            for values in (self.epochs, self.losses, self._seconds):
                values.pop()
        if math.isfinite(loss):
            self.epochs.append(epoch)
            self.losses.append(loss)
            self._seconds.append(seconds)

    @property
    def seconds_per_epoch(self) -> float | None:
        """Median duration of the recent epochs, which a single pause does not change; None without epochs."""
        return statistics.median_high(self._seconds[-RECENT_EPOCHS:]) if self._seconds else None

    def thinned(self, most: int) -> list[tuple[float, float]]:
        """Return at most `most` points (epoch, loss) to plot, each the geometric mean of consecutive epochs."""
        count = len(self.epochs)
        edges = [round(index * count / most) for index in range(most + 1)] if count > most else range(count + 1)
        points = []
        for first, end in itertools.pairwise(edges):
            logs = [math.log(max(loss, 1e-300)) for loss in self.losses[first:end]]
            points.append((self.epochs[end - 1], math.exp(statistics.fmean(logs))))
        return points
