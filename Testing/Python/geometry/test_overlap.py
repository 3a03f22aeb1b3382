"""Overlap and its removal, on shapes whose shared volume has a formula."""

from __future__ import annotations

import numpy as np
import pytest

from support.analytic_shapes import box, ellipsoid, shifted, together
from ThyroidSynthLib.common.errors import Cancelled, SynthesisError
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.overlap import overlap_ml, without_overlap
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise


def cap_ml(radius: float, height: float) -> float:
    """Volume of a cap of a sphere."""
    return np.pi * height**2 * (3 * radius - height) / 3 / 1000


def tube(radius: float = 8.0, length: float = 120.0, spacing: float = 1.5) -> Volume:
    """A straight trachea along the patient's axis, as a mask with mirrored axes and an origin off zero."""
    size = (round(length / spacing), round(6 * radius / spacing), round(6 * radius / spacing))
    ijk_to_ras = np.diag([-spacing, -spacing, spacing, 1.0])
    ijk_to_ras[:3, 3] = [3 * radius, 3 * radius, -length / 2]
    volume = Volume(np.zeros(size, dtype=np.uint8), ijk_to_ras)
    positions = volume.to_ras(np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), axis=-1)[..., ::-1])
    return Volume((np.hypot(positions[..., 0], positions[..., 1]) < radius).astype(np.uint8), ijk_to_ras)


@pytest.mark.parametrize("depth", [0.5, 3.0, 10.0, 20.0])
def test_the_overlap_of_a_ball_and_a_block_is_a_spherical_cap(depth):
    ball, block = ellipsoid((10, 10, 10)), box((60, 60, 60), (40.0 - depth, 1.0, 2.0))
    assert overlap_ml(ball, block) == pytest.approx(cap_ml(10, depth), rel=0.01, abs=2e-4)
    assert overlap_ml(block, ball) == pytest.approx(overlap_ml(ball, block), rel=1e-6)


def test_separate_shapes_have_no_overlap_and_stay_the_same():
    ball = ellipsoid((10, 10, 10))
    for other in (shifted(ball, 20.5), shifted(ball, 0, 300.0), tube()):
        far = shifted(ball, 40.0) if isinstance(other, Volume) else ball
        assert overlap_ml(far, other) == 0.0
        assert without_overlap(far, other) is far


def test_a_mask_gives_the_same_overlap_as_its_surface():
    ball, mask = ellipsoid((12, 12, 12), (9.0, 0.0, 5.0)), tube()
    assert overlap_ml(ball, mask) == pytest.approx(overlap_ml(ball, surface_from_mask(mask)), rel=5e-3)
    assert overlap_ml(ball, mask) > 1.0


def test_removing_the_overlap_leaves_the_ball_without_its_cap():
    ball, block = ellipsoid((10, 10, 10)), box((60, 60, 60), (37.0, 0.0, 0.0))
    result = without_overlap(ball, block)
    assert result.is_closed()
    assert overlap_ml(result, block) == 0.0
    expected = ball.volume / 1000 - cap_ml(10, 3.0)
    assert result.volume / 1000 == pytest.approx(expected, rel=0.01)
    assert result.bounds[1][0] == pytest.approx(7.0, abs=0.15)
    np.testing.assert_allclose(result.bounds[0], [-10, -10, -10], atol=0.05)


def test_without_overlap_neither_surface_nor_voxels_share_anything_with_the_trachea():
    mask = tube()
    gland = ellipsoid((24, 10, 14), (0.0, 6.0, 0.0))
    result = without_overlap(gland, mask)
    assert result.is_closed()
    assert overlap_ml(gland, mask) > 3.0
    assert overlap_ml(result, mask) == pytest.approx(0.0, abs=1e-4)
    assert result.volume / 1000 == pytest.approx(gland.volume / 1000 - overlap_ml(gland, mask), rel=0.02)
    assert not (voxelise(result, mask.grid).array & mask.array).any()


def test_two_lobes_stay_and_islands_are_removed():
    block = box((20.0, 40.0, 40.0))
    # Two balls beside the block, and one inside it but for a sliver.
    lobes = together(
        ellipsoid((9, 9, 9), (-18.0, 0, 0)), ellipsoid((9, 9, 9), (18.0, 0, 0)), ellipsoid((3, 3, 3), (0, 0, 18.0))
    )
    result = without_overlap(lobes, block)
    assert result.is_closed()
    assert result.components().max() == 1


def test_a_thyroid_inside_the_structure_is_refused():
    with pytest.raises(SynthesisError, match="nothing would be left"):
        without_overlap(ellipsoid((4, 4, 4)), box((30, 30, 30)))


def test_removing_an_overlap_reports_progress_and_can_be_cancelled():
    ball, block = ellipsoid((10, 10, 10)), box((60, 60, 60), (37.0, 0.0, 0.0))
    seen = []
    without_overlap(ball, block, progress=lambda fraction, text: seen.append(fraction))
    assert seen == sorted(seen)
    assert len(seen) > 1
    with pytest.raises(Cancelled):
        without_overlap(ball, block, should_stop=lambda: True)
