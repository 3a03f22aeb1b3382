"""The state of a training: what is learned, how far it is, and its checkpoint file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.errors import ModelError
from ThyroidSynthLib.common.text_files import entry
from ThyroidSynthLib.dataset.rows.row_view import RowView
from ThyroidSynthLib.geometry.frame import Frame
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.model.array_file import load_arrays, save_arrays, with_prefix, without_prefix
from ThyroidSynthLib.model.conditioning import Conditioning
from ThyroidSynthLib.model.settings import TrainingSettings
from ThyroidSynthLib.model.trained_model import TrainedModel

from .asymmetry import asymmetry_of
from .network import TrainableNetwork
from .optimiser import Optimiser


class TrainingData(Protocol):
    """The part of a `Cohort` that training steps read."""

    @property
    def ids(self) -> tuple[str, ...]:
        """The cases, n in number."""

    @property
    def features(self) -> np.ndarray:
        """Their features, shape (n, 3), in the order of `FEATURE_NAMES`."""

    @property
    def samples(self) -> np.ndarray | RowView:
        """Positions and signed distances in the `unit` frame, float32, shape (n, samples per shape, 4)."""


class TrainingCohort(TrainingData, Protocol):
    """What a training reads: a `Cohort`, or one organ of it."""

    @property
    def frame(self) -> Frame:
        """The `unit` frame of the samples."""

    @property
    def tracheas(self) -> np.ndarray | None:
        """How each thyroid lies on its trachea, shape (n, 3) in the order of `OnTrachea`; None if that is not known."""

    @property
    def checksum(self) -> str:
        """What a checkpoint is compared with."""

    def provenance(self) -> dict[str, Any]:
        """Describe the cohort for a model file."""

    def surface(self, case_id: str) -> Surface:
        """Return the surface of a case, in `trachea_mm`."""


@dataclass
class TrainingState:
    """Everything that changes during a training, on one device.

    `latent` holds the trainable codes (cases, latent_size), `fixed` the encoded features (cases, fixed_size), `losses`
    the mean losses of the last epoch. `others` (cases, any size) are codes of other organs of the cases, with which
    the correlation loss is computed as well.
    """

    settings: TrainingSettings
    conditioning: Conditioning
    network: TrainableNetwork
    latent: torch.nn.Parameter
    fixed: torch.Tensor
    optimiser: Optimiser
    epoch: int = 0
    losses: dict[str, float] = field(default_factory=dict)
    others: torch.Tensor | None = None

    @property
    def uncorrelated_with(self) -> torch.Tensor:
        """The codes (cases, any size) with which the correlation loss is computed."""
        return self.fixed if self.others is None else torch.cat([self.fixed, self.others], dim=1)

    @classmethod
    def start(
        cls,
        data: TrainingData,
        settings: TrainingSettings,
        device: torch.device,
        others: np.ndarray | None = None,
    ) -> TrainingState:
        """Return the state before the first epoch, with random weights and codes."""
        conditioning = Conditioning.fit(settings.conditioning, data.features)
        fixed = torch.from_numpy(conditioning.encode(data.features).astype(np.float32))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(settings.seed, 0))
            network = TrainableNetwork.for_settings(settings, conditioning.size)
            codes = torch.randn(len(data.ids), settings.latent_size) * settings.latent_init_sd
        if settings.mirrored_size:
            asymmetry = torch.from_numpy(asymmetry_of(data.samples)[:, : settings.mirrored_size])
            codes[:, -settings.mirrored_size :][:, : asymmetry.shape[1]] += asymmetry
        network.to(device)
        latent = torch.nn.Parameter(codes.to(device))
        optimiser = Optimiser(network, latent, settings)
        codes_of_others = None if others is None else torch.from_numpy(others.astype(np.float32)).to(device)
        return cls(settings, conditioning, network, latent, fixed.to(device), optimiser, others=codes_of_others)

    def save(self, path: Path, cohort: TrainingCohort) -> None:
        """Write a checkpoint, replacing `path` in one step."""
        tensors = with_prefix("network.", self.network.state_dict())
        tensors |= {"latent": self.latent, **with_prefix("optimiser.", self.optimiser.state())}
        description = {"kind": "checkpoint", "epoch": self.epoch, "losses": self.losses}
        arrays = {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
        save_arrays(path, arrays, description | self._identity(cohort))

    def restore(self, path: Path, cohort: TrainingCohort) -> None:
        """Read a checkpoint; `ModelError` if it is damaged, or belongs to another cohort or other settings."""
        arrays, description = load_arrays(path, kind="checkpoint")
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        identity = self._identity(cohort)
        for key, difference in (("cohort", "another cohort"), ("settings", "other settings")):
            if description.get(key) != identity[key]:
                raise ModelError(
                    f"{path} is the checkpoint of a training with {difference}. "
                    "Choose the cohort and settings it was started with, or another output folder."
                )
        if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
            raise ModelError(f"{path} has values that are not finite. Restart the training.")
        try:
            self.network.load_state_dict(without_prefix("network.", tensors))
            with torch.no_grad():
                self.latent.copy_(tensors["latent"])
            self.optimiser.restore(without_prefix("optimiser.", tensors))
            self.epoch, self.losses = entry(description, "epoch", kind=int), entry(description, "losses", kind=dict)
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise ModelError(f"{path} is damaged: its tensors are not those of this training. Restart it.") from error

    def _identity(self, cohort: TrainingCohort) -> dict[str, object]:
        return {"cohort": cohort.checksum, "settings": self.settings.to_json()}

    def model(self, cohort: TrainingCohort) -> TrainedModel:
        """Return a copy of what has been learned, as a shape model on the CPU."""
        return TrainedModel(
            network=self.network.trained(),
            frame=cohort.frame,
            conditioning=self.conditioning,
            ids=tuple(cohort.ids),
            features=np.array(cohort.features),
            latent_table=self.latent.detach().cpu().numpy().copy(),
            settings=self.settings,
            tracheas=cohort.tracheas,
            provenance={
                "cohort": cohort.provenance(),
                "training": {"epochs": self.epoch, "losses": self.losses, "device": str(self.latent.device)},
                "software": {"thyroidsynth": __version__, "torch": torch.__version__, "numpy": np.__version__},
            },
        )


def derive_seed(seed: int, stream: int) -> int:
    """Return the seed of one independent stream of random numbers: 0 for the weights, 1 + epoch for the batches."""
    return int(np.random.SeedSequence([seed, stream]).generate_state(1, np.uint64)[0] >> 1)
