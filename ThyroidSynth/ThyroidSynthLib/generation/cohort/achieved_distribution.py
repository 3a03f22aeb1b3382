"""The distribution of a generated cohort's features compared with its targets and the training cohort."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib.common.files import write_json, write_text
from ThyroidSynthLib.generation.steer.feature_space import FeatureSpace
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.geometry.targets import Targets

DISTRIBUTION_JSON = "distribution.json"
DISTRIBUTION_CSV = "distribution.csv"
DISTRIBUTION_PNG = "distribution.png"
DISTRIBUTION_FILES = (DISTRIBUTION_JSON, DISTRIBUTION_CSV, DISTRIBUTION_PNG)

QUANTILES = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)

_SAMPLES = ("targets", "measured", "cohort")
_AREA = FEATURE_NAMES.index("isthmus_area_mm2")
# Largest share of thyroids with one and the same target at which a Kolmogorov-Smirnov distance is reported.
_MOST_EQUAL = 0.1


class AchievedDistribution:
    """Targets and measured features of a generated cohort, collected thyroid by thyroid.

    The features are those of the thyroids as they were written. They are compared with those (n, 3) of the training
    cohort. `distribution` is the target distribution in words, by feature.
    """

    def __init__(self, features: np.ndarray, distribution: Mapping[str, str] | None = None) -> None:
        self.cohort = np.asarray(features, dtype=np.float64)
        self._distribution = None if distribution is None else dict(distribution)
        self._entries: list[dict[str, Any]] = []

    def add(self, entry: Mapping[str, Any]) -> None:
        """Add a thyroid by its entry in the manifest."""
        self._entries.append({key: entry[key] for key in ("id", "targets", "written", "measured_on", "met")})

    @property
    def targets(self) -> np.ndarray:
        """Targets of each thyroid, shape (m, 3), NaN where a feature was free."""
        return np.array([Targets.of(entry["targets"]).as_array() for entry in self._entries]).reshape(-1, 3)

    @property
    def measured(self) -> np.ndarray:
        """Measured features of each thyroid as it was written, shape (m, 3)."""
        return np.array([[entry["written"][name] for name in FEATURE_NAMES] for entry in self._entries]).reshape(-1, 3)

    def headline(self) -> dict[str, Any]:
        """Return the most important numbers, for the manifest."""
        summary = self.summary()
        features = {
            name: {key: found[key] for key in ("ks_to_target", "largest_quantile_error", "ks_to_cohort")}
            for name, found in summary["features"].items()
        }
        keys = ("targets", "thyroids", "met", "without_isthmus", "unmet", "unmet_by_region")
        return {**{key: summary[key] for key in keys}, "features": features}

    def summary(self) -> dict[str, Any]:
        """Return the agreement by feature, rank correlations, and unmet targets by thyroid and by region.

        Only thyroids with a target for a feature count for its agreement. There is no Kolmogorov-Smirnov
        distance to the targets where many are equal: measured values scatter around the common target, and
        however little they do, half of them would count as below it.
        """
        targets, measured = self.targets, self.measured
        samples = dict(zip(_SAMPLES, (targets, measured, self.cohort), strict=True))
        unmet, met = self._unmet(), [entry["met"] for entry in self._entries]
        return {
            "targets": self._distribution,
            "thyroids": len(measured),
            "measured_on": dict(Counter(entry["measured_on"] for entry in self._entries)),
            "met": None if None in met else sum(met),
            "features": {
                name: _agreement(targets[:, column], measured[:, column], self.cohort[:, column])
                for column, name in enumerate(FEATURE_NAMES)
            },
            "without_isthmus": {
                "targets": _share_of_zeros(targets[:, _AREA]),
                "measured": _share_of_zeros(_with_target(targets[:, _AREA], measured[:, _AREA])),
                "cohort": _share_of_zeros(self.cohort[:, _AREA]),
            },
            "rank_correlation": {
                f"{FEATURE_NAMES[a]} with {FEATURE_NAMES[b]}": {
                    name: rank_correlation(values[:, a], values[:, b]) for name, values in samples.items()
                }
                for a, b in combinations(range(3), 2)
            },
            "unmet": unmet,
            "unmet_by_region": self._by_region(unmet),
        }

    def write(self, folder: Path) -> None:
        """Write `DISTRIBUTION_JSON` and `DISTRIBUTION_CSV`."""
        summary = self.summary()
        write_json(folder / DISTRIBUTION_JSON, summary)
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        columns = ("targets", "measured", "error", "cohort")
        table.writerow(["feature", "quantile", *columns])
        for name, found in summary["features"].items():
            for row in found["quantiles"]:
                values = ["" if row[column] is None else f"{row[column]:.6g}" for column in columns]
                table.writerow([name, row["quantile"], *values])
        write_text(folder / DISTRIBUTION_CSV, text.getvalue())

    def _unmet(self) -> list[dict[str, Any]]:
        space, unmet = FeatureSpace(self.cohort), []
        for entry, values in zip(self._entries, self.targets, strict=True):
            if entry["met"] is False:
                targets = Targets.from_array(values).as_dict()
                nearest = {name: entry["written"][name] for name in targets}
                unmet.append(
                    {"id": entry["id"], "targets": targets, "nearest": nearest, "region": space.region(values)}
                )
        return unmet

    def _by_region(self, unmet: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if not unmet:
            return []
        space = FeatureSpace(self.cohort)
        targets = Counter(space.region(values) for values in self.targets)
        regions = Counter(each["region"] for each in unmet).most_common()
        return [{"region": region, "targets": targets[region], "unmet": count} for region, count in regions]


def ks_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Kolmogorov-Smirnov distance of two samples (n,) and (m,)."""
    from scipy.stats import ks_2samp

    # Only the p value, which is not used, depends on the method: the exact one takes long, the asymptotic one
    # divides by zero for samples of one.
    with np.errstate(divide="ignore"):
        return float(ks_2samp(first, second, method="asymp").statistic)


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    """Return Spearman's correlation of two features (n,), NaN left out; None where it is not defined."""
    from scipy.stats import spearmanr

    known = np.isfinite(first) & np.isfinite(second)
    if known.sum() < 3 or np.ptp(first[known]) == 0 or np.ptp(second[known]) == 0:
        return None
    return float(spearmanr(first[known], second[known]).statistic)


