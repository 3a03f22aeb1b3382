"""From the user's choices of an export to what the library takes: thyroids, files, and the patient's map."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.export.merging import MergeRules
from ThyroidSynthLib.imaging.label_maps import BACKGROUND
from ThyroidSynthLib.slicer.panel.shared.export_choices import ExportWhat, LabelGridChoice, MergeOverlaps
from ThyroidSynthLib.slicer.panel.shared.parameters import ThyroidSynthParameterNode
from ThyroidSynthLib.slicer.scene.merged_map import map_of_segmentation, map_of_volume
from ThyroidSynthLib.slicer.scene.thyroids.export import SceneFiles
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import generated_thyroids

if TYPE_CHECKING:
    from slicer import vtkMRMLSegmentationNode

    from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop
    from ThyroidSynthLib.slicer.scene.merged_map import PatientMap

UNTICKED = "ThyroidSynth.NotExported"
"""Attribute of a thyroid's node that the user has taken out of the export."""


def chosenThyroids(parameters: ThyroidSynthParameterNode) -> list[vtkMRMLSegmentationNode]:
    """Give the thyroids that the user wants written.

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
        raise InputError(_("There is no thyroid to export. Make one, or choose which are written."))
    return thyroids


def meshFormats(parameters: ThyroidSynthParameterNode) -> tuple[str, ...]:
    """Give the formats of the surfaces that the user wants."""
    wanted = {"ply": parameters.exportPly, "stl": parameters.exportStl, "obj": parameters.exportObj}
    return tuple(suffix for suffix, ticked in wanted.items() if ticked)


def spacingOf(parameters: ThyroidSynthParameterNode) -> tuple[float, float, float]:
    """Give the voxel size of own grids along R, A and S, in mm."""
    return parameters.spacingRMm, parameters.spacingAMm, parameters.spacingSMm


def sceneFiles(parameters: ThyroidSynthParameterNode) -> SceneFiles:
    """Give the files that each thyroid gets, without the patient's map.

    Raises
    ------
    InputError
        None is chosen, or the CT is missing whose grid is wanted.
    """
    onCt = parameters.labelGrid is LabelGridChoice.CT
    if parameters.exportLabels and onCt and parameters.ct is None:
        raise InputError(_("There is no CT whose grid the label map could have. Choose a CT, or an own grid."))
    meshes = meshFormats(parameters)
    if not (parameters.exportLabels or meshes or parameters.exportMerged):
        raise InputError(_("Nothing is chosen to be written. Tick a label map or a surface."))
    return SceneFiles(
        label_format=parameters.labelFormat.value if parameters.exportLabels else None,
        ct=parameters.ct if onCt else None,
        spacing_mm=spacingOf(parameters),
        mesh_formats=meshes,
        mesh_space=parameters.meshSpace.value,
    )


def withPatient(files: SceneFiles, patient: PatientMap, parameters: ThyroidSynthParameterNode) -> SceneFiles:
    """Add the patient's map with the thyroid replaced."""
    return replace(files, patient=patient, rules=mergeRules(patient, parameters))


def mergeRules(patient: PatientMap, parameters: ThyroidSynthParameterNode) -> MergeRules:
    """Say how a thyroid goes into the patient's map.

    Raises
    ------
    InputError
        The structure that the old thyroid is to become is not in the map.
    """
    becomes = BACKGROUND
    if parameters.mergeOld:
        found = [label for label, name in patient.labels.names.items() if name == parameters.mergeOld]
        if not found:
            raise InputError(
                _("The patient's map has no structure '{name}' that the old thyroid could become.").format(
                    name=parameters.mergeOld
                )
            )
        becomes = found[0]
    return MergeRules(patient.thyroid_label, becomes, overwrite=parameters.mergeOverlaps is MergeOverlaps.OVERWRITE)


def patientMap(parameters: ThyroidSynthParameterNode, progress: ProgressCallback, shouldStop: ShouldStop) -> PatientMap:
    """Give all structures of the patient on one grid.

    Raises
    ------
    InputError
        Neither a label map volume nor segmentation and CT are chosen, or they cannot be used.
    Cancelled
        `stopRequested` said so.
    """
    if parameters.mergeLabels is not None:
        return map_of_volume(parameters.mergeLabels, parameters.mergeThyroidLabel or None)
    if parameters.segmentation is None or parameters.ct is None:
        raise InputError(_("The merged label map needs the patient's segmentation and CT, or a label map volume."))
    return map_of_segmentation(
        parameters.segmentation,
        parameters.thyroidSegmentID,
        parameters.ct,
        progress=progress,
        should_stop=shouldStop,
    )


def structureNames(parameters: ThyroidSynthParameterNode) -> list[str]:
    """Give the structures that the old thyroid might become, without going through any voxels."""
    if parameters.mergeLabels is not None:
        display = parameters.mergeLabels.GetDisplayNode()
        colours = display.GetColorNode() if display is not None else None
        count = colours.GetNumberOfColors() if colours is not None else 0
        names = [colours.GetColorName(label) for label in range(1, min(count, _MOST_NAMES))]
        return [name for name in names if name and name != "(none)"]
    if parameters.segmentation is None:
        return []
    content = parameters.segmentation.GetSegmentation()
    ids = [each for each in content.GetSegmentIDs() if each != parameters.thyroidSegmentID]
    return [content.GetSegment(each).GetName() for each in ids]


# Longer lists help nobody; colour tables may have thousands of entries.
_MOST_NAMES = 256
