"""Options of `thyroidsynth phantom`: the neck, its grid, the gland, and what is written."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import sha256_of, shown_name
from ThyroidSynthLib.export.writing.label_files import DICOM_FORMATS
from ThyroidSynthLib.imaging.label_map_files import LABEL_FORMATS
from ThyroidSynthLib.imaging.volume_files import read_grid

from . import numbers
from .arguments import several_of, spacing
from .nodules import add_nodule_options, nodules_of

if TYPE_CHECKING:
    from ThyroidSynthLib.export.neck.neck import Neck
    from ThyroidSynthLib.export.phantom.phantom_options import PhantomFiles, PhantomOptions
    from ThyroidSynthLib.generation.thyroid import Thyroid
    from ThyroidSynthLib.model.trained_model import TrainedModel

_FORMATS = (*LABEL_FORMATS, *DICOM_FORMATS)
_voxels = numbers.whole(1, 4096)
_margin = numbers.real(0, 500, "mm")


def add_neck_options(parser: argparse.ArgumentParser) -> None:
    """Add the options on the neck and its grid."""
    neck = parser.add_argument_group("neck")
    neck.add_argument(
        "--at",
        type=Path,
        metavar="PATIENT",
        help="the patient: a case folder, a segmentation file or a trachea mask (default: a synthetic example neck)",
    )
    neck.add_argument(
        "--ct",
        type=Path,
        metavar="IMAGE",
        help="the patient's CT, or the folder of its DICOM series (default: ct.nii.gz of a case folder, if there is "
        "one), or none. It shows body, fat, muscle, bone and airway; without it the body is estimated",
    )
    neck.add_argument(
        "--level",
        type=numbers.coordinate,
        metavar="MM",
        help="superior coordinate of the gland's centre in mm (default: that of the patient's thyroid)",
    )
    neck.add_argument(
        "--neck-seed", type=numbers.seed, metavar="N", help="random seed of the synthetic example neck (default: 0)"
    )
    neck.add_argument(
        "--neighbours",
        choices=("yield", "keep"),
        default="yield",
        help="vessels, oesophagus and other soft structures give way to the thyroid and keep their volumes, or keep "
        "their voxels (default: yield). The trachea, the larynx and bones always stay",
    )
    grid = parser.add_argument_group("grid")
    where = grid.add_mutually_exclusive_group()
    where.add_argument("--grid", type=Path, metavar="IMAGE", help="the grid of this image or DICOM series")
    where.add_argument(
        "--spacing",
        type=spacing,
        metavar="MM",
        help="voxel size, or three along R, A and S as in 0.8,0.8,3 (default: that of the patient's scan)",
    )
    grid.add_argument(
        "--margin",
        type=_margin,
        metavar="MM",
        help="distance from the thyroids that the model can make to the ends of the grid, which does not reach beyond "
        "the scan (default: the whole scan)",
    )
    grid.add_argument(
        "--shape", type=_voxels, nargs=3, metavar=("I", "J", "K"), help="number of voxels, centred on the thyroids"
    )


def add_gland_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for a gland that is not generated, and for the labels of its parts."""
    gland = parser.add_argument_group("gland that is not generated")
    either = gland.add_mutually_exclusive_group()
    either.add_argument("--own", action="store_true", help="the patient's own thyroid")
    either.add_argument(
        "--gland",
        type=Path,
        metavar="FILE",
        help="a mask or mesh of a thyroid in the patient's coordinates, such as the result of 'thyroidsynth edit'",
    )


