"""Options for input that is no segmentation: meshes, point clouds and the authors' published set."""

from __future__ import annotations

import argparse
from typing import Literal

from ThyroidSynthLib.imaging.mesh_files import SPACES

from . import numbers

# The normalised extents may be those from the centre of a long trachea.
_length = numbers.real(0, 1000, "mm", above=True)


def add_trachea_centre(parser: argparse.ArgumentParser) -> None:
    """Add the centre of the trachea, which goes with meshes."""
    parser.add_argument(
        "--trachea-centre",
        metavar="CENTRE",
        help="the input is meshes, and this is the centre of the trachea: R,A,S in mm as in "
        "--trachea-centre=-4.5,12,30, or a table (CSV) with the columns id (the name of the mesh without suffix), r, "
        "a and s. For the alignment 'upright' it is the centre at the height of the gland",
    )


def add_input_space(parser: argparse.ArgumentParser) -> None:
    """Add the axes of meshes and point clouds that do not state them."""
    parser.add_argument(
        "--input-space",
        choices=SPACES,
        help=f"axes of meshes and point clouds that do not state them in their header (default: {SPACES[0]}, as in "
        "Slicer)",
    )


def set_scale(text: str) -> tuple[float, float, float] | Literal["published"]:
    """Parse the scale of the published set: one length, three separated by commas, or "published"."""
    if text == "published":
        return "published"
    parts = text.split(",")
    if len(parts) not in (1, 3):
        raise argparse.ArgumentTypeError(
            f"'{text}' is not valid: give 'published', one length, or three along the axes of the set as in 60,40,35. "
            "Write decimals with a point."
        )
    lengths = [_length(part) for part in parts]
    return (lengths[0],) * 3 if len(lengths) == 1 else (lengths[0], lengths[1], lengths[2])


def without_other_options(options: argparse.Namespace, given: str, others: str) -> None:
    """End with a usage error if an option was given that has no meaning together with `given`.

    Parameters
    ----------
    others : str
        The names in `options`, separated by blanks.
    """
    for name in others.split():
        if getattr(options, name) not in (None, [], False):
            shown = "SOURCE" if name == "sources" else f"--{name.replace('_', '-')}"
            options.usage_error(f"{shown} cannot be combined with {given}; leave one of them out")
