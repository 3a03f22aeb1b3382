"""The table of terms, read against every text of the project: one word per idea, in plain English."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

# What must not be written, with the word that takes its place.
INSTEAD_OF = {
    r"wish(es|ed|ing)?": "target",
    r"asked": "target",
    r"wanted": "target, or expected",
    r"aims?|aimed|aiming": "target",
    r"one[- _]?shot": "direct sampling",
    r"leakages?": "cross-talk",
    r"sound(ness)?": "valid",
    r"crumbs?|specks?|stray(s|ed)?": "island, or interpolation error",
    r"carv(e|ed|es|ing)": "remove overlap",
    r"ghost(s|ed)?": "outline overlay",
    r"shel(f|ves|ved)": "model library",
    r"teams?": "process group",
    r"processors?": "CPU, GPU",
    r"overrul(e|ed|es|ing)|by your word": "include or exclude manually",
    r"stop_?requested": "should_stop",
    r"told|tells?|telling": "state, report, show",
    r"come to what|comes? of it|came of it": "measured",
}

# Ordinary words for an imperative docstring, in a dialect that the project does not use.
FIRST_WORDS = {"Give", "Gives", "Say", "Says", "Tell", "Tells"}

_SUFFIXES = {".py", ".md", ".ui", ".xml", ".toml", ".yml", ".yaml", ".sh", ".txt", ".cff", ".html"}
_FOLDERS = ("ThyroidSynth", "ThyroidSynthTrain", "Testing", "docs", "scripts", ".github")
# These files name the words that are replaced; `stream.tell` and `value_tell` are names of other libraries, and
# simulators of ultrasound need the speed of sound.
_ALLOWED = re.compile(
    r"platform\.processor|\.tell\(|value_tell|sound_speed|(speed[ _]of[ _]|ultra)sound", re.IGNORECASE
)
_NAMES_OLD_WORDS = {"CHANGELOG.md", "terms.py", "test_terms.py"}
_BANNED = re.compile("|".join(f"(?P<w{n}>{pattern})" for n, pattern in enumerate(INSTEAD_OF)), re.IGNORECASE)


def files(root: Path) -> Iterator[Path]:
    """Find the project's texts: code, panel, documentation and set-up; not data."""
    found = [path for folder in _FOLDERS for path in (root / folder).rglob("*")] + list(root.glob("*.*"))
    for path in sorted(found):
        parts = path.relative_to(root).parts
        if (
            path.suffix not in _SUFFIXES
            or not path.is_file()
            or path == Path(__file__).resolve()
            or path.name in _NAMES_OLD_WORDS
        ):
            continue
        if any(part.startswith((".venv", "_build", "__pycache__", "artefacts")) for part in parts):
            continue
        yield path


def words_to_replace(text: str) -> list[str]:
    """Return "line: word (use …)" for each word of a text that the table of terms replaces."""
    instead = list(INSTEAD_OF.values())
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if "terms: ignore" in line:
            continue
        for word in _words(_ALLOWED.sub("", line)):
            match = _BANNED.fullmatch(word)
            if match and match.lastgroup:
                place = next(n for n in range(len(instead)) if match.group(f"w{n}"))
                found.append(f"{number}: {word} (use {instead[place]})")
    return found


def docstrings_to_rewrite(text: str) -> list[str]:
    """Return "line: first word" for each docstring of a Python file that does not begin with a plain imperative."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = (ast.get_docstring(node) or "").split(maxsplit=1)[:1]
            if first and first[0].rstrip(".,:") in FIRST_WORDS:
                found.append(f"{node.body[0].lineno}: {first[0]}")
    return found


def _words(line: str) -> Iterator[str]:
    """Split a line into words, and identifiers into the words they are made of."""
    for compound in re.findall(r"[A-Za-z]+(?:[-_][A-Za-z]+)*", line):
        yield compound
        parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", compound)
        yield from parts if len(parts) > 1 else ()
    yield from re.findall(r"\bby your word\b|\bcomes? of it\b|\bcame of it\b|\bone shot\b", line, re.IGNORECASE)
