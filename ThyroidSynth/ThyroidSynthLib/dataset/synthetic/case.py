"""Build an example case: draw its anatomy, sample it on the grid of a scan, and apply a defect."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume

from . import defects
from .gland_fitting import Neck, draw_neck, gland_surface
from .neck import NeckPlan, draw_neck_plan, neighbours, paint_ct
from .population import GlandTarget, draw_targets

SHARE_ROTATED = 0.2
TRUE_NEIGHBOURS = ("esophagus", "common_carotid_artery_right", "common_carotid_artery_left")
_BORDER_VOXELS = 4  # least distance of a valid thyroid from the border of the scan
_FAR_MM = 40.0


@dataclass(frozen=True)
class CasePlan:
    """The plan of a case; `defect` is a key of `EXPECTED_REASON`, or None for a valid case."""

    case_id: str
    target: GlandTarget
    defect: str | None
    seed: np.random.SeedSequence


@dataclass(frozen=True)
class CaseTruth:
    """The ground truth of a case.

    Attributes
    ----------
    defect, expected_verdict, expected_reason : str
        The defect ("" for none), the verdict of quality control, "accepted" or "refused", and its reason
        ("" for an accepted case).
    volume_ml, isthmus_area_mm2, symmetry : float
        Features of the thyroid without the defect, on a finely sampled surface in the trachea frame.
    extent_lr_mm, extent_ap_mm, extent_si_mm : float
        Extents of that surface along the RAS axes.
    trachea_x_mm, trachea_y_mm, trachea_z_mm : float
        Origin of the trachea frame in `ras_mm`: centre of mass of the trachea in the scan.
    trachea_width_mm : float
        Width of the trachea's lumen.
    trachea_ml, esophagus_ml, common_carotid_artery_right_ml, common_carotid_artery_left_ml : float
        Volumes of the neighbours in the scan, without the defect. Their masks overlap neither the thyroid nor each
        other.
    rotated, contrast : bool
        Whether the image axes are rotated, and contrast agent was given.
    """

    case_id: str
    defect: str
    expected_verdict: str
    expected_reason: str
    volume_ml: float
    isthmus_area_mm2: float
    symmetry: float
    extent_lr_mm: float
    extent_ap_mm: float
    extent_si_mm: float
    trachea_x_mm: float
    trachea_y_mm: float
    trachea_z_mm: float
    trachea_width_mm: float
    trachea_ml: float
    esophagus_ml: float
    common_carotid_artery_right_ml: float
    common_carotid_artery_left_ml: float
    rotated: bool
    contrast: bool
    pyramidal_lobe: bool
    hemi_agenesis: bool


@dataclass(frozen=True)
class ExampleCase:
    """A complete case: CT (or None), masks by class name, and ground truth."""

    ct: Volume | None
    masks: dict[str, Volume]
    truth: CaseTruth


def plan_cases(cases: int, seed: int, defective_share: float) -> list[CasePlan]:
    """Plan the cases of a dataset. What follows depends only on the random seed of each case."""
    cohort_seed, *case_seeds = np.random.SeedSequence(seed).spawn(cases + 1)
    rng = np.random.default_rng(cohort_seed)
    targets = draw_targets(cases, rng)
    planted = defects.draw_defects(cases, defective_share, rng)
    return [
        CasePlan(f"s{index:04d}", target, defect, case_seed)
        for index, (target, defect, case_seed) in enumerate(zip(targets, planted, case_seeds, strict=True))
    ]


def build_case(plan: CasePlan, *, with_ct: bool = True) -> ExampleCase:
    """Build a case. The same plan gives the same case, with and without CT."""
    # Children by key, because `spawn` changes the state of the plan and so of a second build.
    rng, ct_rng = (
        np.random.default_rng(np.random.SeedSequence(plan.seed.entropy, spawn_key=(*plan.seed.spawn_key, part)))
        for part in range(2)
    )
    while True:
        neck, target = draw_neck(plan.target, rng)
        surface = gland_surface(neck)
        grid, rotated = _draw_grid(neck, surface, plan.defect, rng)
        points = neck.pose.to_neck_axes(_voxel_centres(grid))
        field = _gland_field(neck, surface, grid, points)
        trachea = (neck.airway.trachea_distance(*points) < 0.0).astype(np.uint8)
        gland = (field < 0.0).astype(np.uint8)
        if plan.defect in ("cut above", "cut below") or _is_valid(gland, target):
            damaged = _with_defect(plan.defect, gland, field, points, neck, rng)
            if damaged is not None:
                break
    origin = Volume(trachea, grid.ijk_to_ras).center_of_mass_ras()
    # Measured relative to the trachea in the scan, as a reader of the files measures.
    surface = surface.moved(surface.vertices + neck.trachea_origin_ras - origin)
    features = measure_features(surface)
    extents = surface.bounds[1] - surface.bounds[0]
    neck_plan = _plan_neck(neck, surface, origin, rng)
    around = neighbours(neck.airway, neck_plan, *points)
    masks = {"thyroid_gland": damaged, "trachea": trachea, "heart": np.zeros_like(trachea)}
    masks |= _apart(around, (gland | damaged | trachea) > 0)
    sizes = {name: float(masks[name].sum()) * defects.VOXEL_ML for name in ("trachea", *TRUE_NEIGHBOURS)}
    if plan.defect == "no trachea":
        masks["trachea"] = np.zeros_like(trachea)
    elif plan.defect == "no trachea file":
        del masks["trachea"]
    ct = None
    if with_ct:
        shown = np.where(damaged > 0, np.minimum(field, -1.0), field) if plan.defect == "giant" else field
        ct = Volume(paint_ct(neck.airway, neck_plan, points, shown, around, ct_rng), grid.ijk_to_ras)
    reason = defects.EXPECTED_REASON[plan.defect] if plan.defect else None
    truth = CaseTruth(
        plan.case_id,
        plan.defect or "",
        "refused" if reason else "accepted",
        reason or "",
        **features.as_dict(),
        **dict(zip(("extent_lr_mm", "extent_ap_mm", "extent_si_mm"), extents.tolist(), strict=True)),
        **dict(zip(("trachea_x_mm", "trachea_y_mm", "trachea_z_mm"), origin.tolist(), strict=True)),
        trachea_width_mm=neck.airway.width_mm,
        **{f"{name}_ml": size for name, size in sizes.items()},
        rotated=rotated,
        contrast=neck_plan.contrast,
        pyramidal_lobe=neck.gland.style.pyramid is not None,
        hemi_agenesis=target.hemi_agenesis,
    )
    return ExampleCase(ct, {name: Volume(mask, grid.ijk_to_ras) for name, mask in masks.items()}, truth)


def _draw_grid(neck: Neck, surface: Surface, defect: str | None, rng: np.random.Generator) -> tuple[Grid, bool]:
    """Draw the grid of the scan, and whether its axes are rotated."""
    rotated = bool(rng.random() < SHARE_ROTATED)
    angles = rng.uniform([-2.0, -2.0, 2.0], [2.0, 2.0, 6.0]) * rng.choice([-1.0, 1.0])
    # The sign of the second angle keeps the cases of earlier versions.
    axes = Rotation.from_euler("xyz", angles * (1, -1, 1), degrees=True).as_matrix() if rotated else np.eye(3)
    origin = neck.trachea_origin_ras
    low, high = (origin + corner for corner in surface.bounds)
    height = high[2] - low[2]
    bottom = neck.pose.to_ras(np.array([0.0, 0.0, neck.lowest_z_mm]))[2]
    top = high[2] + rng.uniform(12.0, 30.0)
    if defect == "cut above":
        top = low[2] + rng.uniform(0.55, 0.8) * height
    elif defect == "cut below":
        trachea_top = neck.pose.offset_mm[2]
        bottom = min(low[2] + rng.uniform(0.2, 0.4) * height, trachea_top - 9.0)
    room = 32.0 if defect == "giant" else 0.0
    bottom, top = bottom - room, top + room
    heights = np.linspace(bottom, min(top, high[2]), 12)
    axis_y = neck.airway.centre(heights - neck.pose.offset_mm[2])[1] + neck.pose.offset_mm[1]
    sideways = max(62.0, 0.5 * (high[0] - low[0]) + 24.0) + room
    first = np.array([0.5 * (low[0] + high[0]) - sideways, axis_y.min() - 52.0 - room, bottom])
    last = np.array([0.5 * (low[0] + high[0]) + sideways, max(high[1], axis_y.max() + 8.0) + 15.0 + room, top])
    size = np.ceil((last - first) / defects.SPACING_MM).astype(int)
    matrix = np.eye(4)
    matrix[:3, :3] = axes * defects.SPACING_MM
    # Rotated about the centre; at these few degrees the corners stay in air or shoulder.
    matrix[:3, 3] = 0.5 * (first + last) - matrix[:3, :3] @ (0.5 * (size - 1))
    return Grid(size[::-1], matrix), rotated


def _voxel_centres(grid: Grid) -> np.ndarray:
    """Return the voxel centres in `ras_mm`, shape (nk, nj, ni, 3)."""
    k, j, i = (np.arange(size, dtype=np.float64) for size in grid.shape)
    matrix = grid.ijk_to_ras
    return (
        matrix[:3, 3]
        + k[:, None, None, None] * matrix[:3, 2]
        + j[None, :, None, None] * matrix[:3, 1]
        + i[None, None, :, None] * matrix[:3, 0]
    )


def _gland_field(
    neck: Neck, surface: Surface, grid: Grid, points: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> np.ndarray:
    """Evaluate the thyroid's distance field on the grid; away from it, where only the sign matters, it is constant."""
    low, high = surface.bounds + neck.trachea_origin_ras
    ijk = grid.to_ijk(np.array(list(product(*np.stack([low - 8.0, high + 8.0], axis=1)))))
    first = np.floor(ijk.min(axis=0)).astype(int).clip(0)
    last = np.ceil(ijk.max(axis=0)).astype(int).clip(-1) + 1
    window = tuple(slice(a, b) for a, b in zip(first[::-1], last[::-1], strict=True))
    field = np.full(grid.shape, _FAR_MM, dtype=np.float32)
    field[window] = neck.gland.field(*(axis[window] for axis in points))
    return field


