"""How the codes of the thyroid and of the organs beside it belong together, so that any can be drawn given others.

Imports packages up to `model`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "dependence": ["Dependence"],
        "joint_prior": ["THYROID_CODE", "JointPrior", "conditioned_prior"],
    },
)
