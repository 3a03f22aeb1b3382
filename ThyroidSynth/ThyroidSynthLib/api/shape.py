"""Thyroids that the Python API returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.geometry.features import Features
from ThyroidSynthLib.geometry.frame import ALIGNMENTS, Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.targets import NO_TARGETS, Targets
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.labels import THYROID

from .patient import Labels, label_names

if TYPE_CHECKING:
    import trimesh
    import vtk

    from ThyroidSynthLib.evaluation.experiments.fitted import FittedCase
    from ThyroidSynthLib.export.edited_case import EditedCase
    from ThyroidSynthLib.export.merging import Merged, MergeRules
    from ThyroidSynthLib.generation.organs.organ import Organ
    from ThyroidSynthLib.generation.organs.own_organs import OwnOrgan
    from ThyroidSynthLib.generation.thyroid import Thyroid
    from ThyroidSynthLib.imaging.label_maps import LabelMap

DEFAULT_SPACING_MM = 1.5
"""Voxel size of TotalSegmentator's masks."""

_SAME_PLACE_MM = 1e-3


@dataclass(frozen=True)
class Shape:
    """A thyroid: a closed surface with its measured features.

    Attributes
    ----------
    thyroid : Thyroid
        Latent code, surface (in `trachea_mm`), features and validity.
    targets : Targets
        The targets that it was generated or steered with.
    met : bool or None
        Whether the measured features meet the targets; None if the shape was not steered.
    alignment : str
        Trachea frame of the model: "trachea" or "upright".
    placement : Placement or None
        Position of the trachea frame in a patient. Without one, `ras_mm` equals `trachea_mm`: the trachea
        lies at the origin.
    placement_notes : tuple of str
        Reasons to check the placement.
    organs : mapping of str to Organ
        Organs around the thyroid, such as the trachea, by name, with their features and latent codes; see
        `ShapeModel.sample`.
    own_organs : mapping of str to OwnOrgan
        The patient's own organs, which are not drawn; see `ModelAtPatient.sample`. A shape that is placed elsewhere has
        none.

    Examples
    --------
    >>> shape = ShapeModel.load("example").sample(seed=1)[0]
    >>> print(f"{shape.features.volume_ml:.1f} mL")
    >>> shape.save("thyroid.stl")
    """

    thyroid: Thyroid
    targets: Targets = NO_TARGETS
    met: bool | None = None
    alignment: str = ALIGNMENTS[0]
    placement: Placement | None = None
    placement_notes: tuple[str, ...] = ()
    organs: Mapping[str, Organ] = field(default_factory=dict)
    own_organs: Mapping[str, OwnOrgan] = field(default_factory=dict)

    @property
    def features(self) -> Features:
        """Volume (mL), isthmus area (mm²) and symmetry, measured on the surface."""
        return self.thyroid.measured

    @property
    def valid(self) -> bool:
        """Whether the surface is closed, has 1 or 2 components, and lies inside the bounding box."""
        return self.thyroid.validity.ok

    @property
    def surface(self) -> Surface:
        """The surface in `ras_mm`."""
        surface = self.thyroid.surface
        return surface if self.placement is None else surface.moved(self.placement.to_ras(surface.vertices))

    @property
    def surfaces(self) -> dict[str, Surface]:
        """The surfaces of the thyroid and of the organs around it by name, in `ras_mm`; drawn organs do not overlap."""
        found = {THYROID.name: self.thyroid.surface, **{name: organ.surface for name, organ in self.organs.items()}}
        if self.placement is None:
            return found
        placed = {name: surface.moved(self.placement.to_ras(surface.vertices)) for name, surface in found.items()}
        return placed | {name: organ.surface_ras() for name, organ in self.own_organs.items()}

    def at(self, patient: Path | str, *, labels: Labels | None = None, level_mm: float | None = None) -> Shape:
        """Return the shape at a patient's trachea.

        Parameters
        ----------
        patient : path
            A trachea mask, a case folder or a segmentation file.
        labels : mapping of int to str or str, optional
            As for `ShapeModel.fit`.
        level_mm : float, optional
            Superior coordinate in `ras_mm` of the gland's centre, instead of that of the patient's thyroid. Without
            both, the level is estimated from the trachea if the model needs it, which `placement_notes` says.

        Raises
        ------
        InputError
            There is no trachea to place the shape at, or the level is needed and cannot be estimated.

        Examples
        --------
        >>> thyroid = ShapeModel.load("example").sample(seed=1)[0]
        >>> in_patient = thyroid.at("s0327")
        >>> in_patient.placement_notes
        """
        from ThyroidSynthLib.generation.cohort.patient_site import site_at

        site = site_at(patient, self.alignment, labels=label_names(labels), level_mm=level_mm)
        return replace(self, placement=site.placement, placement_notes=site.notes, own_organs={})

    def at_point(self, point_ras: Sequence[float]) -> Shape:
        """Return the shape at a point, along the patient's axes.

        Parameters
        ----------
        point_ras : three floats
            The middle of the trachea at the level of the gland's centre, in `ras_mm`; for a model that is centred on
            the trachea, the trachea's centroid.

        Raises
        ------
        InputError
            The point is not three finite numbers.

        Examples
        --------
        >>> thyroid = ShapeModel.load("example").sample(seed=1)[0]
        >>> in_patient = thyroid.at_point([2.0, 31.0, -140.0])
        """
        from ThyroidSynthLib.generation.cohort.patient_site import site_at_point

        site = site_at_point(point_ras)
        return replace(self, placement=site.placement, placement_notes=site.notes, own_organs={})

    def to_trimesh(self) -> trimesh.Trimesh:
        """Return the surface as a trimesh mesh in `ras_mm`."""
        return self.surface.to_trimesh()

    def to_polydata(self) -> vtk.vtkPolyData:
        """Return the surface as VTK poly data in `ras_mm`."""
        from ThyroidSynthLib.geometry.polydata import polydata_of

        return polydata_of(self.surface)

    def to_label_map(self, grid: Grid | None = None, *, spacing_mm: float | None = None) -> Volume:
        """Return a label map: 1 where the voxel's centre lies inside the surface.

        Parameters
        ----------
        grid : Grid, optional
            Grid of the label map, such as ``read_grid("ct.nii.gz")``; by default one along the patient's axes
            around the shape.
        spacing_mm : float
            Voxel size where no grid is given; 1.5 mm by default.

        Raises
        ------
        InputError
            The shape lies off the grid.
        """
        from ThyroidSynthLib.generation.cohort.grid_room import off_grid_mm
        from ThyroidSynthLib.geometry.voxelisation import voxelise

        spacing_mm = DEFAULT_SPACING_MM if spacing_mm is None else spacing_mm
        surface = self.surface
        if grid is not None and (away := off_grid_mm(grid, surface.vertices)[0]) > 0:
            raise InputError(f"The shape lies {away:.0f} mm off the grid. Place it with at() or at_point().")
        return voxelise(surface, grid or Grid.around(surface, spacing_mm=spacing_mm))

    def to_organ_map(self, grid: Grid | None = None, *, spacing_mm: float | None = None) -> LabelMap:
        """Return one label map of the thyroid, label 1, and the organs around it, with the names of the labels.

        The voxels of the patient's own organs are those of their segmentation.

        Parameters
        ----------
        grid, spacing_mm
            As for `to_label_map`.

        Examples
        --------
        >>> thyroid = ShapeModel.load("example").sample(seed=1)[0]
        >>> thyroid.to_organ_map(spacing_mm=1.0).names
        {1: 'thyroid_gland'}
        """
        from ThyroidSynthLib.generation.organs.organ_set import whole_label_map

        surfaces = self.surfaces
        if grid is None:
            spacing_mm = DEFAULT_SPACING_MM if spacing_mm is None else spacing_mm
            grid = Grid.around(Surface.joined(list(surfaces.values())), spacing_mm=spacing_mm)
        return whole_label_map(surfaces | {name: each.mask.volume for name, each in self.own_organs.items()}, grid)

    def merged_into(
        self,
        patient: Path | str,
        *,
        labels: Labels | None = None,
        rules: MergeRules | None = None,
        grid: Grid | None = None,
    ) -> Merged:
        """Return a patient's label map with the thyroid replaced by the shape, and what that changed.

        Parameters
        ----------
        patient : path
            A segmentation file of all structures, or a folder of masks.
        labels : optional
            As for `at`.
        rules : MergeRules, optional
            Labels of the old and the new thyroid, and whether it overwrites other structures.
        grid : Grid, optional
            Grid of the result; by default that of the patient's map.

        Raises
        ------
        InputError
            The file is no label map, a label is impossible, or the shape lies off the grid.

        Examples
        --------
        >>> thyroid = ShapeModel.load("example").sample(seed=1)[0].at("s0327")
        >>> merged = thyroid.merged_into("s0327")
        >>> merged.written_ml, [str(change) for change in merged.changes]
        >>> merged.save("merged.nii.gz")
        """
        from ThyroidSynthLib.export.merging import MergeRules, on_grid, replace_thyroid
        from ThyroidSynthLib.imaging.segmentations.label_map_reading import read_label_map

        whole = read_label_map(patient, labels=label_names(labels))
        if grid is not None:
            whole = on_grid(whole, grid)
        filled = self.to_label_map(whole.volume.grid)
        # The grids are the same but for rounding.
        return replace_thyroid(whole, Volume(filled.array, whole.volume.ijk_to_ras), rules or MergeRules())

    def save(self, path: Path | str, *, grid: Grid | None = None, spacing_mm: float | None = None) -> Path:
        """Write the shape as a mesh (`MESH_FORMATS`) or as a label map (`LABEL_FORMATS`, such as .nii.gz or .mha).

        Meshes are written in LPS, as Slicer does. The file is read back before it takes its name.

        Parameters
        ----------
        path : path
            File to write; its ending chooses the format.
        grid, spacing_mm
            As for `to_label_map`.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        OutputError
            The file exists already, its format is unknown, or it cannot be written.
        """
        from ThyroidSynthLib.common.locks import new_file
        from ThyroidSynthLib.imaging.volume_files import files_of_image

        path = Path(path)
        with new_file(*files_of_image(path)):
            self._write(path, grid, spacing_mm)
        return path

    def _write(self, path: Path, grid: Grid | None, spacing_mm: float | None) -> None:
        from ThyroidSynthLib.imaging.label_map_files import LABEL_FORMATS, write_label_map
        from ThyroidSynthLib.imaging.labels import THYROID
        from ThyroidSynthLib.imaging.mesh_files import MESH_FORMATS, write_mesh

        if path.name.endswith(tuple(f".{suffix}" for suffix in LABEL_FORMATS)):
            write_label_map(self.to_label_map(grid, spacing_mm=spacing_mm), path, names={1: THYROID.name})
        elif path.suffix[1:] in MESH_FORMATS:
            write_mesh(self.surface, path)
        else:
            formats = ", ".join(f".{suffix}" for suffix in (*MESH_FORMATS, *LABEL_FORMATS))
            raise OutputError(f"{path} has no known ending. Choose one of {formats}.")


