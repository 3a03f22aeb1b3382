"""Where slices and cameras are: fitted to a patient once, and afterwards moved only if a slice misses the gland."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.slicer.scene.nodes import nodes_of
from ThyroidSynthLib.slicer.scene.volumes import volume_of_segment

from .overlay import look_from_front

if TYPE_CHECKING:
    from slicer import vtkMRMLScene, vtkMRMLSegmentationNode, vtkMRMLSliceNode

    from ThyroidSynthLib.geometry.volume import Volume

# What views show of the patient: this much of the gland's largest extent, within limits.
_SHARE_SHOWN = 1.5
_SMALLEST_VIEW_MM, _LARGEST_VIEW_MM = 100.0, 200.0
_SHARE_SHOWN_3D = 1.2
# More voxels do not change the best slice.
_MOST_POINTS = 100_000


def fit_views(segmentation: vtkMRMLSegmentationNode, segment_id: str) -> None:
    """Fit all views to a gland that was just loaded: slices through most of it, cameras in front of it.

    Nothing is moved if the segment is empty.
    """
    gland = _volume(segmentation, segment_id)
    if gland is None:
        return
    scene, points = segmentation.GetScene(), _points(gland)
    lower, upper = points.min(axis=0), points.max(axis=0)
    extent = float((upper - lower).max())
    shown = float(np.clip(_SHARE_SHOWN * extent, _SMALLEST_VIEW_MM, _LARGEST_VIEW_MM))
    for node in nodes_of(scene, "vtkMRMLSliceNode"):
        width, height, depth = node.GetFieldOfView()
        factor = shown / min(width, height) if min(width, height) > 0 else 1.0
        # A scan smaller than that is shown whole.
        if factor < 1:
            node.SetFieldOfView(factor * width, factor * height, depth)
        _jump(node, points, _step(gland))
    _look_from_front(scene, lower, upper)


def stand_on(segmentation: vtkMRMLSegmentationNode, segment_id: str) -> None:
    """Move those slice views to a gland that do not show it; cameras and all others stay where they are.

    Nothing is moved if the segment is missing or empty.
    """
    gland = _volume(segmentation, segment_id)
    if gland is None:
        return
    points = _points(gland)
    for node in nodes_of(segmentation.GetScene(), "vtkMRMLSliceNode"):
        if not _shows(node, points, _step(gland)):
            _jump(node, points, _step(gland))


def look_at(segmentation: vtkMRMLSegmentationNode, segment_id: str) -> None:
    """Move all views to a gland that they do not show, as after another patient was chosen: slices and cameras.

    Nothing is moved if the segment is missing or empty.
    """
    stand_on(segmentation, segment_id)
    gland = _volume(segmentation, segment_id)
    if gland is None:
        return
    points = _points(gland)
    lower, upper = points.min(axis=0), points.max(axis=0)
    if any(not _sees(each, (lower + upper) / 2) for each in nodes_of(segmentation.GetScene(), "vtkMRMLCameraNode")):
        _look_from_front(segmentation.GetScene(), lower, upper)


def _look_from_front(scene: vtkMRMLScene, lower: np.ndarray, upper: np.ndarray) -> None:
    look_from_front(scene, (lower + upper) / 2, max(_SHARE_SHOWN_3D * float((upper - lower).max()), 40.0))


def _sees(camera, centre_ras: np.ndarray) -> bool:
    """Check whether a position is within half the height of what a camera shows around its focal point."""
    focus, position = np.array(camera.GetFocalPoint()), np.array(camera.GetPosition())
    distance = float(np.linalg.norm(position - focus))
    if camera.GetParallelProjection():
        half_height = camera.GetParallelScale()
    else:
        half_height = distance * float(np.tan(np.radians(camera.GetViewAngle() / 2)))
    return float(np.linalg.norm(centre_ras - focus)) < half_height


def _volume(segmentation, segment_id: str) -> Volume | None:
    try:
        return volume_of_segment(segmentation, segment_id)
    except InputError:
        return None


def _points(gland: Volume) -> np.ndarray:
    inside = np.argwhere(gland.array)
    return gland.to_ras(inside[:: len(inside) // _MOST_POINTS + 1, ::-1])


def _step(gland: Volume) -> float:
    return float(gland.spacing_mm.max())


def _frame_of(node: vtkMRMLSliceNode) -> tuple[np.ndarray, np.ndarray]:
    """Return the centre of a slice in `ras_mm`, and its axes right, up and out of it as columns, shape (3, 3)."""
    import slicer

    matrix = slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())
    return matrix[:3, 3], matrix[:3, :3]


def _shows(node: vtkMRMLSliceNode, points: np.ndarray, step: float) -> bool:
    """Check whether a slice passes through a gland and the centre of what it cuts is in sight."""
    centre, axes = _frame_of(node)
    place = (points - centre) @ axes
    cut = place[np.abs(place[:, 2]) <= step / 2]
    if len(cut) == 0:
        return False
    width, height, _depth = node.GetFieldOfView()
    right, up, _ = (cut.min(axis=0) + cut.max(axis=0)) / 2
    return abs(right) < width / 2 and abs(up) < height / 2


def _jump(node: vtkMRMLSliceNode, points: np.ndarray, step: float) -> None:
    """Move a slice to where it cuts most of a gland, and centre it on the gland."""
    centre, axes = _frame_of(node)
    place = (points - centre) @ axes
    layers = np.rint(place[:, 2] / step).astype(int)
    count = np.bincount(layers - layers.min())
    # The middle one of those that cut about as much.
    best = np.flatnonzero(count >= 0.98 * count.max())
    depth = (best[len(best) // 2] + layers.min()) * step
    right, up = ((place.min(axis=0) + place.max(axis=0)) / 2)[:2]
    node.JumpSliceByCentering(*(centre + axes @ [right, up, depth]).tolist())
