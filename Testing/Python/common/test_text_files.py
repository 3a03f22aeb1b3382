"""Text, JSON and tables that users write: read right, or refused with file, fault and remedy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import read_json, write_json
from ThyroidSynthLib.common.text_files import entry, number_of, parse_json, read_text, rows_of_table


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("volume_ml\n12\n".encode("utf-16"), "text in UTF-16. Save it in UTF-8."),
        ("eins\nfünf".encode("latin-1"), "not text in UTF-8 (line 2). Save it in UTF-8."),
        (b"volume_ml\n1\x002\n", "zero bytes"),
    ],
)
def test_text_in_another_encoding_is_refused(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)

    with pytest.raises(InputError) as refused:
        read_text(path)

    assert str(path) in str(refused.value) and fault in str(refused.value)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("volume_ml", encoding="utf-8-sig")
    assert read_text(tmp_path / "t") == "volume_ml"


@pytest.mark.skipif(os.name == "nt", reason="needs pipes and devices among the files")
@pytest.mark.parametrize("kind", ["pipe", "device", "holes"])
def test_what_is_no_file_of_text_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        with path.open("wb") as stream:
            stream.truncate(20 << 30)

    for read in (read_text, read_json, rows_of_table):
        with pytest.raises(InputError, match=r"x\.json"):
            read(path)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' + "9" * 10_000 + "}", "a number has too many digits"),
        ('{"a": NaN}', "NaN is not a number in JSON"),
        ('{"a": -Infinity}', "-Infinity is not a number in JSON"),
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' occurs twice"),
        ("{'a': 1}", "Expecting property name"),
    ],
)
def test_json_that_cannot_be_read_is_refused_with_its_fault(text: str, fault: str) -> None:
    with pytest.raises(InputError, match=rf"d\.json cannot be read as JSON \(.*{fault}.*\)\. Restore it"):
        parse_json(text, "d.json", unique=True)


def test_a_name_of_other_bytes_is_read_back_from_json(tmp_path: Path) -> None:
    name = os.fsdecode(b"M\xfcller")
    write_json(tmp_path / "x.json", {"case": name})
    assert read_json(tmp_path / "x.json") == {"case": name}


@pytest.mark.parametrize(
    ("keys", "kind", "fault"),
    [
        (("frame", "scale"), float, "its entry 'frame/scale' is missing"),
        (("frame", "alignment"), list, "its entry 'frame/alignment' is not a list"),
        (("frame", "alignment", "x"), str, "its entry 'frame/alignment' is not an object"),
        (("synthetic",), int, "its entry 'synthetic' is not a whole number"),
        (("cases",), float, "its entry 'cases' is not a finite number"),
    ],
)
def test_an_entry_of_another_kind_is_named(keys, kind, fault) -> None:
    document = {"frame": {"alignment": "upright"}, "synthetic": True, "cases": float("inf")}

    with pytest.raises(ValueError, match=fault):
        entry(document, *keys, kind=kind)

    assert entry(document, "frame", "alignment", kind=str) == "upright"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('volume_ml\n"12\n', "line 2, cannot be read as a table (a quote is not closed)"),
        ("volume_ml,volume_ml\n1,2\n", "has the column 'volume_ml' twice"),
        ("volume_ml,symmetry\n14,5,0.7\n", "line 2, has more cells than the first line has columns"),
        ("volume_ml\n" + "1" * 200_000, "field larger than field limit"),
    ],
)
def test_a_table_that_means_two_things_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "t.csv").write_text(text)

    with pytest.raises(InputError) as refused:
        rows_of_table(tmp_path / "t.csv")

    assert "t.csv" in str(refused.value) and fault in str(refused.value)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_table_is_read_by_its_columns(tmp_path: Path, mark: str) -> None:
    lines = [f"name{mark} volume_ml {mark}note", "", f'"a{mark}b"{mark}12', f"c{mark}{mark}x"]
    (tmp_path / "t.csv").write_text("\r\n".join(lines), encoding="utf-8-sig", newline="")

    columns, rows = rows_of_table(tmp_path / "t.csv")

    assert columns == ["name", "volume_ml", "note"]
    assert rows == [
        (3, {"name": f"a{mark}b", "volume_ml": "12", "note": ""}),
        (4, {"name": "c", "volume_ml": "", "note": "x"}),
    ]


@pytest.mark.parametrize("text", ["", "nan", "inf", "1e309", "1_000", "١٥", "1,5", "0x10", "12 mL"])
def test_what_is_no_plain_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\."):
        number_of(text)


def test_a_plain_number_is_read() -> None:
    assert [number_of(text) for text in ("12", " -1.5e1 ", ".5", "5.")] == [12, -15, 0.5, 5]
