"""Formats of phantoms besides label maps: meshes of the organs, DICOM, nnU-Net datasets, and the dataset's card.

Imports the phantom and the writers of `export`. What writes files of a phantom is one of `PhantomOptions.more_files`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "dataset_card": ["write_dataset_card"],
        "dicom_files": ["DicomFiles"],
        "nnunet": ["NnunetFiles", "write_dataset_json"],
        "organ_meshes": ["OrganMeshes"],
    },
)
