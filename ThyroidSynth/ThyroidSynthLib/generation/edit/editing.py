"""Edits of a patient's own thyroid that keep what is the patient's: residual editing.

A model never reproduces a gland exactly. So the patient's own field is edited, by what the model says
changes between the code fitted to the gland and another one::

    edited(x) = patient(x) + f(x, z) − f(x, z_fitted)

At the fitted code that is the patient's gland, voxel for voxel; near it, the gland with all its details,
moved. What the fit missed stays, rather than being lost at the first touch of a slider.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.common.errors import InputError, SynthesisError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, never, part_of, silent
from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION, touches_side
from ThyroidSynthLib.generation.decode.field import Field
from ThyroidSynthLib.generation.decode.sensitivity import Sensitivity, feature_sensitivity
from ThyroidSynthLib.generation.decode.sparse_grid import evaluate_near_surface, interpolated
from ThyroidSynthLib.generation.fit.fitting import Fit, fit_mask
from ThyroidSynthLib.generation.thyroid import Thyroid, Validity
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.isosurface import sdf_without_islands, surface_from_sdf_volume
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.model.code_space import CodeSpace
from ThyroidSynthLib.model.shape_model import ShapeModel

from .gland_field import STRIDE, GlandField

# Between coarse points the change of the field is interpolated; it strays by less than this many voxels
# wherever it was looked at, and where it does not, more points are evaluated.
_EXPECTED_ERROR = 0.3
# An edit is looked for within this many coarse points of the gland, and all over the grid where the gland
# grows so far that a point at that distance loses more than this share of it.
_NEAR = 2
_MOST_LOST = 0.5
# Components that an edit creates are islands below this share of the gland.
_SMALLEST_PIECE = 0.02


@dataclass(frozen=True)
class PatientFit:
    """A patient's thyroid, ready to be edited.

    Attributes
    ----------
    shapes : PatientShapes
        The gland and its edits.
    original : Thyroid
        The patient's own gland: its code is the fitted one, its surface that of the segmentation.
    fit : Fit
        How well the model alone reproduces it.
    placement : Placement
        The trachea frame of both. That of a gland which the scan's border cuts was raised by the fit.
    """

    shapes: PatientShapes
    original: Thyroid
    fit: Fit
    placement: Placement

    @property
    def model_alone(self) -> Thyroid:
        """What the model makes of the fitted code."""
        return self.fit.thyroid


def fit_patient(
    model: ShapeModel,
    mask: Volume,
    placement: Placement,
    *,
    cleaned: Volume | None = None,
    scan: Grid | None = None,
    seed: int = 0,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> PatientFit:
    """Fit a model to a patient's thyroid and make it editable.

    Parameters
    ----------
    mask : Volume
        Non-zero voxels are the gland, in `ras_mm`.
    placement : Placement
        The patient's trachea frame, in the model's alignment.
    cleaned : Volume, optional
        The mask without holes, which the fit goes by; the edits keep them.
    scan : Grid, optional
        Where the scan ends; see `fit_mask`.
    seed : int
        Seed of the points at which model and gland are compared.

    Raises
    ------
    InputError
        The mask is empty.
    Cancelled
        `should_stop` returned true.
    """
    _check_filled(mask)
    progress(0.0, "Finding the gland's surface")
    space = CodeSpace.of(model)
    fit = fit_mask(
        model,
        mask if cleaned is None else cleaned,
        placement,
        scan=scan,
        space=space,
        seed=seed,
        progress=part_of(progress, 0.1, 0.8),
        should_stop=should_stop,
    )
    progress(0.8, "Preparing the edits")
    placement = placement.raised(fit.shift_mm)
    shapes = PatientShapes(model, GlandField.of_mask(mask, placement), fit.thyroid.code, space)
    return PatientFit(shapes, shapes.thyroid(shapes.fitted_code), fit, placement)


class PatientShapes:
    """A patient's gland and its edits, chosen by a latent code: a family of `Shapes`.

    Parameters
    ----------
    model : ShapeModel
    gland : GlandField
    fitted_code : ndarray, shape (code_size,)
        The code that stands for the gland as it is.
    space : CodeSpace, optional
        The training codes' distribution, if it is known already.

    Attributes
    ----------
    model : ShapeModel
    space : CodeSpace
    fitted_code : ndarray, shape (code_size,)
    """

    def __init__(
        self, model: ShapeModel, gland: GlandField, fitted_code: np.ndarray, space: CodeSpace | None = None
    ) -> None:
        self.model = model
        self.space = space or CodeSpace.of(model)
        self.fitted_code = np.asarray(fitted_code, dtype=np.float32)
        self._gland = gland
        self._unchanged = gland.values
        self._per_unit = gland.voxels_per_unit(model.frame.scale_mm)
        self._fitted = Field(model, self.fitted_code)
        self._near = gland.distance[::STRIDE, ::STRIDE, ::STRIDE] < _NEAR * STRIDE
        # The model's field at the fitted code, found where it was needed.
        self._known = np.full(gland.distance.shape, np.nan, dtype=np.float32)
        self._last: tuple[np.ndarray, np.ndarray] = (self.fitted_code, self._unchanged)

    @classmethod
    def of_patient(
        cls, model: ShapeModel, mask: Volume, placement: Placement, fitted_code: np.ndarray
    ) -> PatientShapes:
        """Make a gland editable whose code was fitted before.

        Raises
        ------
        InputError
            The mask is empty.
        """
        _check_filled(mask)
        return cls(model, GlandField.of_mask(mask, placement), fitted_code)

    def thyroid(self, code: np.ndarray, *, resolution: int = DEFAULT_RESOLUTION) -> Thyroid:
        """Give the edited gland of a code (code_size,), on the grid of the patient's segmentation.

        `resolution` is not used: the grid is the patient's.

        Raises
        ------
        SynthesisError
            Nothing is left of the gland.
        """
        values = self.field(code)
        surface = _surface(self._gland, values)
        return Thyroid(
            code=np.asarray(code, dtype=np.float32),
            surface=surface,
            measured=measure_features(surface),
            validity=Validity.of(surface, touches_box=touches_side(values)),
        )

    def sensitivity(self, thyroid: Thyroid) -> Sensitivity:
        """See `Shapes.sensitivity`."""
        sdf = _EditedSdf(self, thyroid.code)
        return feature_sensitivity(sdf, thyroid.surface, thyroid.measured)

    def in_small_steps(self) -> PatientShapes:
        """See `Shapes.in_small_steps`: each is made from the unchanged gland anyway."""
        return self

    def label_map(self, code: np.ndarray, mask: Volume) -> Volume:
        """Fill the edited gland of a code on the grid of the mask that the gland came from.

        The fitted code gives exactly the voxels of the mask; what an edit moves out of the scan is cut.
        """
        inside = self.field(code) < 0
        array = np.zeros(mask.array.shape, dtype=np.uint8)
        first, size = self._gland.first, np.array(inside.shape)
        low, high = np.maximum(first, 0), np.minimum(first + size, array.shape)
        there = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        here = tuple(slice(a, b) for a, b in zip(low - first, high - first, strict=True))
        array[there] = inside[here]
        return Volume(array, mask.ijk_to_ras)

    def field(self, code: np.ndarray) -> np.ndarray:
        """Give the field of a code on the gland's grid, in voxels: exact next to its surface."""
        code = np.asarray(code, dtype=np.float32)
        if np.array_equal(code, self.fitted_code):
            return self._unchanged
        if not np.array_equal(code, self._last[0]):
            self._last = (code, self._edited(code))
        return self._last[1]

    def _edited(self, code: np.ndarray) -> np.ndarray:
        field = Field(self.model, code)
        shape = self._gland.distance.shape
        change, stride = self._coarse_change(field), STRIDE
        while stride > 1:
            change, stride = interpolated(change), stride // 2
        values = self._gland.changed(self._per_unit * change)
        known = np.zeros(shape, dtype=bool)
        known[::STRIDE, ::STRIDE, ::STRIDE] = self._near

        def exact(index: np.ndarray) -> np.ndarray:
            place = tuple(index.T)
            return self._gland.changed(self._per_unit[place] * self._change(field, index), place)

        evaluate_near_surface(exact, values, known, np.full(shape, _EXPECTED_ERROR, dtype=np.float32))
        # A network's field is slightly rough, and so is the difference of two.
        smallest = _SMALLEST_PIECE * np.count_nonzero(self._unchanged < 0)
        return sdf_without_islands(values, smallest, original=self._unchanged)

    def _coarse_change(self, field: Field) -> np.ndarray:
        """Give the change on every `STRIDE`th point of the grid; far from the gland, where none is, 0."""
        distance, per_unit = (grid[::STRIDE, ::STRIDE, ::STRIDE] for grid in (self._gland.distance, self._per_unit))
        change = np.zeros_like(distance)
        change[self._near] = self._change(field, STRIDE * np.argwhere(self._near))
        rim = self._near & (distance > (_NEAR - 1) * STRIDE)
        if (-per_unit[rim] * change[rim] > _MOST_LOST * distance[rim]).any():
            change[~self._near] = self._change(field, STRIDE * np.argwhere(~self._near))
        return change

    def _change(self, field: Field, index: np.ndarray) -> np.ndarray:
        """Give f(x, z) − f(x, z_fitted) at grid points (n, 3), shape (n,)."""
        place = tuple(index.T)
        points = self.model.frame.to_unit(self._gland.to_trachea(index))
        before = self._known[place]
        new = np.isnan(before)
        if new.any():
            before[new] = self._fitted(points[new])
            self._known[place] = before
        return field(points) - before


