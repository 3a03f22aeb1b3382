"""What Slicer's views show of thyroids: outlines, distance maps, charts, shapes of a reader study.

Imports `scene.nodes`, `scene.hiding` and `scene.volumes` only, besides the library.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "distance_map": ["distance_map_of", "remove_distance_map", "show_distance_map"],
        "flip": ["Flip", "Shown", "end_saved_flip"],
        "overlay": [
            "bounds_of",
            "jump_slices",
            "look_from_front",
            "set_own_gland_in_3d",
            "show_as_loaded",
            "show_ct",
            "show_own_gland",
        ],
        "plots": ["Chart", "Series", "fill_chart", "layout_of", "restore_layout", "show_chart"],
        "study_case": ["StudyDisplay", "shown_shape"],
        "views": ["fit_views", "look_at", "stand_on"],
        "training_preview": ["remove_training_preview", "show_training_preview", "training_preview_in"],
    },
)
