"""Write thyroids of the scene to files, each of which is read back to check it."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.errors import OutputError
from ThyroidSynthLib.common.files import sha256_of
from ThyroidSynthLib.evaluation.report import tables
from ThyroidSynthLib.export.measuring import measured_as_written
from ThyroidSynthLib.export.merging import Merged, MergeRules
from ThyroidSynthLib.export.thyroid_files import THYROID_LABEL
from ThyroidSynthLib.geometry.features import FEATURE_NAMES, Features, measure_features
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.targets import misfit
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.label_map_files import write_label_map, write_names_table
from ThyroidSynthLib.imaging.label_maps import unique_name
from ThyroidSynthLib.imaging.mesh_files import SPACES, write_mesh
from ThyroidSynthLib.slicer.scene.merged_map import PatientMap
from ThyroidSynthLib.slicer.scene.volumes import grid_of_ct, ijk_to_local, surface_of_segment

from .present import is_edited_by_hand, thyroid_segment
from .records import ThyroidRecord, read_record

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode

TABLE_FILE = "thyroids.csv"
_MERGED = "_merged"
_NAMES = "_labels.csv"


@dataclass(frozen=True)
class SceneFiles:
    """The files to write for each thyroid.

    Attributes
    ----------
    label_format : str or None
        One of `label_map_files.LABEL_FORMATS`; None for no label maps.
    ct : vtkMRMLScalarVolumeNode or None
        The CT whose grid label maps have; None for a grid around each thyroid.
    spacing_mm : three floats
        Voxel size of a grid around a thyroid along R, A and S.
    mesh_formats : tuple of str
        Any of `mesh_files.MESH_FORMATS`.
    mesh_space : str
        One of `mesh_files.SPACES`.
    patient : PatientMap or None
        The patient's structures, to write with the thyroid replaced.
    rules : MergeRules
        How the thyroid is replaced.
    """

    label_format: str | None = "nii.gz"
    ct: vtkMRMLScalarVolumeNode | None = None
    spacing_mm: Sequence[float] = (1.0, 1.0, 1.0)
    mesh_formats: tuple[str, ...] = ()
    mesh_space: str = SPACES[0]
    patient: PatientMap | None = None
    rules: MergeRules = field(default_factory=MergeRules)

    def paths(self, folder: Path, stem: str) -> list[Path]:
        """Return the files of a thyroid in the order in which they are written."""
        names = [f"{stem}.{self.label_format}"] if self.label_format is not None else []
        names += [f"{stem}.{suffix}" for suffix in self.mesh_formats]
        if self.patient is not None:
            merged = "seg.nrrd" if self.label_format == "nrrd" else self.label_format or "nii.gz"
            names += [f"{stem}{_MERGED}.{merged}", f"{stem}{_MERGED}{_NAMES}"]
        return [folder / name for name in names]


@dataclass(frozen=True)
class ExportedThyroid:
    """A thyroid that was written to files.

    Attributes
    ----------
    label_volume_ml : float or None
        Volume of its label map.
    merged : Merged or None
        The patient's map with the thyroid replaced.
    columns : dict of str to object
        Its record, and its features as they are now, as columns of the table.
    changed : bool
        Whether the node was changed since the thyroid was made, so that seed and code do not reproduce it.
    """

    name: str
    files: tuple[Path, ...]
    label_volume_ml: float | None
    merged: Merged | None
    columns: dict[str, object]
    changed: bool = False


def file_stem(name: str, taken: Container[str] = ()) -> str:
    """Return a node's name as the stem of a file name that is valid on every system."""
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._") or "thyroid"
    return unique_name(plain, taken).replace(" ", "_")


