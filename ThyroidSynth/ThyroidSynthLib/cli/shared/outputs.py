"""The output folder of a command, which belongs to it while it runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import wraps

from ThyroidSynthLib.common.staging import output_folder

from .console import Console, Result

Run = Callable[[argparse.Namespace, Console], Result]


def owning_out(run: Run) -> Run:
    """Lock ``--out`` while a command runs, so that another is refused before it computes.

    It is created first, which shows that it can be written. A note says if an earlier command was killed there.
    """

    @wraps(run)
    def owned(options: argparse.Namespace, console: Console) -> Result:
        with output_folder(options.out) as interrupted:
            if interrupted:
                console.note(f"An earlier command was interrupted in {options.out}. Its unfinished work is not used.")
            return run(options, console)

    return owned
