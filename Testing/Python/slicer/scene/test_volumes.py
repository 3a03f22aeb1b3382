"""Parent transforms are applied, and a segment has the features that the library measures on its mask."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.dataset.cases import read_case
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID, add_generated_thyroid
from ThyroidSynthLib.slicer.scene.volumes import (
    features_of_segment,
    grid_of_ct,
    placement_of_patient,
    surface_of_segment,
    volume_of_segment,
)


@pytest.fixture
def moved(motion):
    return lambda points: points @ motion[:3, :3].T + motion[:3, 3]


def test_features_equal_those_of_the_file(loaded, source):
    case = read_case(source)
    placement = case.placement()
    surface = surface_from_mask(case.thyroid)
    expected = measure_features(surface.moved(placement.to_trachea(surface.vertices)))
    found = features_of_segment(
        loaded.segmentation, "thyroid_gland", placement_of_patient(loaded.segmentation, "trachea")
    )
    np.testing.assert_allclose(found.as_array(), expected.as_array(), rtol=1e-4)


def test_a_parent_transform_moves_the_voxels_the_surface_and_the_trachea_frame(loaded, transform, moved):
    segmentation = loaded.segmentation
    centre = volume_of_segment(segmentation, "thyroid_gland").center_of_mass_ras()
    origin = placement_of_patient(segmentation, "trachea").origin_ras
    surface = surface_of_segment(segmentation, "thyroid_gland")
    segmentation.SetAndObserveTransformNodeID(transform.GetID())
    np.testing.assert_allclose(
        volume_of_segment(segmentation, "thyroid_gland").center_of_mass_ras(), moved(centre), atol=1e-2
    )
    np.testing.assert_allclose(placement_of_patient(segmentation, "trachea").origin_ras, moved(origin), atol=1e-2)
    again = surface_of_segment(segmentation, "thyroid_gland")
    assert again.volume == pytest.approx(surface.volume, rel=0.01)


def test_a_generated_thyroid_follows_its_parent_transform(scene, loaded, own_surface, transform, moved):
    node = add_generated_thyroid(scene, "g", own_surface, ct=loaded.ct)
    node.SetAndObserveTransformNodeID(transform.GetID())
    found = surface_of_segment(node, SEGMENT_ID)
    np.testing.assert_allclose(found.vertices.mean(axis=0), moved(own_surface.vertices).mean(axis=0), atol=0.2)
    voxels = volume_of_segment(node, SEGMENT_ID)
    assert voxels.array.sum() * voxels.voxel_volume_ml == pytest.approx(own_surface.volume / 1000, rel=0.03)


def test_the_grid_of_a_ct_follows_its_parent_transform(loaded, transform, motion):
    before = grid_of_ct(loaded.ct)
    loaded.ct.SetAndObserveTransformNodeID(transform.GetID())
    np.testing.assert_allclose(grid_of_ct(loaded.ct).ijk_to_ras, motion @ before.ijk_to_ras)


def test_measuring_creates_no_representation_in_the_node(scene, loaded, own_surface):
    node = add_generated_thyroid(scene, "g", own_surface)
    volume_of_segment(node, SEGMENT_ID)
    assert not node.GetSegmentation().ContainsRepresentation("Binary labelmap")


def test_a_missing_or_empty_segment_is_an_input_error(loaded):
    with pytest.raises(InputError, match="no segment"):
        volume_of_segment(loaded.segmentation, "larynx")
    loaded.segmentation.GetSegmentation().AddEmptySegment("void", "void")
    with pytest.raises(InputError, match="empty"):
        volume_of_segment(loaded.segmentation, "void")
    with pytest.raises(InputError, match="empty"):
        surface_of_segment(loaded.segmentation, "void")


@pytest.mark.parametrize("alignment", ["trachea", "upright"])
def test_nothing_is_placed_by_a_trachea_far_below_the_thyroid(loaded, monkeypatch, alignment):
    from ThyroidSynthLib.slicer.scene import volumes

    placement_of_patient(loaded.segmentation, "trachea", "thyroid_gland", alignment)

    def slab(segmentation, segment_id):
        volume = volume_of_segment(segmentation, segment_id)
        if segment_id != "trachea":
            return volume
        # 9 mm of trachea, 60 mm below the thyroid.
        heights = volume.to_ras(np.argwhere(volume.array)[:, ::-1])[:, 2]
        lowest = volume_of_segment(segmentation, "thyroid_gland").center_of_mass_ras()[2] - 70
        moved = volume.ijk_to_ras.copy()
        moved[2, 3] += lowest - heights.min()
        kji = np.argwhere(volume.array)
        array = np.zeros_like(volume.array)
        array[tuple(kji[heights < heights.min() + 9].T)] = 1
        return type(volume)(array, moved)

    monkeypatch.setattr(volumes, "volume_of_segment", slab)
    with pytest.raises(InputError, match=r"does not show where the thyroid belongs.*Segment the trachea at the height"):
        placement_of_patient(loaded.segmentation, "trachea", "thyroid_gland", alignment)
