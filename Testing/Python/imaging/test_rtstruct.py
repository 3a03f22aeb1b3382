"""Contours of RTSTRUCT files are filled to masks of the right volume in the right place."""

from __future__ import annotations

import re

import numpy as np
import pytest
from pydicom import Dataset

from support.dicom_files import ct_series
from support.mask_files import affine
from support.rtstruct_files import write_contours
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.imaging.labels import THYROID, TRACHEA
from ThyroidSynthLib.imaging.segmentations.contours import fill_contours
from ThyroidSynthLib.imaging.segmentations.label_map_reading import read_label_map
from ThyroidSynthLib.imaging.segmentations.opening import open_segmentation

# Some of the files written here have numbers that DICOM does not allow.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

CENTRE = np.array([12.0, -30.0, 205.0])


def circle(radius: float, z: float, *, centre: np.ndarray = CENTRE, corners: int = 90) -> np.ndarray:
    """Return a polygon (n, 3) in RAS mm with the area of a circle."""
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    radius = radius / np.sqrt(np.sin(2 * np.pi / corners) * corners / (2 * np.pi))
    return np.column_stack(
        [centre[0] + radius * np.cos(angles), centre[1] + radius * np.sin(angles), np.full(corners, z)]
    )


def ball(radius: float, step: float, *, every: int = 1) -> list[np.ndarray]:
    """Return the contours of a ball in planes at odd multiples of half a step around its centre."""
    offsets = (np.arange(-200, 200) + 0.5) * step
    inside = [offset for offset in offsets if abs(offset) < radius][::every]
    return [circle(np.sqrt(radius**2 - offset**2), CENTRE[2] + offset) for offset in inside]


def ball_ml(radius: float) -> float:
    return 4 / 3 * np.pi * radius**3 / 1000


@pytest.mark.parametrize("step", [1.0, 2.5, 3.0])
def test_the_volume_and_place_of_a_ball_are_right_without_images(tmp_path, step):
    path = write_contours(tmp_path / "rs.dcm", {"Glnd_Thyroid": ball(15.0, step), "Trachea": ball(8.0, step)})

    masks, notes = open_segmentation(path).masks()

    assert masks[THYROID].volume_ml == pytest.approx(ball_ml(15.0), rel=0.02)
    assert masks[TRACHEA].volume_ml == pytest.approx(ball_ml(8.0), rel=0.04)
    np.testing.assert_allclose(masks[THYROID].volume.center_of_mass_ras(), CENTRE, atol=0.05)
    assert masks[THYROID].scan.spacing_mm.tolist() == pytest.approx([0.5, 0.5, step])
    assert any("are not beside the file" in note for note in notes)
    assert masks[THYROID].border_distance_voxels > 0


@pytest.mark.parametrize("place", ["same folder", "beside", "tilted"])
def test_contours_are_filled_on_the_grid_of_their_images(tmp_path, place):
    degrees = 8.0 if place == "tilted" else 0.0
    ras = affine(
        spacing_mm=(0.9, 1.1, 2.5), degrees=degrees, origin=(CENTRE[0] + 25, CENTRE[1] + 30, CENTRE[2] - 21.25)
    )
    images = ct_series((18, 60, 64), ras)
    folder = tmp_path / "study" if place == "same folder" else tmp_path / "study" / "ct"
    folder.mkdir(parents=True)
    for image in images:
        image.save_as(folder / f"{image.InstanceNumber}.dcm", enforce_file_format=True)
    path = write_contours(
        tmp_path / "study" / ("rs.dcm" if place == "same folder" else "rs/rs.dcm"),
        {"Thyroid": ball(15.0, 2.5)},
        series=images[0].SeriesInstanceUID,
    )

    masks, notes = open_segmentation(path).masks()

    mask = masks[THYROID]
    assert mask.scan.shape == (18, 60, 64)
    np.testing.assert_allclose(mask.scan.ijk_to_ras, ras, atol=1e-3)
    assert mask.volume_ml == pytest.approx(ball_ml(15.0), rel=0.03)
    np.testing.assert_allclose(mask.volume.center_of_mass_ras(), CENTRE, atol=0.1)
    assert any("grid of the images" in note for note in notes)


