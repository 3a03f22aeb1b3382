"""What the documentation names exists: paths of the project, commands with their options, messages, texts of the panel.

Each function takes the text of a page and lists what is wrong in it.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import shlex
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ThyroidSynthLib.cli.main import make_parser

# Folders that paths on the pages are relative to.
ROOTS = ("", "ThyroidSynth", "ThyroidSynth/ThyroidSynthLib", "docs", "Testing")
# Folders that the project's tools write.
WRITTEN = ("Testing/artefacts", "docs/_build")

OPTIONS_OF_OTHERS = {
    *("--ml", "--nproc-per-node", "--nnodes", "--rdzv-backend", "--rdzv-endpoint"),  # TotalSegmentator, torchrun
    *("--nworkers", "--nthreads"),  # Dask
    "--help",
}
TEXTS_OF_SLICER = {
    *("Sample Data", "Data", "DICOM", "Segment Statistics", "Data Probe", "Extensions Manager", "Close Scene"),
    *("Additional module paths", "Edit > Application Settings > Modules", "Edit > Application Settings > Appearance"),
    *("View > Error Log", "Reload and Test"),
}


def missing_paths(text: str, project: Path) -> list[str]:
    """Return the paths in backquotes that begin with a folder of the project and do not exist."""
    folders = {path.name for root in ROOTS for path in (project / root).iterdir() if path.is_dir()}
    named = [path for path in re.findall(r"`([\w.-]+/[\w./-]*)`", text) if path.partition("/")[0] in folders]
    return [
        path
        for path in named
        if not path.startswith(WRITTEN) and not any((project / root / path).exists() for root in ROOTS)
    ]


def missing_tests(text: str, project: Path) -> list[str]:
    """Return the tests in backquotes, as in ``imaging/test_nifti.py::test_name``, that do not exist."""
    missing = []
    for path, name in re.findall(r"`([\w./-]+\.py)::(\w+)`", text):
        file = project / "Testing" / "Python" / path
        tree = ast.parse(file.read_text(encoding="utf-8")) if file.is_file() else ast.Module([], [])
        if name not in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}:
            missing.append(f"{path}::{name}")
    return missing


def wrong_commands(text: str) -> list[str]:
    """Return the command lines of code blocks that `thyroidsynth` does not accept."""
    blocks = "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    lines = re.findall(r"^ *(?:thyroidsynth|.*-m ThyroidSynthLib\.cli)\b((?:.*\\\n)*.*)", blocks, re.MULTILINE)
    wrong = []
    for line in lines:
        words = shlex.split(line.replace("\\\n", " "), comments=True)
        with contextlib.redirect_stderr(io.StringIO()):
            try:
                make_parser().parse_args(words)
            except SystemExit:
                wrong.append(" ".join(words))
    return wrong


def unknown_options(text: str, options: Mapping[str, set[str]]) -> list[str]:
    """Return the options in backquotes that the command named with them, or no command, has.

    Parameters
    ----------
    options : mapping of str to set of str
        The options of each command.
    """
    unknown = []
    for quoted in re.findall(r"`([^`\n]*--[a-z][^`\n]*)`", text):
        words = quoted.removeprefix("thyroidsynth ").split()
        known = options.get(words[0], set().union(*options.values()))
        named = re.findall(r"(?<![\w-])--[a-z][\w-]*", quoted)
        unknown += [f"{option} in `{quoted}`" for option in named if option not in known | OPTIONS_OF_OTHERS]
    return unknown


def unknown_messages(text: str, literals: Iterable[str]) -> list[str]:
    """Return the quoted sentences that no text of the program contains; "…" stands for anything."""
    literals = list(literals)
    quoted = [" ".join(message.split()) for message in re.findall(r'"([^"]+)"', text)]
    return [
        message
        for message in quoted
        if message.count(" ") > 1
        and not any(re.search(".*".join(map(re.escape, message.split("…"))), literal) for literal in literals)
    ]


def unknown_texts(text: str, literals: Iterable[str]) -> list[str]:
    """Return the texts in italics, with which pages name controls, that the panel does not show."""
    shown = {_plain(literal) for literal in literals}
    named = re.findall(r"(?<![*\w])\*([^*\n]+)\*(?![*\w])", text)
    return [
        name
        for name in named
        if name not in TEXTS_OF_SLICER and not all(_plain(part) in shown for part in name.split(" > "))
    ]


def texts_of_the_program(project: Path) -> Iterator[str]:
    """Return all texts in the code, the panel and the scripts; "…" stands for what is filled in."""
    for path in (project / "ThyroidSynth").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield re.sub(r"\{[^}]*\}", "…", node.value)
    for path in (project / "ThyroidSynth" / "Resources" / "UI").glob("*.ui"):
        yield from (text.text or "" for text in ElementTree.parse(path).iter("string"))
    for path in (project / "scripts").glob("*.sh"):
        yield path.read_text(encoding="utf-8")


def _plain(text: str) -> str:
    """Return the text of a control without mnemonic, ending or the explanation in brackets."""
    return text.replace("&", "").partition(" (")[0].rstrip(":…")
