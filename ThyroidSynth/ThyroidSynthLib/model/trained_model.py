"""A trained shape model with the models of the organs beside the thyroid, and its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.errors import ModelError
from ThyroidSynthLib.common.files import sha256_of
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.geometry.frame import Frame

from .array_file import save_arrays, with_prefix, without_prefix
from .conditioning import Conditioning
from .feature_map import FeatureMap
from .model_checks import FORMAT_VERSION, load_model_arrays
from .network import SDFNetwork
from .settings import TrainingSettings
from .shipped import model_path

NOTICE = "Research software. Not for clinical use."


@dataclass(frozen=True)
class OrganModel:
    """The learned shapes of an organ beside the thyroid, such as the trachea, within a box around the gland.

    Attributes
    ----------
    name : str
        As in the segmentations.
    network : SDFNetwork
        A network of its own, so that no other organ changes with the organ's code.
    frame : Frame
        Its `unit` frame, with the same scale along all axes, and the box outside of which nothing is known.
    conditioning : Conditioning
        Encoding of its features as the fixed part of a code.
    ids : tuple of str
        The training cases that have the organ.
    features : ndarray, shape (n, m)
        Their features in the order of `feature_names`.
    latent_table : ndarray of float32, shape (n, k)
        Their trainable codes.
    feature_names : tuple of str
        Names of the features, with units.
    """

    name: str
    network: SDFNetwork
    frame: Frame
    conditioning: Conditioning
    ids: tuple[str, ...]
    features: np.ndarray
    latent_table: np.ndarray
    feature_names: tuple[str, ...]

    @property
    def code_size(self) -> int:
        """Dimensions of a whole latent code: fixed, then trainable."""
        return self.conditioning.size + self.latent_table.shape[1]

    @property
    def codes(self) -> np.ndarray:
        """Whole latent codes of the training cases, shape (n, code_size)."""
        return np.hstack([self.conditioning.encode(self.features), self.latent_table])

    def arrays(self) -> dict[str, np.ndarray]:
        """Return its arrays by name, for a file."""
        return with_prefix("network.", self.network.arrays()) | {
            "latent_table": self.latent_table,
            "features": np.asarray(self.features, dtype=np.float64),
            "conditioning.mean": self.conditioning.mean,
            "conditioning.sd": self.conditioning.sd,
        }

    def description(self) -> dict[str, Any]:
        """Return what a file states beside the arrays."""
        return {
            "ids": list(self.ids),
            "feature_names": list(self.feature_names),
            "frame": self.frame.to_json(),
            "conditioning": self.conditioning.scheme,
        }

    @classmethod
    def of_parts(cls, name: str, arrays: Mapping[str, np.ndarray], description: Mapping[str, Any]) -> OrganModel:
        """Return the organ whose `arrays` and `description` these are."""
        return cls(
            name=name,
            network=SDFNetwork.from_arrays(without_prefix("network.", arrays)),
            frame=Frame.from_json(description["frame"]),
            conditioning=Conditioning(
                description["conditioning"], arrays["conditioning.mean"], arrays["conditioning.sd"]
            ),
            ids=tuple(description["ids"]),
            features=arrays["features"],
            latent_table=arrays["latent_table"],
            feature_names=tuple(description["feature_names"]),
        )


@dataclass(frozen=True)
class TrainedModel:
    """A trained shape model: everything needed to generate thyroids, and the origin of the model.

    Attributes
    ----------
    network : SDFNetwork
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
    organs : mapping of str to OrganModel
        The organs beside the thyroid that were learned, by name; none in most models.
    tracheas : ndarray or None, shape (n, 3)
        How the training cases' thyroids lie on their tracheas, in the order of `OnTrachea`, if that is known.
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
    organs: Mapping[str, OrganModel] = field(default_factory=dict)
    tracheas: np.ndarray | None = None
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
    def lengths(self) -> str:
        """Statement that lengths are not in millimetres, if their scale is unknown; empty otherwise."""
        return str(self.provenance.get("cohort", {}).get("lengths", ""))

    @property
    def patient_alignment(self) -> str:
        """The alignment of the frame in a patient; `ModelError` if the scale of the model is unknown."""
        if self.lengths:
            raise ModelError(
                "The lengths of this model are not in millimetres, so its thyroids cannot be placed in a patient or "
                "compared with one. Prepare its set with the scale (--scale-mm), and train or import it again."
            )
        return self.frame.alignment

    @property
    def codes(self) -> np.ndarray:
        """Whole latent codes of the training cases, shape (n, code_size)."""
        return np.hstack([self.conditioning.encode(self.features), self.latent_table])

    def index_of(self, case_id: str) -> int:
        """Return the row of a training case; `ModelError` if there is no such case."""
        try:
            return self.ids.index(case_id)
        except ValueError:
            some = ", ".join(self.ids[:3])
            raise ModelError(
                f"'{case_id}' is not among the {len(self.ids)} training cases of this model. Choose one, as {some}."
            ) from None

    def save(self, path: Path | str) -> None:
        """Write the model file (safetensors with JSON metadata), replacing `path` in one step."""
        arrays = with_prefix("network.", self.network.arrays())
        arrays |= {
            "latent_table": self.latent_table,
            "features": np.asarray(self.features, dtype=np.float64),
            "conditioning.mean": self.conditioning.mean,
            "conditioning.sd": self.conditioning.sd,
        }
        if self.feature_map is not None:
            arrays |= with_prefix("feature_map.", self.feature_map.arrays())
        for name, organ in self.organs.items():
            arrays |= with_prefix(f"organs.{name}.", organ.arrays())
        if self.tracheas is not None:
            arrays["tracheas"] = np.asarray(self.tracheas, dtype=np.float64)
        description: dict[str, Any] = {
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
        if self.organs:
            description["organs"] = {name: organ.description() for name, organ in self.organs.items()}
        save_arrays(path, arrays, description)

    @classmethod
    def load(cls, path: Path | str) -> TrainedModel:
        """Read a model file, or a shipped model by its name, such as "example".

        `ModelError` if the file is missing, damaged, not a model, or of another format version.
        """
        path = model_path(path)
        arrays, description = load_model_arrays(path)
        return cls._from_parts(arrays, description, sha256_of(path))

    @classmethod
    def _from_parts(cls, arrays: dict[str, np.ndarray], description: dict[str, Any], checksum: str) -> TrainedModel:
        settings = TrainingSettings.from_json(description["settings"])
        conditioning = Conditioning(description["conditioning"], arrays["conditioning.mean"], arrays["conditioning.sd"])
        of_map = without_prefix("feature_map.", arrays)
        return cls(
            network=SDFNetwork.from_arrays(without_prefix("network.", arrays), settings.sine_omega),
            frame=Frame.from_json(description["frame"]),
            conditioning=conditioning,
            ids=tuple(description["ids"]),
            features=arrays["features"],
            latent_table=arrays["latent_table"],
            settings=settings,
            provenance=description["provenance"],
            feature_map=FeatureMap.from_arrays(of_map) if of_map else None,
            organs={
                name: OrganModel.of_parts(name, without_prefix(f"organs.{name}.", arrays), stated)
                for name, stated in description.get("organs", {}).items()
            },
            tracheas=arrays.get("tracheas"),
            checksum=checksum,
        )
