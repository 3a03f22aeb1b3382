"""Train the authors' own code and ours on the same cases: `python Testing/Benchmarks/authors.py CODE [--cases N]`.

CODE is a clone of https://github.com/MIAGroupUT/steerable-shape-synthesis; nothing is downloaded. An example cohort in
the alignment of the paper is written in the format of the published set, from which all models are trained: theirs in a
process of its own, and the presets `paper` and `best` with as many epochs. Their checkpoint is imported as
`thyroidsynth import` does it, so that one implementation decodes, draws and measures all of them. Prints a Markdown
table. Their code needs further packages; --python names a Python that has them.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from timing import machine

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.dataset.authors import AuthorsOptions, prepare_authors_set
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.dataset.prepare import PrepareOptions, prepare_cohort
from ThyroidSynthLib.dataset.synthetic import write_example_dataset
from ThyroidSynthLib.evaluation.experiments.reconstruction import reconstruct_cases, summarise
from ThyroidSynthLib.evaluation.metrics.generation import target_agreement, validity_summary
from ThyroidSynthLib.generation.steer.calibration import calibrated
from ThyroidSynthLib.generation.steer.direct_sampling import generate
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.imaging.ply import write_ply
from ThyroidSynthLib.model.importing import import_checkpoint
from ThyroidSynthLib.model.presets import alignment_for, settings_for
from ThyroidSynthLib.model.threads import computing_on
from ThyroidSynthLib.model.trained_model import TrainedModel

REPOSITORY = "https://github.com/MIAGroupUT/steerable-shape-synthesis"
SCRIPT = Path("thyroidsynthesis", "nn", "train.py")
PACKAGES = {
    "torch": "torch",
    "lightning": "lightning",
    "pandas": "pandas",
    "trimesh": "trimesh",
    "skimage": "scikit-image",
    "point_cloud_utils": "point-cloud-utils",
    "matplotlib": "matplotlib",
    "tqdm": "tqdm",
}
"""What their training imports: module and package."""

HEADER = (
    "| training | seconds, elapsed / CPU | Chamfer (times its floor) | cases without a surface | PCC: volume / "
    "isthmus area / symmetry | volume bias | valid draws |\n|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Training:
    """A trained model, and the elapsed and the CPU seconds of its training."""

    name: str
    model: TrainedModel
    seconds: float
    cpu_seconds: float


def main() -> None:
    """Check what is needed, prepare the cases, train, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("code", type=Path, metavar="CODE", help=f"a clone of {REPOSITORY}")
    parser.add_argument("--cases", type=int, default=52)
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--draws", type=int, default=100, help="random thyroids of each model")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="a Python that has their packages")
    given = parser.parse_args()
    if missing := what_is_missing(given.code, given.python):
        raise SystemExit(missing)
    print(f"{machine()}; {given.cases} cases, {given.epochs} epochs, threads: {given.threads}\n\n{HEADER}", flush=True)
    with tempfile.TemporaryDirectory() as folder, computing_on(given.threads):
        cohort = prepared(Path(folder), given.cases)
        theirs = trained_by_authors(given.code, given.python, cohort, Path(folder), given.epochs, given.threads)
        print(row_of(theirs, cohort, given.draws), flush=True)
        for preset in ("paper", "best"):
            print(row_of(trained_here(preset, cohort, given.epochs, given.threads), cohort, given.draws), flush=True)


