"""Turn a Lightning checkpoint of the authors' code into a shape model.

Their network has the layers ``layers.N`` of a multilayer perceptron, which takes the position in the axes of the
published set and the code, and returns a signed distance that is positive inside. The code is the concatenation of
``latent_bits.N``: features in the units of the set, one column each, then the trainable code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.errors import InputError, ModelError
from ThyroidSynthLib.common.files import sha256_of
from ThyroidSynthLib.dataset.authors.units import UNKNOWN_SCALE_NOTE, Units
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.geometry.frame import Frame
from ThyroidSynthLib.model.conditioning import Conditioning
from ThyroidSynthLib.model.network import SDFNetwork
from ThyroidSynthLib.model.settings import TrainingSettings
from ThyroidSynthLib.model.trained_model import TrainedModel

from .checkpoint_file import CheckpointFile, open_checkpoint
from .training_cases import TrainingCases, cases_of_cohort, numbered_cases

FEATURES = ("volume", "isthmus_area", "symmetry")
"""The features of the authors' code, in the order of `FEATURE_NAMES`."""

PRESET = "imported"

_LAYER = re.compile(r"((?:[\w]+\.)*)layers\.(\d+)\.(weight|bias)")
_CODE = re.compile(r"(?:[\w]+\.)*latent_(?:bits\.(\d+)|codes)\.weight")


@dataclass(frozen=True)
class ImportOptions:
    """The options of an import.

    Attributes
    ----------
    features : tuple of str
        The features that the model was conditioned on, among `FEATURES`, in the order of its training; empty to derive
        them from the checkpoint, which is possible if there are none or all three.
    scale_mm : three lengths or None
        Millimetres per unit along the set's three axes; not together with a cohort, which has its own.
    activation : str
        Hidden units of the network, which the checkpoint does not state: "relu", as in the authors' training, or
        "siren".
    """

    features: tuple[str, ...] = ()
    scale_mm: tuple[float, float, float] | None = None
    activation: str = "relu"


@dataclass(frozen=True)
class ImportedModel:
    """A model and what a user must know of it.

    Attributes
    ----------
    error_mm : float or None
        Root mean square of the distance that the model has at points on the surfaces of its cohort, in mm by the mean
        scale; None without a cohort.
    notes : tuple of str
    """

    model: TrainedModel
    error_mm: float | None
    notes: tuple[str, ...]


def import_checkpoint(
    path: Path | str, cohort: Cohort | None = None, options: ImportOptions = ImportOptions()
) -> ImportedModel:
    """Read a Lightning checkpoint of the authors' code as a model, without executing anything that it holds.

    Parameters
    ----------
    cohort : Cohort, optional
        The published set that the model was trained on, as `prepare_authors_set` wrote it. It gives the ids of the
        training cases, the scale and the box of the shapes, and features for a model without conditions.

    Raises
    ------
    ModelError
        The file is damaged, is no such checkpoint, or holds more than data.
    InputError
        The options contradict the checkpoint, or the cohort is not the published set or has another number of cases.
    """
    file = open_checkpoint(path)
    state = file.content.get("state_dict", file.content)
    if not isinstance(state, Mapping):
        raise ModelError(f"{file.path} has no 'state_dict'. Choose a checkpoint of Lightning.")
    stated = file.content.get("hyper_parameters")
    stated = stated if isinstance(stated, Mapping) else {}
    parameters = _parameters(file, state)
    bits = _codes(file, state)
    fixed, trainable = _split(file.path, bits, stated.get("latent"))
    names = _feature_names(file.path, fixed.shape[1], options.features)
    if parameters[0][0].shape[1] != 3 + fixed.shape[1] + trainable.shape[1]:
        raise ModelError(
            f"{file.path}: the network takes {parameters[0][0].shape[1] - 3} code dimensions, and the codes have "
            f"{fixed.shape[1] + trainable.shape[1]}. Models with positional encoding cannot be imported."
        )
    if cohort is not None and options.scale_mm is not None:
        raise InputError("The cohort states its own scale. Leave out the scale, or the cohort.")
    units = _units(cohort, options)
    published = np.full((len(trainable), 3), np.nan)
    published[:, [FEATURES.index(name) for name in names]] = fixed
    cases, notes = (
        cases_of_cohort(cohort, published, units, file.path)
        if cohort is not None
        else numbered_cases(published, units, file.path)
    )
    rows = cases.rows
    settings, more = _settings(file, parameters, trainable.shape[1], bool(names), stated, options.activation)
    conditioning = _conditioning(units, bool(names))
    network = SDFNetwork.of(_converted(parameters, units, names), *_omega(settings))
    notes = [*notes, *more]
    model = TrainedModel(
        network=network,
        frame=cohort.frame if cohort is not None else Frame(units.scale_mm, -units.scale_mm, units.scale_mm),
        conditioning=conditioning,
        ids=cases.ids,
        features=cases.features,
        latent_table=trainable[rows].astype(np.float32),
        settings=settings,
        provenance=_provenance(file, cohort, cases, units, names),
    )
    error = None if cohort is None else _surface_error_mm(model, cohort)
    if not units.known:
        notes.append(UNKNOWN_SCALE_NOTE)
    return ImportedModel(model, error, tuple(notes))


