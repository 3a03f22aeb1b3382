"""Reading of image files (NIfTI, NRRD and MetaImage), and writing as NIfTI and NRRD."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.common.files import atomic_path
from ThyroidSynthLib.common.reading import checked_file
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume

from .dicom_series import class_of_dicom, read_series_grid
from .formats.metaimage import read_metaimage_header
from .formats.nrrd import read_nrrd_header, write_nrrd
from .formats.stored_voxels import StoredVoxels
from .nifti import is_nifti, read_header, write_nifti

_log = logging.getLogger(__name__)

NOTE_KEY = "ITK_FileNotes"
"""Metadata that NIfTI keeps too, as its description."""


def read_volume(path: Path | str) -> Volume:
    """Read a 3-D scalar image in NIfTI, NRRD or MetaImage format.

    Raises
    ------
    InputError
        The file is damaged, is of another kind, has no position in the patient, or would fill the memory.
    """
    grid, voxels, _ = _header(Path(path))
    return Volume(_scalars(voxels).whole(), grid.ijk_to_ras)


def read_slabs(path: Path | str) -> Generator[tuple[Grid, int, np.ndarray]]:
    """Read the voxels of a 3-D scalar image a few slices at a time, so that memory does not grow with the scan.

    Yields the grid, the same each time, the index k of the slab's first slice, and its read-only voxels (m, nj, ni).
    Errors are those of `read_volume`.
    """
    grid, voxels, _ = _header(Path(path))
    with closing(_scalars(voxels).slabs()) as slabs:
        for first, slab in slabs:
            yield grid, first, slab


@contextmanager
def reading_slabs(path: Path | str) -> Iterator[Iterator[tuple[Grid, int, np.ndarray]]]:
    """Yield the slabs of `read_slabs` to a block that may refuse their values.

    Values that make no sense may come from a damaged file, which only its end shows; then it is refused as damaged.
    """
    with closing(read_slabs(path)) as slabs:
        try:
            yield slabs
        except InputError:
            for _ in slabs:
                pass
            raise


def check_image(path: Path | str) -> None:
    """Check the header and the size of an image file that another program is to read.

    Raises
    ------
    InputError
        The header is damaged or impossible, refers to another folder, or states more voxels than the file can hold.
    """
    _header(Path(path))[1].check_size()


def read_grid(path: Path | str) -> Grid:
    """Read the grid of a 3-D image file, or of a DICOM series from its folder or one of its files.

    That of a Slicer segmentation is the grid of the scan that was segmented, of which its file holds only a part.
    The voxels are read too, because only the end of a file shows that its header is not damaged.

    Raises
    ------
    InputError
        The file is damaged or has no position in the patient, or a label map on this grid would fill the memory.
        For DICOM also as in `read_series_grid`.
    """
    path = Path(path)
    if path.is_dir() or class_of_dicom(path) is not None:
        return read_series_grid(path).checked_for_holding(path)
    _, voxels, grid = _header(path)
    for note in placement_notes(path):
        _log.warning("%s", note)
    grid.checked_for_holding(path)
    for _ in voxels.slabs():
        pass
    return grid


def placement_notes(path: Path | str) -> tuple[str, ...]:
    """Return remarks for the user on an image file whose header contradicts itself about its position."""
    return read_header(path).notes if is_nifti(path) else ()


def write_volume(
    volume: Volume,
    path: Path | str,
    *,
    metadata: Mapping[str, str] | None = None,
    extensions: tuple[tuple[int, bytes], ...] = (),
) -> None:
    """Write a volume as ``.nii.gz``, ``.nii`` or ``.nrrd``, which keep any axes, replacing `path` in one step.

    Parameters
    ----------
    metadata : mapping of str to str, optional
        Key/value pairs for NRRD. NIfTI keeps that of `NOTE_KEY`.
    extensions : tuple of (int, bytes)
        Header extensions, for NIfTI.

    Raises
    ------
    OutputError
        The format is unknown, or the file cannot be written.
    """
    path = Path(path)
    name = path.name.lower()
    if not (is_nifti(name) or name.endswith(".nrrd")):
        raise OutputError(f"{path} has no known image format. Choose a name in .nii.gz or .nrrd.")
    if volume.array.dtype == bool:
        volume = Volume(volume.array.view(np.uint8), volume.ijk_to_ras)
    metadata = metadata or {}
    with atomic_path(path) as temporary:
        if is_nifti(name):
            write_nifti(volume, temporary, description=metadata.get(NOTE_KEY, ""), extensions=extensions)
        else:
            write_nrrd(volume, temporary, metadata)


def _header(path: Path) -> tuple[Grid, StoredVoxels, Grid]:
    """Read the header of an image file: its grid, its voxels, and the grid of the scan it is a part of.

    NRRD is recognised by its content, whatever its name.
    """
    checked_file(path)
    if is_nifti(path):
        nifti = read_header(path)
        return nifti.grid, nifti.voxels, nifti.grid
    with path.open("rb") as file:
        start = file.read(132)
    if start.startswith(b"NRRD") or path.suffix.lower() in (".nrrd", ".nhdr"):
        header = read_nrrd_header(path)
        return header.grid, header.voxels, header.scan
    if path.suffix.lower() in (".mha", ".mhd"):
        grid, voxels = read_metaimage_header(path)
        return grid, voxels, grid
    kind = "a DICOM file, not an image file" if start[128:] == b"DICM" else "not an image file of a known format"
    raise InputError(f"{path} is {kind}. Export it as NIfTI (.nii.gz) or NRRD (.nrrd).")


def _scalars(voxels: StoredVoxels) -> StoredVoxels:
    if voxels.components != 1:
        shape = "x".join(str(n) for n in reversed(voxels.shape))
        raise InputError(
            f"{voxels.image} is not a 3-D scalar image (size {shape}, {voxels.components} values per voxel). "
            "Export a single 3-D volume."
        )
    return voxels
