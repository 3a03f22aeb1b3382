"""Phantoms that the Python API makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.imaging.label_maps import LabelMap

from .patient import Labels, label_names
from .shape import Shape
from .targets import targets_for

if TYPE_CHECKING:
    from ThyroidSynthLib.export.neck.neck import Neck
    from ThyroidSynthLib.export.nodules.nodule import Nodule
    from ThyroidSynthLib.export.phantom.phantom import Phantom as BuiltPhantom
    from ThyroidSynthLib.export.phantom.phantom_options import PhantomOptions
    from ThyroidSynthLib.geometry.targets import Targets
    from ThyroidSynthLib.model.trained_model import TrainedModel


@dataclass(frozen=True)
class Phantom:
    """A neck with a label in every voxel, for programs that simulate imaging.

    Attributes
    ----------
    built : export.phantom.Phantom
        Labels, surfaces and materials, as the writers of files take them.
    options : PhantomOptions
        What it consists of.

    Examples
    --------
    >>> phantom = ShapeModel.load("example").phantom(volume_ml=25, spacing_mm=1.0)
    >>> phantom.met, phantom.document["overlap_mm3"]
    >>> phantom.save("phantom", fractions=True)
    """

    built: BuiltPhantom
    options: PhantomOptions

    @property
    def labels(self) -> LabelMap:
        """The label map: its array [k, j, i], its place in `ras_mm`, and the names of the labels."""
        return self.built.labels

    @property
    def surfaces(self) -> Mapping[int, Surface]:
        """Closed surfaces in `ras_mm` of the thyroid, or of its lobes and isthmus, and of nodules, by label."""
        return self.built.parts

    @property
    def document(self) -> Mapping[str, Any]:
        """True features, targets, neighbours before and after, and sources, as in ``phantom.json``."""
        return self.built.document

    @property
    def met(self) -> bool | None:
        """Whether the targets are met on the label map; None if the thyroid was not steered."""
        return self.built.document["met"]

    def fractions(self) -> dict[str, np.ndarray]:
        """Return the share of each voxel that each material fills, by material; they sum up to 1."""
        return self.built.fractions()

    def save(
        self,
        folder: Path | str,
        *,
        formats: tuple[str, ...] = ("nii.gz",),
        fractions: bool = False,
        overwrite: bool = False,
    ) -> Path:
        """Write the phantom into a folder, as `thyroidsynth phantom` does.

        Parameters
        ----------
        folder : path
            A new folder, or one with an earlier phantom and `overwrite`.
        formats : tuple of str
            Formats of the label map: "nii.gz", "nii", "nrrd", "seg.nrrd", "mha", "mhd" or "raw".
        fractions : bool
            Whether volume fractions are written.

        Raises
        ------
        OutputError
            The folder holds a phantom and `overwrite` is not set, another file would be replaced, or a file cannot be
            written.
        """
        from ThyroidSynthLib.export.phantom.phantom_folder import save_phantom

        options = replace(self.options, label_formats=formats, fractions=fractions)
        save_phantom(self.built, Path(folder), options, overwrite=overwrite)
        return Path(folder)


class WithPhantoms:
    """The part of `ShapeModel` that makes phantoms."""

    trained: TrainedModel

    def phantom(
        self,
        patient: Path | str | None = None,
        *,
        gland: Shape | None = None,
        own: bool = False,
        volume_ml: float | None = None,
        isthmus_area_mm2: float | None = None,
        symmetry: float | None = None,
        seed: int = 0,
        neck_seed: int = 0,
        ct: Path | str | None = None,
        labels: Labels | None = None,
        level_mm: float | None = None,
        grid: Grid | None = None,
        spacing_mm: float | tuple[float, float, float] | None = None,
        margin_mm: float | None = None,
        neighbours: str = "yield",
        lobes: bool = False,
        nodules: str | Path | Sequence[Nodule] | None = None,
        paint_ct: bool = False,
        materials: Path | str | None = None,
    ) -> Phantom:
        """Return a phantom: a neck with a label in every voxel, with a thyroid in it.

        By default the thyroid is a random one of the seed, steered to its targets on the label map and out of trachea,
        larynx and bones.

        Parameters
        ----------
        patient : path, optional
            A case folder, a segmentation file or a trachea mask; by default a synthetic example neck.
        gland : Shape, optional
            The thyroid, such as an edited one; it must lie in the patient.
        own : bool
            Whether the thyroid is the patient's own.
        volume_ml, isthmus_area_mm2, symmetry : float, optional
            Targets.
        seed : int
            Random seed of thyroid and nodules.
        neck_seed : int
            Random seed of the example neck.
        ct : path, optional
            The patient's CT, or the folder of its DICOM series; by default the ``ct.nii.gz`` of a case folder.
        labels, level_mm
            As for `Shape.at`.
        grid, spacing_mm, margin_mm
            The grid: a given one, or voxel size and distance from the thyroids to its ends; by default the scan's.
        neighbours : str
            "yield" if vessels and other soft structures give way to the thyroid, "keep" if they keep their voxels.
        lobes : bool
            Whether lobes and isthmus have labels of their own.
        nodules : str, path or sequence of Nodule, optional
            Nodules with positions or parts, a distribution such as "count=2,diameter=5-20", or the path of a table.
        paint_ct : bool
            Whether the neck's CT follows the thyroid and its nodules, as ``built.ct``.
        materials : path, optional
            A table that changes or adds materials.

        Raises
        ------
        InputError
            The patient, the CT or a table cannot be read, options contradict each other, or a nodule does not fit.
        SynthesisError
            No draw gave a valid surface.

        Examples
        --------
        >>> model = ShapeModel.load("example")
        >>> phantom = model.phantom(volume_ml=25, spacing_mm=1.0, nodules="count=2,diameter=5-12")
        >>> phantom.labels.names
        >>> own = model.phantom("s0327", own=True)
        """
        from ThyroidSynthLib.export.materials import read_materials, standard_materials
        from ThyroidSynthLib.export.neck import GridChoice, example_neck, read_neck
        from ThyroidSynthLib.export.nodules import read_nodules
        from ThyroidSynthLib.export.phantom.phantom_options import PhantomOptions

        targets = targets_for(self.trained, volume_ml, isthmus_area_mm2, symmetry)
        if (own or gland is not None) and (targets or (own and gland is not None)):
            raise InputError("Give either targets, a gland or own=True.")
        choice = GridChoice(grid, spacing_mm, margin_mm)
        if patient is None:
            neck = example_neck(self.trained, choice, seed=neck_seed)
        else:
            path = Path(patient)
            neck = read_neck(
                path,
                self.trained,
                choice,
                name=path.name,
                ct=None if ct is None else Path(ct),
                labels=label_names(labels),
                level_mm=level_mm,
            )
        options = PhantomOptions(
            neighbours=neighbours,
            lobes=lobes,
            nodules=read_nodules(nodules) if isinstance(nodules, (str, Path)) else nodules,
            paint_ct=paint_ct,
            materials=standard_materials() if materials is None else read_materials(materials),
        )
        return self._built(neck, options, targets, seed, gland, own=own)

    def _built(
        self, neck: Neck, options: PhantomOptions, targets: Targets, seed: int, gland: Shape | None, *, own: bool
    ) -> Phantom:
        from ThyroidSynthLib.export.phantom.building import GENERATED, GIVEN, OWN, build_phantom, model_document
        from ThyroidSynthLib.export.phantom.given_gland import own_gland, placed_gland
        from ThyroidSynthLib.export.phantom.phantom_cohort import FixedGland, PhantomWriter, phantom_plan

        if own or gland is not None:
            fixed = own_gland(neck) if gland is None else placed_gland(gland.surface, neck)
            generated = FixedGland(fixed, seed).make(0, targets)
            kind, about = (OWN, {}) if own else (GIVEN, {})
        else:
            # The file of the model is only for worker processes.
            plan = phantom_plan(self.trained, Path(), PhantomWriter(Path(), neck, options), seed=seed)
            generated = plan.maker_of(self.trained).make(0, targets)
            kind, about = GENERATED, model_document(self.trained)
        return Phantom(build_phantom(neck, generated, options, name=neck.name, gland=kind, model=about), options)
