"""Section "Generate": targets, random seed, and a thyroid at the patient's trachea that follows the sliders.

While a slider moves, `_onFollow` takes one step of `LiveSteering` (`generation.steer.live_steering`), which decodes a
new surface, and `_replace` puts that surface into the scene. When the slider rests, `_onRest` steers exactly.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import Cancelled, InputError, ThyroidSynthError
from ThyroidSynthLib.geometry.targets import Targets
from ThyroidSynthLib.slicer.panel.shared.choices import SurfaceDetail
from ThyroidSynthLib.slicer.panel.shared.drawing import showWarning
from ThyroidSynthLib.slicer.panel.shared.history import History
from ThyroidSynthLib.slicer.panel.shared.live_preview import LivePreview
from ThyroidSynthLib.slicer.panel.shared.parameters import LARGEST_SEED
from ThyroidSynthLib.slicer.panel.shared.section import Section
from ThyroidSynthLib.slicer.panel.shared.wording import keptText
from ThyroidSynthLib.slicer.scene.display.overlay import bounds_of, jump_slices
from ThyroidSynthLib.slicer.scene.patient.patients import scan_grid
from ThyroidSynthLib.slicer.scene.thyroids.collection import add_beside
from ThyroidSynthLib.slicer.scene.thyroids.placing import placed, remove_unused_positions
from ThyroidSynthLib.slicer.scene.thyroids.present import is_edited_by_hand
from ThyroidSynthLib.slicer.scene.thyroids.records import ATTRIBUTE, GENERATED, ThyroidRecord, read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import (
    add_generated_thyroid,
    colour_of,
    generated_thyroids,
    replace_surface,
)
from ThyroidSynthLib.slicer.scene.volumes import placement_of_patient

from .generator import RecordedThyroid, ThyroidGenerator
from .node_buttons import NodeButtons
from .pace import Pace
from .placing import PlacingControls
from .recent_thyroids import RecentThyroids
from .targets import TARGETS, TargetRow, targetsOf
from .wording import generatedText, recordWarning, resultText

if TYPE_CHECKING:
    from collections.abc import Callable

    from ThyroidSynthLib.generation.steer.steering import SteeringResult
    from ThyroidSynthLib.generation.thyroid import Thyroid
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
        self._rows = {name: TargetRow(self.ui, name) for name in TARGETS}
        self._recent = RecentThyroids(self.ui.historyWidget, self._onPast, before=self.ui.similarButton)
        # The changes of the shown thyroid, and the node that shows it.
        self._steps: tuple[str, History[RecordedThyroid]] | None = None
        self.onSteps: Callable[[], None] = lambda: None
        self._placing = PlacingControls(self.session, self.ui, self._put, self._onOverlapRemoved)
        self._buttons = NodeButtons(
            self.session, self.ui.segmentEditorButton, self.ui.show3DButton, lambda: self.parameters.result
        )
        self._live = LivePreview(self.session, _("Matching the targets"), follow=self._onFollow, rest=self._onRest)
        self._pace = Pace()
        self._closingTag = slicer.mrmlScene.AddObserver(slicer.vtkMRMLScene.StartCloseEvent, self._onSceneClosing)
        self.ui.targetWarningLabel.visible = False
        self.ui.resultSelector.addAttribute("vtkMRMLSegmentationNode", ATTRIBUTE)
        # Also emitted when the node is renamed.
        self.ui.resultSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._onResultNamed)
        self.ui.generateButton.connect("clicked(bool)", self._onGenerate)
        self.ui.randomButton.connect("clicked(bool)", self._onRandom)
        self.ui.similarButton.connect("clicked(bool)", self._onSimilar)

    @property
    def pending(self) -> bool:
        """Whether the shown thyroid has yet to follow a slider."""
        return self._live.pending

    @property
    def thyroid(self):
        """The chosen result, or None."""
        return self.parameters.result

    @property
    def canUndo(self) -> bool:
        """Whether the shown thyroid was changed."""
        return self.pending or (self._ownSteps() is not None and self._ownSteps().canUndo)

    @property
    def canRedo(self) -> bool:
        """Whether a change of the shown thyroid was undone."""
        return not self.pending and self._ownSteps() is not None and self._ownSteps().canRedo

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
        parameters, description = self.parameters, self._description
        if self._followed is None:
            # The scene may have been loaded with thyroids.
            self._recent.offer(generated_thyroids(slicer.mrmlScene))
        ready = description is not None and parameters.segmentation is not None and bool(parameters.tracheaSegmentID)
        steerable = description is None or description.steerable
        self.ui.exactCheckBox.enabled = self.ui.liveCheckBox.enabled = steerable
        for button in (self.ui.generateButton, self.ui.randomButton):
            button.enabled = ready
        self.ui.similarButton.enabled = ready and steerable and bool(parameters.thyroidSegmentID)
        self._placing.refresh()
        if not self._followTargets():
            self._showResult()
        self.onSteps()

    def thyroidsChanged(self) -> None:
        """Show thyroids of the scene among the thumbnails."""
        remove_unused_positions(slicer.mrmlScene)
        if not self.pending:
            # A preview is no thyroid to come back to.
            self._recent.offer(generated_thyroids(slicer.mrmlScene))
        self._showResult()
        self._placing.refresh()

    def release(self) -> None:
        """Release the scene and the parameters."""
        self._live.stop()
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

    def _targets(self) -> dict[str, float]:
        """Return the targets by feature; a model without conditioning has none."""
        steerable = self._description is not None and self._description.steerable
        return targetsOf(self.parameters) if steerable else {}

    def _showResult(self) -> None:
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
        parameters, description = self.parameters, self._description
        if record is not None:
            return resultText(parameters.result.GetName(), record)
        if description is None or parameters.segmentation is None or not parameters.tracheaSegmentID:
            return _("Choose a patient with a trachea and a shape model.")
        return "" if description.steerable else _("This model has no features with which it can be steered.")

    def _onRandom(self, checked: bool = False) -> None:
        self.parameters.seed = _newSeed()
        self._onGenerate()

    def _onGenerate(self, checked: bool = False) -> None:
        self._generate(_("Generating a thyroid"), lambda work: self._generator.draw(self._targets(), work))

    def _onSimilar(self, checked: bool = False) -> None:
        seed = _newSeed()

        def draw(work: Work) -> RecordedThyroid:
            drawn = self._generator.drawSimilar(seed, work)
            work.check()
            self._setTargets(drawn.record.targets, seed)
            return drawn

        self._generate(_("Generating a thyroid similar to the patient's"), draw)

    def _generate(self, title: str, draw: Callable[[Work], RecordedThyroid]) -> None:
        self._live.stop()
        with self.session.work(title) as work:
            drawn = draw(work)
            work.check()
            self._followed = self._targets(), self.parameters.detail
            self._committed(drawn.surface, self._show(drawn, drawn.record.placement))
            self._showDone(generatedText(drawn.record))
        if self.session.hasParameters:
            self.refresh()

    def _setTargets(self, targets: dict[str, float], seed: int) -> None:
        """Set sliders, check boxes and random seed without a preview."""
        self._settingTargets = True
        try:
            for name, value in targets.items():
                self._rows[name].makeRoom(value)
            with slicer.util.NodeModify(self.parameters):
                self.parameters.seed = seed
                for name, target in TARGETS.items():
                    setattr(self.parameters, target.steer, name in targets)
                    if name in targets:
                        setattr(self.parameters, target.value, targets[name])
        finally:
            self._settingTargets = False
        self._followed = self._targets(), self.parameters.detail

    def _followTargets(self) -> bool:
        """Let the thyroid follow targets that have changed; return whether it will be shown later."""
        targets, detail = self._targets(), self.parameters.detail
        before, self._followed = self._followed, (targets, detail)
        if before is None or self._settingTargets or not self.parameters.livePreview:
            return False
        # A target that was removed does not change the thyroid.
        changed = detail is not before[1] or any(before[0].get(name) != value for name, value in targets.items())
        follows = changed and self._replaceable() is not None
        if follows:
            self._live.changed()
        return follows

    def _replaceable(self):
        """Return the chosen result if it may be replaced; a fitted or edited thyroid may not."""
        node = self.parameters.result
        record = read_record(node) if node is not None else None
        return None if record is not None and record.kind != GENERATED else node

    def _onFollow(self) -> None:
        node, targets = self._replaceable(), self._targets()
        record = read_record(node) if node is not None else None
        steering = self._generator.steering(node, record)
        if record is not None and steering is not None and targets != record.targets:
            with self._pace.step() as resolution:
                self._replace(node, record, steering.follow(Targets.of(targets), resolution=resolution), targets)
        self._showResult()

    def _onRest(self, work: Work) -> None:
        node = self._replaceable()
        if node is None:
            return
        if self.session.modelInMemory() is None:
            work.progress(0.1, _("Reading the shape model"))
            self.session.model()
        record = read_record(node)
        steering = self._generator.steering(node, record)
        if record is None or steering is None:
            self.session.showStatus(_("The shown thyroid is of another model. Click Generate for one of this model."))
            return
        targets = self._targets()
        if self.parameters.exact and targets:
            result = steering.settle(
                Targets.of(targets),
                resolution=self._generator.resolution,
                progress=work.progress,
                should_stop=work.shouldStop,
            )
            thyroid = result.thyroid
        else:
            result = None
            if targets != record.targets:
                steering.follow(Targets.of(targets))
            work.progress(0.5, _("Decoding the surface"))
            work.check()
            thyroid = steering.decoded_at(self._generator.resolution)
        work.check()
        if self.parameters.result is not node:
            raise Cancelled(_("The thyroid was removed."))
        record = self._replace(node, record, thyroid, targets, result)
        self._committed(thyroid.surface, record)
        self._showDone(generatedText(record))
        self._showResult()

    def _replace(
        self,
        node,
        before: ThyroidRecord,
        thyroid: Thyroid,
        targets: dict[str, float],
        result: SteeringResult | None = None,
    ) -> ThyroidRecord:
        """Replace the surface of a thyroid that is steered, at its placement; return its new record."""
        record = ThyroidRecord.of(thyroid, before.placement, targets=targets, model=before.model, seed=before.seed)
        if result is not None:
            record = replace(record, met=result.met, distance=result.distance)
        surface = thyroid.surface.moved(before.placement.to_ras(thyroid.surface.vertices))
        node = self._put(node, surface, record)
        self._generator.follows(node, record)
        return record

    def _show(self, thyroid: RecordedThyroid, atTrachea: Placement) -> ThyroidRecord:
        """Show a thyroid in the chosen node, or in a new one; return its record."""
        parameters = self.parameters
        if parameters.result is not None and parameters.result is parameters.segmentation:
            raise InputError(_("The result would replace the patient's segmentation. Choose another result."))
        node = self._replaceable()
        placement = placed(node, atTrachea) if node is not None else atTrachea
        record = replace(thyroid.record, trachea_to_ras=tuple(placement.trachea_to_ras.ravel().tolist()))
        inPatient = thyroid.surface.moved(placement.to_ras(thyroid.surface.vertices))
        if node is not None:
            self._put(node, inPatient, record)
        else:
            node = add_generated_thyroid(
                slicer.mrmlScene, _("Generated thyroid"), inPatient, ct=parameters.ct, record=record
            )
            parameters.result = node
            lower, upper = bounds_of(node)
            jump_slices(slicer.mrmlScene, (lower + upper) / 2)
        return record

    def _put(self, node, surface_ras: Surface, record: ThyroidRecord):
        """Show a surface in a node, or beside it if that was edited by hand, and return the node that shows it."""
        if not is_edited_by_hand(node):
            replace_surface(node, surface_ras, record=record)
            return node
        new = add_beside(node, _("Generated thyroid"), surface_ras, ct=self.parameters.ct, record=record)
        self.parameters.result = new
        self._kept = keptText(node.GetName(), new.GetName())
        self.session.announceThyroids()
        return new

    def _showDone(self, text: str) -> None:
        """Show that a thyroid was made, and which one was kept for it."""
        self.session.showStatus(" ".join(filter(None, [text, self._kept])))
        self._kept = ""

    def _committed(self, surface: Surface, record: ThyroidRecord) -> None:
        shown = RecordedThyroid(record, surface)
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
        own = self._steps is not None and node is not None and node.GetID() == self._steps[0]
        return self._steps[1] if own else None

    def _onOverlapRemoved(self, record: ThyroidRecord, surface_ras: Surface) -> None:
        self._committed(surface_ras.moved(record.placement.to_trachea(surface_ras.vertices)), record)
        self._showResult()

    def _onPast(self, past: RecordedThyroid) -> None:
        record = self._restore(past, _("The earlier thyroid is restored."))
        if record is not None:
            self._committed(past.surface, record)

    def _restore(self, past: RecordedThyroid, message: str) -> ThyroidRecord | None:
        """Show a thyroid from before with its targets and random seed; return its record, or None if that failed."""
        self._live.stop()
        record = None
        with self.session.errorsShown():
            self._setTargets(past.record.targets, past.record.seed)
            record = self._show(past, self._placementFor(past.record))
            self._placing.changed()
            self._showDone(message)
            self.session.announceThyroids()
        self.refresh()
        return record

    def _placementFor(self, record: ThyroidRecord) -> Placement:
        """Return the patient's trachea frame; without a trachea, the thyroid's former placement."""
        parameters, description = self.parameters, self._description
        if parameters.segmentation is None or description is None:
            return record.placement
        try:
            return placement_of_patient(
                parameters.segmentation,
                parameters.tracheaSegmentID,
                parameters.thyroidSegmentID,
                description.alignment,
                scan=scan_grid(parameters.segmentation, parameters.ct),
            )
        except ThyroidSynthError:
            return record.placement


def _newSeed() -> int:
    return random.SystemRandom().randint(0, LARGEST_SEED)
