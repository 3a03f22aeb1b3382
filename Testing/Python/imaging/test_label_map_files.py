"""Label map files lie where they should, and are read back before they replace anything."""

import numpy as np
import pytest
import SimpleITK

from support.analytic_shapes import ellipsoid
from support.mask_files import affine, write_nifti
from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.label_map_files import write_label_map
from ThyroidSynthLib.imaging.volume_files import read_grid, read_volume


@pytest.mark.parametrize("suffix", ["nii.gz", "nii", "nrrd"])
def test_a_label_map_on_the_grid_of_a_ct_has_its_geometry(tmp_path, suffix):
    ct = SimpleITK.Image([31, 37, 25], SimpleITK.sitkInt16)
    ct.SetSpacing([1.1, 0.8, 2.0])
    ct.SetOrigin([-40.0, 12.0, -200.0])
    ct.SetDirection([0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0])
    SimpleITK.WriteImage(ct, str(tmp_path / "ct.nii.gz"))
    grid = read_grid(tmp_path / "ct.nii.gz")
    whole = read_volume(tmp_path / "ct.nii.gz").grid
    assert grid.shape == whole.shape == (25, 37, 31)
    assert np.allclose(grid.ijk_to_ras, whole.ijk_to_ras)

    center = whole.ijk_to_ras[:3, :3] @ [15, 18, 12] + whole.ijk_to_ras[:3, 3]
    path = tmp_path / f"label.{suffix}"
    write_label_map(voxelise(ellipsoid((9.0, 6.0, 14.0), center), grid), path)
    image = SimpleITK.ReadImage(str(path))
    for geometry in ("GetSpacing", "GetOrigin", "GetDirection"):
        assert np.allclose(getattr(image, geometry)(), getattr(ct, geometry)(), atol=1e-4)
    assert np.allclose(read_volume(path).center_of_mass_ras(), center, atol=0.15)
    assert "not for clinical use" in image.GetMetaData("ITK_FileNotes")


def test_the_grid_of_a_sheared_ct_is_that_of_its_masks(tmp_path):
    ras = affine(degrees=3.6)
    ras[0, 1] += 2e-3
    path = write_nifti(tmp_path / "ct.nii.gz", np.zeros((3, 4, 5), np.int16), ras)
    grid = read_grid(path)
    assert grid.shape == (3, 4, 5)
    assert np.allclose(grid.ijk_to_ras, read_volume(path).ijk_to_ras, atol=1e-6)


def test_a_label_map_that_reads_back_differently_replaces_nothing(tmp_path, monkeypatch):
    from ThyroidSynthLib.imaging import label_map_files as export

    good = Volume(np.ones((3, 3, 3), np.uint8), np.eye(4))
    monkeypatch.setattr(export, "read_slabs", lambda path: iter([(good.grid, 0, good.array * 0)]))
    with pytest.raises(OutputError, match="reads back"):
        write_label_map(good, tmp_path / "label.nii.gz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["label.mha", "label.seg.nrrd", "label"])
def test_an_unknown_suffix_is_refused(tmp_path, name):
    with pytest.raises(OutputError, match=r"\.nii\.gz, \.nii, \.nrrd"):
        write_label_map(Volume(np.ones((3, 3, 3), np.uint8), np.eye(4)), tmp_path / name)


@pytest.mark.parametrize("name", ["missing.nii.gz", "text.nii.gz"])
def test_the_message_names_an_unreadable_grid_file(tmp_path, name):
    (tmp_path / "text.nii.gz").write_text("no image")
    with pytest.raises(InputError, match=name):
        read_grid(tmp_path / name)
