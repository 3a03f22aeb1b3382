"""Grids with any axes go in and out of files exactly: sheared, mirrored, oblique."""

from __future__ import annotations

import gzip
import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from scipy.spatial.transform import Rotation

from support.mask_files import affine, with_header, write_nifti
from support.sitk_images import volume_from_sitk, write_by_sitk
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_map_files import write_label_map
from ThyroidSynthLib.imaging.nifti import read_header
from ThyroidSynthLib.imaging.volume_files import placement_notes, read_grid, read_slabs, read_volume, write_volume

ARRAY = np.arange(3 * 4 * 5, dtype=np.int16).reshape(3, 4, 5)


def axes(*, shear: float = 0.0, mirrored: bool = False, degrees=(20.0, -35.0, 50.0), spacing_mm=(0.75, 1.5, 2.5)):
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    matrix[:3, 1] += np.tan(np.radians(shear)) * matrix[:3, 2]
    matrix[:3, :3] *= spacing_mm
    matrix[:3, 0] *= -1 if mirrored else 1
    matrix[:3, 3] = (-120.5, 33.25, 870.0)
    return matrix.astype(np.float32).astype(np.float64)


AXES = {
    "straight": axes(degrees=(0, 0, 0)),
    "oblique": axes(),
    "mirrored": axes(mirrored=True),
    "sheared a little": axes(shear=0.05),
    "sheared": axes(shear=12.0),
    "sheared and mirrored": axes(shear=30.0, mirrored=True),
}


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd"])
@pytest.mark.parametrize("matrix", AXES.values(), ids=AXES.keys())
def test_any_axes_are_written_and_read_exactly(tmp_path, matrix, suffix):
    path = tmp_path / f"a{suffix}"
    write_volume(Volume(ARRAY, matrix), path)
    again = read_volume(path)
    np.testing.assert_array_equal(again.array, ARRAY)
    np.testing.assert_array_equal(again.ijk_to_ras, matrix)
    np.testing.assert_array_equal(read_grid(path).ijk_to_ras, matrix)


@pytest.mark.parametrize("name", [name for name in AXES if "sheared" not in name])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_simpleitk_places_the_written_file_where_it_lies(tmp_path, name, suffix):
    path = tmp_path / f"a{suffix}"
    write_volume(Volume(ARRAY, AXES[name]), path)
    other = volume_from_sitk(SimpleITK.ReadImage(str(path)))
    np.testing.assert_array_equal(other.array, ARRAY)
    np.testing.assert_allclose(other.ijk_to_ras, AXES[name], atol=1e-4)


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"])
@pytest.mark.parametrize("suffix", [".nii", ".nrrd", ".mha"])
def test_every_type_of_voxel_is_read_as_simpleitk_reads_it(tmp_path, kind, suffix):
    path = tmp_path / f"a{suffix}"
    write = write_by_sitk if suffix == ".mha" else write_volume
    write(Volume(ARRAY.astype(kind), AXES["oblique"]), path)
    other = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    assert read_volume(path).array.dtype == other.dtype
    np.testing.assert_array_equal(read_volume(path).array, other)


@pytest.mark.parametrize("suffix", ["nrrd", "nhdr", "mha", "mhd"])
@pytest.mark.parametrize("compressed", [False, True])
def test_files_that_simpleitk_writes_are_read_alike(tmp_path, suffix, compressed):
    path = tmp_path / f"a.{suffix}"
    image = SimpleITK.GetImageFromArray(ARRAY)
    image.SetSpacing((0.8, 1.5, 2.5))
    image.SetDirection(AXES["oblique"][:3, :3].ravel() / np.tile([0.75, 1.5, 2.5], 3))
    image.SetOrigin((10.0, -20.0, 30.0))
    SimpleITK.WriteImage(image, str(path), useCompression=compressed)
    expected = volume_from_sitk(image)
    np.testing.assert_array_equal(read_volume(path).array, ARRAY)
    np.testing.assert_allclose(read_volume(path).ijk_to_ras, expected.ijk_to_ras, atol=1e-6)
    slabs = list(read_slabs(path))
    np.testing.assert_array_equal(np.concatenate([slab for _, _, slab in slabs]), ARRAY)


def test_the_qform_of_sheared_axes_is_marked_as_unused_and_that_of_others_agrees(tmp_path):
    for name, matrix in AXES.items():
        path = tmp_path / f"{name}.nii"
        write_volume(Volume(ARRAY, matrix), path)
        raw = bytearray(path.read_bytes())
        qform, sform = struct.unpack_from("<2h", raw, 252)
        assert (qform, sform) == (0 if "sheared" in name else 1, 1)
        assert placement_notes(path) == ()
        struct.pack_into("<2h", raw, 252, 1, 0)  # By its qform alone the image lies in the same place, unless sheared.
        path.write_bytes(raw)
        apart = np.abs(read_header(path).grid.corners() - Volume(ARRAY, matrix).grid.corners()).max()
        assert bool(apart < 1e-3) is ("sheared" not in name)


