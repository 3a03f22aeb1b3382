"""Measure speed and print one table: `make bench`.

Every row that has a reference was measured beside it in this run, so its ratio can be trusted on any
machine; the times themselves are this machine's, on this day.
"""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

import numpy as np
from material import CASES, EPOCHS, Material, make_material
from reference import BatchOfOneLoop, decode_slice_by_slice, perceptron_like
from timing import Row, machine, median_seconds, print_table

from ThyroidSynthLib.learning.presets import settings_for
from ThyroidSynthLib.learning.training import train
from ThyroidSynthLib.synthesis.decoding import decode, decoding_box
from ThyroidSynthLib.synthesis.fitting import fit_surface
from ThyroidSynthLib.synthesis.shapes import ModelShapes
from ThyroidSynthLib.synthesis.steering import generate
from ThyroidSynthLib.synthesis.targeting import steer_to_target

TRAINING_STEPS = 60


def decoding_rows(material: Material) -> list[Row]:
    """One surface from a code, against the network evaluated on the whole grid."""
    model = material.model
    network = perceptron_like(model.network, model.code_size)
    lower, upper = decoding_box(model)
    rows = []
    for resolution, rounds in ((64, 9), (128, 3)):
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
    """Samples learned from per second, against one shape a step."""
    cohort = material.cohort
    loop = BatchOfOneLoop(np.asarray(cohort.samples), material.model.conditioning.encode(cohort.features))
    epochs = max(1, TRAINING_STEPS // CASES)
    settings = settings_for("fast", "fixed", epochs=epochs)

    def batch_of_one() -> None:
        for step in range(epochs * CASES):
            loop.step(step % CASES)

    times = median_seconds({"ours": lambda: train(cohort, settings, device="cpu"), "reference": batch_of_one}, rounds=5)
    samples = epochs * CASES * settings.samples_per_shape
    ours, reference = samples / times["ours"], samples / times["reference"]
    setting = (
        f"{settings.shapes_per_step} shapes × {settings.samples_per_shape} samples a step, CPU; reference: 1 shape"
    )
    return [Row("training", setting, ours, "samples/s", reference, ours / reference)]


def synthesis_rows(material: Material) -> list[Row]:
    """Steering to three targets and fitting, as a user waits for them."""
    model = material.model
    shapes = ModelShapes(model)
    start = next(generate(model, count=1, seed=0))
    low, high = np.percentile(model.features, [25, 75], axis=0)
    rng = np.random.default_rng(0)

    def steer() -> None:
        wish = low + (high - low) * rng.random(3)
        steer_to_target(shapes, start, dict(zip(start.measured.as_dict(), wish, strict=True)))

    surface = material.cohort.surface(material.cohort.ids[0])
    times = median_seconds({"steer": steer, "fit": lambda: fit_surface(model, surface)}, rounds=5)
    return [
        Row("steer to three targets", "from a random thyroid, measured on 64³ surfaces", times["steer"], "s"),
        Row("fit a thyroid", "4,500 points, code of 64 + 4", times["fit"], "s"),
    ]


def main() -> None:
    """Make the material, measure, print."""
    with tempfile.TemporaryDirectory() as folder:
        print(f"Preparing {CASES} example cases and training a model for {EPOCHS} epochs …", flush=True)
        material = make_material(Path(folder))
        rows = [
            *decoding_rows(material),
            *training_rows(material),
            Row(
                "prepare a case",
                "one process: read, check, surface, features, 50,000 SDF samples",
                material.seconds_per_case,
                "s",
            ),
            *synthesis_rows(material),
        ]
    print(f"\nThyroidSynth benchmarks, {date.today().isoformat()}\n{machine()}\n")
    print_table(rows)


if __name__ == "__main__":
    main()
