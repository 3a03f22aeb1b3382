"""`thyroidsynth reproduce`: carry out the paper's experiments on the published set."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ThyroidSynthLib.cli.shared import numbers
from ThyroidSynthLib.cli.shared.arguments import add_seed, device
from ThyroidSynthLib.cli.shared.console import Console, Result
from ThyroidSynthLib.cli.shared.shapes import set_scale
from ThyroidSynthLib.dataset.download.records import ZENODO
from ThyroidSynthLib.model.presets import PRESETS

NAME = "reproduce"
SUMMARY = "reproduce the paper on the authors' published set"
DESCRIPTION = """\
Download the published set from Zenodo, prepare it, train the three variants of the paper, generate 1000 random thyroids
with each, and write the paper's figures 2, 3 and 4 and its numbers beside those measured here. An interrupted
reproduction continues with the same command. With the preset 'paper' it needs a GPU and some hours for each variant."""
EPILOG = """\
examples:
  thyroidsynth reproduce --out reproduction --device cuda
  thyroidsynth reproduce --authors zenodo_15100852 --out reproduction --device cuda
  thyroidsynth reproduce --authors zenodo_15100852 --preset fast --count 200 --out first_look"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="new or empty folder, or that of an earlier run"
    )
    parser.add_argument(
        "--authors", type=Path, metavar="FOLDER", help="the published set, if it was downloaded already and unpacked"
    )
    parser.add_argument(
        "--scale-mm",
        type=set_scale,
        default="published",
        metavar="LENGTHS",
        help="millimetres per unit along the set's three axes, as in 60,40,35, or 'published' to derive them from the "
        "mean extents in the paper (default: published)",
    )
    parser.add_argument(
        "--preset", choices=tuple(PRESETS), default="paper", help="training settings (default: %(default)s)"
    )
    parser.add_argument(
        "--epochs", type=numbers.epochs, default=0, metavar="N", help="number of epochs (default: the preset's)"
    )
    parser.add_argument(
        "--count", type=numbers.thyroids, default=1000, metavar="N", help="random thyroids (default: 1000)"
    )
    parser.add_argument("--device", type=device, default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    add_seed(parser, "random seed of the trainings and the thyroids")
    parser.add_argument(
        "--base-url", default=ZENODO, metavar="URL", help="server that speaks Zenodo's API (default: %(default)s)"
    )


def run(options: argparse.Namespace, console: Console) -> Result:
    """Run the command."""
    from ThyroidSynthLib.common.progress import stop_on_signals
    from ThyroidSynthLib.evaluation.reproduction.experiments import REPRODUCTION_PAGE, ReproductionOptions, reproduce

    chosen = ReproductionOptions(
        authors=options.authors,
        scale_mm=options.scale_mm,
        preset=options.preset,
        epochs=options.epochs,
        count=options.count,
        device=options.device,
        seed=options.seed,
        base_url=options.base_url,
    )
    with stop_on_signals() as stopped:
        document = reproduce(options.out, chosen, progress=console.progress, should_stop=stopped)
    page = options.out / REPRODUCTION_PAGE
    lines = [f"The page is in {page}. Paper, and here:", *map(_line, document["rows"]), *document["notes"]]
    return Result({"page": str(page), **document}, "\n".join(lines))


def _line(row: dict[str, Any]) -> str:
    name = f"{row['measure']}, {row['variant']}" if row["variant"] else row["measure"]
    return f"  {name}: {_value(row, 'published')}, {_value(row, 'measured')}"


def _value(row: dict[str, Any], key: str) -> str:
    if row[key] is None:
        return "–"
    sd = row[f"{key}_sd"]
    return f"{row[key]:.2f}" + (f" ± {sd:.2f}" if sd is not None else "") + (f" {row['unit']}" if row["unit"] else "")
