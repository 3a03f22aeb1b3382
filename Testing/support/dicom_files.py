"""DICOM files for the tests: a CT series, and segmentations of it written by highdicom, which is not ours."""

from __future__ import annotations

from pathlib import Path

import highdicom as hd
import numpy as np
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

THYROID_CODE = hd.sr.CodedConcept("69748006", "SCT", "Thyroid")
TRACHEA_CODE = hd.sr.CodedConcept("44567001", "SCT", "Trachea")
LIVER_CODE = hd.sr.CodedConcept("10200004", "SCT", "Liver")


def ct_series(shape: tuple[int, int, int], ras: np.ndarray) -> list[Dataset]:
    """CT images of a scan [k, j, i] that lies as `ras` says, from first slice to last."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ ras
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    images = []
    for k in range(shape[0]):
        image = Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, generate_uid()
        image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
        image.PatientID, image.PatientName = "SYNTHETIC", "SYNTHETIC^"
        image.PatientBirthDate = image.PatientSex = image.AccessionNumber = image.StudyID = ""
        image.StudyDate, image.StudyTime, image.Modality = "20260101", "120000", "CT"
        image.ReferringPhysicianName = ""
        image.SeriesNumber, image.InstanceNumber = 1, k + 1
        image.Rows, image.Columns = shape[1], shape[2]
        image.PixelSpacing = [f"{spacing[1]:.6f}", f"{spacing[0]:.6f}"]
        image.SliceThickness = f"{spacing[2]:.6f}"
        image.ImageOrientationPatient = [f"{value:.9f}" for value in (lps[:3, :2] / spacing[:2]).T.ravel()]
        image.ImagePositionPatient = [f"{value:.6f}" for value in lps[:3, 3] + k * lps[:3, 2]]
        images.append(image)
    return images


def write_seg(
    path: Path,
    masks: dict[str, np.ndarray],
    images: list[Dataset],
    *,
    kind: str = "BINARY",
    codes_of: dict[str, hd.sr.CodedConcept] | None = None,
    **options: object,
) -> Path:
    """Write masks [k, j, i] by their labels as one DICOM SEG.

    `codes_of` gives the type of a label; others are "Organ", which is unspecific.
    """
    descriptions = [
        SegmentDescription(
            segment_number=number,
            segment_label=label,
            segmented_property_category=codes.SCT.Organ,
            segmented_property_type=(codes_of or {}).get(label, codes.SCT.Organ),
            algorithm_type=SegmentAlgorithmTypeValues.MANUAL,
        )
        for number, label in enumerate(masks, 1)
    ]
    pixels = np.stack(list(masks.values()), axis=-1)
    if kind == "LABELMAP":
        pixels = sum(number * mask for number, mask in enumerate(masks.values(), 1)).astype(np.uint8)
    seg = Segmentation(
        source_images=images,
        pixel_array=pixels,
        segmentation_type=SegmentationTypeValues[kind],
        segment_descriptions=descriptions,
        series_instance_uid=generate_uid(),
        series_number=2,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="SYNTHETIC",
        manufacturer_model_name="test",
        software_versions="1",
        device_serial_number="1",
        **options,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    seg.save_as(path)
    return path
