"""Find the latent code of a patient's own organ, such as the trachea, where the scan shows it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.dataset.organs.organ_samples import draw_organ_samples, is_seen
from ThyroidSynthLib.dataset.organs.organ_shapes import organ_in_scan
from ThyroidSynthLib.generation.decode.field import Field
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.masks import Mask, mask_in_scan
from ThyroidSynthLib.model.code_space import CodeSpace
from ThyroidSynthLib.model.trained_model import OrganModel

# Points at which model and organ are compared, and how many of them count as independent.
_POINTS, _INDEPENDENT = 1500, 300
# SD of the signed distance in a good fit, in mm. Larger errors count less (Cauchy loss).
_ERROR_SD_MM = 0.5
# Training codes that are considered as starts, the best of which are followed, and the steps of each.
_STARTS, _FOLLOWED, _ROUNDS = 60, 2, 15
_LEAST_GAIN = 1e-3


@dataclass(frozen=True)
class OrganFit:
    """The whole latent code (code_size,) of a patient's organ, and the error of its surface, RMS in mm.

    `distance` is that of the code to the training codes' mean, in SDs per dimension; about 1 is ordinary.
    """

    code: np.ndarray
    rms_mm: float
    distance: float


def fit_organ(
    organ: OrganModel,
    given: Volume | Mask | Surface,
    placement: Placement,
    scan: Grid | None = None,
    *,
    seed: int = 0,
) -> OrganFit:
    """Fit an organ of a model to a patient's own.

    Parameters
    ----------
    given : Volume, Mask or Surface
        Its mask in `ras_mm`, or its closed surface in `ras_mm`.
    placement : Placement
        The trachea frame in the patient, in the alignment of the model.
    scan : Grid, optional
        Grid of the scan from which a mask was cropped, so that a cut end is not taken for the end of the organ; by
        default the grid of the mask. A surface without a scan is taken as known everywhere.
    seed : int
        Random seed of the points that are compared.

    Raises
    ------
    InputError
        Too little of the organ is in the scan near the gland.
    """
    found = _seen(organ, given, placement, scan)
    if found is None or not is_seen(*found, organ.frame):
        raise InputError(
            f"Too little of the {organ.name} lies in the scan near the thyroid to fit it. Choose a scan that shows "
            "more of it, or leave it out."
        )
    samples = draw_organ_samples(*found, organ.frame, _POINTS, np.random.default_rng(seed))
    space = CodeSpace.of_codes(organ.codes.astype(np.float64))
    problem = _Problem(organ, space, samples, _ERROR_SD_MM / float(organ.frame.scale_mm[0]))
    codes = [space.mean, *organ.codes[np.linspace(0, len(organ.codes) - 1, min(_STARTS, len(organ.codes))).astype(int)]]
    starts = sorted((np.asarray(code, dtype=np.float64) for code in codes), key=problem.cost)[:_FOLLOWED]
    code = min(map(problem.minimised, starts), key=problem.cost)
    on_surface = samples[samples[:, 3] == 0]
    rms = float(np.sqrt(np.mean(Field(organ, code)(on_surface[:, :3]) ** 2))) if len(on_surface) else 0.0
    return OrganFit(code.astype(np.float32), rms * float(organ.frame.scale_mm[0]), space.distance(code))


def _seen(
    organ: OrganModel, given: Volume | Mask | Surface, placement: Placement, scan: Grid | None
) -> tuple[Surface, Grid] | None:
    box = np.array([organ.frame.lower_mm, organ.frame.upper_mm])
    if isinstance(given, Surface):
        surface = given.moved(placement.to_trachea(given.vertices))
        if scan is not None:
            return surface, Grid(scan.shape, np.linalg.inv(placement.trachea_to_ras) @ scan.ijk_to_ras)
        # Known everywhere in the box and as far around it as distances are sampled.
        return surface, Grid.around(
            Surface(np.vstack([box, *surface.bounds]), np.empty((0, 3))), spacing_mm=2.0, margin_mm=100.0
        )
    return organ_in_scan(given if isinstance(given, Mask) else mask_in_scan(given, scan), placement, box)


@dataclass(frozen=True)
class _Problem:
    """Robust least squares for the code: samples (n, 4) in the `unit` frame, and the training codes' distribution."""

    organ: OrganModel
    space: CodeSpace
    samples: np.ndarray
    error_sd: float

    def cost(self, code: np.ndarray) -> float:
        """Return twice the negative logarithm of the posterior, but for a constant."""
        error = (Field(self.organ, code)(self.samples[:, :3]) - self.samples[:, 3]) / self.error_sd
        share = _INDEPENDENT / len(self.samples)
        return float(share * np.log1p(error**2).sum() + self.space.length(code - self.space.mean) ** 2)

    def minimised(self, code: np.ndarray) -> np.ndarray:
        """Return the code after Levenberg-Marquardt steps."""
        cost, damping = self.cost(code), 1e-2
        share = _INDEPENDENT / len(self.samples)
        for _ in range(_ROUNDS):
            values, _, slope = Field(self.organ, code).derivatives(self.samples[:, :3])
            error = (values - self.samples[:, 3]).astype(np.float64) / self.error_sd
            jacobian = slope.astype(np.float64) / self.error_sd
            weighted = share * jacobian / (1 + error**2)[:, None]
            gradient = weighted.T @ error + self.space.precision @ (code - self.space.mean)
            step = np.linalg.solve(weighted.T @ jacobian + (1 + damping) * self.space.precision, -gradient)
            after = self.cost(code + step)
            if after >= cost:
                damping *= 8
                continue
            gain, cost, code, damping = cost - after, after, code + step, damping / 5
            if gain < _LEAST_GAIN * max(cost, 1.0):
                break
        return code
