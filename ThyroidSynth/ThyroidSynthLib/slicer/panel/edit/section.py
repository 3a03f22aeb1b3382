"""Section "Edit": fit the patient's thyroid, then change one feature at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import Cancelled
from ThyroidSynthLib.common.progress import part_of
from ThyroidSynthLib.slicer.panel.controls.drawing import showWarning
from ThyroidSynthLib.slicer.panel.generate.node_buttons import NodeButtons
from ThyroidSynthLib.slicer.panel.shared.history import History
from ThyroidSynthLib.slicer.panel.shared.live_preview import LivePreview
from ThyroidSynthLib.slicer.panel.shared.observing import SEGMENTATION_EVENTS, NodeObserver
from ThyroidSynthLib.slicer.panel.shared.readiness import enableOrExplain, patientProblem
from ThyroidSynthLib.slicer.panel.shared.section import Section
from ThyroidSynthLib.slicer.panel.shared.trachea_contact import TracheaContact
from ThyroidSynthLib.slicer.scene.display.views import stand_on
from ThyroidSynthLib.slicer.scene.thyroids.collection import show_uncovered
from ThyroidSynthLib.slicer.scene.thyroids.edits import (
    PatientGland,
    add_edited_thyroid,
    edit_record,
    fitted_placement,
    is_kept,
    keep,
    scan_of,
    source_of,
)
from ThyroidSynthLib.slicer.scene.thyroids.placing import placed
from ThyroidSynthLib.slicer.scene.thyroids.present import SEGMENT_ID, measure_again
from ThyroidSynthLib.slicer.scene.thyroids.records import record_as_made
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import show_completion
from ThyroidSynthLib.slicer.scene.volumes import placement_of_patient

from .current_edit import CurrentEdit, addBeside, draw, isFinal
from .patient_edit import EditStep, PatientEdit, fitPatient, resumeEdit, sliderValues
from .sliders import EDIT_ROWS, EditSliders
from .table import EditTable
from .wording import besideText, fitText, fitWarning, movingText, patientName, stateTexts

if TYPE_CHECKING:
    from ThyroidSynthLib.generation.thyroid import Thyroid
    from ThyroidSynthLib.model.description import ModelDescription
    from ThyroidSynthLib.slicer.panel.shared.session import Work
    from ThyroidSynthLib.slicer.scene.thyroids.records import ThyroidRecord


class EditSection(Section):
    """Fits and edits the patient's thyroid; the result has its own node, and the patient's segmentation is only read.

    The fit is kept in memory. After a scene was reopened, the edit is resumed without another fit from the node's
    record when a slider or button is first used.
    """

    uiFile = "Edit.ui"

    def connect(self) -> None:
        """Connect the section's widgets."""
        self._description: ModelDescription | None = None
        self.canUndo = self.canRedo = False
        self.onSteps: Callable[[], None] = lambda: None
        self._current = CurrentEdit()
        self._kept = ""
        self._watch = NodeObserver(SEGMENTATION_EVENTS, self._refreshIfOpen, later=True)
        self._table = EditTable(self.ui.editTable)
        self._sliders = EditSliders(self.ui, self._onMoved)
        self._buttons = NodeButtons(
            self.session, self.ui.editSegmentEditorButton, self.ui.editShow3DButton, lambda: self.parameters.edited
        )
        self._preview = LivePreview(self.session, _("Changing the thyroid"), follow=self._follow, rest=self._settle)
        self.ui.fitButton.connect("clicked(bool)", lambda checked: self.fit())
        self.ui.resetButton.connect("clicked(bool)", self._onReset)
        self.ui.keepButton.connect("clicked(bool)", self._onKeep)
        self.ui.showOriginalCheckBox.connect("clicked(bool)", self._onShowOriginal)

    @property
    def thyroid(self):
        """The node of the edit, or None."""
        return self.parameters.edited

    @property
    def edit(self) -> PatientEdit | None:
        """The edit in memory; None before a fit, and after a scene was reopened until the edit is resumed."""
        return self._current.edit

    @property
    def moving(self) -> bool:
        """Whether a slider was moved and the exact result has not been computed yet."""
        return self._sliders.moved is not None

    def describe(self, description: ModelDescription | None) -> None:
        """Follow the chosen shape model."""
        self._description = description
        self._refreshIfOpen()

    def thyroidsChanged(self) -> None:
        """Update the section: its node or the patient's may have been removed."""
        self.refresh()

    def beforeSave(self) -> None:
        """Show the exact thyroid instead of a preview, which is followed again after the save."""
        node = self._current.node
        if self.moving and self.edit is not None and node is not None and not isFinal(node):
            draw(self.edit, node, self.edit.currentThyroid())

    def release(self) -> None:
        """Disconnect from the scene; an edit in a scene that stays open can be continued later."""
        self._watch.follow(None)
        if slicer.mrmlScene.IsClosing():
            self._current.clear()
        self._revertMove(self.edit, self._current.node)

    def close(self) -> None:
        """Release everything."""
        self.release()
        self._current.clear()

    def refresh(self) -> None:
        """Update the widgets from the parameters."""
        parameters = self.parameters
        record = edit_record(parameters.edited)
        before, problem = self.edit, self._current.problem(parameters)
        if problem:
            self._revertMove(before, parameters.edited)
        active = record is not None and not problem
        edit = self.edit if active else None
        self._watch.follow(parameters.segmentation if active else None)
        enableOrExplain(self.ui.fitButton, self._fitProblem())
        self.ui.showOriginalCheckBox.checked = parameters.showOwnThyroid
        self._sliders.enable(active)
        changed = record is not None and bool(record.targets)
        canUndo = edit.history.canUndo if edit is not None else changed
        self.canUndo = active and (canUndo or self.moving)
        self.canRedo = edit is not None and edit.history.canRedo
        self.onSteps()
        blocked = problem if record is not None else _("Fit the patient's thyroid first.")
        enableOrExplain(self.ui.resetButton, blocked or ("" if changed else _("Nothing was changed yet.")))
        kept = record is not None and not self.moving and is_kept(parameters.edited)
        # Also after the patient's thyroid was removed.
        unkept = _("This thyroid is kept already.") if kept else ""
        enableOrExplain(self.ui.keepButton, unkept if record is not None else blocked)
        self._buttons.refresh()
        self._showTexts(record, problem)
        if record is None:
            self._table.clear()
        elif not self.moving:
            own = sliderValues(record.measured, record.targets)
            values = edit.history.current.slider_values if edit is not None else own
            self._sliders.show(values, record.original, self._description)
            self._table.show(record.original, record.measured)

    def _fitProblem(self) -> str:
        """Return why the patient's thyroid cannot be fitted; empty if it can."""
        problem = patientProblem(self.session, thyroid=True)
        return problem or ("" if self._description is not None else _("No shape model is chosen."))

    def _showTexts(self, record: ThyroidRecord | None, problem: str) -> None:
        """Show the quality of the fit and the state of the edit."""
        # What is recorded is not what is shown while a slider moves.
        note, warning = stateTexts(record, problem, self._description) if not self.moving else (movingText(), "")
        self.ui.editNoteLabel.text = note
        self.ui.editNoteLabel.visible = bool(note)
        showWarning(self.ui.editWarningLabel, warning)
        showWarning(self.ui.fitWarningLabel, fitWarning(record.quality) if record is not None else "")
        if record is not None:
            self.ui.fitLabel.text = fitText(record.quality)
        else:
            ready = _("Fit the patient's thyroid, then change one feature at a time.")
            self.ui.fitLabel.text = self._fitProblem() or ready

    def fit(self) -> None:
        """Fit the patient's thyroid and begin an edit."""
        self._revertMove(self.edit, self._current.node)
        with self.session.work(_("Fitting this thyroid")) as work:
            parameters = self.parameters
            work.progress(0.02, _("Reading the shape model"))
            model = self.session.model()
            work.check()
            segmentation, segment_id = parameters.segmentation, parameters.thyroidSegmentID
            gland = PatientGland(segmentation, segment_id, parameters.tracheaSegmentID)
            placement = placement_of_patient(
                segmentation, parameters.tracheaSegmentID, segment_id, model.patient_alignment
            )
            edit = fitPatient(
                gland,
                segment_id,
                model,
                placement,
                scan=scan_of(parameters.ct),
                contactAt=TracheaContact(self.session).at,
                progress=part_of(work.progress, 0.1, 1.0),
                shouldStop=work.shouldStop,
            )
            work.check()
            if segmentation.GetScene() is None:
                raise Cancelled(_("The patient was closed."))
            self._begin(edit, segmentation, segment_id)
            self.session.showStatus(_("The thyroid is fitted and can be edited."))
        self._refreshIfOpen()

    def _begin(self, edit: PatientEdit, segmentation, segment_id: str) -> None:
        """Show a new edit, in the node of the last one if that holds no changes of the same thyroid."""
        parameters = self.parameters
        node, record = parameters.edited, edit_record(parameters.edited)
        unchanged = record is not None and not record.targets and record.source_segment == segment_id
        if unchanged and source_of(node) is segmentation and not isFinal(node):
            self._current.set(edit, node)
            parameters.result = node
            show_completion(node, edit.completed)
            self._show(edit)
            stand_on(node, SEGMENT_ID)
            return
        surface = edit.original.surface
        node = add_edited_thyroid(
            slicer.mrmlScene,
            _("{name} (being edited)").format(name=patientName(segmentation)),
            surface.moved(edit.placement.to_ras(surface.vertices)),
            segmentation,
            ct=parameters.ct,
            record=edit.recordOf(edit.original, edit.placement),
        )
        show_completion(node, edit.completed)
        self._current.set(edit, node)
        parameters.edited = parameters.result = node
        show_uncovered(node)
        stand_on(node, SEGMENT_ID)
        self.session.announceThyroids()

    def _resumed(self) -> PatientEdit | None:
        """Return the edit in memory, or resume it from the node's record; None if that fails."""
        if self.edit is not None or not self.session.hasParameters:
            return self.edit
        node = self.parameters.edited
        # As made: an edit by hand is no step of the edit.
        record = record_as_made(node) if edit_record(node) is not None else None
        if record is None:
            return None
        with self.session.work(_("Resuming the edit")) as work:
            work.progress(0.1, _("Reading the shape model"))
            model = self.session.model()
            work.check()
            source, parameters = source_of(node), self.parameters
            trachea_id = parameters.tracheaSegmentID if parameters.segmentation is source else ""
            gland = PatientGland(source, record.source_segment, trachea_id)
            work.progress(0.5, _("Preparing the edit"))
            contactAt = TracheaContact(self.session).at
            edit = resumeEdit(gland, model, record, fitted_placement(node, record), contactAt)
            work.check()
            if self.parameters.edited is node:
                self._current.set(edit, node)
        self._refreshIfOpen()
        return self.edit

    def _onMoved(self) -> None:
        self._preview.changed()
        self._showTexts(edit_record(self.parameters.edited), "")
        # A move can be undone before its exact result has been computed.
        self.canUndo = True
        self.onSteps()

    def _follow(self) -> None:
        """Preview the value of the slider that is being moved."""
        edit = self._resumed()
        moved = self._sliders.moved
        if edit is None or moved is None:
            self._discardMove()
            return
        name, value = moved
        node = self._writable()
        back = value == edit.history.current.slider_values[name]
        thyroid = edit.currentThyroid() if back else edit.follow(self._targets(edit, name, value))
        draw(edit, node, thyroid)
        self._table.show(edit.original.measured.as_dict(), thyroid.measured.as_dict())

    def _settle(self, work: Work) -> None:
        """Match the value of the slider exactly; the application stays responsive, so anything may change meanwhile."""
        edit, moved = self.edit, self._sliders.moved
        if not self.session.hasParameters or edit is None or moved is None:
            return
        name, value = moved
        if value == edit.history.current.slider_values[name]:
            self._show(edit)
            return
        try:
            result = edit.settle(self._targets(edit, name, value), progress=work.progress, should_stop=work.shouldStop)
            work.check()
        except Exception:
            # Whatever went wrong, the preview is no result.
            if self.session.hasParameters and self.edit is edit and self._sliders.moved in (moved, None):
                self._show(edit)
            raise
        if not self.session.hasParameters or self.edit is not edit or self._sliders.moved is not moved:
            return
        edit.add(result)
        self._show(edit, result.thyroid)
        self._showDone(_("The thyroid was changed."))

    def _showDone(self, text: str) -> None:
        """Show what was done, and which thyroid was left as it is."""
        self.session.showStatus(" ".join(filter(None, [text, self._kept])))
        self._kept = ""

    def _targets(self, edit: PatientEdit, name: str, value: float) -> dict[str, float]:
        """Return the targets: the feature that is changed, and the features that are held."""
        values = edit.history.current.slider_values
        held = {other: values[other] for other, row in EDIT_ROWS.items() if getattr(self.parameters, row.hold)}
        return {**held, name: value}

    def _discardMove(self) -> None:
        """Forget a move that has not been completed."""
        self._preview.stop()
        self._sliders.moved = None
        self._refreshIfOpen()

    def _revertMove(self, edit: PatientEdit | None, node) -> None:
        """Show the thyroid from before a move that has not been completed, which no record and no history holds."""
        unfinished, self._sliders.moved = self.moving, None
        self._preview.stop()
        if unfinished and edit is not None and node is not None and not isFinal(node):
            draw(edit, node, edit.currentThyroid())

    def undo(self) -> None:
        """Undo the last change."""
        # An unfinished move is not in the history yet: to undo it, it is only discarded.
        unfinished = self.moving
        self._step(lambda history: None if unfinished else history.undo(), _("The last change was undone."))

    def redo(self) -> None:
        """Redo the change that was undone last."""
        self._step(History.redo, _("The change was redone."))

    def _onReset(self, checked: bool = False) -> None:
        self._step(History.reset, _("The patient's own thyroid is shown again."))

    def _step(self, step: Callable[[History[EditStep]], object], message: str) -> None:
        """Discard an unfinished move, change the history and show its current step."""
        self._discardMove()
        edit = self._resumed()
        if edit is not None:
            step(edit.history)
            self._show(edit)
            self._showDone(message)

    def _onKeep(self, checked: bool = False) -> None:
        if self.moving:
            self._preview.stop()
            with self.session.work(_("Changing the thyroid")) as work:
                self._settle(work)
        with self.session.errorsShown(_("Keeping the thyroid")):
            node = self.parameters.edited
            measure_again(node)
            record = edit_record(node)
            if record is None:
                return
            source = source_of(node)
            name = _("{name} (edited)").format(name=patientName(source))
            show_completion(node, None)
            # Editing continues in a node of its own, see `_writable`.
            keep(node, slicer.mrmlScene.GenerateUniqueName(name))
            self.session.showStatus(_("Kept as '{name}'.").format(name=node.GetName()))
            self.session.announceThyroids()
        self._refreshIfOpen()

    def _refreshIfOpen(self) -> None:
        """Update the widgets unless the scene was closed."""
        if self.session.hasParameters:
            self.refresh()

    def _onShowOriginal(self, checked: bool) -> None:
        self.parameters.showOwnThyroid = checked

    def _show(self, edit: PatientEdit, thyroid: Thyroid | None = None) -> None:
        """Show the current step of the edit and record it; the thyroid is computed if it is not given."""
        node = self._writable()
        self._sliders.moved = None
        thyroid = thyroid if thyroid is not None else edit.currentThyroid()
        draw(edit, node, thyroid, record=edit.recordOf(thyroid, placed(node, edit.placement)))
        self.session.announceThyroids()
        self.refresh()

    def _writable(self):
        """Return the node of the edit, or a new one after it was kept or edited by hand, which stays as it is."""
        node, edit = self.parameters.edited, self.edit
        if edit is None or not isFinal(node):
            # What is changed is the current thyroid, also if another one was chosen meanwhile.
            self.parameters.result = node
            return node
        new = addBeside(edit, node, self.parameters.ct)
        self._current.set(edit, new)
        self.parameters.edited = self.parameters.result = new
        # Said again when a slider rests, whose message would replace it.
        self._kept = besideText(node, new)
        self.session.showStatus(self._kept)
        self.session.announceThyroids()
        return new
