"""Generated and edited thyroids in the scene: nodes, records, placement and export.

Imports the files of `scene`, besides the library.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "collection": [
            "RemovedThyroid",
            "add_beside",
            "remove_thyroid",
            "restore_thyroid",
            "show_all",
            "show_only",
            "show_uncovered",
        ],
        "edits": ["PatientGland", "add_edited_thyroid", "edit_record", "is_kept", "keep", "source_of"],
        "export": ["ExportedThyroid", "SceneFiles", "export_thyroid", "write_table"],
        "placing": ["back_to_trachea", "motion_of", "start_moving", "stop_moving"],
        "present": ["is_edited_by_hand", "measure_again", "thyroid_segment"],
        "records": ["ThyroidRecord", "read_record", "write_record"],
        "segmentations": ["add_generated_thyroid", "generated_thyroids", "is_generated", "replace_surface"],
    },
)
