"""DICOM files of a label map refer to the CT's series, and read back as the same structures."""

import hashlib
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest

from support.dicom_files import ct_series
from ThyroidSynthLib.common.errors import OutputError
from ThyroidSynthLib.export.writing.codes import code_of
from ThyroidSynthLib.export.writing.image_series import ImageSeries, read_image_series, write_ct_series
from ThyroidSynthLib.export.writing.segmentation_object import write_seg
from ThyroidSynthLib.export.writing.structure_set import joined_holes, rings, write_rtstruct
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.dicom_series import read_series, read_series_grid
from ThyroidSynthLib.imaging.label_maps import LabelMap
from ThyroidSynthLib.imaging.segmentations.label_map_reading import read_label_map
from ThyroidSynthLib.imaging.segmentations.opening import open_segmentation

NOTE = "Synthetic; not for clinical use"
NAMES = {16: "trachea", 17: "thyroid_gland", 58: "common_carotid_artery_left", 204: "airway", 220: "thyroid_nodule_1"}


def oblique(shape: tuple[int, int, int] = (8, 24, 30)) -> Grid:
    """The grid of a tilted scan."""
    turn = np.deg2rad(12)
    axes = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = axes @ np.diag([-0.9, -0.8, 2.5])
    matrix[:3, 3] = [20.0, -140.0, 60.0]
    return Grid(shape, matrix)


def structures(grid: Grid) -> LabelMap:
    """A trachea with its airway in it, a thyroid with a nodule in it, a carotid, and air around."""
    array = np.zeros(grid.shape, np.uint8)
    array[1:7, 12:20, 8:16] = 16
    array[1:7, 14:18, 10:14] = 204
    array[2:6, 4:12, 3:21] = 17
    array[3:5, 6:9, 5:8] = 220
    array[:, 5:8, 23:26] = 58
    return LabelMap(Volume(array, grid.ijk_to_ras), NAMES)


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """The folder of a CT series on the grid, written by other code."""
    grid = oblique()
    for number, image in enumerate(ct_series(grid.shape, grid.ijk_to_ras)):
        image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 1
        image.BitsAllocated = image.BitsStored = 16
        image.HighBit, image.PixelData = 15, bytes(2 * image.Rows * image.Columns)
        (tmp_path / "ct").mkdir(exist_ok=True)
        image.save_as(tmp_path / "ct" / f"{number:02d}.dcm", enforce_file_format=True)
    return tmp_path / "ct"


def test_a_seg_has_names_codes_and_references_to_the_images(tmp_path, series) -> None:
    images = read_image_series(series)
    labels = structures(images.grid)
    path = tmp_path / "labels.seg.dcm"

    write_seg(labels, images.aligned(labels.volume), path, images, note=NOTE)

    seg = hd.seg.segread(path)
    assert {each.SegmentLabel: each.SegmentDescription for each in seg.SegmentSequence} == {
        name: f"label {label}" for label, name in NAMES.items()
    }
    types = {each.SegmentLabel: each.SegmentedPropertyTypeCodeSequence[0] for each in seg.SegmentSequence}
    assert types["thyroid_gland"].CodeValue == "69748006"
    assert types["common_carotid_artery_left"].SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Left"
    assert seg.SegmentSequence[4].SegmentedPropertyCategoryCodeSequence[0].CodeValue == "49755003"
    first = images.images[0]
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == first.SeriesInstanceUID
    assert (seg.StudyInstanceUID, seg.FrameOfReferenceUID) == (first.StudyInstanceUID, first.FrameOfReferenceUID)
    # highdicom's own reader finds the same voxels in the images.
    pixels = seg.get_pixels_by_source_instance(
        [image.SOPInstanceUID for image in images.images], combine_segments=True, ignore_spatial_locations=True,
        assert_missing_frames_are_empty=True,
    )  # fmt: skip
    numbers = np.array([0, *NAMES])
    assert np.array_equal(numbers[pixels], labels.volume.array)
    found, _ = open_segmentation(path).masks()
    assert {each.name: mask.volume.array.sum() for each, mask in found.items()} == {
        "thyroid_gland": (labels.volume.array == 17).sum(), "trachea": (labels.volume.array == 16).sum()
    }  # fmt: skip


