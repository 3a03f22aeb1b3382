"""Progress of a training: its loss as a chart, and a preview of one case."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import slicer

from ThyroidSynthLib.common.errors import ThyroidSynthError
from ThyroidSynthLib.jobs.loss_history import LossHistory
from ThyroidSynthLib.jobs.preview import read_preview
from ThyroidSynthLib.slicer.scene.display.training_preview import remove_training_preview, show_training_preview

from .loss_chart import LossChart
from .preview_picture import PreviewPicture

if TYPE_CHECKING:
    from ThyroidSynthLib.jobs.job import JobFolder
    from ThyroidSynthLib.jobs.preview import Preview

logger = logging.getLogger(__name__)

# More points cannot be seen in a plot view.
_MOST_POINTS = 1000


class TrainingWatch:
    """Shows the losses and the preview that a job writes."""

    def __init__(self, ui) -> None:
        self._ui = ui
        self._chart = LossChart(ui.lossChartButton)
        self._picture = PreviewPicture(ui.previewLabel)
        self._job: JobFolder | None = None
        self._history: LossHistory | None = None
        self._preview: Preview | None = None
        self._previewTime = 0
        ui.previewNodesCheckBox.connect("toggled(bool)", self._onShowToggled)
        self.watch(None)

    @property
    def secondsPerEpoch(self) -> float | None:
        """Duration of the recent epochs; None before the first."""
        return self._history.seconds_per_epoch if self._history is not None else None

    def watch(self, job: JobFolder | None) -> None:
        """Show another job; None clears the widgets."""
        self._job = job
        self._history = LossHistory(job) if job is not None else None
        self._preview, self._previewTime = None, 0
        self._chart.update((), 0)
        self._showPreview()

    def release(self) -> None:
        """Disconnect from the scene, which is about to close."""
        blocked = self._ui.previewNodesCheckBox.blockSignals(True)
        self._ui.previewNodesCheckBox.checked = False
        self._ui.previewNodesCheckBox.blockSignals(blocked)
        if not slicer.mrmlScene.IsClosing():
            remove_training_preview(slicer.mrmlScene)
        self.watch(None)

    def beforeSave(self) -> None:
        """Restore the layout of the views for the file."""
        self._chart.pause()

    def afterSave(self) -> None:
        """Show the chart again."""
        self._chart.resume()

    def update(self, epochs: int) -> None:
        """Show what the job has written since the last call; `epochs` is the length of the whole training."""
        if self._job is None or self._history is None:
            return
        if self._history.update():
            self._chart.update(self._history.thinned(_MOST_POINTS), epochs)
        try:
            changed = self._job.preview_file.stat().st_mtime_ns
        except OSError:
            changed = 0
        if changed == self._previewTime:
            return
        self._previewTime = changed
        try:
            self._preview = read_preview(self._job.preview_file)
        except ThyroidSynthError as error:
            logger.warning("%s", error)
            self._preview = None
        self._showPreview()

    def _showPreview(self) -> None:
        self._ui.previewBox.visible = self._preview is not None
        self._picture.show(self._preview)
        if self._preview is None:
            remove_training_preview(slicer.mrmlScene)
        elif self._ui.previewNodesCheckBox.checked:
            show_training_preview(slicer.mrmlScene, self._preview)

    def _onShowToggled(self, checked: bool) -> None:
        if checked and self._preview is not None:
            show_training_preview(slicer.mrmlScene, self._preview)
        else:
            remove_training_preview(slicer.mrmlScene)
