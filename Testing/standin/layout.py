"""``slicer.app.layoutManager()``: the four-up layout over off-screen views.

Only what modules use of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer

from .strictness import faults

if TYPE_CHECKING:
    from .views import SliceView, ThreeDView

VIEW_SIZE = (400, 400)
SLICE_ORIENTATIONS = {"Red": "Axial", "Green": "Coronal", "Yellow": "Sagittal"}


class _Fixed:
    """C++ object seen from Python: no new attributes."""

    def __setattr__(self, name: str, value) -> None:
        if not name.startswith("_"):
            raise AttributeError(
                f"Attribute '{name}' does not exist and creation of new attributes on C++ objects is not allowed"
            )
        super().__setattr__(name, value)


class _ViewSurface(_Fixed):
    """``sliceView()`` or ``threeDView()``."""

    def __init__(self, view: SliceView | ThreeDView) -> None:
        self._view = view

    def renderWindow(self):
        return self._view.window

    def interactor(self):
        return self._view.interactor

    def forceRender(self) -> None:
        self._view.render()

    def scheduleRender(self) -> None:
        self._view.requested_renders += 1

    def getDisplayableManagers(self, collection) -> None:
        managers = self._view.managers
        for index in range(managers.GetDisplayableManagerCount()):
            collection.AddItem(managers.GetNthDisplayableManager(index))

    def displayableManagerByClassName(self, name: str):
        return self._view.managers.GetDisplayableManagerByClassName(name)


class SliceSurface(_ViewSurface):
    """``qMRMLSliceView``."""

    def mrmlSliceNode(self):
        return self._view.node


class ThreeDSurface(_ViewSurface):
    """``qMRMLThreeDView``."""

    def mrmlViewNode(self):
        return self._view.node

    def cameraNode(self):
        return self._view.camera_node()

    def renderer(self):
        return self._view.renderer

    def resetFocalPoint(self) -> None:
        bounds = [0.0] * 6
        self._view.renderer.ComputeVisiblePropBounds(bounds)
        if bounds[0] <= bounds[1]:
            centre = [(bounds[axis] + bounds[axis + 1]) / 2 for axis in (0, 2, 4)]
            self._view.camera_node().SetFocalPoint(centre)

    def resetCamera(self, rotation: bool = True, translation: bool = True, distance: bool = True) -> None:
        self._view.camera_node().Reset(rotation, translation, distance, self._view.renderer)


class SliceWidget(_Fixed):
    """``qMRMLSliceWidget``."""

    def __init__(self, view: SliceView) -> None:
        self._surface, self._view = SliceSurface(view), view

    def sliceView(self) -> SliceSurface:
        return self._surface

    def sliceLogic(self):
        return self._view.logic

    def mrmlSliceNode(self):
        return self._view.node

    def mrmlSliceCompositeNode(self):
        return self._view.composite_node

    def fitSliceToBackground(self) -> None:
        self._view.fit()


class ThreeDWidget(_Fixed):
    """``qMRMLThreeDWidget``."""

    def __init__(self, view: ThreeDView) -> None:
        self._surface, self._view = ThreeDSurface(view), view

    def threeDView(self) -> ThreeDSurface:
        return self._surface

    def viewLogic(self):
        return self._view.logic

    def mrmlViewNode(self):
        return self._view.node


class LayoutManager(_Fixed):
    """``qSlicerLayoutManager`` with the slice views Red, Green, Yellow and one 3D view.

    Which layout is chosen is kept by the scene's layout node and Slicer's own layout logic; views of other
    layouts get their nodes, but nothing draws them. The nodes and logics of the four views are there from
    the start, as in Slicer; their renderers are made at first use, because most tests draw nothing.
    """

    def __init__(self, scene, application_logic) -> None:
        self._scene, self._logic = scene, application_logic
        self._logics: dict[str, object] = {}
        self._views: dict[str, SliceView | ThreeDView] = {}
        for name in SLICE_ORIENTATIONS:
            logic = slicer.vtkMRMLSliceLogic()
            logic.SetMRMLApplicationLogic(application_logic)
            application_logic.GetSliceLogics().AddItem(logic)
            logic.SetMRMLScene(scene)
            logic.AddSliceNode(name)
            self._logics[name] = logic
        logic = slicer.vtkMRMLViewLogic()
        logic.SetMRMLApplicationLogic(application_logic)
        application_logic.GetViewLogics().AddItem(logic)
        logic.SetMRMLScene(scene)
        self._three_d_node = logic.AddViewNode("1")
        self._three_d_node.SetMappedInLayout(1)
        self._logics["1"] = logic
        self._layout_logic = slicer.vtkMRMLLayoutLogic()
        self._layout_logic.SetMRMLApplicationLogic(application_logic)
        self._layout_logic.SetMRMLScene(scene)
        self._reset()

    def _reset(self) -> None:
        """Close what draws and bring the nodes of the views back to their defaults."""
        for view in self._views.values():
            view.close()
        self._views.clear()
        self.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        for name, orientation in SLICE_ORIENTATIONS.items():
            node = self._logics[name].GetSliceNode()
            node.SetOrientation(orientation)
            node.SetMappedInLayout(1)
            self._logics[name].ResizeSliceNode(*VIEW_SIZE)

    def _view(self, name: str) -> SliceView | ThreeDView:
        if name not in self._views:
            from .views import SliceView, ThreeDView

            logic = self._logics[name]
            if name == "1":
                self._views[name] = ThreeDView(logic, self._three_d_node, self._logic, VIEW_SIZE)
            else:
                self._views[name] = SliceView(logic, self._logic, VIEW_SIZE)
        return self._views[name]

    def mrmlScene(self):
        return self._scene

    def mrmlSliceLogics(self):
        return self._logic.GetSliceLogics()

    def sliceViewNames(self) -> tuple[str, ...]:
        return tuple(SLICE_ORIENTATIONS)

    def sliceWidget(self, name: str) -> SliceWidget | None:
        return SliceWidget(self._view(name)) if name in SLICE_ORIENTATIONS else None

    def threeDWidget(self, index: int) -> ThreeDWidget | None:
        return ThreeDWidget(self._view("1")) if index == 0 else None

    threeDViewCount = property(lambda self: 1)
    tableViewCount = property(lambda self: 0)
    plotViewCount = property(lambda self: 0)
    layout = property(lambda self: self._layout_logic.GetLayoutNode().GetViewArrangement())

    def __setattr__(self, name: str, value) -> None:
        if name == "layout":
            self.setLayout(value)
        else:
            super().__setattr__(name, value)

    def setLayout(self, layout: int) -> None:
        if not isinstance(layout, int):
            faults.add("layoutManager", f"setLayout({layout!r}): not a layout number")
            return
        self._layout_logic.GetLayoutNode().SetViewArrangement(int(layout))

    def layoutLogic(self):
        return self._layout_logic

    def resetSliceViews(self) -> None:
        for name in SLICE_ORIENTATIONS:
            self._logics[name].FitSliceToBackground()
            self._logics[name].SnapSliceOffsetToIJK()

    def resetThreeDViews(self) -> None:
        self.threeDWidget(0).threeDView().resetFocalPoint()
