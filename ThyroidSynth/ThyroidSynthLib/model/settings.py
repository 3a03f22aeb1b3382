"""The settings of a training. Together with the cohort they determine the model."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.text_files import shortened

from .conditioning import SCHEMES

VARIANTS = ("baseline", "fixed", "correlation")
ACTIVATIONS = ("relu", "siren")
OMEGA = 30.0
"""The factor of the angles of sine units that Sitzmann et al. (2020) publish."""
OMEGAS = (0.1, 1000.0)
"""The smallest and the largest one that is possible here: with larger angles single precision has no digits left."""

_KINDS: dict[str, Any] = {"int": int, "float": (int, float), "str": str, "bool": bool}


@dataclass(frozen=True)
class TrainingSettings:
    """The settings of a training; the defaults are as published (paper, sections 2 and 3).

    `InputError` if a setting is out of its range.

    Attributes
    ----------
    preset : str
        Name of the preset they come from.
    variant : str
        "baseline" has no fixed features, "fixed" has them, "correlation" adds the correlation loss.
    epochs : int
        Passes over the cohort; each takes `samples_per_shape` random samples of every shape.
    surface_share : float or None
        Share of these on the surface, where the SDF is 0. None takes samples as they are stored: four fifths. With
        fewer, the learned field crosses the surface as steeply as a distance does; with so many zeros it is flatter,
        because a gentle slope costs least where the position of the surface is uncertain.
    shapes_per_step : int
        Shapes in one optimiser step.
    learning_rate, latent_learning_rate : float
        Adam's learning rates for the network and for the latent table, at the start of the schedule.
    schedule : str
        "constant" or "cosine" (down to a hundredth over the epochs).
    latent_size : int
        Trainable latent dimensions.
    mirrored_size : int
        How many of them, the last ones, change sign when the gland is mirrored. Above 0, every shape is mirrored in a
        random half of its steps, so that these dimensions hold its asymmetry and no others do. The features of a
        shape and of its mirror image are the same.
    latent_init_sd : float
        SD of their initial values.
    drawn_codes_only : bool
        Whether, in a large cohort, a step moves only the codes of its own shapes (see `training.optimiser`).
    latent_weight : float
        Weight λ of the codes' squared length in the loss.
    correlation_weight : float
        Weight of the correlation loss, applied to the whole latent table after each epoch.
    conditioning : str
        Encoding of the fixed features, see `conditioning.SCHEMES`.
    prior : str
        How trainable codes are drawn: from "independent" normals, "conditional" on the features, or "measured":
        conditional, then moved with the help of features measured on surfaces of the trained model.
    activation : str
        Hidden units: "relu", as published, or "siren", sine units (Sitzmann et al. 2020).
    omega : float
        Factor of the angles of sine units, in all hidden layers.
    seed : int
        Random seed of the weights, the latent table and every epoch's samples.
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
    activation: str = "relu"
    omega: float = OMEGA
    seed: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            kinds = _KINDS[str(field.type).removesuffix(" | None")]
            value = getattr(self, field.name)
            typed = isinstance(value, kinds) and isinstance(value, bool) == (kinds is bool)
            optional = str(field.type).endswith("None") and value is None
            self._require(field.name, typed or optional, f"must be of the type {field.type}")
        for name in ("epochs", "samples_per_shape", "shapes_per_step", "latent_size", "hidden_layers", "hidden_width"):
            self._require(name, getattr(self, name) >= 1, "must be at least 1")
        for name in ("learning_rate", "latent_learning_rate", "latent_init_sd"):
            self._require(name, 0 < getattr(self, name) < math.inf, "must be positive")
        for name in ("latent_weight", "correlation_weight", "mirrored_size", "seed"):
            self._require(name, 0 <= getattr(self, name) < math.inf, "must be 0 or more")
        low, high = OMEGAS
        self._require("omega", low <= self.omega <= high, f"must be between {low:g} and {high:g}")
        share = self.surface_share
        self._require("surface_share", share is None or 0 <= share <= 1, "must be between 0 and 1")
        fits = self.mirrored_size <= self.latent_size
        self._require("mirrored_size", fits, f"must be at most 'latent_size', {self.latent_size}")
        schemes = ["none"] if self.variant == "baseline" else [name for name in SCHEMES if name != "none"]
        self._require("variant", self.variant in VARIANTS, f"must be one of {', '.join(VARIANTS)}")
        for name, choices in (
            ("schedule", ("constant", "cosine")),
            ("activation", ACTIVATIONS),
            ("prior", ("independent", "conditional", "measured")),
            ("conditioning", schemes),
        ):
            valid = getattr(self, name) in choices
            self._require(name, valid, f"must be one of {', '.join(choices)} for the variant '{self.variant}'")
        sines = self.activation == "siren"
        self._require("omega", sines or self.omega == OMEGA, "has a meaning for the activation 'siren' only")

    def _require(self, name: str, valid: bool, rule: str) -> None:
        if not valid:
            value = shortened(repr(getattr(self, name)))
            raise InputError(f"The training setting '{name}' is {value}, but it {rule}.")

    @property
    def sine_omega(self) -> float | None:
        """`omega` if the hidden units are sine units, None if they are ReLU units."""
        return self.omega if self.activation == "siren" else None

    def to_json(self) -> dict[str, Any]:
        """Return the settings as a plain dictionary."""
        settings = asdict(self)
        if self.activation == "relu":
            # As files had it before there were sine units, so that their trainings can be resumed.
            del settings["activation"], settings["omega"]
        return settings

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> TrainingSettings:
        """Read the dictionary that `to_json` returned; `InputError` if a setting is unknown or out of its range."""
        unknown = sorted(set(value) - {field.name for field in fields(cls)})
        if unknown:
            raise InputError(f"There is no training setting {', '.join(unknown)}. Remove it or update ThyroidSynth.")
        missing = sorted({"preset", "variant"} - set(value))
        if missing:
            raise InputError(f"The training setting '{missing[0]}' is missing. Copy the settings again.")
        return cls(**value)
