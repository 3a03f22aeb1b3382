"""Options of `thyroidsynth phantom` for nodules and for the CT that follows."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ThyroidSynthLib.common.errors import InputError

if TYPE_CHECKING:
    from ThyroidSynthLib.export.nodules.distribution import NoduleDistribution
    from ThyroidSynthLib.export.nodules.table import TabledNodule


def add_nodule_options(parser: argparse._ActionsContainer) -> None:
    """Add ``--nodules`` and ``--paint-ct``."""
    parser.add_argument(
        "--nodules",
        type=_nodules,
        metavar="WHAT",
        help="nodules in the thyroid: a table (CSV) with one per row, or a distribution as in "
        "count=0-4,diameter=5-20,bulge=0-0.3,composition=solid:0.6/cystic:0.4; properties are count, diameter (mm), "
        "aspect, bulge, part, margin, composition and calcification",
    )
    parser.add_argument(
        "--paint-ct",
        action="store_true",
        help="also write the patient's CT with the thyroid and its nodules as they are in the phantom "
        "(ct_synthetic.nii.gz)",
    )


def nodule_table_of(options: argparse.Namespace) -> Path | None:
    """Return the table of nodules that the options name, if they name one."""
    from ThyroidSynthLib.export.nodules import nodule_table_in

    return None if options.nodules is None else nodule_table_in(options.nodules)


def nodules_of(options: argparse.Namespace) -> list[TabledNodule] | NoduleDistribution | None:
    """Return the nodules of the options; `InputError` if the table cannot be read."""
    from ThyroidSynthLib.export.nodules import read_nodules

    return None if options.nodules is None else read_nodules(options.nodules)


def _nodules(text: str) -> str:
    """Check a distribution before anything is read; a table is read later."""
    from ThyroidSynthLib.export.nodules import NoduleDistribution, nodule_table_in

    if nodule_table_in(text) is None:
        try:
            NoduleDistribution.parse(text)
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    return text
