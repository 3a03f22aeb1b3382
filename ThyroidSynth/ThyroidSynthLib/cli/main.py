"""The command line: which subcommands there are, and how results and errors leave the process."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import traceback
from collections.abc import Sequence
from types import ModuleType

from ThyroidSynthLib import __version__
from ThyroidSynthLib.cli.commands import (
    compare,
    cross_validate,
    edit,
    evaluate,
    example_cohort,
    fit,
    generate,
    info,
    prepare,
    train,
)
from ThyroidSynthLib.cli.shared.console import Console
from ThyroidSynthLib.common.errors import Cancelled, ThyroidSynthError
from ThyroidSynthLib.common.streams import lasting_streams

OK, FAILED, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130

COMMANDS: tuple[ModuleType, ...] = (
    example_cohort,
    prepare,
    train,
    generate,
    fit,
    edit,
    evaluate,
    compare,
    cross_validate,
    info,
)

_DESCRIPTION = "Learn the shapes of thyroids from TotalSegmentator segmentations, and make new ones."
_EPILOG = """\
the whole way, from nothing to a report:
  thyroidsynth example-cohort --cases 60 --out dataset
  thyroidsynth prepare dataset --alignment upright --out cohort
  thyroidsynth train cohort --out model.safetensors
  thyroidsynth generate model.safetensors --count 12 --volume 15 --out thyroids
  thyroidsynth evaluate model.safetensors cohort --out evaluation

'thyroidsynth COMMAND --help' explains a command and shows examples.
exit codes: 0 done, 1 failed, 2 wrong command line, 130 interrupted.
A command whose output is closed, as by '| head', still does all of its work; it ends with 1 if its result could not be
printed.
Research software. Not for clinical use."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        The command line after the command's name; that of the process by default.
    """
    with lasting_streams() as output:
        code = _run(arguments)
    return FAILED if output.lost and code == OK else code


def _run(arguments: Sequence[str] | None) -> int:
    options = make_parser().parse_args(arguments)
    _log_to_terminal(logging.DEBUG if options.debug else logging.WARNING)
    console = Console(json_wanted=options.json, quiet=options.quiet)
    try:
        with console:
            result = options.run(options, console)
        if result is None:
            return OK
        print(json.dumps(result.document, indent=2, ensure_ascii=False) if options.json else result.text, flush=True)
        return FAILED if result.failed else OK
    except (KeyboardInterrupt, Cancelled) as stop:
        _say(str(stop) or "Interrupted.")
        return INTERRUPTED
    except Exception as error:
        if options.debug:
            traceback.print_exc()
        known = isinstance(error, ThyroidSynthError)
        _say(f"error: {error}" if known else f"error: {type(error).__name__}: {error} (--debug tells where)")
        return FAILED


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command with all its subcommands."""
    parser = argparse.ArgumentParser(
        prog="thyroidsynth",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"thyroidsynth {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        command = commands.add_parser(
            module.NAME,
            help=module.SUMMARY,
            description=module.DESCRIPTION,
            epilog=module.EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.configure(command)
        common = command.add_argument_group("output")
        common.add_argument("--json", action="store_true", help="print the result as JSON, for scripts")
        common.add_argument("--quiet", action="store_true", help="show no progress")
        common.add_argument("--debug", action="store_true", help="log everything, and show where an error came from")
        command.set_defaults(run=module.run)
    return parser


def _log_to_terminal(level: int) -> None:
    handler = logging.StreamHandler()
    # The handler's own level: a training lets its loggers tell more, for its log file.
    handler.setLevel(level)
    logging.basicConfig(level=level, format="%(levelname)s %(message)s", handlers=[handler])


def _say(message: str) -> None:
    print(f"thyroidsynth: {message}", file=sys.stderr, flush=True)
