"""Label maps: the right voxels, in the right place, read back before they are done."""

import numpy as np
import pytest
import SimpleITK

from support.mask_files import affine, write_nifti
from ThyroidSynthLib.common.errors import InputError, OutputError, SynthesisError
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.isosurface import surface_from_mask, surface_from_sdf
from ThyroidSynthLib.geometry.sampling import signed_distance
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.label_map_files import write_label_map
from ThyroidSynthLib.imaging.volume_files import read_grid, read_volume


def an_ellipsoid(center=(0.0, 0.0, 0.0), radii=(9.0, 6.0, 14.0)) -> Surface:
    axes = np.linspace(-1.2, 1.2, 40)
    x, y, z = np.meshgrid(axes, axes, axes, indexing="ij")
    unit = surface_from_sdf(np.sqrt(x**2 + y**2 + z**2) - 1)
    return Surface((unit.vertices / 39 * 2.4 - 1.2) * np.array(radii) + np.array(center), unit.faces)


def an_oblique_grid(mirrored: bool) -> Grid:
    angles = np.deg2rad([20.0, -35.0, 50.0])
    rotation = np.eye(3)
    for axis, angle in enumerate(angles):
        a, b = [n for n in range(3) if n != axis]
        turn = np.eye(3)
        turn[[a, a, b, b], [a, b, a, b]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
        rotation = turn @ rotation
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * np.array([-0.9 if mirrored else 0.9, 1.3, 2.1])
    matrix[:3, 3] = np.array([110.0, -70.0, 300.0]) - matrix[:3, :3] @ np.array([20.0, 18.0, 12.0])
    return Grid((25, 37, 41), matrix)


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_voxel_is_labelled_exactly_when_its_centre_is_inside(mirrored):
    surface, grid = an_ellipsoid((110.0, -70.0, 300.0)), an_oblique_grid(mirrored)
    labels = voxelise(surface, grid)
    kji = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1)
    distance = signed_distance(surface, labels.to_ras(kji[..., ::-1]).reshape(-1, 3)).reshape(grid.shape)
    clear = np.abs(distance) > 1e-3
    assert grid.holds(surface)
    assert np.array_equal(labels.array[clear] == 1, distance[clear] < 0)
    assert labels.array.sum() * labels.voxel_volume_ml == pytest.approx(surface.volume / 1000, rel=0.02)


def test_a_mask_survives_the_way_to_a_surface_and_back():
    rng = np.random.default_rng(4)
    mask = np.zeros((18, 20, 22), dtype=np.uint8)
    mask[3:15, 4:9, 3:9] = mask[3:15, 5:10, 13:19] = 1
    mask[5:8, 4:7, 8:14] = 1
    mask[2:16, 3:12, 2:20] |= rng.random((14, 9, 18)) < 0.002
    grid = Grid(mask.shape, np.diag([-1.5, -1.5, 1.5, 1.0]))
    source = Volume(mask, grid.ijk_to_ras)
    assert np.array_equal(voxelise(surface_from_mask(source), grid).array, mask)


def test_surface_corners_on_voxel_centres_fill_a_box_once():
    corners = np.array([[x, y, z] for x in (2, 8) for y in (2, 8) for z in (2, 8)], dtype=float)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))])
    count = voxelise(Surface(corners, faces), Grid((12, 12, 12), np.eye(4))).array.sum()
    assert 5**3 <= count <= 7**3


def test_a_surface_beyond_the_grid_is_cut_and_the_grid_says_so():
    grid = Grid((30, 30, 30), np.eye(4))
    half = an_ellipsoid((15.0, 15.0, 29.5))
    assert not grid.holds(half)
    assert voxelise(half, grid).array.sum() == pytest.approx(half.volume / 2, rel=0.05)
    assert voxelise(an_ellipsoid((500.0, 0.0, 0.0)), grid).array.sum() == 0


