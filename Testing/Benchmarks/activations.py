"""Compare ReLU and sine units (SIREN) on a cohort with fine detail, and print one table.

`python Testing/Benchmarks/activations.py [--cases N] [--epochs N] [--only NAME ...]`: the rows of one size have as many
parameters; those of one time took about the same CPU time on one thread. Docs: `docs/decisions/siren.md`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from fine_detail import write_fine_cohort
from timing import machine

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.dataset.splits import hold_out
from ThyroidSynthLib.evaluation.experiments.cross_talk import cross_talk_of_direct_sampling, cross_talk_of_steering
from ThyroidSynthLib.evaluation.experiments.reconstruction import Reconstruction, reconstruct_cases
from ThyroidSynthLib.evaluation.metrics.generation import target_agreement, validity_summary
from ThyroidSynthLib.evaluation.metrics.surface_distances import compare_surfaces
from ThyroidSynthLib.generation.decode.decoding import decode
from ThyroidSynthLib.generation.steer.direct_sampling import generate
from ThyroidSynthLib.generation.thyroid import thyroid_of_code
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.model.presets import settings_for
from ThyroidSynthLib.model.threads import computing_on
from ThyroidSynthLib.model.trained_model import TrainedModel
from ThyroidSynthLib.training.loop import train

# Epochs relative to those of the command line, and changes of the preset "fast".
_CONTENDERS: dict[str, tuple[float, dict[str, Any]]] = {
    "ReLU": (1.0, {}),
    "SIREN, short": (0.28, {"activation": "siren"}),
    "SIREN, narrow": (0.85, {"activation": "siren", "hidden_width": 128}),
    "SIREN": (1.0, {"activation": "siren"}),
    "SIREN, omega 15": (1.0, {"activation": "siren", "omega": 15.0}),
    "ReLU, long": (2.5, {}),
    "SIREN, narrow, omega 60": (0.85, {"activation": "siren", "hidden_width": 128, "omega": 60.0}),
}
_SHOWN_CASES, _DRAWN, _MOVED, _PAIRS, _STEPS = 12, 30, 3, 6, 8


def main() -> None:
    """Make the cohort, then train and measure each contender."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--only", nargs="+", choices=tuple(_CONTENDERS), default=tuple(_CONTENDERS))
    parser.add_argument("--cohort", type=Path, help="a cohort to use instead, such as an example cohort")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, computing_on(1):
        cohort = (
            Cohort.open(options.cohort)
            if options.cohort
            else write_fine_cohort(Path(folder) / "cohort", cases=options.cases)
        )
        held_out = hold_out(cohort, 0.25, seed=0)
        part = cohort.part(each for each in cohort.ids if each not in held_out)
        print(f"{len(part.ids)} training cases, {len(held_out)} held out; one thread of {machine()}\n")
        for number, name in enumerate(options.only):
            share, changes = _CONTENDERS[name]
            settings = settings_for("fast", "fixed", epochs=round(share * options.epochs), **changes)
            started = time.process_time()
            model = train(part, settings, device="cpu")
            row = {
                "network": f"{name}, {settings.hidden_width} wide",
                "epochs": settings.epochs,
                "CPU s": f"{time.process_time() - started:.0f}",
                **measured(model, cohort, list(held_out)),
            }
            if number == 0:
                print(f"| {' | '.join(row)} |\n|{'---|' * len(row)}")
            print(f"| {' | '.join(map(str, row.values()))} |", flush=True)


def measured(model: TrainedModel, cohort: Cohort, held_out: list[str]) -> dict[str, str]:
    """Return the measures of a model as text."""
    known = list(model.ids[:_SHOWN_CASES])
    drawn = list(generate(model, count=_DRAWN, seed=0))
    moved = cross_talk_of_steering(model, [each.thyroid.code for each in drawn[:_MOVED]])
    resampled = cross_talk_of_direct_sampling(model, drawn[: 4 * _MOVED])
    agreement = target_agreement(model, drawn)
    started = time.process_time()
    for code in model.codes[:10]:
        decode(model, code)
    return {
        "one surface, ms": f"{(time.process_time() - started) / 10 * 1000:.0f}",
        "reconstructed: ASSD mm (median), Dice": _shape(list(reconstruct_cases(model, cohort, known))),
        "held out: ASSD mm (median), Dice": _shape(list(reconstruct_cases(model, cohort, held_out, fit=True))),
        "PCC of direct sampling": "/".join(f"{each.pcc:.3f}".lstrip("0") for each in agreement.values()),
        "cross-talk, direct / steered, SD": f"{resampled.worst_held() or np.nan:.2f} / {moved.worst_held() or 0:.3f}",
        "valid draws": f"{validity_summary(drawn)['share_of_draws']:.0%}",
        **interpolation(model),
    }


def _shape(found: list[Reconstruction]) -> str:
    compared = [each.comparison for each in found if each.comparison is not None]
    distances = np.array([each.assd_mm for each in compared])
    overlap = np.mean([each.dice for each in compared if each.dice is not None])
    missing = f", {len(found) - len(compared)} without surface" if len(compared) < len(found) else ""
    return f"{distances.mean():.2f} ({np.median(distances):.2f}), {overlap:.3f}{missing}"


def interpolation(model: TrainedModel) -> dict[str, str]:
    """Measure how smoothly a surface changes on the straight line between the codes of two training cases.

    The detour is the sum of the surface distances from step to step over the distance between the ends: 1 if the
    surface goes straight. The largest step is relative to the mean one: 1 if it moves evenly. The volume should grow
    or shrink all the way, and no surface should fall into more pieces than those of the ends.
    """
    rng = np.random.default_rng(0)
    detours, steps, backwards, pieces = [], [], [], 0
    for _ in range(_PAIRS):
        first, last = model.codes[rng.choice(len(model.ids), 2, replace=False)]
        try:
            path = [thyroid_of_code(model, first + t * (last - first)) for t in np.linspace(0, 1, _STEPS + 1)]
        except SynthesisError:
            pieces += _STEPS
            continue
        lengths = [_distance(a.surface, b.surface) for a, b in pairwise(path)]
        detours.append(sum(lengths) / _distance(path[0].surface, path[-1].surface))
        steps.append(max(lengths) / np.mean(lengths))
        changes = np.diff([each.measured.volume_ml for each in path])
        backwards.append(np.mean(changes * np.sign(changes.sum()) < 0))
        most = max(path[0].validity.components, path[-1].validity.components)
        pieces += sum(each.validity.components > most for each in path)
    return {
        "interpolation: detour, largest step": f"{np.mean(detours):.2f}, {np.mean(steps):.2f}",
        "steps against the volume's trend": f"{np.mean(backwards):.0%}",
        "steps in pieces": f"{pieces / (_PAIRS * (_STEPS + 1)):.0%}",
    }


def _distance(first: Surface, second: Surface) -> float:
    return compare_surfaces(first, second, points=2000).assd_mm


if __name__ == "__main__":
    main()
