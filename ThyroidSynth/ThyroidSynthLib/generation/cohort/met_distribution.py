"""How near a generated cohort is to the distribution that was asked for, and what of it could not be met."""

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

_AREA = FEATURE_NAMES.index("isthmus_area_mm2")
# Largest share of thyroids with one and the same target at which distributions are compared as if values were spread.
_MOST_ALIKE = 0.1


class MetDistribution:
    """Collects what was asked of thyroids and what they measure, and compares the two as distributions.

    Parameters
    ----------
    features : ndarray, shape (n, 3)
        Of the training cohort.
    asked : mapping, optional
        How the cohort is asked to be distributed, in words.
    """

    def __init__(self, features: np.ndarray, targets: Mapping[str, str] | None = None) -> None:
        self.cohort = np.asarray(features, dtype=np.float64)
        self._words = dict(targets) if targets is not None else None
        self._ids: list[str] = []
        self._targets: list[np.ndarray] = []
        self._measured: list[np.ndarray] = []
        self._met: list[bool | None] = []

    def add(self, entry: Mapping[str, Any]) -> None:
        """Add a thyroid by its entry in the manifest."""
        self._ids.append(entry["id"])
        self._targets.append(Targets.of(entry["targets"]).as_array())
        self._measured.append(np.array([entry["measured"][name] for name in FEATURE_NAMES]))
        self._met.append(entry["met"])

    @property
    def targets(self) -> np.ndarray:
        """What was asked of each, shape (m, 3), NaN where a feature was free."""
        return np.array(self._targets).reshape(-1, 3)

    @property
    def measured(self) -> np.ndarray:
        """What each measures, shape (m, 3)."""
        return np.array(self._measured).reshape(-1, 3)

    def headline(self) -> dict[str, Any]:
        """Give the few numbers that say how near it is, for the manifest."""
        whole = self.summary()
        features = {
            name: {key: found[key] for key in ("ks_to_target", "largest_quantile_error", "ks_to_cohort")}
            for name, found in whole["features"].items()
        }
        kept = ("targets", "thyroids", "met", "without_isthmus", "unmet", "unmet_by_region")
        return {**{key: whole[key] for key in kept}, "features": features}

    def summary(self) -> dict[str, Any]:
        """Give everything: agreement by feature, joint ranks, and what is unmet, by thyroid and by region.

        Where a feature was asked of some thyroids only, these are compared. Where many were asked for the same
        value there is no Kolmogorov-Smirnov distance to what was asked: met ever so closely, from above and
        below, that value would count as half of them missed.
        """
        targets, measured = self.targets, self.measured
        return {
            "targets": self._words,
            "thyroids": len(measured),
            "met": sum(met is True for met in self._met) if None not in self._met else None,
            "features": {
                name: _agreement(targets[:, column], measured[:, column], self.cohort[:, column])
                for column, name in enumerate(FEATURE_NAMES)
            },
            "without_isthmus": {
                "targets": _share_of_zeros(targets[:, _AREA]),
                "measured": _share_of_zeros(_compared(targets[:, _AREA], measured[:, _AREA])),
                "cohort": _share_of_zeros(self.cohort[:, _AREA]),
            },
            "rank_correlation": {
                f"{FEATURE_NAMES[a]} with {FEATURE_NAMES[b]}": {
                    "targets": rank_correlation(targets[:, a], targets[:, b]),
                    "measured": rank_correlation(measured[:, a], measured[:, b]),
                    "cohort": rank_correlation(self.cohort[:, a], self.cohort[:, b]),
                }
                for a, b in combinations(range(3), 2)
            },
            "unmet": self._unmet(),
            "unmet_by_region": self._by_region(),
        }

    def write(self, folder: Path) -> None:
        """Write `DISTRIBUTION_JSON` and `DISTRIBUTION_CSV`."""
        found = self.summary()
        write_json(folder / DISTRIBUTION_JSON, found)
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["feature", "quantile", "targets", "measured", "error", "cohort"])
        for name, values in found["features"].items():
            for each in values["quantiles"]:
                numbers = (each[key] for key in ("targets", "measured", "error", "cohort"))
                table.writerow([name, each["quantile"], *("" if n is None else f"{n:.6g}" for n in numbers)])
        write_text(folder / DISTRIBUTION_CSV, text.getvalue())

    def _unmet(self) -> list[dict[str, Any]]:
        space, found = FeatureSpace(self.cohort), []
        for place, met in enumerate(self._met):
            if met is False:
                targets, nearest = _named(self._targets[place]), _named(self._measured[place])
                found.append(
                    {
                        "id": self._ids[place],
                        "targets": targets,
                        "nearest": {name: nearest[name] for name in targets},
                        "region": space.region(self._targets[place]),
                    }
                )
        return found

    def _by_region(self) -> list[dict[str, Any]]:
        space = FeatureSpace(self.cohort)
        unmet = Counter(entry["region"] for entry in self._unmet())
        if not unmet:
            return []
        targets = Counter(space.region(values) for values in self._targets)
        return [{"region": name, "targets": targets[name], "unmet": count} for name, count in unmet.most_common()]


