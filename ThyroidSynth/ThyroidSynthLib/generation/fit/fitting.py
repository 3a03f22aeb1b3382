"""Fit a model: find the latent code of a given thyroid, whole or cut by the scan's border.

A single start may end in a local minimum that explains half of the gland. Therefore a few steps are taken from several
starts on a part of the points, and only the best is continued on all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, never, silent
from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION
from ThyroidSynthLib.generation.steer.feature_space import FeatureSpace, tail_limit
from ThyroidSynthLib.generation.thyroid import Thyroid, thyroid_of_code
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.model.code_space import CodeSpace
from ThyroidSynthLib.model.prior import prior_of
from ThyroidSynthLib.model.trained_model import TrainedModel

from .code_solver import Pose, Problem, State, descend
from .given_gland import GivenGland
from .observation import Observation
from .point_cloud import PointCloud

# Number of training codes that are considered as starts, and shifts that are tried with each for a cut gland.
_CODES = 60
_SHIFTS_MM = (-10.0, 0.0, 10.0)
# One in so many points is used for choosing the starts, and for comparing the ends of their first steps.
_CHOICE_THINNING, _COMPARISON_THINNING = 16, 4
_COMPARISON_ROUNDS = 4
# Largest number of steps from the best start.
_ROUNDS = 20
# Largest number of additional steps if the fit contradicts voxels of the reserve, in two turns.
_MORE_ROUNDS = 12
# Largest number of steps in which an offset of the first layer is found.
_OFFSET_ROUNDS = 25
# Largest number of times that components which the gland does not have are found and fitted away, and steps for each.
_CORRECTIONS, _CORRECTION_ROUNDS = 3, 6
# A fit follows a point if the robust loss leaves it at least this weight.
_MIN_WEIGHT = 0.2

# A fit that misses one of these limits is reported as far from the given gland.
_MIN_DICE = 0.8
_MAX_VOLUME_ERROR = 0.2
_MAX_HD95_MM = 5.0
# So is one whose code is further from the mean than so many times the limit of the training codes, or of whose gland
# less lies where the model was trained. Codes of held-out cases are further than those of training cases, which the
# covariance is taken from: 1.2 times as far on average, 1.8 times in one of 40.
_CODE_FACTOR = 1.8
_MIN_INSIDE_SHARE = 0.98


@dataclass(frozen=True)
class Fit:
    """The latent code of a given thyroid.

    Attributes
    ----------
    thyroid : Thyroid
        The model's shape for the code, without components that the given gland does not have. Its code is followed by
        the offset of the network's first layer that brings the shape closer to the gland, see `SDFNetwork.fold`.
    rms_mm : float
        Root mean square error of the signed distance on the observed surface, in mm by the mean scale of the frame.
    distance, distance_limit : float
        Distance of the code to the training codes' mean, in SDs per dimension, where about 1 is ordinary; and the
        largest ordinary one.
    inside_share : float
        Share of the observed surface inside the box of the training surfaces. If it is well below 1, the gland lies
        where the model was never trained, and the fit is unreliable.
    consistent_share : float
        Share of the observed surface points that the fit follows. The others are implausible for a thyroid, for
        example at a leak or a gap of the segmentation.
    cut : bool
        Whether the scan's border cuts the gland, so that part of the fit is a completion.
    shift_mm : float
        Shift of a cut gland along the third axis: `thyroid` is in the trachea frame raised by it. 0 for a whole gland.
    covariance : ndarray, shape (k, k)
        Posterior covariance of the code without its offset and, for a cut gland in an upright frame, of the shift.
    rounds : int
        Number of steps from the best start, those for the offset included.
    gland : GivenGland
        The gland that was given.
    removed_ml : float
        Volume of the components that were removed from the model's shape.
    feature_score : float
        Out-of-distribution score of the gland's features (`FeatureSpace.scores`), or of the fitted ones where the gland
        is not complete.
    unlike : str
        Description of features that are unlike those of the training cases; empty if they are ordinary.
    """

    thyroid: Thyroid
    rms_mm: float
    distance: float
    distance_limit: float
    inside_share: float
    consistent_share: float
    cut: bool
    shift_mm: float
    covariance: np.ndarray
    rounds: int
    gland: GivenGland
    removed_ml: float = 0.0
    feature_score: float = 0.0
    unlike: str = ""

    @property
    def out_of_distribution(self) -> float:
        """Score of a gland that the model may not know: up to 1 is ordinary.

        The largest of the features' score, of the code's distance, and of the share of the gland outside the box of the
        training surfaces, each divided by its limit.
        """
        outside = (1 - self.inside_share) / (1 - _MIN_INSIDE_SHARE)
        return max(self.feature_score, self.distance / self.distance_limit, outside)


def fit_surface(
    model: TrainedModel,
    surface: Surface,
    *,
    seed: int = 0,
    resolution: int = DEFAULT_RESOLUTION,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> Fit:
    """Fit a model to the whole, closed surface of a thyroid in `trachea_mm`.

    `seed` is that of the points at which model and surface are compared. `SynthesisError` if the model
    cannot represent the gland.
    """
    observation = Observation.of_surface(surface, model.frame, np.random.default_rng(seed))
    return _fit(model, observation, resolution=resolution, progress=progress, should_stop=should_stop)


def fit_points(
    model: TrainedModel,
    points_mm: np.ndarray,
    *,
    seed: int = 0,
    resolution: int = DEFAULT_RESOLUTION,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> Fit:
    """Fit a model to points (n, 3) on the surface of a thyroid in `trachea_mm`.

    Where the points enclose the gland, its inside is known too; otherwise only that nothing lies outside of their
    convex hull, and the model completes the rest. `SynthesisError` if the model cannot represent the gland.
    """
    observation = Observation.of_points(PointCloud.of(points_mm), model.frame, np.random.default_rng(seed))
    return _fit(model, observation, resolution=resolution, progress=progress, should_stop=should_stop)


def fit_mask(
    model: TrainedModel,
    mask: Volume,
    placement: Placement,
    *,
    scan: Grid | None = None,
    space: CodeSpace | None = None,
    seed: int = 0,
    resolution: int = DEFAULT_RESOLUTION,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> Fit:
    """Fit a model to a segmented thyroid, with errors that follow from its voxel size.

    Parameters
    ----------
    mask : Volume
        Non-zero voxels are the gland, in `ras_mm`; not empty.
    placement : Placement
        The patient's trachea frame, in the model's alignment.
    scan : Grid, optional
        Grid of the scan. A gland that reaches its outermost voxels is assumed to be cut there; the model completes
        it, and its craniocaudal shift is fitted in an upright frame.
    space : CodeSpace, optional
        The training codes' distribution, if it is already known.
    seed : int
        Random seed of the points at which model and gland are compared.

    Raises
    ------
    InputError
        Too little of the gland is in the scan.
    SynthesisError
        The model cannot represent the gland.
    Cancelled
        `should_stop` returned true.
    """
    observation = Observation.of_mask(mask, placement, model.frame, np.random.default_rng(seed), scan=scan)
    return _fit(model, observation, space=space, resolution=resolution, progress=progress, should_stop=should_stop)


def _fit(
    model: TrainedModel,
    observation: Observation,
    *,
    space: CodeSpace | None = None,
    resolution: int,
    progress: ProgressCallback,
    should_stop: ShouldStop,
) -> Fit:
    """Fit a model to an observation of a gland."""
    whole = not observation.cut and observation.gland.surface.is_closed()
    features = measure_features(observation.gland.surface) if whole else None
    problem = Problem(
        model,
        space or CodeSpace.of(model),
        observation,
        fits_shift=observation.cut and model.frame.alignment == "upright",
    )
    progress(0.0, "Looking for a similar shape")
    start = _best_start(model, problem, features.as_array() if features else None, should_stop)
    problem = problem.made_robust(start)

    def report(step: int) -> None:
        progress(0.2 + 0.7 * step / _ROUNDS, f"Fitting, round {step}")

    state, rounds = descend(problem, start.pose, _ROUNDS, should_stop=should_stop, on_step=report)
    while (extended := problem.with_contradictions(state.pose)) is not None and rounds < _ROUNDS + _MORE_ROUNDS:
        problem = extended
        state, more = descend(problem, state.pose, _MORE_ROUNDS // 2, should_stop=should_stop)
        rounds += max(more, 1)

    def decoded(pose: Pose) -> Thyroid:
        return _shape(model, observation, pose, resolution)

    problem, state, _ = _without_rests(problem, state, decoded, should_stop)
    code, covariance = state.pose.code, problem.covariance(state)
    # An offset reduces the error that the code alone leaves. The code stays, so that it means the same as those of the
    # training cases.
    around, centre = problem.made_robust(state).around(state.pose)
    state, more = descend(around, centre, _OFFSET_ROUNDS, should_stop=should_stop)
    _, state, thyroid = _without_rests(
        around, state, lambda pose: decoded(replace(pose, code=np.append(code, pose.code))), should_stop
    )
    thyroid, removed_ml = observation.gland.without_extra(thyroid, state.pose.shift_mm)
    seen = slice(observation.on_surface)
    error = state.residual[seen] * observation.error_sd[seen]
    known = FeatureSpace(model.features)
    own = (features or thyroid.measured).as_array()
    return Fit(
        thyroid=thyroid,
        rms_mm=float(np.sqrt(np.mean(error**2)) * model.frame.scale_mm.mean()),
        distance=problem.space.distance(code),
        distance_limit=_CODE_FACTOR * tail_limit([problem.space.distance(code) for code in model.codes]),
        inside_share=_inside_share(model, observation, state.pose),
        consistent_share=float((state.weight[seen] > _MIN_WEIGHT).mean()),
        cut=observation.cut,
        shift_mm=state.pose.shift_mm,
        covariance=covariance,
        rounds=rounds + more,
        gland=observation.gland,
        removed_ml=removed_ml,
        feature_score=float(known.scores(own[None])[0]),
        unlike=known.unlike(own),
    )


def _without_rests(
    problem: Problem, state: State, decoded: Callable[[Pose], Thyroid], should_stop: ShouldStop
) -> tuple[Problem, State, Thyroid]:
    """Fit components away that the gland does not have; return the problem that demands it, and the shape."""
    thyroid = decoded(state.pose)
    for _ in range(_CORRECTIONS):
        up = [0.0, 0.0, state.pose.shift_mm]
        outside = problem.observation.gland.extra_points(thyroid.surface.moved(thyroid.surface.vertices + up))
        if len(outside) == 0:
            break
        problem = problem.with_outside(outside)
        state, _ = descend(problem, state.pose, _CORRECTION_ROUNDS, should_stop=should_stop)
        thyroid = decoded(state.pose)
    return problem, state, thyroid


def _shape(model: TrainedModel, observation: Observation, pose: Pose, resolution: int) -> Thyroid:
    try:
        return thyroid_of_code(model, pose.code, resolution=resolution)
    except SynthesisError as error:
        share = _inside_share(model, observation, pose)
        raise SynthesisError(
            f"The model cannot represent this gland: {share:.0%} of it lies in the region of the training shapes, and "
            "the best code has no surface. Check that thyroid and trachea are the right masks, or use a model that "
            "was trained on such glands."
        ) from error


def _inside_share(model: TrainedModel, observation: Observation, pose: Pose) -> float:
    """Return the share of the observed surface inside the box of the training surfaces."""
    points = observation.points_mm[: observation.on_surface] - [0.0, 0.0, pose.shift_mm]
    return float(((points >= model.frame.lower_mm) & (points <= model.frame.upper_mm)).all(axis=1).mean())


def fit_notes(
    fit: Fit, dice: float | None, fitted_ml: float, given_ml: float, hd95_mm: float | None = None
) -> tuple[str, ...]:
    """Return notes on a fit whose result is unlike the gland, or whose gland the model does not know.

    Parameters are those of `mismatch_notes`.
    """
    return unfamiliar_notes(fit, mismatch_notes(dice, fitted_ml, given_ml, hd95_mm))


def unfamiliar_notes(fit: Fit, mismatch: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return notes on a gland that the model does not know, after those on a `mismatch`."""
    notes = list(mismatch)
    if fit.unlike:
        notes.append(f"the gland is {fit.unlike}")
    if fit.distance > fit.distance_limit:
        notes.append(f"the shape is {fit.distance:.1f} SDs from the training shapes (about 1 is usual)")
    if fit.inside_share < _MIN_INSIDE_SHARE:
        notes.append(f"{1 - fit.inside_share:.0%} of the gland lies outside the region of the training shapes")
    if notes:
        notes.append(
            "the model may not know such glands: check the masks of thyroid and trachea, make only small edits, or use "
            "a model trained on such glands"
        )
    return tuple(notes)


