"""Generate thyroids with the chosen model: at random, similar to the patient's own, or steered from the shown one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import ThyroidSynthError
from ThyroidSynthLib.common.progress import part_of
from ThyroidSynthLib.geometry.targets import Targets
from ThyroidSynthLib.slicer.panel.shared.trachea_contact import TracheaContact
from ThyroidSynthLib.slicer.scene.patient.patients import scan_grid
from ThyroidSynthLib.slicer.scene.thyroids.records import GENERATED, SOURCE_ROLE, ThyroidRecord, read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import generated_thyroids
from ThyroidSynthLib.slicer.scene.volumes import features_of_segment, placement_of_patient, surface_of_segment

from .organs import NeighbouringOrgans
from .targets import rounded

if TYPE_CHECKING:
    from ThyroidSynthLib.generation.shapes import ModelShapes
    from ThyroidSynthLib.generation.steer.contact import Contact
    from ThyroidSynthLib.generation.steer.live_steering import LiveSteering
    from ThyroidSynthLib.generation.thyroid import GeneratedThyroid
    from ThyroidSynthLib.geometry.frame import Placement
    from ThyroidSynthLib.geometry.surface import Surface
    from ThyroidSynthLib.model.description import ModelDescription
    from ThyroidSynthLib.model.trained_model import TrainedModel
    from ThyroidSynthLib.slicer.panel.shared.session import Session, Work


@dataclass(frozen=True)
class RecordedThyroid:
    """A generated thyroid that can be restored: its record, and its surface and its organs' in `trachea_mm`."""

    record: ThyroidRecord
    surface: Surface = field(repr=False)
    organs: Mapping[str, Surface] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls, generated: GeneratedThyroid, placement: Placement, targets: dict[str, float], model: TrainedModel
    ) -> RecordedThyroid:
        """Return a thyroid that was generated for the patient with this placement."""
        record = ThyroidRecord.of(
            generated.thyroid, placement, targets=targets, model=model.checksum, seed=generated.seed
        )
        record = replace(record, met=generated.met, distance=generated.distance)
        return cls(record, generated.thyroid.surface)

    @property
    def key(self) -> tuple:
        """See `keyOf`."""
        return keyOf(self.record)


def keyOf(record: ThyroidRecord) -> tuple:
    """Return what identifies a thyroid, whatever its placement."""
    return record.code, record.overlap_removed, record.edited_by_hand, record.model, record.resolution


