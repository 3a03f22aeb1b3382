"""The lattice of a case's own mask: voxelised there, its surface gives the mask again for any patient position."""

from types import SimpleNamespace

import numpy as np
import pytest

from support.mask_files import affine, write_nifti
from ThyroidSynthLib.dataset.case_sources import find_cases
from ThyroidSynthLib.dataset.cases import read_case
from ThyroidSynthLib.evaluation.metrics.mask_lattice import mask_lattice
from ThyroidSynthLib.evaluation.metrics.surface_distances import dice
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.voxelisation import voxelise


@pytest.fixture
def masks():
    """A gland of two blocks and a trachea, [k, j, i]."""
    thyroid, trachea = np.zeros((2, 24, 20, 26), dtype=np.uint8)
    thyroid[6:18, 8:14, 4:10] = thyroid[8:16, 8:13, 15:21] = thyroid[9:12, 9:11, 10:15] = 1
    trachea[:, 12:17, 10:15] = 1
    return thyroid, trachea


def a_cohort(folder, masks, *, spacing_mm=1.5):
    """Write a case; return what `mask_lattice` needs of its cohort, the case's surface and the case."""
    ras = affine(spacing_mm=(spacing_mm,) * 3, degrees=17.0, origin=(110.0, -60.0, 900.0))
    files = [write_nifti(folder / f"{name}.nii.gz", mask, ras) for name, mask in zip(("t", "r"), masks, strict=True)]
    case = read_case(find_cases(thyroid=files[0], trachea=files[1])[0])
    placement = case.placement("upright")
    surface = surface_from_mask(case.thyroid)
    source = {"kind": "masks", "files": [str(file) for file in files]}
    cohort = SimpleNamespace(entry=lambda case_id: {"source": source}, placement=lambda case_id: placement)
    return cohort, surface.moved(placement.to_trachea(surface.vertices)), case


def test_a_voxelised_surface_equals_the_cases_mask(tmp_path, masks):
    cohort, surface, case = a_cohort(tmp_path, masks)
    lattice = mask_lattice(cohort, "a")
    filled = voxelise(surface, Grid(case.thyroid_mask.scan.shape, lattice)).array
    assert np.array_equal(filled, masks[0])
    assert dice(surface, surface, lattice=lattice) == 1.0


def test_there_is_no_lattice_for_missing_masks_or_other_voxel_sizes(tmp_path, masks):
    cohort, _, _ = a_cohort(tmp_path, masks, spacing_mm=1.0)
    assert mask_lattice(cohort, "a") is None
    cohort, _, _ = a_cohort(tmp_path, masks)
    (tmp_path / "t.nii.gz").unlink()
    assert mask_lattice(cohort, "a") is None
    surfaces_only = SimpleNamespace(
        entry=lambda case_id: {"source": {}}, placement=lambda case_id: Placement(np.eye(4))
    )
    assert mask_lattice(surfaces_only, "a") is None
