"""Write an independent cohort: `python Testing/Benchmarks/independent.py OUT [--cases N] [--seed S]`.

The glands of the example generator are all drawn by the same rules, so cases that were held out from one example cohort
say little about glands that follow other rules. Here each example case is deformed, with its trachea, by a smooth
random displacement that the generator does not know: 3 to 6 mm (root mean square), correlated over 15 to 25 mm. The
result is a dataset for `thyroidsynth prepare`.
"""

from __future__ import annotations

import argparse
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from scipy import ndimage

from ThyroidSynthLib.dataset.synthetic import write_example_dataset
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.volume_files import read_volume, write_volume

AMPLITUDE_MM = (3.0, 6.0)
CORRELATION_MM = (15.0, 25.0)
STRUCTURES = ("thyroid_gland", "trachea")


def main() -> None:
    """Write the dataset."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "dataset"
        write_example_dataset(
            source, cases=given.cases, seed=given.seed, defective_share=0.0, with_ct=False, workers=given.workers
        )
        write = partial(write_deformed, source=source, out=given.out, seed=given.seed)
        with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
            list(pool.map(write, range(given.cases)))


def write_deformed(number: int, *, source: Path, out: Path, seed: int) -> None:
    """Deform one case of a dataset and write its masks."""
    case, rng = f"s{number:04d}", np.random.default_rng([seed, number])
    masks = [read_volume(source / case / "segmentations" / f"{name}.nii.gz") for name in STRUCTURES]
    for name, mask in zip(STRUCTURES, deformed(masks, rng), strict=True):
        write_volume(mask, out / case / "segmentations" / f"{name}.nii.gz")


def deformed(masks: list[Volume], rng: np.random.Generator) -> list[Volume]:
    """Return masks on one grid, moved by the same smooth random displacement."""
    first = masks[0]
    spacing = first.spacing_mm[::-1]
    scale = rng.uniform(*CORRELATION_MM) / spacing
    amplitude = rng.uniform(*AMPLITUDE_MM)
    inside = np.argwhere(first.array != 0)
    lower, upper = inside.min(axis=0), inside.max(axis=0) + 1
    gland = tuple(slice(a, b) for a, b in zip(lower, upper, strict=True))
    waves = np.stack([ndimage.gaussian_filter(rng.standard_normal(first.array.shape), scale) for _ in range(3)])
    around = waves[(slice(None), *gland)]
    waves *= amplitude / np.sqrt((around**2).sum(axis=0).mean())
    index = np.indices(first.array.shape) + waves / spacing[:, None, None, None]
    found = []
    for mask in masks:
        is_in = mask.array != 0
        distance = ndimage.distance_transform_edt(~is_in, spacing) - ndimage.distance_transform_edt(is_in, spacing)
        moved = ndimage.map_coordinates(distance, index, order=1, mode="nearest")
        found.append(Volume((moved < 0).astype(np.uint8), mask.ijk_to_ras))
    return found


if __name__ == "__main__":
    main()
