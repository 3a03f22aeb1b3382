"""Tries bad inputs on every command and reader, and prints how many of each class there are: `make fuzz`.

A fault is reproduced with ``--seed`` and ``--only`` (a part of its name).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTING), str(TESTING.parent / "ThyroidSynth")]
for _threads in ("OMP_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "VTK_SMP_MAX_THREADS"):
    os.environ[_threads] = "1"
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from fuzzing.judge import CLASSES, GOOD, Outcome, Trial, fingerprint, run_trials  # noqa: E402

_MODULES = (
    *(
        "api.shape_model",
        "cli.main",
        "dataset.prepare",
        "dataset.synthetic",
        "imaging.segmentations.label_map_reading",
        "imaging.dicom_seg",
    ),
    *("export.cohort.generated_cohort", "export.cohort.cohort_making", "export.edited_case", "jobs.job_run"),
    *("evaluation.experiments.evaluate", "evaluation.experiments.fits", "evaluation.report.report"),
    *("evaluation.report.inspection", "evaluation.comparison.compare", "evaluation.comparison.cross_validation"),
    *("generation.training_preview", "generation.cohort.target_table", "generation.steer.map_fitting"),
)


def main() -> int:
    """Run the trials and return 0 if none is bad."""
    options = _options()
    with TemporaryDirectory(prefix="fuzz") as scratch:
        folder = Path(scratch)
        material = folder / "material"
        _make_material(material)
        _load_everything()
        before = fingerprint(material)
        trials: Iterable[Trial] = all_trials(material, options.seed, rounds=None if options.seconds else 1)
        if options.only:
            trials = (trial for trial in trials if options.only in f"{trial.command} {trial.fault}")
        if options.count:
            trials = itertools.islice(trials, options.count)
        until = time.monotonic() + options.seconds if options.seconds else float("inf")
        outcomes = []
        for outcome in run_trials(trials, folder, at_once=options.processes, until=until):
            outcomes.append(outcome)
            if outcome.kind not in GOOD or options.show:
                print(_line(outcome, options.length), flush=True)
        if fingerprint(material) != before:
            print("A trial has changed the inputs.")
            return 1
    print(table(outcomes))
    slowest = max(outcomes, key=lambda outcome: outcome.seconds)
    print(f"{len(outcomes)} trials; slowest {slowest.seconds:.1f} s ({slowest.trial.command}: {slowest.trial.fault})")
    if options.json:
        Path(options.json).write_text(json.dumps(Counter(outcome.kind for outcome in outcomes)))
    return int(any(outcome.kind not in GOOD for outcome in outcomes))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="random seed")
    parser.add_argument("--count", type=int, default=0, help="at most so many trials")
    parser.add_argument("--seconds", type=float, default=0, help="go on with fresh seeds for so long")
    parser.add_argument("--only", default="", help="trials with this in their name")
    parser.add_argument("--processes", type=int, default=2, help="trials at once")
    parser.add_argument("--show", action="store_true", help="print every outcome")
    parser.add_argument("--length", type=int, default=400, help="characters of a message to print")
    parser.add_argument("--json", default="", help="also write the counts to this file")
    return parser.parse_args()


def all_trials(material: Path, seed: int, *, rounds: int | None) -> Iterator[Trial]:
    """Yield trials of files and of options in turn; each round has another seed."""
    from fuzzing.files import file_trials
    from fuzzing.options import option_trials

    for number in itertools.count(seed) if rounds is None else range(seed, seed + rounds):
        pairs = itertools.zip_longest(
            file_trials(material, number, slow=rounds is None), option_trials(material, number)
        )
        yield from (trial for pair in pairs for trial in pair if trial is not None)


def table(outcomes: Iterable[Outcome]) -> str:
    """Return the number of outcomes of each class by command."""
    counts: dict[str, Counter[str]] = {}
    for outcome in outcomes:
        counts.setdefault(outcome.trial.command, Counter())[outcome.kind] += 1
    total = sum(counts.values(), Counter())
    lines = [f"{'':20}" + "".join(f"{name:>10}" for name in CLASSES)]
    for command, found in [*sorted(counts.items()), ("all", total)]:
        lines.append(f"{command:20}" + "".join(f"{found[name]:>10}" for name in CLASSES))
    return "\n".join(lines)


def _line(outcome: Outcome, length: int) -> str:
    text = outcome.text.strip().replace("\n", "\n    ")
    shown = text if len(text) <= length else f"…{text[-length:]}"
    return f"{outcome.kind.upper()} {outcome.trial.command}: {outcome.trial.fault}\n    {shown}"


def _make_material(folder: Path) -> None:
    """Make the material in a process of its own, so that no library starts threads in this one, which forks."""
    from fuzzing.material import write_material

    process = os.fork()
    if process == 0:
        code = 1
        try:
            write_material(folder)
            code = 0
        finally:
            sys.stdout.flush()
            os._exit(code)
    if os.waitpid(process, 0)[1] != 0:
        raise SystemExit("The good inputs could not be made.")


def _load_everything() -> None:
    """Import what the trials need once instead of in each process."""
    import importlib

    for module in _MODULES:
        importlib.import_module(f"ThyroidSynthLib.{module}")
    importlib.import_module("pydicom")
    importlib.import_module("safetensors.torch")
    importlib.import_module("SimpleITK")


if __name__ == "__main__":
    sys.exit(main())
