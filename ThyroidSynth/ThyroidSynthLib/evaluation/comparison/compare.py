"""Comparison of several evaluations and cross-validations with each other and with the paper's published results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import read_json, real_path, write_json, write_text
from ThyroidSynthLib.common.results import check_replaceable, replacing_result
from ThyroidSynthLib.common.text_files import entry
from ThyroidSynthLib.evaluation import CROSS_VALIDATION_FILE, EVALUATION_FILE
from ThyroidSynthLib.evaluation.metrics.headline import MEASURES, Measure
from ThyroidSynthLib.evaluation.metrics.published import PUBLISHED, PUBLISHED_CASES
from ThyroidSynthLib.evaluation.report.document import FORMAT_VERSION
from ThyroidSynthLib.evaluation.report.html import render_page
from ThyroidSynthLib.evaluation.report.tables import write_table

from .cross_validation_report import CROSS_VALIDATION_VERSION

COMPARISON_FILE = "comparison.json"
COMPARISON_PAGE = "comparison.html"
COMPARISON_TABLE = "comparison.csv"
_FILES = (COMPARISON_PAGE, COMPARISON_TABLE)
_REMEDY = "Give folders or files that 'thyroidsynth evaluate' or 'thyroidsynth cross-validate' wrote."
_OF_BOTH = ("notice", "synthetic_cohort", "cohort")
# Format version and required entries of each kind of document.
_REQUIRED = {
    "evaluation": (FORMAT_VERSION, (*_OF_BOTH, "model", "options", "reconstruction")),
    "cross-validation": (CROSS_VALIDATION_VERSION, (*_OF_BOTH, "plan", "planned", "complete", "runs", "measures")),
}


@dataclass(frozen=True)
class Compared:
    """An evaluation, or the mean of those of a cross-validation, and its name."""

    name: str  # the name of its folder
    document: Mapping[str, Any]  # the content of its `evaluation.json` or `cross_validation.json`

    @property
    def is_mean(self) -> bool:
        """Whether the values are means over the runs of a cross-validation."""
        return bool(self.document["kind"] == "cross-validation")

    def value(self, measure: Measure) -> float | None:
        """Return the value of a measure, or its mean; None if it was not measured."""
        return self._spread(measure).get("mean") if self.is_mean else measure.of(self.document)

    def sd(self, measure: Measure) -> float | None:
        """Return the standard deviation of a measure over the runs; None for a single one."""
        return self._spread(measure).get("sd") if self.is_mean else None

    def _spread(self, measure: Measure) -> Mapping[str, Any]:
        found: Iterator[Mapping[str, Any]] = (row for row in self.document["measures"] if row["key"] == measure.key)
        return next(found, {})


def read_evaluations(paths: Sequence[Path]) -> list[Compared]:
    """Read evaluations and cross-validations from folders or files; they are named after their folders.

    Raises
    ------
    InputError
        A file is missing, is neither, is damaged or was written by another version, or is given twice.
    """
    files = [_file_in(path) if path.is_dir() else path for path in paths]
    resolved = [real_path(file) for file in files]
    twice = [str(file) for file, count in Counter(resolved).items() if count > 1]
    if twice:
        raise InputError(f"{twice[0]} is given twice. Give each evaluation once.")
    names = [_name(file) for file in resolved]
    if len(set(names)) < len(names):
        names = [f"{_folder(file).parent.name}/{name}" for file, name in zip(resolved, names, strict=True)]
    if len(set(names)) < len(names):
        raise InputError("Several evaluations are in folders of the same name. Give the folders different names.")
    return [Compared(name, _read(file)) for name, file in zip(names, files, strict=True)]


def compare(evaluations: Sequence[Compared]) -> dict[str, Any]:
    """Return the table of all measures as a dictionary for a JSON file.

    Measures that none of the evaluations has are left out.
    """
    rows = []
    for measure in MEASURES:
        values = {each.name: each.value(measure) for each in evaluations}
        if any(value is not None for value in values.values()):
            rows.append(
                {
                    "key": measure.key,
                    "group": measure.group,
                    "measure": measure.label,
                    "unit": measure.unit,
                    "best": measure.best,
                    "values": values,
                    "sd": {each.name: each.sd(measure) for each in evaluations if each.is_mean},
                    "leading": _leading(measure, values),
                    "published": {variant: known.get(measure.key) for variant, known in PUBLISHED.items()},
                }
            )
    return {
        "kind": "comparison",
        "format_version": 2,
        "notice": evaluations[0].document["notice"],
        "synthetic_cohort": any(each.document["synthetic_cohort"] for each in evaluations),
        "published_cases": PUBLISHED_CASES,
        "notes": _notes(evaluations),
        "models": [_about(each) for each in evaluations],
        "measures": rows,
    }


def check_comparison_room(folder: Path, *, overwrite: bool) -> None:
    """Raise `OutputError` if a comparison in a folder would replace a file of another origin."""
    check_replaceable(folder / COMPARISON_FILE, "comparison", _FILES, overwrite=overwrite)


def write_comparison(comparison: Mapping[str, Any], folder: Path | str, *, overwrite: bool = False) -> Path:
    """Write `comparison.csv`, the self-contained `comparison.html` and, last, `comparison.json`.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    OutputError
        The folder holds a comparison and `overwrite` is not set, or a file of another origin would be replaced,
        or the folder cannot be written.
    """
    folder = Path(folder)
    rows = [
        {
            "key": row["key"],
            "group": row["group"],
            "measure": row["measure"],
            # A share is stored as in the document, from 0 to 1.
            "unit": "" if row["unit"] == "%" else row["unit"],
            **row["values"],
            **{f"{name}: SD": sd for name, sd in row["sd"].items()},
            **{f"paper: {variant}": value for variant, value in row["published"].items()},
        }
        for row in comparison["measures"]
    ]
    page = render_page("comparison.html", document=comparison)
    with replacing_result(folder / COMPARISON_FILE, "comparison", _FILES, overwrite=overwrite) as new:
        write_table(new / COMPARISON_TABLE, rows)
        write_text(new / COMPARISON_PAGE, page)
        write_json(new / COMPARISON_FILE, comparison)
    return folder / COMPARISON_PAGE


def _file_in(folder: Path) -> Path:
    """Return the file of a cross-validation if the folder holds one, else that of an evaluation."""
    file = folder / CROSS_VALIDATION_FILE
    return file if file.is_file() and not (folder / EVALUATION_FILE).is_file() else folder / EVALUATION_FILE


def _folder(file: Path) -> Path:
    return file.parent if file.name in (EVALUATION_FILE, CROSS_VALIDATION_FILE) else file


def _name(file: Path) -> str:
    suffix = f".{EVALUATION_FILE}"
    return file.parent.name if _folder(file) != file else file.name.removesuffix(suffix).removesuffix(".json")


def _read(file: Path) -> Mapping[str, Any]:
    if not file.is_file():
        raise InputError(f"{file} does not exist. {_REMEDY}")
    document = read_json(file)
    kind = document.get("kind") if isinstance(document, dict) else None
    if kind not in _REQUIRED:
        raise InputError(f"{file} is not an evaluation. {_REMEDY}")
    version, required = _REQUIRED[kind]
    if document.get("format_version") != version:
        raise InputError(f"{file} was written by another version of ThyroidSynth. Evaluate the model again.")
    missing = [name for name in required if name not in document]
    if missing:
        raise InputError(f"{file} is damaged (it has no '{missing[0]}'). Evaluate the model again.")
    try:
        entry(document, "notice", kind=str)
        read = Compared(_name(file), document)
        _about(read)
        for measure in MEASURES:
            measure.text(read.value(measure))
            measure.text(read.sd(measure))
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, OverflowError) as error:
        raise InputError(
            f"{file} is damaged: an entry is missing or of another kind. Evaluate the model again."
        ) from error
    return document


def _about(each: Compared) -> dict[str, Any]:
    if each.is_mean:
        return _about_runs(each)
    model, settings = each.document["model"], each.document["model"].get("settings", {})
    return {
        "name": each.name,
        "variant": model.get("variant"),
        "preset": settings.get("preset"),
        "epochs": settings.get("epochs"),
        "training_cases": model.get("cases"),
        "held_out_cases": each.document.get("reconstruction_held_out", {}).get("cases", 0),
        "thyroids": each.document["options"].get("count"),
        "seed": settings.get("seed"),
        "checksum": model.get("checksum"),
        "cohort": each.document["cohort"].get("checksum"),
        "runs": None,
    }


def _about_runs(each: Compared) -> dict[str, Any]:
    settings, runs = each.document["plan"]["settings"], each.document["runs"]
    return {
        "name": each.name,
        "variant": settings.get("variant"),
        "preset": settings.get("preset"),
        "epochs": settings.get("epochs"),
        "training_cases": runs[0]["cases"],
        "held_out_cases": len(runs[0]["held_out"]),
        "thyroids": None,
        "seed": sorted({run["seed"] for run in runs}),
        "checksum": None,
        "cohort": each.document["cohort"].get("checksum"),
        "runs": len(runs),
    }


def _notes(evaluations: Sequence[Compared]) -> list[str]:
    """Return notes on differences that make the evaluations less comparable."""
    about = [_about(each) for each in evaluations]
    notes = []
    for key, text in (
        ("cohort", "The evaluations are of different cohorts, so their numbers cannot be compared directly."),
        ("training_cases", "The models were trained on different numbers of cases."),
        ("held_out_cases", "Different numbers of held-out cases were fitted."),
        (
            "thyroids",
            "Different numbers of random thyroids were generated; distances between distributions depend on it.",
        ),
    ):
        if len({each[key] for each in about if each[key] is not None}) > 1:
            notes.append(text)
    notes += [
        f"{each.name} is not complete: {len(each.document['runs'])} of {each.document['planned']} runs are finished."
        for each in evaluations
        if each.is_mean and not each.document["complete"]
    ]
    return notes


def _leading(measure: Measure, values: Mapping[str, float | None]) -> list[str]:
    """Return the names of the evaluations with the best value, if the displayed digits distinguish them."""
    best = measure.best
    known = {name: value for name, value in values.items() if value is not None}
    if best is None or len(known) < 2:
        return []
    nearest = min(known.values(), key=lambda value: abs(value - best))
    leading = [name for name, value in known.items() if measure.text(value) == measure.text(nearest)]
    return leading if len(leading) < len(known) else []
