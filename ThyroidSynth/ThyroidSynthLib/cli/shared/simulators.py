"""The option that writes a phantom for simulators."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .arguments import several_of

if TYPE_CHECKING:
    from ThyroidSynthLib.export.simulators import SimulatorFiles

# As in export.simulators, which loads more than a list of options may.
_NAMES = ("xcist", "mcx", "kwave", "jwave", "simpa", "gate")


def add_simulator_options(parser: argparse._ActionsContainer) -> None:
    """Add the option ``--simulator``."""
    parser.add_argument(
        "--simulator",
        type=several_of(_NAMES),
        default=(),
        metavar="NAMES",
        help=f"also write a folder that a simulator runs by 'python run.py': any of {', '.join(_NAMES)}, separated by "
        "commas",
    )


def simulator_files_of(options: argparse.Namespace) -> tuple[SimulatorFiles, ...]:
    """Return what writes the folders that the option names, for `PhantomOptions.more_files`."""
    from ThyroidSynthLib.export.simulators import SimulatorFiles

    return (SimulatorFiles(options.simulator),) if options.simulator else ()
