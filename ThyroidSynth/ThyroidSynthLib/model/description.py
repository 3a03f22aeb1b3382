"""The description of a model, read from its file without PyTorch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ThyroidSynthLib.geometry.features import FEATURE_NAMES

from .model_checks import load_model_arrays
from .settings import TrainingSettings
from .shipped import model_path


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
    lengths : str
        Statement that lengths are not in millimetres, if their scale is unknown; empty otherwise.
    licence : str
        Licence of the model; empty if the file states none.
    modified : float
        When the file was last written, in seconds since 1970.
    latent_size : int
        Trainable dimensions of a latent code.
    omega : float or None
        Factor of the angles of the network's sine units; None if it has ReLU units.
    organs : dict of str to int
        The organs beside the thyroid that were learned, with the number of training cases of each.
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
    lengths: str = ""
    licence: str = ""
    size_bytes: int = 0
    modified: float = 0.0
    latent_size: int = 0
    omega: float | None = None
    seed: int = 0
    organs: dict[str, int] = field(default_factory=dict)
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
    arrays, metadata = load_model_arrays(path)
    settings, provenance = TrainingSettings.from_json(metadata["settings"]), metadata["provenance"]
    cohort, software = provenance.get("cohort", {}), provenance.get("software", {})
    file = path.stat()
    return ModelDescription(
        path=path,
        variant=settings.variant,
        preset=settings.preset,
        epochs=settings.epochs,
        cohort=cohort.get("source", ""),
        cases=len(metadata["ids"]),
        synthetic=cohort.get("synthetic", False),
        alignment=metadata["frame"]["alignment"],
        notice=metadata["notice"],
        features=arrays["features"],
        held_out=len(cohort.get("held_out", ())),
        statement=cohort.get("statement", ""),
        lengths=cohort.get("lengths", ""),
        licence=provenance.get("licence", ""),
        size_bytes=file.st_size,
        modified=file.st_mtime,
        latent_size=settings.latent_size,
        omega=settings.sine_omega,
        seed=settings.seed,
        organs={name: len(organ["ids"]) for name, organ in metadata.get("organs", {}).items()},
        software={str(name): str(version) for name, version in software.items()},
    )
