"""Section "Generate": wishes, a seed, and a thyroid at the patient's trachea that follows the sliders."""

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
from ThyroidSynthLib.slicer.panel.shared.parameters import LARGEST_SEED
from ThyroidSynthLib.slicer.panel.shared.section import Section
from ThyroidSynthLib.slicer.panel.shared.wording import featuresText
from ThyroidSynthLib.slicer.scene.display.overlay import bounds_of, jump_slices
from ThyroidSynthLib.slicer.scene.thyroids.placing import placed, remove_unused_positions
from ThyroidSynthLib.slicer.scene.thyroids.records import ATTRIBUTE, GENERATED, ThyroidRecord, read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import (
    SEGMENT_ID,
    add_generated_thyroid,
    generated_thyroids,
    replace_surface,
)
from ThyroidSynthLib.slicer.scene.volumes import placement_of_patient, surface_of_segment

from .live import LivePreview
from .making import Made, Maker
from .pace import Pace
from .placing import PlacingControls
from .recent_thyroids import History, PastThyroid
from .targets import TARGETS, TargetRow, targetsOf

if TYPE_CHECKING:
    from ThyroidSynthLib.generation.steer.targeting import SteeringResult
    from ThyroidSynthLib.generation.thyroid import Thyroid
    from ThyroidSynthLib.geometry.frame import Placement
    from ThyroidSynthLib.geometry.surface import Surface
    from ThyroidSynthLib.model.description import ModelDescription
    from ThyroidSynthLib.slicer.panel.shared.session import Work

# Training codes lie between about 0.7 and 1.2 SDs per dimension from their mean.
_FAR_CODE = 2.0
_NO_COLOUR = (0.5, 0.5, 0.5)


