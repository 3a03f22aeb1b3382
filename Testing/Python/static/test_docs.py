"""The pages refer to what exists, and the command's reference is complete; `make docs` checks the rest."""

from __future__ import annotations

import argparse
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from support.rules import documentation
from ThyroidSynthLib.cli.main import make_parser

PROJECT = Path(__file__).resolve().parents[3]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/*.md", "docs/[!_]*/*.md", "Testing/*.md", "Testing/standin/*.md")
    for page in PROJECT.glob(pattern)
)


def extension(name: str) -> ModuleType:
    """Import an extension of the documentation site from its file."""
    spec = importlib.util.spec_from_file_location(name, PROJECT / "docs" / "_ext" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cli_reference = extension("cli_reference")
api_reference = extension("api_reference")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_every_relative_link_and_picture_of_a_page_exists(page: Path) -> None:
    text = re.sub(r"```\n.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"^```\{(?:figure|include)\} (\S+)", text, re.MULTILINE)

    for target in targets:
        file = target.partition("#")[0]
        if file and "://" not in file:
            assert (page.parent / file).exists(), target


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return list(documentation.texts_of_the_program(PROJECT))


@pytest.fixture(scope="module")
def options() -> dict[str, set[str]]:
    """Return the options of each command, from its reference."""
    sections = re.split(r"^## ", cli_reference.reference(make_parser()), flags=re.MULTILINE)[1:]
    return {section.split()[0]: set(re.findall(r"`(--[\w-]+)", section)) for section in sections}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_paths_and_options_on_a_page_exist(page: Path, options: dict[str, set[str]]) -> None:
    text = page.read_text(encoding="utf-8")

    assert documentation.missing_paths(text, PROJECT) == []
    assert documentation.wrong_commands(text) == []
    if page.name != "CHANGELOG.md":  # It names old options.
        assert documentation.unknown_options(text, options) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_the_tests_that_a_page_names_exist(page: Path) -> None:
    assert documentation.missing_tests(page.read_text(encoding="utf-8"), PROJECT) == []


def test_every_input_format_names_the_test_that_proves_it() -> None:
    text = (PROJECT / "docs" / "input-formats.md").read_text(encoding="utf-8")
    rows = [
        line for line in text.splitlines() if line.startswith("|") and not re.match(r"\|-|\| (input|layout) \|", line)
    ]

    assert len(rows) > 40
    assert [row for row in rows if not re.search(r"`[\w./]+\.py::\w+` \|$", row)] == []
    invented = "`imaging/test_nifti.py::test_invented`, `imaging/test_none.py::test_a`"
    assert len(documentation.missing_tests(invented, PROJECT)) == 2


def test_the_messages_that_troubleshooting_quotes_exist(texts: list[str]) -> None:
    text = (PROJECT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")

    assert documentation.unknown_messages(text, texts) == []


@pytest.mark.parametrize("page", ["docs/tutorial.md", "docs/troubleshooting.md", "Testing/in-app-checklist.md"])
def test_the_controls_that_a_page_names_exist(page: str, texts: list[str]) -> None:
    assert documentation.unknown_texts((PROJECT / page).read_text(encoding="utf-8"), texts) == []


def test_what_does_not_exist_is_found(texts: list[str], options: dict[str, set[str]]) -> None:
    assert documentation.missing_paths("`geometry/features.py` and `geometry/volumes.py`", PROJECT) == [
        "geometry/volumes.py"
    ]
    assert documentation.wrong_commands("```\nthyroidsynth edit example s1 --exact --out e\n```") == [
        "edit example s1 --exact --out e"
    ]
    assert documentation.unknown_options("`train --steer`, `--steer`", options) == ["--steer in `train --steer`"]
    assert documentation.unknown_messages('"… does not exist. Check the path." "No such message here."', texts) == [
        "No such message here."
    ]
    assert documentation.unknown_texts("*Keep*, *Surface* and *Put back*", texts) == ["Put back"]


def test_the_reference_names_every_command_and_option() -> None:
    parser = argparse.ArgumentParser(prog="tool")
    commands = parser.add_subparsers()
    command = commands.add_parser("grow", help="make it larger", description="Make it *larger*.", epilog="example: x")
    command.add_argument("file", metavar="FILE", help="what to grow")
    command.add_argument("--by", type=int, default=3, metavar="MM", help="how much (default: %(default)s)")
    command.add_argument("--mode", choices=("a", "b"), required=True, help="which way")
    command.add_argument("--quiet", action="store_true", help="say nothing, 100%%")

    text = cli_reference.reference(parser)

    assert "## grow\n\nMake it larger.\n\nMake it \\*larger\\*.\n" in text
    assert "`FILE`\n: what to grow\n" in text
    assert "`--by MM`\n: how much (default: 3)\n" in text
    assert "`--mode {a,b}` (required)\n: which way\n" in text
    assert "`--quiet`\n: say nothing, 100%\n" in text
    assert "```text\nexample: x\n```" in text
    assert "--help" not in text


def test_the_commands_own_reference_can_be_written() -> None:
    text = cli_reference.reference(make_parser())

    headings = re.findall(r"^## (\S+)$", text, re.MULTILINE)
    assert {"prepare", "train", "generate", "fit", "edit", "evaluate"} <= set(headings)
    assert "%(" not in text


def test_the_api_reference_describes_every_public_name_once() -> None:
    text = api_reference.reference()

    # `Grid` is exported by the library and by `geometry`.
    described = re.findall(r"^\.\. (?:autoclass|autofunction|py:data):: (\S+)$", text, re.MULTILINE)
    assert len(described) == len(set(described))
    assert {name for name in described if name.endswith(".Grid")} == {"ThyroidSynthLib.Grid"}
    assert {name for name in described if name.endswith("Model")} >= {
        "ThyroidSynthLib.ShapeModel",
        "ThyroidSynthLib.model.TrainedModel",
    }
    assert (
        "Also exported, and described above: :py:obj:`~ThyroidSynthLib.Features`, :py:obj:`~ThyroidSynthLib.Grid`"
        in text
    )


def test_the_api_reference_describes_a_constant_by_its_value_and_its_own_docstring() -> None:
    text = api_reference.reference()

    constant = text.split(".. py:data:: ThyroidSynthLib.geometry.ALIGNMENTS\n")[1].split("```")[0]
    assert constant.startswith(
        "   :value: ('trachea', 'upright')\n\n   How the trachea frame is placed in a patient.\n"
    )
    assert "\n   ``upright``\n       Origin on the trachea's axis" in constant


def test_the_pages_that_fill_themselves_have_their_markers() -> None:
    assert cli_reference.MARKER in (PROJECT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert api_reference.MARKER in (PROJECT / "docs" / "api.md").read_text(encoding="utf-8")
