"""Load the CT of a case, by Slicer's reader or, where that refuses the file, by the library's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.imaging.volume_files import check_image, read_volume

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLStorableNode, vtkMRMLStorageNode

SOFT_TISSUE_WINDOW_HU = 400.0
SOFT_TISSUE_LEVEL_HU = 60.0

# Cosine of the angle of two axes up to which a volume node shows an image as it is: 0.1 degrees, which moves the
# borders of slices by half a voxel at most.
_NEARLY_STRAIGHT = 2e-3


def load_ct(scene: vtkMRMLScene, path: Path, *, name: str) -> tuple[vtkMRMLScalarVolumeNode | None, tuple[str, ...]]:
    """Load a CT with a soft-tissue window.

    A CT that Slicer cannot read, because its axes are not at right angles, is read by the library: as it is if they
    nearly are, else resampled.

    Returns
    -------
    ct : vtkMRMLScalarVolumeNode or None
        None if the file cannot be read; a segmentation can be used without it.
    notes : tuple of str
        Remarks for the user on how the CT was read, or why it was not.
    """
    notes: tuple[str, ...] = ()
    try:
        check_image(path)
        try:
            volume = _by_slicer(scene, path, name)
        except InputError:
            volume, notes = _by_library(scene, path, name)
    except InputError as error:
        return None, (f"the CT is left out: {error}",)
    volume.CreateDefaultDisplayNodes()
    display = volume.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(SOFT_TISSUE_WINDOW_HU, SOFT_TISSUE_LEVEL_HU)
    return volume, notes


def read_into_node(scene: vtkMRMLScene, path: Path, storage: vtkMRMLStorageNode, node: vtkMRMLStorableNode) -> None:
    """Read a file into a node by Slicer and keep its path, so that a saved scene refers to the file.

    `InputError` if that fails; then both nodes are removed.
    """
    storage.SetFileName(str(path))
    node.SetAndObserveStorageNodeID(storage.GetID())
    if path.is_file() and storage.ReadData(node):
        return
    scene.RemoveNode(node)
    scene.RemoveNode(storage)
    raise InputError(f"Slicer cannot read {path}. Check that the file exists and is not damaged.")


def _by_slicer(scene, path: Path, name: str) -> vtkMRMLScalarVolumeNode:
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", scene.GenerateUniqueName(name))
    storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    read_into_node(scene, path, storage, volume)
    return volume


def _by_library(scene, path: Path, name: str) -> tuple[vtkMRMLScalarVolumeNode, tuple[str, ...]]:
    import slicer

    volume = read_volume(path)
    deviation = volume.grid.deviation_from_right_angles()
    notes: tuple[str, ...] = ()
    if deviation > _NEARLY_STRAIGHT:
        volume = volume.straightened()
        notes = ("the axes of the CT's file are not at right angles; the CT is shown resampled",)
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", scene.GenerateUniqueName(name))
    slicer.util.updateVolumeFromArray(node, volume.array)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(volume.ijk_to_ras))
    return node, notes
