"""The grid of a DICOM series: sorted slices, several series in a folder, missing and doubled slices."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import CTImageStorage, generate_uid

from support.dicom_files import ct_series, write_seg
from support.mask_files import affine
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.imaging.dicom_series import IMAGE_CLASSES, class_of_dicom, may_be_dicom, read_series_grid
from ThyroidSynthLib.imaging.volume_files import read_grid

SHAPE = (7, 12, 10)
RAS = affine(spacing_mm=(0.8, 0.9, 2.5), degrees=7.0)


def write_series(folder: Path, images: list, *, reverse: bool = False) -> list[Path]:
    """Write a series as files without suffix, whose names are in no order of the slices if `reverse`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, image in enumerate(images):
        name = f"IM{len(images) - number if reverse else number:04d}"
        image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.save_as(folder / name, enforce_file_format=True)
        paths.append(folder / name)
    return paths


def check_grid(grid, ras: np.ndarray = RAS, shape=SHAPE) -> None:
    assert grid.shape == shape
    assert np.allclose(grid.ijk_to_ras, ras, atol=2e-4)


def test_slices_are_sorted_by_their_position(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", ct_series(SHAPE, RAS), reverse=True)
    (tmp_path / "ct" / "notes.txt").write_text("x")
    check_grid(read_series_grid(tmp_path / "ct"))
    check_grid(read_grid(tmp_path / "ct"))


def test_a_file_stands_for_its_series(tmp_path: Path) -> None:
    paths = write_series(tmp_path, ct_series(SHAPE, RAS))
    check_grid(read_grid(paths[3]))


def test_a_tilted_gantry_gives_a_sheared_grid(tmp_path: Path) -> None:
    images = ct_series(SHAPE, RAS)
    for k, image in enumerate(images):
        image.ImagePositionPatient = [
            float(v) + (0.5 * k if n == 1 else 0.0) for n, v in enumerate(image.ImagePositionPatient)
        ]
    write_series(tmp_path, images)
    sheared = RAS.copy()
    sheared[1, 2] -= 0.5  # Posterior in LPS.
    check_grid(read_grid(tmp_path), sheared)


def test_several_series_are_named_and_one_can_be_chosen(tmp_path: Path) -> None:
    thin, thick = ct_series(SHAPE, RAS), ct_series((4, 12, 10), affine(spacing_mm=(0.8, 0.9, 5.0)))
    for image in thin:
        image.SeriesDescription = "NECK THIN"
    for image in thick:
        image.SeriesDescription, image.SeriesNumber = "NECK 5.0", 2
    write_series(tmp_path / "a", thin)
    write_series(tmp_path / "b", thick)
    listed = r"2 image series: .*THIN' \(such as a/IM0006\), 7 images; .*5\.0' \(such as b/IM0003\), 4 images"
    with pytest.raises(InputError, match=listed):
        read_grid(tmp_path)
    check_grid(read_grid(tmp_path / "a"))
    # In one folder, a file chooses the series.
    both = tmp_path / "both"
    write_series(both, thin)
    for number, image in enumerate(thick):
        image.save_as(both / f"1.2.{number}", enforce_file_format=True)
    with pytest.raises(InputError, match="2 image series"):
        read_grid(both)
    check_grid(read_grid(both / "IM0000"))
    assert read_grid(both / "1.2.0").shape == (4, 12, 10)


def test_a_localiser_and_a_segmentation_are_no_series_to_choose_from(tmp_path: Path) -> None:
    images = ct_series(SHAPE, RAS)
    paths = write_series(tmp_path, images)
    localiser = pydicom.dcmread(paths[0])
    localiser.SeriesInstanceUID, localiser.SOPInstanceUID = generate_uid(), generate_uid()
    localiser.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    localiser.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    localiser.save_as(tmp_path / "SCOUT")
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[3, 4:7, 4:7] = 1
    seg = write_seg(tmp_path / "seg.dcm", {"thyroid": mask}, images)
    check_grid(read_grid(tmp_path))
    with pytest.raises(InputError, match="no CT or MR image"):
        read_grid(seg)


def test_a_missing_slice_is_refused_with_its_place(tmp_path: Path) -> None:
    paths = write_series(tmp_path, ct_series(SHAPE, RAS))
    paths[4].unlink()
    with pytest.raises(InputError, match=r"IM0003 and IM0005 lie 5\.00 mm apart, the others 2\.50 mm \(1 missing\)"):
        read_grid(tmp_path)


def test_a_copy_of_a_slice_is_used_once_and_another_slice_at_its_place_is_refused(tmp_path: Path) -> None:
    paths = write_series(tmp_path, ct_series(SHAPE, RAS))
    (tmp_path / "copy.dcm").write_bytes(paths[2].read_bytes())
    check_grid(read_grid(tmp_path))
    other = pydicom.dcmread(paths[2])
    other.SOPInstanceUID = generate_uid()
    other.save_as(tmp_path / "other.dcm")
    with pytest.raises(InputError, match="same position"):
        read_grid(tmp_path)


@pytest.mark.parametrize("missing", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_a_series_without_geometry_is_refused(tmp_path: Path, missing: str) -> None:
    images = ct_series(SHAPE, RAS)
    for image in images:
        delattr(image, missing)
    write_series(tmp_path, images)
    with pytest.raises(InputError, match="Export the series again with its geometry"):
        read_grid(tmp_path)


def test_a_folder_without_dicom_and_a_damaged_slice_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="no CT or MR images in DICOM"):
        read_grid(tmp_path)
    (path, *_) = write_series(tmp_path / "ct", ct_series(SHAPE, RAS))
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(InputError, match=r"IM0000"):
        read_grid(tmp_path / "ct")


def test_the_kind_of_a_file_is_read_from_its_first_bytes(tmp_path: Path) -> None:
    (path, *_) = write_series(tmp_path, ct_series((1, 4, 4), RAS))
    assert class_of_dicom(path) == CTImageStorage and CTImageStorage in IMAGE_CLASSES
    (tmp_path / "x").write_bytes(b"no DICOM")
    content = path.read_bytes()
    (tmp_path / "bare").write_bytes(content[content.index(b"\x08\x00\x16\x00") :])
    assert class_of_dicom(tmp_path / "bare") == CTImageStorage  # Without the preamble.
    assert read_grid(tmp_path / "bare").shape == (1, 4, 4)
    assert class_of_dicom(tmp_path / "x") is None and class_of_dicom(tmp_path) is None
    os.mkfifo(tmp_path / "pipe")
    assert class_of_dicom(tmp_path / "pipe") is None
    assert [may_be_dicom(name) for name in ("IM1", "a.dcm", "1.2.840.5", "a.nii.gz", "a.txt")] == [True] * 3 + [
        False
    ] * 2
