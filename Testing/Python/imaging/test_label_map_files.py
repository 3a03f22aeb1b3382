"""Label map files lie where they should, and are read back before they replace anything."""

import json

import numpy as np
import pytest
import SimpleITK

from support.analytic_shapes import ellipsoid
from support.mask_files import affine, write_nifti
from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.label_map_files import LABEL_FORMATS, names_in_file, write_label_map
from ThyroidSynthLib.imaging.segmentations.label_map_reading import read_label_map
from ThyroidSynthLib.imaging.volume_files import files_of_image, read_grid, read_volume


@pytest.mark.parametrize("suffix", ["nii.gz", "nii", "nrrd", "mha", "mhd"])
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


@pytest.mark.parametrize("suffix", LABEL_FORMATS)
@pytest.mark.parametrize("kind", ["uint8", "uint16", "int32"])
def test_every_format_reads_back_equal_on_any_axes_with_its_names(tmp_path, suffix, kind):
    ras = affine(degrees=3.6)
    ras[0, 1] += 2e-3  # Sheared, as masks of the TotalSegmentator dataset are.
    voxels = np.zeros((3, 4, 5), kind)
    voxels[1, 2, 1:4] = 17
    voxels[2, 0, 0] = 212
    path = tmp_path / f"labels.{suffix}"

    write_label_map(Volume(voxels, ras), path, names={17: "thyroid_gland", 212: "thyroid isthmus Ö"})

    found = read_volume(path)
    assert np.array_equal(found.array, voxels) and found.array.dtype == voxels.dtype
    assert np.allclose(found.ijk_to_ras, ras, atol=1e-5)
    assert names_in_file(path) == {17: "thyroid_gland", 212: "thyroid isthmus Ö"}
    labels = read_label_map(path)
    assert labels.names[17] == "thyroid_gland" and (labels.volume.array == 17).sum() == 3
    assert {each.name for each in tmp_path.iterdir()} == {each.name for each in files_of_image(path)}


@pytest.mark.parametrize(("suffix", "beside"), [("mhd", "raw"), ("raw", "json")])
def test_the_voxels_of_a_raw_file_are_bare_numbers_with_i_fastest(tmp_path, suffix, beside):
    voxels = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    write_label_map(Volume(voxels, np.diag([1.0, 2.0, 3.0, 1.0])), tmp_path / f"a.{suffix}")

    assert {each.name for each in tmp_path.iterdir()} == {f"a.{suffix}", f"a.{beside}"}
    assert np.array_equal(np.fromfile(tmp_path / "a.raw", "<u2"), np.arange(24))
    if beside == "json":
        described = json.loads((tmp_path / "a.json").read_text())
        assert (described["size_ijk"], described["element_type"]) == ([4, 3, 2], "uint16")
        assert described["spacing_mm"] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(("integers", "intent"), [(True, 1002), (False, 0)])
def test_nifti_states_that_integers_are_labels(tmp_path, integers, intent):
    """The voxels of a map of shares are fractions, which are no labels."""
    voxels = np.ones((2, 2, 2), np.uint8 if integers else np.float32)
    write_label_map(Volume(voxels, np.eye(4)), tmp_path / "a.nii")
    assert np.frombuffer((tmp_path / "a.nii").read_bytes(), "<i2", 1, 68)[0] == intent


@pytest.mark.parametrize("suffix", ["mhd", "raw"])
def test_of_two_files_that_read_back_differently_neither_replaces_another(tmp_path, suffix, monkeypatch):
    from ThyroidSynthLib.imaging import label_map_files as export

    good = Volume(np.ones((3, 3, 3), np.uint8), np.eye(4))
    path = tmp_path / f"a.{suffix}"
    write_label_map(good, path)
    before = {each: each.read_bytes() for each in tmp_path.iterdir()}
    monkeypatch.setattr(export, "read_slabs", lambda path: iter([(good.grid, 0, good.array * 0)]))
    with pytest.raises(OutputError, match=r"a\.\w+ reads back"):
        write_label_map(Volume(good.array * 2, np.eye(4)), path)
    assert {each: each.read_bytes() for each in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"kind": "edit"}, "kind"),
        ({"size_ijk": [3, 3, 4]}, "damaged"),
        ({"size_ijk": [3, 3]}, "size_ijk"),
        ({"size_ijk": [2**30, 2**30, 2**30]}, "too large"),
        ({"ijk_to_ras": [[1, 0, 0, 0]] * 4}, "geometry"),
        ({"ijk_to_ras": [[10**400, 0, 0, 0]] * 4}, "ijk_to_ras"),
        ({"data_file": "../a.raw"}, "another place"),
        ({"data_file": "b.raw"}, "does not exist"),
        ({"element_type": "object"}, "element_type"),
        ({"labels": [1]}, "labels"),
    ],
)
def test_a_wrong_description_of_a_raw_file_is_refused(tmp_path, changes, fault):
    path = tmp_path / "a.raw"
    write_label_map(Volume(np.ones((3, 3, 3), np.uint8), np.eye(4)), path)
    described = json.loads((tmp_path / "a.json").read_text())
    (tmp_path / "a.json").write_text(json.dumps(described | changes))
    with pytest.raises(InputError, match=fault):
        read_volume(path)


def test_a_raw_file_without_description_is_refused(tmp_path):
    (tmp_path / "a.raw").write_bytes(bytes(27))
    with pytest.raises(InputError, match=r"a\.json, which would describe it, is not beside it"):
        read_volume(tmp_path / "a.raw")


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


@pytest.mark.parametrize("name", ["label.hdr", "label.nrrd.gz", "label"])
def test_an_unknown_suffix_is_refused(tmp_path, name):
    with pytest.raises(OutputError, match=r"\.nii\.gz, \.nii, \.nrrd, \.seg\.nrrd, \.mha, \.mhd, \.raw"):
        write_label_map(Volume(np.ones((3, 3, 3), np.uint8), np.eye(4)), tmp_path / name)


def test_a_segmentation_without_names_is_refused(tmp_path):
    with pytest.raises(OutputError, match="names of its segments"):
        write_label_map(Volume(np.ones((3, 3, 3), np.uint8), np.eye(4)), tmp_path / "a.seg.nrrd")


@pytest.mark.parametrize("name", ["missing.nii.gz", "text.nii.gz"])
def test_the_message_names_an_unreadable_grid_file(tmp_path, name):
    (tmp_path / "text.nii.gz").write_text("no image")
    with pytest.raises(InputError, match=name):
        read_grid(tmp_path / name)
