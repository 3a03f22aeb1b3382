"""A patient's CT that follows a changed gland: the old one in-filled, the new one painted as the patient's own was.

Imports packages up to `geometry`, and `export.nodules`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "gland_values": ["GlandValues", "measure_gland_values", "nodule_hu"],
        "infill": ["as_stored", "filled", "soft_tissue"],
        "point_spread": ["estimate_point_spread"],
        "recipe": ["PaintedCt", "paint_ct"],
        "texture": ["Texture", "smooth_noise"],
        "warping": ["Displacement", "warped_ct"],
    },
)
