"""``slicer.app.coreIOManager()``: reads and writes files through the real logics and storage nodes."""

from __future__ import annotations

from pathlib import Path

import slicer

_TYPES = (
    ("SegmentationFile", (".seg.nrrd", ".seg.nhdr", ".seg.vtm")),
    ("SceneFile", (".mrml", ".mrb")),
    ("ModelFile", (".ply", ".stl", ".obj", ".vtp", ".vtk")),
    ("TransformFile", (".h5", ".tfm", ".mat")),
    ("TableFile", (".csv", ".tsv")),
    ("VolumeFile", (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd")),
)


class CoreIOManager:
    """The few file types that a module of this kind loads and saves."""

    def __init__(self, scene, logics: dict[str, object]) -> None:
        self._scene, self._logics = scene, logics

    def fileType(self, path: str) -> str:
        """Name the type of a file from its name."""
        lower = str(path).lower()
        return next((name for name, endings in _TYPES if lower.endswith(endings)), "NoFile")

    def loadNodes(self, file_type: str, properties: dict, loaded, messages=None) -> bool:
        """Load a file into the scene and put the nodes into the collection ``loaded``."""
        path = properties["fileName"]
        name = properties.get("name") or Path(path).name.split(".")[0]
        if not Path(path).is_file():
            return False
        if file_type == "VolumeFile":
            # Bits of the option number: 1 label map, 4 single file.
            options = int(bool(properties.get("labelmap"))) + 4 * int(bool(properties.get("singleFile")))
            node = self._logics["Volumes"].AddArchetypeVolume(path, name, options)
        elif file_type == "SegmentationFile":
            node = self._logics["Segmentations"].LoadSegmentationFromFile(path, True, name)
        elif file_type == "ModelFile":
            system = properties.get("coordinateSystem", slicer.vtkMRMLStorageNode.CoordinateSystemLPS)
            node = self._logics["Models"].AddModel(path, system)
        elif file_type == "SceneFile":
            return self._load_scene(path, clear=bool(properties.get("clear")))
        else:
            raise NotImplementedError(f"The stand-in does not load {file_type}.")
        if node is not None and loaded is not None:
            loaded.AddItem(node)
        return node is not None

    def _load_scene(self, path: str, clear: bool) -> bool:
        if path.lower().endswith(".mrb"):
            return bool(self._scene.ReadFromMRB(path, clear))
        self._scene.SetURL(path)
        return bool(self._scene.Connect() if clear else self._scene.Import())

    def fileWriterFileType(self, node) -> str:
        """Name the type a node is written as."""
        kinds = {"Volume": "VolumeFile", "Segmentation": "SegmentationFile", "Model": "ModelFile"}
        kinds |= {"Transform": "TransformFile", "Table": "TableFile"}
        return next((name for kind, name in kinds.items() if node.IsA(f"vtkMRML{kind}Node")), "NoFile")

    def saveNodes(self, file_type: str, properties: dict, messages=None) -> bool:
        """Write a node, or the whole scene."""
        path = str(properties["fileName"])
        if file_type == "SceneFile":
            if path.lower().endswith(".mrb"):
                return bool(self._scene.WriteToMRB(path))
            if path.lower().endswith(".mrml"):
                self._scene.SetURL(path)
                return bool(self._scene.Commit())
            raise NotImplementedError("The stand-in saves scenes as .mrml and .mrb only.")
        node = self._scene.GetNodeByID(properties["nodeID"])
        storage = node.GetStorageNode()
        if storage is None:
            node.AddDefaultStorageNode(path)
            storage = node.GetStorageNode()
        storage.SetFileName(path)
        storage.SetURI(None)
        return bool(storage.WriteData(node))
