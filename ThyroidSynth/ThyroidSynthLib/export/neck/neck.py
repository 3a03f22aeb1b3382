"""The neck of a phantom before its thyroid is put in: every voxel has a label, and the old gland's place is filled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib.export.materials import standard_materials
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid, box_of
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.resampling import interpolated, resampled
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_maps import LabelMap
from ThyroidSynthLib.imaging.labels import TRACHEA, normalised, part_called
from ThyroidSynthLib.imaging.masks import Mask

from .numbering import labels_of, numbered
from .phantom_labels import AIRWAY, FAT, MUSCLE, SOFT_TISSUE, THYROID_LABEL, TISSUES, label_numbers
from .tissues import BODY_MASKS, body_of_ct, estimated_body, filled_in_slices, tissue_labels

_AIR_HU = -1000.0
# Tissue moves by less than this.
_RIM_MM = 20.0
_RIGID_MATERIALS = frozenset({"air", "bone", "cortical_bone", "cartilage", "nervous_tissue"})
# Whole words, for names that the table of materials does not know: "vertebral artery" and "thyrohyoid" are no bones.
_RIGID_WORDS = re.compile(
    r"\b(trachea|tracheal|larynx|cricoid|cartilages?|hyoid|vertebrae?|sacrum|skull|mandible|maxilla|teeth|zygomatic|"
    r"sternum|clavicula|clavicles?|scapula|humerus|ribs?|femur|spine|spinal (cord|canal)|brain|airways?|bones?)\b"
)
# Tissue that the old gland's place is filled with: what lies beside it and is no organ.
_FILLING = tuple(TISSUES[name] for name in (SOFT_TISSUE, FAT, MUSCLE))


@dataclass(frozen=True)
class GridChoice:
    """The grid of phantoms: a given one, or one around the neck; by default the patient's.

    Attributes
    ----------
    grid : Grid, optional
        The grid itself.
    spacing_mm : float or three floats, optional
        Voxel size.
    margin_mm : float, optional
        Distance from the thyroids to the ends of the grid, but not beyond those of the scan; by default the whole scan.
    shape : tuple of int, optional
        Number of voxels along i, j and k, centred on the thyroids.
    """

    grid: Grid | None = None
    spacing_mm: float | tuple[float, float, float] | None = None
    margin_mm: float | None = None
    shape: tuple[int, int, int] | None = None

    def of(self, scan: Grid, thyroids: Surface) -> Grid:
        """Return the grid for a scan, given a surface that spans the thyroids in `ras_mm`."""
        if self.grid is not None:
            return self.grid
        if self.spacing_mm is None and self.margin_mm is None and self.shape is None:
            return scan
        spacing = self.spacing_mm or tuple(scan.spacing_mm[scan.axes_along_ras()].round(6))
        if self.shape is not None:
            steps = np.broadcast_to(np.asarray(spacing, dtype=float), 3)
            middle = np.mean(thyroids.bounds, axis=0)
            matrix = np.diag([*steps, 1.0])
            # On whole multiples of the spacing, as `Grid.around`.
            matrix[:3, 3] = np.rint(middle / steps - (np.array(self.shape) - 1) / 2) * steps
            grid = Grid(self.shape[::-1], matrix)
            return grid.checked_for_holding("The grid of the phantom")
        if self.margin_mm is None:
            return _resized(scan, np.broadcast_to(np.asarray(spacing, dtype=float), 3))
        return Grid.around(_within(thyroids, scan, self.margin_mm), spacing_mm=spacing, margin_mm=0.0)


@dataclass(frozen=True)
class Neck:
    """A neck in which every voxel has a label, without its thyroid and with it.

    Attributes
    ----------
    name : str
        Name of the patient.
    filled : LabelMap
        Without the thyroid: its place has the label of the soft tissue around it. It reaches beyond the grid of the
        phantom where the scan does, because tissue moves into the grid and out of it.
    box : tuple of slice
        The part of the label map along k, j and i that is the grid of the phantom.
    before : LabelMap
        With the patient's own thyroid, if there is one.
    placement : Placement
        The trachea frame.
    own : Surface or None
        The patient's own thyroid in `ras_mm`.
    ct : Volume or None
        Hounsfield units on the grid of the labels.
    ct_series : Path or None
        The DICOM series of the CT.
    body : str
        What the body was taken from, for the documents.
    notes : tuple of str
        Remarks for the user.
    sources : mapping
        Names and checksums of what was read, for the documents.
    """

    name: str
    filled: LabelMap
    box: tuple[slice, slice, slice]
    before: LabelMap
    placement: Placement
    own: Surface | None = None
    ct: Volume | None = None
    ct_series: Path | None = None
    body: str = ""
    notes: tuple[str, ...] = ()
    sources: Mapping[str, Any] = field(default_factory=dict)

    @property
    def grid(self) -> Grid:
        """The grid of the labels."""
        return self.filled.volume.grid

    @property
    def shown(self) -> Grid:
        """The grid of the phantom."""
        return self.cut(self.filled.volume).grid

    def cut(self, volume: Volume) -> Volume:
        """Return the part of a volume on the grid of the labels that is on the grid of the phantom."""
        return volume.part(self.box)

    @cached_property
    def rigid_labels(self) -> dict[int, str]:
        """Structures that stay where they are: airway, larynx and bones, by label."""
        return {label: name for label, name in self.filled.names.items() if is_rigid(name)}

    @cached_property
    def soft_labels(self) -> dict[int, str]:
        """Segmented structures that give way to the thyroid, by label."""
        tissues = set(TISSUES.values())
        return {
            label: name
            for label, name in self.filled.names.items()
            if label not in tissues and label not in self.rigid_labels
        }

    @cached_property
    def rigid(self) -> Volume:
        """Mask (uint8) of the rigid structures."""
        return self._mask(self.rigid_labels)

    @cached_property
    def trachea(self) -> Volume:
        """Mask (uint8) of the trachea."""
        found = {label: name for label, name in self.rigid_labels.items() if _is_trachea(name)}
        return self._mask(found)

    @cached_property
    def soft(self) -> Volume:
        """Mask (uint8) of the segmented structures that give way."""
        return self._mask(self.soft_labels)

    def _mask(self, labels: Mapping[int, str]) -> Volume:
        chosen = np.zeros(int(self.filled.volume.array.max()) + 1, dtype=np.uint8)
        chosen[[label for label in labels if label < len(chosen)]] = 1
        return Volume(chosen[self.filled.volume.array], self.filled.volume.ijk_to_ras)


def is_rigid(name: str) -> bool:
    """Check whether a structure stays where it is when the thyroid changes: air outside the lungs, bone and cartilage.

    Nervous tissue, which lies in bone, stays, too.
    """
    table = standard_materials()
    if table.knows(name):
        return table.of_structure(name).name in _RIGID_MATERIALS
    return bool(_RIGID_WORDS.search(normalised(name)))


def _is_trachea(name: str) -> bool:
    part = part_called(name)
    return part is not None and part.structure is TRACHEA


def make_neck(
    name: str,
    labels: LabelMap,
    placement: Placement,
    choice: GridChoice,
    thyroids: Surface,
    *,
    ct: Volume | None = None,
    ct_series: Path | None = None,
    tissue_masks: Mapping[str, Mask] | None = None,
    notes: tuple[str, ...] = (),
    sources: Mapping[str, Any] | None = None,
) -> Neck:
    """Return the neck of a patient with a label in every voxel of the body.

    Parameters
    ----------
    labels : LabelMap
        All segmented structures, with the thyroid if there is one.
    thyroids : Surface
        Spans all thyroids that the phantoms may have, in `ras_mm`.
    ct : Volume, optional
        Hounsfield units; need not have the grid of the labels.
    tissue_masks : mapping of str to Mask, optional
        Masks of tissue and body by the name of their class in TotalSegmentator.
    """
    tissue_masks = dict(tissue_masks or {})
    scan = labels.volume.grid if ct is None else ct.grid
    structures = numbered(labels)
    own = _own_gland(structures)
    vertices = [each.vertices for each in (thyroids, own) if each is not None]
    grid = choice.of(scan, Surface(np.concatenate(vertices), np.empty((0, 3), dtype=np.int64)))
    base = _slices_around(scan, _with_surroundings(grid, scan)[0])
    array = resampled(structures.volume, base).array
    hu = None if ct is None else _part_of(ct, base)
    masks = {key: resampled(mask.volume, base).array != 0 for key, mask in tissue_masks.items() if not mask.is_empty}
    given = [masks[key] for key in BODY_MASKS if key in masks]
    spared = None
    if given:
        mask, source = np.logical_or.reduce([*given, array != 0]), "mask"
        body = filled_in_slices(mask, base)
        spared = body & ~mask
    elif hu is not None:
        body, source = body_of_ct(hu.array, base, array != 0), "CT"
    else:
        body, source = estimated_body(array != 0, base), "estimated around the segmented structures"
    whole = tissue_labels(array, body, base, ct=hu, masks=masks, trachea=labels_of(structures, TRACHEA))
    if hu is None and spared is not None:
        # What a mask of the body leaves out in its middle is air.
        whole[spared] = TISSUES[AIRWAY]
    names = structures.names | {label: tissue for tissue, label in TISSUES.items()}
    names |= {label: each for each, label in label_numbers().items() if label not in names and (whole == label).any()}
    wider, box = _with_surroundings(grid, scan)
    before = _on(LabelMap(Volume(whole, base.ijk_to_ras), names), wider)
    filled = _without_gland(before)
    outside = _share_outside(grid, scan)
    more = [f"{outside:.0%} of the grid lies outside the scan, where the phantom is air"] if outside >= 0.005 else []
    if hu is None and not given:
        more.append("neither a CT nor a mask shows the body, which is estimated around the segmented structures")
    return Neck(
        name,
        named_as_found(filled),
        box,
        named_as_found(before),
        placement,
        own=own,
        ct=None if ct is None else interpolated(ct, wider, outside=_AIR_HU),
        ct_series=ct_series,
        body=source,
        notes=(*notes, *labels.notes, *more),
        sources=sources or {},
    )


def _resized(scan: Grid, spacing_ras: np.ndarray) -> Grid:
    """Return a grid with other voxels that fills the box of a scan, along the scan's axes."""
    spacing = np.empty(3)
    spacing[scan.axes_along_ras()] = spacing_ras
    count = np.maximum(np.rint(scan.spacing_mm * (scan.last_ijk + 1) / spacing), 1).astype(int)
    matrix = scan.ijk_to_ras.copy()
    matrix[:3, :3] = scan.ijk_to_ras[:3, :3] / scan.spacing_mm * spacing
    matrix[:3, 3] = scan.to_ras(scan.last_ijk / 2) - matrix[:3, :3] @ ((count - 1) / 2)
    return Grid(count[::-1], matrix).checked_for_holding("The grid of the phantom")