def test_an_open_surface_is_refused():
    surface = an_ellipsoid()
    with pytest.raises(SynthesisError, match="not closed"):
        voxelise(Surface(surface.vertices, surface.faces[:-1]), Grid((9, 9, 9), np.eye(4)))


def test_a_grid_around_a_surface_holds_it_with_its_margin_on_a_common_lattice():
    surface = an_ellipsoid((101.3, -7.7, 50.1))
    grid = Grid.around(surface, spacing_mm=1.5, margin_mm=4.0)
    lower, upper = surface.bounds
    outermost = grid.ijk_to_ras[:3, 3] + 1.5 * (np.array(grid.shape[::-1]) - 1)
    assert (grid.ijk_to_ras[:3, 3] <= lower - 4).all() and (outermost >= upper + 4).all()
    assert np.allclose(np.remainder(grid.ijk_to_ras[:3, 3] / 1.5 + 1e-9, 1), 0, atol=1e-6)
    with pytest.raises(InputError, match="positive"):
        Grid.around(surface, spacing_mm=0.0)
    with pytest.raises(InputError, match="too large"):
        Grid.around(surface, spacing_mm=0.001)


def test_a_grid_may_have_another_spacing_along_each_axis():
    surface = an_ellipsoid((101.3, -7.7, 50.1))
    grid = Grid.around(surface, spacing_mm=(0.8, 0.9, 3.0))
    labels = voxelise(surface, grid)
    assert np.allclose(labels.spacing_mm, [0.8, 0.9, 3.0])
    assert grid.holds(surface)
    assert labels.array.sum() * labels.voxel_volume_ml == pytest.approx(surface.volume / 1000, rel=0.01)


@pytest.mark.parametrize("suffix", ["nii.gz", "nii", "nrrd"])
def test_a_label_map_on_a_cts_grid_lies_where_the_ct_lies(tmp_path, suffix):
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
    write_label_map(voxelise(an_ellipsoid(center), grid), path)
    image = SimpleITK.ReadImage(str(path))
    for geometry in ("GetSpacing", "GetOrigin", "GetDirection"):
        assert np.allclose(getattr(image, geometry)(), getattr(ct, geometry)(), atol=1e-4)
    assert np.allclose(read_volume(path).center_of_mass_ras(), center, atol=0.15)
    assert "not for clinical use" in image.GetMetaData("ITK_FileNotes")


def test_a_slightly_sheared_cts_grid_is_where_its_masks_are_read(tmp_path):
    ras = affine(degrees=3.6)
    ras[0, 1] += 2e-3
    path = write_nifti(tmp_path / "ct.nii.gz", np.zeros((3, 4, 5), np.int16), ras)
    grid = read_grid(path)
    assert grid.shape == (3, 4, 5)
    assert np.allclose(grid.ijk_to_ras, read_volume(path).ijk_to_ras, atol=1e-6)


def test_a_label_map_that_reads_back_differently_is_not_put_in_place(tmp_path, monkeypatch):
    from ThyroidSynthLib.imaging import label_map_files as export

    good = Volume(np.ones((3, 3, 3), np.uint8), np.eye(4))
    monkeypatch.setattr(export, "read_volume", lambda path: Volume(good.array * 0, good.ijk_to_ras))
    with pytest.raises(OutputError, match="reads back"):
        write_label_map(good, tmp_path / "label.nii.gz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["label.mha", "label.seg.nrrd", "label"])
def test_other_suffixes_are_refused_with_the_ones_that_work(tmp_path, name):
    with pytest.raises(OutputError, match=r"\.nii\.gz, \.nii, \.nrrd"):
        write_label_map(Volume(np.ones((3, 3, 3), np.uint8), np.eye(4)), tmp_path / name)


@pytest.mark.parametrize("name", ["missing.nii.gz", "text.nii.gz"])
def test_an_unreadable_grid_file_is_named(tmp_path, name):
    (tmp_path / "text.nii.gz").write_text("no image")
    with pytest.raises(InputError, match=name):
        read_grid(tmp_path / name)
