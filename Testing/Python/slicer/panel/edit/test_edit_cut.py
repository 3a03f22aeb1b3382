"""A gland cut by the scan's border: only the part in the scan is edited, the rest is shown as an estimate."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.slicer.scene.display.overlay import look_from_front
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import COMPLETION_ID, SEGMENT_ID
from ThyroidSynthLib.slicer.scene.volumes import grid_of_ct, surface_of_segment, volume_of_segment

GLAND = "thyroid_gland"


def test_a_gland_cut_by_the_scans_border_is_reported_and_shown_with_its_completion(ready, picture_folder):
    import slicer

    segmentation, ct = ready.parameters.segmentation, ready.parameters.ct
    grid = grid_of_ct(ct)
    mask = volume_of_segment(segmentation, GLAND)
    first = np.rint(grid.to_ijk(mask.to_ras(np.zeros(3)))).astype(int)[2]
    # Shift gland and trachea up so that the gland's upper half is beyond the scan's upper border.
    shift = grid.shape[0] - first - mask.array.shape[0] // 2
    for segment in (GLAND, "trachea"):
        shifted = np.zeros(grid.shape, dtype=np.uint8)
        shifted[shift:] = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment, ct)[:-shift]
        slicer.util.updateSegmentBinaryLabelmapFromArray(shifted, segmentation, segment, ct)
    ready.app.process_events()
    ready.click("fitButton")
    text = ready.fitWarningLabel.text
    assert "cut by the scan's border" in text and "the model's estimate" in text
    own, beyond = (surface_of_segment(ready.parameters.edited, each) for each in (SEGMENT_ID, COMPLETION_ID))
    # The smooth surface may be a quarter of a voxel beyond the voxels.
    assert grid.to_ijk(own.vertices)[:, 2].max() < grid.shape[0] - 0.25
    assert grid.to_ijk(beyond.vertices)[:, 2].min() == pytest.approx(grid.shape[0] - 0.5, abs=0.01)
    look_from_front(ready.app.scene, beyond.vertices.mean(axis=0), 60.0)
    for each in ("model", "generate"):
        getattr(ready, f"{each}Collapsible").collapsed = True
    ready.open("edit")
    path = picture_folder / "cut_gland_completed.png"
    ready.app.screenshot(ready.module, "A gland cut by the scan's border", path)
    assert path.stat().st_size > 10_000