Parameters = list[tuple[np.ndarray, np.ndarray]]


def _parameters(file: CheckpointFile, state: Mapping[Any, Any]) -> Parameters:
    """Return weight and bias of each layer; `ModelError` if the network is not a plain multilayer perceptron."""
    tensors = file.tensors(state)
    layers: dict[int, dict[str, np.ndarray]] = {}
    prefixes = set()
    for name, tensor in tensors.items():
        if found := _LAYER.fullmatch(name):
            prefixes.add(found[1])
            layers.setdefault(int(found[2]), {})[found[3]] = file.array(tensor)
    other = [name for name in tensors if not _LAYER.fullmatch(name) and not _CODE.fullmatch(name)]
    if not layers:
        raise ModelError(f"{file.path} holds no layers of a network (layers.0.weight, …). Choose another checkpoint.")
    if other or len(prefixes) > 1:
        named = f"it holds {other[0]}" if other else "it holds several networks"
        raise ModelError(
            f"{file.path} is not the checkpoint of a plain multilayer perceptron of one structure: {named}. Only such "
            "networks can be imported."
        )
    numbers = sorted(layers)
    if numbers != list(range(len(numbers))) or any(set(layers[number]) != {"weight", "bias"} for number in numbers):
        raise ModelError(f"{file.path} is damaged: a layer of the network is missing. Copy or save it again.")
    parameters = [(layers[number]["weight"], layers[number]["bias"]) for number in numbers]
    inputs = parameters[0][0].shape[-1]
    for weight, bias in parameters:
        if weight.ndim != 2 or bias.shape != (len(weight),) or weight.shape[1] != inputs:
            raise ModelError(f"{file.path} is damaged: the layers of the network do not fit together. Save it again.")
        inputs = len(weight)
    widths = {len(weight) for weight, _ in parameters[:-1]}
    if inputs != 1 or len(widths) != 1 or parameters[0][0].shape[1] < 4:
        raise ModelError(
            f"{file.path} has a network with {inputs} outputs and layers of {sorted(widths)} units. Only networks of "
            "one structure whose hidden layers have one width can be imported."
        )
    return parameters


def _codes(file: CheckpointFile, state: Mapping[Any, Any]) -> list[np.ndarray]:
    """Return the parts of the latent table (n, k) in their order."""
    bits = {
        int(found[1] or 0): file.array(tensor)
        for name, tensor in file.tensors(state).items()
        if (found := _CODE.fullmatch(name))
    }
    parts = [bits[number] for number in sorted(bits)]
    if not parts:
        raise ModelError(f"{file.path} holds no latent codes (latent_bits.0.weight, …). Choose another checkpoint.")
    if any(part.ndim != 2 or len(part) != len(parts[0]) for part in parts) or not len(parts[0]):
        raise ModelError(f"{file.path} is damaged: its latent codes do not fit together. Copy or save it again.")
    return parts


