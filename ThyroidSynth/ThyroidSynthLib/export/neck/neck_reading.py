"""Necks of phantoms from the files of a patient, or from the generator of example cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import checksums_of, stem_of
from ThyroidSynthLib.dataset.case_sources import find_case
from ThyroidSynthLib.dataset.cases import case_from_volumes
from ThyroidSynthLib.dataset.islands import both_without_islands
from ThyroidSynthLib.dataset.synthetic.case import build_case, plan_cases
from ThyroidSynthLib.generation.cohort.patient_site import PatientSite, site_at
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.dicom_series import class_of_dicom, read_series
from ThyroidSynthLib.imaging.label_maps import LabelMap, combine_masks
from ThyroidSynthLib.imaging.labels import STRUCTURES, TRACHEA, normalised
from ThyroidSynthLib.imaging.masks import Mask, mask_in_scan, read_mask
from ThyroidSynthLib.imaging.nifti import is_nifti
from ThyroidSynthLib.imaging.segmentations.label_map_reading import read_label_map
from ThyroidSynthLib.imaging.segmentations.opening import open_segmentation
from ThyroidSynthLib.imaging.volume_files import read_volume
from ThyroidSynthLib.model.trained_model import TrainedModel

from .neck import GridChoice, Neck, make_neck
from .numbering import labels_of
from .tissues import TISSUE_MASKS

EXAMPLE_NECK = "synthetic example neck"
NO_CT = Path("none")

# A CT of a neck has air and soft tissue; other images may be masks, of another modality, or rescaled.
_AIR_HU, _TISSUE_HU = -500.0, 20.0
# Half of the segmented structures are never denser than this, not even if most of them are bones.
_DENSE_HU = 700.0
_OFFSET = (
    "If 1024 or 1000 was added to its Hounsfield units, so that air is near 0 instead of -1000, subtract that from all "
    "its voxels."
)
_OTHER = "Otherwise choose the CT (--ct), or leave it out (--ct none)."


def read_neck(
    path: Path,
    model: TrainedModel,
    choice: GridChoice,
    *,
    name: str,
    ct: Path | None = None,
    labels: Mapping[int, str] | None = None,
    level_mm: float | None = None,
) -> Neck:
    """Return the neck of the patient at a path.

    Parameters
    ----------
    path : Path
        A trachea mask, a case folder or a segmentation file, as in `site_at`.
    model : TrainedModel
        The thyroids to be put in are its.
    name : str
        Name of the patient, for the documents.
    ct : Path, optional
        The CT: an image file, or the folder of a DICOM series; by default the ``ct.nii.gz`` of a case folder, if any.
        The path "none" leaves that out.
    labels, level_mm
        As in `site_at`.

    Raises
    ------
    InputError
        As in `site_at`; also if the CT is none, or its grid does not hold the neck.
    """
    site = site_at(path, model.patient_alignment, labels=labels, level_mm=level_mm)
    found, tissue_masks, beside, files = _structures(path, site, labels)
    found = _without_islands(found)
    ct = None if ct == NO_CT else ct or beside
    image = None if ct is None else read_ct(ct, found)
    read = [*site.files, *files, *([] if ct is None or ct.is_dir() else [ct])]
    series = ct if ct is not None and (ct.is_dir() or class_of_dicom(ct) is not None) else None
    return make_neck(
        name,
        found,
        site.placement,
        choice,
        thyroids_box(model, site.placement),
        ct=image,
        ct_series=series,
        tissue_masks=tissue_masks,
        notes=site.notes,
        sources={"patient": name, "level": site.level, "inputs": checksums_of(read)},
    )


def example_neck(model: TrainedModel, choice: GridChoice, *, seed: int) -> Neck:
    """Return the neck of an example case of the generator, with its CT."""
    case = build_case(plan_cases(1, seed, 0.0)[0])
    masks = {name: mask_in_scan(mask) for name, mask in case.masks.items() if mask.array.any()}
    labels = combine_masks(masks, source=EXAMPLE_NECK)
    patient = case_from_volumes(EXAMPLE_NECK, case.masks["thyroid_gland"], case.masks["trachea"])
    placement = patient.placement(model.patient_alignment)
    return make_neck(
        EXAMPLE_NECK,
        labels,
        placement,
        choice,
        thyroids_box(model, placement),
        ct=case.ct,
        sources={"patient": EXAMPLE_NECK, "neck_seed": seed},
    )


def thyroids_box(model: TrainedModel, placement: Placement) -> Surface:
    """Return the corners, in `ras_mm`, of a box that holds the thyroids of a model, as a surface without triangles."""
    frame = model.frame
    corners = np.stack(np.meshgrid(*zip(frame.lower_mm, frame.upper_mm, strict=True)), axis=-1).reshape(-1, 3)
    return Surface(placement.to_ras(corners), np.empty((0, 3), dtype=np.int64))


def read_ct(path: Path, labels: LabelMap) -> Volume:
    """Return a CT; `InputError` if the image is none, or shows another place than a label map."""
    image = read_series(path) if path.is_dir() or class_of_dicom(path) is not None else read_volume(path)
    values = image.array
    if not np.isfinite(values).all():
        raise InputError(f"{path} has voxels that are no numbers, so it is no CT. Export it again.")
    if values.min() > _AIR_HU or values.max() < _TISSUE_HU:
        raise InputError(
            f"{path} has values from {values.min():.0f} to {values.max():.0f}, but a CT of a neck has air (-1000 HU) "
            f"and soft tissue (above 20 HU). {_OFFSET} {_OTHER}"
        )
    at = np.argwhere(labels.volume.array)
    if not len(at):
        return image
    points = labels.volume.to_ras(at[:: max(len(at) // 1000, 1), ::-1])
    points = points[image.grid.contains(points)]
    if not len(points):
        raise InputError(f"{path} does not show the segmented structures: it lies elsewhere. Choose the patient's CT.")
    i, j, k = np.clip(np.rint(image.to_ijk(points)).astype(int), 0, image.grid.last_ijk.astype(int)).T
    # The air around a scan may be filled with other values, so that the range of all values says nothing.
    middle = np.median(values[k, j, i])
    if middle > _DENSE_HU:
        raise InputError(
            f"{path} has a median of {middle:.0f} in the segmented structures, which are near 40 HU in a CT. "
            f"{_OFFSET} {_OTHER}"
        )
    return image


def _structures(
    path: Path, site: PatientSite, labels: Mapping[int, str] | None
) -> tuple[LabelMap, dict[str, Mask], Path | None, list[Path]]:
    """Return all segmented structures of a patient, its masks of tissue, the CT beside them, and the files."""
    if path.is_file() and not open_segmentation(path, labels=labels).named:
        # The mask of the trachea alone.
        mask = read_mask(path)
        return combine_masks({TRACHEA.name: mask}, source=str(path)), {}, None, [path]
    source = find_case(path, labels=labels)
    if source.labels_path is not None:
        whole = read_label_map(source.labels_path, labels=labels)
        kept, tissue = _without_tissue(whole)
        return kept, tissue, source.ct_path, [source.labels_path]
    folder = source.files[0].parent
    whole = read_label_map(folder, labels=labels, without=TISSUE_MASKS)
    masks = {stem_of(file).lower(): file for file in sorted(folder.iterdir()) if is_nifti(file)}
    tissue = {name: read_mask(file) for name, file in masks.items() if name in TISSUE_MASKS}
    return whole, tissue, source.ct_path, list(masks.values())


def _without_islands(labels: LabelMap) -> LabelMap:
    """Return a label map without the islands of thyroid and trachea, which the notes of their place name."""
    array = labels.volume.array
    thyroid, trachea = (
        mask_in_scan(Volume(np.isin(array, labels_of(labels, structure)).astype(np.uint8), labels.volume.ijk_to_ras))
        for structure in STRUCTURES
    )
    cleaned = both_without_islands(thyroid, trachea)
    islands = np.zeros(array.shape, dtype=bool)
    for mask, (kept, _) in zip((thyroid, trachea), cleaned, strict=True):
        islands |= (mask.whole().array != 0) & (kept.whole().array == 0)
    if not islands.any():
        return labels
    return replace(labels, volume=Volume(np.where(islands, 0, array), labels.volume.ijk_to_ras))


def _without_tissue(labels: LabelMap) -> tuple[LabelMap, dict[str, Mask]]:
    """Return a label map without labels of tissue or body, and their masks."""
    known = {normalised(name): name for name in TISSUE_MASKS}
    tissue = {label: known[normalised(name)] for label, name in labels.names.items() if normalised(name) in known}
    if not tissue:
        return labels, {}
    array = labels.volume.array
    matrix = labels.volume.ijk_to_ras
    masks = {name: mask_in_scan(Volume((array == label).astype(np.uint8), matrix)) for label, name in tissue.items()}
    kept = np.where(np.isin(array, list(tissue)), 0, array)
    names = {label: name for label, name in labels.names.items() if label not in tissue}
    return replace(labels, volume=Volume(kept, matrix), names=names), masks
