"""Named sets of training choices. Everything a training depends on, besides its cohort, is here."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from ThyroidSynthLib.common.errors import InputError

from .conditioning import SCHEMES

VARIANTS = ("baseline", "fixed", "correlation")


@dataclass(frozen=True)
class TrainingSettings:
    """The choices of one training.

    Attributes
    ----------
    preset, variant : str
        The names the choices came from; `variant` also decides which terms are active.
    epochs : int
        Passes over the cohort; each takes `samples_per_shape` samples of every shape.
    samples_per_shape : int
        Random samples of a shape per epoch.
    surface_share : float or None
        Share of these that lie on the surface, where the distance is 0; None takes them as they are stored,
        four fifths. So many zeros teach the network to be flat around the surface: where it is unsure of
        the place, a gentle slope costs least. Fewer give a field that crosses the surface as steeply as a
        distance does.
    shapes_per_step : int
        Shapes in one optimiser step.
    learning_rate : float
        Adam's step size for the network, at the start of the schedule.
    latent_learning_rate : float
        The same for the latent table.
    schedule : str
        "constant" or "cosine" (down to a hundredth over the epochs).
    latent_size : int
        Trainable latent dimensions.
    mirrored_size : int
        How many of them, the last ones, change sign when the gland is mirrored. Above 0 every shape
        is shown as it is and mirrored, at random, so that these dimensions come to hold its
        asymmetry and no other does; features are the same for both.
    latent_init_sd : float
        SD of their initial values.
    drawn_codes_only : bool
        Whether, in a large cohort, a step moves only the codes of its own shapes (see `optimiser`).
    latent_weight : float
        Weight λ of the codes' squared length in the loss.
    correlation_weight : float
        Weight of the correlation loss, applied to the whole latent table after each epoch.
    conditioning : str
        Encoding of the fixed features, see `conditioning.SCHEMES`.
    prior : str
        How trainable codes are drawn: "independent" normals, "conditional" on the features, or "measured":
        conditional, and then moved by what the trained model's codes were seen to come to.
    hidden_layers, hidden_width : int
        Size of the network.
    seed : int
        Seed of the weights, the latent table and every epoch's samples.
    """

    preset: str
    variant: str
    epochs: int = 10_000
    samples_per_shape: int = 1000
    surface_share: float | None = None
    shapes_per_step: int = 1
    learning_rate: float = 3e-4
    latent_learning_rate: float = 3e-4
    schedule: str = "constant"
    latent_size: int = 64
    mirrored_size: int = 0
    latent_init_sd: float = 0.01
    drawn_codes_only: bool = False
    latent_weight: float = 1e-4
    correlation_weight: float = 1e-5
    conditioning: str = "linear"
    prior: str = "independent"
    hidden_layers: int = 3
    hidden_width: int = 256
    seed: int = 0

    def to_json(self) -> dict[str, Any]:
        """Give the settings as a plain dictionary."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> TrainingSettings:
        """Read what `to_json` gave."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(value) - known)
        if unknown:
            raise InputError(f"Unknown training settings: {', '.join(unknown)}. Remove them or update ThyroidSynth.")
        return cls(**value)


# For a laptop: larger steps that shrink to nothing, several shapes a step, encoded features, and most samples
# beside the surface rather than on it.
_OURS = {
    "surface_share": 0.3,
    "shapes_per_step": 8,
    "learning_rate": 2e-3,
    "latent_learning_rate": 2e-3,
    "schedule": "cosine",
    "conditioning": "anatomical",
    "mirrored_size": 24,
    "drawn_codes_only": True,
}

DEFAULT_PRESET = "best"

PRESETS: dict[str, dict[str, Any]] = {
    # The model learns for longer, and afterwards what its codes come to.
    "best": {**_OURS, "epochs": 400, "prior": "measured"},
    "fast": {**_OURS, "epochs": 200, "prior": "conditional"},
    # As published (paper, sections 2 and 3; shapes one at a time and λ from the authors' code). The
    # paper does not say in which units features enter; they are standardised (trap 2).
    "paper": {},
}


def alignment_for(preset: str) -> str:
    """Give the alignment of shapes that are prepared on the way to a training; "paper" as published."""
    return "trachea" if preset == "paper" else "upright"


def settings_for(preset: str, variant: str, **overrides: Any) -> TrainingSettings:
    """Give the settings of a preset for a variant, with some choices replaced.

    Raises
    ------
    InputError
        The preset or variant does not exist, or a choice makes no sense.
    """
    if preset not in PRESETS:
        raise InputError(f"There is no preset '{preset}'. Choose one of: {', '.join(PRESETS)}.")
    if variant not in VARIANTS:
        raise InputError(f"There is no variant '{variant}'. Choose one of: {', '.join(VARIANTS)}.")
    settings = TrainingSettings(preset=preset, variant=variant, **PRESETS[preset])
    if variant == "baseline":
        settings = replace(settings, conditioning="none")
    if variant != "correlation":
        settings = replace(settings, correlation_weight=0.0)
    unknown = sorted(set(overrides) - {field.name for field in fields(TrainingSettings)})
    if unknown:
        raise InputError(f"There is no training setting {', '.join(unknown)}. Leave it out.")
    settings = replace(settings, **overrides)
    _check(settings)
    return settings


def _check(settings: TrainingSettings) -> None:
    for name in ("epochs", "samples_per_shape", "shapes_per_step", "latent_size", "hidden_layers", "hidden_width"):
        if getattr(settings, name) < 1:
            raise InputError(f"'{name}' is {getattr(settings, name)}, but it must be at least 1.")
    for name in ("learning_rate", "latent_learning_rate", "latent_init_sd"):
        if not 0 < getattr(settings, name) < math.inf:
            raise InputError(f"'{name}' is {getattr(settings, name)}, but it must be positive.")
    for name in ("latent_weight", "correlation_weight", "mirrored_size", "seed"):
        if not 0 <= getattr(settings, name) < math.inf:
            raise InputError(f"'{name}' is {getattr(settings, name)}, but it must be 0 or more.")
    if settings.surface_share is not None and not 0 <= settings.surface_share <= 1:
        raise InputError(f"'surface_share' is {settings.surface_share}, but a share is between 0 and 1.")
    if settings.mirrored_size > settings.latent_size:
        raise InputError(f"'mirrored_size' is {settings.mirrored_size} of {settings.latent_size} latent dimensions.")
    schemes = ("none",) if settings.variant == "baseline" else [name for name in SCHEMES if name != "none"]
    for name, choices in (
        ("schedule", ("constant", "cosine")),
        ("prior", ("independent", "conditional", "measured")),
        ("conditioning", schemes),
    ):
        if getattr(settings, name) not in choices:
            raise InputError(
                f"'{name}' of a '{settings.variant}' model is '{getattr(settings, name)}'. "
                f"Choose one of: {', '.join(choices)}."
            )
