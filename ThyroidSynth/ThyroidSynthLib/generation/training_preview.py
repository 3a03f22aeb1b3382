"""Pictures of a running training: one of its cases decoded now and then, for less than a hundredth of its time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.generation.decode.decoding import decode
from ThyroidSynthLib.jobs.job import JobFolder
from ThyroidSynthLib.jobs.preview import Preview, write_preview
from ThyroidSynthLib.model.shape_model import ShapeModel

logger = logging.getLogger(__name__)

RESOLUTION = 40
SHARE_OF_TIME = 0.01
# Sooner the shape is a blob, and nobody looks more often than that.
_FIRST_AFTER_S = 2.0
_AT_MOST_EVERY_S = 5.0


class PreviewWriter:
    """Writes the preview of a job; a `learning.training.Snapshot`.

    A preview waits until the training has gone on for a hundred times as long as the last one took. Shown
    is the case of median volume. A preview that fails is logged and never ends a training.

    Parameters
    ----------
    job : JobFolder
        Where it is written.
    clock : callable
        Seconds that never run backwards.
    """

    def __init__(self, job: JobFolder, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._job = job
        self._clock = clock
        self._due: float | None = None
        self._cohort: Cohort | None = None

    def __call__(self, epoch: int, model_of: Callable[[], ShapeModel]) -> None:
        """Write a preview if one is due."""
        began = self._clock()
        if self._due is None:
            self._due = began + _FIRST_AFTER_S
        if began < self._due:
            return
        try:
            write_preview(self._job.preview_file, self._preview(epoch, model_of()))
        except (SynthesisError, OSError) as error:
            logger.info("No preview after epoch %d: %s", epoch, error)
        except Exception:
            logger.exception("No preview after epoch %d", epoch)
        ended = self._clock()
        self._due = ended + max((ended - began) / SHARE_OF_TIME, _AT_MOST_EVERY_S)

    def _preview(self, epoch: int, model: ShapeModel) -> Preview:
        row = int(np.argsort(model.features[:, 0], kind="stable")[len(model.ids) // 2])
        case_id = model.ids[row]
        if self._cohort is None:
            self._cohort = Cohort.open(Path(self._job.read_config()["cohort"]))
        code = np.concatenate([model.conditioning.encode(model.features[row])[0], model.latent_table[row]])
        made = decode(model, code, resolution=RESOLUTION).surface
        return Preview(case_id, epoch, self._cohort.surface(case_id), made)
