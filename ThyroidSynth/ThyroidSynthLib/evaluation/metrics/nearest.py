"""The training shape nearest to a thyroid: a generated thyroid should resemble the cohort and copy none of its cases.

The work is done by generators in steps of a few hundredths of a second, so that the panel stays responsive.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile
from zlib import error as ZlibError

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.files import atomic_path
from ThyroidSynthLib.geometry.sampling import sample_surface, signed_distance
from ThyroidSynthLib.geometry.surface import Surface

from .surface_distances import chamfer

if TYPE_CHECKING:
    from ThyroidSynthLib.model.trained_model import TrainedModel

COARSE_RESOLUTION = 32
_FORMAT = 1
# Points sampled on each surface to find candidates among all training shapes, and to measure those.
_SEARCH_POINTS = 300
_MEASURE_POINTS = 600
_CANDIDATES = 4
_SEARCHED_A_STEP = 12


@dataclass(frozen=True)
class Nearest:
    """The case of the nearest training shape, and the ASSD to it."""

    id: str
    distance_mm: float


@dataclass(frozen=True)
class TrainingShapes:
    """The training cases as a model reconstructs them on a coarse grid.

    Attributes
    ----------
    model : str
        Checksum of the model file.
    ids, surfaces : tuple
        The cases whose code has a surface, and their surfaces in `trachea_mm`.
    """

    model: str
    ids: tuple[str, ...]
    surfaces: tuple[Surface, ...]

    def save(self, path: Path) -> None:
        """Write the shapes to a file, without pickled objects."""
        with atomic_path(path) as temporary:
            # Not compressed: that would block the panel for most of a second.
            np.savez(
                temporary,
                format=np.array(_FORMAT),
                model=np.array(self.model),
                ids=np.array(self.ids, dtype=np.str_),
                vertices=np.concatenate([each.vertices for each in self.surfaces]).astype(np.float32),
                faces=np.concatenate([each.faces for each in self.surfaces]).astype(np.int32),
                vertex_counts=np.array([len(each.vertices) for each in self.surfaces]),
                face_counts=np.array([len(each.faces) for each in self.surfaces]),
            )

    @classmethod
    def load(cls, path: Path, model: str) -> TrainingShapes | None:
        """Read the shapes of a model; None if the file is missing, damaged or of another model."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                if int(stored["format"]) != _FORMAT or str(stored["model"]) != model:
                    return None
                vertices = np.split(stored["vertices"], np.cumsum(stored["vertex_counts"])[:-1])
                faces = np.split(stored["faces"], np.cumsum(stored["face_counts"])[:-1])
                ids = tuple(str(each) for each in stored["ids"])
                surfaces = tuple(Surface(v, f) for v, f in zip(vertices, faces, strict=True))
                return cls(model, ids, surfaces) if len(ids) == len(surfaces) else None
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, ZlibError):
            return None

    def points(self, index: int) -> np.ndarray:
        """Return points (k, 3) sampled on a surface; the samples are kept."""
        if index not in self._drawn:
            self._drawn[index] = sample_surface(self.surfaces[index], _SEARCH_POINTS, np.random.default_rng(index))
        return self._drawn[index]

    @cached_property
    def _drawn(self) -> dict[int, np.ndarray]:
        return {}


def decode_training_shapes(model: TrainedModel) -> Generator[float, None, TrainingShapes]:
    """Decode a model's training cases one by one; yield the fraction done and return the shapes."""
    from ThyroidSynthLib.generation.thyroid import reconstruct

    ids: list[str] = []
    surfaces: list[Surface] = []
    for index, case_id in enumerate(model.ids):
        try:
            surfaces.append(reconstruct(model, index, resolution=COARSE_RESOLUTION).surface)
            ids.append(case_id)
        except SynthesisError:
            pass  # A case without a surface is left out.
        yield (index + 1) / len(model.ids)
    return TrainingShapes(model.checksum, tuple(ids), tuple(surfaces))


def find_nearest(surface: Surface, shapes: TrainingShapes) -> Generator[float, None, Nearest | None]:
    """Find the nearest training shape; yield the fraction done and return it, or None if there are no shapes.

    All shapes are ranked by sampled points; the ASSD to the first few is then computed from exact distances. `surface`
    is in `trachea_mm`.
    """
    if not shapes.surfaces:
        return None
    yield 0.0
    own = sample_surface(surface, _SEARCH_POINTS, np.random.default_rng(0))
    rank = np.empty(len(shapes.surfaces))
    for index in range(len(rank)):
        rank[index] = chamfer(own, shapes.points(index))
        if index % _SEARCHED_A_STEP == _SEARCHED_A_STEP - 1:
            yield 0.7 * index / len(rank)
    found: list[Nearest] = []
    candidates = np.argsort(rank, kind="stable")[:_CANDIDATES]
    for index in candidates:
        there = _mean_distance(surface, shapes.surfaces[index])
        yield 0.7 + 0.3 * (len(found) + 0.5) / len(candidates)
        back = _mean_distance(shapes.surfaces[index], surface)
        found.append(Nearest(shapes.ids[index], (there + back) / 2))
        yield 0.7 + 0.3 * len(found) / len(candidates)
    return min(found, key=lambda each: each.distance_mm)


def _mean_distance(start: Surface, end: Surface) -> float:
    drawn = sample_surface(start, _MEASURE_POINTS, np.random.default_rng(0))
    return float(np.abs(signed_distance(end, drawn)).mean())