def ks_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Largest difference of the cumulative distributions of two samples (n,) and (m,) (Kolmogorov-Smirnov)."""
    places = np.concatenate([first, second])
    below = [np.searchsorted(np.sort(sample), places, side="right") / len(sample) for sample in (first, second)]
    return float(np.abs(below[0] - below[1]).max())


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    """Correlation of the ranks of two features (n,) (Spearman), or None where it has no meaning."""
    there = np.isfinite(first) & np.isfinite(second)
    ranks = [_ranks(values[there]) for values in (first, second)]
    if there.sum() < 3 or any(np.ptp(each) == 0 for each in ranks):
        return None
    return float(np.corrcoef(*ranks)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks (n,), equal values sharing theirs."""
    ordered = np.sort(values)
    return (np.searchsorted(ordered, values) + np.searchsorted(ordered, values, side="right")) / 2


def _compared(targets: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Give what those thyroids measure that were asked for the feature; all when none was."""
    there = np.isfinite(targets)
    return measured[there] if there.any() else measured


def _agreement(targets: np.ndarray, measured: np.ndarray, cohort: np.ndarray) -> dict[str, Any]:
    wanted, found = targets[np.isfinite(targets)], _compared(targets, measured)
    levels = {name: _levels(sample) for name, sample in (("targets", wanted), ("measured", found), ("cohort", cohort))}
    quantiles = [
        {
            "quantile": share,
            "targets": levels["targets"][place],
            "measured": levels["measured"][place],
            "error": levels["measured"][place] - levels["targets"][place] if len(wanted) else None,
            "cohort": levels["cohort"][place],
        }
        for place, share in enumerate(QUANTILES)
    ]
    return {
        "targets_of": len(wanted),
        "ks_to_target": ks_distance(wanted, found) if len(wanted) and not _piled_up(wanted) else None,
        "largest_quantile_error": max((each["error"] for each in quantiles), key=abs) if len(wanted) else None,
        "mean_error": float((found - wanted).mean()) if len(wanted) else None,
        "mean_absolute_error": float(np.abs(found - wanted).mean()) if len(wanted) else None,
        "ks_to_cohort": ks_distance(found, cohort) if len(found) else None,
        "quantiles": quantiles,
    }


def _piled_up(wanted: np.ndarray) -> bool:
    """Say whether many of the targets (n,) are one value; none of 0, which no isthmus meets exactly."""
    most = int(np.unique(wanted[wanted != 0], return_counts=True)[1].max(initial=0))
    return most > 1 and most > _MOST_ALIKE * len(wanted)


def _levels(sample: np.ndarray) -> list[float | None]:
    if len(sample) == 0:
        return [None] * len(QUANTILES)
    return np.quantile(sample, QUANTILES, method="hazen").tolist()


def _share_of_zeros(areas: np.ndarray) -> float | None:
    areas = areas[np.isfinite(areas)]
    return float((areas == 0).mean()) if len(areas) else None


def _named(values: np.ndarray) -> dict[str, float]:
    return {name: float(value) for name, value in zip(FEATURE_NAMES, values, strict=True) if np.isfinite(value)}
