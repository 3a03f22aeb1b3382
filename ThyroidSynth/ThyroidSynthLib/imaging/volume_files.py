"""Reading and writing of image files in all supported formats."""

from __future__ import annotations

from pathlib import Path

from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.common.files import atomic_path
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume, grid_of_sitk, sitk_from_volume, volume_from_sitk

from .nifti import is_nifti, read_header, read_nifti


def read_volume(path: Path | str) -> Volume:
    """Read a 3-D scalar image in NIfTI or any other format that SimpleITK reads (NRRD, MetaImage, …)."""
    import SimpleITK

    path = Path(path)
    if is_nifti(path):
        return read_nifti(path)
    if not path.is_file():
        raise InputError(f"{path} does not exist. Check the path.")
    try:
        image = SimpleITK.ReadImage(str(path))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(f"{path} cannot be read as an image ({reason}). Export it again as NIfTI or NRRD.") from error
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        shape = "x".join(str(n) for n in image.GetSize())
        raise InputError(
            f"{path} is not a 3-D scalar image (size {shape}, "
            f"{image.GetNumberOfComponentsPerPixel()} values per voxel). Export a single 3-D volume."
        )
    return volume_from_sitk(image)


def write_volume(volume: Volume, path: Path | str, *, metadata: dict[str, str] | None = None) -> None:
    """Write a volume in the format of the suffix, replacing `path` in one step; `OutputError` if that fails."""
    import SimpleITK

    image = sitk_from_volume(volume)
    for key, value in (metadata or {}).items():
        image.SetMetaData(key, value)
    try:
        with atomic_path(path) as temporary:
            SimpleITK.WriteImage(image, str(temporary), useCompression=True)
    except (RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise OutputError(
            f"{path} cannot be written ({reason}). Choose a name in .nii.gz or .nrrd in a writable folder."
        ) from error


def read_grid(path: Path | str) -> Grid:
    """Read the grid of a 3-D image file from its header."""
    import SimpleITK

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} does not exist. Check the path.")
    if is_nifti(path):
        # SimpleITK refuses or misplaces slightly sheared images; see `nifti`.
        return read_header(path).grid
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(f"{path} cannot be read as an image ({reason}). Choose a NIfTI or NRRD file.") from error
    if reader.GetDimension() != 3:
        raise InputError(f"{path} has {reader.GetDimension()} dimensions. Choose a single 3-D image.")
    return grid_of_sitk(reader)
