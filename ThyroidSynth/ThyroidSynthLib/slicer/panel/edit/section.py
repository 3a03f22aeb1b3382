"""Section "Edit": fit the patient's thyroid, then change one feature at a time and keep what is the patient's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import Cancelled, ThyroidSynthError
from ThyroidSynthLib.common.progress import part_of
from ThyroidSynthLib.slicer.panel.generate.live import LivePreview
from ThyroidSynthLib.slicer.panel.patient.segmentation_watch import SegmentationWatch
from ThyroidSynthLib.slicer.panel.shared.section import Section
from ThyroidSynthLib.slicer.panel.shared.shortcuts import Shortcut
from ThyroidSynthLib.slicer.panel.shared.theme import showWarning
from ThyroidSynthLib.slicer.scene.display.overlay import bounds_of, jump_slices
from ThyroidSynthLib.slicer.scene.thyroids.edits import (
    PatientGland,
    add_edited_thyroid,
    edit_record,
    fitted_placement,
    scan_of,
    source_of,
)
from ThyroidSynthLib.slicer.scene.thyroids.placing import placed
from ThyroidSynthLib.slicer.scene.thyroids.records import read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID, replace_surface, show_completion
from ThyroidSynthLib.slicer.scene.volumes import placement_of_patient, surface_of_segment

from .keeper import EditKeeper
from .patient_edit import PatientEdit, fitPatient, resumeEdit
from .sliders import EDIT_ROWS, EditSliders
from .table import EditTable
from .wording import beyondText, fitText, fitWarning, missText

if TYPE_CHECKING:
    from ThyroidSynthLib.generation.thyroid import Thyroid
    from ThyroidSynthLib.model.description import ModelDescription
    from ThyroidSynthLib.slicer.panel.shared.session import Work
    from ThyroidSynthLib.slicer.scene.thyroids.records import ThyroidRecord


class EditSection(Section):
    """Edits one thyroid, in a node of its own that is used again and again; the patient's is only read.

    The fit is kept in memory while it lasts. The node's record holds enough to take the edit up again
    without fitting, which happens when a slider or button of a reopened scene is first touched.
    """

    uiFile = "Edit.ui"

    def connect(self) -> None:
        """Connect the section's own widgets."""
        self._description: ModelDescription | None = None
        self._keeper = EditKeeper()
        self._watch = SegmentationWatch(self._onPatientChanged)
        self._table = EditTable(self.ui.editTable)
        self._sliders = EditSliders(self.ui, self._onMoved)
        self._preview = LivePreview(self.session, _("Changing the thyroid"), follow=self._follow, rest=self._rest)
        self.ui.fitButton.connect("clicked(bool)", self._onFit)
        self.ui.undoButton.connect("clicked(bool)", self._onUndo)
        self.ui.redoButton.connect("clicked(bool)", self._onRedo)
        self.ui.resetButton.connect("clicked(bool)", self._onReset)
        self.ui.keepButton.connect("clicked(bool)", self._onKeep)
        self.ui.showOriginalCheckBox.connect("clicked(bool)", self._onShowOriginal)
        self._shortcuts = [
            Shortcut(
                key,
                self.widget,
                act=act,
                ready=lambda button=button: button.visible and button.enabled and not self.session.busy,
                begun=lambda: self._edit is not None,
            )
            for key, button, act in (
                ("Ctrl+Z", self.ui.undoButton, self._onUndo),
                ("Ctrl+Y", self.ui.redoButton, self._onRedo),
                ("Ctrl+Shift+Z", self.ui.redoButton, self._onRedo),
            )
        ]

    @property
    def _edit(self) -> PatientEdit | None:
        return self._keeper.edit

    def describe(self, description: ModelDescription | None) -> None:
        """Follow the chosen shape model."""
        self._description = description
        if self.session.hasParameters:
            self.refresh()

    def thyroidsChanged(self) -> None:
        """Notice when the edit's node or the patient's is gone."""
        self.refresh()

    def release(self) -> None:
        """Let go of the scene; an edit that lives on in it can be gone on with."""
        self._watch.follow(None)
        if slicer.mrmlScene.IsClosing():
            self._keeper.forget()
        self._takeBack(self._edit, self._keeper.node)

    def close(self) -> None:
        """Let go of everything."""
        self.release()
        self._keeper.forget()
        for shortcut in self._shortcuts:
            shortcut.close()

    def refresh(self) -> None:
        """Show the parameters, which have changed."""
        parameters = self.parameters
        record = edit_record(parameters.edited)
        before, problem = self._edit, self._keeper.problem(parameters)
        if problem:
            self._takeBack(before, parameters.edited)
        active = record is not None and not problem
        edit = self._edit if active else None
        self._watch.follow(parameters.segmentation if active else None)
        self.ui.fitButton.enabled = self._ready()
        self.ui.showOriginalCheckBox.checked = parameters.showOwnThyroid
        self._sliders.enable(active)
        changed = record is not None and bool(record.targets)
        done = edit.history.canUndo if edit is not None else changed
        self.ui.undoButton.enabled = active and (done or self._sliders.moved is not None)
        self.ui.redoButton.enabled = edit is not None and edit.history.canRedo
        self.ui.resetButton.enabled = active and changed
        self.ui.keepButton.enabled = record is not None
        self._tell(record, problem)
        if record is None:
            self._table.clear()
            return
        if self._sliders.moved is None:
            slider_values = (
                edit.history.current.slider_values if edit is not None else {**record.measured, **record.targets}
            )
            self._sliders.show(slider_values, record.original, self._description)
            self._table.show(record.original, record.measured)

    def _ready(self) -> bool:
        """Say whether there is all that a fit needs."""
        parameters = self.parameters
        chosen = parameters.thyroidSegmentID and parameters.tracheaSegmentID
        return self._description is not None and parameters.segmentation is not None and bool(chosen)

    def _tell(self, record: ThyroidRecord | None, problem: str) -> None:
        """Say how good the fit is and what the edit has come to."""
        warning, note = problem, ""
        if record is not None and not problem:
            if record.met is False:
                warning = missText(record.targets, record.measured)
            elif record.targets:
                note = _("The wishes are met.")
                warning = beyondText(record.targets, record.original, self._description)
            else:
                note = _("This is the patient's own thyroid. Move a slider to change it.")
        self.ui.editNoteLabel.text = note
        self.ui.editNoteLabel.visible = bool(note)
        showWarning(self.ui.editWarningLabel, warning)
        if record is not None:
            self.ui.fitLabel.text = fitText(record.quality)
            showWarning(self.ui.fitWarningLabel, fitWarning(record.quality))
            return
        showWarning(self.ui.fitWarningLabel, "")
        if self._ready():
            self.ui.fitLabel.text = _("Fit the patient's thyroid, then change one feature at a time; its details stay.")
        else:
            self.ui.fitLabel.text = _("Choose a patient with a thyroid and a trachea, and a shape model.")

    def _onFit(self, checked: bool = False) -> None:
        self._takeBack(self._edit, self._keeper.node)
        with self.session.work(_("Fitting this thyroid")) as work:
            self.session.ensureRequirements()
            parameters = self.parameters
            work.progress(0.02, _("Reading the shape model"))
            model = self.session.model()
            work.check()
            segmentation, segment_id = parameters.segmentation, parameters.thyroidSegmentID
            gland = PatientGland(segmentation, segment_id)
            placement = placement_of_patient(
                segmentation, parameters.tracheaSegmentID, segment_id, model.frame.alignment
            )
            edit = fitPatient(
                gland,
                segment_id,
                model,
                placement,
                scan=scan_of(parameters.ct),
                progress=part_of(work.progress, 0.1, 1.0),
                shouldStop=work.shouldStop,
            )
            work.check()
            if not self.session.hasParameters or segmentation.GetScene() is None:
                raise Cancelled(_("The patient was closed."))
            self._start(edit, segmentation, segment_id)
            self.session.showStatus(_("The thyroid is fitted and can be changed."))
        if self.session.hasParameters:
            self.refresh()

    def _start(self, edit: PatientEdit, segmentation, segment_id: str) -> None:
        """Begin an edit at the patient's own thyroid, in the node that was used before if nothing is lost by it."""
        parameters = self.parameters
        node, record = parameters.edited, edit_record(parameters.edited)
        untouched = record is not None and not record.targets and record.source_segment == segment_id
        if untouched and source_of(node) is segmentation:
            self._keeper.keep(edit, node)
            show_completion(node, edit.completed)
            self._goTo()
            return
        surface = edit.original.surface
        node = add_edited_thyroid(
            slicer.mrmlScene,
            _("{name} (being edited)").format(name=segmentation.GetName()),
            surface.moved(edit.placement.to_ras(surface.vertices)),
            segmentation,
            ct=parameters.ct,
            record=edit.recordOf(edit.original, edit.placement),
        )
        show_completion(node, edit.completed)
        self._keeper.keep(edit, node)
        parameters.edited = node
        lower, upper = bounds_of(node)
        jump_slices(slicer.mrmlScene, (lower + upper) / 2)
        self.session.announceThyroids()

    def _living(self) -> PatientEdit | None:
        """Give the edit in memory, or take it up again from its record; None when that cannot be."""
        if self._edit is not None:
            return self._edit
        parameters = self.parameters
        node, record = parameters.edited, edit_record(parameters.edited)
        if record is None:
            return None
        with self.session.work(_("Taking up the edit")) as work:
            self.session.ensureRequirements()
            work.progress(0.1, _("Reading the shape model"))
            model = self.session.model()
            work.check()
            gland = PatientGland(source_of(node), record.source_segment)
            work.progress(0.5, _("Preparing the edits"))
            edit = resumeEdit(gland, model, record, fitted_placement(node, record))
            work.check()
            if self.session.hasParameters and self.parameters.edited is node:
                self._keeper.keep(edit, node)
        if self.session.hasParameters:
            self.refresh()
        return self._edit

    def _onMoved(self) -> None:
        self._preview.changed()
        # Even what has not come to rest can be taken back.
        self.ui.undoButton.enabled = True

    def _follow(self) -> None:
        """Follow a slider that is being moved."""
        edit = self._living() if self.session.hasParameters else None
        moved = self._sliders.moved
        if edit is None or moved is None:
            self._drop()
            return
        name, value = moved
        back = value == edit.history.current.slider_values[name]
        thyroid = edit.present() if back else edit.follow(self._targets(edit, name, value))
        self._draw(edit, self.parameters.edited, thyroid)
        self._table.show(edit.original.measured.as_dict(), thyroid.measured.as_dict())

    def _rest(self, work: Work) -> None:
        """Meet the wish exactly, now that the slider has come to rest; anything may happen meanwhile."""
        edit, moved = self._edit, self._sliders.moved
        if not self.session.hasParameters or edit is None or moved is None:
            return
        name, value = moved
        if value == edit.history.current.slider_values[name]:
            self._goTo()
            return
        try:
            thyroid = edit.settle(self._targets(edit, name, value), progress=work.progress, should_stop=work.shouldStop)
            work.check()
        except ThyroidSynthError:
            if self.session.hasParameters and self._edit is edit and self._sliders.moved in (moved, None):
                self._goTo()
            raise
        if not self.session.hasParameters or self._edit is not edit or self._sliders.moved is not moved:
            return
        edit.add(thyroid)
        self._goTo(thyroid)
        self.session.showStatus(_("The thyroid was changed."))

    def _targets(self, edit: PatientEdit, name: str, value: float) -> dict[str, float]:
        """Give what is asked: the feature that is changed, and those that are held."""
        slider_values = edit.history.current.slider_values
        held = {other: slider_values[other] for other, row in EDIT_ROWS.items() if getattr(self.parameters, row.hold)}
        return {**held, name: value}

    def _drop(self) -> None:
        """Forget a move that has not come to rest."""
        self._preview.stop()
        self._sliders.moved = None
        if self.session.hasParameters:
            self.refresh()

    def _takeBack(self, edit: PatientEdit | None, node) -> None:
        """Show again what a move began from; one that has not come to rest is in no record and no history."""
        unfinished, self._sliders.moved = self._sliders.moved is not None, None
        self._preview.stop()
        if unfinished and edit is not None and node is not None:
            self._draw(edit, node, edit.present())

    def _onUndo(self, checked: bool = False) -> None:
        unfinished = self._sliders.moved is not None
        edit = self._stopped()
        if edit is not None:
            if not unfinished:
                edit.history.undo()
            self._goTo()

    def _onRedo(self, checked: bool = False) -> None:
        edit = self._stopped()
        if edit is not None:
            edit.history.redo()
            self._goTo()

    def _onReset(self, checked: bool = False) -> None:
        edit = self._stopped()
        if edit is not None:
            if edit.history.current is not edit.history.first:
                edit.history.add(edit.history.first)
            self._goTo()

    def _stopped(self) -> PatientEdit | None:
        """Give the edit for a button that changes it; a move that has not come to rest is given up."""
        self._drop()
        return self._living() if self.session.hasParameters else None

    def _finish(self) -> None:
        """Have a move come to rest at once."""
        if self._sliders.moved is not None:
            self._preview.stop()
            with self.session.work(_("Changing the thyroid")) as work:
                self._rest(work)

    def _onKeep(self, checked: bool = False) -> None:
        self._finish()
        node = self.parameters.edited if self.session.hasParameters else None
        if node is None:
            return
        with self.session.errorsShown():
            source = source_of(node)
            name = source.GetName() if source is not None else _("Thyroid")
            kept = add_edited_thyroid(
                slicer.mrmlScene,
                _("{name} (edited)").format(name=name),
                surface_of_segment(node, SEGMENT_ID),
                source,
                ct=self.parameters.ct,
                record=read_record(node),
            )
            # They lie in the same place until the edit goes on.
            node.GetDisplayNode().SetVisibility(False)
            self.session.showStatus(_("'{name}' was kept.").format(name=kept.GetName()))
            self.session.announceThyroids()

    def _onPatientChanged(self) -> None:
        if self.session.hasParameters:
            self.refresh()

    def _onShowOriginal(self, checked: bool) -> None:
        self.parameters.showOwnThyroid = checked

    def _goTo(self, thyroid: Thyroid | None = None) -> None:
        """Show what the edit has come to: its present step, made again where it is not given."""
        edit, node = self._edit, self.parameters.edited
        self._sliders.moved = None
        thyroid = thyroid if thyroid is not None else edit.present()
        self._draw(edit, node, thyroid, record=edit.recordOf(thyroid, placed(node, edit.placement)))
        self.session.announceThyroids()
        self.refresh()

    @staticmethod
    def _draw(edit: PatientEdit, node, thyroid: Thyroid, *, record: ThyroidRecord | None = None) -> None:
        """Show a thyroid, wherever its node was moved to by hand."""
        placement = placed(node, edit.placement)
        replace_surface(node, thyroid.surface.moved(placement.to_ras(thyroid.surface.vertices)), record=record)
        if not node.GetDisplayNode().GetVisibility():
            node.GetDisplayNode().SetVisibility(True)
