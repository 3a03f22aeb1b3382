"""The options for formats of phantoms besides label maps: meshes and DICOM."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ThyroidSynthLib.common.errors import InputError

from .arguments import add_meshes

if TYPE_CHECKING:
    from ThyroidSynthLib.export.phantom.phantom_options import PhantomFiles

DICOM_FORMATS = ("seg.dcm", "rtstruct.dcm")
"""As in export.phantom_formats, which loads more than a list of options may."""


def add_phantom_formats(parser: argparse.ArgumentParser) -> None:
    """Add the options for meshes of the organs."""
    add_meshes(parser.add_argument_group("meshes of the organs"))


def phantom_formats_of(options: argparse.Namespace) -> tuple[PhantomFiles, ...]:
    """Return what writes the files that these options and ``--format`` name, for `PhantomOptions.more_files`.

    `InputError` if a package that they need is not installed, or DICOM files would have no images to refer to.
    """
    from ThyroidSynthLib.export.phantom_formats import DicomFiles, OrganMeshes
    from ThyroidSynthLib.export.phantom_formats.dicom_files import NO_IMAGES
    from ThyroidSynthLib.export.writing import MeshOptions
    from ThyroidSynthLib.imaging.dicom_series import class_of_dicom

    meshes = MeshOptions(options.mesh, options.mesh_space, options.edge_length, options.tetrahedra)
    dicom = tuple(each for each in options.format if each in DICOM_FORMATS)
    in_dicom = options.ct is not None and (options.ct.is_dir() or class_of_dicom(options.ct) is not None)
    if dicom and not in_dicom and not getattr(options, "paint_ct", False):
        raise InputError(NO_IMAGES)
    found: list[PhantomFiles] = [OrganMeshes(meshes)] if meshes.formats or meshes.tetrahedra else []
    return (*found, DicomFiles(dicom)) if dicom else tuple(found)
