"""Example cases: masks, CT, ground truth and defects."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from ThyroidSynthLib.dataset.synthetic.case import TRUE_NEIGHBOURS, CasePlan, build_case, plan_cases
from ThyroidSynthLib.dataset.synthetic.defects import EXPECTED_REASON, draw_defects
from ThyroidSynthLib.dataset.synthetic.gland_fitting import draw_neck, gland_surface
from ThyroidSynthLib.dataset.synthetic.population import GlandTarget
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.isosurface import surface_from_mask

TARGET = GlandTarget(16.0, (52.0, 31.0, 48.0), 60.0)
TWO_LOBES = GlandTarget(16.0, (52.0, 31.0, 48.0), 0.0)
# These extents are fitted at once; others take up to a minute.
ONE_LOBE = GlandTarget(2.55, (18.9, 22.8, 34.6), 0.0, hemi_agenesis=True)


def _plan(defect=None, target=TARGET, seed=4):
    return CasePlan("s0000", target, defect, np.random.SeedSequence(seed))


@pytest.fixture(scope="module")
def valid():
    return build_case(_plan())


def test_thyroid_and_trachea_share_no_voxel(valid):
    assert not (valid.masks["thyroid_gland"].array & valid.masks["trachea"].array).any()


def test_classes_share_no_voxel_with_the_thyroid_and_are_8_bit(valid):
    for name, mask in valid.masks.items():
        assert mask.array.dtype == np.uint8 and set(np.unique(mask.array)) <= {0, 1}
        if name != "thyroid_gland":
            assert not (mask.array & valid.masks["thyroid_gland"].array).any()


def test_neighbours_are_true_labels_that_share_no_voxel(valid):
    names = ["trachea", *TRUE_NEIGHBOURS]
    masks = [valid.masks[name].array.astype(int) for name in ("thyroid_gland", *names)]
    assert sum(masks).max() == 1
    for name in names:
        voxels = int(valid.masks[name].array.sum())
        assert voxels * 1.5**3 / 1000.0 == pytest.approx(getattr(valid.truth, f"{name}_ml"))
        # A tube that runs through the whole scan.
        assert voxels > 300 and valid.masks[name].array[5].any()


def test_the_oesophagus_lies_behind_the_trachea(valid):
    # In one section, because both are tilted and the oesophagus is longer.
    trachea, oesophagus = (
        valid.masks[name].to_ras(np.argwhere(valid.masks[name].array[20:21])[:, ::-1]).mean(axis=0)
        for name in ("trachea", "esophagus")
    )
    assert 8.0 < trachea[1] - oesophagus[1] < 25.0 and abs(trachea[0] - oesophagus[0]) < 9.0


def test_left_is_on_the_patients_left_that_is_at_lower_x(valid):
    left, right = (valid.masks[f"common_carotid_artery_{side}"].center_of_mass_ras() for side in ("left", "right"))
    trachea = valid.masks["trachea"].center_of_mass_ras()
    assert left[0] < trachea[0] - 10.0 and right[0] > trachea[0] + 10.0


def test_thyroid_lies_above_and_in_front_of_the_spinal_cord(valid):
    thyroid = valid.masks["thyroid_gland"].center_of_mass_ras()
    assert thyroid[2] > valid.masks["trachea"].center_of_mass_ras()[2]
    assert thyroid[1] > valid.masks["spinal_cord"].center_of_mass_ras()[1] + 20.0


def test_the_right_lobe_is_at_higher_x():
    neck, _ = draw_neck(ONE_LOBE, np.random.default_rng(3))
    for only_lobe, side in ((0, 1.0), (1, -1.0)):
        style = replace(neck.gland.style, only_lobe=only_lobe)
        x = gland_surface(replace(neck, gland=replace(neck.gland, style=style)), step_mm=1.5).vertices[:, 0]
        assert (side * x > 0.0).all()


def test_one_lobe_alone_has_no_isthmus_and_no_symmetry():
    plan = next(plan for plan in plan_cases(200, 0, 0.0) if plan.target.hemi_agenesis)
    truth = build_case(plan, with_ct=False).truth
    assert truth.hemi_agenesis and truth.isthmus_area_mm2 == 0.0 and truth.symmetry == 0.0


def test_ct_has_the_attenuation_of_the_segmented_tissues(valid):
    hu = valid.ct.array
    assert hu.dtype == np.int16
    inside = ndimage.binary_erosion(valid.masks["thyroid_gland"].array, iterations=2)
    assert 80.0 < hu[inside].mean() < 250.0
    lumen = ndimage.binary_erosion(valid.masks["trachea"].array, iterations=2, border_value=1)
    assert hu[lumen].mean() < -950.0
    assert 8.0 < hu[inside].std() < 25.0
    assert hu.max() > 400 and hu.min() >= -1024


def test_ct_has_soft_edges_at_the_thyroid(valid):
    gland = valid.masks["thyroid_gland"].array.astype(bool)
    edge = ndimage.binary_dilation(gland) & ~gland
    core = ndimage.binary_erosion(gland, iterations=2)
    hu = valid.ct.array.astype(float)
    assert -100.0 < np.median(hu[edge]) < hu[core].mean()


def test_ground_truth_matches_measurements_of_the_masks(valid):
    trachea = valid.masks["trachea"].center_of_mass_ras()
    surface = surface_from_mask(valid.masks["thyroid_gland"])
    features = measure_features(surface.moved(surface.vertices - trachea))
    truth = valid.truth
    assert [truth.trachea_x_mm, truth.trachea_y_mm, truth.trachea_z_mm] == pytest.approx(trachea, abs=1e-6)
    assert features.volume_ml == pytest.approx(truth.volume_ml, rel=0.02)
    assert features.isthmus_area_mm2 == pytest.approx(truth.isthmus_area_mm2, rel=0.15)
    assert features.symmetry == pytest.approx(truth.symmetry, abs=0.03)
    low, high = surface.bounds
    assert high - low == pytest.approx([truth.extent_lr_mm, truth.extent_ap_mm, truth.extent_si_mm], abs=2.0)


def test_without_isthmus_there_are_two_separate_lobes():
    case = build_case(_plan(target=TWO_LOBES), with_ct=False)
    gland = case.masks["thyroid_gland"]
    assert ndimage.label(gland.array, np.ones((3, 3, 3)))[1] == 2
    x = gland.to_ras(np.argwhere(gland.array)[:, ::-1])[:, 0] - case.truth.trachea_x_mm
    assert np.abs(x).min() > 1.5
    assert case.truth.isthmus_area_mm2 == 0.0


def test_a_case_is_the_same_with_and_without_ct(valid):
    bare = build_case(_plan(), with_ct=False)
    assert bare.ct is None and bare.truth == valid.truth
    assert np.array_equal(bare.masks["thyroid_gland"].array, valid.masks["thyroid_gland"].array)


def test_rotated_grids_keep_the_anatomy_upright_and_the_spacing():
    for seed in range(30):
        case = build_case(_plan(seed=seed), with_ct=False)
        if case.truth.rotated:
            break
    gland = case.masks["thyroid_gland"]
    axes = gland.ijk_to_ras[:3, :3] / 1.5
    assert case.truth.rotated and not np.allclose(axes, np.eye(3), atol=1e-3)
    assert axes.T @ axes == pytest.approx(np.eye(3), abs=1e-9)
    surface = surface_from_mask(gland)
    assert surface.bounds[1] - surface.bounds[0] == pytest.approx(TARGET.extents_mm, rel=0.1)


@pytest.mark.parametrize("defect", sorted(EXPECTED_REASON))
def test_each_defect_is_present_in_the_mask(defect):
    case = build_case(_plan(defect), with_ct=False)
    truth, gland = case.truth, case.masks["thyroid_gland"].array
    assert truth.defect == defect
    assert truth.expected_reason == (EXPECTED_REASON[defect] or "")
    sizes = np.bincount(ndimage.label(gland, np.ones((3, 3, 3)))[0].ravel())[1:] * 1.5**3 / 1000.0
    inner = np.pad(gland[1:-1, 1:-1, 1:-1], 1)
    assert ("cut" in defect) == bool((gland != inner).any())
    assert ("trachea" in defect) == ("trachea" not in case.masks or not case.masks["trachea"].array.any())
    if defect == "no thyroid":
        assert not gland.any()
    elif defect == "tiny":
        assert sizes.sum() == pytest.approx(0.3, rel=0.02)
    elif defect == "giant":
        assert sizes.sum() == pytest.approx(250.0, rel=0.02)
        assert not (gland & case.masks["trachea"].array).any()
    elif defect == "pieces":
        assert len(sizes) >= 4 and np.sort(sizes)[-4:].min() > 0.8
    elif defect == "islands":
        assert truth.expected_verdict == "accepted"
        assert len(sizes) >= 4 and (np.sort(sizes)[:-1] < 0.02).all()
    hollow = (ndimage.binary_fill_holes(gland) & (gland == 0)).sum()
    assert (hollow >= 13) if defect == "cavity" else (hollow == 0)


def test_defects_are_equally_frequent_and_their_share_is_exact():
    planted = draw_defects(200, 0.15, np.random.default_rng(0))
    counts = {kind: planted.count(kind) for kind in EXPECTED_REASON}
    assert sum(counts.values()) == 30 and set(counts.values()) == {3}
    assert draw_defects(120, 0.0, np.random.default_rng(0)) == [None] * 120


def test_a_plan_gives_the_same_case_twice():
    plan = plan_cases(3, 7, 0.0)[2]
    assert build_case(plan, with_ct=False).truth == build_case(plan, with_ct=False).truth
