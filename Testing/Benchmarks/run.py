"""Measure speed and print one table: `make bench`.

Every row that has a reference was measured beside it in this run, so its ratio can be trusted on any
machine; the times themselves are this machine's, on this day.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
import torch
from growth import growth_rows
from live import rows_of_own_process
from material import CASES, Material, make_material
from memory import memory_row
from reference import BatchOfOneLoop, decode_slice_by_slice, perceptron_like
from timing import Row, machine, median_seconds, print_table

from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.evaluation.experiments.reconstruction import reconstruct_cases, summarise
from ThyroidSynthLib.generation.decode.decoding import decode, decoding_box
from ThyroidSynthLib.generation.fit.fitting import fit_surface
from ThyroidSynthLib.generation.shapes import ModelShapes
from ThyroidSynthLib.generation.steer.direct_sampling import generate
from ThyroidSynthLib.generation.steer.steering import steer_to_target
from ThyroidSynthLib.geometry.targets import Targets
from ThyroidSynthLib.model.presets import settings_for
from ThyroidSynthLib.model.settings import TrainingSettings
from ThyroidSynthLib.model.threads import computing_on
from ThyroidSynthLib.model.trained_model import TrainedModel
from ThyroidSynthLib.training.loop import train

# The first epochs of a training are slower, because most units are still active.
TRAINING_EPOCHS = 10
REFERENCE_EPOCHS = 300
COHORT = 200
# The paper's cases × samples of each per epoch × epochs.
PUBLISHED_SAMPLES = 353 * 1_000 * 10_000


def decoding_rows(material: Material) -> list[Row]:
    """One surface from a code, against the network evaluated on the whole grid."""
    model = material.model
    network = perceptron_like(model.network, model.code_size)
    lower, upper = decoding_box(model)
    rows = []
    for resolution, rounds in ((32, 15), (64, 9), (128, 3)):
        codes = iter(np.tile(model.codes, (20, 1)).astype(np.float32))
        dense_codes = iter(np.tile(model.codes, (20, 1)).astype(np.float32))
        times = median_seconds(
            {
                "ours": lambda r=resolution, c=codes: decode(model, next(c), resolution=r),
                "reference": lambda r=resolution, c=dense_codes: decode_slice_by_slice(
                    network, next(c), lower, upper, r
                ),
            },
            rounds=rounds,
        )
        rows.append(
            Row(
                f"one {resolution}³ surface",
                f"median of {rounds}; reference: dense, slice by slice",
                times["ours"],
                "s",
                times["reference"],
                times["reference"] / times["ours"],
            )
        )
    return rows


def training_rows(material: Material) -> list[Row]:
    """Measure samples per second of training on one thread and on all, against the published loop."""
    cohort = material.cohort
    loop = _loop(material)
    epochs = TRAINING_EPOCHS
    settings = settings_for("fast", "fixed", epochs=epochs)
    samples = epochs * CASES * settings.samples_per_shape
    rows = []
    for threads in sorted({1, torch.get_num_threads()}):
        with computing_on(threads):
            times = median_seconds(
                {
                    "ours": lambda: train(cohort, settings, device="cpu"),
                    "reference": lambda: loop.epochs(epochs),
                },
                rounds=3,
            )
        ours, reference = samples / times["ours"], samples / times["reference"]
        step = f"{settings.shapes_per_step} shapes × {settings.samples_per_shape} samples a step"
        setting = f"{epochs} epochs, {step}; reference: 1 shape"
        rows.append(Row(f"training, {threads} thread(s)", setting, ours, "samples/s", reference, ours / reference))
    return rows


def gpu_rows(material: Material) -> list[Row]:
    """Measure samples per second of training on a GPU, if there is one, against the published loop on the same GPU.

    The duration of the whole published schedule is calculated from that.
    """
    works = [
        ("training, GPU", "samples/s"),
        ("training as published, GPU", "samples/s"),
        ("the whole published training, GPU", "h"),
    ]
    if not torch.cuda.is_available():
        return [Row(work, "there is no GPU here", None, unit) for work, unit in works]
    cohort, loop = material.cohort, _loop(material, "cuda")
    paces: dict[str, list[float]] = {"fast": [], "paper": [], "reference": []}

    def loop_on() -> None:
        loop.epochs(5)
        torch.cuda.synchronize()

    loop_on()  # To warm up.
    for _ in range(3):
        for preset in ("fast", "paper"):
            paces[preset].append(_gpu_pace(cohort, settings_for(preset, "fixed", epochs=40)))
        started = time.perf_counter()
        loop_on()
        paces["reference"].append(5 * CASES * 1000 / (time.perf_counter() - started))
    fast, paper, reference = (float(np.median(pace)) for pace in paces.values())
    hours, reference_hours = (PUBLISHED_SAMPLES / pace / 3600 for pace in (paper, reference))
    (ours, unit), (published, _), (whole, hour) = works
    return [
        Row(ours, "8 shapes × 1,000 samples a step; reference: 1 shape", fast, unit, reference, fast / reference),
        Row(published, "1 shape × 1,000 samples a step, both", paper, unit, reference, paper / reference),
        Row(whole, "353 shapes, 10,000 epochs; calculated", hours, hour, reference_hours, reference_hours / hours),
    ]


def _gpu_pace(cohort: Cohort, settings: TrainingSettings) -> float:
    """Return the median samples per second of training, without the first epochs, which are slower."""
    paces: list[float] = []
    train(cohort, settings, device="cuda", on_epoch=lambda report: paces.append(report.samples_per_second))
    return float(np.median(paces[5:]))


def quality_rows(material: Material) -> list[Row]:
    """Measure the time to the Chamfer distance that the published loop reaches in 300 epochs.

    The published loop does best with a small cohort, because it takes one step per shape.
    """
    cohort, loop = material.cohort, _loop(material)
    started = time.perf_counter()
    loop.epochs(REFERENCE_EPOCHS)
    reference = time.perf_counter() - started
    limit = _chamfer(cohort, loop.as_model(_one_epoch_model(cohort)))
    for epochs in (50, 75, 100, 150, 200, 300):
        started = time.perf_counter()
        model = train(cohort, settings_for("fast", "fixed", epochs=epochs), device="cpu")
        ours = time.perf_counter() - started
        reached = _chamfer(cohort, model)
        if reached <= limit:
            break
    setting = f"{reached:.2f} mm after {epochs} epochs; reference: {limit:.2f} mm after {REFERENCE_EPOCHS}"
    return [Row("training to a reconstruction Chamfer", setting, ours, "s", reference, reference / ours)]


def _loop(material: Material, device: str = "cpu") -> BatchOfOneLoop:
    cohort = material.cohort
    fixed = _one_epoch_model(cohort).conditioning.encode(cohort.features)
    return BatchOfOneLoop(np.asarray(cohort.samples), fixed, device=device)


def _one_epoch_model(cohort: Cohort) -> TrainedModel:
    """Return a model of the cohort after one epoch of training."""
    return train(cohort, settings_for("fast", "fixed", epochs=1), device="cpu")


def _chamfer(cohort: Cohort, model: TrainedModel) -> float:
    """Return the mean Chamfer distance over all cases in mm; infinite if a case has no surface."""
    summary = summarise(tuple(reconstruct_cases(model, cohort, list(cohort.ids))))
    return np.inf if summary["without_surface"] else summary["chamfer_mm"]["mean"]


def cohort_rows(folder: Path) -> list[Row]:
    """Thyroids steered to target with measured features and label maps, by as many processes as there are CPUs."""
    command = [
        sys.executable,
        "-m",
        "ThyroidSynthLib.cli",
        "generate",
        "example",
        "--count",
        COHORT,
        "--steer",
        "--quiet",
    ]
    started = time.perf_counter()
    subprocess.run([*map(str, command), "--out", str(folder / "made")], check=True, stdout=subprocess.DEVNULL)
    minutes = (time.perf_counter() - started) / 60 * 1000 / COHORT
    setting = f"three targets each, label maps at 1.5 mm; from {COHORT}, with the start of the processes"
    return [Row("1,000 steered thyroids", setting, minutes, "min")]


def prepare_row(material: Material) -> Row:
    """How long the material's cases took to prepare."""
    setting = "one process: read, check, surface, features, 50,000 SDF samples"
    return Row("prepare a case", setting, material.seconds_per_case, "s")


