"""NIfTI files of every form are read with the right geometry, and damaged ones are refused."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from support.mask_files import affine, write_nifti
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.imaging.nifti import read_header, read_nifti, read_slabs
from ThyroidSynthLib.imaging.volume_files import read_volume

ARRAY = np.arange(3 * 4 * 5, dtype=np.int16).reshape(3, 4, 5)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("second", [False, True])
def test_every_form_of_nifti_gives_the_same_voxels_and_geometry(tmp_path, name, order, second):
    ras = affine(degrees=3.6, spacing_mm=(1.5, 1.25, 2.0))
    path = write_nifti(tmp_path / name, ARRAY, ras, order=order, second=second)
    volume = read_nifti(path)
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
    assert np.allclose(read_nifti(path).ijk_to_ras, other.ijk_to_ras, atol=1e-5)
    assert np.array_equal(read_nifti(path).array, other.array)


def test_a_slightly_sheared_grid_is_read_as_written(tmp_path):
    ras = affine(degrees=3.6)
    ras[0, 1] += 2e-3
    path = write_nifti(tmp_path / "sheared.nii.gz", ARRAY, ras)
    assert np.allclose(read_volume(path).ijk_to_ras, ras, atol=1e-5)


def test_values_are_scaled_by_slope_and_intercept(tmp_path):
    path = write_nifti(tmp_path / "a.nii", ARRAY, affine(), slope=2.0, intercept=-10.0)
    assert np.allclose(read_nifti(path).array, ARRAY * 2.0 - 10.0)


def test_gzip_is_recognised_by_content_and_read_in_several_members(tmp_path):
    whole = write_nifti(tmp_path / "a.nii", ARRAY, affine()).read_bytes()
    misnamed = tmp_path / "misnamed.nii"
    misnamed.write_bytes(gzip.compress(whole))
    parts = tmp_path / "parts.nii.gz"
    parts.write_bytes(gzip.compress(whole[:200]) + gzip.compress(whole[200:371]) + gzip.compress(whole[371:]))
    for path in (misnamed, parts):
        assert np.array_equal(read_nifti(path).array, ARRAY)


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
    assert np.array_equal(read_nifti(path).array, ARRAY)


def test_the_message_names_a_file_that_cannot_be_read_and_the_reason(tmp_path):
    good = write_nifti(tmp_path / "good.nii.gz", ARRAY, affine())
    cut = tmp_path / "cut.nii.gz"
    cut.write_bytes(good.read_bytes()[:-20])
    garbled = tmp_path / "garbled.nii.gz"
    garbled.write_bytes(good.read_bytes()[:-60] + b"\xff" * 60)
    text = tmp_path / "text.nii.gz"
    text.write_text("not an image")
    empty = tmp_path / "empty.nii.gz"
    empty.write_bytes(b"")
    flat = affine()
    flat[:3, 2] = 0
    cases = {
        tmp_path / "nowhere.nii.gz": "does not exist",
        cut: "damaged",
        garbled: "damaged",
        text: "not a NIfTI file",
        empty: "not a NIfTI file",
        write_nifti(tmp_path / "4d.nii", ARRAY, affine(), dims=(4, 5, 4, 1, 3)): "not a 3-D image",
        write_nifti(tmp_path / "2d.nii", ARRAY, affine(), dims=(2, 5, 12)): "not a 3-D image",
        write_nifti(tmp_path / "unplaced.nii", ARRAY, affine(), placed_by="none"): "neither sform nor qform",
        write_nifti(tmp_path / "flat.nii", ARRAY, flat): "invalid geometry",
    }
    for path, reason in cases.items():
        with pytest.raises(InputError) as caught:
            read_nifti(path)
        assert reason in str(caught.value) and path.name in str(caught.value)