def _apart(distances: dict[str, np.ndarray], taken: np.ndarray) -> dict[str, np.ndarray]:
    """Return the masks of structures by name, each without the `taken` voxels and those of the ones before it."""
    masks = {}
    for name, distance in distances.items():
        masks[name] = ((distance < 0.0) & ~taken).astype(np.uint8)
        taken = taken | (masks[name] > 0)
    return masks


def _is_valid(mask: np.ndarray, target: GlandTarget) -> bool:
    """Check that the thyroid is away from the border and has the right number of components and no cavities."""
    if not mask.any() or mask[~defects.inner_voxels(mask.shape, _BORDER_VOXELS)].any():
        return False
    box = ndimage.find_objects(mask)[0]
    _, components = ndimage.label(mask[box])
    expected = 1 if target.isthmus_area_mm2 > 0.0 or target.hemi_agenesis else 2
    # A cavity is a second component of the background.
    _, outsides = ndimage.label(np.pad(mask[box] == 0, 1, constant_values=True))
    return components == expected and outsides == 1


def _with_defect(
    defect: str | None,
    mask: np.ndarray,
    field: np.ndarray,
    points: tuple[np.ndarray, np.ndarray, np.ndarray],
    neck: Neck,
    rng: np.random.Generator,
) -> np.ndarray | None:
    """Apply a defect to the mask of a thyroid; return None if this thyroid cannot have it."""
    if defect in (None, "no trachea", "no trachea file"):
        return mask
    if defect in ("cut above", "cut below"):
        return mask if mask[-1 if defect == "cut above" else 0].sum() > 20 else None
    if defect == "no thyroid":
        return np.zeros_like(mask)
    wall = neck.airway.wall_distance(*points)
    if defect == "islands":
        return defects.with_islands(mask, wall > 2.0, rng)
    if defect == "pieces":
        return defects.with_pieces(mask, wall > 8.0, rng)
    if defect == "cavity":
        return defects.with_cavity(mask, rng)
    if defect == "tiny":
        # One core remains: the component of the deepest point.
        labels, _ = ndimage.label(field < 0.6 * field.min())
        core = labels == labels.flat[np.argmin(field)]
        fits = core.sum() * defects.VOXEL_ML > defects.TINY_ML
        return defects.with_volume(field, core, defects.TINY_ML) if fits else None
    whole = neck.gland.field(*points)
    return defects.with_volume(whole, defects.inner_voxels(mask.shape, _BORDER_VOXELS) & (wall > 1.0), defects.GIANT_ML)


def _plan_neck(neck: Neck, surface: Surface, origin: np.ndarray, rng: np.random.Generator) -> NeckPlan:
    around = neck.pose.to_neck(surface.vertices + origin)
    cx, cy = neck.airway.centre(around[:, 2])
    aside, ahead = around[:, 0] - cx, around[:, 1] - cy
    reach = (max(float(aside.max()), 14.0), max(float(-aside.min()), 14.0))
    return draw_neck_plan(rng, reach_mm=reach, front_mm=max(float(ahead.max()), 14.0))