def synthesis_rows(material: Material) -> list[Row]:
    """Steering to three targets and fitting, as a user waits for them."""
    model = material.model
    shapes = ModelShapes(model)
    start = next(generate(model, count=1, seed=0)).thyroid
    low, high = np.percentile(model.features, [25, 75], axis=0)
    rng = np.random.default_rng(0)

    def steer() -> None:
        target = low + (high - low) * rng.random(3)
        steer_to_target(shapes, start, Targets.from_array(target))

    surface = material.cohort.surface(material.cohort.ids[0])
    times = median_seconds({"steer": steer, "fit": lambda: fit_surface(model, surface)}, rounds=5)
    return [
        Row("steer to three targets", "from a random thyroid, measured on 64³ surfaces", times["steer"], "s"),
        Row("fit a thyroid", "an example case the model has not seen; 4,500 points, code of 64 + 4", times["fit"], "s"),
    ]


def main() -> None:
    """Make the material, measure, print."""
    with tempfile.TemporaryDirectory() as folder:
        print(f"Preparing {CASES} example cases …", flush=True)
        material = make_material(Path(folder))
        rows: list[Row] = []
        for measured in (
            lambda: decoding_rows(material),
            lambda: training_rows(material),
            lambda: gpu_rows(material),
            lambda: [prepare_row(material)],
            lambda: growth_rows(material, Path(folder)),
            lambda: synthesis_rows(material),
            lambda: cohort_rows(Path(folder)),
            lambda: quality_rows(material),
            lambda: [memory_row(material, Path(folder))],
            rows_of_own_process,
        ):
            rows += measured()
            print(f"… {rows[-1].work}: {rows[-1].measured}", flush=True)
    print(f"\nThyroidSynth benchmarks, {date.today().isoformat()}\n{machine()}\n")
    print_table(rows)


if __name__ == "__main__":
    main()
