"""The options for formats of phantoms besides label maps: meshes, DICOM and datasets."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.export.writing.label_files import DICOM_FORMATS

from .arguments import add_meshes, is_dicom_image

if TYPE_CHECKING:
    from ThyroidSynthLib.export.neck.neck import Neck
    from ThyroidSynthLib.export.phantom.phantom_cohort import PhantomWriter
    from ThyroidSynthLib.export.phantom.phantom_options import CohortFiles, PhantomFiles, PhantomOptions
    from ThyroidSynthLib.model.trained_model import TrainedModel


def add_phantom_formats(parser: argparse.ArgumentParser) -> None:
    """Add the options for meshes of the organs, and for a dataset of a cohort."""
    add_meshes(parser.add_argument_group("meshes of the organs"))
    parser.add_argument(
        "--nnunet",
        action="store_true",
        help="also write the CTs and label maps of a cohort as a dataset for nnU-Net, with consecutive labels; needs "
        "--paint-ct",
    )


def check_nnunet(options: argparse.Namespace, *, cohort: bool) -> None:
    """Exit with a usage error if a dataset for nnU-Net cannot be written."""
    if options.nnunet and not cohort:
        options.usage_error("--nnunet is for a cohort of phantoms: give --count, too")
    if options.nnunet and not options.paint_ct:
        options.usage_error("--nnunet needs CTs that show the thyroids: give --paint-ct, too")


def phantom_formats_of(options: argparse.Namespace) -> tuple[PhantomFiles, ...]:
    """Return what writes the files that these options and ``--format`` name, for `PhantomOptions.more_files`.

    `InputError` if a package that they need is not installed, or DICOM files would have no images to refer to.
    """
    from ThyroidSynthLib.export.phantom_formats import DicomFiles, OrganMeshes
    from ThyroidSynthLib.export.phantom_formats.dicom_files import NO_IMAGES
    from ThyroidSynthLib.export.writing import MeshOptions

    meshes = MeshOptions(options.mesh, options.mesh_space, options.edge_length, options.tetrahedra)
    dicom = tuple(each for each in options.format if each in DICOM_FORMATS)
    if dicom and not is_dicom_image(options.ct) and not options.paint_ct:
        raise InputError(NO_IMAGES)
    found: list[PhantomFiles] = [OrganMeshes(meshes)] if meshes.formats or meshes.tetrahedra else []
    return (*found, DicomFiles(dicom)) if dicom else tuple(found)


def cohort_files_of(options: argparse.Namespace, neck: Neck, content: PhantomOptions) -> tuple[CohortFiles, ...]:
    """Return what writes the files of each phantom that lie beside its folder, for `PhantomWriter.beside`."""
    from ThyroidSynthLib.export.phantom_formats import NnunetFiles

    return (NnunetFiles.of(neck, content),) if options.nnunet else ()


def documents_of(writer: PhantomWriter, model: TrainedModel) -> dict[str, Callable[[Path], None]]:
    """Return the documents of a cohort of phantoms by name, and what writes each."""
    from ThyroidSynthLib.export.phantom.phantom_cohort import DATASET_CARD, NNUNET_JSON
    from ThyroidSynthLib.export.phantom_formats import NnunetFiles, write_dataset_card, write_dataset_json

    found: dict[str, Callable[[Path], None]] = {DATASET_CARD: lambda path: write_dataset_card(path, model)}
    for each in writer.beside:
        if isinstance(each, NnunetFiles):
            found[NNUNET_JSON] = partial(write_dataset_json, classes=each.classes)
    return found