def _with_target(targets: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Return the measured values of the thyroids with a target; of all if none has one."""
    known = np.isfinite(targets)
    return measured[known] if known.any() else measured


def _agreement(targets: np.ndarray, measured: np.ndarray, cohort: np.ndarray) -> dict[str, Any]:
    measured, targets = _with_target(targets, measured), targets[np.isfinite(targets)]
    errors = measured - targets if len(targets) else np.array([])
    levels = {name: _quantiles(values) for name, values in zip(_SAMPLES, (targets, measured, cohort), strict=True)}
    quantile_errors = np.subtract(levels["measured"], levels["targets"]).tolist() if len(targets) else []
    quantiles = [
        {
            "quantile": share,
            **{name: values[place] if values else None for name, values in levels.items()},
            "error": quantile_errors[place] if quantile_errors else None,
        }
        for place, share in enumerate(QUANTILES)
    ]
    return {
        "targets_of": len(targets),
        "ks_to_target": ks_distance(targets, measured) if len(targets) and not _many_equal(targets) else None,
        "largest_quantile_error": max(quantile_errors, key=abs, default=None),
        "mean_error": float(errors.mean()) if len(errors) else None,
        "mean_absolute_error": float(np.abs(errors).mean()) if len(errors) else None,
        "ks_to_cohort": ks_distance(measured, cohort) if len(measured) else None,
        "quantiles": quantiles,
    }


def _many_equal(targets: np.ndarray) -> bool:
    """Return whether many targets (n,) are one value other than 0: no isthmus is measured as exactly 0."""
    most = int(np.unique(targets[targets != 0], return_counts=True)[1].max(initial=0))
    return most > 1 and most > _MOST_EQUAL * len(targets)


def _quantiles(sample: np.ndarray) -> list[float]:
    return np.quantile(sample, QUANTILES, method="hazen").tolist() if len(sample) else []


def _share_of_zeros(areas: np.ndarray) -> float | None:
    areas = areas[np.isfinite(areas)]
    return float((areas == 0).mean()) if len(areas) else None
