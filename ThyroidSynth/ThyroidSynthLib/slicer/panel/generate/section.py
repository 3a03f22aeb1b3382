"""Section "Generate": targets, random seed, and a thyroid at the patient's trachea that follows the sliders."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.slicer.panel.controls.drawing import showWarning
from ThyroidSynthLib.slicer.panel.shared.choices import SurfaceDetail
from ThyroidSynthLib.slicer.panel.shared.history import History
from ThyroidSynthLib.slicer.panel.shared.parameters import LARGEST_SEED
from ThyroidSynthLib.slicer.panel.shared.readiness import enableOrExplain, patientProblem
from ThyroidSynthLib.slicer.panel.shared.section import Section
from ThyroidSynthLib.slicer.panel.shared.wording import keptText
from ThyroidSynthLib.slicer.scene.display.views import stand_on
from ThyroidSynthLib.slicer.scene.thyroids.collection import add_beside
from ThyroidSynthLib.slicer.scene.thyroids.placing import placed, remove_unused_positions
from ThyroidSynthLib.slicer.scene.thyroids.present import SEGMENT_ID, is_edited_by_hand
from ThyroidSynthLib.slicer.scene.thyroids.records import ATTRIBUTE, GENERATED, SOURCE_ROLE, ThyroidRecord, read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import (
    add_generated_thyroid,
    colour_of,
    generated_thyroids,
    replace_surface,
)

from .following import SliderFollowing
from .generator import RecordedThyroid, ThyroidGenerator
from .neighbours import NeighbourControls
from .node_buttons import NodeButtons
from .placing import PlacingControls
from .recent_thyroids import RecentThyroids
from .targets import TARGETS, TargetRow, rounded, targetsOf, writeTargets
from .wording import generatedText, recordWarning, resultText

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ThyroidSynthLib.geometry.frame import Placement
    from ThyroidSynthLib.geometry.surface import Surface
    from ThyroidSynthLib.model.description import ModelDescription
    from ThyroidSynthLib.slicer.panel.shared.session import Work

_NO_COLOUR = (0.5, 0.5, 0.5)


class GenerateSection(Section):
    """Generates thyroids and shows their targets and measured features."""

    uiFile = "Generate.ui"

    def connect(self) -> None:
        """Connect the section's own widgets."""
        self._description: ModelDescription | None = None
        # Targets and detail that were followed last, and whether the panel itself is changing them.
        self._followed: tuple[dict[str, float], SurfaceDetail] | None = None
        self._settingTargets = False
        # What to say about a thyroid that was edited by hand and is no longer shown.
        self._kept = ""
        self._generator = ThyroidGenerator(self.session)
        self._neighbours = NeighbourControls(self.session, self.ui.neighboursCheckBox, self._generator, self)
        self._rows = {name: TargetRow(self.ui, name) for name in TARGETS}
        self._recent = RecentThyroids(self.ui.historyWidget, self._onPast, before=self.ui.similarButton)
        # The changes of the shown thyroid, and the node that shows it.
        self._steps: tuple[str, History[RecordedThyroid]] | None = None
        self.onSteps: Callable[[], None] = lambda: None
        self._placing = PlacingControls(self.session, self.ui, self.put, self._onOverlapRemoved)
        self._buttons = NodeButtons(
            self.session, self.ui.segmentEditorButton, self.ui.show3DButton, lambda: self.parameters.result
        )
        self._following = SliderFollowing(self.session, self._generator, self)
        self._closingTag = slicer.mrmlScene.AddObserver(slicer.vtkMRMLScene.StartCloseEvent, self._onSceneClosing)
        self.ui.targetWarningLabel.visible = False
        self.ui.resultSelector.addAttribute("vtkMRMLSegmentationNode", ATTRIBUTE)
        # Also emitted when the node is renamed.
        self.ui.resultSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._onResultNamed)
        self.ui.generateButton.connect("clicked(bool)", self._onGenerate)
        self.ui.randomButton.connect("clicked(bool)", self._onRandom)
        self.ui.similarButton.connect("clicked(bool)", self._onSimilar)
        for row in self._rows.values():
            row.onTicked = self._onTicked

    @property
    def pending(self) -> bool:
        """Whether the shown thyroid has yet to follow a slider."""
        return self._following.pending

    @property
    def thyroid(self):
        """The chosen result, or None."""
        return self.parameters.result

    @property
    def canUndo(self) -> bool:
        """Whether the shown thyroid was changed."""
        steps = self._ownSteps()
        return self.pending or (steps is not None and steps.canUndo)

    @property
    def canRedo(self) -> bool:
        """Whether a change of the shown thyroid was undone."""
        steps = self._ownSteps()
        return not self.pending and steps is not None and steps.canRedo

    def undo(self) -> None:
        """Show the thyroid from before the last change; a change that is not complete is discarded."""
        steps = self._ownSteps()
        if steps is not None:
            self._restore(steps.current if self.pending else steps.undo(), _("The last change was undone."))

    def redo(self) -> None:
        """Show the thyroid from after the change that was undone last."""
        steps = self._ownSteps()
        if steps is not None:
            self._restore(steps.redo(), _("The change was redone."))

    def describe(self, description: ModelDescription | None) -> None:
        """Enable what the model supports."""
        self._description = description
        self.refresh()

    def refresh(self) -> None:
        """Show the parameters after they have changed, and follow the targets if they have changed."""
        if self._followed is None:
            # The scene may have been loaded with thyroids.
            self._recent.offer(generated_thyroids(slicer.mrmlScene))
        self._enable()
        self._placing.refresh()
        self._following.checkChoice()
        if not self._followTargets():
            self.showResult()
        self.onSteps()

    def _enable(self) -> None:
        """Enable what can run, and say why the rest cannot."""
        self.ui.exactCheckBox.enabled = self.ui.liveCheckBox.enabled = not self._steeringProblem()
        problem = self._problem()
        for button in (self.ui.generateButton, self.ui.randomButton):
            enableOrExplain(button, problem)
        self._neighbours.refresh(self._description)
        needed = problem or patientProblem(self.session, thyroid=True) or self._steeringProblem()
        enableOrExplain(self.ui.similarButton, needed)

    def _problem(self) -> str:
        """Return why no thyroid can be generated; empty if one can."""
        problem = patientProblem(self.session)
        return problem or ("" if self._description is not None else _("No shape model is chosen."))

    def _steeringProblem(self) -> str:
        steerable = self._description is None or self._description.steerable
        return "" if steerable else _("This model has no features with which it can be steered.")

    def thyroidsChanged(self) -> None:
        """Show thyroids of the scene among the thumbnails."""
        self._enable()
        remove_unused_positions(slicer.mrmlScene)
        if not self.pending:
            # A preview is no thyroid to come back to.
            self._recent.offer(generated_thyroids(slicer.mrmlScene))
        self.showResult()
        self._placing.refresh()

    def beforeSave(self) -> None:
        """Show the exact thyroid instead of a preview."""
        self._following.pause()

    def release(self) -> None:
        """Release the scene and the parameters."""
        self._following.release()
        self._recent.stop()
        self._placing.release()
        self._generator.forget()
        self._followed = None

    def close(self) -> None:
        """Release everything."""
        super().close()
        slicer.mrmlScene.RemoveObserver(self._closingTag)

    def _onResultNamed(self, node) -> None:
        if node is not None:
            self.session.announceThyroids()

    def _onSceneClosing(self, caller, event) -> None:
        self._recent.clear()
        self._steps = None

    def targets(self) -> dict[str, float]:
        """Return the targets by feature; a model without conditioning has none."""
        steerable = self._description is not None and self._description.steerable
        return targetsOf(self.parameters) if steerable else {}

    def showResult(self) -> None:
        """Show what is known about the chosen result."""
        parameters, description = self.parameters, self._description
        node = parameters.result
        record = read_record(node) if node is not None else None
        colour = colour_of(node) if record is not None else _NO_COLOUR
        for name, row in self._rows.items():
            row.show(parameters, description, record.measured.get(name) if record is not None else None, colour)
        self._recent.mark(record)
        self._buttons.refresh()
        self.ui.generatedLabel.text = self._resultText(record)
        warnings = [row.warning(parameters, description) for row in self._rows.values()]
        showWarning(self.ui.targetWarningLabel, "\n".join(filter(None, [*warnings, recordWarning(record)])))

    def _resultText(self, record: ThyroidRecord | None) -> str:
        if record is not None:
            return resultText(self.parameters.result.GetName(), record)
        return self._problem() or self._steeringProblem()

    def _onRandom(self, checked: bool = False) -> None:
        self.parameters.seed = _newSeed()
        self._onGenerate()

    def _onGenerate(self, checked: bool = False) -> None:
        self._generate(_("Generating a thyroid"), lambda work: self._generator.draw(self.targets(), work))

    def _onSimilar(self, checked: bool = False) -> None:
        seed = _newSeed()

        def draw(work: Work) -> RecordedThyroid:
            drawn = self._generator.drawSimilar(seed, work)
            work.check()
            self.setTargets(drawn.record.targets, seed)
            return drawn

        self._generate(_("Generating a thyroid similar to the patient's"), draw)

    def _generate(self, title: str, draw: Callable[[Work], RecordedThyroid]) -> None:
        self._following.end()
        with self.session.work(title) as work:
            drawn = draw(work)
            work.check()
            self._followed = self.targets(), self.parameters.detail
            self.committed(drawn.surface, self._show(drawn, drawn.record.placement), drawn.organs)
            self.showDone(generatedText(drawn.record))
        if self.session.hasParameters:
            self.refresh()

    def setTargets(self, targets: dict[str, float], seed: int) -> None:
        """Set sliders, check boxes and random seed without a preview."""
        self._settingTargets = True
        try:
            for name, value in targets.items():
                self._rows[name].makeRoom(value)
            writeTargets(self.parameters, targets, seed)
        finally:
            self._settingTargets = False
        self._followed = self.targets(), self.parameters.detail

    def _followTargets(self) -> bool:
        """Let the thyroid follow targets that have changed; return whether it will be shown later."""
        targets, detail = self.targets(), self.parameters.detail
        before, self._followed = self._followed, (targets, detail)
        if before is None or self._settingTargets or not self.parameters.livePreview:
            return False
        # A target that was removed does not change the thyroid.
        changed = detail is not before[1] or any(before[0].get(name) != value for name, value in targets.items())
        follows = changed and self.replaceable() is not None
        if follows:
            self._following.changed()
        return follows

    def replaceable(self):
        """Return the chosen result if it may be replaced; a fitted or edited thyroid may not."""
        node = self.parameters.result
        record = read_record(node) if node is not None else None
        return None if record is not None and record.kind != GENERATED else node

    def _onTicked(self, name: str) -> None:
        """Let a feature that was free stay as it is now."""
        record = read_record(self.parameters.result) if self.parameters.result is not None else None
        if record is not None:
            value = rounded(record.features)[name]
            self._rows[name].makeRoom(value)
            setattr(self.parameters, TARGETS[name].value, value)

    def _show(self, thyroid: RecordedThyroid, atTrachea: Placement) -> ThyroidRecord:
        """Show a thyroid in the chosen node, or in a new one; return its record."""
        parameters = self.parameters
        if parameters.result is not None and parameters.result is parameters.segmentation:
            raise InputError(_("The result would replace the patient's segmentation. Choose another result."))
        node = self.replaceable()
        placement = placed(node, atTrachea) if node is not None else atTrachea
        record = replace(thyroid.record, trachea_to_ras=tuple(placement.trachea_to_ras.ravel().tolist()))
        inPatient = thyroid.surface.moved(placement.to_ras(thyroid.surface.vertices))
        if node is not None:
            self.put(node, inPatient, record)
        else:
            node = add_generated_thyroid(
                slicer.mrmlScene,
                _("Generated thyroid"),
                inPatient,
                ct=parameters.ct,
                record=record,
                patient=parameters.segmentation,
            )
            parameters.result = node
            stand_on(node, SEGMENT_ID)
        if parameters.segmentation is not None:
            parameters.result.SetNodeReferenceID(SOURCE_ROLE, parameters.segmentation.GetID())
        return record

    def put(self, node, surface_ras: Surface, record: ThyroidRecord):
        """Show a surface in a node, or beside it if that was edited by hand, and return the node that shows it."""
        if not is_edited_by_hand(node):
            replace_surface(node, surface_ras, record=record)
            return node
        new = add_beside(node, _("Generated thyroid"), surface_ras, ct=self.parameters.ct, record=record)
        self.parameters.result = new
        self._kept = keptText(node.GetName(), new.GetName())
        self.session.announceThyroids()
        return new

    def showDone(self, text: str) -> None:
        """Show that a thyroid was made, and which one was kept for it."""
        self.session.showStatus(" ".join(filter(None, [text, self._kept])))
        self._kept = ""

    def committed(self, surface: Surface, record: ThyroidRecord, organs: Mapping[str, Surface]) -> None:
        """Take a thyroid that is shown, given its surface in `trachea_mm`, as the newest and as a step to undo.

        The organs around it, in `trachea_mm`, too, are shown instead of those of before.
        """
        self._following.finish()
        self._neighbours.show(record, organs)
        shown = RecordedThyroid(record, surface, organs)
        self._recent.add(shown)
        node, steps = self.parameters.result, self._ownSteps()
        if steps is not None:
            steps.add(shown)
        else:
            self._steps = node.GetID(), History(shown)
        self._placing.changed()
        self.session.announceThyroids()
        self.onSteps()

    def _ownSteps(self) -> History[RecordedThyroid] | None:
        """Return the changes of the shown thyroid, if they were made here."""
        node = self.parameters.result
        if self._steps is None or node is None or node.GetID() != self._steps[0]:
            return None
        return self._steps[1]

    def _onOverlapRemoved(self, record: ThyroidRecord, surface_ras: Surface) -> None:
        surface = surface_ras.moved(record.placement.to_trachea(surface_ras.vertices))
        self.committed(surface, record, self._neighbours.shown(record))
        self.showResult()

    def _onPast(self, past: RecordedThyroid) -> None:
        record = self._restore(past, _("The earlier thyroid is restored."))
        if record is not None:
            self.committed(past.surface, record, self._neighbours.shown(record))

    def _restore(self, past: RecordedThyroid, message: str) -> ThyroidRecord | None:
        """Show a thyroid from before with its targets and random seed; return its record, or None if that failed."""
        self._following.end()
        record = None
        with self.session.errorsShown(_("Restoring the thyroid")):
            self.setTargets(past.record.targets, past.record.seed)
            record = self._show(past, self._generator.placementFor(past.record, self._description))
            self._neighbours.restore(record, past)
            self._placing.changed()
            self.showDone(message)
            self.session.announceThyroids()
        self.refresh()
        return record


def _newSeed() -> int:
    return random.SystemRandom().randint(0, LARGEST_SEED)
