"""The reader study: thyroids are rated from 1 to 5, blinded and in random order."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import write_text
from ThyroidSynthLib.evaluation.experiments.reader_study import CONTROL, RATINGS, ReaderStudy, StudyCase
from ThyroidSynthLib.geometry.frame import ALIGNMENTS
from ThyroidSynthLib.slicer.panel.shared.choices import StudyScope
from ThyroidSynthLib.slicer.panel.shared.section import Section
from ThyroidSynthLib.slicer.panel.shared.timers import singleShotTimer
from ThyroidSynthLib.slicer.scene.display.overlay import bounds_of, jump_slices, show_own_gland
from ThyroidSynthLib.slicer.scene.display.study_case import hide_case, is_case_shown, neutral, remove_case, show_case
from ThyroidSynthLib.slicer.scene.thyroids.collection import show_all, show_only
from ThyroidSynthLib.slicer.scene.thyroids.records import read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID, generated_thyroids
from ThyroidSynthLib.slicer.scene.volumes import features_of_segment, placement_of_patient, surface_of_segment

from .thyroid_table import kindText

if TYPE_CHECKING:
    from ThyroidSynthLib.geometry.surface import Surface
    from ThyroidSynthLib.model.description import ModelDescription

_RESULT_WIDTHS = (44, 110, 84, 50)


class ReaderStudySection(Section):
    """Starts a study, shows its cases, records the ratings and shows the result.

    The study is stored in the parameter node after each answer, so that it continues in a saved scene.

    Attributes
    ----------
    selectedThyroids : callable
        Returns the thyroids that are selected in the table.
    onChanged : callable
        Called when a study has begun or ended.
    """

    uiFile = "ReaderStudy.ui"

    def connect(self) -> None:
        """Connect the section's widgets."""
        self.selectedThyroids: Callable[[], list] = list
        self.onChanged: Callable[[], None] = lambda: None
        self._alignment = ALIGNMENTS[0]
        self._since: float | None = None
        self._surfaces: dict[int, Surface] = {}
        self._showing = False
        self._attempted: int | None = None
        self._ratingButtons = {rating: getattr(self.ui, f"rating{rating}Button") for rating in RATINGS}
        for rating, button in self._ratingButtons.items():
            button.connect("clicked(bool)", lambda checked, rating=rating: self._onRated(rating))
        self._timer = singleShotTimer(self._showCase)
        for column, width in enumerate(_RESULT_WIDTHS):
            self.ui.studyTable.setColumnWidth(column, width)
        for page in (self.ui.studyRatingPage, self.ui.studyResultPage):
            page.visible = False
        self.ui.startStudyButton.connect("clicked(bool)", self._onStart)
        self.ui.previousCaseButton.connect("clicked(bool)", lambda checked: self._move(-1))
        self.ui.nextCaseButton.connect("clicked(bool)", lambda checked: self._move(1))
        self.ui.finishStudyButton.connect("clicked(bool)", self._onFinish)
        self.ui.saveStudyButton.connect("clicked(bool)", self._onSave)
        self.ui.newStudyButton.connect("clicked(bool)", self._onNew)
        self.ui.studyComment.connect("editingFinished()", self._onCommented)

    @property
    def study(self) -> ReaderStudy | None:
        """The study in the scene; None if there is none."""
        return ReaderStudy.from_json(self.parameters.study) if self.session.hasParameters else None

    @property
    def running(self) -> bool:
        """Whether a study is in progress, during which nothing may unblind the reader."""
        study = self.study
        return study is not None and not study.finished

    def describe(self, description: ModelDescription | None) -> None:
        """Follow the chosen shape model: the patient's own thyroid is measured in the model's alignment."""
        self._alignment = description.alignment if description is not None else ALIGNMENTS[0]

    def refresh(self) -> None:
        """Show the study of the scene."""
        study = self.study
        self.ui.studySetupPage.visible = study is None
        self.ui.studyRatingPage.visible = study is not None and not study.finished
        self.ui.studyResultPage.visible = study is not None and study.finished
        if study is None:
            self._showSetup()
        elif study.finished:
            self._showResult(study)
        else:
            self._showAnswer(study)
            if not is_case_shown(slicer.mrmlScene) and self._attempted != study.position:
                self._timer.start()

    def thyroidsChanged(self) -> None:
        """Update the number of thyroids."""
        if self.study is None:
            self._showSetup()

    def release(self) -> None:
        """Disconnect from the scene; while the panel is closed, the thyroids are visible."""
        if self.running and not slicer.mrmlScene.IsClosing():
            hide_case(slicer.mrmlScene)
            show_all(slicer.mrmlScene)
            parameters = self.parameters
            if parameters.studyHidOwn and parameters.segmentation is not None:
                show_own_gland(parameters.segmentation, parameters.thyroidSegmentID, True)
        self._timer.stop()
        self._surfaces.clear()
        self._since = self._attempted = None

    def close(self) -> None:
        """Stop the timer."""
        self._timer.stop()

    def _store(self, study: ReaderStudy | None) -> None:
        self.parameters.study = study.to_json() if study is not None else ""

    def _candidates(self) -> list:
        everything = self.parameters.studyScope is StudyScope.ALL
        return generated_thyroids(slicer.mrmlScene) if everything else self.selectedThyroids()

    def _hasControl(self) -> bool:
        parameters = self.parameters
        return parameters.studyControl and parameters.segmentation is not None and bool(parameters.thyroidSegmentID)

    def _showSetup(self) -> None:
        count = len(self._candidates()) + self._hasControl()
        self.ui.studyCountLabel.text = (
            _("{n} cases in random order").format(n=count) if count > 1 else _("At least two thyroids are needed.")
        )
        # The selected rows are counted only when the button is clicked.
        self.ui.startStudyButton.enabled = count > 1 or self.parameters.studyScope is StudyScope.SELECTED

    def _onStart(self, checked: bool = False) -> None:
        parameters = self.parameters
        nodes = self._candidates()
        with self.session.work(_("Preparing the study")):
            cases = [_caseOf(number, node) for number, node in enumerate(nodes)]
            if self._hasControl():
                cases.append(self._control(len(cases)))
                nodes.append(parameters.segmentation)
            study = ReaderStudy.start(cases, reader=parameters.reader, seed=parameters.studySeed)
            with slicer.util.NodeModify(parameters):
                parameters.studyNodes = nodes
                parameters.studyHidOwn = parameters.showOwnThyroid
                parameters.showOwnThyroid = False
                self._store(study)
        if self.running:
            self.onChanged()
            self._showCase()

    def _control(self, number: int) -> StudyCase:
        parameters = self.parameters
        name = f"{parameters.segmentation.GetName()}: {parameters.thyroidSegmentID}"
        try:
            placement = placement_of_patient(
                parameters.segmentation, parameters.tracheaSegmentID, parameters.thyroidSegmentID, self._alignment
            )
            features = features_of_segment(parameters.segmentation, parameters.thyroidSegmentID, placement).as_dict()
        except InputError:
            # Without a trachea, the thyroid cannot be measured but can be rated.
            features = {}
        return StudyCase(number, name, CONTROL, dict(features), segment=parameters.thyroidSegmentID)

    def _showCase(self) -> None:
        """Show the current case alone and under a neutral name; cameras do not move."""
        study = self.study
        if study is None or study.finished or self._showing:
            return
        self._showing = True
        # Attempted once, so that the error of a case that cannot be shown appears once; the case before is hidden.
        self._attempted = study.position
        hide_case(slicer.mrmlScene)
        label = _caseText(study)
        try:
            # Not blocking, so that the panel keeps the keyboard focus.
            with self.session.work(_("Showing the case"), blocking=False) as work:
                surface = self._surfaceOf(study.case)
                work.check()
                if self.running:
                    show_only(slicer.mrmlScene, None)
                    lower, upper = bounds_of(show_case(slicer.mrmlScene, surface, label))
                    jump_slices(slicer.mrmlScene, (lower + upper) / 2)
                    self.session.showStatus(label)
        finally:
            self._showing = False
        self._since = time.monotonic()
        study = self.study
        if study is not None and not study.finished:
            self._showAnswer(study)
            if study.position != self._attempted:
                # The reader has moved on in the meantime.
                self._timer.start()

    def _surfaceOf(self, case: StudyCase) -> Surface:
        if case.number not in self._surfaces:
            nodes = self.parameters.studyNodes
            node = nodes[case.number] if case.number < len(nodes) else None
            if node is None or node.GetScene() is None:
                raise InputError(_("This thyroid is no longer in the scene. Go on with the next case."))
            self._surfaces[case.number] = neutral(surface_of_segment(node, case.segment))
        return self._surfaces[case.number]

    def _showAnswer(self, study: ReaderStudy) -> None:
        self.ui.studyCaseLabel.text = _caseText(study)
        self.ui.studyRatedLabel.text = _("{rated} of {n} rated").format(rated=study.rated, n=len(study.cases))
        for rating, button in self._ratingButtons.items():
            button.checked = rating == study.answer.rating
        if self.ui.studyComment.text != study.answer.comment:
            self.ui.studyComment.text = study.answer.comment
        self.ui.previousCaseButton.enabled = study.position > 0
        self.ui.nextCaseButton.enabled = study.position < len(study.cases) - 1

    def _secondsSpent(self) -> float:
        """Return the seconds since the last call."""
        now = time.monotonic()
        since, self._since = self._since, now
        return now - since if since is not None else 0.0

    def _onRated(self, rating: int) -> None:
        study = self.study
        if study is not None and not study.finished:
            self._store(study.answered(rating=rating, seconds=self._secondsSpent()))

    def _onCommented(self) -> None:
        study = self.study
        if study is not None and not study.finished and self.ui.studyComment.text != study.answer.comment:
            self._store(study.answered(comment=self.ui.studyComment.text, seconds=self._secondsSpent()))

    def _move(self, step: int) -> None:
        study = self._answered()
        if study is not None:
            self._store(study.moved(step))
            self._showCase()

    def _answered(self) -> ReaderStudy | None:
        """Return the study with the comment as typed, which is not stored yet if its field still has the focus."""
        study = self.study
        if study is None:
            return None
        return study.answered(comment=self.ui.studyComment.text, seconds=self._secondsSpent())

    def _onFinish(self, checked: bool = False) -> None:
        study = self._answered()
        if study is None:
            return
        self._store(study)
        missing = len(study.cases) - study.rated
        if missing and not slicer.util.confirmYesNoDisplay(
            _("{n} cases are not rated yet. Finish the study anyway?").format(n=missing), windowTitle="ThyroidSynth"
        ):
            return
        remove_case(slicer.mrmlScene)
        self._surfaces.clear()
        self._since = None
        with slicer.util.NodeModify(self.parameters):
            self.parameters.showOwnThyroid = self.parameters.studyHidOwn
            self._store(study.finish())
        self.onChanged()

    def _showResult(self, study: ReaderStudy) -> None:
        table = self.ui.studyTable
        rows = study.rows()
        table.setRowCount(len(rows))
        for index, row in enumerate(rows):
            texts = (str(row["order"]), row["name"], _kindText(row["kind"]), str(row["rating"] or "–"), row["comment"])
            for column, text in enumerate(texts):
                table.setItem(index, column, qt.QTableWidgetItem(text))
        text = _("{kind} {mean:.1f} ({n})")
        parts = [text.format(kind=_kindText(kind), mean=mean, n=count) for kind, (mean, count) in study.means().items()]
        self.ui.studyMeansLabel.text = _("Mean rating: {means}").format(means=", ".join(parts) or "–")

    def _onSave(self, checked: bool = False) -> None:
        study = self.study
        if study is None:
            return
        reader = "".join(filter(str.isalnum, study.reader))
        name = "_".join(filter(None, ("reader-study", reader, str(study.seed))))
        path = qt.QFileDialog.getSaveFileName(
            self.widget, _("Save the ratings"), f"{name}.csv", _("Comma-separated values (*.csv)")
        )
        if not path:
            return
        with self.session.errorsShown():
            write_text(path, study.to_csv())
            self.session.showStatus(_("The ratings were saved: {path}").format(path=path))

    def _onNew(self, checked: bool = False) -> None:
        if slicer.util.confirmYesNoDisplay(
            _("The ratings of this study will be deleted from the scene. Continue?"), windowTitle="ThyroidSynth"
        ):
            with slicer.util.NodeModify(self.parameters):
                self.parameters.studyNodes = []
                self._store(None)


def _caseOf(number: int, node) -> StudyCase:
    record = read_record(node)
    if record is None:
        return StudyCase(number, node.GetName(), "", segment=SEGMENT_ID)
    measured, model, seed = dict(record.measured), record.model, record.seed
    return StudyCase(number, node.GetName(), record.kind, measured, model=model, segment=SEGMENT_ID, seed=seed)


def _caseText(study: ReaderStudy) -> str:
    return _("Case {number} of {n}").format(number=study.position + 1, n=len(study.cases))


def _kindText(kind: str) -> str:
    return _("the patient's own") if kind == CONTROL else kindText(kind)
