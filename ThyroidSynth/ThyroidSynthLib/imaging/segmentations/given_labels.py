"""Label names that are not in the segmentation file: given by the user, or in the ``dataset.json`` of nnU-Net."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import read_json, stem_of
from ThyroidSynthLib.common.reading import reading
from ThyroidSynthLib.imaging.labels import STRUCTURES, is_lesion, normalised, part_called

from .class_maps import other_organs

TABLE_SUFFIXES = (".json", ".csv", ".tsv", ".ctbl", ".txt")
"""Endings of the files that `labels_from_text` reads."""

_NUMBER = re.compile(r"[0-9]{1,9}")
_NUMBER_HEADINGS = ("label", "label value", "label number", "label id", "value", "index", "idx", "key", "number", "id")
_NAME_HEADINGS = ("name", "label name", "structure", "organ", "class", "label")

_LARGEST_LABEL = 65535
_LARGEST_TABLE = 1 << 20
_DATASET_FILE = "dataset.json"
# nnU-Net keeps the file beside the folders labelsTr and labelsTs; a case may have a folder of its own in them.
_FOLDERS_ABOVE = 3
# nnU-Net numbers the channels of an image.
_CHANNEL = re.compile(r"_\d{4}$")
# Similarity by difflib: 0.86 for "traceha" and 0.78 for "parathyroid".
_SIMILAR = 0.82
_EXAMPLE = "thyroid=1,trachea=2"


def labels_from_text(text: str) -> dict[int, str]:
    """Return the label names in a text such as "thyroid=1,trachea=2", or in a file that it names.

    The lobes can have labels of their own ("left thyroid lobe=1,right thyroid lobe=2"). A file is the ``dataset.json``
    of nnU-Net, a table with the columns label and name (.csv, .tsv), a colour table of Slicer (.ctbl) or the label
    descriptions of ITK-SNAP (.txt).

    Raises
    ------
    InputError
        The text is no list of names and numbers, or has neither a thyroid nor a trachea.
    """
    path = Path(text)
    if path.suffix.lower() in TABLE_SUFFIXES:
        table = labels_of_dataset(path) if path.suffix.lower() == ".json" else _of_table(path)
        return _checked(table, text)
    pairs = []
    for part in re.split(r"[,;\n]", text):
        if not part.strip():
            continue
        name, _, number = part.rpartition("=")
        if re.fullmatch(r"\s*[0-9]{1,9}\s*", name):
            name, number = number, name
        if not name.strip() or not re.fullmatch(r"\s*[0-9]{1,9}\s*", number):
            raise InputError(f"'{part.strip()}' is not a name and a label number. Write for example {_EXAMPLE}.")
        _check_spelling(name.strip())
        pairs.append((int(number), name.strip()))
    return _checked(_without_repetition(pairs, f"'{text}'"), f"'{text}'")


def labels_of_dataset(path: Path) -> dict[int, str]:
    """Return the label names in an nnU-Net ``dataset.json``, of version 1 ({"1": "thyroid"}) or 2 ({"thyroid": 1}).

    A file with nothing but such a table is read alike. Several labels of a region with the name of a structure all get
    that name.

    Raises
    ------
    InputError
        The file has no labels, or impossible ones.
    """
    document = read_json(path)
    table = document.get("labels", document) if isinstance(document, dict) else None
    if not isinstance(table, dict) or not table:
        raise InputError(
            f"{path} has no table 'labels', as the dataset.json of nnU-Net has. State the labels instead "
            f"(--labels {_EXAMPLE})."
        )
    pairs = []
    for key, value in table.items():
        name, numbers = (value, key) if isinstance(value, str) else (key, value)
        pairs += [(_whole(number, path), name) for number in (numbers if isinstance(numbers, list) else [numbers])]
    # A region is a union of labels, such as the thyroid of gland and nodule; other names of its labels do not matter.
    regions = {number for number, name in pairs if part_called(name)}
    pairs = [(number, name) for number, name in pairs if number and (part_called(name) or number not in regions)]
    return _without_repetition(pairs, str(path))


def labels_of_dataset_beside(path: Path) -> tuple[Path, dict[int, str]] | None:
    """Return the ``dataset.json`` of nnU-Net in the folder of a label map or above it, and the label names in it.

    None if there is none, if it has no usable labels, or if the file is an image of the data set.
    """
    folder = path.absolute().parent
    if folder.name.lower().startswith("images") or _CHANNEL.search(stem_of(path)):
        return None
    for above in (folder, *folder.parents)[:_FOLDERS_ABOVE]:
        if (found := above / _DATASET_FILE).is_file():
            try:
                return found, _checked(labels_of_dataset(found), str(found))
            except InputError:  # Any other file of this name; without it the message says what to state.
                return None
    return None


def _of_table(path: Path) -> dict[int, str]:
    """Read the label number and the name of each row.

    They are in the columns of that heading, else the first whole number and the first field that is no number.
    """
    with reading(path, "a table", "Save it as CSV in UTF-8, with the columns label and name."):
        if path.stat().st_size > _LARGEST_TABLE:
            raise InputError(f"{path} is too large for a table of labels. Choose another file.")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        separator = "\t" if path.suffix.lower() == ".tsv" else " "
        if path.suffix.lower() == ".csv":  # Spreadsheets of some languages write semicolons.
            separator = max(",;\t", key=lambda each: lines[0].count(each) if lines else 0)
        lines = [" ".join(line.split()) for line in lines] if separator == " " else lines
        rows = [[field.strip() for field in row] for row in csv.reader(lines, delimiter=separator)]
    numbers, names = _column(rows, _NUMBER_HEADINGS, numeric=True), _column(rows, _NAME_HEADINGS, numeric=False)
    pairs = []
    for row in rows:
        fields = [field for field in row if field]
        if not fields or fields[0].startswith("#"):
            continue
        searched = fields[:2] if numbers is None else row[numbers : numbers + 1]
        number = next((field for field in searched if _NUMBER.fullmatch(field)), None)
        searched = fields if names is None else row[names : names + 1]
        name = next((field for field in searched if field and not re.fullmatch(r"[-+0-9.eE]+", field)), None)
        if number is not None and name is not None:
            pairs.append((int(number), name))
    return _without_repetition([pair for pair in pairs if pair[0] != 0], str(path))


def _column(rows: Sequence[Sequence[str]], headings: Sequence[str], *, numeric: bool) -> int | None:
    """Return the column with the first of these headings that has only numbers, or only other texts, below it."""
    titles = [normalised(title) for title in rows[0]] if rows else []
    for column in (titles.index(heading) for heading in headings if heading in titles):
        cells = [row[column] for row in rows[1:] if len(row) > column and row[column]]
        if cells and all((_NUMBER.fullmatch(cell) is not None) == numeric for cell in cells):
            return column
    return None


def _whole(number: Any, path: Path) -> int:
    if isinstance(number, str) and re.fullmatch(r"[0-9]+", number.strip()):
        number = int(number)
    if not isinstance(number, int) or isinstance(number, bool):
        raise InputError(f"{path} has the label {number!r}, which is not a whole number. Correct the table 'labels'.")
    return number


def _without_repetition(pairs: Iterable[tuple[int, str]], source: str) -> dict[int, str]:
    labels: dict[int, str] = {}
    for number, name in pairs:
        if labels.setdefault(number, name) != name:
            raise InputError(f"{source} gives label {number} two names: {labels[number]} and {name}. Keep one.")
    return labels


def _checked(labels: Mapping[int, str], source: str) -> dict[int, str]:
    for number in labels:
        if not 0 < number <= _LARGEST_LABEL:
            raise InputError(
                f"{source} has the label {number}. Labels are whole numbers from 1 to {_LARGEST_LABEL}; 0 is the "
                "background."
            )
    if not any(part_called(name) for name in labels.values()):
        listed = ", ".join(labels.values()) or "nothing"
        raise InputError(f"{source} names neither a thyroid nor a trachea ({listed}). Write for example {_EXAMPLE}.")
    return dict(labels)


def _check_spelling(name: str) -> None:
    """Refuse a name that is nearly one of thyroid or trachea, and no name of anything else."""
    plain = normalised(name)
    if part_called(name) is not None or plain in other_organs() or is_lesion(name):
        return
    known = sorted(set().union(*(structure.names for structure in STRUCTURES)))
    if similar := get_close_matches(plain, known, n=1, cutoff=_SIMILAR):
        raise InputError(f"'{name}' is no known structure. Did you mean '{similar[0]}'? Correct the name.")
