"""Draw the organs that belong to a thyroid, one after the other, and keep them apart."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.overlap import overlap_ml, without_overlap
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.label_maps import LabelMap
from ThyroidSynthLib.imaging.labels import THYROID
from ThyroidSynthLib.model.joint.joint_prior import THYROID_CODE, JointPrior
from ThyroidSynthLib.model.trained_model import TrainedModel

from .clearance import cleared, points_of
from .organ import Organ, measured, organ_of_code

_ATTEMPTS = 5
# Random numbers of the organs of a thyroid do not depend on those of the thyroid.
_STREAM = 4


@dataclass(frozen=True)
class SeparatedOrgan:
    """An organ that overlaps with no other, and the volume in mL that was cut off it for that."""

    organ: Organ
    overlap_ml: float


class OrganMaker:
    """Draws organs for thyroids of a model; `ModelError` if the model has the thyroid only."""

    def __init__(self, model: TrainedModel) -> None:
        self._model, self._joint = model, JointPrior(model)
        # Fitted once: processes that fit it for themselves may differ in the last digits.
        known: tuple[str, ...] = (THYROID_CODE,)
        for name in model.organs:
            self._joint.dependence(name, known)
            known = (*known, name)

    def draw(self, code: np.ndarray, thyroid: Surface, *, seed: int, index: int) -> dict[str, SeparatedOrgan]:
        """Draw the organs that belong to a thyroid, given its whole code (code_size,) and its surface.

        Each is drawn given the thyroid and the organs before it, and its code is then moved until it keeps clear of
        them as far as is likely. What still overlaps is cut off, so that the thyroid stays as it is.

        Parameters
        ----------
        thyroid : Surface
            Closed, in `trachea_mm`.
        seed, index : int
            Random seed, and number of the thyroid, which together reproduce the organs.

        Raises
        ------
        SynthesisError
            None of some draws of an organ had a surface.
        """
        rng = np.random.default_rng(np.random.SeedSequence([seed, index, _STREAM]))
        codes: dict[str, np.ndarray] = {THYROID_CODE: np.asarray(code, dtype=np.float64)}
        points, found = points_of(thyroid), dict[str, Organ]()
        for name in self._model.organs:
            organ = self._drawn(name, codes, points, rng)
            codes[name], found[name] = organ.code.astype(np.float64), organ
            points = np.concatenate([points, points_of(organ.surface)])
        return self.separated(thyroid, found)

    def separated(self, thyroid: Surface, organs: Mapping[str, Organ]) -> dict[str, SeparatedOrgan]:
        """Return organs without what they share with the thyroid or one before them, measured again.

        An organ of which nothing is left is left out.
        """
        before, found = [thyroid], dict[str, SeparatedOrgan]()
        for name, organ in organs.items():
            surface, shared = organ.surface, 0.0
            try:
                for other in before:
                    volume = overlap_ml(surface, other)
                    if volume > 0:
                        shared, surface = shared + volume, without_overlap(surface, other)
            except SynthesisError:
                continue
            if surface is not organ.surface:
                organ = replace(organ, surface=surface, features=measured(self._model.organs[name], surface))
            found[name] = SeparatedOrgan(organ, shared)
            before.append(surface)
        return found

    def of_codes(self, codes: Mapping[str, np.ndarray]) -> dict[str, Organ]:
        """Decode the codes of organs, without that of the thyroid."""
        return {
            name: organ_of_code(self._model.organs[name], code) for name, code in codes.items() if name != THYROID_CODE
        }

    def _drawn(self, name: str, codes: Mapping[str, np.ndarray], points: np.ndarray, rng: np.random.Generator) -> Organ:
        organ = self._model.organs[name]
        for _ in range(_ATTEMPTS):
            code = self._joint.draw(name, codes, rng)
            # Where there is no room for the organ, what keeps clear may be nothing; then it is cut.
            for each in (cleared(organ, code, points), code):
                with suppress(SynthesisError):
                    return organ_of_code(organ, each)
        raise SynthesisError(
            f"None of {_ATTEMPTS} draws of the organ '{name}' has a surface. Train the model for longer, or prepare "
            "its cohort with more cases that have this organ."
        )


def whole_label_map(surfaces: Mapping[str, Surface], grid: Grid) -> LabelMap:
    """Return one label map of closed surfaces that do not overlap: labels from 1 on, in their order, with their names.

    A voxel whose centre lies in several, by rounding, belongs to the first.
    """
    array = np.zeros(grid.shape, dtype=np.uint8)
    for label, surface in enumerate(surfaces.values(), start=1):
        filled = voxelise(surface, grid).array
        array[(filled != 0) & (array == 0)] = label
    return LabelMap(Volume(array, grid.ijk_to_ras), dict(enumerate(surfaces, start=1)))


def named_surfaces(thyroid: Surface, organs: Mapping[str, SeparatedOrgan]) -> dict[str, Surface]:
    """Return the surfaces of a thyroid and its organs by name, the thyroid first."""
    return {THYROID.name: thyroid, **{name: each.organ.surface for name, each in organs.items()}}
