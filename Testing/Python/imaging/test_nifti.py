"""NIfTI files of every form are read with the right geometry."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from support.mask_files import affine, write_nifti
from ThyroidSynthLib.imaging.nifti import read_header
from ThyroidSynthLib.imaging.volume_files import read_slabs, read_volume

ARRAY = np.arange(3 * 4 * 5, dtype=np.int16).reshape(3, 4, 5)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("second", [False, True])
def test_every_form_of_nifti_gives_the_same_voxels_and_geometry(tmp_path, name, order, second):
    ras = affine(degrees=3.6, spacing_mm=(1.5, 1.25, 2.0))
    path = write_nifti(tmp_path / name, ARRAY, ras, order=order, second=second)
    volume = read_volume(path)
    assert np.array_equal(volume.array, ARRAY)
    assert np.allclose(volume.ijk_to_ras, ras, atol=1e-5)


@pytest.mark.parametrize("degrees", [0.0, 12.0])
def test_a_qform_gives_the_geometry_of_the_equivalent_sform(tmp_path, degrees):
    ras = affine(degrees=degrees)
    path = write_nifti(tmp_path / "q.nii", ARRAY, ras, placed_by="qform")
    assert np.allclose(read_header(path).grid.ijk_to_ras, ras, atol=1e-5)


def test_mirrored_axes_are_kept_in_a_qform(tmp_path):
    ras = affine(degrees=5.0) @ np.diag([1, 1, -1, 1])
    path = write_nifti(tmp_path / "q.nii", ARRAY, ras, placed_by="qform")
    assert np.allclose(read_header(path).grid.ijk_to_ras, ras, atol=1e-5)


def test_geometry_is_that_of_simpleitk_for_axes_at_right_angles(tmp_path):
    import SimpleITK

    from support.sitk_images import volume_from_sitk

    path = write_nifti(tmp_path / "a.nii.gz", ARRAY, affine(degrees=20))
    other = volume_from_sitk(SimpleITK.ReadImage(str(path)))
    assert np.allclose(read_volume(path).ijk_to_ras, other.ijk_to_ras, atol=1e-5)
    assert np.array_equal(read_volume(path).array, other.array)


def test_values_are_scaled_by_slope_and_intercept(tmp_path):
    path = write_nifti(tmp_path / "a.nii", ARRAY, affine(), slope=2.0, intercept=-10.0)
    assert np.allclose(read_volume(path).array, ARRAY * 2.0 - 10.0)


def test_gzip_is_recognised_by_content_and_read_in_several_members(tmp_path):
    whole = write_nifti(tmp_path / "a.nii", ARRAY, affine()).read_bytes()
    misnamed = tmp_path / "misnamed.nii"
    misnamed.write_bytes(gzip.compress(whole))
    parts = tmp_path / "parts.nii.gz"
    parts.write_bytes(gzip.compress(whole[:200]) + gzip.compress(whole[200:371]) + gzip.compress(whole[371:]))
    for path in (misnamed, parts):
        assert np.array_equal(read_volume(path).array, ARRAY)


def test_slabs_cover_the_scan_and_are_small(tmp_path):
    array = np.arange(40, dtype=np.uint8)[:, None, None] * np.ones((40, 300, 300), dtype=np.uint8)
    path = write_nifti(tmp_path / "a.nii.gz", array, affine())
    slabs = [(first, slab.copy()) for _, first, slab in read_slabs(path)]
    assert len(slabs) > 3
    assert max(slab.nbytes for _, slab in slabs) <= 1 << 19
    assert np.array_equal(np.concatenate([slab for _, slab in slabs]), array)


def test_several_extensions_are_all_read(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", ARRAY, affine(), extensions=[(6, b"comment"), (0, b"<xml/>")])
    read = [(code, content.rstrip(b"\0")) for code, content in read_header(path).extensions]
    assert read == [(6, b"comment"), (0, b"<xml/>")]
    assert np.array_equal(read_volume(path).array, ARRAY)
