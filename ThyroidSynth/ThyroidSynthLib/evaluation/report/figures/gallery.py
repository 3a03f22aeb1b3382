"""Pictures of surfaces, rendered off screen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import numpy as np

from ThyroidSynthLib.geometry.polydata import polydata_of
from ThyroidSynthLib.geometry.surface import Surface

BACKGROUND = (0.965, 0.965, 0.97)
_GLAND = (0.80, 0.47, 0.40)
# From the front and slightly from above.
_FROM_FRONT = np.array([0.0, 1.0, 0.12])


class SurfaceRenderer:
    """A renderer of surfaces in `trachea_mm` or `ras_mm` from the front, all at one scale.

    A context manager, because it owns an off-screen window. Its square pictures have `pixels` along each side and show
    `extent_mm`.
    """

    def __init__(self, *, extent_mm: float, pixels: int = 320) -> None:
        import vtkmodules.vtkRenderingOpenGL2  # noqa: F401  registers the implementation of the classes below
        from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow

        self._extent_mm = extent_mm
        self._renderer = vtkRenderer()
        self._renderer.SetBackground(*BACKGROUND)
        with _quiet():
            self._window = vtkRenderWindow()
        self._window.SetShowWindow(False)
        self._window.SetOffScreenRendering(True)
        self._window.SetMultiSamples(0)
        self._window.SetSize(pixels, pixels)
        self._window.AddRenderer(self._renderer)
        self._renderer.SetUseFXAA(True)

    def __enter__(self) -> SurfaceRenderer:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._window.Finalize()

    def picture(self, surface: Surface, *, values_mm: np.ndarray | None = None, limit_mm: float = 3.0) -> np.ndarray:
        """Render a surface from the front, patient's left on the right, as uint8 (pixels, pixels, 3).

        `values_mm` (V,) colour the vertices: blue at -limit, white at 0, red at +limit.
        """
        from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
        from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkWindowToImageFilter

        polydata = polydata_of(surface, normals=True)
        if values_mm is not None:
            colours = numpy_to_vtk(_diverging(np.asarray(values_mm) / limit_mm), deep=True)
            polydata.GetPointData().SetScalars(colours)
        mapper = vtkPolyDataMapper()
        mapper.SetInputData(polydata)
        actor = vtkActor()
        actor.SetMapper(mapper)
        material = actor.GetProperty()
        material.SetColor(*_GLAND)
        material.SetSpecular(0.15)
        material.SetSpecularPower(12)
        material.SetAmbient(0.18)
        material.SetDiffuse(0.85)
        self._renderer.RemoveAllViewProps()
        self._renderer.AddActor(actor)
        self._place_camera(surface)
        with _quiet():
            self._window.Render()
        grab = vtkWindowToImageFilter()
        grab.SetInput(self._window)
        grab.ReadFrontBufferOff()
        grab.ShouldRerenderOff()
        grab.Update()
        image = grab.GetOutput()
        width, height, _ = image.GetDimensions()
        pixels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)
        return pixels[::-1, :, :3].copy()

    def _place_camera(self, surface: Surface) -> None:
        lower, upper = surface.bounds
        # The midline is in the centre of the picture, which makes asymmetry visible.
        centre = np.array([0.0, *(lower + upper)[1:] / 2])
        camera = self._renderer.GetActiveCamera()
        camera.ParallelProjectionOn()
        camera.SetFocalPoint(*centre)
        camera.SetPosition(*(centre + _FROM_FRONT * 300))
        camera.SetViewUp(0, 0, 1)
        camera.SetParallelScale(self._extent_mm / 2)
        self._renderer.ResetCameraClippingRange()


def is_blank(picture: np.ndarray) -> bool:
    """Return whether a picture is empty, as on a machine without OpenGL."""
    return bool((picture == picture[0, 0]).all())


def _diverging(values: np.ndarray) -> np.ndarray:
    """Return the colours (n, 3) of values from -1 (blue) over 0 (white) to 1 (red)."""
    values = np.clip(values, -1, 1)[:, None]
    white, red, blue = np.array([245, 245, 242]), np.array([192, 57, 43]), np.array([41, 98, 180])
    ends = np.where(values > 0, red, blue)
    return np.ascontiguousarray(white + np.abs(values) * (ends - white), dtype=np.uint8)


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress VTK's warning that there is no screen."""
    from vtkmodules.vtkCommonCore import vtkLogger

    before = vtkLogger.GetCurrentVerbosityCutoff()
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    try:
        yield
    finally:
        vtkLogger.SetStderrVerbosity(before)
