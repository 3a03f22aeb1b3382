"""Which training shape is nearest to each thyroid of the scene, found in the background of the panel."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import slicer

from ThyroidSynthLib.common.errors import ThyroidSynthError
from ThyroidSynthLib.common.files import sha256_of
from ThyroidSynthLib.evaluation.metrics.nearest import Nearest, TrainingShapes, decode_training_shapes, find_nearest
from ThyroidSynthLib.slicer.panel.shared.idle import IdleWork
from ThyroidSynthLib.slicer.scene.thyroids.collection import surface_in_trachea_frame
from ThyroidSynthLib.slicer.scene.thyroids.records import ATTRIBUTE, read_record

if TYPE_CHECKING:
    from ThyroidSynthLib.model.description import ModelDescription
    from ThyroidSynthLib.slicer.panel.shared.session import Session

logger = logging.getLogger(__name__)


class NearestShapes:
    """Finds the nearest training shapes one by one, while nothing else is to be done.

    A model's training shapes are decoded once and kept in Slicer's cache folder. Nothing is installed or
    loaded for it: without a cache they are decoded as soon as the model is in memory for another reason.

    Parameters
    ----------
    session : Session
        Gives the model.
    onFound : callable
        Called when another answer is known.
    """

    def __init__(self, session: Session, onFound: Callable[[], None]) -> None:
        self._session = session
        self._onFound = onFound
        self._work = IdleWork()
        self._shapes: dict[str, TrainingShapes] = {}
        self._answers: dict[str, Nearest | None] = {}
        self._chosen = ""
        self._nodes: list = []

    def describe(self, description: ModelDescription | None) -> None:
        """Follow the chosen model."""
        try:
            self._chosen = sha256_of(description.path) if description is not None else ""
        except OSError:
            self._chosen = ""

    def answer(self, node) -> Nearest | None:
        """Give what is known of a thyroid; None where nothing is, or not yet."""
        return self._answers.get(node.GetAttribute(ATTRIBUTE) or "")

    def isOtherModels(self, node) -> bool:
        """Say whether a thyroid comes from another model than the chosen one, so that no answer will come."""
        record = read_record(node)
        return record is not None and record.model != self._chosen and record.model not in self._shapes

    def follow(self, nodes: Sequence) -> None:
        """Find the answers for these thyroids."""
        self._nodes = list(nodes)
        if not self._work.running:
            self._next()

    def stop(self) -> None:
        """Drop the work; what is known stays."""
        self._nodes = []
        self._work.stop()

    def _next(self) -> None:
        """Begin with the first thyroid whose answer is not known and can be found."""
        for node in self._nodes:
            about = node.GetAttribute(ATTRIBUTE) or ""
            if node.GetScene() is None or about in self._answers:
                continue
            record = read_record(node)
            if record is None:
                continue
            shapes = self._shapesOf(record.model)
            if shapes is not None:
                self._search(node, about, shapes)
                return
            model = self._session.modelInMemory() if self._session.hasParameters else None
            if model is not None and model.checksum == record.model and "torch" in sys.modules:
                self._work.start(decode_training_shapes(model), self._onDecoded)
                return

    def _search(self, node, about: str, shapes: TrainingShapes) -> None:
        try:
            surface = surface_in_trachea_frame(node)
        except ThyroidSynthError as error:
            logger.info("No nearest training shape of '%s': %s", node.GetName(), error)
            surface = None
        if surface is None:
            self._onAnswer(about, None)
        else:
            self._work.start(find_nearest(surface, shapes), lambda found: self._onAnswer(about, found))

    def _onAnswer(self, about: str, found: Nearest | None) -> None:
        self._answers[about] = found
        self._onFound()
        if not self._work.running:
            self._next()

    def _onDecoded(self, shapes: TrainingShapes) -> None:
        self._shapes[shapes.model] = shapes
        try:
            if shapes.surfaces:
                shapes.save(_cacheFile(shapes.model))
        except OSError as error:
            logger.info("The training shapes are not kept for the next time: %s", error)
        self._next()

    def _shapesOf(self, checksum: str) -> TrainingShapes | None:
        if checksum not in self._shapes:
            stored = TrainingShapes.load(_cacheFile(checksum), checksum) if checksum.isalnum() else None
            if stored is None:
                return None
            self._shapes[checksum] = stored
        return self._shapes[checksum]


def _cacheFile(checksum: str) -> Path:
    return Path(slicer.app.cachePath) / "ThyroidSynth" / f"training-shapes-{checksum}.npz"
