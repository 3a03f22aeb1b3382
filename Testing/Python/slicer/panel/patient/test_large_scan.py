"""A scan of 512 × 512 × 500 voxels in one label map: the application stays responsive while it is measured."""

from __future__ import annotations

import numpy as np
import pytest

SIZE_KJI = (500, 512, 512)
SPACING_MM = (0.8, 0.8, 1.0)
THYROID, TRACHEA, OTHERS = 1, 2, range(3, 40)
# Twice the 100 ms of the design, in CPU time, because test machines are slow.
LONGEST_SLOT_S = 0.2


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    """Two lobes beside a trachea, among other structures."""
    array = np.zeros(SIZE_KJI, dtype=np.uint8)
    for value in OTHERS:
        array[10 * value : 10 * value + 30, 20:120, 12 * value : 12 * value + 40] = value
    array[380:480, 250:275, 245:270] = TRACHEA
    k, j, i = np.ogrid[-30:30, -22:22, -16:16]
    lobe = (k / 30) ** 2 + (j / 22) ** 2 + (i / 16) ** 2 < 1
    for middle in (235, 280):
        array[400:460, 218:262, middle - 16 : middle + 16][lobe] = THYROID
    return array


@pytest.fixture
def segmentation(hands, labels):
    """Segments that share one label map, as Slicer reads a result of TotalSegmentator."""
    import slicer
    from vtkmodules.util.numpy_support import numpy_to_vtk

    image = slicer.vtkOrientedImageData()
    image.SetDimensions(*reversed(SIZE_KJI))
    image.GetPointData().SetScalars(numpy_to_vtk(labels.ravel(), deep=True))
    image.SetSpacing(*SPACING_MM)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "large")
    node.GetSegmentation().SetSourceRepresentationName("Binary labelmap")
    for value, name in (
        (THYROID, "thyroid_gland"),
        (TRACHEA, "trachea"),
        *((each, f"other {each}") for each in OTHERS),
    ):
        segment = slicer.vtkSegment()
        segment.SetName(name)
        segment.SetLabelValue(value)
        segment.AddRepresentation("Binary labelmap", image)
        node.GetSegmentation().AddSegment(segment, name)
    return node


@pytest.fixture
def stopwatch(hands):
    from standin.responsiveness import stopwatch

    session = hands.module.widget.panel.session
    stopwatch.start(lambda: session.busy)
    yield stopwatch
    stopwatch.stop()


def test_only_operations_with_progress_are_slow(hands, segmentation, labels, stopwatch):
    # Imported here, so that the first use is not measured.
    import SimpleITK  # noqa: F401
    from scipy import ndimage  # noqa: F401

    from ThyroidSynthLib.slicer.scene.volumes import volume_of_segment

    hands.statusLabel.text = "before"
    hands.parameters.segmentation = segmentation
    hands.wait(lambda: "mL" in hands.ownFeaturesLabel.text, 60)
    assert hands.statusLabel.text == "before"
    assert [f"{each.what}: {each.seconds:.2f} s" for each in stopwatch.slower_than(LONGEST_SLOT_S)] == []
    found = volume_of_segment(segmentation, "thyroid_gland")
    k, j, i = (np.flatnonzero((labels == THYROID).any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    inside = labels[k[0] : k[-1] + 1, j[0] : j[-1] + 1, i[0] : i[-1] + 1] == THYROID
    np.testing.assert_array_equal(found.array, inside)
    np.testing.assert_allclose(found.ijk_to_ras[:3, 3], np.array([i[0], j[0], k[0]]) * SPACING_MM)


def test_measuring_can_be_cancelled(hands, segmentation):
    hands.parameters.segmentation = segmentation
    session = hands.module.widget.panel.session
    hands.module.widget.panel.bar.status.start = lambda title: session.cancel()
    hands.wait(lambda: hands.ownFeaturesLabel.text == "not measured", 60)
    assert hands.statusLabel.text == "Cancelled."
    assert "mL" in hands.tracheaInfoLabel.text