def mismatch_notes(
    dice: float | None, fitted_ml: float, given_ml: float, hd95_mm: float | None = None
) -> tuple[str, ...]:
    """Return a note where a fit is far from the given gland; empty where it is not.

    The Dice coefficient is None where it cannot be computed because a surface is open. `fitted_ml` is the volume of the
    fit as far as it lies in the scan.
    """
    if dice is None:
        return ("the overlap of the fit with the given gland cannot be computed: a surface is open",)
    far = hd95_mm is not None and hd95_mm > _MAX_HD95_MM
    if dice >= _MIN_DICE and abs(fitted_ml / given_ml - 1) <= _MAX_VOLUME_ERROR and not far:
        return ()
    distance = f", HD95 {hd95_mm:.1f} mm" if far else ""
    return (
        f"the fit is far from the given gland: Dice {dice:.2f}, {fitted_ml:.1f} mL for {given_ml:.1f} mL{distance}",
    )


def _best_start(model: TrainedModel, problem: Problem, features: np.ndarray | None, should_stop: ShouldStop) -> State:
    """Take a few steps from several starts and return the best, evaluated on all points.

    The starts are the two training codes with the lowest cost, the mirror image of the better one and, for a whole
    gland, the most probable code given its features.
    """
    codes = model.codes.astype(np.float64)
    if features is not None:
        spread = model.features.std(axis=0) + 1e-9
        nearest = np.argsort(np.linalg.norm((model.features - features) / spread, axis=1), kind="stable")
    else:
        nearest = np.random.default_rng(0).permutation(len(codes))
    shifts = _SHIFTS_MM if problem.fits_shift else (0.0,)
    candidates = [Pose(codes[row], shift) for row in nearest[:_CODES] for shift in shifts]
    poses = sorted(candidates, key=_thinned(problem, _CHOICE_THINNING).cost)[:2]
    mirrored = model.settings.mirrored_size
    if mirrored:
        turned = poses[0].code.copy()
        turned[-mirrored:] *= -1
        poses.append(Pose(turned, poses[0].shift_mm))
    if features is not None:
        fixed = model.conditioning.encode(features)[0]
        poses.append(Pose(np.concatenate([fixed, prior_of(model).mean(fixed)])))
    thinned = _thinned(problem, _COMPARISON_THINNING)
    ends = [descend(thinned, pose, _COMPARISON_ROUNDS, should_stop=should_stop)[0] for pose in poses]
    best = min(ends, key=lambda state: state.cost)
    return problem.at(best.pose)


def _thinned(problem: Problem, every: int) -> Problem:
    return replace(problem, observation=problem.observation.thinned(every))
