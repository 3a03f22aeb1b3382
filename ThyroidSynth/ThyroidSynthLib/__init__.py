"""ThyroidSynth: learn the shapes of thyroids, generate new ones and edit a patient's own.

Start with `ShapeModel`. The public names below are imported when they are used: importing this package loads
nothing heavy, so that the module opens in Slicer before PyTorch is installed.
"""

from typing import TYPE_CHECKING

from ThyroidSynthLib.common.lazy import lazy_exports

if TYPE_CHECKING:
    from .api.at_patient import ModelAtPatient as ModelAtPatient
    from .api.organs import draw_organs as draw_organs
    from .api.organs import steer_organ as steer_organ
    from .api.phantom import Phantom as Phantom
    from .api.shape import EditedShape as EditedShape
    from .api.shape import FittedShape as FittedShape
    from .api.shape import Shape as Shape
    from .api.shape_model import ShapeModel as ShapeModel
    from .dataset.cohort import Cohort as Cohort
    from .dataset.prepare import PrepareOptions as PrepareOptions
    from .dataset.prepare import prepare_cohort as prepare_cohort
    from .geometry.features import Features as Features
    from .geometry.grid import Grid as Grid
    from .geometry.targets import Targets as Targets
    from .imaging.volume_files import read_grid as read_grid

__version__ = "0.1.0"

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "api.at_patient": ["ModelAtPatient"],
        "api.organs": ["draw_organs", "steer_organ"],
        "api.phantom": ["Phantom"],
        "api.shape_model": ["ShapeModel"],
        "api.shape": ["EditedShape", "FittedShape", "Shape"],
        "dataset.cohort": ["Cohort"],
        "dataset.prepare": ["PrepareOptions", "prepare_cohort"],
        "geometry.features": ["Features"],
        "geometry.grid": ["Grid"],
        "geometry.targets": ["Targets"],
        "imaging.volume_files": ["read_grid"],
    },
)
