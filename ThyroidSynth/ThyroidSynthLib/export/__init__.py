"""Files for other software: label maps, merged label maps, meshes, edited cases and generated cohorts.

Imports packages up to `generation`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "edited_case": ["Change", "EditedCase", "check_edit_room", "edit_case", "write_edit"],
        "measuring": ["measured_as_written", "measured_on_map"],
        "merging": [
            "MergeRules",
            "Merged",
            "NeighbourChange",
            "Overlap",
            "merging_notes",
            "on_grid",
            "replace_thyroid",
        ],
        "surroundings": ["Surroundings"],
        "thyroid_files": ["FileOptions", "WrittenFiles", "write_thyroid_files"],
        "written_measure": ["WrittenMeasure"],
    },
)
