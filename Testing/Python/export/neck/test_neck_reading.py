"""Necks from the files of a patient: which structures, which CT, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from support.example_case import example_dataset
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.export.neck import GridChoice, read_neck
from ThyroidSynthLib.export.writing.image_series import write_ct_series
from ThyroidSynthLib.geometry.resampling import resampled
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.masks import read_mask
from ThyroidSynthLib.imaging.volume_files import read_volume, write_volume
from ThyroidSynthLib.model.trained_model import TrainedModel

COARSE = GridChoice(spacing_mm=3.0)


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    return TrainedModel.load("example")


@pytest.fixture
def patient(tmp_path_factory, tmp_path) -> Path:
    """A copy of an example case with its CT."""
    found = next(path for path in example_dataset(tmp_path_factory).iterdir() if path.is_dir())
    return Path(shutil.copytree(found, tmp_path / "s1"))


def test_islands_of_the_thyroid_are_left_out(model, patient):
    path = patient / "segmentations" / "thyroid_gland.nii.gz"
    mask = read_mask(path).whole()
    mask.array[2:5, 2:5, 2:5] = 1
    write_volume(mask, path)

    neck = read_neck(patient, model, GridChoice(), name="s1")

    assert not (neck.before.volume.array[2:5, 2:5, 2:5] == 17).any()
    assert any("island" in note for note in neck.notes)
    assert neck.own.is_closed()


def test_masks_of_tissue_and_body_do_not_cover_organs(model, patient):
    folder = patient / "segmentations"
    whole = read_mask(folder / "esophagus.nii.gz").whole()
    body = Volume(np.ones(whole.array.shape, dtype=np.uint8), whole.ijk_to_ras)
    fat = Volume(np.zeros(whole.array.shape, dtype=np.uint8), whole.ijk_to_ras)
    fat.array[:, :20] = 1
    write_volume(body, folder / "body.nii.gz")
    write_volume(fat, folder / "subcutaneous_fat.nii.gz")

    neck = read_neck(patient, model, GridChoice(), name="s1", ct=Path("none"))

    array = neck.before.volume.array
    assert neck.body == "mask"
    assert np.array_equal(array == 15, whole.array != 0)
    assert (array != 0).all()
    assert (array[:, :20][array[:, :20] < 118] != 0).all()
    assert np.isin(array[:, :20], [201]).mean() > 0.8
    assert "body" not in neck.before.names.values()


def test_a_ct_elsewhere_and_a_dicom_series_show_the_same_as_the_image(model, patient, tmp_path):
    beside = read_neck(patient, model, COARSE, name="s1")
    ct = read_volume(patient / "ct.nii.gz")
    shutil.move(patient / "ct.nii.gz", tmp_path / "moved.nii.gz")
    write_ct_series(ct, tmp_path / "series")

    moved = read_neck(patient, model, COARSE, name="s1", ct=tmp_path / "moved.nii.gz")
    series = read_neck(patient, model, COARSE, name="s1", ct=tmp_path / "series")

    assert beside.body == moved.body == series.body == "CT"
    assert np.array_equal(beside.filled.volume.array, moved.filled.volume.array)
    # The axes of a series may point the other way.
    same = resampled(series.filled.volume, beside.grid).array == beside.filled.volume.array
    assert same.mean() > 0.98
    assert series.ct_series == tmp_path / "series"


def _padded_with_an_offset(hu: np.ndarray) -> np.ndarray:
    """As some scanners store it: around the round field of view is a number that is no HU."""
    stored = (hu + 1024).astype(np.int16)
    stored[:, :3, :3] = -2000
    return stored


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        (lambda hu: np.clip(hu, 0, 1), "has values from 0 to 1"),
        (lambda hu: hu + 1024, "has values from.*If 1024 or 1000 was added.*subtract"),
        (_padded_with_an_offset, "has a median of 10[0-9][0-9] in the segmented.*If 1024 or 1000 was added.*subtract"),
        (lambda hu: np.where(hu > 500, np.nan, hu).astype(np.float32), "no numbers"),
    ],
)
def test_an_image_that_is_no_ct_is_refused(model, patient, values, fault):
    ct = read_volume(patient / "ct.nii.gz")
    write_volume(Volume(values(ct.array), ct.ijk_to_ras), patient / "ct.nii.gz")

    with pytest.raises(InputError, match=rf"ct\.nii\.gz.*{fault}"):
        read_neck(patient, model, COARSE, name="s1")
    assert read_neck(patient, model, COARSE, name="s1", ct=Path("none")).body.startswith("estimated")


def test_a_ct_of_another_place_is_refused(model, patient, tmp_path):
    ct = read_volume(patient / "ct.nii.gz")
    moved = ct.ijk_to_ras.copy()
    moved[0, 3] += 500
    write_volume(Volume(ct.array, moved), tmp_path / "other.nii.gz")

    with pytest.raises(InputError, match=r"other\.nii\.gz does not show the segmented structures"):
        read_neck(patient, model, COARSE, name="s1", ct=tmp_path / "other.nii.gz")
