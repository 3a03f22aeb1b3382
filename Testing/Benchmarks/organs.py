"""Compare networks for several organs, and print one table for `docs/decisions/organs.md`.

`python Testing/Benchmarks/organs.py [--cases N] [--epochs N] [--only NAME ...]`: example cases with trachea, oesophagus
and both carotids; every contender learns thyroid and organs from the same samples in the same number of steps.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.dataset.organs.organ_samples import draw_organ_samples
from ThyroidSynthLib.dataset.organs.organ_shapes import measure_organ
from ThyroidSynthLib.dataset.prepare import PrepareOptions, prepare_cohort
from ThyroidSynthLib.dataset.synthetic import write_example_dataset
from ThyroidSynthLib.generation.decode.sparse_grid import evaluate_sparse
from ThyroidSynthLib.geometry.frame import Frame
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.isosurface import surface_from_sdf_volume
from ThyroidSynthLib.geometry.sampling import sample_surface, signed_distance
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.model.network import SDFNetwork
from ThyroidSynthLib.training.losses import correlation_loss
from ThyroidSynthLib.training.network import TrainableNetwork

ORGANS = ("trachea", "esophagus", "common_carotid_artery_right", "common_carotid_artery_left")
_CODES = {"thyroid": 24, **dict.fromkeys(ORGANS, 12)}
_SAMPLES = {"thyroid": 400, **dict.fromkeys(ORGANS, 200)}
_STORED, _BATCH, _RATE, _LATENT_WEIGHT, _PUBLISHED = 4000, 8, 2e-3, 1e-4, 1e-5
_SHOWN, _MOVED = 8, 6


@dataclass(frozen=True)
class Contender:
    """`outputs`: one network with all codes and an output per organ; `shared`: one that gets its organ as input."""

    kind: str
    width: int = 256
    organ_width: int = 96
    correlation: float = 0.0


CONTENDERS = {
    "one network, all codes, an output per organ": Contender("outputs"),
    "the same, correlation loss as published": Contender("outputs", correlation=_PUBLISHED),
    "one network that gets its organ as input": Contender("shared"),
    "a network per organ, 64 wide": Contender("own", organ_width=64),
    "a network per organ, 96 wide": Contender("own"),
    "the same, correlation loss as published ": Contender("own", correlation=_PUBLISHED),
    "the same, correlation loss times 100": Contender("own", correlation=100 * _PUBLISHED),
    "a network per organ, 256 wide": Contender("own", organ_width=256),
}


class ManyOutputs(TrainableNetwork):
    """A network with one output for each organ."""

    def __init__(self, latent_size: int, width: int, outputs: int) -> None:
        super().__init__(latent_size, 3, width)
        self.layers[-1] = nn.Linear(width, outputs)  # type: ignore[index]

    def forward(self, points: torch.Tensor, folded: torch.Tensor) -> torch.Tensor:
        """Return all outputs, shape (shapes, points, outputs)."""
        hidden = torch.relu(nn.functional.linear(points, self.layers[0].weight[:, :3]) + folded.unsqueeze(-2))
        for layer in self.layers[1:-1]:
            hidden = torch.relu(layer(hidden))
        return self.layers[-1](hidden)


class Trial:
    """One contender: its networks and codes, trained on samples (cases, stored, 4) of each organ."""

    def __init__(self, contender: Contender, samples: dict[str, np.ndarray], frame: Frame, epochs: int) -> None:
        torch.manual_seed(0)
        self.contender, self.names, self.samples, self.frame = contender, tuple(samples), samples, frame
        cases = len(samples["thyroid"])
        self.codes = {name: nn.Parameter(0.01 * torch.randn(cases, _CODES[name])) for name in self.names}
        total = sum(_CODES.values())
        if contender.kind == "outputs":
            self.networks = {"all": ManyOutputs(total, contender.width, len(self.names))}
        elif contender.kind == "shared":
            self.networks = {"all": TrainableNetwork(max(_CODES.values()) + len(self.names), 3, contender.width)}
        else:
            widths = {name: contender.width if name == "thyroid" else contender.organ_width for name in self.names}
            self.networks = {name: TrainableNetwork(_CODES[name], 3, widths[name]) for name in self.names}
        tensors = [*self.codes.values(), *(p for network in self.networks.values() for p in network.parameters())]
        optimiser = torch.optim.Adam(tensors, _RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs, eta_min=_RATE / 100)
        rng, began = np.random.default_rng(0), time.process_time()
        for _ in range(epochs):
            for rows in self._batches(rng, cases):
                optimiser.zero_grad()
                self._loss(rows, rng).backward()
                optimiser.step()
            if contender.correlation:
                optimiser.zero_grad()
                (contender.correlation * sum(self._correlations())).backward()
                optimiser.step()
            schedule.step()
        self.epoch_s = (time.process_time() - began) / epochs

    def _batches(self, rng: np.random.Generator, cases: int) -> Iterator[np.ndarray]:
        order = rng.permutation(cases)
        return (order[start : start + _BATCH] for start in range(0, cases, _BATCH))

    def _correlations(self) -> list[torch.Tensor]:
        """Return the correlation loss of each organ's codes with those of the others."""
        return [
            correlation_loss(torch.cat([self.codes[other].detach() for other in self.names if other != name], 1), code)
            for name, code in self.codes.items()
        ]

    def _loss(self, rows: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
        loss = torch.zeros(())
        every = torch.cat([code[torch.from_numpy(rows)] for code in self.codes.values()], dim=1)
        for number, name in enumerate(self.names):
            chosen = rng.integers(_STORED, size=(len(rows), _SAMPLES[name]))
            samples = torch.from_numpy(self.samples[name][rows[:, None], chosen])
            code = self.codes[name][torch.from_numpy(rows)]
            if self.contender.kind == "outputs":
                network = self.networks["all"]
                found = network(samples[..., :3], network.fold(every))[..., number]
            else:
                network = self.networks.get(name) or self.networks["all"]
                found = network(samples[..., :3], network.fold(self._input(number, code)))
            loss = loss + torch.mean((found - samples[..., 3]) ** 2)
            loss = loss + _LATENT_WEIGHT * torch.mean(torch.sum(code**2, dim=1))
        return loss

    def _input(self, number: int, code: torch.Tensor) -> torch.Tensor:
        if self.contender.kind == "own":
            return code
        padded = nn.functional.pad(code, (0, max(_CODES.values()) - code.shape[1]))
        organ_input = torch.zeros(len(code), len(self.names))
        organ_input[:, number] = 1
        return torch.cat([padded, organ_input], dim=1)

    def decoder(self, name: str, frame: Frame) -> Callable[[dict[str, np.ndarray]], Surface]:
        """Return a function from the codes of a case to one organ's surface in `trachea_mm`."""
        number = self.names.index(name)
        network = _trained(self.networks.get(name) or self.networks["all"], number)

        def decoded(codes: dict[str, np.ndarray]) -> Surface:
            if self.contender.kind == "outputs":
                whole = np.concatenate([codes[each] for each in self.names])
            else:
                whole = self._input(number, torch.from_numpy(codes[name])[None])[0].numpy()
            return _surface(network, whole.astype(np.float32), frame)

        return decoded


def _surface(network: SDFNetwork, code: np.ndarray, frame: Frame) -> Surface:
    folded = network.fold(code)
    box = frame.to_unit(frame.lower_mm), frame.to_unit(frame.upper_mm)

    def field(points: np.ndarray) -> np.ndarray:
        parts = [points[start : start + 1024].astype(np.float32) for start in range(0, len(points), 1024)]
        return np.concatenate([network.values(part, folded) for part in parts] or [np.empty(0, np.float32)])

    found = evaluate_sparse(field, *box, 64, largest_cell=0.08)
    values = np.pad(found.values, 1, constant_values=np.float32(10.0))
    surface = surface_from_sdf_volume(Volume(values, found.grid.part([-1, -1, -1], values.shape).ijk_to_ras))
    return surface.moved(frame.to_mm(surface.vertices))


def _trained(network: TrainableNetwork, output: int) -> SDFNetwork:
    """Return a copy for evaluation with one of the outputs."""
    pairs = [(layer.weight.detach().numpy().copy(), layer.bias.detach().numpy().copy()) for layer in network.layers]
    weight, bias = pairs[-1]
    row = output if len(weight) > 1 else 0
    return SDFNetwork.of([*pairs[:-1], (weight[row : row + 1], bias[row : row + 1])])


def main() -> None:
    """Prepare the cohort, then train and measure each contender."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=52)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--cohort", type=Path, help="a cohort with these organs to use instead")
    parser.add_argument("--only", nargs="+", choices=tuple(CONTENDERS), default=tuple(CONTENDERS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        cohort = _cohort(Path(folder), options.cases) if options.cohort is None else Cohort.open(options.cohort)
        cohort = cohort.part(cohort.ids[: options.cases])
        truth, samples = _truth(cohort), _samples(cohort)
        print(f"{len(cohort.ids)} cases, {options.epochs} epochs, one thread")
        print("contender | thyroid Dice / mm | organs Dice / mm | cross-talk SD | correlation | s/epoch | decode ms")
        for name in options.only:
            trial = Trial(CONTENDERS[name], samples, cohort.organs["trachea"].frame, options.epochs)
            _report(name, trial, cohort, truth)


def _cohort(folder: Path, cases: int) -> Cohort:
    write_example_dataset(folder / "dataset", cases=cases, seed=5, defective_share=0.0, with_ct=False)
    options = PrepareOptions(organs=ORGANS, samples_per_shape=20_000)
    prepare_cohort(folder / "dataset", folder / "cohort", options)
    return Cohort.open(folder / "cohort")


def _truth(cohort: Cohort) -> dict[str, list[Surface]]:
    shown = cohort.ids[:_SHOWN]
    found = {"thyroid": [cohort.surface(case_id) for case_id in shown]}
    return found | {name: [cohort.organs[name].surface(case_id) for case_id in shown] for name in ORGANS}


def _samples(cohort: Cohort) -> dict[str, np.ndarray]:
    """Return the samples of all organs, and the thyroid's in the same frame."""
    frame, rng, drawn = cohort.organs["trachea"].frame, np.random.default_rng(0), []
    for case_id in cohort.ids:
        surface = cohort.surface(case_id)
        seen = Grid.around(surface, spacing_mm=2.0, margin_mm=120.0)
        drawn.append(draw_organ_samples(surface, seen, frame, _STORED, rng))
    organs = {name: np.asarray(cohort.organs[name].samples)[:, :_STORED] for name in ORGANS}
    return {"thyroid": np.stack(drawn), **organs}


def _report(name: str, trial: Trial, cohort: Cohort, truth: dict[str, list[Surface]]) -> None:
    frame, rng = cohort.organs["trachea"].frame, np.random.default_rng(0)
    codes = {each: code.detach().numpy() for each, code in trial.codes.items()}
    decoders = {each: trial.decoder(each, frame) for each in trial.names}

    def of_case(row: int) -> dict[str, np.ndarray]:
        return {each: code[row] for each, code in codes.items()}

    dice, distance, times = {}, {}, []
    for each in trial.names:
        found = []
        for row, surface in enumerate(truth[each]):
            began = time.perf_counter()
            try:
                shape = decoders[each](of_case(row))
            except ValueError:  # The code has no surface.
                found.append((0.0, np.nan))
                continue
            times.append((each, time.perf_counter() - began))
            points = sample_surface(surface, 3000, rng)
            inside = np.all((points > frame.lower_mm + 2) & (points < frame.upper_mm - 2), axis=1)
            if each != "thyroid":
                seen = cohort.organs[each].document["cases"][row]
                grid = Grid(tuple(seen["seen_shape"]), np.array(seen["seen_to_trachea"]))
                inside &= grid.depth_mm(points) >= 0
            found.append((_dice(surface, shape, frame), np.abs(signed_distance(shape, points[inside])).mean()))
        dice[each], distance[each] = np.mean(found, axis=0)
    moved = _cross_talk(trial, codes, decoders, rng)
    correlation = float(sum(trial._correlations()).detach()) / sum(
        sum(_CODES.values()) - _CODES[each] for each in trial.names
    )
    organs = [each for each in trial.names if each != "thyroid"]
    own = 1e3 * np.median([s for each, s in times if each == "thyroid"])
    all_of_them = own + sum(1e3 * np.median([s for each, s in times if each == organ]) for organ in organs)
    print(
        f"{name} | {dice['thyroid']:.3f} / {distance['thyroid']:.2f} | "
        f"{np.mean([dice[each] for each in organs]):.3f} / {np.mean([distance[each] for each in organs]):.2f} | "
        f"{moved:.3f} | {correlation:.2f} | {trial.epoch_s:.2f} | {own:.0f}, all {all_of_them:.0f}",
        flush=True,
    )


def _dice(one: Surface, other: Surface, frame: Frame) -> float:
    """Return the Dice coefficient of two surfaces in the box but for its outermost 3 mm."""
    lower, upper = frame.lower_mm + 3, frame.upper_mm - 3
    matrix = np.eye(4)
    matrix[:3, 3] = lower
    grid = Grid(tuple(np.floor(upper - lower).astype(int)[::-1]), matrix)
    a, b = (voxelise(surface, grid).array != 0 for surface in (one, other))
    return 2 * float((a & b).sum()) / max(float(a.sum() + b.sum()), 1.0)


def _cross_talk(
    trial: Trial, codes: dict[str, np.ndarray], decoders: dict[str, Callable], rng: np.random.Generator
) -> float:
    """Return the mean change of the other organs' cross-sections, in SDs, when a code moves by 1 SD."""
    organs = [each for each in trial.names if each != "thyroid"]
    frame = trial.frame
    sections = {
        each: [_section(decoders[each], {k: c[row] for k, c in codes.items()}, frame) for row in range(12)]
        for each in organs
    }
    changes = []
    for row in range(_MOVED):
        for moving in trial.names:
            changed = {each: code[row] for each, code in codes.items()}
            changed[moving] = changed[moving] + codes[moving].std(axis=0) * rng.choice([-1, 1], codes[moving].shape[1])
            changes += [
                abs(_section(decoders[each], changed, frame) - sections[each][row]) / np.std(sections[each])
                for each in organs
                if each != moving
            ]
    return float(np.mean(changes))


def _section(decoder: Callable[[dict[str, np.ndarray]], Surface], codes: dict[str, np.ndarray], frame: Frame) -> float:
    """Return the cross-section of an organ in mm²; 0 if its code has no surface at the level of the gland."""
    try:
        values = measure_organ(decoder(codes), frame)
    except ValueError:
        return 0.0
    return 0.0 if values is None else float(values[0])


if __name__ == "__main__":
    main()
