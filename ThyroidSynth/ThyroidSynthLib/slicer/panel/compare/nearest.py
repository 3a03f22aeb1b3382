"""The nearest training shape of each thyroid of the scene, computed while the application is idle."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import slicer

from ThyroidSynthLib.common.errors import ThyroidSynthError
from ThyroidSynthLib.common.files import sha256_of
from ThyroidSynthLib.evaluation.metrics.nearest import Nearest, TrainingShapes, decode_training_shapes, find_nearest
from ThyroidSynthLib.slicer.panel.shared.idle import IdleWork
from ThyroidSynthLib.slicer.scene.thyroids.collection import surface_in_trachea_frame
from ThyroidSynthLib.slicer.scene.thyroids.records import ATTRIBUTE, PRESENT, read_record

if TYPE_CHECKING:
    from ThyroidSynthLib.model.description import ModelDescription
    from ThyroidSynthLib.slicer.panel.shared.session import Session

logger = logging.getLogger(__name__)


class NearestShapes:
    """Finds nearest training shapes, one thyroid at a time, and calls `onFound` after each search.

    The training shapes of a model are decoded once and kept in Slicer's cache folder. Nothing is installed or
    loaded for this: without a cache they are decoded when the model has been loaded for another purpose.
    """

    def __init__(self, session: Session, onFound: Callable[[], None]) -> None:
        self._session = session
        self._onFound = onFound
        self._work = IdleWork()
        self._shapes: dict[str, TrainingShapes] = {}
        self._nearest: dict[str, Nearest | None] = {}
        self._chosen = ""
        self._nodes: list = []

    def describe(self, description: ModelDescription | None) -> None:
        """Follow the chosen shape model."""
        try:
            self._chosen = sha256_of(description.path) if description is not None else ""
        except OSError:
            self._chosen = ""

    def of(self, node) -> Nearest | None:
        """Return the nearest training shape of a thyroid; None if it is not known (yet)."""
        return self._nearest.get(_keyOf(node))

    def isFromOtherModel(self, node) -> bool:
        """Check whether a thyroid comes from another model than the chosen one, so that no search is possible."""
        record = read_record(node)
        return record is not None and record.model != self._chosen and record.model not in self._shapes

    def follow(self, nodes: Sequence) -> None:
        """Search for these thyroids, in the given order."""
        self._nodes = list(nodes)
        if not self._work.running:
            self._next()

    def stop(self) -> None:
        """Stop searching; results so far are kept."""
        self._nodes = []
        self._work.stop()

    def _next(self) -> None:
        """Search for the first thyroid that has no result yet and can be searched for."""
        for node in self._nodes:
            record_text = _keyOf(node)
            if node.GetScene() is None or record_text in self._nearest:
                continue
            record = read_record(node)
            if record is None:
                continue
            shapes = self._shapesOf(record.model)
            if shapes is not None:
                self._search(node, record_text, shapes)
                return
            model = self._session.modelInMemory() if self._session.hasParameters else None
            if model is not None and model.checksum == record.model:
                self._work.start(decode_training_shapes(model), self._onDecoded)
                return

    def _search(self, node, record_text: str, shapes: TrainingShapes) -> None:
        try:
            surface = surface_in_trachea_frame(node)
        except ThyroidSynthError as error:
            logger.info("No nearest training shape of '%s': %s", node.GetName(), error)
            surface = None
        if surface is None:
            self._onResult(record_text, None)
        else:
            self._work.start(find_nearest(surface, shapes), lambda found: self._onResult(record_text, found))

    def _onResult(self, record_text: str, found: Nearest | None) -> None:
        self._nearest[record_text] = found
        self._onFound()
        if not self._work.running:
            self._next()

    def _onDecoded(self, shapes: TrainingShapes) -> None:
        self._shapes[shapes.model] = shapes
        try:
            if shapes.surfaces:
                shapes.save(_cacheFile(shapes.model))
        except ThyroidSynthError as error:
            logger.info("The training shapes cannot be cached: %s", error)
        self._next()

    def _shapesOf(self, checksum: str) -> TrainingShapes | None:
        if checksum not in self._shapes:
            stored = TrainingShapes.load(_cacheFile(checksum), checksum) if checksum.isalnum() else None
            if stored is None:
                return None
            self._shapes[checksum] = stored
        return self._shapes[checksum]


def _keyOf(node) -> str:
    """Return what identifies the present shape of a thyroid: its record, and what was measured after it was edited."""
    return (node.GetAttribute(ATTRIBUTE) or "") + (node.GetAttribute(PRESENT) or "")


def _cacheFile(checksum: str) -> Path:
    return Path(slicer.app.cachePath) / "ThyroidSynth" / f"training-shapes-{checksum}.npz"