def add_content_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the options on what is written of each phantom, and return their group."""
    content = parser.add_argument_group("content")
    content.add_argument("--parts", action="store_true", help="labels of their own for lobes and isthmus")
    add_nodule_options(content)
    content.add_argument(
        "--fractions", action="store_true", help="also write the share of each voxel that each material fills"
    )
    content.add_argument(
        "--format",
        type=several_of(_FORMATS),
        default=("nii.gz",),
        metavar="FORMATS",
        help=f"formats of the label map: any of {', '.join(_FORMATS)}, separated by commas (default: nii.gz). Those in "
        "DICOM refer to the series of the CT",
    )
    content.add_argument(
        "--materials", type=Path, metavar="FILE", help="table (CSV or JSON) that changes or adds materials"
    )
    content.add_argument(
        "--numbers",
        type=_numbers,
        metavar="TABLE",
        help="label numbers of your own, as in thyroid_gland=1,trachea=2, or a table (CSV) of label and name (default: "
        "those of TotalSegmentator, and 200 and up for what it does not name)",
    )
    return content


def check_neck_options(options: argparse.Namespace) -> None:
    """Exit with a usage error if options contradict each other."""
    if options.at is None:
        for name in ("ct", "level", "labels"):
            if getattr(options, name) is not None:
                options.usage_error(f"--{name} is of a patient: give --at, too")
    elif options.neck_seed is not None:
        options.usage_error("--neck-seed is of the synthetic example neck: leave out --at or --neck-seed")
    if options.shape and options.margin is not None:
        options.usage_error("--shape and --margin both give the size of the grid: leave one out")
    if options.grid and (options.shape or options.margin is not None):
        options.usage_error("--grid is the whole grid: leave out --shape and --margin")
    given = "--own" if options.own else "--gland" if options.gland else None
    targets = ("volume", "isthmus_area", "symmetry", "from_table", "distribution")
    spread = [name for name in vars(options) if name.startswith("spread_")]
    if given and any(getattr(options, name) is not None for name in (*targets, *spread)):
        options.usage_error(f"{given} is a gland as it is: leave out all targets")


def neck_of(options: argparse.Namespace, model: TrainedModel) -> Neck:
    """Return the neck that the options describe; `InputError` if the thyroids would not lie on its grid."""
    from ThyroidSynthLib.export.neck.neck import GridChoice
    from ThyroidSynthLib.export.neck.neck_reading import example_neck, read_neck
    from ThyroidSynthLib.export.phantom.building import ct_to_paint
    from ThyroidSynthLib.generation.cohort.grid_room import check_on_grid

    choice = GridChoice(
        grid=read_grid(options.grid) if options.grid else None,
        spacing_mm=options.spacing,
        margin_mm=options.margin,
        shape=tuple(options.shape) if options.shape else None,
    )
    if options.at is None:
        neck = example_neck(model, choice, seed=options.neck_seed or 0)
    else:
        neck = read_neck(
            options.at,
            model,
            choice,
            name=shown_name(options.at),
            ct=options.ct,
            labels=options.labels,
            level_mm=options.level,
        )
    check_on_grid(
        neck.shown,
        model.frame,
        neck.placement,
        image=str(options.grid or neck.name),
        where=f"at {neck.name}",
        whole=False,
        remedy="Choose another grid.",
    )
    if options.paint_ct:
        ct_to_paint(neck)
    _check_numbers(options, neck)
    if options.gland and options.gland.is_file():
        gland = {"name": options.gland.name, "sha256": sha256_of(options.gland)}
        neck = replace(neck, sources={**neck.sources, "gland": gland})
    return neck


def _check_numbers(options: argparse.Namespace, neck: Neck) -> None:
    """Raise `InputError` if a number is for a structure that no phantom of a neck can have."""
    from ThyroidSynthLib.export.neck.phantom_labels import NODULE, label_numbers

    own = set(neck.before.names.values())
    for name in (options.numbers or {}).values():
        if name not in own | set(label_numbers()) and not name.startswith(NODULE):
            raise InputError(
                f"--numbers: there is no structure '{name}' in the phantom. Use the names of its labels: "
                f"{', '.join(sorted(own))}."
            )


def given_gland_of(options: argparse.Namespace, neck: Neck) -> tuple[Thyroid | None, str]:
    """Return the gland that the options name, or None if it is to be generated, and which of `GLANDS` it is."""
    from ThyroidSynthLib.export.phantom.building import GENERATED, GIVEN, OWN
    from ThyroidSynthLib.export.phantom.given_gland import own_gland, read_gland

    if options.own:
        return own_gland(neck), OWN
    if options.gland:
        return read_gland(options.gland, neck), GIVEN
    return None, GENERATED


def phantom_options_of(options: argparse.Namespace, more_files: tuple[PhantomFiles, ...] = ()) -> PhantomOptions:
    """Return the options that were added here, and what writes further files."""
    from ThyroidSynthLib.export.materials import read_materials, standard_materials
    from ThyroidSynthLib.export.phantom.phantom_options import PhantomOptions

    materials = standard_materials()
    if options.materials:
        materials = read_materials(options.materials)
    return PhantomOptions(
        neighbours=options.neighbours,
        lobes=options.parts,
        nodules=nodules_of(options),
        paint_ct=options.paint_ct,
        fractions=options.fractions,
        label_formats=tuple(each for each in options.format if each in LABEL_FORMATS),
        materials=materials,
        numbers={name: number for number, name in (options.numbers or {}).items()},
        more_files=more_files,
    )


def _numbers(text: str) -> dict[int, str]:
    from ThyroidSynthLib.imaging.segmentations.given_labels import labels_from_text

    try:
        found = labels_from_text(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    names = list(found.values())
    if twice := [name for name in names if names.count(name) > 1]:
        raise argparse.ArgumentTypeError(f"{twice[0]} has two numbers: give it one")
    return found
