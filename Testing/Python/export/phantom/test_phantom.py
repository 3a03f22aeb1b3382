"""The volume fractions of a phantom: exact for its parts, and complete in every voxel."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from support.analytic_shapes import ellipsoid
from ThyroidSynthLib.export.phantom.phantom import Phantom
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.label_maps import LabelMap

GLAND, NODULE, BODY, TRACHEA = 17, 220, 200, 16
NAMES = {GLAND: "thyroid_gland", NODULE: "thyroid_nodule_1", BODY: "soft_tissue", TRACHEA: "trachea"}


class _Materials:
    """A table in which every structure is a material of its own name, but the trachea is air."""

    def of_structure(self, name):
        return SimpleNamespace(name="air" if name == "trachea" else name)


def _phantom(spacing_mm: float, **more) -> Phantom:
    gland = ellipsoid((12.0, 12.0, 12.0))
    nodule = gland.moved(gland.vertices / 3)
    grid = Grid.around(gland, spacing_mm=spacing_mm, margin_mm=12.0)
    array = np.full(grid.shape, BODY, dtype=np.uint8)
    array[voxelise(gland, grid).array != 0] = GLAND
    array[voxelise(nodule, grid).array != 0] = NODULE
    array[:, :1] = TRACHEA
    array[:, -1:] = 0
    parts = {GLAND: gland, NODULE: nodule}
    return Phantom(LabelMap(Volume(array, grid.ijk_to_ras), NAMES), _Materials(), parts, **more)


@pytest.mark.parametrize("spacing_mm", [0.5, 1.0, 2.5, 5.0])
def test_volumes_of_the_parts_are_those_of_their_surfaces_on_every_grid(spacing_mm):
    phantom = _phantom(spacing_mm)
    found = phantom.fractions()

    total = sum(found.values())
    voxel = spacing_mm**3
    nodule = phantom.parts[NODULE].volume
    assert np.abs(total - 1).max() <= 1e-6
    assert {each.dtype for each in found.values()} == {np.dtype("float32")}
    assert found["thyroid_nodule_1"].sum(dtype=float) * voxel == pytest.approx(nodule, rel=0.01)
    gland = (found["thyroid_gland"] + found["thyroid_nodule_1"]).sum(dtype=float) * voxel
    assert gland == pytest.approx(phantom.parts[GLAND].volume, rel=2e-3)


def test_what_a_part_leaves_of_a_voxel_has_the_material_of_what_lies_beside_it():
    phantom = _phantom(2.5)
    found = phantom.fractions()

    rim = (found["thyroid_gland"] > 0) & (found["thyroid_gland"] < 1) & (found["thyroid_nodule_1"] == 0)
    assert rim.any()
    np.testing.assert_allclose(found["soft_tissue"][rim], 1 - found["thyroid_gland"][rim], atol=1e-6)


def test_a_thin_part_without_a_voxel_of_its_own_is_in_the_fractions():
    phantom = _phantom(5.0)
    array = phantom.labels.volume.array
    array[(array == GLAND) | (array == NODULE)] = BODY

    gland = sum(phantom.fractions()[name] for name in ("thyroid_gland", "thyroid_nodule_1"))

    assert gland.sum(dtype=float) * 125.0 == pytest.approx(phantom.parts[GLAND].volume, rel=2e-3)


def test_voxels_that_another_structure_keeps_have_its_material():
    phantom = _phantom(1.0)
    array, whole = phantom.labels.volume.array, phantom.fractions()["thyroid_gland"]
    kept = np.zeros(array.shape, dtype=bool)
    kept[:, :, 14:18] = array[:, :, 14:18] == GLAND
    array[kept] = TRACHEA

    found = phantom.fractions()

    assert kept.sum() > 100 and (found["air"][kept] == 1).all()
    np.testing.assert_array_equal(found["thyroid_gland"][~kept], whole[~kept])
    assert np.abs(sum(found.values()) - 1).max() <= 1e-6


@pytest.mark.parametrize("spacing_mm", [0.5, 2.5])
def test_grains_of_calcification_take_their_volume_from_the_nodule(spacing_mm):
    plain = _phantom(spacing_mm)
    grain = ellipsoid((0.4, 0.4, 0.4), (1.0, 0.5, 0.2))
    parts = {**plain.parts, 213: grain}
    labels = LabelMap(plain.labels.volume, {**NAMES, 213: "calcification"})

    before, after = plain.fractions(), Phantom(labels, _Materials(), parts).fractions()

    voxel = spacing_mm**3
    assert after["calcification"].sum(dtype=float) * voxel == pytest.approx(grain.volume, rel=0.03)
    lost = before["thyroid_nodule_1"] - after["thyroid_nodule_1"]
    assert lost.sum(dtype=float) * voxel == pytest.approx(grain.volume, rel=0.04)
    np.testing.assert_allclose(after["thyroid_gland"], before["thyroid_gland"], atol=1e-6)
    assert np.abs(sum(after.values()) - 1).max() <= 1e-6
