"""Formats of phantoms besides label maps: meshes of the organs, DICOM, nnU-Net datasets, and the dataset's card.

Imports the phantom and the writers of `export`. What writes files of a phantom is one of `PhantomOptions.more_files`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "dicom_files": ["DICOM_FORMATS", "DicomFiles"],
        "organ_meshes": ["OrganMeshes"],
    },
)
