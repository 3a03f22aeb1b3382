"""Voxels keep their positions through files, rotations and cropping."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from scipy.spatial.transform import Rotation

from support.sitk_images import volume_from_sitk
from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.volume_files import read_volume, write_volume


def geometry(*, degrees: tuple[float, float, float] = (0.0, 0.0, 0.0), flips=(1, 1, 1)) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix() * flips * (0.8, 1.5, 2.5)
    matrix[:3, 3] = (-120.5, 33.25, 870.0)
    return matrix


def a_mask(ijk_to_ras: np.ndarray) -> Volume:
    array = np.zeros((9, 8, 7), dtype=np.uint8)
    array[2:5, 3:7, 1:3] = 1
    array[4, 3, 5] = 1
    return Volume(array, ijk_to_ras)


GEOMETRIES = [
    geometry(),
    geometry(flips=(-1, 1, 1)),
    geometry(degrees=(20.0, -35.0, 50.0)),
    geometry(degrees=(90.0, 0.0, 90.0), flips=(1, -1, -1)),
]


def test_positions_are_ras_for_a_simpleitk_image_in_lps() -> None:
    image = SimpleITK.GetImageFromArray(np.zeros((4, 5, 6), dtype=np.int16))
    image.SetOrigin((10.0, 20.0, 30.0))
    image.SetSpacing((1.0, 2.0, 3.0))

    volume = volume_from_sitk(image)

    assert volume.to_ras(np.array([1, 1, 1])) == pytest.approx([-11.0, -22.0, 33.0])
    assert volume.to_ijk(np.array([-11.0, -22.0, 33.0])) == pytest.approx([1.0, 1.0, 1.0])
    assert volume.spacing_mm == pytest.approx([1.0, 2.0, 3.0])
    assert volume.voxel_volume_ml == pytest.approx(0.006)


@pytest.mark.parametrize("matrix", GEOMETRIES)
@pytest.mark.parametrize("margin", [0, 1, 4])
def test_cropping_keeps_every_position(matrix: np.ndarray, margin: int) -> None:
    volume = a_mask(matrix)

    cropped = volume.cropped(margin=margin)

    before = volume.to_ras(np.argwhere(volume.array)[:, ::-1])
    after = cropped.to_ras(np.argwhere(cropped.array)[:, ::-1])
    np.testing.assert_allclose(after, before, atol=1e-9)
    assert cropped.array.shape == (3 + 2 * margin, 4 + 2 * margin, 5 + 2 * margin)
    assert cropped.center_of_mass_ras() == pytest.approx(volume.center_of_mass_ras())


def test_a_mask_of_booleans_is_written_as_zeros_and_ones(tmp_path: Path) -> None:
    volume = a_mask(geometry())

    write_volume(Volume(volume.array.astype(bool), volume.ijk_to_ras), tmp_path / "mask.nii.gz")

    np.testing.assert_array_equal(read_volume(tmp_path / "mask.nii.gz").array, volume.array)


def test_an_empty_mask_has_no_centre_of_mass_and_cannot_be_cropped() -> None:
    empty = Volume(np.zeros((3, 3, 3)), np.eye(4))

    with pytest.raises(ValueError, match="empty mask"):
        empty.center_of_mass_ras()
    with pytest.raises(ValueError, match="empty mask"):
        empty.cropped()


@pytest.mark.parametrize("matrix", GEOMETRIES)
def test_a_straightened_volume_shows_the_same_at_each_position(matrix: np.ndarray) -> None:
    sheared = matrix.copy()
    sheared[:3, 1] += 0.2 * sheared[:3, 2]
    array = np.zeros((20, 30, 24), dtype=np.int16)
    array[:, 10:20, 8:16] = 100

    straight = Volume(array, sheared).straightened()

    assert straight.grid.deviation_from_right_angles() < 1e-5
    np.testing.assert_allclose(straight.spacing_mm, Volume(array, sheared).spacing_mm)
    assert straight.grid.contains(Volume(array, sheared).grid.corners()).all()
    ijk = Volume(array, sheared).to_ijk(straight.to_ras(np.argwhere(straight.array == 100)[:, ::-1]))
    assert (ijk.min(axis=0) > [7, 9, -1]).all() and (ijk.max(axis=0) < [16, 20, 20]).all()
    volume_of = (
        np.asarray(straight.array).sum() / 100 * straight.voxel_volume_ml,
        20 * 10 * 8 * abs(np.linalg.det(sheared[:3, :3])) / 1000,
    )
    assert volume_of[0] == pytest.approx(volume_of[1], rel=0.06)


def test_a_straight_volume_is_straightened_to_itself() -> None:
    volume = a_mask(geometry(degrees=(20.0, -35.0, 50.0)))

    np.testing.assert_array_equal(volume.straightened().array, volume.array)
    np.testing.assert_allclose(volume.straightened().ijk_to_ras, volume.ijk_to_ras, atol=1e-9)


def test_a_volume_has_three_axes() -> None:
    with pytest.raises(ValueError, match="three axes"):
        Volume(np.zeros((3, 3)), np.eye(4))


def test_the_message_names_a_file_that_is_not_a_volume(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.nii.gz"
    damaged.write_bytes(b"no image")
    coloured = tmp_path / "coloured.nrrd"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.zeros((3, 3, 3, 3), np.uint8), isVector=True), str(coloured))
    over_time = tmp_path / "time.nii"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.zeros((2, 3, 3, 3), np.uint8), isVector=False), str(over_time))

    for path, fault in (
        (tmp_path / "missing.nii.gz", "does not exist"),
        (damaged, "not a NIfTI file|cannot be read as an image"),
        (coloured, "not a 3-D scalar image"),
        (over_time, "not a 3-D"),
    ):
        with pytest.raises(InputError, match=fault) as caught:
            read_volume(path)
        assert str(path) in str(caught.value)


def test_an_unknown_format_is_refused_and_no_file_is_left(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"mask\.abc"):
        write_volume(a_mask(geometry()), tmp_path / "mask.abc")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("towards", ["RAS", "LPS", "LPI", "LSP", "SAR", "IPR"])
def test_exchanged_axes_keep_every_voxel_in_its_place(towards: str) -> None:
    generator = np.random.default_rng(1)
    axes = np.linalg.qr(np.eye(3)[:, [2, 0, 1]] + 0.2 * generator.normal(size=(3, 3)))[0]
    volume = Volume(generator.normal(size=(4, 5, 6)), np.block([[axes * (1, 2, 3), np.ones((3, 1))], [0, 0, 0, 1]]))

    found = volume.towards(towards)

    k, j, i = np.indices(found.array.shape)
    back = np.rint(volume.to_ijk(found.to_ras(np.stack([i, j, k], axis=-1)))).astype(int)
    assert np.array_equal(found.array, volume.array[back[..., 2], back[..., 1], back[..., 0]])
    for axis, letter in enumerate(towards):
        sign = 1 if letter in "RAS" else -1
        along = {"R": 0, "L": 0, "A": 1, "P": 1, "S": 2, "I": 2}[letter]
        assert sign * found.ijk_to_ras[along, axis] > 0.7 * found.spacing_mm[axis]


def test_each_axis_lies_along_one_of_ras_however_oblique_a_grid_is() -> None:
    for rotation in Rotation.random(200, random_state=1).as_matrix():
        along = Grid((2, 2, 2), np.block([[rotation * (1, 2, 3), np.zeros((3, 1))], [0, 0, 0, 1]])).axes_along_ras()
        assert sorted(along.tolist()) == [0, 1, 2]
    turned = np.array([[0, 0, 3.0, 0], [-1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 0, 1]])
    assert Grid((2, 2, 2), turned).axes_along_ras().tolist() == [2, 0, 1]
