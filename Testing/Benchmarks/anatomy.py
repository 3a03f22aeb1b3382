"""Compare an example cohort with real thyroids: `python Testing/Benchmarks/anatomy.py [DATASET]`.

Without a dataset, 100 cases without defects are made. The real figures are those of 46 complete thyroids of the
TotalSegmentator subset and of three single ones (``Testing/support/anatomy.py``).
"""

from __future__ import annotations

import csv
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, fields
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from ThyroidSynthLib.api.patient import case_of
from ThyroidSynthLib.dataset.synthetic import write_example_dataset

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from support.anatomy import REAL, GlandFigures, gland_figures  # noqa: E402

CASES = 100
# Quartiles and correlations of the logarithm of the volume with those of the extents: 46 complete thyroids; in the
# correlations without the one of 0.7 mL.
REAL_QUARTILES = {
    "volume_ml": (11.7, 13.2, 16.1),
    "extent_lr_mm": (46.5, 51.8, 56.6),
    "extent_ap_mm": (27.0, 29.2, 34.1),
    "extent_si_mm": (40.9, 49.5, 54.0),
}
REAL_CORRELATIONS = {"extent_lr_mm": 0.73, "extent_ap_mm": 0.45, "extent_si_mm": 0.19}


def main(arguments: list[str]) -> None:
    """Print the table."""
    if arguments:
        _print_tables(Path(arguments[0]))
        return
    with tempfile.TemporaryDirectory() as folder:
        dataset = Path(folder) / "dataset"
        write_example_dataset(dataset, cases=CASES, defective_share=0.0, with_ct=False)
        _print_tables(dataset)


def _print_tables(dataset: Path) -> None:
    with (dataset / "ground_truth.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if not row["defect"]]
    truth = {name: np.array([float(row[name]) for row in rows]) for name in rows[0] if _is_number(rows[0][name])}
    print(f"{len(rows)} cases of {dataset.name}\n")
    print("| population | real | example cohort |\n|---|---|---|")
    for name, quartiles in REAL_QUARTILES.items():
        ours = np.percentile(truth[name], (25, 50, 75))
        print(f"| {name}, quartiles | {_listed(quartiles, '.1f')} | {_listed(ours, '.1f')} |")
    print(f"| volume_ml, smallest and largest | 0.7 / 62.6 | {_listed(truth['volume_ml'][[*_ends(truth)]], '.1f')} |")
    sizes = truth["volume_ml"] > 2.0
    for name, real in REAL_CORRELATIONS.items():
        ours = np.corrcoef(np.log(truth["volume_ml"][sizes]), np.log(truth[name][sizes]))[0, 1]
        print(f"| log volume with log {name} | {real:.2f} | {ours:.2f} |")
    print(f"| share without isthmus | up to 0.33 | {np.mean(truth['isthmus_area_mm2'] == 0.0):.2f} |")
    print(f"| share with one lobe | 0.02 to 0.03 | {np.mean(truth['hemi_agenesis']):.3f} |")
    with_isthmus = truth["pyramidal_lobe"][truth["isthmus_area_mm2"] > 0.0]
    print(f"| share of pyramidal lobes, with isthmus | 0.48 | {np.mean(with_isthmus):.2f} |")
    ends = np.percentile(truth["trachea_width_mm"], (0, 50, 100))
    print(f"| trachea_width_mm, smallest, median, largest | 12 to 24 | {_listed(ends, '.1f')} |\n")

    folders = [dataset / row["case_id"] for row in rows]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        figures = np.array([astuple(each) for each in pool.map(_figures, folders, chunksize=8)])
    print(f"| shape | {' / '.join(REAL)} | example cohort: 5th, 50th, 95th percentile |\n|---|---|---|")
    for index, field in enumerate(fields(GlandFigures)):
        real = [getattr(each, field.name) for each in REAL.values()]
        ours = np.nanpercentile(figures[:, index], (5, 50, 95))
        print(f"| {field.name} | {_listed(real, '.2f')} | {_listed(ours, '.2f')} |")


def _figures(folder: Path) -> GlandFigures:
    return gland_figures(case_of(folder))


def _ends(truth: dict[str, np.ndarray]) -> tuple[int, int]:
    return int(np.argmin(truth["volume_ml"])), int(np.argmax(truth["volume_ml"]))


def _listed(values, form: str) -> str:
    return " / ".join("–" if np.isnan(value) else format(value, form) for value in values)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1:])
