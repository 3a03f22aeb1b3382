"""Reading and writing of image files: NIfTI, NRRD, MetaImage, and raw numbers with a description."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.common.files import atomic_path, write_json
from ThyroidSynthLib.common.reading import checked_file
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume

from .dicom_series import class_of_dicom, read_series_grid
from .formats.metaimage import metaimage_header, read_metaimage_header, write_metaimage
from .formats.nrrd import read_nrrd_header, write_nrrd
from .formats.raw_volume import header_of_raw, raw_description, read_raw_header
from .formats.stored_voxels import StoredVoxels, planes_of
from .nifti import is_nifti, read_header, write_nifti

_log = logging.getLogger(__name__)

NOTE_KEY = "ITK_FileNotes"
"""Metadata that NIfTI keeps too, as its description."""

_STORABLE = {f"{letter}{size}" for letter in "iu" for size in (1, 2, 4, 8)} | {"f4", "f8"}


def read_volume(path: Path | str) -> Volume:
    """Read a 3-D scalar image in NIfTI, NRRD or MetaImage format, or a raw volume with its description beside it.

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


def files_of_image(path: Path | str) -> tuple[Path, ...]:
    """Return the files that writing an image to `path` makes: ``.mhd`` and ``.raw`` have one beside them."""
    path = Path(path)
    beside = {".mhd": path.with_suffix(".raw"), ".raw": header_of_raw(path)}.get(path.suffix.lower())
    return (path,) if beside is None else (path, beside)


def write_volume(
    volume: Volume,
    path: Path | str,
    *,
    metadata: Mapping[str, str] | None = None,
    extensions: tuple[tuple[int, bytes], ...] = (),
    names: Mapping[int, str] | None = None,
    labels: bool = False,
    check: Callable[[Path], None] = lambda path: None,
) -> None:
    """Write a volume in a format that keeps any axes, replacing `path` in one step.

    Parameters
    ----------
    path : Path
        Ends in ``.nii.gz``, ``.nii``, ``.nrrd``, ``.mha``, ``.mhd`` (the voxels are in a ``.raw`` beside it) or
        ``.raw`` (bare numbers, described by a ``.json`` beside it).
    metadata : mapping of str to str, optional
        Key/value pairs for NRRD and MetaImage. NIfTI and raw volumes keep that of `NOTE_KEY`.
    extensions : tuple of (int, bytes)
        Header extensions, for NIfTI.
    names : mapping of int to str, optional
        Names of labels, for raw volumes.
    labels : bool
        Whether the voxels are labels, which NIfTI states.
    check : callable
        Called with a file that can be read in place of `path`, before that is replaced; it may raise.

    Raises
    ------
    OutputError
        The format is unknown, or the file cannot be written.
    """
    path = Path(path)
    name, suffix = path.name.lower(), path.suffix.lower()
    if not (is_nifti(name) or suffix in (".nrrd", ".mha", ".mhd", ".raw")):
        raise OutputError(
            f"{path} has no known image format. Choose a name in .nii.gz, .nii, .nrrd, .mha, .mhd or .raw."
        )
    if volume.array.dtype == bool:
        volume = Volume(volume.array.view(np.uint8), volume.ijk_to_ras)
    if volume.array.dtype.str[1:] not in _STORABLE:
        raise OutputError(f"{path} cannot be written: no format stores voxels of type {volume.array.dtype}.")
    metadata = metadata or {}
    note = metadata.get(NOTE_KEY, "")
    if suffix in (".mhd", ".raw"):
        _write_pair(volume, path, metadata, names or {}, check)
        return
    with atomic_path(path) as temporary:
        if is_nifti(name):
            write_nifti(volume, temporary, description=note, extensions=extensions, labels=labels)
        elif suffix == ".mha":
            write_metaimage(volume, temporary, metadata)
        else:
            write_nrrd(volume, temporary, metadata)
        check(temporary)


def _write_pair(
    volume: Volume,
    path: Path,
    metadata: Mapping[str, str],
    names: Mapping[int, str],
    check: Callable[[Path], None],
) -> None:
    """Write a header and its voxels as two files, of which the voxels take their place first."""
    meta = path.suffix.lower() == ".mhd"
    header, voxels = files_of_image(path) if meta else reversed(files_of_image(path))

    def describe(to: Path, data_file: str) -> None:
        if meta:
            to.write_bytes(metaimage_header(volume, metadata, data_file=data_file))
        else:
            write_json(to, raw_description(volume, data_file, note=metadata.get(NOTE_KEY, ""), names=names))

    with atomic_path(header) as temporary, atomic_path(voxels) as data:
        with data.open("wb") as file:
            file.writelines(planes_of(volume.array))
        describe(temporary, data.name)
        check(temporary)
        # From here on the header cannot be read until the voxels are in place.
        describe(temporary, voxels.name)


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
        meta = read_metaimage_header(path)
        return meta.grid, meta.voxels, meta.grid
    if path.suffix.lower() in (".raw", ".json"):
        raw = read_raw_header(path)
        return raw.grid, raw.voxels, raw.grid
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
