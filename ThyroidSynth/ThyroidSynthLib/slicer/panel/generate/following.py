"""Let the shown thyroid follow the sliders.

While a slider moves, `SliderFollowing` takes steps of `LiveSteering` (`generation.steer.live_steering`), each of which
decodes a new surface for the scene. When the slider rests, it steers exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import Cancelled
from ThyroidSynthLib.geometry.targets import Targets
from ThyroidSynthLib.slicer.panel.shared.live_preview import LivePreview
from ThyroidSynthLib.slicer.scene.thyroids.records import ThyroidRecord, read_record

from .exact_thyroid import ExactThyroid
from .pace import Pace
from .wording import generatedText

if TYPE_CHECKING:
    from ThyroidSynthLib.generation.steer.steering import SteeringResult
    from ThyroidSynthLib.generation.thyroid import Thyroid
    from ThyroidSynthLib.geometry.surface import Surface
    from ThyroidSynthLib.slicer.panel.shared.session import Session, Work

    from .generator import ThyroidGenerator


class Followed(Protocol):
    """What `SliderFollowing` needs of its section."""

    def targets(self) -> dict[str, float]:
        """Return the targets by feature."""

    def setTargets(self, targets: dict[str, float], seed: int) -> None:
        """Set sliders and random seed without a preview."""

    def replaceable(self) -> Any:
        """Return the node of the chosen result if it may be replaced."""

    def put(self, node: Any, surface_ras: Surface, record: ThyroidRecord) -> Any:
        """Show a surface in a node or beside it; return the node that shows it."""

    def committed(self, surface: Surface, record: ThyroidRecord, organs: Mapping[str, Surface]) -> None:
        """Take a thyroid that is shown as exact, and show the organs around it."""

    def showResult(self) -> None:
        """Show what is known about the chosen result."""

    def showDone(self, text: str) -> None:
        """Show what was done."""

    def refresh(self) -> None:
        """Show the parameters."""


class SliderFollowing:
    """Previews of the section's thyroid, and the exact result.

    A preview never stays: an interrupted one is replaced by the thyroid from before.
    """

    def __init__(self, session: Session, generator: ThyroidGenerator, section: Followed) -> None:
        self._session, self._generator, self._section = session, generator, section
        self._pace = Pace()
        # The thyroid that the preview replaces, and the node of the preview.
        self._exact: ExactThyroid | None = None
        self._nodeID = ""
        # Whether the chosen result may change because a preview gets a node of its own.
        self._replacing = False
        self._live = LivePreview(session, _("Matching the targets"), follow=self._onFollow, rest=self._onRest)

    @property
    def pending(self) -> bool:
        """Whether the thyroid has yet to follow a slider."""
        return self._live.pending

    def changed(self) -> None:
        """Follow targets that have changed."""
        self._live.changed()

    def finish(self) -> None:
        """Take what is shown as the exact thyroid."""
        self._exact = None

    def pause(self) -> None:
        """Show the exact thyroid until the next step, or the result."""
        if self._exact is not None and self._exact.surface_ras is not None:
            self._exact.show(None)

    def end(self) -> ExactThyroid | None:
        """Show the exact thyroid instead of an unfinished preview, and return it; None if there is none."""
        self._live.stop()
        preview, exact, self._exact = self._preview(), self._exact, None
        parameters = self._session.parameters if self._session.hasParameters else None
        chosen = parameters is not None and preview is not None and parameters.result is preview
        if exact is None or not exact.show(preview):
            return None
        if parameters is not None and chosen:
            parameters.result = exact.node
        return exact

    def discard(self) -> None:
        """End a preview, and set the sliders to the targets of the exact thyroid."""
        exact = self.end()
        if exact is not None:
            self._section.setTargets(exact.record.targets, exact.record.seed)

    def checkChoice(self) -> None:
        """End a preview if another thyroid or patient was chosen."""
        if self._exact is None or self._replacing:
            return
        if self._session.parameters.result not in (self._exact.node, self._preview()):
            self.end()

    def release(self) -> None:
        """Discard a preview, because the scene is closed or the module left."""
        if slicer.mrmlScene.IsClosing() or not self._session.hasParameters:
            self._exact = None
        self.discard()

    def _preview(self) -> Any:
        return slicer.mrmlScene.GetNodeByID(self._nodeID) if self._exact is not None and self._nodeID else None

    def _onFollow(self) -> None:
        node, targets = self._section.replaceable(), self._section.targets()
        record = read_record(node) if node is not None else None
        steering = self._generator.steering(node, record)
        if record is not None and steering is not None and targets != record.targets:
            self._exact = self._exact or ExactThyroid.of(node)
            with self._pace.step() as resolution:
                self._replace(node, record, steering.follow(Targets.of(targets), resolution=resolution), targets)
        self._section.showResult()

    def _onRest(self, work: Work) -> None:
        try:
            self._settle(work)
        except Exception:
            # Unless a slider was moved again, no result follows the preview.
            if self._session.hasParameters and not self._live.follows:
                self.discard()
                self._section.refresh()
            raise

    def _settle(self, work: Work) -> None:
        """Make the exact result for the targets."""
        section, parameters = self._section, self._session.parameters
        node = section.replaceable()
        if node is None:
            return
        if self._session.modelInMemory() is None:
            work.progress(0.1, _("Reading the shape model"))
            self._session.model()
        record = read_record(node)
        steering = self._generator.steering(node, record)
        if record is None or steering is None:
            self._session.showStatus(_("The shown thyroid is of another model. Click Generate for one of this model."))
            return
        targets = section.targets()
        if parameters.exact and targets:
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
        if self._session.parameters.result is not node:
            raise Cancelled(_("The thyroid was removed."))
        record = self._replace(node, record, thyroid, targets, result)
        # Not while a slider moves: the organs take longer than a thyroid.
        section.committed(thyroid.surface, record, self._generator.organs(record, thyroid.surface))
        section.showDone(generatedText(record))
        section.showResult()

    def _replace(
        self,
        node: Any,
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
        self._replacing = True
        try:
            node = self._section.put(node, surface, record)
        finally:
            self._replacing = False
        self._nodeID = node.GetID()
        self._generator.follows(node, record)
        return record
