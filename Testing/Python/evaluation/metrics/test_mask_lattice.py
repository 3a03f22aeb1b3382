"""The lattice of a case's own mask: its surface fills exactly the mask's voxels there, wherever the patient lies."""

from types import SimpleNamespace

import numpy as np
import pytest

from support.mask_files import affine, write_nifti
from ThyroidSynthLib.dataset.cases import find_cases, read_case
from ThyroidSynthLib.evaluation.metrics.mask_lattice import mask_lattice
from ThyroidSynthLib.evaluation.metrics.surface_distances import dice
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid, voxelise
from ThyroidSynthLib.geometry.surface import surface_from_mask


@pytest.fixture
def masks():
    """A gland of two blocks and a trachea, [k, j, i]."""
    thyroid, trachea = np.zeros((2, 24, 20, 26), dtype=np.uint8)
    thyroid[6:18, 8:14, 4:10] = thyroid[8:16, 8:13, 15:21] = thyroid[9:12, 9:11, 10:15] = 1
    trachea[:, 12:17, 10:15] = 1
    return thyroid, trachea


def a_cohort(folder, masks, *, spacing_mm=1.5):
    """Write a case and give what the lattice asks of its cohort, with the case's surface."""
    ras = affine(spacing_mm=(spacing_mm,) * 3, degrees=17.0, origin=(110.0, -60.0, 900.0))
    files = [write_nifti(folder / f"{name}.nii.gz", mask, ras) for name, mask in zip(("t", "r"), masks, strict=True)]
    case = read_case(find_cases(thyroid=files[0], trachea=files[1])[0])
    placement = case.placement("upright")
    surface = surface_from_mask(case.thyroid)
    source = {"kind": "masks", "files": [str(file) for file in files]}
    cohort = SimpleNamespace(
        document={"cases": [{"source": source}]}, index=lambda case_id: 0, placement=lambda case_id: placement
    )
    return cohort, surface.moved(placement.to_trachea(surface.vertices)), case


def test_a_cases_surface_fills_its_own_voxels_and_no_others(tmp_path, masks):
    cohort, surface, case = a_cohort(tmp_path, masks)
    lattice = mask_lattice(cohort, "a")
    filled = voxelise(surface, Grid(case.thyroid_mask.scan_shape, lattice)).array
    assert np.array_equal(filled, masks[0])
    assert dice(surface, surface, lattice=lattice) == 1.0


def test_without_the_masks_or_on_other_voxels_there_is_no_lattice_of_its_own(tmp_path, masks):
    cohort, _, _ = a_cohort(tmp_path, masks, spacing_mm=1.0)
    assert mask_lattice(cohort, "a") is None
    cohort, _, _ = a_cohort(tmp_path, masks)
    (tmp_path / "t.nii.gz").unlink()
    assert mask_lattice(cohort, "a") is None
    surfaces_only = SimpleNamespace(
        document={"cases": [{"source": {}}]}, index=lambda case_id: 0, placement=lambda case_id: Placement(np.eye(4))
    )
    assert mask_lattice(surfaces_only, "a") is None
