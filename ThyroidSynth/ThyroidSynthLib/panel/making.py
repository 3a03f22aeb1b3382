"""Making thyroids with the chosen model: drawn anew, like the patient's own, or steered from the shown one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from slicer.i18n import tr as _

from ..progress import part_of
from ..scene.records import GENERATED, SOURCE_ROLE, ThyroidRecord, read_record
from ..scene.segmentations import generated_thyroids
from ..scene.volumes import features_of_segment, placement_of_patient
from .wishes import rounded

if TYPE_CHECKING:
    from ..anatomy.frame import Placement
    from ..learning.model import ShapeModel
    from ..synthesis.live import LiveSteering
    from ..synthesis.shapes import ModelShapes
    from ..synthesis.thyroid import Thyroid
    from .session import Session, Work


@dataclass(frozen=True)
class Made:
    """A thyroid that was made.

    Attributes
    ----------
    thyroid : Thyroid
        In `trachea_mm`.
    placement : Placement
        At the patient's trachea.
    asked : dict of str to float
        The wishes it was made with.
    model : str
        Checksum of the model file.
    """

    thyroid: Thyroid
    placement: Placement
    asked: dict[str, float]
    model: str


class Maker:
    """Holds what is needed again and again: the model's shapes, and the steering of the shown thyroid.

    Parameters
    ----------
    session : Session
        Gives the parameters and the model.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._shapes: ModelShapes | None = None
        self._steering: LiveSteering | None = None
        self._steered: tuple | None = None

    @property
    def resolution(self) -> int:
        """Grid of surfaces that are made to stay."""
        return self._session.parameters.detail.value

    def forget(self) -> None:
        """Let go of the shown thyroid."""
        self._steering = self._steered = None

    def draw(self, asked: dict[str, float], work: Work) -> Made:
        """Draw the thyroid of the chosen seed, and steer it to the wishes if they are to be met exactly.

        Raises
        ------
        ThyroidSynthError
            There is no model or no trachea, or a wish cannot be met.
        """
        model, placement = self._prepare(work)
        # These need PyTorch, which `_prepare` has installed where it was missing.
        from ..synthesis.shapes import decoded_at
        from ..synthesis.steering import generate

        thyroid = next(
            generate(
                model,
                count=1,
                seed=self._session.parameters.seed,
                asked=asked,
                progress=part_of(work.progress, 0.3, 0.5),
                stop_requested=work.stopRequested,
            )
        )
        if self._session.parameters.exact and asked:
            thyroid = self._steer(model, thyroid, asked, work)
        else:
            work.progress(0.5, _("Making the surface"))
            thyroid = decoded_at(self._shapesOf(model), thyroid, self.resolution)
        return Made(thyroid, placement, asked, model.checksum)

    def drawSimilar(self, seed: int, work: Work) -> Made:
        """Draw a thyroid that measures what the patient's own does; near its shape, if that was fitted.

        Raises
        ------
        ThyroidSynthError
            There is no model, no trachea or no thyroid.
        """
        model, placement = self._prepare(work)
        # These need PyTorch, which `_prepare` has installed where it was missing.
        from ..synthesis.neighbours import draw_near
        from ..synthesis.steering import generate

        parameters = self._session.parameters
        work.progress(0.25, _("Measuring the patient's thyroid"))
        asked = rounded(features_of_segment(parameters.segmentation, parameters.thyroidSegmentID, placement))
        code = self._fittedCode(model)
        if code is not None:
            start = draw_near(self._shapesOf(model), code, seed=seed, stop_requested=work.stopRequested)
        else:
            start = next(generate(model, count=1, seed=seed, asked=asked, stop_requested=work.stopRequested))
        return Made(self._steer(model, start, asked, work), placement, asked, model.checksum)

    def steering(self, node) -> LiveSteering | None:
        """Give the steering of a thyroid of the scene, once its model has been read; None if it has another's."""
        model, record = self._session.modelInMemory(), read_record(node)
        if model is None or record is None or record.kind != GENERATED or record.model != model.checksum:
            return None
        # It needs PyTorch, which is there once a model has been read.
        from ..synthesis.live import LiveSteering

        if self._steering is None or self._steered != (node.GetID(), record.code):
            start = self._shapesOf(model).thyroid(np.array(record.code, dtype=np.float32), seed=record.seed)
            self._steering = LiveSteering(self._shapesOf(model), start)
            self._steered = (node.GetID(), record.code)
        return self._steering

    def follows(self, node, record: ThyroidRecord) -> None:
        """Note that a thyroid of the scene now is what its steering gave last."""
        self._steered = (node.GetID(), record.code)

    def _prepare(self, work: Work) -> tuple[ShapeModel, Placement]:
        self._session.ensureRequirements()
        work.progress(0.1, _("Reading the shape model"))
        model = self._session.model()
        work.check()
        parameters = self._session.parameters
        return model, placement_of_patient(
            parameters.segmentation, parameters.tracheaSegmentID, parameters.thyroidSegmentID, model.frame.alignment
        )

    def _steer(self, model: ShapeModel, start: Thyroid, asked: dict[str, float], work: Work) -> Thyroid:
        from ..synthesis.targeting import steer_to_target

        return steer_to_target(
            self._shapesOf(model),
            start,
            asked,
            resolution=self.resolution,
            progress=part_of(work.progress, 0.5, 0.9),
            stop_requested=work.stopRequested,
        ).thyroid

    def _shapesOf(self, model: ShapeModel) -> ModelShapes:
        from ..synthesis.shapes import ModelShapes

        if self._shapes is None or self._shapes.model is not model:
            self._shapes = ModelShapes(model)
        return self._shapes

    def _fittedCode(self, model: ShapeModel) -> np.ndarray | None:
        """Give the code of this model that was fitted to the patient's thyroid, if one was."""
        parameters = self._session.parameters
        for node in reversed(generated_thyroids(parameters.segmentation.GetScene())):
            record = read_record(node)
            if record is None or record.kind == GENERATED or record.model != model.checksum:
                continue
            source = node.GetNodeReference(SOURCE_ROLE)
            if source is parameters.segmentation and record.source_segment == parameters.thyroidSegmentID:
                return np.array(record.fitted_code or record.code, dtype=np.float32)
        return None
