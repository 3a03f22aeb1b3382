"""The faults that fit a file. Those that any reader must refuse are marked."""

from __future__ import annotations

from pathlib import Path

from .file_mutations import BYTES, CSV, JSON, NPY, PLACES, Mutation
from .image_mutations import DICOM, GZIP, HEADER_LINES, NIFTI, hostile
from .model_mutations import MODEL


def mutations_of(path: Path) -> list[Mutation]:
    """Return the mutations that fit a file, by its suffix."""
    name = path.name
    found = [*PLACES, *BYTES]
    if name.endswith((".nii.gz", ".nii")):
        found += [*NIFTI, *hostile(".nii.gz" if name.endswith(".gz") else ".nii")]
    if name.endswith(".gz"):
        found += GZIP
    if name.endswith((".nrrd", ".mha")):
        found += [*HEADER_LINES, *hostile(path.suffix)]
    if name.endswith(".dcm"):
        found += DICOM
    if name.endswith(".safetensors"):
        found += MODEL
    if name.endswith(".json"):
        found += JSON
    if name.endswith(".csv"):
        found += CSV
    if name.endswith(".npy"):
        found += NPY
    return found
