"""The patient in the scene: loading a case, proposing CT and segmentation, and the sample case.

Imports `scene.thyroids`, `scene.display` and the files of `scene`, besides the library.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "ct_loading": ["load_ct"],
        "loading": ["LoadedCase", "load_case", "load_segmentation"],
        "patient_files": ["write_patient", "write_patient_map"],
        "patients": ["case_of_patient", "height_mm", "propose_patient", "scan_grid", "scan_of_segmentation"],
        "switching": ["show_patient"],
        "sample_case": ["load_sample"],
    },
)
