"""The description of a model, read from the header of its file.

The header is read by own code, because Slicer has neither PyTorch nor safetensors.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import ModelError
from ThyroidSynthLib.geometry.features import FEATURE_NAMES

from .shipped import model_path

FORMAT_VERSION = 2
"""Of the model file."""

# A header describes a dozen tensors and lists the ids of the cases; a file with a larger one is not a model.
_LARGEST_HEADER = 64 * 1024 * 1024


@dataclass(frozen=True)
class ModelDescription:
    """The origin, the training and the limits of a model.

    Attributes
    ----------
    cohort : str
        Name of the folder that its cohort was prepared from.
    cases, held_out : int
        Number of training cases, and of cases of the same cohort that were not trained on.
    synthetic : bool
        Whether the cohort was an example cohort: software input, not anatomy.
    alignment : str
        Orientation of its trachea frame in a patient, see `geometry.frame.ALIGNMENTS`.
    notice : str
        What the model must not be used for.
    features : ndarray, shape (n, 3)
        Features of the training cases in the order of `FEATURE_NAMES`.
    statement : str
        Statement of the cohort's source that it is synthetic; empty for real data.
    licence : str
        Licence of the model; empty if the file states none.
    modified : float
        When the file was last written, in seconds since 1970.
    latent_size : int
        Trainable dimensions of a latent code.
    software : dict of str to str
        Versions the model was trained with.
    """

    path: Path
    variant: str
    preset: str
    epochs: int
    cohort: str
    cases: int
    synthetic: bool
    alignment: str
    notice: str
    features: np.ndarray
    held_out: int = 0
    statement: str = ""
    licence: str = ""
    size_bytes: int = 0
    modified: float = 0.0
    latent_size: int = 0
    seed: int = 0
    software: dict[str, str] = field(default_factory=dict)

    @property
    def steerable(self) -> bool:
        """Whether the model can be steered to targets."""
        return self.variant != "baseline"

    def feature_range(self, name: str, low: float = 0.0, high: float = 100.0) -> tuple[float, float]:
        """Return two percentiles of a feature over the training cohort, in its unit."""
        first, last = np.percentile(self.features[:, FEATURE_NAMES.index(name)], [low, high])
        return float(first), float(last)


def describe_model(path: Path | str) -> ModelDescription:
    """Read the description of a model from its file, or of a shipped model by its name, such as "example".

    `ModelError` if the file is missing, damaged, not a model, or of another format version.
    """
    path = model_path(path)
    header, data_start = _header(path)
    try:
        metadata: dict[str, Any] = json.loads(header["__metadata__"]["thyroidsynth"])
        if metadata["kind"] != "model":
            raise ModelError(f"{path} is a {metadata['kind']} file, not a model file. Choose a model file.")
        check_format_version(path, metadata)
        features = _tensor(path, header["features"], data_start)
        cohort = metadata["provenance"].get("cohort", {})
        file = path.stat()
        return ModelDescription(
            path=path,
            variant=metadata["settings"]["variant"],
            preset=metadata["settings"]["preset"],
            epochs=int(metadata["settings"]["epochs"]),
            cohort=str(cohort.get("source", "")),
            cases=len(metadata["ids"]),
            synthetic=bool(cohort.get("synthetic", False)),
            alignment=metadata["frame"]["alignment"],
            notice=metadata["notice"],
            features=features,
            held_out=len(cohort.get("held_out", ())),
            statement=str(cohort.get("statement", "")),
            licence=str(metadata["provenance"].get("licence", "")),
            size_bytes=file.st_size,
            modified=file.st_mtime,
            latent_size=int(metadata["settings"]["latent_size"]),
            seed=int(metadata["settings"]["seed"]),
            software={str(name): str(version) for name, version in metadata["provenance"].get("software", {}).items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{path} was not written by ThyroidSynth. Choose a ThyroidSynth model file.") from error


def check_format_version(path: Path, metadata: dict[str, Any]) -> None:
    """Raise `ModelError` if a model file does not have the format of this version."""
    version = metadata["format_version"]
    if version > FORMAT_VERSION:
        raise ModelError(f"{path} was written by a newer ThyroidSynth. Update the extension to open it.")
    if version < FORMAT_VERSION:
        raise ModelError(f"{path} was written by an older ThyroidSynth. Train the model again.")


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """Return the JSON header of a safetensors file, and the position of its first tensor."""
    try:
        with path.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            if not 2 <= size <= _LARGEST_HEADER:
                raise ValueError("the size of its header is invalid")
            return json.loads(stream.read(size)), 8 + size
    except FileNotFoundError:
        raise ModelError(f"{path} does not exist. Check the path.") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is damaged or not a safetensors file ({error}). Copy or train it again.") from error


def _tensor(path: Path, entry: dict[str, Any], data_start: int) -> np.ndarray:
    begin, end = entry["data_offsets"]
    if entry["dtype"] != "F64":
        raise ValueError(f"features are {entry['dtype']}, not F64")
    with path.open("rb") as stream:
        stream.seek(data_start + begin)
        return np.frombuffer(stream.read(end - begin), dtype="<f8").reshape(entry["shape"])
