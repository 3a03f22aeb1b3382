"""Fixtures for pytest. A test that uses :func:`slicer_app` fails on any fault it did not expect."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


# A point (RAS, mm) inside the gland of `a_segmentation_node`.
A_CT_CENTRE = (12.0, 11.0, 12.0)


def _fail_on(faults) -> None:
    seen = faults.take()
    if seen:
        pytest.fail("Faults that Slicer would only have printed:\n" + "\n".join(map(str, seen)), pytrace=False)


@pytest.hookimpl(hookwrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """Fail the test itself when it ends with faults."""
    outcome = yield
    session = pyfuncitem.funcargs.get("slicer_app")
    if session is not None and outcome.excinfo is None:
        try:
            session.process_events()
            _fail_on(session.faults)
        except BaseException as error:
            outcome.force_exception(error)


@pytest.fixture
def slicer_app() -> Iterator:
    """The running application (:class:`standin.session.Session`) with an empty scene."""
    from standin.session import open_session

    session = open_session()
    yield session
    session.close()
    _fail_on(session.faults)


@pytest.fixture
def scene(slicer_app):
    """The real MRML scene, empty."""
    return slicer_app.scene


@pytest.fixture
def load_module(slicer_app) -> Callable:
    """Load a scripted module from its path; it is unloaded after the test."""
    return slicer_app.load_module


@pytest.fixture
def a_ct_node(scene):
    """Scalar volume of 48 x 40 x 32 voxels of 2 mm: soft tissue with an air tube, origin off zero."""
    import slicer

    array = np.full((32, 40, 48), 40, dtype=np.int16)
    j, i = np.mgrid[0:40, 0:48]
    array[:, (i - 24) ** 2 + (j - 20) ** 2 < 16] = -1000
    ijk_to_ras = np.diag([-2.0, -2.0, 2.0, 1.0])
    ijk_to_ras[:3, 3] = [60.0, 35.0, -20.0]
    node = slicer.util.addVolumeFromArray(array, ijkToRAS=ijk_to_ras, name="CT")
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().AutoWindowLevelOff()
    node.GetDisplayNode().SetWindowLevel(400, 40)
    return node


@pytest.fixture
def a_segmentation_node(scene, a_ct_node):
    """Segmentation of ``a_ct_node`` with the segments ``thyroid_gland`` (a sphere) and ``trachea`` (tube)."""
    import slicer

    k, j, i = np.mgrid[0:32, 0:40, 0:48]
    masks = {
        "thyroid_gland": (i - 24) ** 2 + (j - 12) ** 2 + (k - 16) ** 2 < 36,
        "trachea": (i - 24) ** 2 + (j - 20) ** 2 < 16,
    }
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Segmentation")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(a_ct_node)
    for segment_id, mask in masks.items():
        node.GetSegmentation().AddEmptySegment(segment_id, segment_id)
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask.astype(np.uint8), node, segment_id, a_ct_node)
    return node


@pytest.fixture
def four_views(slicer_app, a_ct_node, a_segmentation_node) -> Callable[[str], np.ndarray]:
    """Views that show ``a_ct_node`` and ``a_segmentation_node``; call with a title for the picture."""
    import slicer

    slicer.util.setSliceViewerLayers(background=a_ct_node, fit=True)
    for name in ("Red", "Green", "Yellow"):
        slicer_app.view(name).node.JumpSliceByCentering(*A_CT_CENTRE)
    a_segmentation_node.CreateClosedSurfaceRepresentation()
    slicer_app.view("1").fit()
    return slicer_app.four_views


@pytest.fixture(scope="session")
def picture_folder() -> Path:
    """Folder for pictures that people look at; kept as a test artefact."""
    kept = os.environ.get("THYROIDSYNTH_ARTEFACTS")
    folder = Path(kept) if kept else Path(__file__).parents[1] / "artefacts"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
