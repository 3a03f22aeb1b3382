"""Load files of TotalSegmentator or Slicer as a CT node and a segmentation node at the same place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, silent
from ThyroidSynthLib.dataset.cases import read_case
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.labels import STRUCTURES, THYROID, TRACHEA
from ThyroidSynthLib.slicer.scene.terminology import COLOURS, mark_as
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import place_beside
from ThyroidSynthLib.slicer.scene.volumes import CLOSED_SURFACE, image_of_volume

from .ct_placement import is_sheared, lies_in, shift_to_shown

if TYPE_CHECKING:
    import numpy as np
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode

    from ThyroidSynthLib.dataset.case_sources import CaseSource

SOFT_TISSUE_WINDOW_HU = 400.0
SOFT_TISSUE_LEVEL_HU = 60.0

# Surfaces of a hundred segments take a minute; the user can create them in Slicer when needed.
_FEW_SEGMENTS = 8


@dataclass(frozen=True)
class LoadedCase:
    """A case in the scene, with remarks on how it was read.

    The segmentation has thyroid and trachea with names and terminology, where Slicer shows the CT. There is no
    CT when the files hold none and none in the scene fits.
    """

    ct: vtkMRMLScalarVolumeNode | None
    segmentation: vtkMRMLSegmentationNode
    notes: tuple[str, ...] = ()


def load_case(
    scene: vtkMRMLScene,
    source: CaseSource,
    *,
    ct: vtkMRMLScalarVolumeNode | None = None,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> LoadedCase:
    """Load a case found by `dataset.case_sources.find_cases`.

    Parameters
    ----------
    ct : vtkMRMLScalarVolumeNode, optional
        The CT in the scene that the segmentation belongs to, for files without a CT.

    Raises
    ------
    InputError
        A file cannot be read; nothing is left in the scene, nor is it after `Cancelled`.
    """
    added = []
    try:
        if source.ct_path is not None:
            progress(0.0, f"Reading {source.ct_path.name}")
            ct = load_ct(scene, source.ct_path, name=f"{source.id} CT")
            added.append(ct)
        check(should_stop)
        progress(0.4, f"Reading the segmentation of {source.id}")
        notes: tuple[str, ...] = ()
        if source.kind == "segmentation" and source.labels_path is not None:
            segmentation = load_segmentation(scene, source.labels_path, name=source.id)
        else:
            # DICOM has one placement; a NIfTI segmentation is where its CT's file is, not its node.
            shift = shift_to_shown(ct) if ct is not None and source.kind != "dicom" else None
            segmentation, notes = _segmentation_of_case(scene, source, shift)
        added.append(segmentation)
        progress(0.8, "Placing it over the CT")
        check(should_stop)
        if ct is not None and not lies_in(segmentation, ct):
            if source.ct_path is None:
                notes += (f"it is not inside '{ct.GetName()}', which is therefore not used as its CT",)
                ct = None
            else:
                notes += ("it is not inside its own CT, so the geometry of one of the files is wrong",)
        if ct is not None:
            segmentation.SetReferenceImageGeometryParameterFromVolumeNode(ct)
            place_beside(segmentation, ct)
        if segmentation.GetSegmentation().GetNumberOfSegments() <= _FEW_SEGMENTS:
            segmentation.CreateClosedSurfaceRepresentation()
            segmentation.GetDisplayNode().SetPreferredDisplayRepresentationName3D(CLOSED_SURFACE)
        progress(1.0, f"{source.id} is loaded")
        check(should_stop)
    except BaseException:
        for node in added:
            # The scene may have been closed.
            if scene.IsNodePresent(node):
                scene.RemoveNode(node)
        raise
    return LoadedCase(ct, segmentation, notes)


def load_ct(scene: vtkMRMLScene, path: Path, *, name: str) -> vtkMRMLScalarVolumeNode:
    """Load a CT with a soft-tissue window; raise `InputError` if the file cannot be read."""
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", scene.GenerateUniqueName(name))
    storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    try:
        _read(scene, path, storage, volume)
    except InputError:
        if is_sheared(path):
            raise InputError(
                f"Slicer cannot show {path}: its header says that its axes are not at right angles (a sheared sform). "
                "Resample the CT and its segmentation to a straight grid, and load them again."
            ) from None
        raise
    volume.CreateDefaultDisplayNodes()
    display = volume.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(SOFT_TISSUE_WINDOW_HU, SOFT_TISSUE_LEVEL_HU)
    return volume


def load_segmentation(scene: vtkMRMLScene, path: Path, *, name: str) -> vtkMRMLSegmentationNode:
    """Load a Slicer segmentation (.seg.nrrd) with all its segments; raise `InputError` if it cannot be read."""
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", scene.GenerateUniqueName(name))
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    _read(scene, path, storage, segmentation)
    segmentation.CreateDefaultDisplayNodes()
    return segmentation


def _read(scene, path: Path, storage, node) -> None:
    """Read a file into a node and keep its path, so that a saved scene refers to the file."""
    storage.SetFileName(str(path))
    node.SetAndObserveStorageNodeID(storage.GetID())
    if path.is_file() and storage.ReadData(node):
        return
    scene.RemoveNode(node)
    scene.RemoveNode(storage)
    raise InputError(f"Slicer cannot read {path}. Check that the file exists and is not damaged.")


def _segmentation_of_case(
    scene, source: CaseSource, shift: np.ndarray | None
) -> tuple[vtkMRMLSegmentationNode, tuple[str, ...]]:
    """Make a segmentation of a case's masks, read by the library's reader so that geometry has one reader."""
    case = read_case(source)
    if case.thyroid_mask.is_empty and case.trachea_mask.is_empty:
        raise InputError(
            f"{source.id} has neither a thyroid nor a trachea: {', '.join(case.notes) or 'both masks are empty'}."
        )
    name = scene.GenerateUniqueName(f"{source.id} segmentation")
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetSourceRepresentationToBinaryLabelmap()
    notes = list(case.notes)
    if shift is not None:
        notes.append("the CT's file holds two placements; the segmentation was moved to where Slicer shows the CT")
    masks = {THYROID: case.thyroid_mask, TRACHEA: case.trachea_mask}
    for structure in STRUCTURES:
        mask, name = masks[structure], structure.name.replace("_", " ")
        if mask.is_empty:
            notes.append(f"the {name} is empty")
            continue
        volume = mask.volume if shift is None else Volume(mask.volume.array, shift @ mask.volume.ijk_to_ras)
        segmentation.AddSegmentFromBinaryLabelmapRepresentation(
            image_of_volume(volume), name, COLOURS[structure], structure.name
        )
        mark_as(segmentation.GetSegmentation().GetSegment(structure.name), structure)
    return segmentation, tuple(dict.fromkeys(notes))