def test_an_rtstruct_has_names_and_references_and_fills_to_the_same_voxels(tmp_path, series) -> None:
    images = read_image_series(series)
    labels = structures(images.grid)
    path = tmp_path / "labels.rtstruct.dcm"

    write_rtstruct(
        labels, images.aligned(labels.volume), path, images, note=NOTE, body=True, left_out=frozenset({"airway"})
    )

    document = pydicom.dcmread(path)
    regions = {item.ROIName for item in document.StructureSetROISequence}
    assert regions == {"BODY", "trachea", "thyroid_gland", "common_carotid_artery_left", "thyroid_nodule_1"}
    study = document.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
    referenced = study.RTReferencedSeriesSequence[0]
    assert referenced.SeriesInstanceUID == images.images[0].SeriesInstanceUID
    assert len(referenced.ContourImageSequence) == 8
    contour = document.ROIContourSequence[1].ContourSequence[0]
    assert contour.ContourGeometricType == "CLOSED_PLANAR"
    assert contour.ContourImageSequence[0].ReferencedSOPInstanceUID == images.images[1].SOPInstanceUID
    # The trachea is one line in each image, with a channel to the airway in it.
    assert len(document.ROIContourSequence[1].ContourSequence) == 6
    types = [item.RTROIInterpretedType for item in document.RTROIObservationsSequence]
    assert types == ["EXTERNAL", "ORGAN", "ORGAN", "ORGAN", "ORGAN"]
    found = read_label_map(path)  # On the grid of the series beside it.
    assert found.volume.array.shape == labels.volume.array.shape
    by_name = {name: label for label, name in found.names.items()}
    for label, name in ((17, "thyroid_gland"), (16, "trachea"), (58, "common_carotid_artery_left")):
        assert np.array_equal(found.volume.array == by_name[name], labels.volume.array == label), name


