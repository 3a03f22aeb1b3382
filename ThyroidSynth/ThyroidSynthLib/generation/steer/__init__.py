"""Direct sampling, steering to target, interactive steering, and the calibration that improves direct sampling.

Imports `decode` and the files of `generation`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "as_written": ["AsWritten", "Finish", "steer_as_written"],
        "calibration": ["calibrated"],
        "contact": ["Contact"],
        "direct_sampling": ["check_conditions", "draws", "generate", "generate_one"],
        "drawing": ["draw_code"],
        "feature_space": ["FeatureSpace"],
        "live_steering": ["LiveSteering"],
        "neighbours": ["draw_near"],
        "steering": ["SteeringResult", "steer_to_target"],
    },
)
