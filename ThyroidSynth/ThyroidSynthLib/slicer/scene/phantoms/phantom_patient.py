"""Write the patient in the scene as files for the process that makes phantoms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.evaluation.report.tables import write_table
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.mesh_files import write_mesh
from ThyroidSynthLib.imaging.volume_files import write_volume
from ThyroidSynthLib.slicer.scene.merged_map import PatientMap
from ThyroidSynthLib.slicer.scene.patient.patient_files import write_patient_map
from ThyroidSynthLib.slicer.scene.thyroids.present import thyroid_segment
from ThyroidSynthLib.slicer.scene.volumes import grid_of_ct, ijk_to_local, surface_of_segment

if TYPE_CHECKING:
    from slicer import vtkMRMLMarkupsFiducialNode, vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode


@dataclass(frozen=True)
class PhantomPatient:
    """The files of a patient from which phantoms are made: a folder with a label map and a CT.

    Attributes
    ----------
    to_files : ndarray, shape (4, 4)
        From `ras_mm` of the scene to that of the files, in which a transform of the CT is not applied.
    """

    folder: Path
    to_files: np.ndarray

    @classmethod
    def written(cls, patient: PatientMap, ct: vtkMRMLScalarVolumeNode, folder: Path) -> PhantomPatient:
        """Write all structures of a patient and the CT in the geometry of its file."""
        import slicer

        write_patient_map(patient, folder)
        array = slicer.util.arrayFromVolume(ct)
        if array.ndim != 3:
            raise InputError(f"'{ct.GetName()}' has several values in each voxel. Choose a CT.")
        write_volume(Volume(array, ijk_to_local(ct)), folder / "ct.nii.gz")
        return cls(folder, ijk_to_local(ct) @ np.linalg.inv(grid_of_ct(ct).ijk_to_ras))

    def write_gland(self, node: vtkMRMLSegmentationNode) -> Path:
        """Write a thyroid of the scene as a surface; return its file."""
        surface = surface_of_segment(node, thyroid_segment(node))
        path = self.folder / "gland.ply"
        write_mesh(surface.moved(self._moved(surface.vertices)), path)
        return path

    def write_nodules(
        self, points: vtkMRMLMarkupsFiducialNode, diameters_mm: Sequence[float], composition: str
    ) -> Path:
        """Write a table with a nodule at each point; return its file. `InputError` if no point is placed."""
        import slicer

        placed = slicer.util.arrayFromMarkupsControlPoints(points, world=True)
        if len(placed) == 0:
            raise InputError(f"'{points.GetName()}' has no points. Place one at the centre of each nodule.")
        path = self.folder / "nodules.csv"
        columns = ("r_mm", "a_mm", "s_mm", "diameter_lr_mm", "diameter_ap_mm", "diameter_si_mm", "composition")
        rows = [(*point, *diameters_mm, composition) for point in self._moved(placed).round(3).tolist()]
        write_table(path, [dict(zip(columns, row, strict=True)) for row in rows])
        return path

    def _moved(self, points: np.ndarray) -> np.ndarray:
        return points @ self.to_files[:3, :3].T + self.to_files[:3, 3]
