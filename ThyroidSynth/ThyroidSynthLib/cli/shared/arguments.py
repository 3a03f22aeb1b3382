"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.export.thyroid_files import FileOptions
from ThyroidSynthLib.export.writing.label_files import DICOM_FORMATS
from ThyroidSynthLib.export.writing.tetrahedra import TETRAHEDRA_FORMATS
from ThyroidSynthLib.imaging.dicom_series import class_of_dicom
from ThyroidSynthLib.imaging.label_map_files import LABEL_FORMATS
from ThyroidSynthLib.imaging.mesh_files import MESH_FORMATS, SPACES
from ThyroidSynthLib.imaging.volume_files import read_grid
from ThyroidSynthLib.model.presets import DEFAULT_PRESET, PRESETS
from ThyroidSynthLib.model.settings import ACTIVATIONS, OMEGA, VARIANTS
from ThyroidSynthLib.model.shipped import model_path

from . import numbers

if TYPE_CHECKING:
    from ThyroidSynthLib.evaluation.experiments.evaluation import EvaluationOptions


# In bytes; the limits of Linux, which are those of most systems or below them.
_LONGEST_PATH, _LONGEST_NAME = 4000, 255


def spacing(text: str) -> float | tuple[float, float, float]:
    """Parse a voxel size: one number, or three separated by commas."""
    parts = text.split(",")
    if len(parts) not in (1, 3):
        raise argparse.ArgumentTypeError(
            f"'{text}' is not valid: give one number, or three along R, A and S as in 0.8,0.8,3. Write decimals with a "
            "point."
        )
    values = tuple(numbers.millimetres(part) for part in parts)
    return values[0] if len(values) == 1 else (values[0], values[1], values[2])


def file_path(text: str) -> Path:
    """Return a path; an empty one would be the working folder, and a longer one than allowed fails anywhere."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the path is empty: give the name of a file or folder")
    name = os.fsencode(text)
    if len(name) > _LONGEST_PATH or max(map(len, re.split(rb"[/\\]", name))) > _LONGEST_NAME:
        raise argparse.ArgumentTypeError(f"'{text[:40]}…' is too long for the name of a file: give a shorter one")
    return Path(text)


def device(text: str) -> str:
    """Check the name of a device, which may still be missing on this machine."""
    if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,2})?", text):
        raise argparse.ArgumentTypeError(f"'{text}' is not valid: choose auto, cpu, cuda or cuda:N")
    return text


def several_of(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """Return a parser of lists such as ``ply,stl`` of known names."""

    def parse(text: str) -> tuple[str, ...]:
        found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
        unknown = [part for part in found if part not in known]
        if unknown or not found:
            raise argparse.ArgumentTypeError(f"'{', '.join(unknown)}' is not valid: choose among {', '.join(known)}")
        return found

    return parse


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the model file."""
    parser.add_argument(
        "model",
        type=lambda text: model_path(file_path(text)),
        metavar="MODEL",
        help="model file, or 'example' for the one that is installed",
    )


def add_out(parser: argparse.ArgumentParser, what: str, *, required: bool = True) -> None:
    """Add the output folder."""
    parser.add_argument("--out", type=Path, required=required, metavar="FOLDER", help=what)
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace an earlier result in that folder; other files are never replaced",
    )


