"""The results of a reader study: how well readers separate real from synthetic shapes, and how well they agree."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import write_json, write_text
from ThyroidSynthLib.common.results import replacing_result
from ThyroidSynthLib.common.wording import counted
from ThyroidSynthLib.evaluation.metrics.reader_agreement import Estimate, area_under_curve, intraclass_correlation
from ThyroidSynthLib.geometry.features import FEATURE_NAMES

from .candidates import REAL, SYNTHETIC
from .order import Showing
from .plan import StudyPlan
from .ratings import RATINGS, Rating, ratings_file, ratings_files, read_ratings, reader_key, reader_of

SUMMARY_FILE = "summary.json"
TEXT_FILE = "summary.txt"
TABLE_FILE = "ratings.csv"
KIND = "reader study summary"

_METHOD = (
    "AUC: area under the ROC curve of the ratings for real against synthetic shapes, 0.5 if they cannot be "
    "distinguished, with the interval of DeLong et al. (1988). ICC: intraclass correlation ICC(2,1), absolute "
    "agreement of single ratings, with the interval of McGraw and Wong (1996). All intervals are 95% intervals. Except "
    "for repeats, both use the first showing of each shape; figures of all readers use the shapes that each has rated."
)


@dataclass(frozen=True)
class _Reader:
    name: str
    order: tuple[Showing, ...]
    ratings: dict[int, Rating]

    def of_showing(self, showing: int) -> dict[int, int]:
        """Return the ratings of first or second showings by number of the shape."""
        return {
            self.order[index].shape: given.rating
            for index, given in self.ratings.items()
            if self.order[index].showing == showing
        }


@dataclass(frozen=True)
class StudySummary:
    """The results of a study.

    Attributes
    ----------
    document : dict
        All figures; None stands for those that the ratings do not define.
    rows : list of dict
        Every rating with the kind, name and features of its shape.
    """

    document: dict[str, Any]
    rows: list[dict[str, Any]]

    @property
    def text(self) -> str:
        """The figures as text."""
        return "\n".join(_lines(self.document))

    def to_csv(self) -> str:
        """Return the ratings as CSV text with a header."""
        stream = io.StringIO()
        writer = csv.DictWriter(stream, list(self.rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in self.rows:
            writer.writerow({name: _not_a_formula(value) for name, value in row.items()})
        return stream.getvalue()


def summarise(folder: Path | str) -> StudySummary:
    """Compute the results of a study from the ratings that are there.

    Raises
    ------
    InputError
        There is no study in the folder, no rating, or a table of ratings was changed by another program.
    """
    plan = StudyPlan.open(folder)
    readers = [reader for path in ratings_files(plan.folder) if (reader := _read(plan, path)).ratings]
    if not readers:
        raise InputError(f"{plan.folder} holds no ratings yet. Let a reader rate the shapes first.")
    kinds = [shape.kind for shape in plan.shapes]
    document = {
        "study": {
            "seed": plan.seed,
            REAL: kinds.count(REAL),
            SYNTHETIC: kinds.count(SYNTHETIC),
            "repeated": len(plan.repeated),
            "shown": plan.shown,
            "notices": list(plan.notices),
        },
        "readers": [_of_reader(plan, reader) for reader in readers],
        "all_readers": _of_all(plan, readers),
        "method": _METHOD,
    }
    rows = [row for reader in readers for row in _rows(plan, reader)]
    return StudySummary(document, rows)


def write_summary(summary: StudySummary, folder: Path, *, overwrite: bool) -> Path:
    """Write `summary.json`, `summary.txt` and `ratings.csv`, which names the kind of every shape, into a folder.

    An earlier summary is replaced only with `overwrite`, and other files never: `OutputError`.

    Returns
    -------
    Path
        The text file.
    """
    names = [TEXT_FILE, TABLE_FILE]
    with replacing_result(folder / SUMMARY_FILE, KIND, names, overwrite=overwrite) as staging:
        write_text(staging / TEXT_FILE, summary.text + "\n")
        write_text(staging / TABLE_FILE, summary.to_csv())
        head = {"kind": KIND, "format_version": 1, "software": f"ThyroidSynth {__version__}", "files": names}
        write_json(staging / SUMMARY_FILE, {**head, **summary.document})
    return folder / TEXT_FILE


def _read(plan: StudyPlan, path: Path) -> _Reader:
    name = reader_of(path)
    if name and ratings_file(plan.folder, name) != path:
        raise InputError(
            f"{path} holds ratings of {name}, whose file is {ratings_file(plan.folder, name).name}. Move this copy out "
            "of the folder."
        )
    order = plan.order_for(reader_key(name))
    return _Reader(name, order, read_ratings(path, order, name))


def _of_reader(plan: StudyPlan, reader: _Reader) -> dict[str, Any]:
    first, second = reader.of_showing(1), reader.of_showing(2)
    pairs = np.array([(first[shape], second[shape]) for shape in sorted(first.keys() & second.keys())])
    repeats: dict[str, Any] = {"pairs": len(pairs), "icc": None, "icc_interval": None, "mean_absolute_difference": None}
    if len(pairs):
        repeats |= _named("icc", intraclass_correlation(pairs))
        repeats["mean_absolute_difference"] = float(np.abs(pairs[:, 0] - pairs[:, 1]).mean())
    by_kind = {kind: _of_kind(plan, first, kind) for kind in (REAL, SYNTHETIC)}
    return {
        "reader": reader.name,
        "rated": len(reader.ratings),
        "showings": len(reader.order),
        "complete": len(reader.ratings) == len(reader.order),
        **{
            kind: {
                "shapes": len(given),
                "mean_rating": float(np.mean(given)) if given else None,
                "counts": {str(rating): given.count(rating) for rating in RATINGS},
            }
            for kind, given in by_kind.items()
        },
        **_named("auc", area_under_curve(_column(by_kind[REAL]), _column(by_kind[SYNTHETIC]))),
        "repeats": repeats,
        "median_seconds": median(each.seconds for each in reader.ratings.values()),
    }


def _of_all(plan: StudyPlan, readers: Sequence[_Reader]) -> dict[str, Any]:
    """Return the figures of all readers, on the shapes that each of them has rated."""
    given = [reader.of_showing(1) for reader in readers]
    common = sorted(set.intersection(*(set(each) for each in given)))
    table = np.array([[each[shape] for each in given] for shape in common]).reshape(len(common), len(readers))
    real = np.array([plan.shape(shape).kind == REAL for shape in common], dtype=bool)
    return {
        "readers": len(readers),
        REAL: int(real.sum()),
        SYNTHETIC: int((~real).sum()),
        **_named("auc", area_under_curve(table[real], table[~real])),
        **_named("icc", intraclass_correlation(table)),
    }


def _of_kind(plan: StudyPlan, ratings: dict[int, int], kind: str) -> list[int]:
    return [rating for shape, rating in sorted(ratings.items()) if plan.shape(shape).kind == kind]


def _column(ratings: Sequence[int]) -> np.ndarray:
    return np.array(ratings, dtype=float).reshape(-1, 1)


def _named(name: str, estimate: Estimate) -> dict[str, Any]:
    interval = None if estimate.interval is None else list(estimate.interval)
    return {name: estimate.value, f"{name}_interval": interval}


def _rows(plan: StudyPlan, reader: _Reader) -> list[dict[str, Any]]:
    rows = []
    for index, given in sorted(reader.ratings.items()):
        showing = reader.order[index]
        shape = plan.shape(showing.shape)
        rows.append(
            {
                "reader": reader.name,
                "position": index + 1,
                "shape": shape.number,
                "showing": showing.showing,
                "rating": given.rating,
                "seconds": given.seconds,
                "time": given.time,
                "kind": shape.kind,
                "name": shape.name,
                **{name: f"{shape.features[name]:.6g}" if name in shape.features else "" for name in FEATURE_NAMES},
                "study_seed": plan.seed,
            }
        )
    return rows


def _not_a_formula(value: Any) -> Any:
    """Escape text that a spreadsheet would interpret as a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t") else value


