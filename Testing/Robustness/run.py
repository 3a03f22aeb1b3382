"""Kill commands at random moments and start them twice at once; print a table and what went wrong.

``make robustness`` kills each command 100 times and starts 20 pairs of it; a few of both are part of ``make test``.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import random
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT / "ThyroidSynth"), str(PROJECT / "Testing")]

COMMANDS = ("prepare", "train", "generate", "edit", "evaluate", "example-cohort")


def trials(inputs: Path) -> list:
    """Return the commands: each into a new folder, and in place of an earlier result."""
    from support.interruptions import Trial
    from support.kept_models import kept_model

    model, cohort, case = str(kept_model("tiny")), str(inputs / "cohort"), str(inputs / "dataset" / "s0001")
    prepare = ("prepare", str(inputs / "dataset"), "--out", "{out}", "--workers", "2", "--samples")
    train = ("train", cohort, "--job", "{out}/job", "--out", "{out}/model.safetensors", "--device", "cpu")
    train += ("--epochs", "6", "--checkpoint-every", "0", "--seed")
    generate = ("generate", model, "--count", "6", "--spacing", "3", "--mesh", "ply", "--out", "{out}")
    edit = ("edit", model, case, "--mesh", "ply", "--out", "{out}", "--volume")
    evaluate = ("evaluate", model, cohort, "--to-target", "1", "--moves", "0", "--cases", "1", "--out", "{out}")
    example = ("example-cohort", "--cases", "3", "--no-ct", "--workers", "2", "--out", "{out}")
    return [
        Trial("prepare", (*prepare, "2000"), resumes=True),
        Trial("prepare --overwrite", (*prepare, "2000", "--overwrite"), (*prepare, "1000")),
        Trial("train", (*train, "0"), resumes=True),
        Trial("train --restart", (*train, "0", "--restart"), (*train, "1"), resumes=True),
        Trial("generate", (*generate, "--workers", "1"), resumes=True),
        Trial("generate, 2 workers", (*generate, "--workers", "2"), resumes=True),
        Trial("generate --overwrite", (*generate, "--workers", "1", "--overwrite"), (*generate, "--seed", "1")),
        Trial("edit", (*edit, "+5%")),
        Trial("edit --overwrite", (*edit, "+5%", "--overwrite"), (*edit, "+8%")),
        Trial("evaluate", (*evaluate, "--count", "4")),
        Trial("evaluate --overwrite", (*evaluate, "--count", "4", "--overwrite"), (*evaluate, "--count", "5")),
        Trial("example-cohort", example),
    ]


def make_inputs(folder: Path) -> None:
    """Write a dataset and a cohort, in a process of its own: this one must not start threads before it forks."""
    pid = os.fork()
    if pid:
        if os.waitpid(pid, 0)[1]:
            raise RuntimeError("The inputs could not be written.")
        return
    from support.tiny_cohort import write_tiny_cohort
    from ThyroidSynthLib.dataset.synthetic import write_example_dataset

    write_example_dataset(folder / "dataset", cases=2, defective_share=0.0, with_ct=False, workers=1)
    write_tiny_cohort(folder / "cohort", cases=6, samples_per_shape=500)
    os._exit(0)


def import_all() -> None:
    """Import the library and what it uses, so that a fork begins its work at once."""
    import ThyroidSynthLib

    for module in pkgutil.walk_packages(ThyroidSynthLib.__path__, "ThyroidSynthLib."):
        if ".slicer" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in ("matplotlib.pyplot", "SimpleITK", "torch", "vtkmodules.all"):
        importlib.import_module(name)


def main() -> int:
    """Run the trials."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="number of kills for each command (default: 100)")
    parser.add_argument("--pairs", type=int, default=20, help="number of pairs for each command (default: 20)")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30), help="random seed (default: a new one)")
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=COMMANDS)
    options = parser.parse_args()

    from support.interruptions import Tester

    import_all()

    print(f"seed {options.seed}")
    faults = []
    with tempfile.TemporaryDirectory(prefix="thyroidsynth-") as name:
        make_inputs(Path(name))
        for command in options.commands:
            chosen = [trial for trial in trials(Path(name)) if trial.arguments[0] == command]
            for number, trial in enumerate(chosen):
                tester = Tester(trial, Path(name) / trial.name, options.seed)
                for index in range(max(options.kills, options.pairs)):
                    if index < options.kills and index % len(chosen) == number:
                        tester.kill()
                    if index < options.pairs and index % len(chosen) == number:
                        tester.pair()
                counts = ", ".join(f"{count} {what}" for what, count in sorted(tester.report.counts.items()) if count)
                print(
                    f"{trial.name} ({tester.seconds:.1f} s): {counts}; {len(tester.report.faults)} faults", flush=True
                )
                faults += tester.report.faults
    print("\n".join(faults) or "No faults.")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