def export_thyroid(node: vtkMRMLSegmentationNode, stem: str, folder: Path, options: SceneFiles) -> ExportedThyroid:
    """Write the files of a thyroid, replacing existing ones; each is read back before it is put in place.

    What is written and measured is the node's present content, with its transform, whatever its record says.

    Raises
    ------
    InputError
        The node has no thyroid segment, or a label is not possible.
    OutputError
        A file cannot be written, or part of the thyroid is outside a grid.
    """
    surface = surface_of_segment(node, thyroid_segment(node))
    paths = options.paths(folder, stem)
    remaining = iter(paths)
    volume_ml, merged, voxels, kept = None, None, None, None
    if options.label_format is not None:
        voxels = (
            label_map_on_ct(node.GetName(), surface, options.ct)
            if options.ct is not None
            else voxelise(surface, Grid.around(surface, spacing_mm=options.spacing_mm))
        )
        write_label_map(voxels, next(remaining), names=THYROID_LABEL)
        volume_ml = int(np.count_nonzero(voxels.array)) * voxels.voxel_volume_ml
    for _suffix in options.mesh_formats:
        write_mesh(surface, next(remaining), space=options.mesh_space)
    if options.patient is not None:
        voxels, merged = options.patient.with_thyroid(surface, options.rules)
        whole = merged.labels
        write_label_map(whole.volume, next(remaining), names=whole.names, looks=whole.looks)
        write_names_table(whole.names, next(remaining))
        # Measured where it lies in the scene, as the surface is; the file has the geometry of the CT's file.
        kept = Volume(merged.thyroid.array, voxels.ijk_to_ras)
    exported = ExportedThyroid(node.GetName(), tuple(paths), volume_ml, merged, {"kind": ""})
    record = read_record(node)
    if record is None:
        return replace(exported, columns={"kind": "", "volume_ml": surface.volume / 1000})
    now = measure_features(surface.moved(record.placement.to_trachea(surface.vertices)))
    written, _ = measured_as_written(now, voxels, kept, record.placement)
    changed = is_edited_by_hand(node) or not _same(now, record.features)
    components = int(surface.components().max(initial=-1)) + 1
    measured = {
        **now.as_dict(),
        "measured_on": "surface" if voxels is None else "label map" if merged is None else "merged map",
        **{f"written_{name}": value for name, value in written.as_dict().items()},
        "changed_in_scene": changed,
        "valid": surface.is_closed() and 1 <= components <= 2 and (changed or record.valid),
    }
    return replace(exported, columns=_columns_of(record, measured, written), changed=changed)


def write_table(exported: Sequence[ExportedThyroid], path: Path) -> None:
    """Write a table (CSV) of the exported thyroids with their records, from which they can be reproduced."""
    rows = [
        {
            "name": each.name,
            **each.columns,
            "label_volume_ml": each.label_volume_ml,
            "merged_overlap_ml": sum(other.volume_ml for other in each.merged.overlaps) if each.merged else None,
            "merged_changes": "; ".join(map(str, each.merged.changes)) if each.merged else None,
            "files": " ".join(file.name for file in each.files),
            "sha256": " ".join(sha256_of(file) for file in each.files),
        }
        for each in exported
    ]
    # A thyroid without a record has fewer columns.
    columns = dict.fromkeys(column for row in rows for column in row)
    tables.write_table(path, [{**columns, **row} for row in rows])


def label_map_on_ct(name: str, surface_ras: Surface, ct: vtkMRMLScalarVolumeNode) -> Volume:
    """Return a thyroid filled on the grid of a CT, in the geometry of the CT's file: both overlay in any software.

    Raises
    ------
    OutputError
        Part of the thyroid lies outside the CT.
    """
    grid = grid_of_ct(ct)
    if not grid.holds(surface_ras):
        raise OutputError(
            f"Part of '{name}' lies outside '{ct.GetName()}', and a label map on its grid would "
            "cut it off. Move the thyroid, or choose a CT that holds it."
        )
    return Volume(voxelise(surface_ras, grid).array, ijk_to_local(ct))


def _same(first: Features, second: Features) -> bool:
    """Check whether features are the same but for the single precision of surfaces in the scene."""
    return bool(np.allclose(first.as_array(), second.as_array(), rtol=1e-3, atol=2e-3))


def _columns_of(record: ThyroidRecord, measured: Mapping[str, object], written: Features) -> dict[str, object]:
    targets, values = record.targets, written.as_dict()
    met = all(misfit(name, values[name], target) <= 1.0 for name, target in targets.items())
    return {
        "kind": record.kind,
        "seed": record.seed,
        **{f"target_{name}": targets.get(name) for name in FEATURE_NAMES},
        **measured,
        **{f"error_{name}": values[name] - targets[name] if name in targets else None for name in FEATURE_NAMES},
        "met": None if record.met is None else met,
        "distance": record.distance,
        "overlap_removed": record.overlap_removed,
        "model": record.model,
        "trachea_to_ras": " ".join(f"{value:.9g}" for value in record.trachea_to_ras),
        "code": " ".join(f"{value:.9g}" for value in record.code),
        "fitted_code": " ".join(f"{value:.9g}" for value in record.fitted_code),
    }