def test_contours_beyond_their_images_are_cut_and_others_refused(tmp_path):
    ras = affine(spacing_mm=(1.0, 1.0, 2.0), origin=(CENTRE[0], CENTRE[1] + 30, CENTRE[2] - 19))
    images = ct_series((20, 60, 40), ras)
    for image in images:
        image.save_as(tmp_path / f"{image.InstanceNumber}.dcm", enforce_file_format=True)
    far = [np.add(points, [0, 0, 900]) for points in ball(9.0, 2.0)]
    series = images[0].SeriesInstanceUID
    path = write_contours(tmp_path / "rs.dcm", {"Thyroid": ball(15.0, 2.0), "Trachea": ball(6.0, 2.0)}, series=series)
    mask = open_segmentation(path).masks()[0][THYROID]
    # The columns of the images begin at the centre of the ball.
    assert mask.volume_ml == pytest.approx(ball_ml(15.0) / 2, rel=0.06)
    assert mask.whole().array.shape == (20, 60, 40)
    assert mask.border_distance_voxels == 0
    path = write_contours(tmp_path / "far.dcm", {"Thyroid": far}, series=series)
    with pytest.raises(InputError, match=r"far\.dcm: the contours lie outside the images"):
        open_segmentation(path).masks()
    huge = [points * 1e9 for points in ball(9.0, 2.0)]
    path = write_contours(tmp_path / "huge.dcm", {"Thyroid": huge}, series=series)
    with pytest.raises(InputError, match=r"huge\.dcm"):
        open_segmentation(path).masks()


@pytest.mark.parametrize("implicit", [True, False])
def test_files_without_a_preamble_are_read(tmp_path, implicit):
    import pydicom

    dataset = pydicom.dcmread(write_contours(tmp_path / "rs.dcm", {"Thyroid": ball(15.0, 2.0)}))
    path = tmp_path / "RS.1.2.840"
    pydicom.dcmwrite(path, Dataset(dict(dataset.items())), implicit_vr=implicit, little_endian=True)
    assert path.read_bytes()[128:132] != b"DICM"
    assert open_segmentation(path).masks()[0][THYROID].volume_ml == pytest.approx(ball_ml(15.0), rel=0.03)
    noise = tmp_path / "RS.1.2.841"
    noise.write_bytes(b"\x08\x00\x16\x00" + bytes(200))
    with pytest.raises(InputError, match="is neither a NIfTI"):
        open_segmentation(noise)


