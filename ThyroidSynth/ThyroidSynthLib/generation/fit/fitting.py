"""Finding the latent code of a given thyroid, whole or cut, exactly or roughly segmented.

Several starts are compared on a thinned observation, a few steps each, and the best is followed to its
end: least squares alone may end in a shape that explains half of the gland.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, never, silent
from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION
from ThyroidSynthLib.generation.thyroid import Thyroid, thyroid_of_code
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.model.code_space import CodeSpace
from ThyroidSynthLib.model.prior import prior_of
from ThyroidSynthLib.model.shape_model import ShapeModel

from .code_solver import Pose, Problem, State, descend
from .observation import Observation

# Training codes that are looked at, and the levels at which a cut gland is.
_CODES = 60
_LEVELS_MM = (-10.0, 0.0, 10.0)
# Points left out of an observation while starts are looked at, and while the best of them are compared.
_LOOK_THIN, _COMPARE_THIN = 16, 4
_COMPARE_ROUNDS = 4
# Steps to take, in two turns, where a fit grew into what is known to be empty.
_MORE_ROUNDS = 12
# A point whose say is less than this is not believed.
_BELIEVED = 0.2

# A fit with less overlap than this, a volume this share off or a part this far away does not show the gland.
_LEAST_DICE = 0.8
_MOST_VOLUME_ERROR = 0.2
_MOST_HD95_MM = 10.0


@dataclass(frozen=True)
class Fit:
    """The latent code of a given thyroid.

    Attributes
    ----------
    thyroid : Thyroid
        What the model makes of it; `asked` holds the given gland's features, unless it is cut.
    rms_mm : float
        Root mean square distance error on the surface that was seen, in mm along the mean axis.
    distance : float
        Distance of the code to the training codes' mean, in SDs per dimension; about 1 is ordinary.
    inside_share : float
        Share of the surface that was seen inside the box of the training surfaces. Well below 1 the
        gland lies where the model has never seen one, and the fit means little.
    believed_share : float
        Share of the points on the surface that was seen that the fit goes by. The others contradict
        what thyroids are like, as a leak or a bite of the segmentation does.
    cut : bool
        Whether the scan's border cuts the gland, so that part of the fit is a completion.
    shift_mm : float
        How much higher than its visible part a cut gland lies: `thyroid` is in the trachea frame raised
        by it. 0 for a whole gland.
    covariance : ndarray, shape (k, k)
        What is not known of the code and, for a cut gland in an upright frame, of the shift.
    rounds : int
        Steps taken from the best start.
    """

    thyroid: Thyroid
    rms_mm: float
    distance: float
    inside_share: float
    believed_share: float
    cut: bool
    shift_mm: float
    covariance: np.ndarray
    rounds: int


def fit_surface(
    model: ShapeModel,
    surface: Surface,
    *,
    seed: int = 0,
    resolution: int = DEFAULT_RESOLUTION,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> Fit:
    """Fit a model to the whole surface of a thyroid.

    Parameters
    ----------
    surface : Surface
        Closed surface in `trachea_mm`.
    seed : int
        Seed of the points at which the surface is compared.

    Raises
    ------
    SynthesisError
        The fitted code has no surface.
    Cancelled
        `should_stop` returned true.
    """
    observation = Observation.of_surface(surface, model.frame, np.random.default_rng(seed))
    return fit_observation(
        model, observation, seed=seed, resolution=resolution, progress=progress, should_stop=should_stop
    )


def fit_mask(
    model: ShapeModel,
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
    """Fit a model to a segmented thyroid, trusting its voxels as far as they tell.

    Parameters
    ----------
    mask : Volume
        Non-zero voxels are the gland, in `ras_mm`; not empty.
    placement : Placement
        The patient's trachea frame, in the model's alignment.
    scan : Grid, optional
        Where the scan ends. A gland that reaches its outermost voxels is taken to be cut there: it is
        completed by what the model knows of thyroids, and its level in an upright frame is found anew.
    space : CodeSpace, optional
        The training codes' distribution, if it is known already.
    seed : int
        Seed of the points at which model and gland are compared.

    Raises
    ------
    InputError
        The scan cuts all but a little of the gland.
    SynthesisError
        The fitted code has no surface.
    Cancelled
        `should_stop` returned true.
    """
    observation = Observation.of_mask(mask, placement, model.frame, np.random.default_rng(seed), scan=scan)
    return fit_observation(
        model,
        observation,
        space=space,
        seed=seed,
        resolution=resolution,
        progress=progress,
        should_stop=should_stop,
    )


def fit_observation(
    model: ShapeModel,
    observation: Observation,
    *,
    space: CodeSpace | None = None,
    seed: int = 0,
    resolution: int = DEFAULT_RESOLUTION,
    max_rounds: int = 20,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> Fit:
    """Fit a model to what is known of a gland; see `fit_surface` and `fit_mask`."""
    features = None if observation.cut else measure_features(observation.surface)
    problem = Problem(
        model,
        space or CodeSpace.of(model),
        observation,
        level_free=observation.cut and model.frame.alignment == "upright",
    )
    progress(0.0, "Comparing starts")
    start = _best_start(problem, features.as_array() if features else None, should_stop)
    doubting = problem.doubting(start)

    def told(step: int) -> None:
        progress(0.2 + 0.7 * step / max_rounds, f"Fitting, round {step}")

    state, rounds = descend(doubting, start.pose, max_rounds, should_stop=should_stop, told=told)
    while (firmer := doubting.firmer(state.pose)) is not None and rounds < max_rounds + _MORE_ROUNDS:
        doubting = firmer
        state, more = descend(doubting, state.pose, _MORE_ROUNDS // 2, should_stop=should_stop)
        rounds += max(more, 1)
    thyroid = thyroid_of_code(model, state.pose.code, resolution=resolution)
    seen = slice(observation.on_surface)
    error = state.residual[seen] * observation.error_sd[seen]
    points = observation.points_mm[seen] - [0.0, 0.0, state.pose.shift_mm]
    inside = ((points >= model.frame.lower_mm) & (points <= model.frame.upper_mm)).all(axis=1)
    return Fit(
        thyroid=thyroid,
        rms_mm=float(np.sqrt(np.mean(error**2)) * model.frame.scale_mm.mean()),
        distance=problem.space.distance(state.pose.code),
        inside_share=float(inside.mean()),
        believed_share=float((state.trust[seen] > _BELIEVED).mean()),
        cut=observation.cut,
        shift_mm=state.pose.shift_mm,
        covariance=doubting.covariance(state),
        rounds=rounds,
    )


def mismatch_notes(
    dice: float | None, fitted_ml: float, given_ml: float, hd95_mm: float | None = None
) -> tuple[str, ...]:
    """Return a note where a fit is far from the given gland; empty where it is not.

    Parameters
    ----------
    dice : float or None
        Overlap of the two; None where it cannot be computed because a surface is open.
    fitted_ml, given_ml : float
        Volume of the fit, as far as it lies in the scan, and of the given gland.
    hd95_mm : float, optional
        95 % Hausdorff distance of the two, where it is known.
    """
    if dice is None:
        return ("the overlap of the fit with the given gland cannot be computed: a surface is open",)
    far = hd95_mm is not None and hd95_mm > _MOST_HD95_MM
    if dice >= _LEAST_DICE and abs(fitted_ml / given_ml - 1) <= _MOST_VOLUME_ERROR and not far:
        return ()
    distance = f", HD95 {hd95_mm:.1f} mm" if far else ""
    return (
        f"the fit is far from the given gland: Dice {dice:.2f}, {fitted_ml:.1f} mL for {given_ml:.1f} mL{distance}",
    )


def _best_start(problem: Problem, features: np.ndarray | None, should_stop: ShouldStop) -> State:
    """Take a few steps from several starts on thinned points, and give the best on all of them.

    The starts are the most plausible code of the gland's features, where it is whole, the two training
    codes that explain it best, and the mirror image of the best.
    """
    model = problem.model
    codes = model.codes.astype(np.float64)
    if features is not None:
        spread = model.features.std(axis=0) + 1e-9
        nearest = np.argsort(np.linalg.norm((model.features - features) / spread, axis=1), kind="stable")
    else:
        nearest = np.random.default_rng(0).permutation(len(codes))
    look = _thinned(problem, _LOOK_THIN)
    levels = _LEVELS_MM if problem.level_free else (0.0,)
    poses = [Pose(codes[row], level) for row in nearest[:_CODES] for level in levels]
    poses = sorted(poses, key=look.cost)[:2]
    mirrored = model.settings.mirrored_size
    if mirrored:
        turned = poses[0].code.copy()
        turned[-mirrored:] *= -1
        poses.append(Pose(turned, poses[0].shift_mm))
    if features is not None:
        fixed = model.conditioning.encode(features)[0]
        poses.append(Pose(np.concatenate([fixed, prior_of(model).mean(fixed)])))
    compare = _thinned(problem, _COMPARE_THIN)
    ends = [descend(compare, pose, _COMPARE_ROUNDS, should_stop=should_stop)[0] for pose in poses]
    best = min(ends, key=lambda state: state.cost)
    return problem.at(best.pose)


def _thinned(problem: Problem, every: int) -> Problem:
    return Problem(problem.model, problem.space, problem.observation.thinned(every), problem.level_free)
