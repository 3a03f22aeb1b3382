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
from ThyroidSynthLib.imaging.nifti import is_nifti
from ThyroidSynthLib.imaging.segmentations.opening import open_segmentation
from ThyroidSynthLib.imaging.volume_files import check_image
from ThyroidSynthLib.slicer.scene.lobes import join_lobes
from ThyroidSynthLib.slicer.scene.terminology import COLOURS, mark_as, thyroid_lobes
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import place_beside
from ThyroidSynthLib.slicer.scene.volumes import CLOSED_SURFACE, image_of_volume

from .ct_loading import load_ct, read_into_node
from .ct_placement import lies_in, shift_to_shown

if TYPE_CHECKING:
    import numpy as np
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode

    from ThyroidSynthLib.dataset.case_sources import CaseSource

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
        The segmentation cannot be read; nothing is left in the scene, nor is it after `Cancelled`.
    """
    added = []
    notes: tuple[str, ...] = ()
    try:
        if source.ct_path is not None:
            progress(0.0, f"Reading {source.ct_path.name}")
            ct, notes = load_ct(scene, source.ct_path, name=f"{source.id} CT")
            added += [ct] if ct is not None else []
        check(should_stop)
        progress(0.4, f"Reading the segmentation of {source.id}")
        if source.kind == "segmentation" and source.labels_path is not None:
            segmentation = load_segmentation(scene, source.labels_path, name=source.id)
            notes += _join_lobes(segmentation) or _remarks_on(source.labels_path)
        else:
            # Other formats have one placement; a NIfTI segmentation is where its CT's file is, not its node.
            shift = shift_to_shown(ct) if ct is not None and is_nifti(source.files[0]) else None
            segmentation, remarks = _segmentation_of_case(scene, source, shift)
            notes += remarks
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


def load_segmentation(scene: vtkMRMLScene, path: Path, *, name: str) -> vtkMRMLSegmentationNode:
    """Load a Slicer segmentation (.seg.nrrd) with all its segments; raise `InputError` if it cannot be read."""
    check_image(path)
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", scene.GenerateUniqueName(name))
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    read_into_node(scene, path, storage, segmentation)
    segmentation.CreateDefaultDisplayNodes()
    return segmentation


def _segmentation_of_case(
    scene, source: CaseSource, shift: np.ndarray | None
) -> tuple[vtkMRMLSegmentationNode, tuple[str, ...]]:
    """Make a segmentation of a case's masks, read by the library's reader so that geometry has one reader."""
    case = read_case(source)
    if case.thyroid_mask.is_empty and case.trachea_mask.is_empty:
        raise InputError(
            f"{source.id} has neither a thyroid nor a trachea: {', '.join(case.notes) or 'both masks are empty'}. "
            "Check the segmentation."
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


def _remarks_on(path: Path) -> tuple[str, ...]:
    """Return remarks on the choice of the segments of thyroid and trachea in a file."""
    try:
        return open_segmentation(path).structures()[1]
    except InputError as error:
        # Several may be the structure; the first is taken, and the user can choose another.
        return (str(error),)


def _join_lobes(segmentation: vtkMRMLSegmentationNode) -> tuple[str, ...]:
    """Add a segment of the whole thyroid if there are only its lobes; return a remark if so."""
    lobes = thyroid_lobes(segmentation)
    if not lobes:
        return ()
    content = segmentation.GetSegmentation()
    names = ", ".join(content.GetSegment(each).GetName() for each in lobes)
    joined = content.GetSegment(join_lobes(segmentation, lobes)).GetName()
    return (f"the thyroid was joined from its parts ({names}) as the segment '{joined}'",)