def test_a_label_map_on_a_sheared_grid_keeps_it_and_its_names(tmp_path):
    labels = Volume((ARRAY % 3).astype(np.uint8), AXES["sheared"])
    for name in ("a.nii.gz", "a.seg.nrrd"):
        write_label_map(labels, tmp_path / name, names={1: "trachea", 2: "thyroid_gland"})
        np.testing.assert_array_equal(read_grid(tmp_path / name).ijk_to_ras, labels.ijk_to_ras)


def test_the_same_volume_is_written_with_the_same_bytes(tmp_path):
    for suffix in (".nii.gz", ".nrrd"):
        for name in ("a", "b"):
            write_volume(Volume(ARRAY, AXES["oblique"]), tmp_path / f"{name}{suffix}")
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_an_sform_and_a_pixdim_of_other_voxel_sizes_are_refused_with_the_numbers(tmp_path):
    path = with_header(write_nifti(tmp_path / "a.nii", ARRAY, affine()), 80, "3f", 1.0, 1.0, 1.0)
    with pytest.raises(InputError, match=r"a\.nii .*1\.5 x 1\.5 x 1\.5 mm in its sform, 1 x 1 x 1 mm in its pixdim"):
        read_header(path)
    unset = with_header(write_nifti(tmp_path / "b.nii", ARRAY, affine()), 80, "3f", 0.0, 0.0, 0.0)
    assert read_header(unset).grid.spacing_mm == pytest.approx([1.5, 1.5, 1.5])


def test_a_qform_elsewhere_is_noted_and_a_mirrored_one_refused(tmp_path, caplog):
    for name, degrees in (("same", 8.0), ("turned", 30.0)):
        path = write_nifti(tmp_path / f"{name}.nii", ARRAY, affine(degrees=8.0), placed_by="qform")
        with_header(with_header(path, 254, "h", 2), 280, "12f", *affine(degrees=degrees)[:3].ravel())
    assert read_header(tmp_path / "same.nii").notes == ()
    (note,) = placement_notes(tmp_path / "turned.nii")
    assert "turned.nii" in note and "2.86 mm apart" in note and "sform is used" in note
    read_grid(tmp_path / "turned.nii")
    assert note in caplog.text
    mirrored = affine(degrees=8.0) @ np.diag([-1, 1, 1, 1])
    path = with_header(tmp_path / "turned.nii", 280, "12f", *mirrored[:3].ravel())
    with pytest.raises(InputError, match="mirror each other"):
        read_header(path)


@pytest.mark.parametrize(("unit", "factor"), [(1, 0.001), (2, 1.0), (3, 1000.0), (0, 1.0), (10, 1.0)])
def test_lengths_are_read_in_the_unit_of_the_header(tmp_path, unit, factor):
    scaled = np.diag([factor, factor, factor, 1.0]) @ affine()
    path = with_header(write_nifti(tmp_path / "a.nii", ARRAY, scaled), 123, "B", unit)
    np.testing.assert_allclose(read_volume(path).ijk_to_ras, affine(), rtol=1e-5)
    expected = {1: ["a.nii has lengths in metres"], 3: ["a.nii has lengths in micrometres"]}
    assert list(placement_notes(path)) == expected.get(unit, [])


def test_a_unit_that_does_not_exist_is_noted(tmp_path):
    path = with_header(write_nifti(tmp_path / "a.nii", ARRAY, affine()), 123, "B", 5)
    np.testing.assert_allclose(read_volume(path).ijk_to_ras, affine(), rtol=1e-5)
    assert placement_notes(path) == ("a.nii has lengths in an unknown unit (code 5), which are taken as mm",)


@pytest.mark.parametrize(("unit", "name", "size"), [(1, "metres", "1500"), (3, "micrometres", r"0\.0015")])
def test_a_unit_that_makes_a_scan_impossible_is_named(tmp_path, unit, name, size):
    path = with_header(write_nifti(tmp_path / "a.nii", ARRAY, affine()), 123, "B", unit)
    with pytest.raises(InputError, match=rf"a\.nii .*voxels of {size} x .*lengths are in {name}"):
        read_header(path)


def test_a_gzipped_file_says_so_in_its_name_only(tmp_path):
    write_volume(Volume(ARRAY, affine()), tmp_path / "a.NII.GZ")
    assert gzip.decompress((tmp_path / "a.NII.GZ").read_bytes())[344:347] == b"n+1"


@pytest.mark.skipif(sys.platform != "linux", reason="file names are Unicode elsewhere")
@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".seg.nrrd", ".mha"])
def test_names_that_are_not_utf8_are_written_and_read(tmp_path, suffix):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/M\xfcller")) / f"\udcfc{suffix}"
    labels = Volume((ARRAY % 3).astype(np.uint8), AXES["oblique"])
    if suffix == ".mha":
        path.parent.mkdir()
        write_by_sitk(labels, tmp_path / "a.mha").rename(path)
    else:
        write_label_map(labels, path, names={1: "trachea", 2: "thyroid"} if suffix != ".nrrd" else None)
    np.testing.assert_array_equal(read_volume(path).array, labels.array)
    assert read_grid(path).shape == labels.grid.shape
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError) as caught:
        read_volume(path)
    assert str(path) in str(caught.value)