class ThyroidGenerator:
    """Generates thyroids, and keeps the decoder of the model and the steering of the shown thyroid."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._trachea = TracheaContact(session)
        self._organs = NeighbouringOrgans(session)
        self._shapes: ModelShapes | None = None
        self._steering: LiveSteering | None = None
        self._steered: tuple[str, tuple[float, ...]] | None = None

    @property
    def resolution(self) -> int:
        """The chosen resolution of surfaces."""
        return int(self._session.parameters.detail.value)

    def forget(self) -> None:
        """Forget the shown thyroid."""
        self._steering = self._steered = None

    def draw(self, targets: dict[str, float], work: Work) -> RecordedThyroid:
        """Draw the thyroid of the random seed for the patient's trachea, and steer it out of the trachea.

        It is also steered to its targets if they are to be matched exactly.
        """
        model, placement = self._prepare(work)
        from ThyroidSynthLib.generation.cohort.thyroid_maker import ThyroidMaker
        from ThyroidSynthLib.generation.shapes import decoded_at
        from ThyroidSynthLib.generation.steer.direct_sampling import check_conditions

        parameters = self._session.parameters
        exact, chosen = bool(parameters.exact and targets), Targets.of(targets)
        check_conditions(model, [chosen])
        work.progress(0.3, _("Drawing a thyroid for the trachea"))
        contact = self._trachea.at(placement, model)
        maker = ThyroidMaker.of(model, seed=parameters.seed, to_target=exact, contact=contact)
        generated = maker.make(0, chosen, should_stop=work.shouldStop)
        work.check()
        if exact:
            # On the grid that is shown; this needs few of its surfaces.
            kept = None if contact is None else contact.kept_by(generated.thyroid.surface, with_overlap=False)
            generated = self._steer(model, generated, targets, work, kept)
        else:
            work.progress(0.5, _("Decoding the surface"))
            thyroid = decoded_at(self._shapesOf(model), generated.thyroid, self.resolution)
            generated = replace(generated, thyroid=thyroid)
        return self._withOrgans(RecordedThyroid.of(generated, placement, targets, model), model, work)

    def drawSimilar(self, seed: int, work: Work) -> RecordedThyroid:
        """Draw a thyroid with the features of the patient's own, and near its shape if that was fitted."""
        model, placement = self._prepare(work)
        from ThyroidSynthLib.generation.steer.direct_sampling import generate
        from ThyroidSynthLib.generation.steer.neighbours import draw_near

        parameters = self._session.parameters
        work.progress(0.25, _("Measuring the patient's thyroid"))
        targets = rounded(features_of_segment(parameters.segmentation, parameters.thyroidSegmentID, placement))
        code = self._fittedCode(model)
        if code is not None:
            start = draw_near(self._shapesOf(model), code, seed=seed, should_stop=work.shouldStop)
        else:
            start = next(generate(model, count=1, seed=seed, targets=Targets.of(targets), should_stop=work.shouldStop))
        contact = self._trachea.at(placement, model)
        if contact is not None:
            # It lies on the trachea as the patient's own does.
            own = surface_of_segment(parameters.segmentation, parameters.thyroidSegmentID)
            contact = contact.kept_by(own.moved(placement.to_trachea(own.vertices)), with_overlap=False)
        drawn = RecordedThyroid.of(self._steer(model, start, targets, work, contact), placement, targets, model)
        return self._withOrgans(drawn, model, work)

    def organs(self, record: ThyroidRecord, surface: Surface) -> dict[str, Surface]:
        """Draw the organs around a thyroid, all in `trachea_mm`; none if they are not chosen or it is of another model.

        The model of the thyroid is the one in memory if it was generated with the chosen one.
        """
        model = self._session.modelInMemory()
        if not self._session.parameters.neighbouringOrgans or model is None or record.model != model.checksum:
            return {}
        return self._organs.around(record, surface, model)

    def steering(self, node, record: ThyroidRecord | None) -> LiveSteering | None:
        """Return the steering of a generated thyroid; None if its model is not the one in memory."""
        model = self._session.modelInMemory()
        if model is None or record is None or record.kind != GENERATED or record.model != model.checksum:
            return None
        from ThyroidSynthLib.generation.steer.live_steering import LiveSteering

        if self._steering is None or self._steered != (node.GetID(), record.code):
            start = self._shapesOf(model).thyroid(np.array(record.code, dtype=np.float32))
            contact = self._trachea.at(record.placement, model)
            self._steering = LiveSteering(self._shapesOf(model), start, contact)
            self._steered = (node.GetID(), record.code)
        return self._steering

    def placementFor(self, record: ThyroidRecord, description: ModelDescription | None) -> Placement:
        """Return the patient's trachea frame; without a trachea, the former placement of a thyroid."""
        parameters = self._session.parameters
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

    def follows(self, node, record: ThyroidRecord) -> None:
        """Note that a thyroid of the scene is now the current one of its steering."""
        self._steered = (node.GetID(), record.code)

    def _prepare(self, work: Work) -> tuple[TrainedModel, Placement]:
        work.progress(0.1, _("Reading the shape model"))
        model = self._session.model()
        work.check()
        parameters = self._session.parameters
        return model, placement_of_patient(
            parameters.segmentation,
            parameters.tracheaSegmentID,
            parameters.thyroidSegmentID,
            model.patient_alignment,
            scan=scan_grid(parameters.segmentation, parameters.ct),
        )

    def _withOrgans(self, thyroid: RecordedThyroid, model: TrainedModel, work: Work) -> RecordedThyroid:
        if not self._session.parameters.neighbouringOrgans or not model.organs:
            return thyroid
        work.progress(0.9, _("Drawing the neighbouring organs"))
        work.check()
        return replace(thyroid, organs=self.organs(thyroid.record, thyroid.surface))

    def _steer(
        self,
        model: TrainedModel,
        start: GeneratedThyroid,
        targets: dict[str, float],
        work: Work,
        contact: Contact | None,
    ) -> GeneratedThyroid:
        from ThyroidSynthLib.generation.steer.steering import steer_to_target

        result = steer_to_target(
            self._shapesOf(model),
            start.thyroid,
            Targets.of(targets),
            contact=contact,
            resolution=self.resolution,
            progress=part_of(work.progress, 0.5, 0.9),
            should_stop=work.shouldStop,
        )
        return result.applied_to(start)

    def _shapesOf(self, model: TrainedModel) -> ModelShapes:
        from ThyroidSynthLib.generation.shapes import ModelShapes

        if self._shapes is None or self._shapes.model is not model:
            self._shapes = ModelShapes(model)
        return self._shapes

    def _fittedCode(self, model: TrainedModel) -> np.ndarray | None:
        """Return the latent code of this model that was fitted to the patient's thyroid; None if there is none."""
        parameters = self._session.parameters
        for node in reversed(generated_thyroids(parameters.segmentation.GetScene())):
            record = read_record(node)
            if record is None or record.kind == GENERATED or record.model != model.checksum:
                continue
            source = node.GetNodeReference(SOURCE_ROLE)
            if source is parameters.segmentation and record.source_segment == parameters.thyroidSegmentID:
                return np.array((record.fitted_code or record.code)[: model.code_size], dtype=np.float32)
        return None