class GenerateSection(Section):
    """Makes thyroids, and shows what was measured beside what was asked."""

    uiFile = "Generate.ui"

    def connect(self) -> None:
        """Connect the section's own widgets."""
        self._description: ModelDescription | None = None
        # Wishes and detail that were followed last, and whether the panel itself is changing them.
        self._followed: tuple[dict[str, float], SurfaceDetail] | None = None
        self._settingTargets = False
        self._maker = Maker(self.session)
        self._rows = {name: TargetRow(self.ui, name) for name in TARGETS}
        self._history = History(self.ui.historyWidget, self._onPast, before=self.ui.detailSelector)
        self._placing = PlacingControls(self.session, self.ui, self._onOverlapRemoved)
        self._live = LivePreview(self.session, _("Meeting the wishes"), follow=self._onFollow, rest=self._onRest)
        self._pace = Pace()
        self._closingTag = slicer.mrmlScene.AddObserver(slicer.vtkMRMLScene.StartCloseEvent, self._onSceneClosing)
        self.ui.targetWarningLabel.visible = False
        self.ui.resultSelector.addAttribute("vtkMRMLSegmentationNode", ATTRIBUTE)
        # Tells of a new name as well.
        self.ui.resultSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._onResultNamed)
        self.ui.generateButton.connect("clicked(bool)", self._onGenerate)
        self.ui.randomButton.connect("clicked(bool)", self._onRandom)
        self.ui.similarButton.connect("clicked(bool)", self._onSimilar)

    def describe(self, description: ModelDescription | None) -> None:
        """Offer what a model can do."""
        self._description = description
        if self.session.hasParameters:
            self.refresh()

    def refresh(self) -> None:
        """Show the parameters, which have changed, and follow the wishes if it was they."""
        parameters, description = self.parameters, self._description
        if self._followed is None:
            # A scene that was opened may hold thyroids.
            self._history.offer(generated_thyroids(slicer.mrmlScene))
        ready = description is not None and parameters.segmentation is not None and bool(parameters.tracheaSegmentID)
        steerable = description is None or description.steerable
        self.ui.exactCheckBox.enabled = self.ui.liveCheckBox.enabled = steerable
        for button in (self.ui.generateButton, self.ui.randomButton):
            button.enabled = ready
        self.ui.similarButton.enabled = ready and steerable and bool(parameters.thyroidSegmentID)
        self._placing.refresh()
        if not self._followTargets():
            self._showResult()

    def thyroidsChanged(self) -> None:
        """Take what is in the scene into the strip of the last thyroids."""
        remove_unused_positions(slicer.mrmlScene)
        self._history.offer(generated_thyroids(slicer.mrmlScene))
        self._showResult()
        self._placing.refresh()

    def release(self) -> None:
        """Let go of the scene and of the parameters."""
        self._live.stop()
        self._history.stop()
        self._placing.release()
        self._maker.forget()
        self._followed = None

    def close(self) -> None:
        """Let go of everything."""
        self.release()
        slicer.mrmlScene.RemoveObserver(self._closingTag)

    def _onResultNamed(self, node) -> None:
        if self.session.hasParameters and node is not None:
            self.session.announceThyroids()

    def _onSceneClosing(self, caller, event) -> None:
        self._history.clear()

    def _targets(self) -> dict[str, float]:
        """Give the wishes that count."""
        steerable = self._description is not None and self._description.steerable
        return targetsOf(self.parameters) if steerable else {}

    # What is shown.

    def _showResult(self) -> None:
        parameters, description = self.parameters, self._description
        node = parameters.result
        record = read_record(node) if node is not None else None
        colour = node.GetSegmentation().GetSegment(SEGMENT_ID).GetColor() if record is not None else _NO_COLOUR
        for name, row in self._rows.items():
            row.show(parameters, description, record.measured.get(name) if record is not None else None, colour)
        self._history.mark(record)
        self.ui.generatedLabel.text = self._resultText(record)
        warnings = [row.warning(parameters, description) for row in self._rows.values()]
        showWarning(self.ui.targetWarningLabel, "\n".join(filter(None, [*warnings, _recordWarning(record)])))

    def _resultText(self, record: ThyroidRecord | None) -> str:
        parameters, description = self.parameters, self._description
        if record is not None:
            return _("{name}: seed {seed}, {features}").format(
                name=parameters.result.GetName(), seed=record.seed, features=featuresText(record.features)
            )
        if description is None or parameters.segmentation is None or not parameters.tracheaSegmentID:
            return _("Choose a patient with a trachea, and a shape model.")
        return "" if description.steerable else _("This model has no features to steer by.")

    # Making a thyroid at a click.

    def _onRandom(self, checked: bool = False) -> None:
        self.parameters.seed = _newSeed()
        self._onGenerate()

    def _onGenerate(self, checked: bool = False) -> None:
        self._make(_("Generating a thyroid"), lambda work: self._maker.draw(self._targets(), work))

    def _onSimilar(self, checked: bool = False) -> None:
        seed = _newSeed()

        def draw(work: Work) -> Made:
            made = self._maker.drawSimilar(seed, work)
            work.check()
            self._setTargets(made.targets, seed)
            return made

        self._make(_("Making a thyroid like the patient's"), draw)

    def _make(self, title: str, draw) -> None:
        self._live.stop()
        with self.session.work(title) as work:
            made = draw(work)
            work.check()
            if not self.session.hasParameters:
                raise Cancelled(_("The scene was closed."))
            self._followed = self._targets(), self.parameters.detail
            generated = made.generated
            record = ThyroidRecord.of(
                generated.thyroid,
                made.placement,
                targets=made.targets,
                model=made.model,
                seed=generated.seed,
                met=generated.met,
                distance=generated.distance,
            )
            self._show(generated.thyroid.surface, record, made.placement)
            self.session.showStatus(_madeText(record))
        if self.session.hasParameters:
            self.refresh()

    def _setTargets(self, targets: dict[str, float], seed: int) -> None:
        """Set sliders, check boxes and seed; the preview does not follow."""
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

    # Following the sliders.

    def _followTargets(self) -> bool:
        """Let the thyroid follow wishes that have changed; say whether it will, and be shown anew."""
        targets, detail = self._targets(), self.parameters.detail
        before, self._followed = self._followed, (targets, detail)
        if before is None or self._settingTargets or not self.parameters.livePreview:
            return False
        # A wish that was given up leaves the thyroid as it is.
        changed = detail is not before[1] or any(before[0].get(name) != value for name, value in targets.items())
        follows = changed and self._replaceable() is not None
        if follows:
            self._live.changed()
        return follows

    def _replaceable(self):
        """Give the chosen result if the next thyroid may replace it; what was fitted or edited stays."""
        node = self.parameters.result
        record = read_record(node) if node is not None else None
        return None if record is not None and record.kind != GENERATED else node

    def _onFollow(self) -> None:
        node = self._replaceable() if self.session.hasParameters else None
        steering = self._maker.steering(node) if node is not None else None
        targets = self._targets()
        if steering is not None and targets != read_record(node).targets:
            with self._pace.step() as resolution:
                self._replace(node, steering.follow(Targets.of(targets), resolution=resolution), targets)
        if self.session.hasParameters:
            self._showResult()

    def _onRest(self, work: Work) -> None:
        node = self._replaceable() if self.session.hasParameters else None
        if node is None:
            return
        if self.session.modelInMemory() is None:
            self.session.ensureRequirements()
            work.progress(0.1, _("Reading the shape model"))
            self.session.model()
        steering = self._maker.steering(node)
        if steering is None:
            self.session.showStatus(_("The shown thyroid is another model's. Click Generate for one of this model."))
            return
        targets = self._targets()
        if self.parameters.exact and targets:
            result = steering.settle(
                Targets.of(targets),
                resolution=self._maker.resolution,
                progress=work.progress,
                should_stop=work.shouldStop,
            )
            thyroid = result.thyroid
        else:
            result = None
            if targets != read_record(node).targets:
                steering.follow(Targets.of(targets))
            work.progress(0.5, _("Making the surface"))
            work.check()
            thyroid = steering.decoded_at(self._maker.resolution)
        work.check()
        if not self.session.hasParameters or self.parameters.result is not node:
            raise Cancelled(_("The thyroid is no longer there."))
        record = self._replace(node, thyroid, targets, result)
        self._committed(thyroid.surface, record)
        self.session.showStatus(_madeText(record))
        self._showResult()

    def _replace(
        self, node, thyroid: Thyroid, targets: dict[str, float], result: SteeringResult | None = None
    ) -> ThyroidRecord:
        """Replace the surface of a thyroid that is steered; it stays where it is."""
        before = read_record(node)
        record = ThyroidRecord.of(
            thyroid,
            before.placement,
            targets=targets,
            model=before.model,
            seed=before.seed,
            met=None if result is None else result.met,
            distance=None if result is None else result.distance,
        )
        surface = thyroid.surface.moved(before.placement.to_ras(thyroid.surface.vertices))
        replace_surface(node, surface, record=record)
        self._maker.follows(node, record)
        return record

    # Showing a thyroid.

    def _show(self, surface: Surface, record: ThyroidRecord, atTrachea: Placement) -> None:
        """Put a surface in `trachea_mm` over the CT: into the chosen node, or a new one. No camera moves."""
        parameters = self.parameters
        if parameters.result is not None and parameters.result is parameters.segmentation:
            raise InputError(_("The result would replace the patient's segmentation. Choose another result."))
        node = self._replaceable()
        placement = placed(node, atTrachea) if node is not None else atTrachea
        record = replace(record, trachea_to_ras=tuple(placement.trachea_to_ras.ravel().tolist()))
        inPatient = surface.moved(placement.to_ras(surface.vertices))
        if node is not None:
            replace_surface(node, inPatient, record=record)
        else:
            node = add_generated_thyroid(
                slicer.mrmlScene, _("Generated thyroid"), inPatient, ct=parameters.ct, record=record
            )
            parameters.result = node
            lower, upper = bounds_of(node)
            jump_slices(slicer.mrmlScene, (lower + upper) / 2)
        self._committed(surface, record)

    def _committed(self, surface: Surface, record: ThyroidRecord) -> None:
        self._history.add(PastThyroid(record, surface))
        self._placing.changed()
        self.session.announceThyroids()

    def _onOverlapRemoved(self) -> None:
        node = self.parameters.result
        record, surface = read_record(node), surface_of_segment(node, SEGMENT_ID)
        self._committed(surface.moved(record.placement.to_trachea(surface.vertices)), record)
        self._showResult()

    def _onPast(self, past: PastThyroid) -> None:
        """Go back to a thyroid, with the wishes and the seed it was made with."""
        self._live.stop()
        with self.session.errorsShown():
            self._setTargets(past.record.targets, past.record.seed)
            self._show(past.surface, past.record, self._placementFor(past.record))
            self.session.showStatus(_("This is the thyroid of before."))
        self.refresh()

    def _placementFor(self, record: ThyroidRecord) -> Placement:
        """Give the place at the patient's trachea; without one, where the thyroid was."""
        parameters, description = self.parameters, self._description
        if parameters.segmentation is None or description is None:
            return record.placement
        try:
            return placement_of_patient(
                parameters.segmentation,
                parameters.tracheaSegmentID,
                parameters.thyroidSegmentID,
                description.alignment,
            )
        except ThyroidSynthError:
            return record.placement


def _newSeed() -> int:
    return random.SystemRandom().randint(0, LARGEST_SEED)


def _recordWarning(record: ThyroidRecord | None) -> str:
    """Give what to mind of a thyroid."""
    if record is None:
        return ""
    if record.met is False:
        return _("The wishes are out of this model's reach from here; the thyroid comes as near as it can.")
    if record.distance is not None and record.distance > _FAR_CODE:
        return _("The shape is far from those the model has learnt ({distance} SD; usual is 1).").format(
            distance=f"{record.distance:.1f}"
        )
    return ""


def _madeText(record: ThyroidRecord) -> str:
    return _recordWarning(record) or _("A thyroid was made.")
