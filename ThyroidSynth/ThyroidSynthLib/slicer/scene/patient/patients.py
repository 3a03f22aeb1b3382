"""The patient in the scene: what is proposed, and how sound the patient's thyroid and trachea are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.dataset.cases import Case
from ThyroidSynthLib.dataset.islands import THYROID_COMPONENTS, TRACHEA_COMPONENTS, ComponentRules, without_islands
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.labels import THYROID, TRACHEA
from ThyroidSynthLib.imaging.masks import Mask, mask_in_scan
from ThyroidSynthLib.slicer.scene.terminology import find_segment
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import is_generated
from ThyroidSynthLib.slicer.scene.volumes import grid_of_ct, grid_of_image

from .ct_placement import lies_in

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode

    from ThyroidSynthLib.geometry.grid import Grid

# A scan has this many slices beyond a gland when nothing is known of the scan.
_UNKNOWN = 1000


def propose_patient(
    scene: vtkMRMLScene,
) -> tuple[vtkMRMLScalarVolumeNode | None, vtkMRMLSegmentationNode | None]:
    """Propose a CT and a segmentation among what is in a scene.

    The segmentation is the newest one with a trachea, one that has a thyroid as well before others; the CT
    the one it was drawn on, else the only volume there is if it lies in that.
    """
    import slicer

    segmentation = _best_segmentation(scene)
    ct = None
    if segmentation is not None:
        ct = segmentation.GetNodeReference(segmentation.GetReferenceImageGeometryReferenceRole())
    if ct is None or not _is_scan(ct):
        scans = [node for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode", scene) if _is_scan(node)]
        ct = scans[0] if len(scans) == 1 else None
        if ct is not None and segmentation is not None and not lies_in(segmentation, ct):
            ct = None
    return ct, segmentation


def case_of_patient(
    name: str,
    thyroid: Volume | None,
    trachea: Volume,
    *,
    segmentation: vtkMRMLSegmentationNode,
    ct: vtkMRMLScalarVolumeNode | None,
) -> Case:
    """Make a case of a patient in the scene, for quality control.

    Parameters
    ----------
    name : str
        Id of the case.
    thyroid, trachea : Volume
        As `volumes.volume_of_segment` gives them; no thyroid makes an empty mask.
    segmentation, ct : node
        Where they come from: the CT says where the scan ends, else the segmentation's own geometry.
    """
    scan = _scan_grid(segmentation, ct)
    if thyroid is None:
        thyroid = Volume(np.zeros((1, 1, 1), dtype=np.uint8), trachea.ijk_to_ras)
    return Case(name, _mask(thyroid, scan, THYROID_COMPONENTS), _mask(trachea, scan, TRACHEA_COMPONENTS))


def height_mm(volume: Volume) -> float:
    """Give how far a structure reaches along the body."""
    k, j, i = np.nonzero(volume.array)
    heights = np.stack([i, j, k], axis=1) @ volume.ijk_to_ras[2, :3]
    thickness = np.abs(volume.ijk_to_ras[2, :3]).max()
    return float(np.ptp(heights) + thickness)


def _best_segmentation(scene):
    import slicer

    found = [node for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode", scene) if not is_generated(node)]
    with_trachea = [node for node in reversed(found) if find_segment(node, TRACHEA)]
    complete = [node for node in with_trachea if find_segment(node, THYROID)]
    return next(iter(complete or with_trachea), None)


def _is_scan(node) -> bool:
    return (
        node.IsA("vtkMRMLScalarVolumeNode")
        and not node.IsA("vtkMRMLLabelMapVolumeNode")
        and not node.GetHideFromEditors()
        and node.GetImageData() is not None
    )


def _scan_grid(segmentation, ct) -> Grid | None:
    """Give the grid of the scan, or None where it is not known."""
    import slicer

    if ct is not None and ct.GetImageData() is not None:
        return grid_of_ct(ct)
    converter = slicer.vtkSegmentationConverter
    role = converter.GetReferenceImageGeometryParameterName()
    text = segmentation.GetSegmentation().GetConversionParameter(role)
    if not text or segmentation.GetParentTransformNode() is not None:
        return None
    image = slicer.vtkOrientedImageData()
    converter.DeserializeImageGeometry(text, image, False)
    if min(image.GetDimensions()) < 1:
        return None
    return grid_of_image(image)


def _mask(volume: Volume, scan: Grid | None, rules: ComponentRules) -> Mask:
    """Place a mask in its scan: at its distance to the nearest border, which is all that is asked of it.

    That is the distance of the mask without islands; the islands may lie outside the scan that is assumed here.
    """
    cleaned, _ = without_islands(mask_in_scan(volume), rules)
    margin = _UNKNOWN if scan is None else _border_distance(cleaned.volume, scan)
    shape = tuple(n + 2 * margin for n in cleaned.volume.array.shape)
    return mask_in_scan(volume, first=tuple(margin - n for n in cleaned.first), scan_shape=shape)


def _border_distance(volume: Volume, scan: Grid) -> int:
    """Count the scan's voxels between a mask and the scan's border, whatever grid the mask lies on."""
    inside = np.argwhere(volume.array)
    if len(inside) == 0:
        return _UNKNOWN
    ijk = scan.to_ijk(volume.to_ras(inside[:, ::-1]))
    distance = min(ijk.min(), (np.array(scan.size_kji[::-1]) - 1 - ijk.max(axis=0)).min())
    # A segment drawn past the scan's end is cut by it as well.
    return max(0, int(np.floor(distance + 0.25)))
