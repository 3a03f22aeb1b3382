"""Write the reference of the ``thyroidsynth`` command from its own parsers when the site is built.

Replaces the marker ``<!-- cli reference -->`` of a page. The parsers are walked by argparse's private
attributes: argparse offers no public way to list groups and subcommands.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from typing import Any

MARKER = "<!-- cli reference -->"


def setup(app: Any) -> dict[str, bool]:
    """Register the extension with Sphinx."""
    app.connect("source-read", _fill_in)
    return {"parallel_read_safe": True}


def reference(parser: argparse.ArgumentParser) -> str:
    """Return the Markdown reference of all subcommands of a parser."""
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    summaries = {action.dest: action.help for action in commands._choices_actions}
    return "\n".join(line for name, each in commands.choices.items() for line in _command(name, each, summaries[name]))


def _fill_in(app: Any, docname: str, source: list[str]) -> None:
    if MARKER in source[0]:
        from ThyroidSynthLib.cli.main import make_parser

        source[0] = source[0].replace(MARKER, reference(make_parser()))


def _command(name: str, parser: argparse.ArgumentParser, summary: str) -> Iterator[str]:
    yield f"## {name}\n"
    yield f"{_plain(summary[:1].upper() + summary[1:])}.\n"
    yield f"{_plain(parser.description or '')}\n"
    yield f"```text\n{parser.format_usage().strip()}\n```\n"
    for group in parser._action_groups:
        actions = [action for action in group._group_actions if not isinstance(action, argparse._HelpAction)]
        if actions:
            yield f"**{_plain((group.title or '').capitalize())}**\n"
            if group.description:
                yield f"{_plain(group.description)}\n"
            for action in actions:
                yield from _option(action)
    if parser.epilog:
        yield f"```text\n{parser.epilog.strip()}\n```\n"


def _option(action: argparse.Action) -> Iterator[str]:
    names = [f"{name} {_value(action)}".strip() for name in action.option_strings] or [_value(action)]
    required = " (required)" if action.option_strings and action.required else ""
    yield ", ".join(f"`{name}`" for name in names) + required
    yield f": {_plain((action.help or '') % vars(action))}\n"


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    name = action.metavar or ("{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper())
    return {"+": f"{name} …", "*": f"[{name} …]", "?": f"[{name}]"}.get(action.nargs, name)


def _plain(text: str) -> str:
    """Escape what Markdown would take for markup."""
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", text)
