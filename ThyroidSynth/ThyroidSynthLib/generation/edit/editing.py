"""Edit a patient's own thyroid and keep its individual details (residual editing).

A model never reproduces a gland exactly. Therefore the difference of the model's SDF between the fitted code and
another one is added to the SDF of the patient's gland::

    edited(x) = patient(x) + f(x, z) − f(x, z_fitted)

At the fitted code this is the patient's gland, voxel for voxel. Other codes move its surface, and details that the fit
does not reproduce are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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
from ThyroidSynthLib.geometry.grid import Grid, box_with_zeros
from ThyroidSynthLib.geometry.isosurface import sdf_without_islands, surface_from_sdf_volume
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.model.code_space import CodeSpace
from ThyroidSynthLib.model.trained_model import TrainedModel

from .gland_field import STRIDE, GlandField

# Initial bound on the error of the change of the field interpolated between coarse points, in voxels. It holds in the
# edits that were measured, and more points are evaluated where it does not.
_EXPECTED_ERROR = 0.3
# The change is computed within this many coarse points of the gland. It is computed on the whole grid if the edit
# takes more than this share of its distance to the surface from a point at that limit.
_NEAR = 2
_MAX_SHARE_LOST = 0.5
# Components that an edit creates are islands if they are smaller than this share of the gland.
_MAX_ISLAND_SHARE = 0.02


@dataclass(frozen=True)
class PatientFit:
    """A patient's thyroid, ready to be edited.

    The code of `original` is the fitted one without its offset, its surface that of the segmentation. `placement` is
    the trachea frame of the original and the fit; for a gland that the scan's border cuts, it is raised by the shift of
    the fit.
    """

    shapes: PatientShapes
    original: Thyroid
    fit: Fit
    placement: Placement

    @property
    def model_alone(self) -> Thyroid:
        """The model's shape for the fitted code."""
        return self.fit.thyroid


def fit_patient(
    model: TrainedModel,
    mask: Volume,
    placement: Placement,
    *,
    cleaned: Volume | None = None,
    scan: Grid | None = None,
    seed: int = 0,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> PatientFit:
    """Fit a model to a patient's thyroid and prepare its edits.

    Parameters
    ----------
    mask : Volume
        Non-zero voxels are the gland, in `ras_mm`.
    placement : Placement
        The patient's trachea frame, in the model's alignment.
    cleaned : Volume, optional
        The mask with its holes filled, for the fit. The edits keep the holes.
    scan : Grid, optional
        Grid of the scan; see `fit_mask`.
    seed : int
        Random seed of the points at which model and gland are compared.

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
    """A patient's gland and its edits, indexed by a latent code: a family of `Shapes`.

    The code `fitted_code` (code_size,) represents the unchanged gland. It may be given with the offset of the fit,
    which all edits keep: `model` is the model with that offset. `space` is passed if it is already known.
    """

    def __init__(
        self, model: TrainedModel, gland: GlandField, fitted_code: np.ndarray, space: CodeSpace | None = None
    ) -> None:
        self.space = space or CodeSpace.of(model)
        self.fitted_code, offset = np.split(np.asarray(fitted_code, dtype=np.float32), [model.code_size])
        self.model = replace(model, network=model.network.with_offset(offset)) if len(offset) else model
        self._gland = gland
        self._unchanged = gland.values
        self._per_unit = gland.voxels_per_unit(model.frame.scale_mm)
        self._fitted = Field(self.model, self.fitted_code)
        self._near = gland.distance[::STRIDE, ::STRIDE, ::STRIDE] < _NEAR * STRIDE
        # The model's field at the fitted code, NaN where it has not been evaluated yet.
        self._known = np.full(gland.distance.shape, np.nan, dtype=np.float32)
        self._last: tuple[np.ndarray, np.ndarray] = (self.fitted_code, self._unchanged)

    @classmethod
    def of_patient(
        cls, model: TrainedModel, mask: Volume, placement: Placement, fitted_code: np.ndarray
    ) -> PatientShapes:
        """Return the edits of a gland whose code, with its offset, was fitted before.

        `InputError` if the mask is empty.
        """
        _check_filled(mask)
        return cls(model, GlandField.of_mask(mask, placement), fitted_code)

    def thyroid(self, code: np.ndarray, *, resolution: int = DEFAULT_RESOLUTION) -> Thyroid:
        """Return the edited gland of a code (code_size,), on the grid of the patient's segmentation.

        `resolution` is ignored, because the grid is that of the segmentation. `SynthesisError` if the edit removes the
        whole gland.
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
        return feature_sensitivity(_EditedSdf(self, thyroid.code), thyroid.surface, thyroid.measured)

    def in_small_steps(self) -> PatientShapes:
        """Return itself: every edit starts from the unchanged gland, so small steps are not faster."""
        return self

    def label_map(self, code: np.ndarray, mask: Volume) -> Volume:
        """Return the edited gland of a code on the grid of the mask it was segmented on.

        The fitted code gives exactly the voxels of the mask. Parts that an edit moves out of the grid are cut off.
        """
        inside = (self.field(code) < 0).astype(np.uint8)
        return Volume(box_with_zeros(inside, -self._gland.first, mask.array.shape), mask.ijk_to_ras)

    def field(self, code: np.ndarray) -> np.ndarray:
        """Return the field of a code on the gland's grid, in voxels; exact next to its surface."""
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
        smallest = _MAX_ISLAND_SHARE * np.count_nonzero(self._unchanged < 0)
        return sdf_without_islands(values, smallest, original=self._unchanged)

    def _coarse_change(self, field: Field) -> np.ndarray:
        """Return the change at every `STRIDE`th point; 0 far from the gland unless the edit reaches there."""
        distance, per_unit = (grid[::STRIDE, ::STRIDE, ::STRIDE] for grid in (self._gland.distance, self._per_unit))
        change = np.zeros_like(distance)
        change[self._near] = self._change(field, STRIDE * np.argwhere(self._near))
        rim = self._near & (distance > (_NEAR - 1) * STRIDE)
        if (-per_unit[rim] * change[rim] > _MAX_SHARE_LOST * distance[rim]).any():
            change[~self._near] = self._change(field, STRIDE * np.argwhere(~self._near))
        return change

    def _change(self, field: Field, index: np.ndarray) -> np.ndarray:
        """Return f(x, z) − f(x, z_fitted) at grid points (n, 3), shape (n,)."""
        place = tuple(index.T)
        points = self.model.frame.to_unit(self._gland.to_trachea(index))
        before = self._known[place]
        new = np.isnan(before)
        if new.any():
            before[new] = self._fitted(points[new])
            self._known[place] = before
        return field(points) - before


class _EditedSdf:
    """The SDF of one edit over `trachea_mm`."""

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
        raise InputError("The thyroid's segment is empty. Choose another segment, or segment the thyroid first.")


def _sampled(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Interpolate a grid at indices (n, 3), with the nearest value beyond its sides."""
    from scipy.ndimage import map_coordinates

    return map_coordinates(values, index.T, order=1, mode="nearest")


def _surface(gland: GlandField, values: np.ndarray) -> Surface:
    """Return the closed surface of a field on a gland's grid, in `trachea_mm`."""
    grid = gland.grid
    if touches_side(values):
        values = np.pad(values, 1, constant_values=1.0)
        grid = grid.part([-1, -1, -1], values.shape)
    if not ((values < 0).any() and (values > 0).any()):
        raise SynthesisError("This edit removes the whole gland. Choose targets closer to the patient's features.")
    return surface_from_sdf_volume(Volume(values, grid.ijk_to_ras))
