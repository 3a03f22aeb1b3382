"""The `thyroidsynth` command: its subcommands, and how results and errors are printed."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from ThyroidSynthLib import __version__
from ThyroidSynthLib.cli.commands import (
    compare,
    cross_validate,
    download,
    edit,
    evaluate,
    example_cohort,
    fit,
    generate,
    import_model,
    info,
    phantom,
    prepare,
    reader_study,
    reproduce,
    train,
)
from ThyroidSynthLib.cli.shared.arguments import file_path
from ThyroidSynthLib.cli.shared.console import Console
from ThyroidSynthLib.common.errors import Cancelled, NoCaseError, explained
from ThyroidSynthLib.common.streams import lasting_streams

OK, FAILED, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130
_LONGEST_FAULT = 600

COMMANDS: tuple[ModuleType, ...] = (
    example_cohort,
    prepare,
    train,
    generate,
    phantom,
    fit,
    edit,
    evaluate,
    compare,
    cross_validate,
    reader_study,
    info,
    import_model,
    download,
    reproduce,
)

_DESCRIPTION = "Learn the shapes of thyroids from TotalSegmentator segmentations and generate new ones."
_EPILOG = """\
from a synthetic dataset to a report:
  thyroidsynth example-cohort --cases 60 --out dataset
  thyroidsynth prepare dataset --out cohort
  thyroidsynth train cohort --out model.safetensors
  thyroidsynth generate model.safetensors --count 12 --volume 15 --out thyroids
  thyroidsynth evaluate model.safetensors cohort --out evaluation

'thyroidsynth COMMAND --help' describes a command and shows examples.
exit codes: 0 success, 1 failure, 2 invalid command line, 130 interrupted by Ctrl-C or a signal.
If the output is closed, as by '| head', the command still finishes its work; the exit code is then 1 because the
result could not be printed.
Research software. Not for clinical use."""


_WAYS = {
    "labels": ("labels", "For label maps without names state the labels (--labels thyroid=N,trachea=M)."),
    "masks": ("thyroid", "For masks with other names use --thyroid and --trachea."),
    "meshes": ("trachea_centre", "For meshes state the centre of the trachea (--trachea-centre)."),
}
"""Option and explanation of each way to turn the input of a command into cases."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        The command line after the command's name; that of the process by default.
    """
    with lasting_streams() as output:
        code = _run(arguments)
    return FAILED if output.lost and code == OK else code


def _run(arguments: Sequence[str] | None) -> int:
    try:
        options = parsed_options(arguments)
    except Exception as error:  # Of a file that the type of an option reads.
        _print_error(f"error: {explained(error)}")
        return FAILED
    _log_to_terminal(logging.DEBUG if options.debug else logging.WARNING)
    console = Console(quiet=options.quiet)
    try:
        with console:
            result = options.run(options, console)
        if result is None:
            return OK
        print(_as_json(result.document) if options.json else result.text, flush=True)
        return FAILED if result.failed else OK
    except (KeyboardInterrupt, Cancelled) as stop:
        _print_error(str(stop) or "Interrupted.")
        return INTERRUPTED
    except Exception as error:
        if options.debug:
            traceback.print_exc()
        _print_error(" ".join([f"error: {explained(error)}", *_ways_out(error, options)]))
        return FAILED


def parsed_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line.

    argparse leaves over the paths of a command with optional paths if options stand between them and the model.
    """
    parser = make_parser()
    options, left = parser.parse_known_args(arguments)
    if left:
        add_paths = getattr(options, "add_paths", None)
        if add_paths is None or any(text.startswith("-") for text in left) or not add_paths(options, left):
            parser.error(f"unrecognized arguments: {' '.join(left)}")
    return options


def _ways_out(error: Exception, options: argparse.Namespace) -> list[str]:
    """Return how the command's own options, or another command, take input in which no case was found."""
    if not isinstance(error, NoCaseError):
        return []
    ways = [_WAYS[way] for way in error.ways]
    taken = [sentence for option, sentence in ways if hasattr(options, option)]
    return taken or ["For input of other kinds use thyroidsynth prepare."]


def _as_json(document: dict[str, Any]) -> str:
    text = json.dumps(document, indent=2, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        # The output is ASCII, or a file name is no text.
        return json.dumps(document, indent=2)
    return text


class _Once(argparse.Action):
    """Store a value; a second one would silently replace the first."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Store the value, or raise a usage error."""
        # Each parsing has a namespace of its own.
        if option_string is not None and getattr(self, "_given_in", None) is namespace:
            raise argparse.ArgumentError(self, "given twice; give it only once")
        if isinstance(values, list) and not values and self.nargs in (None, "+"):  # argparse drops "--" of "--seed=--".
            raise argparse.ArgumentError(self, "'--' is not valid: give a value")
        self._given_in = namespace
        setattr(namespace, self.dest, values)


class _Parser(argparse.ArgumentParser):
    """A parser that answers a wrong option with the fault alone; the usage of some commands fills half a screen."""

    def error(self, message: str) -> NoReturn:
        """Print the fault and where the options are described in one line, and exit."""
        # A value may be of any length; the remedy stands after it.
        fault = message if len(message) <= _LONGEST_FAULT else f"{message[:200]}…{message[200 - _LONGEST_FAULT :]}"
        self.exit(BAD_USAGE, f"{self.prog}: error: {fault} ('{self.prog} --help' describes the options)\n")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command with all its subcommands."""
    parser = _Parser(
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
        for name in (None, "store"):
            command.register("action", name, _Once)
        command.register("type", Path, file_path)
        module.configure(command)
        common = command.add_argument_group("output")
        common.add_argument("--json", action="store_true", help="print the result as JSON")
        common.add_argument("--quiet", action="store_true", help="show no progress and no notes, only warnings")
        common.add_argument("--debug", action="store_true", help="log everything and print the traceback of an error")
        command.set_defaults(run=module.run)
    return parser


def _log_to_terminal(level: int) -> None:
    handler = logging.StreamHandler()
    # The level of this handler only: a training logs more than this to its log file.
    handler.setLevel(level)
    logging.basicConfig(level=level, format="%(levelname)s %(message)s", handlers=[handler])


def _print_error(message: str) -> None:
    print(f"thyroidsynth: {message}", file=sys.stderr, flush=True)
