"""The real MRML scene and the real logics of Slicer's modules, wired as the application wires them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import slicer
import vtk

from .strictness import faults

TERMINOLOGIES = Path(__file__).parent / "terminologies"

LOGICS = {
    "Colors": "vtkSlicerColorLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "Terminologies": "vtkSlicerTerminologiesModuleLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Data": "vtkSlicerDataModuleLogic",
    "Models": "vtkSlicerModelsLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "CropVolume": "vtkSlicerCropVolumeLogic",
    "Units": "vtkSlicerUnitsLogic",
}
# Nodes of these classes get a subject hierarchy item by themselves (by a plugin of their module).
IN_SUBJECT_HIERARCHY = (
    "vtkMRMLVolumeNode",
    "vtkMRMLSegmentationNode",
    "vtkMRMLModelNode",
    "vtkMRMLMarkupsNode",
    "vtkMRMLTransformNode",
    "vtkMRMLTableNode",
    "vtkMRMLTextNode",
)


@dataclass
class SceneAndLogics:
    """What :func:`start` made; kept alive as long as the application.

    Attributes
    ----------
    baseline : set of str
        IDs of the nodes that are the application's own and outlive a test.
    """

    scene: object
    application_logic: object
    logics: dict[str, object]
    baseline: set[str] = field(default_factory=set)
    kept: list[object] = field(default_factory=list)


def start(cache_folder: Path) -> SceneAndLogics:
    """Make the scene and the logics.

    Parameters
    ----------
    cache_folder : pathlib.Path
        Folder for files that remote data handling may write (scene bundles need it).
    """
    scene = slicer.vtkMRMLScene()
    crosshair = slicer.vtkMRMLCrosshairNode()
    crosshair.SetCrosshairName("default")
    scene.AddNode(crosshair)
    application_logic = slicer.vtkSlicerApplicationLogic()
    application_logic.SetMRMLScene(scene)
    application_logic.SetTemporaryPath(str(cache_folder))
    application_logic.SetHomeDirectory(str(cache_folder))
    application_logic.SetShareDirectory("share")
    (cache_folder / "share" / "ColorFiles").mkdir(parents=True)
    colors = application_logic.GetColorLogic()
    colors.SetMRMLScene(scene)
    colors.AddDefaultColorNodes()
    application_logic.SetSliceLogics(vtk.vtkCollection())
    application_logic.SetViewLogics(vtk.vtkCollection())
    started = SceneAndLogics(scene, application_logic, {})
    for name, class_name in LOGICS.items():
        logic = getattr(slicer, class_name)()
        if name == "Terminologies":
            logic.SetModuleShareDirectory(str(TERMINOLOGIES))
        # Set first: the colour logic looks for its files as soon as it has a scene.
        logic.SetMRMLApplicationLogic(application_logic)
        logic.SetMRMLScene(scene)
        application_logic.SetModuleLogic(name, logic)
        started.logics[name] = logic
    _handle_remote_data(started, cache_folder)
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    _keep_subject_hierarchy(scene)
    return started


def _handle_remote_data(started: SceneAndLogics, cache_folder: Path) -> None:
    remote = slicer.vtkMRMLRemoteIOLogic()
    remote.SetMRMLScene(started.scene)
    remote.SetMRMLApplicationLogic(started.application_logic)
    remote.GetCacheManager().SetRemoteCacheDirectory(str(cache_folder))
    data = slicer.vtkDataIOManagerLogic()
    data.SetMRMLScene(started.scene)
    data.SetMRMLApplicationLogic(started.application_logic)
    data.SetAndObserveDataIOManager(remote.GetDataIOManager())
    remote.AddDataIOToScene()
    started.kept += [remote, data]


def _keep_subject_hierarchy(scene) -> None:
    """Add a subject hierarchy item for each added node and remove it with the node, as Slicer's Qt plugins do."""

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def on_added(caller, event, node) -> None:
        listed = node is not None and any(node.IsA(kind) for kind in IN_SUBJECT_HIERARCHY)
        if listed and not node.GetHideFromEditors() and not scene.IsImporting():
            hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
            hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def on_about_to_be_removed(caller, event, node) -> None:
        if node is None or scene.IsClosing() or node.IsA("vtkMRMLSubjectHierarchyNode"):
            return
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
        item = hierarchy.GetItemByDataNode(node)
        if item:
            hierarchy.RemoveItem(item, False, False)

    slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(scene)
    scene.AddObserver(scene.NodeAddedEvent, on_added)
    scene.AddObserver(scene.NodeAboutToBeRemovedEvent, on_about_to_be_removed)


def clear(started: SceneAndLogics) -> None:
    """Bring the scene back to what it held after the start."""
    scene = started.scene
    scene.Clear(False)
    for index in reversed(range(scene.GetNumberOfNodes())):
        node = scene.GetNthNode(index)
        is_own = node is None or node.GetID() in started.baseline or node.IsA("vtkMRMLSubjectHierarchyNode")
        if not is_own:
            scene.RemoveNode(node)
    if scene.GetNumberOfNodes() == 0:
        faults.add("scene", "The scene lost its own nodes.")