@dataclass(frozen=True, kw_only=True)
class FittedShape(Shape):
    """The model's closest surface to a patient's thyroid, in the patient.

    Attributes
    ----------
    case : FittedCase
        The fit with its uncertainty, its plausible completions and its agreement with the patient's thyroid.

    Examples
    --------
    >>> fitted = ShapeModel.load("example").fit("s0327")
    >>> print(f"Dice {fitted.dice:.2f}, ASSD {fitted.assd_mm:.1f} mm")
    """

    case: FittedCase

    @property
    def dice(self) -> float | None:
        """Dice coefficient with the patient's thyroid; None where a surface is open or only points are given."""
        return self.case.comparison.dice

    @property
    def assd_mm(self) -> float | None:
        """Average symmetric surface distance to the patient's thyroid, in mm; None where only points are given."""
        return self.case.comparison.assd_mm

    @property
    def hd95_mm(self) -> float | None:
        """95th percentile of the surface distances to the patient's thyroid, in mm; None as for `assd_mm`."""
        return self.case.comparison.hd95_mm

    @property
    def notes(self) -> tuple[str, ...]:
        """What quality control and the fit report."""
        return self.case.notes


@dataclass(frozen=True, kw_only=True)
class EditedShape(Shape):
    """A patient's own thyroid with some features changed and its details kept.

    Attributes
    ----------
    case : EditedCase
        The fit, the steering and the patient's segmentation.

    Examples
    --------
    >>> edited = ShapeModel.load("example").edit("s0327", volume_ml=20)
    >>> print(f"{edited.before.volume_ml:.1f} mL -> {edited.features.volume_ml:.1f} mL")
    """

    case: EditedCase

    @property
    def before(self) -> Features:
        """The features of the patient's thyroid before the edit."""
        return self.case.fit.original.measured

    @property
    def notes(self) -> tuple[str, ...]:
        """What quality control and the fit report."""
        return self.case.notes

    def to_label_map(self, grid: Grid | None = None, *, spacing_mm: float | None = None) -> Volume:
        """Return a label map, by default on the grid of the patient's segmentation.

        There it is exact: without a change it equals the segmentation, voxel by voxel.
        """
        own = self.case.mask.grid
        same = grid is not None and grid.shape == own.shape and grid.corner_distance_mm(own) < _SAME_PLACE_MM
        if same or (grid is None and spacing_mm is None):
            return self.case.label_map
        return super().to_label_map(grid, spacing_mm=spacing_mm)
