"""``slicer.app.layoutManager()``: the four-up layout over off-screen views.

Only what modules use of it. The views are made when first asked for, because most tests draw nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer

from .strictness import faults

if TYPE_CHECKING:
    from .views import SliceView, ThreeDView

VIEW_SIZE = (400, 400)
SLICE_VIEW_NAMES = ("Red", "Green", "Yellow")


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
    """``qSlicerLayoutManager`` with the slice views Red, Green, Yellow and one 3D view."""

    def __init__(self, scene, application_logic) -> None:
        self._scene, self._logic = scene, application_logic
        self._slices: dict[str, SliceView] = {}
        self._three_d: ThreeDView | None = None
        self._layout = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView

    def _open(self) -> None:
        if self._three_d is None:
            from .views import SliceView, ThreeDView

            for name in SLICE_VIEW_NAMES:
                self._slices[name] = SliceView(self._scene, self._logic, name, VIEW_SIZE)
            self._three_d = ThreeDView(self._scene, self._logic, "1", VIEW_SIZE)

    def _close(self) -> None:
        for view in (*self._slices.values(), self._three_d):
            if view is not None:
                view.close()
        self._slices.clear()
        self._three_d = None

    def _view(self, name: str) -> SliceView | ThreeDView:
        self._open()
        return self._three_d if name == "1" else self._slices[name]

    def mrmlScene(self):
        return self._scene

    def mrmlSliceLogics(self):
        self._open()
        return self._logic.GetSliceLogics()

    def sliceViewNames(self) -> tuple[str, ...]:
        return SLICE_VIEW_NAMES

    def sliceWidget(self, name: str) -> SliceWidget | None:
        self._open()
        return SliceWidget(self._slices[name]) if name in self._slices else None

    threeDViewCount = property(lambda self: 1)
    tableViewCount = property(lambda self: 0)
    plotViewCount = property(lambda self: 0)
    layout = property(lambda self: self._layout, lambda self, layout: self.setLayout(layout))

    def __setattr__(self, name: str, value) -> None:
        if name == "layout":
            self.setLayout(value)
        else:
            super().__setattr__(name, value)

    def threeDWidget(self, index: int) -> ThreeDWidget | None:
        self._open()
        return ThreeDWidget(self._three_d) if index == 0 else None

    def setLayout(self, layout: int) -> None:
        if not isinstance(layout, int):
            faults.add("layoutManager", f"setLayout({layout!r}): not a layout number")
        self._layout = int(layout)

    def resetSliceViews(self) -> None:
        self._open()
        for view in self._slices.values():
            view.fit()

    def resetThreeDViews(self) -> None:
        self.threeDWidget(0).threeDView().resetFocalPoint()
