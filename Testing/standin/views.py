"""Slice and 3D views of Slicer, drawn off screen with its real displayable managers."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

SLICE_MANAGERS = (
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLTransformsDisplayableManager2D",
    "vtkMRMLLinearTransformsDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLColorLegendDisplayableManager",
)
THREE_D_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLTransformsDisplayableManager3D",
    "vtkMRMLLinearTransformsDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager3D",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLColorLegendDisplayableManager",
)


class _View:
    """Render window, renderer and displayable managers of one view."""

    def __init__(self, application_logic, factory, managers: tuple[str, ...], size: tuple[int, int]) -> None:
        self.renderer = vtk.vtkRenderer()
        self._add_background()
        self.window = vtk.vtkRenderWindow()
        self.window.SetShowWindow(False)
        self.window.SetOffScreenRendering(1)
        self.window.SetMultiSamples(0)
        self.window.AddRenderer(self.renderer)
        self.window.SetSize(*size)
        self.interactor = vtk.vtkRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.window)
        self.interactor.Initialize()
        factory.SetMRMLApplicationLogic(application_logic)
        for manager in managers:
            if not factory.IsDisplayableManagerRegistered(manager):
                factory.RegisterDisplayableManager(manager)
        self.managers = slicer.vtkMRMLDisplayableManagerGroup()
        self.managers.SetRenderer(self.renderer)
        self.managers.Initialize(factory, self.renderer)
        self.requested_renders = 0
        self._tag = self.managers.AddObserver(vtk.vtkCommand.UpdateEvent, self._on_render_requested)

    def _add_background(self) -> None:
        """Put props into the renderer that have to come before those of the displayable managers."""

    def _on_render_requested(self, caller, event) -> None:
        self.requested_renders += 1

    def render(self) -> None:
        """Draw now; afterwards no render is requested."""
        self.window.Render()
        self.requested_renders = 0

    def grab(self) -> np.ndarray:
        """Draw and read back the picture.

        Returns
        -------
        numpy.ndarray
            (height, width, 3) uint8, first row on top.
        """
        self.render()
        reader = vtk.vtkWindowToImageFilter()
        reader.SetInput(self.window)
        reader.SetInputBufferTypeToRGB()
        reader.ReadFrontBufferOff()
        reader.ShouldRerenderOff()
        reader.Update()
        image = reader.GetOutput()
        width, height, _ = image.GetDimensions()
        pixels = vtk_to_numpy(image.GetPointData().GetScalars())
        return pixels.reshape(height, width, -1)[::-1, :, :3].copy()

    def close(self) -> None:
        """Let go of the scene and of the graphics resources; logic and node live on."""
        self.managers.RemoveObserver(self._tag)
        # Slicer never takes a node from a view that lives on: the view manager then complains about an
        # observation it wants to add twice, which says nothing about the module under test.
        vtk.vtkObject.GlobalWarningDisplayOff()
        self.managers.SetMRMLDisplayableNode(None)
        self.managers.SetRenderer(None)
        vtk.vtkObject.GlobalWarningDisplayOn()
        self.interactor.SetRenderWindow(None)
        self.window.Finalize()


class SliceView(_View):
    """Slice view: the volume's slice, and over it models and segmentations cut by the plane.

    Parameters
    ----------
    logic : vtkMRMLSliceLogic
        Logic that has its slice node.
    application_logic : vtkSlicerApplicationLogic
    size : tuple of int
        Width and height in pixels.
    """

    def __init__(self, logic, application_logic, size: tuple[int, int]) -> None:
        super().__init__(
            application_logic,
            slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance(),
            SLICE_MANAGERS,
            size,
        )
        self.renderer.GetActiveCamera().ParallelProjectionOn()
        overlay = vtk.vtkRenderer()
        overlay.GetActiveCamera().ParallelProjectionOn()
        overlay.SetLayer(1)
        self.window.SetNumberOfLayers(2)
        self.window.SetAlphaBitPlanes(1)
        self.window.AddRenderer(overlay)
        self._shown = None
        self.logic, self.node = logic, logic.GetSliceNode()
        self._logic_tag = self.logic.AddObserver(vtk.vtkCommand.ModifiedEvent, self._on_logic_modified)
        self.style = slicer.vtkMRMLSliceViewInteractorStyle()
        self.style.SetSliceLogic(self.logic)
        self.style.SetDisplayableManagers(self.managers)
        self.managers.SetMRMLDisplayableNode(self.node)
        self.interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        self.style.SetInteractor(self.interactor)
        self._on_logic_modified()

    def _add_background(self) -> None:
        # Added after the managers' actors it would cover the fill of closed surfaces.
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._image = vtk.vtkActor2D()
        self._image.SetMapper(self._mapper)
        self._image.GetProperty().SetDisplayLocationToBackground()
        self._image.SetVisibility(False)
        self.renderer.AddViewProp(self._image)

    def _on_logic_modified(self, *_event) -> None:
        connection = self.logic.GetImageDataConnection()
        if connection is not self._shown:
            self._shown = connection
            self._mapper.SetInputConnection(connection)
            self._image.SetVisibility(connection is not None)

    @property
    def composite_node(self):
        """The node that says which volumes this view shows."""
        return self.logic.GetSliceCompositeNode()

    def fit(self) -> None:
        """Show the whole background volume."""
        self.logic.ResizeSliceNode(*self.window.GetSize())
        self.logic.FitSliceToBackground()
        self.logic.SnapSliceOffsetToIJK()

    def close(self) -> None:
        self.logic.RemoveObserver(self._logic_tag)
        self.style.SetInteractor(None)
        super().close()


class ThreeDView(_View):
    """3D view; parameters as of :class:`SliceView`, with a ``vtkMRMLViewLogic`` and its node."""

    def __init__(self, logic, node, application_logic, size: tuple[int, int]) -> None:
        super().__init__(
            application_logic,
            slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance(),
            THREE_D_MANAGERS,
            size,
        )
        self.style = slicer.vtkMRMLThreeDViewInteractorStyle()
        self.style.SetDisplayableManagers(self.managers)
        self.style.SetInteractor(self.interactor)
        self.logic, self.node = logic, node
        self.managers.SetMRMLDisplayableNode(self.node)

    def camera_node(self):
        """The camera node of this view."""
        manager = self.managers.GetDisplayableManagerByClassName("vtkMRMLCameraDisplayableManager")
        return manager.GetCameraNode()

    def fit(self) -> None:
        """Look from the front at everything that is shown."""
        self.node.SetBoxVisible(0)
        self.node.SetAxisLabelsVisible(0)
        self.camera_node().RotateTo(slicer.vtkMRMLCameraNode.Anterior)
        bounds = [0.0] * 6
        self.renderer.ComputeVisiblePropBounds(bounds)
        if bounds[0] <= bounds[1]:
            self.renderer.ResetCamera(bounds)
            self.renderer.ResetCameraClippingRange()

    def close(self) -> None:
        self.style.SetInteractor(None)
        super().close()
