"""What phantoms consist of, and which files are written of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.export.materials import standard_materials
from ThyroidSynthLib.imaging.label_map_files import LABEL_FORMATS

from .composing import NEIGHBOURS, YIELD
from .phantom import Phantom

if TYPE_CHECKING:
    from ThyroidSynthLib.export.materials.material_table import MaterialTable
    from ThyroidSynthLib.export.nodules.distribution import NoduleDistribution
    from ThyroidSynthLib.export.nodules.nodule import Nodule
    from ThyroidSynthLib.export.nodules.table import TabledNodule

PhantomFiles: TypeAlias = Callable[[Phantom, Path], None]
"""Writes further files of a phantom into its folder, such as meshes or the files of a simulator; can be pickled."""

CohortFiles: TypeAlias = Callable[[Phantom, Path, str], list[Path]]
"""Writes files of the phantom of a name into the folder of its cohort, and returns them; can be pickled."""


@dataclass(frozen=True)
class PhantomOptions:
    """What phantoms consist of, and which files are written; `InputError` or `OutputError` if a choice is unknown.

    Attributes
    ----------
    neighbours : str
        One of `NEIGHBOURS`: whether soft neighbours give way to the thyroid or keep their voxels.
    lobes : bool
        Whether lobes and isthmus have labels of their own.
    nodules : sequence of Nodule and TabledNodule, or NoduleDistribution, optional
        The nodules of each phantom.
    paint_ct : bool
        Whether the CT of the neck follows the thyroid and its nodules.
    fractions : bool
        Whether volume fractions are written.
    label_formats : tuple of str
        Any of `LABEL_FORMATS`.
    materials : MaterialTable
        What the structures consist of.
    numbers : mapping of str to int
        Label numbers by the names of structures, instead of the usual ones.
    more_files : tuple of callable
        Write further files of each phantom.
    """

    neighbours: str = YIELD
    lobes: bool = False
    nodules: Sequence[Nodule | TabledNodule] | NoduleDistribution | None = None
    paint_ct: bool = False
    fractions: bool = False
    label_formats: tuple[str, ...] = ("nii.gz",)
    materials: MaterialTable = field(default_factory=standard_materials)
    numbers: Mapping[str, int] = field(default_factory=dict)
    more_files: tuple[PhantomFiles, ...] = ()

    def __post_init__(self) -> None:
        if self.neighbours not in NEIGHBOURS:
            raise InputError(f"Neighbours cannot '{self.neighbours}'. Choose {' or '.join(NEIGHBOURS)}.")
        for suffix in self.label_formats:
            if suffix not in LABEL_FORMATS:
                raise OutputError(f"There is no label map format '{suffix}'. Use {', '.join(LABEL_FORMATS)}.")
