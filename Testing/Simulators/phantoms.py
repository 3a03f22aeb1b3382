"""The phantoms that the simulators run, written by the command, and what is known of them without any simulator."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ThyroidSynthLib.geometry.grid import box_of
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_map_files import names_in_file
from ThyroidSynthLib.imaging.volume_files import read_volume

# The example neck in cubes of 2 mm, cropped: a few seconds for each simulator.
CONTENT = ("--spacing", "2", "--margin", "14", "--fractions")


@dataclass(frozen=True)
class Written:
    """A phantom that the command wrote."""

    folder: Path

    @classmethod
    def by_command(cls, folder: Path, *options: str) -> Written:
        """Run ``thyroidsynth phantom example`` with options."""
        command = [sys.executable, "-m", "ThyroidSynthLib.cli", "phantom", "example", *CONTENT, *options]
        subprocess.run([*command, "--quiet", "--out", str(folder)], check=True)
        return cls(folder)

    def simulator(self, name: str) -> Path:
        """Return the folder for a simulator."""
        return self.folder / "simulators" / name

    @cached_property
    def labels(self) -> Volume:
        """The label map as a NIfTI reader places it in the patient."""
        return read_volume(self.folder / "labels.nii.gz")

    @cached_property
    def names(self) -> dict[int, str]:
        """Names of the labels."""
        return names_in_file(self.folder / "labels.nii.gz")

    @property
    def gland(self) -> int:
        """The label of the thyroid."""
        return next(label for label, name in self.names.items() if name == "thyroid_gland")

    @cached_property
    def thyroid(self) -> Volume:
        """The share of each voxel that the thyroid fills."""
        return read_volume(self.folder / "fractions" / "thyroid.nii.gz")

    @cached_property
    def document(self) -> dict:
        """What ``phantom.json`` says."""
        return json.loads((self.folder / "phantom.json").read_text())

    def material(self, name: str) -> dict:
        """Return a material of the phantom's own table."""
        return json.loads((self.folder / "materials.json").read_text())["materials"][name]

    def length_mm(self, start_ras: np.ndarray, end_ras: np.ndarray, *, step_mm: float = 0.1) -> np.ndarray:
        """Return the length of straight lines (n, 3) to (n, 3) within the thyroid, in mm.

        The shares of the voxels are summed up along the lines, in the coordinates of the patient.
        """
        from scipy.ndimage import map_coordinates

        gland = self.thyroid.part(box_of(self.thyroid.array > 0))
        corners = gland.grid.corners(beyond=0.5)
        centre, radius = corners.mean(axis=0), np.linalg.norm(corners - corners.mean(axis=0), axis=1).max()
        along = (end_ras - start_ras) / np.linalg.norm(end_ras - start_ras, axis=1, keepdims=True)
        nearest = start_ras + along * ((centre - start_ras) * along).sum(axis=1, keepdims=True)
        near = np.flatnonzero(np.linalg.norm(nearest - centre, axis=1) < radius)
        steps = np.arange(-radius, radius, step_mm) + step_mm / 2
        length = np.zeros(len(along))
        for part in np.array_split(near, max(len(near) // 512, 1)):
            points = nearest[part, None] + along[part, None] * steps[:, None]
            kji = np.moveaxis(gland.to_ijk(points), -1, 0)[::-1]
            length[part] = map_coordinates(gland.array, kji, order=0).sum(axis=1) * step_mm
        return length
