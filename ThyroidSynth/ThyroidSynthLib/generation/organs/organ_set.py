"""Draw the organs that belong to a thyroid, one after the other, and keep them apart."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.overlap import overlap_ml, without_overlap
from ThyroidSynthLib.geometry.resampling import write_label
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.label_maps import LabelMap
from ThyroidSynthLib.imaging.labels import THYROID
from ThyroidSynthLib.model.joint.joint_prior import THYROID_CODE, JointPrior
from ThyroidSynthLib.model.trained_model import OrganModel, TrainedModel

from .clearance import cleared, points_of
from .organ import Organ, measured, organ_of_code
from .own_organs import OwnOrgan

T = TypeVar("T")

_ATTEMPTS = 5
# SDs by which a cross-section may lie beyond those of the training cases before it is drawn again.
_BEYOND_SD = 0.25
# Random numbers of the organs of a thyroid do not depend on those of the thyroid.
_STREAM = 4


@dataclass(frozen=True)
class SeparatedOrgan:
    """An organ that overlaps with no other, and the volume in mL that was cut off it for that."""

    organ: Organ
    overlap_ml: float


class OrganMaker:
    """Draws organs for thyroids of a model; `ModelError` if the model has the thyroid only.

    Parameters
    ----------
    own : mapping of str to OwnOrgan
        Organs and other structures of the patient at whom the thyroids lie. They are not drawn, the others are drawn
        given their codes and keep clear of them.

    Attributes
    ----------
    own : dict of str to OwnOrgan
    box_mm : ndarray, shape (2, 3)
        Corners of the box in `trachea_mm` in which organs are drawn.
    """

    def __init__(self, model: TrainedModel, own: Mapping[str, OwnOrgan] | None = None) -> None:
        self._model, self._joint, self.own = model, JointPrior(model), dict(own or {})
        self._drawn_names = [name for name in model.organs if name not in self.own]
        self._own_codes = {
            name: each.fit.code.astype(np.float64) for name, each in self.own.items() if each.fit is not None
        }
        self._own_near = [each.near for each in self.own.values() if each.near is not None]
        # All organs of a model have the same box.
        box = next(iter(model.organs.values())).frame
        self.box_mm = np.array([box.lower_mm, box.upper_mm])
        self._own_points = [points_of(surface, box) for surface in self._own_near]
        # Fitted once: processes that fit it for themselves may differ in the last digits.
        known: tuple[str, ...] = (THYROID_CODE, *self._own_codes)
        for name in self._drawn_names:
            self._joint.dependence(name, known)
            known = (*known, name)

    def in_order(self, by_name: Mapping[str, T]) -> dict[str, T]:
        """Return what belongs to the thyroid and to organs in the order of the labels: organs as in the model."""
        order = {name: number for number, name in enumerate([THYROID.name, *self._model.organs])}
        return {name: by_name[name] for name in sorted(by_name, key=lambda each: order.get(each, len(order)))}

    def draw(self, code: np.ndarray, thyroid: Surface, *, seed: int, index: int) -> dict[str, SeparatedOrgan]:
        """Draw the organs that belong to a thyroid, given its whole code (code_size,) and its surface.

        Each is drawn given the thyroid, the patient's own organs and the organs before it, and its code is then moved
        until it keeps clear of them as far as is likely. What still overlaps is cut off, so that the thyroid stays as
        it is.

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
        codes = {THYROID_CODE: np.asarray(code, dtype=np.float64), **self._own_codes}
        points, found = np.concatenate([points_of(thyroid), *self._own_points]), dict[str, Organ]()
        for name in self._drawn_names:
            organ = self._drawn(name, codes, points, rng)
            codes[name], found[name] = organ.code.astype(np.float64), organ
            points = np.concatenate([points, points_of(organ.surface)])
        return self.separated(thyroid, found)

    def separated(self, thyroid: Surface, organs: Mapping[str, Organ]) -> dict[str, SeparatedOrgan]:
        """Return organs without what they share with the thyroid, the patient's own or one before them, measured again.

        An organ of which nothing is left is left out.
        """
        before, found = [thyroid, *self._own_near], dict[str, SeparatedOrgan]()
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
        organ, found = self._model.organs[name], None
        for _ in range(_ATTEMPTS):
            code = self._joint.draw(name, codes, rng)
            # Where there is no room for the organ, what keeps clear may be nothing; then it is cut.
            for each in (cleared(organ, code, points), code):
                with suppress(SynthesisError):
                    found = organ_of_code(organ, each)
                    break
            if found is not None and _is_as_wide_as_in_training(organ, code):
                break
        if found is not None:
            return found
        raise SynthesisError(
            f"None of {_ATTEMPTS} draws of the organ '{name}' has a surface. Train the model for longer, or prepare "
            "its cohort with more cases that have this organ."
        )


def _is_as_wide_as_in_training(organ: OrganModel, code: np.ndarray) -> bool:
    """Check the cross-section in a code: a normal distribution has tails with vessels that are all but closed."""
    column = organ.feature_names.index("cross_section_mm2")
    learned = organ.codes[:, column]
    return bool(learned.min() - _BEYOND_SD <= code[column] <= learned.max() + _BEYOND_SD)


def whole_label_map(structures: Mapping[str, Surface | Volume], grid: Grid) -> LabelMap:
    """Return one label map of structures: labels from 1 on, in their order, with their names.

    Parameters
    ----------
    structures : mapping of str to Surface or Volume
        Closed surfaces, and masks of a patient's own organs, which are written as they are: a voxel of a mask does not
        belong to a surface. A voxel in several structures of the same kind belongs to the first.
    """
    array = np.zeros(grid.shape, dtype=np.uint8)
    labels = {name: label for label, name in enumerate(structures, start=1)}
    for name, each in structures.items():
        if isinstance(each, Surface):
            array[(voxelise(each, grid).array != 0) & (array == 0)] = labels[name]
    for name, each in reversed(list(structures.items())):
        if isinstance(each, Volume):
            write_label(array, grid, each, labels[name])
    return LabelMap(Volume(array, grid.ijk_to_ras), {label: name for name, label in labels.items()})


def named_surfaces(thyroid: Surface, organs: Mapping[str, SeparatedOrgan]) -> dict[str, Surface]:
    """Return the surfaces of a thyroid and its organs by name, the thyroid first."""
    return {THYROID.name: thyroid, **{name: each.organ.surface for name, each in organs.items()}}
