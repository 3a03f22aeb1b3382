"""A trained shape model and its file."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.errors import InputError, ModelError
from ThyroidSynthLib.common.files import sha256_of
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.geometry.frame import Frame

from .active_units import Layer
from .conditioning import SCHEMES, Conditioning
from .description import FORMAT_VERSION, check_format_version
from .feature_map import FeatureMap
from .network import SDFNetwork
from .settings import TrainingSettings
from .shipped import model_path
from .tensors import load_tensors, save_tensors, with_prefix, without_prefix

NOTICE = "Research software. Not for clinical use."


def network_for(settings: TrainingSettings, fixed_size: int) -> SDFNetwork:
    """Return a network with random weights, of the size that the settings and the fixed dimensions require."""
    return SDFNetwork(fixed_size + settings.latent_size, settings.hidden_layers, settings.hidden_width)


@dataclass(frozen=True)
class TrainedModel:
    """A trained shape model: everything needed to generate thyroids, and the origin of the model.

    Attributes
    ----------
    network : SDFNetwork
        In evaluation mode on the CPU.
    frame : Frame
        The cohort's `unit` frame.
    conditioning : Conditioning
        Encoding of features as the fixed part of a code.
    ids : tuple of str
        The training cases.
    features : ndarray, shape (n, 3)
        Their features in the order of `FEATURE_NAMES`.
    latent_table : ndarray of float32, shape (n, k)
        Their trainable codes.
    provenance : dict
        Cohort checksum and description, training summary, software versions, licence.
    feature_map : FeatureMap or None
        Estimate of the features of a code's surface, if the preset fits one.
    checksum : str
        SHA-256 of the file the model was loaded from; empty for a model not yet saved.
    """

    network: SDFNetwork
    frame: Frame
    conditioning: Conditioning
    ids: tuple[str, ...]
    features: np.ndarray
    latent_table: np.ndarray
    settings: TrainingSettings
    provenance: dict[str, Any] = field(default_factory=dict)
    feature_map: FeatureMap | None = None
    checksum: str = ""

    @property
    def variant(self) -> str:
        """The model's variant: `baseline`, `fixed` or `correlation`."""
        return self.settings.variant

    @property
    def code_size(self) -> int:
        """Dimensions of a whole latent code: fixed, then trainable."""
        return self.conditioning.size + self.latent_table.shape[1]

    @property
    def synthetic(self) -> bool:
        """Whether the cohort was an example cohort: software input, not anatomy."""
        return bool(self.provenance.get("cohort", {}).get("synthetic", False))

    @property
    def codes(self) -> np.ndarray:
        """Whole latent codes of the training cases, shape (n, code_size)."""
        return np.hstack([self.conditioning.encode(self.features), self.latent_table])

    @cached_property
    def layers(self) -> list[Layer]:
        """The network's layers after the first."""
        return [Layer.of(layer.weight, layer.bias) for layer in self.network.layers[1:]]

    def index_of(self, case_id: str) -> int:
        """Return the row of a training case; `ModelError` if there is no such case."""
        try:
            return self.ids.index(case_id)
        except ValueError:
            raise ModelError(f"'{case_id}' is not among the {len(self.ids)} training cases of this model.") from None

    def save(self, path: Path | str) -> None:
        """Write the model file (safetensors with JSON metadata), replacing `path` in one step."""
        tensors = with_prefix("network.", self.network.state_dict())
        tensors |= {
            "latent_table": torch.from_numpy(self.latent_table),
            "features": torch.from_numpy(np.asarray(self.features, dtype=np.float64)),
            "conditioning.mean": torch.from_numpy(self.conditioning.mean),
            "conditioning.sd": torch.from_numpy(self.conditioning.sd),
        }
        if self.feature_map is not None:
            tensors |= with_prefix("feature_map.", self.feature_map.tensors())
        description = {
            "kind": "model",
            "format_version": FORMAT_VERSION,
            "notice": NOTICE,
            "software": __version__,
            "feature_names": list(FEATURE_NAMES),
            "ids": list(self.ids),
            "frame": self.frame.to_json(),
            "conditioning": self.conditioning.scheme,
            "settings": self.settings.to_json(),
            "provenance": self.provenance,
        }
        save_tensors(path, tensors, description)

    @classmethod
    def load(cls, path: Path | str) -> TrainedModel:
        """Read a model file, or a shipped model by its name, such as "example".

        `ModelError` if the file is missing, damaged, not a model, or of another format version.
        """
        path = model_path(path)
        tensors, description = load_tensors(path, kind="model")
        try:
            check_format_version(path, description)
            return cls._from_parts(tensors, description, sha256_of(path))
        except (InputError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise ModelError(f"{path} is incomplete or inconsistent ({error}). Copy or train it again.") from error

    @classmethod
    def _from_parts(cls, tensors: dict[str, torch.Tensor], description: dict[str, Any], checksum: str) -> TrainedModel:
        settings = TrainingSettings.from_json(description["settings"])
        conditioning = Conditioning(
            description["conditioning"], tensors["conditioning.mean"].numpy(), tensors["conditioning.sd"].numpy()
        )
        if conditioning.scheme not in SCHEMES:
            raise ValueError(f"unknown conditioning '{conditioning.scheme}'")
        latent_table = tensors["latent_table"].numpy()
        if not len(description["ids"]) == len(latent_table) == len(tensors["features"]):
            raise ValueError("ids, features and latent table differ in length")
        with torch.device("meta"):  # Without random weights, so that the global random state does not change.
            network = network_for(settings, conditioning.size)
        network.to_empty(device="cpu")
        network.load_state_dict(without_prefix("network.", tensors))
        map_tensors = without_prefix("feature_map.", tensors)
        return cls(
            network=network.eval().requires_grad_(False),
            frame=Frame.from_json(description["frame"]),
            conditioning=conditioning,
            ids=tuple(description["ids"]),
            features=tensors["features"].numpy(),
            latent_table=latent_table,
            settings=settings,
            provenance=description["provenance"],
            feature_map=FeatureMap.from_tensors(map_tensors) if map_tensors else None,
            checksum=checksum,
        )