@pytest.mark.parametrize("flips", [(), (1,), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_a_label_map_with_turned_axes_or_of_a_part_lies_in_the_same_images(flips, order) -> None:
    """TotalSegmentator's files have other axes than the series that they were converted from."""
    grid = oblique()
    whole = structures(grid).volume
    part = whole.part((slice(1, 7), slice(2, 21), slice(1, 28)))
    array, matrix = part.array, part.ijk_to_ras.copy()
    for axis in flips:
        matrix[:3, 3] += matrix[:3, 2 - axis] * (array.shape[axis] - 1)
        matrix[:3, 2 - axis] *= -1
        array = np.flip(array, axis)
    # Axes k, j, i of the array are columns 2, 1, 0 of the matrix.
    turned = Volume(array.transpose(order), matrix[:, [*(2 - np.array(order))[::-1], 3]])
    expected = np.zeros_like(whole.array)
    expected[1:7, 2:21, 1:28] = whole.array[1:7, 2:21, 1:28]

    assert np.array_equal(ImageSeries(grid, []).aligned(turned), expected)


def test_voxels_between_those_of_the_images_are_not_aligned() -> None:
    grid = oblique()
    moved = grid.ijk_to_ras.copy()
    moved[:3, 3] += 0.3
    assert ImageSeries(grid, []).aligned(Volume(np.ones(grid.shape), moved)) is None
    finer = grid.ijk_to_ras @ np.diag([0.5, 1, 1, 1])
    assert ImageSeries(grid, []).aligned(Volume(np.ones(grid.shape), finer)) is None


def test_a_ct_is_written_as_a_series_that_reads_back_and_says_that_it_is_synthetic(tmp_path) -> None:
    grid = oblique()
    values = np.random.default_rng(1).normal(40, 300, grid.shape)
    matrix = grid.ijk_to_ras.copy()
    # With axes to the right and anterior, and slices along i.
    matrix[:3, 3] = grid.to_ras(grid.last_ijk * [1, 1, 0])
    matrix[:3, :3] = np.column_stack([grid.ijk_to_ras[:3, 2], *-grid.ijk_to_ras[:3, :2].T])
    turned = Volume(values[:, ::-1, ::-1].transpose(1, 2, 0), matrix)

    written = write_ct_series(turned, tmp_path / "ct")

    found = read_series(tmp_path / "ct")
    assert np.abs(found.array - values).max() <= 0.5
    assert read_series_grid(tmp_path / "ct").corner_distance_mm(grid) < 1e-3
    assert np.abs(written.aligned(turned) - values).max() == 0
    first = pydicom.dcmread(tmp_path / "ct" / "0001.dcm")
    assert first.ImageType == ["DERIVED", "SECONDARY", "AXIAL"]
    assert "Synthetic" in first.SeriesDescription and first.PatientID == "SYNTHETIC"
    assert [image.SOPInstanceUID for image in written.images] == [
        pydicom.dcmread(path).SOPInstanceUID for path in sorted((tmp_path / "ct").iterdir())
    ]


def test_a_synthetic_ct_of_a_patient_belongs_to_the_study_of_the_patients_series(tmp_path, series) -> None:
    own = read_image_series(series)
    grid = oblique((4, 20, 20))
    written = write_ct_series(Volume(np.zeros(grid.shape), grid.ijk_to_ras), tmp_path / "made", of=own)
    first, of = written.images[0], own.images[0]
    assert (first.StudyInstanceUID, first.FrameOfReferenceUID) == (of.StudyInstanceUID, of.FrameOfReferenceUID)
    assert first.SeriesInstanceUID != of.SeriesInstanceUID


def test_the_same_phantom_gives_the_same_bytes(tmp_path) -> None:
    grid = oblique()
    labels, sums = structures(grid), []
    for name in ("a", "b"):
        folder = tmp_path / name
        images = write_ct_series(Volume(np.zeros(grid.shape), grid.ijk_to_ras), folder / "ct")
        write_seg(labels, labels.volume.array, folder / "labels.seg.dcm", images, note=NOTE)
        write_rtstruct(labels, labels.volume.array, folder / "labels.rtstruct.dcm", images, note=NOTE)
        sums.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*.dcm"))])
    assert sums[0] == sums[1] and len(set(sums[0])) == 10


def test_a_sheared_grid_and_a_label_map_without_structures_are_refused(tmp_path, series) -> None:
    sheared = np.eye(4)
    sheared[0, 1] = 0.1
    with pytest.raises(OutputError, match="sheared"):
        write_ct_series(Volume(np.zeros((3, 4, 5)), sheared), tmp_path / "made")
    images = read_image_series(series)
    nothing = np.zeros(images.grid.shape, np.uint8)
    labels = LabelMap(Volume(nothing, images.grid.ijk_to_ras), {})
    for write, name in ((write_seg, "a.seg.dcm"), (write_rtstruct, "a.rtstruct.dcm")):
        with pytest.raises(OutputError, match="no structures"):
            write(labels, nothing, tmp_path / name, images, note=NOTE)
        assert not (tmp_path / name).exists()


def test_a_structure_that_leaves_slices_out_is_written_as_it_is(tmp_path, series) -> None:
    """Readers interpolate between contours, which is no fault of the file."""
    images = read_image_series(series)
    array = np.zeros(images.grid.shape, np.uint8)
    array[[1, 4], 5:8, 5:8] = 16
    labels = LabelMap(Volume(array, images.grid.ijk_to_ras), {16: "trachea"})

    write_rtstruct(labels, array, tmp_path / "a.dcm", images, note=NOTE)

    contours = pydicom.dcmread(tmp_path / "a.dcm").ROIContourSequence[0].ContourSequence
    uids = [contour.ContourImageSequence[0].ReferencedSOPInstanceUID for contour in contours]
    assert uids == [images.images[k].SOPInstanceUID for k in (1, 4)]


def test_holes_islands_in_holes_and_their_neighbours_are_lines_without_holes() -> None:
    plane = np.zeros((20, 30), bool)
    plane[1:19, 1:19] = True
    plane[3:17, 3:9] = plane[3:17, 11:17] = False  # Two holes,
    plane[6:10, 5:7] = True  # an island in one of them,
    plane[5:9, 22:26] = True  # and a neighbour.
    lines = joined_holes(rings(plane))
    assert len(rings(plane)) == 5 and len(lines) == 3

    def area(line: np.ndarray) -> float:
        x, y = line.T
        return abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2

    expected = sorted([18 * 18 - 2 * 14 * 6, 4 * 2, 4 * 4])
    assert sorted(map(area, lines)) == pytest.approx(expected, rel=0.04)


def test_corners_rounded_to_voxels_are_the_outermost_ones_as_programs_find_them_that_fill_pixels() -> None:
    plane = np.zeros((12, 12), bool)
    plane[2:9, 3:8] = plane[4:6, 3:10] = True
    (line,) = joined_holes(rings(plane))
    rounded = np.rint(line).astype(int)
    assert plane[rounded[:, 1], rounded[:, 0]].all()
    assert rounded.min(axis=0).tolist() == [3, 2] and rounded.max(axis=0).tolist() == [9, 8]


@pytest.mark.parametrize(
    ("name", "value", "side"),
    [
        ("thyroid_gland", "69748006", ""),
        ("thyroid_left_lobe", "79163004", ""),
        ("common_carotid_artery_right", "32062004", "24028007"),
        ("rib_left_3", "113197003", "7771000"),
        ("vertebrae_C7", "87391001", ""),
        ("thyroid_nodule_2", "27925004", ""),
        ("some new organ", "91723000", ""),
    ],
)
def test_structures_have_their_codes(name, value, side) -> None:
    code = code_of(name)
    assert (code.value, code.side) == (value, side)


def test_codes_are_those_of_the_dictionary_of_pydicom() -> None:
    from pydicom.sr._concepts_dict import concepts

    from ThyroidSynthLib.export.writing import codes

    meanings: dict[str, list[str]] = {}
    for values in concepts["SCT"].values():
        for value, (meaning, _) in values.items():
            meanings.setdefault(value, []).append(meaning.lower())
    for value, meaning in [*codes._ANATOMY.values(), *codes._TISSUES.values()]:
        known = meanings[value]
        words = meaning.lower().split()
        assert any(all(word in text for word in words) for text in known) or meaning == "Adipose tissue", (value, known)