def add_seed(parser: argparse.ArgumentParser, what: str = "random seed") -> None:
    """Add the random seed."""
    parser.add_argument("--seed", type=numbers.seed, default=0, help=f"{what} (default: 0)")


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Add the number of worker processes."""
    parser.add_argument("--workers", type=numbers.workers, metavar="N", help="processes (default: one for each CPU)")


def add_training(parser: argparse.ArgumentParser) -> None:
    """Add the settings of a training."""
    parser.add_argument("--variant", choices=VARIANTS, default="fixed", help="model variant (default: fixed)")
    parser.add_argument(
        "--preset", choices=tuple(PRESETS), default=DEFAULT_PRESET, help="training settings (default: %(default)s)"
    )
    parser.add_argument(
        "--epochs", type=numbers.epochs, default=0, metavar="N", help="number of epochs (default: the preset's)"
    )
    parser.add_argument(
        "--activation",
        choices=ACTIVATIONS,
        default="relu",
        help="hidden units of the network: relu, as published, or siren, sine units, for trials (default: relu)",
    )
    parser.add_argument(
        "--omega",
        type=numbers.omega,
        default=OMEGA,
        metavar="W",
        help="with --activation siren: factor of the angles; a larger one learns finer detail (default: %(default)g)",
    )
    parser.add_argument("--device", type=device, default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")


def add_evaluation_extent(parser: argparse.ArgumentParser) -> None:
    """Add the options on the extent of an evaluation."""
    group = parser.add_argument_group("extent of the evaluation")
    group.add_argument(
        "--count", type=numbers.thyroids, default=200, metavar="N", help="random thyroids (default: 200)"
    )
    group.add_argument(
        "--to-target",
        type=numbers.thyroids_or_none,
        default=100,
        metavar="N",
        help="how many of them are steered to target, and how many thyroids to independent targets (default: 100)",
    )
    group.add_argument(
        "--moves",
        type=numbers.thyroids_or_none,
        default=20,
        metavar="N",
        help="thyroids in the cross-talk matrix; one feature of each is moved at a time (default: 20)",
    )
    group.add_argument(
        "--cases",
        type=numbers.cases,
        metavar="N",
        help="maximum number of training and of held-out cases (default: all)",
    )
    group.add_argument(
        "--quick",
        action="store_true",
        help="a first look in about a minute: few cases, 50 thyroids, 10 steered to target; not for publication",
    )


def evaluation_options(options: argparse.Namespace, *, seed: int = 0) -> EvaluationOptions:
    """Return the options that `add_evaluation_extent` added."""
    from ThyroidSynthLib.evaluation.experiments.evaluation import EvaluationOptions

    chosen = EvaluationOptions(
        cases=options.cases, count=options.count, to_target=options.to_target, moves=options.moves, seed=seed
    )
    return chosen.quick() if options.quick else chosen


def files_at(*paths: Path | None) -> list[Path]:
    """Return the files that reading these paths may open, including those in a case folder."""
    found: list[Path] = []
    for path in paths:
        if path is not None and path.is_dir():
            found += [*path.iterdir(), *(path / "segmentations").glob("*")]
        elif path is not None:
            found.append(path)
    return found


def add_scheduler(parser: argparse.ArgumentParser) -> None:
    """Add the option to use the workers of a Dask cluster."""
    parser.add_argument(
        "--dask-scheduler",
        metavar="ADDRESS",
        help="use the workers of this Dask scheduler, e.g. tcp://10.0.0.1:8786; the result is the same. All machines "
        "must see the same folders (pip install 'thyroidsynth[cluster]')",
    )


def add_masks(parser: argparse.ArgumentParser, *, instead_of: str) -> None:
    """Add options for a patient given as two mask files instead of a positional argument."""
    for structure in ("thyroid", "trachea"):
        about = f"mask file of the {structure}, instead of {instead_of}"
        parser.add_argument(f"--{structure}", type=Path, metavar="MASK", help=about)


def add_files(parser: argparse.ArgumentParser, *, default_grid: str) -> None:
    """Add the options for label maps and meshes."""
    group = parser.add_argument_group("files")
    group.add_argument(
        "--format",
        choices=(*LABEL_FORMATS, *DICOM_FORMATS, "none"),
        default="nii.gz",
        help="label maps as NIfTI, NRRD, segmentation of Slicer (seg.nrrd), MetaImage (mha, or mhd with raw) or raw "
        "numbers described by a JSON file; as DICOM SEG or RTSTRUCT that refers to the series of --grid; or none "
        "(default: nii.gz)",
    )
    add_meshes(group)
    where = group.add_mutually_exclusive_group()
    where.add_argument(
        "--grid",
        type=Path,
        metavar="IMAGE",
        help="write label maps on the grid of this image, e.g. the CT, or of the DICOM series in this folder",
    )
    where.add_argument(
        "--spacing",
        type=spacing,
        metavar="MM",
        help=f"voxel size of the label maps, or three along R, A and S as in 0.8,0.8,3 (default: {default_grid})",
    )


def add_meshes(group: argparse._ActionsContainer) -> None:
    """Add the options for meshes."""
    group.add_argument(
        "--mesh",
        type=several_of(MESH_FORMATS),
        default=(),
        metavar="FORMATS",
        help="also write surfaces: any of ply, stl, obj, vtp, glb, separated by commas; in mm",
    )
    group.add_argument(
        "--mesh-space",
        choices=SPACES,
        default=SPACES[0],
        help=f"coordinate system of the surfaces, also written in their headers (default: {SPACES[0]}, as in Slicer)",
    )
    group.add_argument(
        "--edge-length",
        type=numbers.edge_length,
        metavar="MM",
        help="write surfaces of nearly equilateral triangles with edges of about this length, as solvers need them; "
        "the volume is kept (pip install 'thyroidsynth[simulation]')",
    )
    group.add_argument(
        "--tetrahedra",
        type=several_of(TETRAHEDRA_FORMATS),
        default=(),
        metavar="FORMATS",
        help="with --edge-length: also fill the surfaces with tetrahedra: any of vtu, msh (Gmsh), separated by commas",
    )


def is_dicom_image(path: Path | None) -> bool:
    """Check whether a path is that of a DICOM series: a folder, or a DICOM file."""
    return path is not None and (path.is_dir() or class_of_dicom(path) is not None)


def file_options(options: argparse.Namespace) -> FileOptions:
    """Return the options that `add_files` added."""
    return FileOptions(
        label_format=None if options.format == "none" else options.format,
        mesh_formats=options.mesh,
        mesh_space=options.mesh_space,
        edge_length_mm=options.edge_length,
        tetrahedra=options.tetrahedra,
        series=options.grid if is_dicom_image(options.grid) else None,
        grid=read_grid(options.grid) if options.grid else None,
        spacing_mm=options.spacing or FileOptions.spacing_mm,
    )


def add_labels(parser: argparse.ArgumentParser) -> None:
    """Add the options that name the labels of a multi-label file; `options.labels` is a mapping of number to name."""
    either = parser.add_mutually_exclusive_group()
    either.add_argument(
        "--labels",
        type=_labels,
        metavar="TABLE",
        help="label numbers of multi-label files without names, as in thyroid=1,trachea=2; lobes may have labels of "
        "their own ('left thyroid lobe=1'). Also a dataset.json of nnU-Net or a table (CSV) of label and name",
    )
    either.add_argument(
        "--class-map",
        dest="labels",
        type=_class_map,
        metavar="NAME",
        help="the same for files of TotalSegmentator without names: the version or task that made them, such as "
        "total-v2. Use it only if you know the task: in others the numbers are other organs",
    )


def _labels(text: str) -> dict[int, str]:
    from ThyroidSynthLib.imaging.segmentations.given_labels import labels_from_text

    try:
        return labels_from_text(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _class_map(text: str) -> dict[int, str]:
    from ThyroidSynthLib.imaging.segmentations.class_maps import class_map_labels

    try:
        return class_map_labels(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
