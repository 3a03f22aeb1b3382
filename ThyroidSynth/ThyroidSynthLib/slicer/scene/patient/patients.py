"""The patient in the scene: the CT and segmentation to propose, and the case for quality control."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.dataset.cases import Case
from ThyroidSynthLib.dataset.islands import TRACHEA_COMPONENTS, both_without_islands, without_islands
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.labels import THYROID, TRACHEA
from ThyroidSynthLib.imaging.masks import Mask, mask_in_scan
from ThyroidSynthLib.slicer.scene.nodes import nodes_of
from ThyroidSynthLib.slicer.scene.terminology import find_segment
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import is_generated
from ThyroidSynthLib.slicer.scene.volumes import grid_of_ct, grid_of_image

from .ct_placement import lies_in

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode

    from ThyroidSynthLib.geometry.grid import Grid

# Distance to the border, in voxels, of a scan whose extent is not known.
_UNKNOWN_MARGIN = 1000


def propose_patient(scene: vtkMRMLScene) -> tuple[vtkMRMLScalarVolumeNode | None, vtkMRMLSegmentationNode | None]:
    """Propose a CT and a segmentation in a scene.

    The segmentation is the newest one with trachea and thyroid, else the newest one with a trachea. The CT
    is the one it was drawn on, else the only volume in the scene if the segmentation is inside it.
    """
    segmentation = _best_segmentation(scene)
    ct = None
    if segmentation is not None:
        ct = scan_of_segmentation(segmentation)
    if ct is None:
        scans = [node for node in nodes_of(scene, "vtkMRMLScalarVolumeNode") if _is_scan(node)]
        ct = scans[0] if len(scans) == 1 else None
        if ct is not None and segmentation is not None and not lies_in(segmentation, ct):
            ct = None
    return ct, segmentation


def scan_of_segmentation(segmentation: vtkMRMLSegmentationNode) -> vtkMRMLScalarVolumeNode | None:
    """Return the CT on which a segmentation was drawn, as Slicer notes it; None if that is unknown."""
    ct = segmentation.GetNodeReference(segmentation.GetReferenceImageGeometryReferenceRole())
    return ct if ct is not None and _is_scan(ct) else None


def case_of_patient(
    name: str,
    thyroid: Volume | None,
    trachea: Volume,
    *,
    segmentation: vtkMRMLSegmentationNode,
    ct: vtkMRMLScalarVolumeNode | None,
) -> Case:
    """Return a patient in the scene as a case for quality control.

    Parameters
    ----------
    thyroid, trachea : Volume
        As returned by `volumes.volume_of_segment`; without a thyroid its mask is empty.
    segmentation, ct : node
        Where they come from. The CT's grid is the extent of the scan, else the segmentation's own geometry.
    """
    scan = scan_grid(segmentation, ct)
    tube = mask_in_scan(trachea)
    if thyroid is None:
        empty = mask_in_scan(Volume(np.zeros((1, 1, 1), dtype=np.uint8), trachea.ijk_to_ras))
        return Case(name, empty, _mask(trachea, without_islands(tube, TRACHEA_COMPONENTS)[0].volume, scan))
    (own, _), (cleaned, _) = both_without_islands(mask_in_scan(thyroid), tube)
    return Case(name, _mask(thyroid, own.volume, scan), _mask(trachea, cleaned.volume, scan))


def height_mm(volume: Volume) -> float:
    """Return the craniocaudal extent of a structure in mm."""
    heights = np.argwhere(volume.array)[:, ::-1] @ volume.ijk_to_ras[2, :3]
    thickness = np.abs(volume.ijk_to_ras[2, :3]).max()
    return float(np.ptp(heights) + thickness)


def scan_grid(segmentation, ct) -> Grid | None:
    """Return the grid of the scan; None where it is not known."""
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


def mask_in_patient_scan(volume: Volume, scan: Grid | None) -> Mask:
    """Return the mask of a segment, given cropped to its voxels, in a scan; None where the scan is not known."""
    first, last = np.full(3, -_UNKNOWN_MARGIN), volume.grid.last_ijk + _UNKNOWN_MARGIN
    if scan is not None:
        ends = volume.to_ijk(scan.corners())
        # The scan may have other voxels than the segment.
        first = np.minimum(np.ceil(ends.min(axis=0) - 0.25), 0).astype(int)
        last = np.maximum(np.floor(ends.max(axis=0) + 0.25), volume.grid.last_ijk).astype(int)
    return mask_in_scan(volume, volume.grid.part(first[::-1], (last - first + 1)[::-1]))


def _best_segmentation(scene):
    found = [node for node in nodes_of(scene, "vtkMRMLSegmentationNode") if not is_generated(node)]
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


def _mask(volume: Volume, cleaned: Volume, scan: Grid | None) -> Mask:
    """Return a mask in a scan that ends at the same distance from it, without its islands, on all sides.

    Quality control uses only the distance to the nearest border, which is measured without islands.
    """
    margin = _UNKNOWN_MARGIN if scan is None else _border_distance(cleaned, scan)
    shape = np.array(cleaned.array.shape) + 2 * margin
    return mask_in_scan(volume, cleaned.grid.part([-margin] * 3, shape))


def _border_distance(volume: Volume, scan: Grid) -> int:
    """Return the number of the scan's voxels between a mask, on any grid, and the scan's border."""
    inside = np.argwhere(volume.array)
    if len(inside) == 0:
        return _UNKNOWN_MARGIN
    ijk = scan.to_ijk(volume.to_ras(inside[:, ::-1]))
    distance = min(ijk.min(), (scan.last_ijk - ijk.max(axis=0)).min())
    # A segment drawn beyond the scan is cut by its border, too.
    return max(0, int(np.floor(distance + 0.25)))
