"""Preview of a running training: one training case is decoded from time to time, at about 1 % of the time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import ThyroidSynthError
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.generation.thyroid import reconstruct
from ThyroidSynthLib.jobs.job import JobFolder
from ThyroidSynthLib.jobs.preview import Preview, write_preview
from ThyroidSynthLib.model.trained_model import TrainedModel

logger = logging.getLogger(__name__)

RESOLUTION = 40
SHARE_OF_TIME = 0.01
# An earlier surface shows nothing yet.
_FIRST_AFTER_S = 2.0
_LEAST_INTERVAL_S = 5.0


class PreviewWriter:
    """Writes the preview of a job; a `training.loop.Snapshot`.

    The case of median volume is shown. The next preview waits until the training has gone on for a hundred
    times as long as the last preview took. A preview that fails is logged and does not end the training.
    """

    def __init__(self, job: JobFolder, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._job = job
        self._clock = clock
        self._due: float | None = None
        self._cohort: Cohort | None = None

    def __call__(self, epoch: int, model_of: Callable[[], TrainedModel]) -> None:
        """Write a preview if one is due."""
        started = self._clock()
        if self._due is None:
            self._due = started + _FIRST_AFTER_S
        if started < self._due:
            return
        try:
            write_preview(self._job.preview_file, self._preview(epoch, model_of()))
        except ThyroidSynthError as error:
            logger.info("No preview after epoch %d: %s", epoch, error)
        except Exception:
            logger.exception("No preview after epoch %d", epoch)
        ended = self._clock()
        self._due = ended + max((ended - started) / SHARE_OF_TIME, _LEAST_INTERVAL_S)

    def _preview(self, epoch: int, model: TrainedModel) -> Preview:
        row = int(np.argsort(model.features[:, 0], kind="stable")[len(model.ids) // 2])
        if self._cohort is None:
            self._cohort = Cohort.open(Path(self._job.read_config()["cohort"]))
        reconstruction = reconstruct(model, row, resolution=RESOLUTION)
        return Preview(model.ids[row], epoch, self._cohort.surface(model.ids[row]), reconstruction.surface)
