"""Generated cohorts of boxes, whose features are known exactly."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from ThyroidSynthLib.export.cohort.generated_cohort import record_cohort, thyroid_writer
from ThyroidSynthLib.generation.thyroid import GeneratedThyroid, Thyroid, Validity
from ThyroidSynthLib.geometry.features import Features
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.targets import Targets

BOX = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=float)
QUADS = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
FACES = np.array([face for a, b, c, d in QUADS for face in ((a, b, c), (a, c, d))])
A_MODEL = SimpleNamespace(
    checksum="feed", variant="fixed", synthetic=True, provenance={"cohort": {"checksum": "c0de", "synthetic": True}}
)


def a_thyroid(number: int = 0, *, closed: bool = True, met: bool | None = None) -> GeneratedThyroid:
    half = np.array([12.2, 6.1, 18.4]) + number
    surface = Surface(BOX * half, FACES if closed else FACES[1:])
    thyroid = Thyroid(
        code=np.linspace(-1, 1, 7, dtype=np.float32) + number,
        measured=Features(float(np.prod(2 * half)) / 1000, 100.0, 1.0),
        surface=surface,
        validity=Validity(closed=closed, components=1, touches_box=False),
    )
    return GeneratedThyroid(
        thyroid,
        Targets(volume_ml=15.0 + number),
        seed=42,
        index=number,
        attempts=1 + number,
        met=met,
        distance=None if met is None else 1.5,
    )


def write_cohort(thyroids, folder: Path, *, placement=None, options=None, surroundings=None, **settings):
    writer = thyroid_writer(folder, placement, options, surroundings)
    written = (writer.write(thyroid, number) for number, thyroid in enumerate(thyroids, start=1))
    return record_cohort(written, folder, model=A_MODEL, placement=writer.placement, **settings)


def read_manifest(folder: Path):
    with (folder / "manifest.csv").open(newline="") as stream:
        return json.loads((folder / "manifest.json").read_text()), list(csv.DictReader(stream))
