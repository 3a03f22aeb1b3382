"""From nodes of the scene to the library's volumes, grids, surfaces and frames, parent transforms applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.dataset.islands import TRACHEA_COMPONENTS, without_islands
from ThyroidSynthLib.geometry.features import Features, measure_features
from ThyroidSynthLib.geometry.frame import ALIGNMENTS, Placement
from ThyroidSynthLib.geometry.grid import Grid, voxelise
from ThyroidSynthLib.geometry.polydata import surface_of
from ThyroidSynthLib.geometry.surface import Surface, surface_from_mask
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.masks import mask_in_scan

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode, vtkOrientedImageData

BINARY_LABELMAP = "Binary labelmap"
CLOSED_SURFACE = "Closed surface"

SURFACE_SAMPLING_MM = 1.0
"""Voxels a segment is filled with when it is a surface only and voxels are asked for."""


# Around a segment that a transform bends, so that it is not cut.
_MARGIN_VOXELS = 2


class EmptySegment(InputError):
    """A segment that is there and holds nothing, as is usual among the classes of TotalSegmentator."""


def volume_of_segment(segmentation: vtkMRMLSegmentationNode, segment_id: str) -> Volume:
    """Give a segment's voxels in `ras_mm`, cut to the box they fill; 1 inside, uint8.

    The node is left as it is: no representation is made in it.

    Raises
    ------
    InputError
        There is no such segment.
    EmptySegment
        It is empty.
    """
    import slicer

    segment = _segment(segmentation, segment_id)
    if not segment.GetRepresentation(BINARY_LABELMAP):
        surface = surface_of_segment(segmentation, segment_id)
        filled = voxelise(surface, Grid.around(surface, spacing_mm=SURFACE_SAMPLING_MM))
        return _filled(filled, segmentation, segment_id).cropped()
    volume = _filled(_cut_out(segment), segmentation, segment_id)
    if segmentation.GetParentTransformNode() is None:
        return volume.cropped()
    image = image_of_volume(volume)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    if not logic.ApplyParentTransformToOrientedImageData(segmentation, image):
        raise InputError(f"The transform of '{segmentation.GetName()}' cannot be applied. Harden or remove it.")
    return _filled(volume_of_image(image), segmentation, segment_id).cropped()


def surface_of_segment(segmentation: vtkMRMLSegmentationNode, segment_id: str) -> Surface:
    """Give a segment's closed surface in `ras_mm`.

    A segment whose source is a surface gives that one. Any other is surfaced here, because the surface
    Slicer makes of voxels is smoothed and smaller than the gland.

    Raises
    ------
    InputError
        There is no such segment, or it is empty.
    """
    import slicer

    segment = _segment(segmentation, segment_id)
    if segment.GetRepresentation(BINARY_LABELMAP) and not _made_of_surfaces(segmentation):
        return surface_from_mask(volume_of_segment(segmentation, segment_id))
    polydata = _polydata()
    stored = segment.GetRepresentation(CLOSED_SURFACE)
    if stored is not None:
        polydata.DeepCopy(stored)
        slicer.vtkSlicerSegmentationsModuleLogic.ApplyParentTransformToPolyData(segmentation, polydata)
    surface = surface_of(polydata)
    if len(surface.faces) == 0:
        raise EmptySegment(_emptiness(segmentation, segment_id))
    # Slicer may hold a surface inside out, after a mirroring transform for one.
    return surface if surface.volume > 0 else Surface(surface.vertices, surface.faces[:, ::-1])


def placement_of_patient(
    segmentation: vtkMRMLSegmentationNode,
    trachea_id: str,
    thyroid_id: str = "",
    alignment: str = ALIGNMENTS[0],
) -> Placement:
    """Return the trachea frame of a patient from the segments of trachea and thyroid, without their islands.

    Parameters
    ----------
    thyroid_id : str
        Only needed for the upright alignment.
    alignment : str
        One of `ALIGNMENTS`; a model's is in its frame.

    Raises
    ------
    InputError
        There is no such segment, it is empty, or the alignment needs a thyroid and none is given.
    """
    trachea = mask_in_scan(volume_of_segment(segmentation, trachea_id))
    trachea = without_islands(trachea, TRACHEA_COMPONENTS)[0].volume
    thyroid = None
    if thyroid_id and alignment == "upright":
        thyroid = without_islands(mask_in_scan(volume_of_segment(segmentation, thyroid_id)))[0].volume
    return Placement.of_patient(alignment, trachea, thyroid)


def features_of_segment(segmentation: vtkMRMLSegmentationNode, segment_id: str, placement: Placement) -> Features:
    """Measure a thyroid's segment in the trachea frame of its patient.

    Raises
    ------
    InputError
        There is no such segment, or it is empty.
    """
    surface = surface_of_segment(segmentation, segment_id)
    return measure_features(surface.moved(placement.to_trachea(surface.vertices)))


def grid_of_ct(ct: vtkMRMLScalarVolumeNode) -> Grid:
    """Give the grid of a CT as it lies in the scene, parent transform applied.

    Raises
    ------
    InputError
        The CT has no voxels, or lies under a transform that bends its grid.
    """
    image = ct.GetImageData()
    if image is None:
        raise InputError(f"'{ct.GetName()}' has no voxels. Load the CT again.")
    transform = ct.GetParentTransformNode()
    to_world = np.eye(4)
    if transform is not None:
        if not transform.IsTransformToWorldLinear():
            raise InputError(
                f"'{ct.GetName()}' lies under a transform that bends its grid. Harden or remove the transform."
            )
        matrix = _matrix()
        transform.GetMatrixTransformToWorld(matrix)
        to_world = _array(matrix)
    return Grid(image.GetDimensions()[::-1], to_world @ ijk_to_local(ct))


def ijk_to_local(volume: vtkMRMLScalarVolumeNode) -> np.ndarray:
    """Give the (4, 4) geometry of a volume node without its parent transform: that of its file."""
    matrix = _matrix()
    volume.GetIJKToRASMatrix(matrix)
    return _array(matrix)


def volume_of_image(image: vtkOrientedImageData) -> Volume:
    """Give an oriented image as a volume; its extent need not begin at 0."""
    from vtkmodules.util.numpy_support import vtk_to_numpy

    scalars = image.GetPointData().GetScalars()
    if scalars is None or min(image.GetDimensions()) < 1:
        return Volume(np.zeros((1, 1, 1), dtype=np.uint8), np.eye(4))
    grid = grid_of_image(image)
    return Volume(vtk_to_numpy(scalars).reshape(grid.size_kji), grid.ijk_to_ras)


def grid_of_image(image: vtkOrientedImageData) -> Grid:
    """Give the grid of an oriented image, whose extent need not begin at 0 and which may have no voxels."""
    matrix = _matrix()
    image.GetImageToWorldMatrix(matrix)
    geometry = _array(matrix)
    geometry[:3, 3] += geometry[:3, :3] @ np.array(image.GetExtent()[::2], dtype=np.float64)
    return Grid(image.GetDimensions()[::-1], geometry)


def image_of_volume(volume: Volume) -> vtkOrientedImageData:
    """Give a volume as a new oriented image, unsigned char."""
    import slicer
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonCore import VTK_UNSIGNED_CHAR

    image = slicer.vtkOrientedImageData()
    image.SetDimensions(*reversed(volume.array.shape))
    scalars = numpy_to_vtk(volume.array.astype(np.uint8).ravel(), deep=True, array_type=VTK_UNSIGNED_CHAR)
    image.GetPointData().SetScalars(scalars)
    matrix = _matrix()
    matrix.DeepCopy(volume.ijk_to_ras.ravel().tolist())
    image.SetGeometryFromImageToWorldMatrix(matrix)
    return image


def _segment(segmentation, segment_id: str):
    segment = segmentation.GetSegmentation().GetSegment(segment_id) if segment_id else None
    if segment is None:
        raise InputError(f"'{segmentation.GetName()}' has no segment '{segment_id}'. Choose another segment.")
    return segment


def _cut_out(segment) -> Volume:
    """Cut a segment's voxels, with a margin, out of the label map that it shares with others.

    A scan's label map has 100 million voxels: it is looked through slice by slice, and not copied.
    """
    whole = volume_of_image(segment.GetRepresentation(BINARY_LABELMAP))
    value = segment.GetLabelValue()
    slices = [k for k, labels in enumerate(whole.array) if (labels == value).any()]
    if not slices:
        return Volume(np.zeros((1, 1, 1), dtype=np.uint8), whole.ijk_to_ras)
    filled = whole.array[slices[0] : slices[-1] + 1] == value
    shift = whole.ijk_to_ras.copy()
    shift[:3, 3] = whole.to_ras([0, 0, slices[0]])
    return Volume(filled.view(np.uint8), shift).cropped(margin=_MARGIN_VOXELS)


def _made_of_surfaces(segmentation) -> bool:
    return segmentation.GetSegmentation().GetSourceRepresentationName() == CLOSED_SURFACE


def _filled(volume: Volume, segmentation, segment_id: str) -> Volume:
    if not volume.array.any():
        raise EmptySegment(_emptiness(segmentation, segment_id))
    return volume


def _emptiness(segmentation, segment_id: str) -> str:
    name = segmentation.GetSegmentation().GetSegment(segment_id).GetName()
    return f"The segment '{name}' of '{segmentation.GetName()}' is empty. Choose another segment or draw it first."


def _matrix():
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    return vtkMatrix4x4()


def _polydata():
    from vtkmodules.vtkCommonDataModel import vtkPolyData

    return vtkPolyData()


def _array(matrix) -> np.ndarray:
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
