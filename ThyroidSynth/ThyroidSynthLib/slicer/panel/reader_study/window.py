"""The window of the reader study: it creates or continues a study, shows its shapes and takes the ratings by keys."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import ThyroidSynthError
from ThyroidSynthLib.evaluation.reader_study.creation import create_study
from ThyroidSynthLib.evaluation.reader_study.plan import STUDY_FILE, StudyPlan
from ThyroidSynthLib.evaluation.reader_study.ratings import (
    RATINGS,
    RatingSession,
    checked_reader,
    ratings_file,
    ratings_files,
    read_ratings,
    reader_key,
)
from ThyroidSynthLib.evaluation.reader_study.summary import summarise, write_summary
from ThyroidSynthLib.geometry.frame import ALIGNMENTS
from ThyroidSynthLib.slicer.panel.controls.window import SectionWindow
from ThyroidSynthLib.slicer.panel.shared.choices import StudyScope
from ThyroidSynthLib.slicer.panel.shared.parameters import isSet, showUnsetPaths
from ThyroidSynthLib.slicer.panel.shared.section import Section
from ThyroidSynthLib.slicer.scene.display.study_case import StudyDisplay
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import generated_thyroids

from .sources import StudySources

if TYPE_CHECKING:
    from pathlib import Path

    from ThyroidSynthLib.model.description import ModelDescription
    from ThyroidSynthLib.slicer.panel.shared.session import Session

_SUMMARY_FOLDER = "summary"


class _Run:
    """A study that is being read: its plan, the reader's ratings and the views."""

    def __init__(self, plan: StudyPlan, reader: str) -> None:
        with ExitStack() as opened:
            self.plan = plan
            self.ratings = RatingSession(plan, reader)
            opened.callback(self.ratings.close)
            extent = max(shape.extent_mm for shape in plan.shapes)
            self.display = StudyDisplay(slicer.mrmlScene, ct=plan.ct(), size_mm=extent)
            opened.callback(self.display.end)
            self._opened = opened.pop_all()

    def close(self) -> None:
        """Show everything as it was before; others may write the ratings."""
        self._opened.close()