def _within(thyroids: Surface, scan: Grid, margin_mm: float) -> Surface:
    """Return two corners, in `ras_mm`, of the box around thyroids with a margin, where it lies within a scan."""
    low, high = thyroids.bounds
    low, high = low - margin_mm, high + margin_mm
    first, last = scan.corners().min(axis=0), scan.corners().max(axis=0)
    inside = np.maximum(low, first), np.minimum(high, last)
    # Off the scan: the grid is refused later, with the distance.
    found = np.stack(inside if (inside[0] < inside[1]).all() else (low, high))
    return Surface(found, np.empty((0, 3), dtype=np.int64))


def _with_surroundings(grid: Grid, scan: Grid) -> tuple[Grid, tuple[slice, slice, slice]]:
    """Return a grid with a rim in which the scan shows tissue that may move into it, and the grid's place in that."""
    ends = grid.to_ijk(scan.corners())
    room = _RIM_MM / grid.spacing_mm
    before = np.floor(np.clip(-ends.min(axis=0), 0, room)).astype(int)
    after = np.floor(np.clip(ends.max(axis=0) - grid.last_ijk, 0, room)).astype(int)
    shape = np.array(grid.shape[::-1])
    k, j, i = (slice(int(a), int(a + n)) for a, n in zip(before[::-1], shape[::-1], strict=True))
    return grid.part(-before[::-1], (before + shape + after)[::-1]), (k, j, i)


