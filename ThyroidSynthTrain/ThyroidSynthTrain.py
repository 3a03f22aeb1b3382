#!/usr/bin/env python-real
"""Train a thyroid shape model: a CLI module of Slicer, and a plain script where there is no Slicer.

The flags, their defaults and their limits are those of ThyroidSynthTrain.xml. Exit codes: 0 finished, or
stopped on request; 1 failed, with the reason on standard error, or the --json result could not be printed;
2 invalid command line; 130 ended at once by a second Ctrl-C. Training continues when standard output or
standard error is closed, as when Slicer ends.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
DESCRIPTION = HERE / "ThyroidSynthTrain.xml"
LINES_EVERY_S = 5.0
TAGS_EVERY_S = 1.0

Report = Callable[[float, str], None]


def find_library() -> None:
    """Put ThyroidSynthLib on the path: from the installed extension, the source tree, or pip."""
    for folder in (HERE.parent / "qt-scripted-modules", HERE.parent / "ThyroidSynth"):
        if (folder / "ThyroidSynthLib").is_dir():
            sys.path.insert(0, str(folder))
            return
    if importlib.util.find_spec("ThyroidSynthLib") is None:
        sys.exit(f"ThyroidSynthLib was not found near {HERE} nor by {sys.executable}. Install ThyroidSynth with pip.")


def main(arguments: list[str]) -> int:
    """Run the training of the command line and return the exit code."""
    if "--xml" in arguments:
        print(DESCRIPTION.read_text(encoding="utf-8"), end="")
        return 0
    find_library()
    from ThyroidSynthLib.common.streams import lasting_streams

    with lasting_streams() as output:
        parser = make_parser()
        # An invalid command line ends the script with exit code 2.
        options = parser.parse_args(arguments, argparse.Namespace(misused=parser.error))
        code = _exit_code(options)
    return 1 if options.json and output.lost and code == 0 else code


def _exit_code(options: argparse.Namespace) -> int:
    from ThyroidSynthLib.common.errors import explained

    try:
        run(options)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if options.debug:
            traceback.print_exc()
        print(explained(error), file=sys.stderr)
        return 1
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser: the flags of the XML, and those that only a command line needs."""
    from ThyroidSynthLib.jobs.module_description import parser_from_xml

    parser = parser_from_xml(DESCRIPTION)
    parser.add_argument("--xml", action="store_true", help="Print the description of this module for Slicer.")
    # A CLI module cannot detect that Slicer reads its output, so Slicer passes "tags", as the XML defines.
    parser.set_defaults(progress="lines")
    parser.epilog = "Ctrl-C, or a file STOP in the job folder, ends the training; the same command resumes it."
    return parser


def run(options: argparse.Namespace) -> None:
    """Train, with progress on standard output."""
    from ThyroidSynthLib.common.errors import Cancelled
    from ThyroidSynthLib.common.progress import stop_on_signals
    from ThyroidSynthLib.generation.steer.calibration import calibrated
    from ThyroidSynthLib.generation.training_preview import PreviewWriter
    from ThyroidSynthLib.jobs.job_options import locked_job_of_command_line
    from ThyroidSynthLib.jobs.job_run import follow, run_job
    from ThyroidSynthLib.training.distributed import process_group_of_environment

    with stop_on_signals() as should_stop, process_group_of_environment() as process_group:
        if process_group.follows:
            follow(process_group, should_stop=should_stop)
            return
        # A requested stop is not a failure; the state of the job records it.
        with (
            locked_job_of_command_line(options, misused=options.misused) as job,
            PRINTERS[options.progress]() as progress,
            suppress(Cancelled),
        ):
            run_job(
                job,
                progress=progress,
                should_stop=should_stop,
                check_only=options.check_only,
                on_snapshot=PreviewWriter(job),
                finish=calibrated,
                process_group=process_group,
            )
    if options.json:
        print_now(json.dumps(summary(job)))


def summary(job: Any) -> dict[str, Any]:
    """Return how a job ended."""
    state, config = job.read_state(), job.read_config()
    model = config["model"] or str(job.model_file.resolve())
    return {
        "status": state.status,
        "job": str(job.path.resolve()),
        "model": model if state.status == "finished" else None,
        **{name: getattr(state, name) for name in ("epoch", "epochs", "loss", "device", "cases", "held_out")},
    }


@contextmanager
def tags() -> Iterator[Report]:
    """Report progress to Slicer, which searches the output for these tags."""

    def print_tags(fraction: float, message: str) -> None:
        comment = message.replace("<", "").replace(">", "")
        print_now(f"<filter-progress>{fraction:.4f}</filter-progress>\n<filter-comment>{comment}</filter-comment>")

    print_now("<filter-start>\n<filter-name>ThyroidSynth Train</filter-name>\n</filter-start>")
    started = time.monotonic()
    with at_most_every(TAGS_EVERY_S, print_tags) as spaced:
        yield spaced
    print_now(f"<filter-end>\n<filter-time>{time.monotonic() - started:.1f}</filter-time>\n</filter-end>")


@contextmanager
def lines() -> Iterator[Report]:
    """Report progress in plain lines."""
    with at_most_every(LINES_EVERY_S, lambda fraction, message: print_now(f"{fraction:4.0%}  {message}")) as spaced:
        yield spaced


def print_now(text: str) -> None:
    """Print without buffering, so that Slicer shows the progress at once."""
    print(text, flush=True)


@contextmanager
def at_most_every(interval_s: float, output: Report, clock: Callable[[], float] = time.monotonic) -> Iterator[Report]:
    """Pass on the first report, then one per interval, and at the end the last."""
    last = -float("inf")
    waiting: tuple[float, str] | None = None

    def report(fraction: float, message: str) -> None:
        nonlocal last, waiting
        now = clock()
        if now - last >= interval_s:
            last, waiting = now, None
            output(fraction, message)
        else:
            waiting = (fraction, message)

    try:
        yield report
    finally:
        if waiting is not None:
            output(*waiting)


PRINTERS = {"tags": tags, "lines": lines, "none": lambda: nullcontext(lambda fraction, message: None)}

if __name__ == "__main__":
    exit_code = main(sys.argv[1:])
    if "ThyroidSynthLib" not in sys.modules:  # The XML was printed, which needs no library.
        sys.exit(exit_code)
    from ThyroidSynthLib.training.distributed import exit_process

    exit_process(exit_code)
