"""Convert nodes to the library's volumes, grids, surfaces and frames, with parent transforms applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.dataset.structure_checks import structures_for_placing
from ThyroidSynthLib.generation.cohort.gland_level import estimated_level_mm
from ThyroidSynthLib.geometry.features import Features, measure_features
from ThyroidSynthLib.geometry.frame import ALIGNMENTS, Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.polydata import surface_of
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.masks import mask_in_scan

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode, vtkOrientedImageData

BINARY_LABELMAP = "Binary labelmap"
CLOSED_SURFACE = "Closed surface"

SURFACE_SAMPLING_MM = 1.0
"""Voxel size at which a segment that is only a surface is filled."""

# Around a segment that a transform resamples, so that it is not cut.
_MARGIN_VOXELS = 2


class EmptySegment(InputError):
    """A segment that exists but is empty, as is common among the classes of TotalSegmentator."""


def volume_of_segment(segmentation: vtkMRMLSegmentationNode, segment_id: str) -> Volume:
    """Return a segment's voxels (uint8, 1 inside) in `ras_mm`, cropped to their bounding box.

    No representation is created in the node.

    Raises
    ------
    InputError
        There is no such segment, or it is empty (`EmptySegment`).
    """
    import slicer

    segment = _segment(segmentation, segment_id)
    if segment.GetRepresentation(BINARY_LABELMAP):
        volume = _cut_out(segment)
        if segmentation.GetParentTransformNode() is not None and volume.array.any():
            image = image_of_volume(volume)
            logic = slicer.vtkSlicerSegmentationsModuleLogic
            if not logic.ApplyParentTransformToOrientedImageData(segmentation, image):
                raise InputError(f"The transform of '{segmentation.GetName()}' cannot be applied. Harden or remove it.")
            volume = volume_of_image(image)
    else:
        surface = surface_of_segment(segmentation, segment_id)
        volume = voxelise(surface, Grid.around(surface, spacing_mm=SURFACE_SAMPLING_MM))
    if not volume.array.any():
        raise _empty(segmentation, segment_id)
    return volume.cropped()


def surface_of_segment(segmentation: vtkMRMLSegmentationNode, segment_id: str) -> Surface:
    """Return a segment's closed surface in `ras_mm`.

    For a segment whose source is a surface, that surface. For voxels the surface is extracted here,
    because Slicer's own is smoothed and smaller than the gland.

    Raises
    ------
    InputError
        There is no such segment, or it is empty.
    """
    import slicer
    from vtkmodules.vtkCommonDataModel import vtkPolyData

    segment = _segment(segmentation, segment_id)
    if segment.GetRepresentation(BINARY_LABELMAP) and not is_made_of_surfaces(segmentation):
        return surface_from_mask(volume_of_segment(segmentation, segment_id))
    polydata = vtkPolyData()
    stored = segment.GetRepresentation(CLOSED_SURFACE)
    if stored is not None:
        polydata.DeepCopy(stored)
        slicer.vtkSlicerSegmentationsModuleLogic.ApplyParentTransformToPolyData(segmentation, polydata)
    surface = surface_of(polydata)
    if len(surface.faces) == 0:
        raise _empty(segmentation, segment_id)
    # A mirroring transform turns a surface inside out.
    return surface if surface.volume > 0 else Surface(surface.vertices, surface.faces[:, ::-1])


def placement_of_patient(
    segmentation: vtkMRMLSegmentationNode,
    trachea_id: str,
    thyroid_id: str = "",
    alignment: str = ALIGNMENTS[0],
    *,
    scan: Grid | None = None,
) -> Placement:
    """Return the trachea frame of a patient from the segments of trachea and thyroid, without their islands.

    Parameters
    ----------
    thyroid_id : str
        Needed for the upright alignment; with any other, to check that the trachea is at the thyroid.
    alignment : str
        One of `ALIGNMENTS`, usually the model's.
    scan : Grid, optional
        The extent of the scan. With it, the level of a thyroid that is not segmented is estimated from the trachea
        where the alignment needs it.

    Raises
    ------
    InputError
        A segment is missing or empty, the trachea is none or is not at the thyroid, or the alignment needs the level
        of a thyroid that is neither given nor can be estimated.
    """
    given = mask_in_scan(volume_of_segment(segmentation, thyroid_id)) if thyroid_id else None
    trachea, thyroid = structures_for_placing(mask_in_scan(volume_of_segment(segmentation, trachea_id)), given)
    level_mm = None
    if thyroid is None and alignment == "upright" and scan is not None:
        level_mm = estimated_level_mm(trachea, scan)
    return Placement.of_patient(alignment, trachea, thyroid, level_mm=level_mm)


def features_of_segment(segmentation: vtkMRMLSegmentationNode, segment_id: str, placement: Placement) -> Features:
    """Return the features of a thyroid's segment, measured in the trachea frame of its patient."""
    surface = surface_of_segment(segmentation, segment_id)
    return measure_features(surface.moved(placement.to_trachea(surface.vertices)))


