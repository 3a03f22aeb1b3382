"""The shape model: network, conditioning, prior, feature map, model file and model library.

Imports `common` to `dataset`, and of other packages only NumPy and SciPy, which Slicer has.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "code_space": ["CodeSpace"],
        "conditioning": ["Conditioning"],
        "description": ["ModelDescription", "describe_model"],
        "library": ["LibraryModel", "ModelLibrary", "evaluation_of"],
        "network": ["SDFNetwork"],
        "presets": ["settings_for"],
        "prior": ["CodePrior", "draw_features", "prior_of"],
        "settings": ["TrainingSettings"],
        "trained_model": ["TrainedModel"],
        "shipped": ["model_path"],
    },
)
