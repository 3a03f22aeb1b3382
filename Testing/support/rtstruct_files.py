"""Writes DICOM RTSTRUCT files from masks, with pydicom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid


def write_rtstruct(path: Path, masks: Mapping[str, np.ndarray], ras: np.ndarray) -> Path:
    """Write the outlines of masks [k, j, i] in each slice k, by the names of their regions of interest.

    The axes i and j must lie in axial planes.
    """
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkFiltersCore import vtkFlyingEdges2D, vtkStripper

    def outlines(mask: np.ndarray) -> list[np.ndarray]:
        padded = np.pad(mask.astype(np.float32), 1)
        image = vtkImageData()
        image.SetDimensions(padded.shape[1], padded.shape[0], 1)
        image.GetPointData().SetScalars(numpy_to_vtk(padded.ravel(), deep=True))
        edges = vtkFlyingEdges2D()
        edges.SetInputData(image)
        edges.SetValue(0, 0.5)
        strips = vtkStripper()
        strips.SetInputConnection(edges.GetOutputPort())
        strips.SetMaximumLength(100_000)
        strips.Update()
        lines = strips.GetOutput()
        positions = vtk_to_numpy(lines.GetPoints().GetData())[:, :2] - 1.0
        ids = vtk_to_numpy(lines.GetLines().GetConnectivityArray())
        starts = vtk_to_numpy(lines.GetLines().GetOffsetsArray())
        return [positions[ids[a:b]][:-1] for a, b in pairwise(starts)]

    regions: dict[str, list[np.ndarray]] = {}
    for name, mask in masks.items():
        slices = {k: outlines(mask[k]) for k in np.flatnonzero(mask.any(axis=(1, 2)))}
        corners = [np.column_stack([line, np.full(len(line), k)]) for k, lines in slices.items() for line in lines]
        regions[name] = [ijk @ ras[:3, :3].T + ras[:3, 3] for ijk in corners]
    return write_contours(path, regions)


def write_contours(
    path: Path,
    regions: Mapping[str, Sequence[np.ndarray]],
    *,
    kinds: Mapping[str, str] | None = None,
    series: str | None = None,
) -> Path:
    """Write contours (n, 3) in RAS mm, by the names of their regions of interest; a single corner is a point.

    `kinds` are the interpreted types of regions that are no organ, `series` the UID of the images they were drawn on.
    """
    document = Dataset()
    document.file_meta = FileMetaDataset()
    document.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    document.file_meta.MediaStorageSOPClassUID = document.SOPClassUID = RTStructureSetStorage
    document.file_meta.MediaStorageSOPInstanceUID = document.SOPInstanceUID = generate_uid()
    document.Modality, document.PatientID, document.PatientName = "RTSTRUCT", "SYNTHETIC", "SYNTHETIC^"
    rois, drawn, observed = [], [], []
    frame_uid = generate_uid()
    for number, (name, contours) in enumerate(regions.items(), start=1):
        roi, item, observation = Dataset(), Dataset(), Dataset()
        roi.ROINumber = item.ReferencedROINumber = observation.ReferencedROINumber = number
        roi.ROIName, roi.ReferencedFrameOfReferenceUID, roi.ROIGenerationAlgorithm = name, frame_uid, "MANUAL"
        observation.RTROIInterpretedType = (kinds or {}).get(name, "ORGAN")
        item.ContourSequence = []
        for points in contours:
            contour = Dataset()
            contour.ContourGeometricType = "POINT" if len(points) == 1 else "CLOSED_PLANAR"
            contour.NumberOfContourPoints = len(points)
            contour.ContourData = [f"{value:.4f}" for value in (points * [-1, -1, 1]).ravel()]
            item.ContourSequence.append(contour)
        rois.append(roi)
        drawn.append(item)
        observed.append(observation)
    document.StructureSetROISequence, document.ROIContourSequence = rois, drawn
    document.RTROIObservationsSequence = observed
    if series:
        frame, study, one = Dataset(), Dataset(), Dataset()
        one.SeriesInstanceUID = series
        study.RTReferencedSeriesSequence = [one]
        frame.RTReferencedStudySequence = [study]
        document.ReferencedFrameOfReferenceSequence = [frame]
    path.parent.mkdir(parents=True, exist_ok=True)
    document.save_as(path, enforce_file_format=True)
    return path