def _lines(document: dict[str, Any]) -> list[str]:
    study, everyone = document["study"], document["all_readers"]
    lines = [
        f"{study[REAL]} real and {study[SYNTHETIC]} synthetic shapes, shown {study['shown']}; "
        f"{study['repeated']} of them shown twice",
        *study["notices"],
        "",
    ]
    for each in document["readers"]:
        lines.append(f"{each['reader']}: {each['rated']} of {each['showings']} rated")
        lines.append(f"  AUC {_shown(each, 'auc')}")
        for kind in (REAL, SYNTHETIC):
            found = each[kind]
            mean = "–" if found["mean_rating"] is None else f"{found['mean_rating']:.2f}"
            counts = ", ".join(f"{rating}: {count}" for rating, count in found["counts"].items())
            lines.append(f"  {kind} shapes: mean rating {mean} ({counts})")
        repeats = each["repeats"]
        if repeats["pairs"]:
            lines.append(
                f"  {counted(repeats['pairs'], 'shape')} rated twice: ICC {_shown(repeats, 'icc')}, mean absolute "
                f"difference {repeats['mean_absolute_difference']:.2f}"
            )
        lines.append(f"  median time {each['median_seconds']:.1f} s")
    if everyone["readers"] > 1:
        lines += [
            "",
            f"All {everyone['readers']} readers, on {everyone[REAL]} real and {everyone[SYNTHETIC]} synthetic shapes",
            f"  mean AUC {_shown(everyone, 'auc')}",
            f"  ICC between readers {_shown(everyone, 'icc')}",
        ]
    return [*lines, "", document["method"]]


def _shown(figures: dict[str, Any], name: str) -> str:
    value, interval = figures[name], figures[f"{name}_interval"]
    if value is None:
        return "not defined"
    return f"{value:.2f} " + ("(no interval)" if interval is None else f"({interval[0]:.2f} to {interval[1]:.2f})")
