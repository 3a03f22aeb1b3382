"""Faults of any file, and of JSON, tables and arrays: each makes a bad file of a good one."""

from __future__ import annotations

import json
import os
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Change = Callable[[Path, random.Random], None]


@dataclass(frozen=True)
class Mutation:
    """A fault of a file, whether a reader may accept the file after all, and what the message says if it is known."""

    name: str
    change: Change
    acceptable: bool = False
    message: str = ""


# --- What lies at the path instead of a file -------------------------------------------------------------------------


def _replaced(make: Callable[[Path], object]) -> Change:
    def change(path: Path, rng: random.Random) -> None:
        path.unlink()
        make(path)

    return change


def _bind_socket(path: Path) -> None:
    before = Path.cwd()
    os.chdir(path.parent)  # The address of a socket has at most 108 bytes.
    socket.socket(socket.AF_UNIX).bind(path.name)
    os.chdir(before)


def _sparse(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(20 << 30)


PLACES = [
    Mutation("missing", _replaced(lambda path: None)),
    Mutation("folder", _replaced(Path.mkdir)),
    Mutation("FIFO", _replaced(os.mkfifo)),
    Mutation("socket", _replaced(_bind_socket)),
    Mutation("link to itself", _replaced(lambda path: path.symlink_to(path.name))),
    Mutation("dangling link", _replaced(lambda path: path.symlink_to("nowhere"))),
    Mutation("link to /dev/zero", _replaced(lambda path: path.symlink_to("/dev/zero"))),
    Mutation("link to /dev/null", _replaced(lambda path: path.symlink_to("/dev/null"))),
    Mutation("20 GB of holes", _replaced(_sparse)),
]

# --- Bytes of any file -----------------------------------------------------------------------------------------------


def changed_bytes(edit: Callable[[bytes, random.Random], bytes]) -> Change:
    return lambda path, rng: ignore(path.write_bytes(edit(path.read_bytes(), rng)))


def ignore(_: object) -> None:
    return None


def _flip(content: bytes, rng: random.Random) -> bytes:
    found = bytearray(content)
    # Headers lie at the start.
    most = rng.choice((len(found), min(len(found), 400)))
    for _ in range(rng.choice((1, 3, 30))):
        found[rng.randrange(most)] ^= 1 << rng.randrange(8)
    return bytes(found)


def _spliced(content: bytes, rng: random.Random) -> bytes:
    a, b = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    return content[:a] + rng.choice((b"", b"\0" * (b - a), rng.randbytes(b - a), content[a:b] * 2)) + content[b:]


BYTES = [
    Mutation("empty", changed_bytes(lambda content, rng: b"")),
    Mutation("one byte", changed_bytes(lambda content, rng: content[:1])),
    Mutation("zeros", changed_bytes(lambda content, rng: bytes(len(content)))),
    Mutation("random bytes", changed_bytes(lambda content, rng: rng.randbytes(len(content)))),
    Mutation("a web page", changed_bytes(lambda content, rng: b"<!DOCTYPE html><html>404 Not Found</html>\n")),
    Mutation("first half", changed_bytes(lambda content, rng: content[: len(content) // 2]), True),
    Mutation("truncated", changed_bytes(lambda content, rng: content[: rng.randrange(len(content))]), True),
    Mutation("UTF-16", changed_bytes(lambda content, rng: content.decode("latin-1").encode("utf-16")), True),
    Mutation("flipped bits", changed_bytes(_flip), True),
    Mutation("spliced", changed_bytes(_spliced), True),
]

# --- JSON ------------------------------------------------------------------------------------------------------------


def damaged_entry(value: Any, rng: random.Random) -> Any:
    """Change one random entry of a document, and return the document."""
    places = list(_places(value))
    if places:
        parent, key = rng.choice(places)
        bad = (
            None,
            True,
            -1,
            0,
            1e308,
            float("nan"),
            10**30,
            "",
            "text",
            "\ud800",
            [],
            {},
            [[]],
            "../../etc",
            "a" * 5000,
        )
        if rng.random() < 0.25 and isinstance(parent, dict):
            del parent[key]
        else:
            parent[key] = rng.choice(bad)
    return value


def _places(value: Any) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield value, key
        yield from _places(item)


def _json(edit: Callable[[Any, random.Random], Any]) -> Change:
    return lambda path, rng: ignore(path.write_text(json.dumps(edit(json.loads(path.read_text()), rng))))


JSON = [
    *[Mutation("entry", _json(damaged_entry), True)] * 8,
    Mutation("nested lists", changed_bytes(lambda content, rng: b"[" * 100_000)),
    Mutation("nested lists, closed", changed_bytes(lambda content, rng: b"[" * 100_000 + b"]" * 100_000)),
    Mutation("nested objects", changed_bytes(lambda content, rng: b'{"a":' * 100_000 + b"1" + b"}" * 100_000)),
    Mutation("nested entry", changed_bytes(lambda content, rng: _last_entry(content, b"[" * 100_000 + b"]" * 100_000))),
    Mutation("number of 10,000 digits", changed_bytes(lambda content, rng: _last_entry(content, b"9" * 10_000))),
    *(
        Mutation(f"only {value[:9]}", changed_bytes(lambda content, rng, value=value: value.encode()))
        for value in ("null", "[]", "{}", "3", '"text"', "true", "NaN", "[[]]", '["\\ud800"]', "{'a': 1}", "{,}")
    ),
    Mutation("NUL bytes", changed_bytes(lambda content, rng: content.replace(b":", b":\0", 1))),
    Mutation("unclosed quote", changed_bytes(lambda content, rng: content.rstrip()[:-2])),
]


def _last_entry(content: bytes, value: bytes) -> bytes:
    return content.rstrip()[:-1] + b', "volume_ml": ' + value + b"}"


# --- CSV -------------------------------------------------------------------------------------------------------------


def _cells(*texts: str) -> Change:
    """Put one of the texts in place of a number."""

    def change(path: Path, rng: random.Random) -> None:
        lines = path.read_text().splitlines()
        mark = ";" if ";" in lines[0] else ","
        number = rng.randrange(1, len(lines))
        cells = lines[number].split(mark)
        column = 1 if mark == ";" or "feature" in lines[0] else 0
        if "feature" in lines[0]:
            number, cells = 1, ["volume_ml", "15"]
        cells[column] = rng.choice(texts)
        lines[number] = mark.join(cells)
        path.write_text("\n".join(lines) + "\n")

    return change


_NOT_NUMBERS = ("-5", "nan", "inf", "1e309", "0x10", "ten", "1.5 mL", "--", "-inf", "\u0661\u0665", "1_5")
CSV = [
    *[Mutation("number", _cells(*_NOT_NUMBERS))] * 6,
    Mutation("unclosed quote", changed_bytes(lambda content, rng: content.replace(b"1", b'"1', 1))),
    Mutation("unclosed quote in the header", changed_bytes(lambda content, rng: b'"' + content)),
    Mutation("a million columns", changed_bytes(lambda content, rng: b"a," * 1_000_000 + b"\n" + content)),
    Mutation("a field of 1 MB", changed_bytes(lambda content, rng: content.replace(b"1", b"1" * (1 << 20), 1))),
    Mutation("NUL bytes", changed_bytes(lambda content, rng: content.replace(b"1", b"1\0", 1))),
    Mutation("header only", changed_bytes(lambda content, rng: content.splitlines()[0] + b"\n")),
    Mutation("no header", changed_bytes(lambda content, rng: content.split(b"\n", 1)[1])),
    Mutation("header twice", changed_bytes(lambda content, rng: content.splitlines()[0] + b"\n" + content)),
    Mutation("column twice", changed_bytes(lambda content, rng: _column_twice(content))),
    Mutation("more cells than columns", changed_bytes(lambda content, rng: content.rstrip() + b",1,2,3;4;5;6\n")),
    Mutation("Latin-1", changed_bytes(lambda content, rng: content + "Müller,é;ß\n".encode("latin-1"))),
]


def _column_twice(content: bytes) -> bytes:
    mark = b";" if b";" in content.splitlines()[0] else b","
    return b"\n".join(line + mark + line for line in content.splitlines()) + b"\n"


# --- NumPy -----------------------------------------------------------------------------------------------------------


def _npy(text: bytes) -> Change:
    def edit(content: bytes, rng: random.Random) -> bytes:
        size = int.from_bytes(content[8:10], "little")
        return content[:10] + text.ljust(size - 1)[: size - 1] + b"\n" + content[10 + size :]

    return changed_bytes(edit)


NPY = [
    Mutation("10^15 shapes", _npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000000, 400, 4), }")),
    Mutation("objects", _npy(b"{'descr': '|O', 'fortran_order': False, 'shape': (4, 400, 4), }")),
    Mutation("code as the header", _npy(b"__import__('os').system('true')")),
    Mutation("float64", _npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (4, 400, 4), }")),
]