def _slices_around(scan: Grid, grid: Grid) -> Grid:
    """Return the part of a scan whose slices along k a grid reaches; whole slices, because they show what is inside."""
    k = scan.to_ijk(grid.corners(beyond=0.5))[:, 2]
    margin = 5.0 / scan.spacing_mm[2]
    first = int(np.clip(np.floor(k.min() - margin), 0, scan.last_ijk[2]))
    last = int(np.clip(np.ceil(k.max() + margin), first, scan.last_ijk[2]))
    return scan.part([first, 0, 0], [last - first + 1, *scan.shape[1:]])


def _part_of(image: Volume, part: Grid) -> Volume:
    """Return the slices of an image that make up a part of its grid."""
    first = round(float(image.to_ijk(part.to_ras(np.zeros(3)))[2]))
    return Volume(image.array[first : first + part.shape[0]], part.ijk_to_ras)


def _on(labels: LabelMap, grid: Grid) -> LabelMap:
    return replace(labels, volume=resampled(labels.volume, grid))


def _share_outside(grid: Grid, scan: Grid) -> float:
    """Return the share of a grid's voxels that lie outside a scan."""
    k, j, i = (np.linspace(0, n - 1, min(n, 40)) for n in grid.shape)
    points = grid.to_ras(np.stack(np.meshgrid(i, j, k), axis=-1).reshape(-1, 3))
    return float(1 - scan.contains(points).mean())


def _own_gland(structures: LabelMap) -> Surface | None:
    """Return the surface of the thyroid in `ras_mm`, or None if there is none."""
    mask = structures.volume.array == THYROID_LABEL
    return surface_from_mask(Volume(mask, structures.volume.ijk_to_ras)) if mask.any() else None


def _without_gland(before: LabelMap) -> LabelMap:
    """Return a label map in which the thyroid's voxels have the label of the nearest soft tissue."""
    from scipy.ndimage import distance_transform_edt

    array = before.volume.array.copy()
    gland = array == THYROID_LABEL
    if gland.any():
        margin = int(np.ceil(30.0 / before.volume.spacing_mm.min()))
        box = box_of(gland, margin=margin)
        near = array[box]
        filling = np.isin(near, _FILLING)
        if filling.any():
            spacing = before.volume.spacing_mm[::-1]
            index = distance_transform_edt(~filling, sampling=spacing, return_distances=False, return_indices=True)
            near[gland[box]] = near[tuple(axis[gland[box]] for axis in index)]
        else:
            near[gland[box]] = TISSUES[SOFT_TISSUE]
    return replace(before, volume=Volume(array, before.volume.ijk_to_ras))


def named_as_found(labels: LabelMap) -> LabelMap:
    """Return a label map without the names of labels that no voxel has."""
    present = np.bincount(labels.volume.array.ravel())
    names = {label: name for label, name in labels.names.items() if label < len(present) and present[label]}
    return replace(labels, names=dict(sorted(names.items())))
