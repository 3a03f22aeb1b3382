"""The files of one generated thyroid: label map, meshes, and the patient's map with the thyroid replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.common.files import sha256_of
from ThyroidSynthLib.common.lazy import check_package
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.label_map_files import LABEL_FORMATS
from ThyroidSynthLib.imaging.label_maps import LabelMap
from ThyroidSynthLib.imaging.labels import THYROID
from ThyroidSynthLib.imaging.mesh_files import SPACES
from ThyroidSynthLib.imaging.volume_files import files_of_image

from .measuring import measured_as_written
from .merging import Merged, MergeRules, replace_thyroid
from .writing.label_files import DICOM_FORMATS, SEG, is_dicom_format, write_labels
from .writing.mesh_files import MeshOptions, write_meshes
from .writing.segmentation_object import SEG_PACKAGE

if TYPE_CHECKING:
    from ThyroidSynthLib.generation.thyroid import Thyroid
    from ThyroidSynthLib.geometry.features import Features
    from ThyroidSynthLib.geometry.frame import Placement
    from ThyroidSynthLib.geometry.surface import Surface
    from ThyroidSynthLib.geometry.volume import Volume

THYROID_LABEL = {1: THYROID.name}
"""The label of the thyroid in its own label map."""

LABEL_FOLDER = "label_maps"
MESH_FOLDER = "meshes"
MERGED_FOLDER = "merged"


@dataclass(frozen=True)
class FileOptions:
    """The files to write for each generated thyroid.

    `OutputError` if an option is impossible, `InputError` if what it needs is missing.

    Attributes
    ----------
    label_format : str or None
        One of `LABEL_FORMATS` or `DICOM_FORMATS`; None for no label maps.
    mesh_formats : tuple of str
        Any of `MESH_FORMATS`.
    mesh_space : str
        One of `mesh_files.SPACES`.
    edge_length_mm, tetrahedra
        As in `MeshOptions`.
    grid : Grid, optional
        The grid of all label maps, such as a CT's.
    series : Path, optional
        The DICOM series that label maps in DICOM refer to; they need one.
    spacing_mm : float or three floats
        Without a grid: voxel size of a grid around each thyroid, along R, A and S.
    merge_into : LabelMap, optional
        The patient's map; a copy with the thyroid replaced is written for each thyroid.
    merge_rules : MergeRules
        How the thyroid is merged into it.
    """

    label_format: str | None = "nii.gz"
    mesh_formats: tuple[str, ...] = ()
    mesh_space: str = SPACES[0]
    edge_length_mm: float | None = None
    tetrahedra: tuple[str, ...] = ()
    grid: Grid | None = None
    series: Path | None = None
    spacing_mm: float | Sequence[float] = 1.5
    merge_into: LabelMap | None = None
    merge_rules: MergeRules = field(default_factory=MergeRules)

    def __post_init__(self) -> None:
        formats = (*LABEL_FORMATS, *DICOM_FORMATS)
        if self.label_format is not None and self.label_format not in formats:
            raise OutputError(f"There is no label map format '{self.label_format}'. Use {', '.join(formats)}.")
        if is_dicom_format(self.label_format):
            if self.series is None:
                raise InputError(
                    "DICOM SEG and RTSTRUCT refer to images. Give the folder of a DICOM series as --grid, or choose "
                    "seg.nrrd."
                )
            if self.label_format == SEG:
                check_package(*SEG_PACKAGE)
        _ = self.meshes  # Which checks its own.
        if not (np.asarray(self.spacing_mm) > 0).all():
            raise OutputError(f"A voxel spacing of {self.spacing_mm} mm is impossible. Use a positive one.")

    def label_grid(self, surface_ras: Surface) -> Grid:
        """Return the grid of the label map of a thyroid with this surface in `ras_mm`."""
        return self.grid or Grid.around(surface_ras, spacing_mm=self.spacing_mm)

    @property
    def meshes(self) -> MeshOptions:
        """The meshes to write."""
        return MeshOptions(self.mesh_formats, self.mesh_space, self.edge_length_mm, self.tetrahedra)

    def label_files(self, stem: str) -> list[str]:
        """Return the names of the files of a label map, the one to read first; none if there are no label maps."""
        return [] if self.label_format is None else _files(f"{stem}.{self.label_format}")

    def write_label_map(self, whole: Volume, path: Path) -> None:
        """Write the label map of a thyroid; errors are those of `write_labels`."""
        write_labels(LabelMap(whole, THYROID_LABEL), path, series=self.series)

    def share_files(self, stem: str) -> list[str]:
        """Return the names of the files of a map of shares, which is no segmentation; none without label maps."""
        segments = self.label_format == "seg.nrrd" or is_dicom_format(self.label_format)
        own = "nrrd" if segments else self.label_format
        return [] if own is None else _files(f"{stem}.{own}")

    def merged_files(self, stem: str) -> list[str]:
        """Return the names of the files of a merged map; none if there are none."""
        return [] if self.merge_into is None else _files(f"{stem}.{self.merged_format}")

    @property
    def merged_format(self) -> str:
        """Suffix of merged maps: that of the label maps, but ``seg.nrrd`` for NRRD, which opens as a segmentation."""
        return "seg.nrrd" if self.label_format == "nrrd" else self.label_format or "nii.gz"


def _files(name: str) -> list[str]:
    return [path.as_posix() for path in files_of_image(name)]


@dataclass(frozen=True)
class WrittenFiles:
    """The files that were written for a thyroid, with their SHA-256 checksums, and how it is measured in them.

    Attributes
    ----------
    within_grid : bool or None
        Whether the grids of the label map and of the merged map contain the whole thyroid; None without such a map.
    label_volume_ml : float or None
        Volume of the voxels of the label map.
    merged : Merged or None
        The patient's map with the thyroid replaced.
    as_written : Features
        The features of what was written (see `measured_as_written`), by which targets are judged.
    on_map : Features or None
        All features on the merged map or, without one, on the label map: as exact as its voxels are small.
    """

    checksums: dict[Path, str]
    as_written: Features
    within_grid: bool | None = None
    label_volume_ml: float | None = None
    merged: Merged | None = None
    on_map: Features | None = None

    @property
    def measured_on(self) -> str:
        """What the volume was measured on: "merged map", "label map" or "surface"."""
        return "surface" if self.on_map is None else "label map" if self.merged is None else "merged map"


def write_thyroid_files(
    thyroid: Thyroid, name: str, folder: Path, placement: Placement, options: FileOptions
) -> WrittenFiles:
    """Write the files of one thyroid; if one cannot be written, none is left."""
    surface_ras = thyroid.surface.moved(placement.to_ras(thyroid.surface.vertices))
    meshes = [folder / MESH_FOLDER / each for each in options.meshes.files(name)]
    labels = [folder / LABEL_FOLDER / each for each in options.label_files(name)]
    merges = [folder / MERGED_FOLDER / each for each in options.merged_files(name)]
    # An open surface has no inside, so there is no label map; the manifest says that it is open.
    closed = thyroid.validity.closed
    written: list[Path] = []
    within_grid: bool | None = None
    volume_ml, merged, whole, kept = None, None, None, None
    try:
        if labels and closed:
            whole = voxelise(surface_ras, options.label_grid(surface_ras))
            options.write_label_map(whole, labels[0])
            within_grid = whole.grid.holds(surface_ras)
            volume_ml = int(whole.array.sum()) * whole.voxel_volume_ml
            written += labels
        written += write_meshes(surface_ras, folder / MESH_FOLDER, name, options.meshes)
        if options.merge_into is not None and closed:
            whole = voxelise(surface_ras, options.merge_into.volume.grid)
            merged = replace_thyroid(options.merge_into, whole, options.merge_rules)
            write_labels(merged.labels, merges[0], series=options.series)
            within_grid = within_grid is not False and whole.grid.holds(surface_ras)
            kept = merged.thyroid
            written += merges
        as_written, on_map = measured_as_written(thyroid.measured, whole, kept, placement)
        checksums = {path: sha256_of(path) for path in written}
        return WrittenFiles(checksums, as_written, within_grid, volume_ml, merged, on_map)
    except BaseException:
        for path in (*labels, *meshes, *merges):
            path.unlink(missing_ok=True)
        raise
