"""What a reader of a reader study sees: one anonymous shape, alone or over a CT, always in the same style and view.

Shape and CT are nodes of their own that neither Data nor a saved scene has. Everything else is hidden meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.polydata import polydata_of
from ThyroidSynthLib.slicer.scene.nodes import add_hidden_node, node_with, nodes_of, remove_node
from ThyroidSynthLib.slicer.scene.volumes import CLOSED_SURFACE

from .overlay import jump_slices, look_from_front
from .view_state import ViewState

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode

    from ThyroidSynthLib.geometry.surface import Surface
    from ThyroidSynthLib.geometry.volume import Volume

ATTRIBUTE = "ThyroidSynth.StudyCase"

_NAME, _CT_NAME = "Shape of the reader study", "CT of the reader study"
_SEGMENT_ID = "shape"
_COLOUR = (0.95, 0.72, 0.35)
_FILL_OPACITY = 0.2
_WINDOW_HU, _LEVEL_HU = 400.0, 60.0
# Width of slice views in multiples of the largest shape.
_SHOWN_SIZES = 2.0


def shown_shape(scene: vtkMRMLScene) -> vtkMRMLSegmentationNode | None:
    """Return the node that shows the shape of a study; None when no study runs."""
    return node_with(scene, "vtkMRMLSegmentationNode", ATTRIBUTE, "shape")


class StudyDisplay:
    """The views during a reader study, from its creation to `end`.

    Parameters
    ----------
    ct : Volume, optional
        Shown below the shapes.
    size_mm : float
        Extent of the largest shape, by which distances of cameras are chosen for all.

    Raises
    ------
    InputError
        A study runs already.
    """

    def __init__(self, scene: vtkMRMLScene, *, ct: Volume | None, size_mm: float) -> None:
        import slicer

        if shown_shape(scene) is not None:
            raise InputError("A reader study is running already. Pause it first.")
        self._scene, self._size_mm = scene, size_mm
        self._hidden: dict[str, Any] = {}
        self._views = ViewState(scene)
        self._during: ViewState | None = None
        self._shape = self._add_shape()
        self._ct = self._add_ct(ct) if ct is not None else None
        self._hide_others()
        for node in nodes_of(scene, "vtkMRMLSliceNode"):
            node.SetSliceVisible(False)
        slicer.util.setSliceViewerLayers(
            background=self._ct, foreground=None, label=None, foregroundOpacity=0.0, labelOpacity=0.0
        )

    def show(self, surface_ras: Surface) -> None:
        """Show a shape, in `ras_mm`, instead of the one before, with all cameras and slices at its centre."""
        contents = self._shape.GetSegmentation()
        polydata = polydata_of(surface_ras, normals=True)
        segment = contents.GetSegment(_SEGMENT_ID)
        if segment is None:
            self._shape.AddSegmentFromClosedSurfaceRepresentation(polydata, _NAME, _COLOUR, _SEGMENT_ID)
            display = self._shape.GetDisplayNode()
            display.SetPreferredDisplayRepresentationName2D(CLOSED_SURFACE)
            display.SetPreferredDisplayRepresentationName3D(CLOSED_SURFACE)
            display.SetSegmentOpacity2DFill(_SEGMENT_ID, _FILL_OPACITY)
        else:
            segment.AddRepresentation(CLOSED_SURFACE, polydata)
        self._hide_others()
        self._look_at(surface_ras)

    def before_save(self) -> None:
        """Show everything as it was, because the saved scene may be opened without this study."""
        if self._during is None:
            self._during = ViewState(self._scene)
            self._shape.GetDisplayNode().SetVisibility(False)
            self._show_others()
            self._views.restore()

    def after_save(self) -> None:
        """Show the shape alone again."""
        if self._during is not None:
            self._during.restore()
            self._during = None
            self._hide_others()

    def end(self) -> None:
        """Remove shape and CT, and show everything as it was before."""
        for node in (self._shape, self._ct):
            if node is not None and node.GetScene() is not None:
                remove_node(node)
        if not self._scene.IsClosing():
            self._show_others()
            self._views.restore()

    def _add_shape(self) -> vtkMRMLSegmentationNode:
        node = add_hidden_node(self._scene, "vtkMRMLSegmentationNode", _NAME, ATTRIBUTE, "shape")
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().SetSaveWithScene(False)
        node.SetSourceRepresentationToClosedSurface()
        return node

    def _add_ct(self, ct: Volume) -> vtkMRMLScalarVolumeNode:
        import slicer

        node = add_hidden_node(self._scene, "vtkMRMLScalarVolumeNode", _CT_NAME, ATTRIBUTE, "ct")
        slicer.util.updateVolumeFromArray(node, ct.array)
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(ct.ijk_to_ras))
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        display.SetSaveWithScene(False)
        display.SetAutoWindowLevel(False)
        display.SetWindowLevel(_WINDOW_HU, _LEVEL_HU)
        return node

    def _look_at(self, surface_ras: Surface) -> None:
        """Show a shape from the front, at a distance that is the same for all shapes."""
        lower, upper = surface_ras.bounds
        centre = (lower + upper) / 2
        look_from_front(self._scene, centre, self._size_mm)
        for node in nodes_of(self._scene, "vtkMRMLSliceNode"):
            width, height = (max(size, 1) for size in node.GetDimensions()[:2])
            per_pixel = _SHOWN_SIZES * self._size_mm / min(width, height)
            node.SetFieldOfView(width * per_pixel, height * per_pixel, node.GetFieldOfView()[2])
        jump_slices(self._scene, centre)

    def _hide_others(self) -> None:
        """Hide whatever is shown besides the shape, also what was shown since the last time."""
        own = self._shape.GetDisplayNode()
        for display in nodes_of(self._scene, "vtkMRMLDisplayNode"):
            # A volume is shown by the layers of the slice views, unless it is rendered in 3D.
            of_slices = display.IsA("vtkMRMLVolumeDisplayNode") and not display.IsA("vtkMRMLVolumeRenderingDisplayNode")
            if display is not own and not of_slices and display.GetVisibility():
                self._hidden[display.GetID()] = display
                display.SetVisibility(False)
        own.SetVisibility(True)

    def _show_others(self) -> None:
        for display in self._hidden.values():
            if display.GetScene() is not None:
                display.SetVisibility(True)
        self._hidden.clear()