def is_made_of_surfaces(segmentation: vtkMRMLSegmentationNode) -> bool:
    """Check whether the source representation of a segmentation is the closed surface."""
    return segmentation.GetSegmentation().GetSourceRepresentationName() == CLOSED_SURFACE


def grid_of_ct(ct: vtkMRMLScalarVolumeNode) -> Grid:
    """Return the grid of a CT in `ras_mm`, parent transform applied.

    Raises
    ------
    InputError
        The CT has no voxels, or lies under a transform that is not linear.
    """
    import slicer

    image = ct.GetImageData()
    if image is None:
        raise InputError(f"'{ct.GetName()}' has no voxels. Load the CT again.")
    transform = ct.GetParentTransformNode()
    to_world = np.eye(4)
    if transform is not None:
        if not transform.IsTransformToWorldLinear():
            raise InputError(
                f"'{ct.GetName()}' lies under a transform that is not linear. Harden or remove the transform."
            )
        to_world = slicer.util.arrayFromTransformMatrix(transform, toWorld=True)
    return Grid(image.GetDimensions()[::-1], to_world @ ijk_to_local(ct))


def ijk_to_local(volume: vtkMRMLScalarVolumeNode) -> np.ndarray:
    """Return the (4, 4) IJK-to-RAS matrix of a volume node without its parent transform, as in its file."""
    import slicer
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    matrix = vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def volume_of_image(image: vtkOrientedImageData) -> Volume:
    """Return an oriented image as a volume; its extent need not begin at 0."""
    from vtkmodules.util.numpy_support import vtk_to_numpy

    scalars = image.GetPointData().GetScalars()
    if scalars is None or min(image.GetDimensions()) < 1:
        return Volume(np.zeros((1, 1, 1), dtype=np.uint8), np.eye(4))
    grid = grid_of_image(image)
    return Volume(vtk_to_numpy(scalars).reshape(grid.shape), grid.ijk_to_ras)


def grid_of_image(image: vtkOrientedImageData) -> Grid:
    """Return the grid of an oriented image, whose extent need not begin at 0 and which may have no voxels."""
    import slicer
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    matrix = vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    geometry = slicer.util.arrayFromVTKMatrix(matrix)
    geometry[:3, 3] += geometry[:3, :3] @ np.array(image.GetExtent()[::2], dtype=np.float64)
    return Grid(image.GetDimensions()[::-1], geometry)


def image_of_volume(volume: Volume) -> vtkOrientedImageData:
    """Return a volume as a new oriented image of type unsigned char."""
    import slicer
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonCore import VTK_UNSIGNED_CHAR

    image = slicer.vtkOrientedImageData()
    image.SetDimensions(*reversed(volume.array.shape))
    scalars = numpy_to_vtk(volume.array.astype(np.uint8).ravel(), deep=True, array_type=VTK_UNSIGNED_CHAR)
    # VTK's own name, by which Slicer's DICOM export looks for the voxels.
    scalars.SetName("ImageScalars")
    image.GetPointData().SetScalars(scalars)
    image.SetGeometryFromImageToWorldMatrix(slicer.util.vtkMatrixFromArray(volume.ijk_to_ras))
    return image


def _segment(segmentation, segment_id: str):
    segment = segmentation.GetSegmentation().GetSegment(segment_id) if segment_id else None
    if segment is None:
        raise InputError(f"'{segmentation.GetName()}' has no segment '{segment_id}'. Choose another segment.")
    return segment


def _cut_out(segment) -> Volume:
    """Return a segment's voxels, with a margin, from the label map that it shares with other segments.

    The label map may have 100 million voxels: it is searched slice by slice and not copied.
    """
    whole = volume_of_image(segment.GetRepresentation(BINARY_LABELMAP))
    value = segment.GetLabelValue()
    slices = [k for k, labels in enumerate(whole.array) if (labels == value).any()]
    if not slices:
        return Volume(np.zeros((1, 1, 1), dtype=np.uint8), whole.ijk_to_ras)
    part = whole.part((slice(slices[0], slices[-1] + 1), slice(0, None), slice(0, None)))
    return Volume((part.array == value).view(np.uint8), part.ijk_to_ras).cropped(margin=_MARGIN_VOXELS)


def _empty(segmentation, segment_id: str) -> EmptySegment:
    name = segmentation.GetSegmentation().GetSegment(segment_id).GetName()
    return EmptySegment(
        f"The segment '{name}' of '{segmentation.GetName()}' is empty. Choose another segment or draw it first."
    )