class _EditedSdf:
    """The field of one edit, over `trachea_mm`."""

    def __init__(self, shapes: PatientShapes, code: np.ndarray) -> None:
        self._shapes = shapes
        self._gland = shapes._gland
        self._values = shapes.field(code)
        self._field = Field(shapes.model, code)
        self.slope = float(abs(np.linalg.det(self._gland.matrix)) ** (-1 / 3))

    def values(self, points_mm: np.ndarray) -> np.ndarray:
        return _sampled(self._values, self._gland.to_index(points_mm))

    def derivatives(self, points_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        index = self._gland.to_index(points_mm)
        halves = 0.5 * np.eye(3)
        gradient = np.stack(
            [_sampled(self._values, index + half) - _sampled(self._values, index - half) for half in halves], axis=1
        )
        _, _, code = self._field.derivatives(self._shapes.model.frame.to_unit(points_mm))
        per_unit = _sampled(self._shapes._per_unit, index)
        return (
            _sampled(self._values, index),
            gradient @ np.linalg.inv(self._gland.matrix),
            per_unit[:, None] * code,
        )


def _check_filled(mask: Volume) -> None:
    if not mask.array.any():
        raise InputError("The thyroid's segment is empty. Choose the segment of a thyroid, or segment it first.")


def _sampled(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Interpolate a grid at indices (n, 3); beyond its sides the nearest value counts."""
    from scipy.ndimage import map_coordinates

    return map_coordinates(values, index.T, order=1, mode="nearest")


def _surface(gland: GlandField, values: np.ndarray) -> Surface:
    """Give the zero level of a field on a gland's grid, in `trachea_mm`."""
    grid = gland.grid
    if touches_side(values):
        values = np.pad(values, 1, constant_values=1.0)
        grid = grid.part([-1, -1, -1], values.shape)
    if not ((values < 0).any() and (values > 0).any()):
        raise SynthesisError("Nothing is left of the gland. Ask for less.")
    return surface_from_sdf_volume(Volume(values, grid.ijk_to_ras))