def _split(path: Path, bits: list[np.ndarray], latent: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the fixed (n, f) and the trainable part (n, k) of the codes.

    The hyperparameters hold an array for each fixed part and a shape for the trainable one. Without them, the last
    part is the trainable one.
    """
    trainable = [isinstance(part, tuple) for part in latent] if isinstance(latent, list) else []
    if len(trainable) != len(bits):
        trainable = [False] * (len(bits) - 1) + [True]
    if trainable != sorted(trainable) or not any(trainable):
        raise ModelError(
            f"{path} has fixed codes behind trainable ones. Only the order of the authors can be imported."
        )
    fixed = [bit for bit, changes in zip(bits, trainable, strict=True) if not changes]
    rest = [bit for bit, changes in zip(bits, trainable, strict=True) if changes]
    return np.hstack(fixed) if fixed else np.empty((len(bits[0]), 0)), np.hstack(rest)


def _feature_names(path: Path, count: int, given: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in given if name not in FEATURES]
    if unknown or len(set(given)) < len(given):
        raise InputError(
            f"The features {', '.join(given)} are not some of {', '.join(FEATURES)}, each once. Correct them."
        )
    names = given or (FEATURES if count == len(FEATURES) else ())
    if len(names) != count:
        stated = f"{len(given)} are given" if given else "it does not state which"
        raise InputError(
            f"{path} is conditioned on {count} features, and {stated}. Name them in the order of its training "
            f"(--features), among {', '.join(FEATURES)}."
        )
    return names


def _units(cohort: Cohort | None, options: ImportOptions) -> Units:
    if cohort is None:
        # Signs are unknown: the directions of most scans.
        box = np.ones((1, 3))
        return Units.of_set(0 * box, box, options.scale_mm)
    about = cohort.document.get("authors")
    if not isinstance(about, dict):
        raise InputError(
            f"{cohort.folder} is not a cohort of the published set. Prepare it with 'thyroidsynth prepare --authors'."
        )
    signs = [1.0 if letter in "RAS" else -1.0 for letter in about["axes"][::-1]]
    return Units(cohort.frame.scale_mm, np.array(signs), about["scale"])


def _converted(parameters: Parameters, units: Units, names: tuple[str, ...]) -> Parameters:
    """Return the parameters of the network that takes R, A, S and all three features, and is negative inside."""
    weight, bias = parameters[0]
    # Position in the set's axes as a linear function of R, A, S.
    to_set = units.to_ras(np.eye(3)).T
    position = weight[:, :3] @ to_set.T
    fixed = np.zeros((len(weight), 3 if names else 0))
    fixed[:, [FEATURES.index(name) for name in names]] = weight[:, 3 : 3 + len(names)]
    first = np.hstack([position, fixed, weight[:, 3 + len(names) :]])
    last_weight, last_bias = parameters[-1]
    return [(first, bias), *parameters[1:-1], (-last_weight, -last_bias)]


def _conditioning(units: Units, conditioned: bool) -> Conditioning:
    if not conditioned:
        return Conditioning("none", np.empty(0), np.empty(0))
    # The authors' network takes features in units, not standardised.
    return Conditioning("linear", np.zeros(3), units.features(np.ones(3)))


def _settings(
    file: CheckpointFile,
    parameters: Parameters,
    latent_size: int,
    conditioned: bool,
    stated: Mapping[Any, Any],
    activation: str,
) -> tuple[TrainingSettings, list[str]]:
    """Return the settings of the training as far as the checkpoint states them, and notes."""

    def number(name: str, default: float) -> float:
        value = stated.get(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default

    notes = []
    correlated = stated.get("apply_correlation_loss") is True
    if stated.get("apply_batch_correlation_loss") is True and not correlated:
        data = file.content.get("datamodule_hyper_parameters")
        if isinstance(data, Mapping) and data.get("batch_size") == 1:
            notes.append("its correlation loss was computed over batches of one shape, where it is always 0")
        else:
            correlated = True
    variant = "baseline" if not conditioned else "correlation" if correlated else "fixed"
    epochs = file.content.get("epoch")
    rate = number("lr", 3e-4)
    more: dict[str, Any] = {"activation": activation} if activation != "relu" else {}
    settings = TrainingSettings(
        preset=PRESET,
        variant=variant,
        epochs=epochs if isinstance(epochs, int) and epochs >= 1 else 1,
        learning_rate=rate,
        latent_learning_rate=rate,
        latent_size=latent_size,
        latent_weight=number("latent_loss_prefactor", 0.0) if stated.get("apply_latent_loss") is True else 0.0,
        correlation_weight=number("correlation_loss_prefactor", 0.0) if correlated else 0.0,
        conditioning="linear" if conditioned else "none",
        hidden_layers=len(parameters) - 1,
        hidden_width=len(parameters[0][0]),
        **more,
    )
    return settings, notes


def _omega(settings: TrainingSettings) -> tuple[float | None, ...]:
    return () if getattr(settings, "activation", "relu") == "relu" else (settings.sine_omega,)


def _provenance(
    file: CheckpointFile, cohort: Cohort | None, cases: TrainingCases, units: Units, names: tuple[str, ...]
) -> dict[str, Any]:
    about: dict[str, Any] = {"cases": len(cases.ids), "synthetic": False, "statement": "", "source": "published set"}
    if cohort is not None:
        about = cohort.provenance()
    elif not units.known:
        about["lengths"] = UNKNOWN_SCALE_NOTE
    lightning = file.content.get("pytorch-lightning_version")
    software = {"thyroidsynth": __version__} | ({"lightning": lightning} if isinstance(lightning, str) else {})
    imported = {"file": file.path.name, "sha256": sha256_of(file.path), "features": list(names)}
    return {"cohort": about, "software": software, "imported": imported}


def _surface_error_mm(model: TrainedModel, cohort: Cohort) -> float:
    """Return the root mean square of the model's distances at the samples of its training cases."""
    squares = []
    for case_id, code in zip(model.ids, model.codes, strict=True):
        samples = cohort.samples[cohort.ids.index(case_id)]
        some = np.asarray(samples[:: max(1, len(samples) // 500)], dtype=np.float32)
        values = model.network.values(some[:, :3], model.network.fold(code.astype(np.float32)))
        squares.append(np.mean((values - some[:, 3]) ** 2))
    return float(np.sqrt(np.mean(squares)) * model.frame.scale_mm.mean())