def what_is_missing(code: Path, python: Path) -> str:
    """Return what keeps the authors' code from running and the remedy; empty if nothing does."""
    if not (code / SCRIPT).is_file():
        return (
            f"{code} has no {SCRIPT.as_posix()}, which the authors' code has. Clone {REPOSITORY} and give its folder."
        )
    found = f"from importlib.util import find_spec; print(*(n for n in {tuple(PACKAGES)} if not find_spec(n)))"
    try:
        answer = subprocess.run([python, "-c", found], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"{python} is not a Python that can be started ({error}). Give one with --python."
    missing = [PACKAGES[name] for name in answer.stdout.split()]
    if not missing:
        return ""
    return (
        f"{python} lacks packages that the authors' code imports. Install them with '{python} -m pip install "
        f"{' '.join(missing)}', or name another Python with --python."
    )


def prepared(folder: Path, cases: int) -> Cohort:
    """Return example cases as a cohort of the published format, with its set in ``folder/set``."""
    write_example_dataset(folder / "dataset", cases=cases, seed=5, defective_share=0.0, with_ct=False)
    prepare_cohort(folder / "dataset", folder / "own", PrepareOptions(alignment=alignment_for("paper")))
    own = Cohort.open(folder / "own")
    write_set(own, folder / "set")
    scale = AuthorsOptions(scale_mm=tuple(own.frame.scale_mm[::-1]))
    return Cohort.open(prepare_authors_set(folder / "set", folder / "cohort", scale).folder)


def write_set(cohort: Cohort, folder: Path) -> None:
    """Write a cohort in the format of the published set: its axes are S, A, R, and its distances positive inside."""
    for name in ("ply", "sdf"):
        (folder / name).mkdir(parents=True)
    right, anterior, superior = cohort.frame.scale_mm
    units = [right * anterior * superior / 1000, anterior * superior, 1]
    with (folder / "features.csv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(["id", "volume", "isthmus_area", "symmetry"])
        # Their training takes the rows in their order and the samples in that of their names.
        for row, case_id in sorted(enumerate(cohort.ids), key=lambda each: each[1]):
            surface = cohort.surface(case_id)
            # To exchange two axes is a reflection: triangles are turned to face outwards again.
            turned = Surface(cohort.frame.to_unit(surface.vertices)[:, ::-1], surface.faces[:, ::-1])
            write_ply(turned, folder / "ply" / f"{case_id}.ply", comment="unit frame, axes S, A, R")
            samples = np.asarray(cohort.samples[row], dtype=np.float64)
            np.savez(folder / "sdf" / f"{case_id}.npz", points=samples[:, 2::-1], sdf=-samples[:, 3:])
            table.writerow([case_id, *(cohort.features[row] / units)])


def trained_by_authors(code: Path, python: Path, cohort: Cohort, folder: Path, epochs: int, threads: int) -> Training:
    """Train with the authors' code in a process of its own, and import its checkpoint."""
    checkpoint, times = folder / "theirs.ckpt", folder / "times.json"
    # Their trainer takes a GPU if there is one, and the other rows are of the CPU.
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "CUDA_VISIBLE_DEVICES": ""}
    environment.pop("PYTHONPATH", None)
    script = Path(__file__).with_name("authors_training.py")
    given = [code.resolve(), folder / "set", checkpoint, str(epochs), times]
    done = subprocess.run([python, script, *given], env=environment, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"The authors' code ended with an error:\n{done.stderr[-2000:]}")
    imported = import_checkpoint(checkpoint, cohort)
    print(f"Imported: {'; '.join(imported.notes) or 'no notes'}; {imported.error_mm:.2f} mm", file=sys.stderr)
    return Training("authors' code, features fixed", imported.model, **json.loads(times.read_text(encoding="utf-8")))


def trained_here(preset: str, cohort: Cohort, epochs: int, threads: int) -> Training:
    """Train the variant `fixed` with a preset; the time includes the feature map, where the preset has one."""
    import torch

    from ThyroidSynthLib.training.loop import train

    torch.set_num_threads(threads)
    began, cpu = time.perf_counter(), time.process_time()
    model = calibrated(train(cohort, settings_for(preset, "fixed", epochs=epochs), device="cpu"))
    return Training(f"ours, `{preset}`", model, time.perf_counter() - began, time.process_time() - cpu)


def row_of(training: Training, cohort: Cohort, draws: int) -> str:
    """Reconstruct the training cases, draw random thyroids by direct sampling, and return a row of the table."""
    model = training.model
    cases = summarise(list(reconstruct_cases(model, cohort, cohort.ids)))
    chamfer = "–"
    if "chamfer_mm" in cases:
        chamfer = f"{cases['chamfer_mm']['mean']:.2f} mm ({cases['chamfer_over_floor']:.2f})"
    try:
        drawn = list(generate(model, count=draws, seed=0))
    except SynthesisError:
        sampled: Iterable[str] = ("–", "–", "none")
    else:
        found = target_agreement(model, drawn)
        pcc = " / ".join("–" if found[name].pcc is None else f"{found[name].pcc:.3f}" for name in FEATURE_NAMES)
        sampled = (pcc, f"{found['volume_ml'].bias:+.2f} mL", f"{validity_summary(drawn)['share_of_draws']:.0%}")
    seconds = f"{training.seconds:.0f} / {training.cpu_seconds:.0f}"
    surfaces = f"{cases['without_surface']} of {cases['cases']}"
    return f"| {' | '.join((training.name, seconds, chamfer, surfaces, *sampled))} |"


if __name__ == "__main__":
    main()
