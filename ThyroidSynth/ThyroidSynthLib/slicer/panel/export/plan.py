"""From the choices of the section Export to the arguments of the library: thyroids, files and the patient's map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.export.merging import MergeRules
from ThyroidSynthLib.imaging.label_maps import BACKGROUND
from ThyroidSynthLib.slicer.panel.generate.targets import targetsOf
from ThyroidSynthLib.slicer.panel.shared.choices import ExportWhat, LabelGridChoice, MergeOverlaps
from ThyroidSynthLib.slicer.panel.shared.parameters import ThyroidSynthParameterNode
from ThyroidSynthLib.slicer.scene.merged_map import map_of_segmentation, map_of_volume
from ThyroidSynthLib.slicer.scene.thyroids.export import SceneFiles
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import generated_thyroids

if TYPE_CHECKING:
    from slicer import vtkMRMLSegmentationNode

    from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop
    from ThyroidSynthLib.slicer.scene.merged_map import PatientMap

UNTICKED = "ThyroidSynth.NotExported"
"""Attribute of a thyroid's node that the user has excluded from the export."""

TARGET_OPTIONS = {"volume_ml": "--volume", "isthmus_area_mm2": "--isthmus-area", "symmetry": "--symmetry"}
"""Options of the commands for the targets."""

# Colour tables may have thousands of entries, too many for a combo box.
_MAX_NAMES = 256


def chosenThyroids(parameters: ThyroidSynthParameterNode) -> list[vtkMRMLSegmentationNode]:
    """Return the thyroids to export.

    Raises
    ------
    InputError
        There are none.
    """
    thyroids = generated_thyroids(slicer.mrmlScene)
    if parameters.exportWhat is ExportWhat.CURRENT:
        thyroids = [parameters.result] if parameters.result in thyroids else []
    elif parameters.exportWhat is ExportWhat.CHOSEN:
        thyroids = [node for node in thyroids if node.GetAttribute(UNTICKED) is None]
    if not thyroids:
        raise InputError(_("There is no thyroid to export. Generate one, or choose which ones to export."))
    return thyroids


def targetArguments(parameters: ThyroidSynthParameterNode) -> list[str]:
    """Return the options of a command for the targets of the section Create."""
    return [
        argument for name, value in targetsOf(parameters).items() for argument in (TARGET_OPTIONS[name], f"{value:.9g}")
    ]


def meshFormats(parameters: ThyroidSynthParameterNode) -> tuple[str, ...]:
    """Return the file formats of the surfaces to export."""
    ticked = {"ply": parameters.exportPly, "stl": parameters.exportStl, "obj": parameters.exportObj}
    return tuple(suffix for suffix, chosen in ticked.items() if chosen)


def spacingOf(parameters: ThyroidSynthParameterNode) -> tuple[float, float, float]:
    """Return the voxel size of a separate grid along R, A and S, in mm."""
    return parameters.spacingRMm, parameters.spacingAMm, parameters.spacingSMm


def sceneFiles(parameters: ThyroidSynthParameterNode) -> SceneFiles:
    """Return the files to write for each thyroid, without the patient's map.

    Raises
    ------
    InputError
        No files are chosen, or label maps on the CT's grid are chosen without a CT.
    """
    onCt = parameters.labelGrid is LabelGridChoice.CT
    if parameters.exportLabels and onCt and parameters.ct is None:
        raise InputError(_("There is no CT for the grid of the label map. Choose a CT, or a separate grid."))
    meshes = meshFormats(parameters)
    if not (parameters.exportLabels or meshes or parameters.exportMerged):
        raise InputError(_("No files are chosen. Tick a label map or a surface."))
    return SceneFiles(
        label_format=parameters.labelFormat.value if parameters.exportLabels else None,
        ct=parameters.ct if onCt else None,
        spacing_mm=spacingOf(parameters),
        mesh_formats=meshes,
        mesh_space=parameters.meshSpace.value,
    )


def mergeRules(patient: PatientMap, parameters: ThyroidSynthParameterNode) -> MergeRules:
    """Return how a thyroid is merged into the patient's map.

    Raises
    ------
    InputError
        The structure chosen for the voxels of the old thyroid is not in the map.
    """
    becomes = BACKGROUND
    if parameters.mergeOld:
        labels = [label for label, name in patient.labels.names.items() if name == parameters.mergeOld]
        if not labels:
            text = _("The patient's map has no structure '{name}' to replace the old thyroid. Choose another one.")
            raise InputError(text.format(name=parameters.mergeOld))
        becomes = labels[0]
    return MergeRules(patient.thyroid_label, becomes, overwrite=parameters.mergeOverlaps is MergeOverlaps.OVERWRITE)


def patientMap(parameters: ThyroidSynthParameterNode, progress: ProgressCallback, shouldStop: ShouldStop) -> PatientMap:
    """Return all structures of the patient on one grid.

    Raises
    ------
    InputError
        Neither a label map volume nor segmentation and CT are chosen, or they cannot be used.
    """
    if parameters.mergeLabels is not None:
        return map_of_volume(parameters.mergeLabels, parameters.mergeThyroidLabel or None)
    if parameters.segmentation is None or parameters.ct is None:
        raise InputError(_("The merged label map needs the patient's segmentation and CT, or a label map volume."))
    return map_of_segmentation(
        parameters.segmentation, parameters.thyroidSegmentID, parameters.ct, progress=progress, should_stop=shouldStop
    )


def structureNames(parameters: ThyroidSynthParameterNode) -> list[str]:
    """Return the names of the structures that can replace the old thyroid, without reading voxels."""
    if parameters.mergeLabels is not None:
        display = parameters.mergeLabels.GetDisplayNode()
        colours = display.GetColorNode() if display is not None else None
        if colours is None:
            return []
        names = [colours.GetColorName(label) for label in range(1, min(colours.GetNumberOfColors(), _MAX_NAMES))]
        return [name for name in names if name and name != "(none)"]
    if parameters.segmentation is None:
        return []
    content = parameters.segmentation.GetSegmentation()
    ids = [each for each in content.GetSegmentIDs() if each != parameters.thyroidSegmentID]
    return [content.GetSegment(each).GetName() for each in ids]
