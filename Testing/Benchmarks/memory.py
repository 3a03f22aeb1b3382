"""Resident memory of a training on a cohort of the paper's size."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from material import Material
from timing import Row

CASES = 353

# Run in a separate process, so that nothing else is counted.
_TRAINING = """
import resource, sys
from dataclasses import replace
import numpy as np
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.model.presets import settings_for
from ThyroidSynthLib.training.loop import train
small, samples, cases = Cohort.open(sys.argv[1]), np.load(sys.argv[2], mmap_mode="r"), int(sys.argv[3])
rows = np.arange(cases) % len(small.ids)
ids = tuple(f"case{row}" for row in range(cases))
large = replace(small, ids=ids, features=small.features[rows], samples=samples)
train(large, settings_for("fast", "fixed", epochs=5), device="cpu")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def memory_row(material: Material, folder: Path) -> Row:
    """Measure the peak of five epochs on the material's cases, repeated to the paper's 353.

    Cached pages of the memory-mapped samples are counted too, although the operating system may free them.
    """
    samples = folder / "samples.npy"
    source = material.cohort.samples
    many = np.lib.format.open_memmap(samples, mode="w+", dtype=np.float32, shape=(CASES, *source.shape[1:]))
    for row in range(CASES):
        many[row] = source[row % len(source)]
    many.flush()
    done = subprocess.run(
        [sys.executable, "-c", _TRAINING, str(material.cohort.folder), str(samples), str(CASES)],
        check=True,
        capture_output=True,
        text=True,
    )
    peak_kib = json.loads(done.stdout)
    return Row(
        "resident memory of a training, peak", f"{CASES} cases × {source.shape[1]:,} samples", peak_kib / 2**20, "GiB"
    )