class ReaderStudyWindow(Section):
    """The window of the reader study.

    Attributes
    ----------
    selectedThyroids : callable
        Returns the thyroids that are selected in the table.
    beforeStart : callable
        Called before the views are used for a study.
    onChanged : callable
        Called when a study has begun, is paused or has ended.
    """

    uiFile = "ReaderStudy.ui"

    def __init__(self, session: Session, folder: Path, parent) -> None:
        self._parent = parent
        super().__init__(session, folder)

    def connect(self) -> None:
        """Connect the widgets and the keys."""
        self.selectedThyroids: Callable[[], list] = list
        self.beforeStart: Callable[[], None] = lambda: None
        self.onChanged: Callable[[], None] = lambda: None
        self._alignment = ALIGNMENTS[0]
        self._run: _Run | None = None
        self._since = 0.0
        # A child of the panel, whose controls are therefore connected with the parameters.
        self._window = SectionWindow(_("Reader study"), self.widget, self._parent)
        self._dialog = self._window.dialog
        self._dialog.connect("finished(int)", lambda result: self.pause())
        ui = self.ui
        ui.startStudyButton.connect("clicked(bool)", self._onStart)
        ui.studySummaryButton.connect("clicked(bool)", self._onSummary)
        ui.closeSummaryButton.connect("clicked(bool)", lambda checked: self._showPage(ui.studySetupPage))
        ui.studyBackButton.connect("clicked(bool)", lambda checked: self._back())
        ui.pauseStudyButton.connect("clicked(bool)", lambda checked: self.pause())
        # The keys also work while a view has the focus, because readers turn the shape there.
        self._shortcuts = [self._shortcut("Backspace", self._back), self._shortcut("Esc", self.pause)]
        for rating in RATINGS:
            button = getattr(ui, f"rating{rating}Button")
            button.connect("clicked(bool)", lambda checked, rating=rating: self._rate(rating))
            self._shortcuts.append(self._shortcut(str(rating), self._rater(rating)))
        self._showPage(ui.studySetupPage)

    @property
    def running(self) -> bool:
        """Whether a study is being read, during which nothing may unblind the reader."""
        return self._run is not None

    def open(self) -> None:
        """Show the window."""
        self._window.open()
        if self.session.hasParameters:
            self.refresh()

    def pause(self) -> None:
        """Leave a study, which continues later where it was, and show everything as it was before."""
        if self._run is None:
            return
        self._leave()
        self.onChanged()
        if self.session.hasParameters:
            self.refresh()

    def describe(self, description: ModelDescription | None) -> None:
        """Follow the chosen shape model: shapes are placed at the patient's trachea in its alignment."""
        self._alignment = description.alignment if description is not None else ALIGNMENTS[0]

    def refresh(self) -> None:
        """Show the state of the study in the chosen folder."""
        if not self._dialog.visible or self.running:
            return
        parameters, ui = self.parameters, self.ui
        showUnsetPaths(
            (parameters.studyFolder, ui.studyFolderEdit),
            (parameters.studyCohort, ui.studyCohortEdit),
            (parameters.studyGenerated, ui.studyGeneratedEdit),
        )
        ui.studyGeneratedEdit.visible = parameters.studyScope is StudyScope.FOLDER
        plan, rated, state = self._state()
        exists = isSet(parameters.studyFolder) and (parameters.studyFolder / STUDY_FILE).is_file()
        ui.newStudyGroup.visible = not exists
        ui.studyStateLabel.text = state
        ui.startStudyButton.text = _("Continue") if rated else _("Start")
        ready = isSet(parameters.studyFolder) and bool(parameters.reader.strip()) and (plan is not None or not exists)
        ui.startStudyButton.enabled = ready
        ui.studySummaryButton.enabled = plan is not None and bool(ratings_files(plan.folder))

    def beforeSave(self) -> None:
        """Show everything in a scene that is saved during a study."""
        if self._run is not None:
            self._run.display.before_save()

    def afterSave(self) -> None:
        """Show the shape alone again."""
        if self._run is not None:
            self._run.display.after_save()

    def release(self) -> None:
        """Pause a study and close the window, because the scene or the module is left."""
        self._leave()
        self._dialog.hide()

    def _leave(self) -> None:
        run, self._run = self._run, None
        if run is not None:
            run.close()
        self._showPage(self.ui.studySetupPage)

    def _state(self) -> tuple[StudyPlan | None, int, str]:
        """Return the study in the folder, how many showings the reader has rated, and its state in words."""
        parameters = self.parameters
        if not isSet(parameters.studyFolder):
            return None, 0, _("Choose a folder: a new one for a new study, or the folder of a study.")
        if not (parameters.studyFolder / STUDY_FILE).is_file():
            missing = not parameters.reader.strip()
            return None, 0, _("Enter the reader's name.") if missing else _("A new study will be created.")
        try:
            plan = StudyPlan.open(parameters.studyFolder)
        except ThyroidSynthError as error:
            return None, 0, str(error)
        shapes = _("A study of {n} shapes, shown {how}.").format(
            n=len(plan.shapes), how=_("over a CT") if plan.over_ct else _("alone")
        )
        if not parameters.reader.strip():
            return plan, 0, " ".join((shapes, _("Enter the reader's name.")))
        try:
            reader = checked_reader(parameters.reader)
            path, order = ratings_file(plan.folder, reader), plan.order_for(reader_key(reader))
            rated = len(read_ratings(path, order, reader)) if path.is_file() else 0
        except ThyroidSynthError as error:
            return None, 0, str(error)
        if rated == len(order):
            progress = _("{reader} has rated all of them. Continue shows the last one again.").format(reader=reader)
        else:
            progress = _("{reader} has rated {rated} of {n}.").format(reader=reader, rated=rated, n=len(order))
        return plan, rated, " ".join((shapes, progress))

    def _onStart(self, checked: bool = False) -> None:
        parameters = self.parameters
        with self.session.work(_("Preparing the study")) as work:
            checked_reader(parameters.reader)
            if (parameters.studyFolder / STUDY_FILE).is_file():
                plan = StudyPlan.open(parameters.studyFolder)
            else:
                plan = self._created(work)
            self.beforeStart()
            self._run = _Run(plan, parameters.reader)
        if self._run is None:
            self.refresh()
            return
        if self._run.ratings.complete:
            self._run.ratings.back()
        self._showPage(self.ui.studyRatingPage)
        self.onChanged()
        self._window.open()
        self._showShape()

    def _created(self, work) -> StudyPlan:
        parameters = self.parameters
        everything = parameters.studyScope is StudyScope.ALL
        thyroids = generated_thyroids(slicer.mrmlScene) if everything else self.selectedThyroids()
        sources = StudySources(parameters, thyroids, self._alignment)
        return create_study(
            parameters.studyFolder,
            sources.candidates,
            seed=parameters.studySeed,
            most=parameters.studyMost,
            repeat_share=parameters.studyRepeatPercent / 100,
            ct=sources.ct,
            placement=sources.placement,
            progress=work.progress,
            should_stop=work.shouldStop,
        )

    def _showShape(self) -> None:
        run, ui = self._run, self.ui
        showing = run.ratings.showing if run is not None else None
        if run is None or showing is None:
            return
        shown = False
        with self.session.errorsShown():
            run.display.show(run.plan.surface(showing.shape))
            shown = True
        if not shown:  # Its file was changed or is gone.
            self.pause()
            return
        ui.studyShapeLabel.text = _("Shape {number} of {n}").format(
            number=run.ratings.position + 1, n=len(run.ratings.order)
        )
        rating = run.ratings.rating
        ui.studyRatedLabel.text = _("rated {rating} before").format(rating=rating) if rating else ""
        ui.studyBackButton.enabled = run.ratings.position > 0
        self._since = time.monotonic()

    def _rate(self, rating: int) -> None:
        """Save a rating at once and go on; if it cannot be saved, the shape stays."""
        if self._run is None or self.session.busy:
            return
        with self.session.errorsShown():
            self._run.ratings.rate(rating, time.monotonic() - self._since)
        if self._run.ratings.complete:
            self._finish()
        else:
            self._showShape()

    def _rater(self, rating: int) -> Callable[[], None]:
        return lambda: self._rate(rating)

    def _back(self) -> None:
        if self._run is not None:
            self._run.ratings.back()
            self._showShape()

    def _finish(self) -> None:
        self.pause()
        self.session.showStatus(_("All shapes are rated and saved."))

    def _onSummary(self, checked: bool = False) -> None:
        with self.session.work(_("Summarising the ratings")):
            summary = summarise(self.parameters.studyFolder)
            path = write_summary(summary, self.parameters.studyFolder / _SUMMARY_FOLDER, overwrite=True)
            self.ui.studySummaryText.plainText = summary.text
            self.ui.studySummaryPathLabel.text = _("Summary, figures and all ratings are in {folder}.").format(
                folder=path.parent
            )
            self._showPage(self.ui.studySummaryPage)

    def _showPage(self, page) -> None:
        ui = self.ui
        for each in (ui.studySetupPage, ui.studyRatingPage, ui.studySummaryPage):
            each.visible = each is page
        for shortcut in self._shortcuts:
            shortcut.enabled = page is ui.studyRatingPage

    def _shortcut(self, key: str, act: Callable[[], None]):
        shortcut = qt.QShortcut(qt.QKeySequence(key), self._dialog)
        shortcut.context = qt.Qt.ApplicationShortcut
        # A key that is held down rates one shape only.
        shortcut.autoRepeat = False
        shortcut.connect("activated()", act)
        # Another module may use the same key.
        shortcut.connect("activatedAmbiguously()", act)
        return shortcut