def _keyhole(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    return np.vstack([outer, outer[:1], inner, inner[:1]])


@pytest.mark.parametrize("kind", ["two contours", "keyhole", "repeated outer contour"])
def test_holes_are_left_out(kind):
    grid = Grid.of_file("x", (9, 160, 160), np.diag([0.5, 0.5, 2.0, 1.0]) + _shift([-28, -70, 197]))
    contours = []
    for k in range(9):
        outer, inner = circle(15.0, 197 + 2 * k), circle(6.0, 197 + 2 * k)
        contours += [_keyhole(outer, inner)] if kind == "keyhole" else [outer, inner]
        contours += [outer.copy()] if kind == "repeated outer contour" else []

    volume = fill_contours(contours, grid).volume

    assert volume.array.sum() * volume.voxel_volume_ml == pytest.approx(np.pi * (225 - 36) * 18 / 1000, rel=0.005)


def _shift(origin: list[float]) -> np.ndarray:
    matrix = np.zeros((4, 4))
    matrix[:3, 3] = origin
    return matrix


def test_contours_along_voxels_give_these_voxels(tmp_path):
    # A box of 6 x 9 x 4 voxels of 1.5 mm, outlined along their faces.
    corners = np.array([[0.0, 0.0], [9.0, 0.0], [9.0, 13.5], [0.0, 13.5]])
    box = [np.column_stack([corners + CENTRE[:2], np.full(4, CENTRE[2] + 1.5 * k)]) for k in range(4)]
    mask = open_segmentation(write_contours(tmp_path / "rs.dcm", {"Thyroid": box})).masks()[0][THYROID]
    assert mask.volume_ml == pytest.approx(9.0 * 13.5 * 6.0 / 1000, rel=1e-6)
    np.testing.assert_allclose(mask.volume.center_of_mass_ras(), np.add(CENTRE, [4.5, 6.75, 2.25]), atol=1e-3)


@pytest.mark.parametrize("images", [True, False])
@pytest.mark.parametrize("size_mm", [1.5, 0.78125])
def test_contours_traced_through_the_centres_of_voxels_give_these_voxels(tmp_path, size_mm, images):
    # From one outermost voxel to the next, as OpenCV and with it rt-utils and TotalSegmentator trace them.
    outline = np.array([[2, 0], [6, 0], [8, 2], [8, 9], [5, 12], [2, 12], [0, 10], [0, 2]])
    voxels = 9 * 13 - 3 - 3 - 6 - 3
    corners = np.round(CENTRE[:2] + size_mm * outline, 2)
    contours = [np.column_stack([corners, np.full(8, CENTRE[2] + 2.0 * k)]) for k in range(4)]
    series = None
    if images:
        place = np.add(CENTRE, [20 * size_mm, 20 * size_mm, -10.0])
        scan = ct_series((14, 50, 40), affine(spacing_mm=(size_mm, size_mm, 2.0), origin=place))
        for image in scan:
            image.save_as(tmp_path / f"{image.InstanceNumber}.dcm", enforce_file_format=True)
        series = scan[0].SeriesInstanceUID

    mask = open_segmentation(write_contours(tmp_path / "rs.dcm", {"Thyroid": contours}, series=series)).masks()[0][
        THYROID
    ]

    assert np.count_nonzero(mask.volume.array) == 4 * voxels
    assert mask.volume_ml == pytest.approx(4 * voxels * size_mm**2 * 2.0 / 1000, rel=2e-3)
    low, high = (getattr(corners, end)(axis=0) for end in ("min", "max"))
    first, last = mask.volume.to_ras(np.zeros(3)), mask.volume.to_ras(np.array(mask.volume.array.shape[::-1]) - 1.0)
    np.testing.assert_allclose(np.sort([first[:2], last[:2]], axis=0), [low, high], atol=0.02)


def test_contours_halfway_between_voxels_are_filled_as_they_are(tmp_path):
    # A block of 3 x 3 voxels of 1.5 mm as marching squares outline it: without half of each corner.
    block = [[-0.5, 0], [-0.5, 2], [0, 2.5], [2, 2.5], [2.5, 2], [2.5, 0], [2, -0.5], [0, -0.5]]
    corners = CENTRE[:2] + 1.5 * np.array(block)
    contours = [np.column_stack([corners, np.full(8, CENTRE[2] + 1.5 * k)]) for k in range(4)]
    mask = open_segmentation(write_contours(tmp_path / "rs.dcm", {"Thyroid": contours})).masks()[0][THYROID]
    assert mask.volume_ml == pytest.approx(8.5 * 1.5**2 * 6.0 / 1000, rel=0.06)


@pytest.mark.parametrize("size_mm", [1.0, 3.0])
def test_contours_that_were_drawn_on_a_lattice_are_filled_as_they_are(tmp_path, size_mm):
    # Their edges skip voxels, unlike those of traced ones.
    corners = CENTRE[:2] + size_mm * np.array([[0, 0], [6, 1], [7, 9], [1, 8]])
    contours = [np.column_stack([corners, np.full(4, CENTRE[2] + 1.5 * k)]) for k in range(4)]
    mask = open_segmentation(write_contours(tmp_path / "rs.dcm", {"Thyroid": contours})).masks()[0][THYROID]
    assert mask.volume_ml == pytest.approx(47 * size_mm**2 * 6.0 / 1000, rel=0.03)


def test_slices_between_contours_are_interpolated_and_noted(tmp_path):
    body = ball(20.0, 2.0)
    path = write_contours(tmp_path / "rs.dcm", {"Thyroid": ball(15.0, 2.0, every=2), "Trachea": body})
    masks, notes = open_segmentation(path).masks()
    assert masks[THYROID].volume_ml == pytest.approx(ball_ml(15.0), rel=0.05)
    assert any(re.search("interpolated over [0-9]+ slices? without contours", note) for note in notes)


def test_a_wide_gap_is_left_empty_and_noted(tmp_path):
    cylinder = [circle(5.0, CENTRE[2] + z) for z in (0.0, 2.0, 4.0, 30.0, 32.0, 34.0)]
    masks, notes = open_segmentation(write_contours(tmp_path / "rs.dcm", {"Thyroid": cylinder})).masks()
    assert masks[THYROID].volume_ml == pytest.approx(6 * 2 * np.pi * 25 / 1000, rel=0.02)
    assert any("no contours over 26 mm" in note for note in notes)


def test_planning_volumes_and_regions_without_contours_are_not_the_organ(tmp_path):
    regions = {"Thyroid": ball(9.0, 2.0), "Trachea_PRV05": ball(12.0, 2.0), "Trachea": ball(6.0, 2.0), "thyroid": []}
    path = write_contours(tmp_path / "rs.dcm", regions)
    opened = open_segmentation(path)
    assert [segment.name for segment in opened.segments] == ["Thyroid", "Trachea_PRV05", "Trachea"]
    assert opened.masks()[0][TRACHEA].volume_ml == pytest.approx(ball_ml(6.0), rel=0.05)

    marked = write_contours(tmp_path / "marked.dcm", {"Thyroid": ball(9.0, 2.0)}, kinds={"Thyroid": "PTV"})
    remark = r"Thyroid \(label 1\) has the code or type of a lesion or a planning structure"
    with pytest.raises(InputError, match=rf"neither a thyroid nor a trachea.*; {remark}"):
        open_segmentation(marked).masks()
    assert open_segmentation(marked, labels={1: "thyroid"}).masks()[0][THYROID].volume_ml > 2
    regions = {"Thyroid": ball(9.0, 2.0), "Trachea": ball(6.0, 2.0)}
    marked = write_contours(tmp_path / "marked.dcm", regions, kinds={"Thyroid": "CTV"})
    masks, notes = open_segmentation(marked).masks()
    assert list(masks) == [TRACHEA] and re.fullmatch(remark, notes[0])


def test_all_regions_are_read_as_a_label_map(tmp_path):
    path = write_contours(
        tmp_path / "rs.dcm", {"Thyroid": ball(9.0, 2.0), "Esophagus": [circle(4.0, 260.0), circle(4.0, 262.0)]}
    )
    found = read_label_map(path)
    assert found.names == {1: "Thyroid", 2: "Esophagus"}
    assert (found.volume.array == 1).sum() * found.volume.voxel_volume_ml == pytest.approx(ball_ml(9.0), rel=0.05)


@pytest.mark.parametrize(
    ("contours", "message"),
    [
        (ball(9.0, 2.0) + [points[:, [2, 0, 1]] for points in ball(9.0, 2.0)], "planes of several directions"),
        ([CENTRE[None]], "only points or open lines"),
        ([], "has no contours"),
        ([circle(4.0, z) for z in (0.0, 50.0, 100.0)], "50.00 mm apart"),
        ([np.full((4, 3), np.nan)], "damaged"),
    ],
)
def test_contours_that_cannot_be_filled_are_refused(tmp_path, contours, message):
    path = write_contours(tmp_path / "rs.dcm", {"Thyroid": contours})
    with pytest.raises(InputError, match=message) as error:
        open_segmentation(path).masks()
    assert str(path) in str(error.value)


def test_contours_in_oblique_planes_are_filled(tmp_path):
    # A shear keeps the volume and the centre.
    tilted = [points + np.outer(points[:, 0] - CENTRE[0], [0, 0, 0.2]) for points in ball(15.0, 2.0)]
    masks, _ = open_segmentation(write_contours(tmp_path / "rs.dcm", {"Thyroid": tilted})).masks()
    assert masks[THYROID].volume_ml == pytest.approx(ball_ml(15.0), rel=0.02)
    np.testing.assert_allclose(masks[THYROID].volume.center_of_mass_ras(), CENTRE, atol=0.1)
    normal = masks[THYROID].scan.ijk_to_ras[:3, 2]
    np.testing.assert_allclose(
        np.abs(normal / np.linalg.norm(normal)), np.array([0.2, 0, 1]) / np.hypot(0.2, 1), atol=1e-3
    )


def test_contours_that_are_not_parallel_to_their_images_are_filled_on_their_own_planes(tmp_path):
    ras = affine(spacing_mm=(1.0, 1.0, 2.0), origin=(CENTRE[0] + 25, CENTRE[1] + 25, CENTRE[2] - 19))
    images = ct_series((20, 50, 50), ras)
    for image in images:
        image.save_as(tmp_path / f"{image.InstanceNumber}.dcm", enforce_file_format=True)
    turned = [points[:, [2, 0, 1]] - CENTRE[[2, 0, 1]] + CENTRE for points in ball(15.0, 2.0)]
    path = write_contours(tmp_path / "rs.dcm", {"Thyroid": turned}, series=images[0].SeriesInstanceUID)
    masks, notes = open_segmentation(path).masks()
    assert masks[THYROID].volume_ml == pytest.approx(ball_ml(15.0), rel=0.03)
    np.testing.assert_allclose(masks[THYROID].volume.center_of_mass_ras(), CENTRE, atol=0.1)
    assert any("not parallel to the images" in note for note in notes)


def test_contours_in_sagittal_planes_are_filled(tmp_path):
    turned = [points[:, [2, 0, 1]] for points in ball(15.0, 2.0)]
    masks, _ = open_segmentation(write_contours(tmp_path / "rs.dcm", {"Thyroid": turned})).masks()
    assert masks[THYROID].volume_ml == pytest.approx(ball_ml(15.0), rel=0.03)
    np.testing.assert_allclose(masks[THYROID].volume.center_of_mass_ras(), CENTRE[[2, 0, 1]], atol=0.1)
