"""Tables of materials as files: the one that ships, those that users give, and those beside phantoms."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import write_json, write_text
from ThyroidSynthLib.common.text_files import (
    is_kind,
    listed_shortly,
    number_of,
    parse_json,
    read_text,
    rows_of_table,
    shortened,
)

from .material import OPTICAL, Material, Optical
from .material_table import MaterialTable

_STANDARD = Path(__file__).parent / "data" / "materials.json"
_NUMBERS = ("density_kg_m3", "hu_120kvp", "sound_speed_m_s", "attenuation_db_cm_mhz", "attenuation_power")
_OPTICAL_COLUMN = re.compile(rf"({'|'.join(OPTICAL)})_([0-9]+\.?[0-9]*)nm")
_SOURCE = "_source"
_ELEMENT = re.compile(r"([A-Za-z]+)\s*[:=]?\s*([0-9.eE+-]+)")
_PLACE = ("label", "structure", "material")


@dataclass(frozen=True)
class _Entry:
    """What a file says of one material; a value of None says that it is not known."""

    where: str
    material: str
    structure: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)


@cache
def standard_materials() -> MaterialTable:
    """Return the table that ships with the library."""
    return read_materials(_STANDARD, base=MaterialTable({}, {}))


def read_materials(path: Path | str, *, base: MaterialTable | None = None) -> MaterialTable:
    """Read a table of materials (CSV or JSON) that changes or extends another one.

    A CSV table has a column ``material``, and those columns of `write_materials_csv` that are to be changed. A cell
    that is empty means that the value is not known; a column that is missing leaves what `base` says.

    Parameters
    ----------
    base : MaterialTable, optional
        The table that is changed; by default `standard_materials`.

    Raises
    ------
    InputError
        The file cannot be read, or has a column, a number or a name of a material that is impossible.
    """
    path = Path(path)
    base = standard_materials() if base is None else base
    entries = _of_json(path) if path.suffix.lower() == ".json" else _of_csv(path)
    materials, structures, said = dict(base.materials), dict(base.structures), dict[str, _Entry]()
    for each in entries:
        before = said.setdefault(each.material, each)
        if before.values != each.values:
            raise InputError(
                f"{each.where}: the material '{each.material}' has other values than in {before.where}. Give one of "
                "them another name."
            )
        if each.material not in materials and not each.values:
            known = listed_shortly(sorted(materials))
            raise InputError(
                f"{each.where}: the material '{shortened(each.material)}' is not known, and the file says nothing of "
                f"it. Give its values, or use one of: {known}."
            )
        materials[each.material] = _changed(materials.get(each.material), each, path)
        if each.structure:
            structures[each.structure] = each.material
    return MaterialTable(materials, structures)


def write_materials_csv(path: Path, table: MaterialTable, labels: Mapping[int, str]) -> None:
    """Write what the labels of a phantom consist of as a table (CSV), one row per label, with all sources.

    Parameters
    ----------
    labels : mapping of int to str
        The name of the structure of each label, with 0 for the air around the body.
    """
    rows = [(label, name, table.of_structure(name)) for label, name in sorted(labels.items())]
    wavelengths = sorted({each.wavelength_nm for _, _, material in rows for each in material.optical})
    optical = [Optical(nm).column(name) for nm in wavelengths for name in OPTICAL]
    columns = ["snomed", "density_kg_m3", "composition", *_NUMBERS[1:], *optical]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_PLACE, *columns, *(column + _SOURCE for column in columns)])
    for label, name, material in rows:
        values = material.values()
        if "composition" in values:
            shares = values["composition"].items()
            values["composition"] = " ".join(f"{symbol}:{share:g}" for symbol, share in shares)
        sources = [material.sources.get(column, "") for column in columns]
        writer.writerow([label, name, material.name, *(values.get(column, "") for column in columns), *sources])
    write_text(path, text.getvalue())


def write_materials_json(path: Path, table: MaterialTable, labels: Mapping[int, str]) -> None:
    """Write what the labels of a phantom consist of as JSON, in the layout that `read_materials` reads.

    See `write_materials_csv` for the parameters.
    """
    found = {name: table.of_structure(name) for name in labels.values()}
    materials = {material.name: _document(material) for material in found.values()}
    structures = {name: material.name for name, material in found.items()}
    write_json(
        path,
        {
            "labels": {str(label): name for label, name in sorted(labels.items())},
            "structures": structures,
            "materials": materials,
        },
    )


def _document(material: Material) -> dict[str, Any]:
    plain = {column: getattr(material, column) for column in _NUMBERS}
    optical = [
        {"wavelength_nm": each.wavelength_nm, **{name: getattr(each, name) for name in OPTICAL}}
        for each in material.optical
    ]
    composition = dict(material.composition) or None
    sources = dict(material.sources)
    return {**plain, "composition": composition, "optical": optical, "snomed": material.snomed, "sources": sources}


def _changed(before: Material | None, entry: _Entry, path: Path) -> Material:
    """Return a material with the values of a file, which change those before; `InputError` if one is impossible."""
    values, sources = (before.values(), dict(before.sources)) if before is not None else ({}, {})
    for column, value in entry.values.items():
        if value is None:
            values.pop(column, None)
            sources.pop(column, None)
        else:
            unchanged = values.get(column) == value and column in sources
            known = sources[column] if unchanged else f"given in {path.name}"
            sources[column] = entry.sources.get(column) or known
            values[column] = value
    optical = dict[float, dict[str, float]]()
    for column in list(values):
        if found := _OPTICAL_COLUMN.fullmatch(column):
            optical.setdefault(float(found[2]), {})[found[1]] = values.pop(column)
    try:
        return Material(
            entry.material,
            **values,
            optical=tuple(Optical(wavelength, **optical[wavelength]) for wavelength in sorted(optical)),
            sources=sources,
        )
    except ValueError as error:
        raise InputError(
            f"{entry.where}: of the material '{shortened(entry.material)}', {error}. Correct the value."
        ) from None


def _of_csv(path: Path) -> list[_Entry]:
    columns, rows = rows_of_table(path)
    if "material" not in columns:
        raise InputError(f"{path} has no column 'material'. Add it, with the name of a material in each row.")
    for column in columns:
        plain = column.removesuffix(_SOURCE)
        known = plain in (*_PLACE, "snomed", "composition", *_NUMBERS) or _OPTICAL_COLUMN.fullmatch(plain)
        if column and not known:
            raise InputError(
                f"{path} has the column '{shortened(column)}', which a table of materials does not have. Rename it as "
                "in the file materials.csv of a phantom, or remove it."
            )
    entries = []
    for line, cells in rows:
        where = f"{path}, line {line}"
        if not cells["material"]:
            raise InputError(f"{where} names no material. Fill the column 'material'.")
        values = {}
        for column, cell in cells.items():
            if column and column not in _PLACE and not column.endswith(_SOURCE):
                values[column] = _cell_value(column, cell, where)
        sources = {name.removesuffix(_SOURCE): cell for name, cell in cells.items() if name.endswith(_SOURCE) and cell}
        entries.append(_Entry(where, cells["material"], cells.get("structure") or None, values, sources))
    return entries


def _cell_value(column: str, cell: str, where: str) -> Any:
    if not cell:
        return None
    if column == "snomed":
        return cell
    try:
        if column == "composition":
            return _composition(cell)
        return number_of(cell)
    except ValueError as error:
        raise InputError(f"{where}, column {column}: {error}") from None


def _composition(cell: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in cell.replace(",", " ").replace(";", " ").split():
        match = _ELEMENT.fullmatch(part)
        if match is None or match[1] in found:
            raise ValueError(f"'{shortened(part)}' is not one share of an element. Write as in H:0.112 O:0.888.")
        found[match[1]] = number_of(match[2])
    return found


def _of_json(path: Path) -> list[_Entry]:
    document = parse_json(read_text(path), path, unique=True)
    materials = document.get("materials") if isinstance(document, dict) else None
    structures = document.get("structures", {}) if isinstance(document, dict) else None
    if not isinstance(materials, dict) or not isinstance(structures, dict):
        raise InputError(
            f"{path} is not a table of materials: it has no object 'materials'. Write it as the file materials.json of "
            "a phantom."
        )
    entries = [_json_entry(f"{path}, material '{shortened(name)}'", name, value) for name, value in materials.items()]
    known = {each.material: each for each in entries}
    for structure, material in structures.items():
        if not isinstance(material, str) or not structure:
            raise InputError(f"{path}: the structure '{shortened(structure)}' has no name of a material. Correct it.")
        values = known[material].values if material in known else {}
        sources = known[material].sources if material in known else {}
        entries.append(_Entry(f"{path}, structure '{shortened(structure)}'", material, structure, values, sources))
    return entries


def _json_entry(where: str, name: str, value: Any) -> _Entry:
    try:
        return _Entry(where, name, None, *_json_values(value))
    except ValueError as error:
        raise InputError(f"{where}: {error}. Correct it, as in the file materials.json of a phantom.") from None


def _json_values(value: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values of a material in JSON by column, and their sources; `ValueError` says what is wrong."""
    if not isinstance(value, dict):
        raise ValueError("it is not an object")
    if unknown := {*value} - {*_NUMBERS, "composition", "snomed", "optical", "sources"}:
        raise ValueError(f"it has the unknown key '{shortened(min(unknown))}'")
    composition, snomed = value.get("composition"), value.get("snomed")
    if composition is not None and not (
        isinstance(composition, dict) and all(is_kind(share, float) for share in composition.values())
    ):
        raise ValueError("its composition is not an object of numbers by element")
    if snomed is not None and not isinstance(snomed, str):
        raise ValueError("its snomed is not text")
    values = {column: value[column] for column in (*_NUMBERS, "composition", "snomed") if column in value}
    optical = value.get("optical") or []
    if not isinstance(optical, list):
        raise ValueError("its optical is not a list")
    for each in optical:
        if not isinstance(each, dict) or not is_kind(each.get("wavelength_nm"), float):
            raise ValueError("its optical has an entry without a number wavelength_nm")
        at = Optical(each["wavelength_nm"])
        values |= {at.column(name): each[name] for name in OPTICAL if name in each}
    sources = value.get("sources") or {}
    if not isinstance(sources, dict) or not all(isinstance(source, str) for source in sources.values()):
        raise ValueError("its sources are not texts by column")
    return values, sources
