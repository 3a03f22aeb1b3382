"""Load a finished phantom into the scene."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.grid import box_of
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.labels import part_called
from ThyroidSynthLib.imaging.segmentations.label_map_reading import read_label_map
from ThyroidSynthLib.slicer.scene.patient.ct_loading import load_ct
from ThyroidSynthLib.slicer.scene.terminology import COLOURS, mark_as
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import place_beside
from ThyroidSynthLib.slicer.scene.volumes import image_of_volume

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode

# What encloses the other structures is hidden at first: it would cover the CT in the slices, and the others in 3D.
_ENCLOSING = ("soft_tissue", "fat", "muscle", "bone", "skin", "body")


def load_phantom(
    scene: vtkMRMLScene, folder: Path, *, name: str, ct: vtkMRMLScalarVolumeNode | None = None
) -> tuple[vtkMRMLSegmentationNode, vtkMRMLScalarVolumeNode | None]:
    """Load the label map of a phantom as a segmentation, and its CT, if it has one, as a volume.

    Parameters
    ----------
    folder : Path
        Of one phantom.
    ct : vtkMRMLScalarVolumeNode, optional
        The CT it was made from, beside which both nodes are placed, under the same transform.

    Raises
    ------
    InputError
        A file is missing or cannot be read.
    """
    labels = read_label_map(_only(folder.glob("labels.*"), folder))
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", scene.GenerateUniqueName(name))
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetSourceRepresentationToBinaryLabelmap()
    array = labels.volume.array
    for label, structure in sorted(labels.names.items()):
        mask = array == label
        if not mask.any():
            continue
        part = Volume(mask.view(np.uint8), labels.volume.ijk_to_ras).part(box_of(mask))
        known = part_called(structure)
        colour = labels.looks[label].colour if label in labels.looks else None
        if known is not None:
            colour = COLOURS[known.structure]
        arguments = [image_of_volume(part), structure.replace("_", " ")] + ([colour] if colour is not None else [])
        segment_id = segmentation.AddSegmentFromBinaryLabelmapRepresentation(*arguments)
        if known is not None and not known.side:
            mark_as(segmentation.GetSegmentation().GetSegment(segment_id), known.structure)
        if structure.startswith(_ENCLOSING):
            segmentation.GetDisplayNode().SetSegmentVisibility(segment_id, False)
    synthetic = None
    if (path := folder / "ct_synthetic.nii.gz").is_file():
        synthetic, _ = load_ct(scene, path, name=f"{name} CT (synthetic)")
    if ct is not None:
        for node in (segmentation, synthetic):
            if node is not None:
                node.SetAndObserveTransformNodeID(ct.GetTransformNodeID())
                place_beside(node, ct)
    return segmentation, synthetic


def _only(paths: Iterable[Path], folder: Path) -> Path:
    path = next(iter(sorted(paths)), None)
    if path is None:
        raise InputError(f"{folder} has no label map of a phantom. Make the phantoms again.")
    return path
