"""Writes DICOM RTSTRUCT files from masks, with pydicom."""

from __future__ import annotations

from collections.abc import Mapping
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

    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ ras
    document = Dataset()
    document.file_meta = FileMetaDataset()
    document.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    document.file_meta.MediaStorageSOPClassUID = document.SOPClassUID = RTStructureSetStorage
    document.file_meta.MediaStorageSOPInstanceUID = document.SOPInstanceUID = generate_uid()
    document.Modality, document.PatientID, document.PatientName = "RTSTRUCT", "SYNTHETIC", "SYNTHETIC^"
    document.StructureSetROISequence, document.ROIContourSequence = [], []
    frame = generate_uid()
    for number, (name, mask) in enumerate(masks.items(), start=1):
        region, drawn = Dataset(), Dataset()
        region.ROINumber = drawn.ReferencedROINumber = number
        region.ROIName, region.ReferencedFrameOfReferenceUID = name, frame
        region.ROIGenerationAlgorithm = "MANUAL"
        drawn.ContourSequence = []
        for k in np.flatnonzero(mask.any(axis=(1, 2))):
            for outline in outlines(mask[k]):
                ijk = np.column_stack([outline, np.full(len(outline), k)])
                contour = Dataset()
                contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", len(outline)
                contour.ContourData = [f"{value:.4f}" for value in (ijk @ lps[:3, :3].T + lps[:3, 3]).ravel()]
                drawn.ContourSequence.append(contour)
        document.StructureSetROISequence.append(region)
        document.ROIContourSequence.append(drawn)
    path.parent.mkdir(parents=True, exist_ok=True)
    document.save_as(path, enforce_file_format=True)
    return path
