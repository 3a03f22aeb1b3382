"""DICOM segmentations that are damaged or made to do harm are refused at once."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from support.dicom_files import ct_series, write_seg
from support.mask_files import affine
from support.refusal import refused
from ThyroidSynthLib.imaging import dicom_frames
from ThyroidSynthLib.imaging.dicom_seg import read_dicom_masks, read_dicom_segments

ARRAY = np.zeros((9, 10, 11), dtype=np.uint8)
ARRAY[3:6, 3:7, 4:8] = 1


def seg(folder: Path, change: Callable[[pydicom.Dataset], None] = lambda dataset: None) -> Path:
    """Write a DICOM segmentation with a change."""
    images = ct_series(ARRAY.shape, affine())
    path = write_seg(folder / "x.dcm", {"thyroid": ARRAY, "trachea": ARRAY}, images)
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)
    return path


def far_frame(dataset: pydicom.Dataset) -> None:
    frame = dataset.PerFrameFunctionalGroupsSequence[-1]
    frame.PlanePositionSequence[0].ImagePositionPatient = ["0", "0", "1e15"]


def huge_frames(dataset: pydicom.Dataset) -> None:
    dataset.Rows = dataset.Columns = 65535


def no_spacing(dataset: pydicom.Dataset) -> None:
    dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = ["0", "0"]


@pytest.mark.parametrize("change", [far_frame, huge_frames, no_spacing])
def test_a_dicom_segmentation_that_lies_is_refused_at_once(tmp_path, change):
    assert read_dicom_segments(seg(tmp_path))
    path = seg(tmp_path, change)
    refused(lambda path: read_dicom_masks(path, {each.name: each for each in read_dicom_segments(path)}), path)


def test_a_dicom_file_that_decompresses_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(dicom_frames, "MOST_VOXELS_HELD", 1 << 22)
    path = seg(tmp_path)
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    dataset.save_as(path)
    assert read_dicom_segments(path)
    raw = path.read_bytes()
    start = 144 + int.from_bytes(raw[140:144], "little")
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    path.write_bytes(raw[:start] + packer.compress(bytes(50 << 20)) + packer.flush())
    assert "too large" in refused(read_dicom_segments, path)


def test_a_dicom_file_of_nested_sequences_is_refused(tmp_path):
    def without_segments(dataset: pydicom.Dataset) -> None:
        del dataset.SegmentSequence, dataset.PerFrameFunctionalGroupsSequence, dataset.PixelData

    begin = struct.pack("<2H2s2xI2HI", 0x62, 2, b"SQ", 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF)
    end = struct.pack("<2HI2HI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    path = seg(tmp_path, without_segments)
    path.write_bytes(path.read_bytes() + begin * 5000 + end * 5000)
    refused(read_dicom_segments, path)
