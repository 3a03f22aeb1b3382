"""`thyroidsynth info`: describe a file or folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from ThyroidSynthLib.cli.shared.console import Console, Result

NAME = "info"
SUMMARY = "describe a model, cohort, job or result"
DESCRIPTION = """\
Describe a model file with its model card, a cohort, a training job with its progress, a generated cohort, an evaluation
or a cross-validation."""
EPILOG = """\
examples:
  thyroidsynth info example
  thyroidsynth info model.safetensors
  thyroidsynth info model.job --json"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("path", type=Path, metavar="PATH", help="model file, or the folder of another result")


def run(options: argparse.Namespace, console: Console) -> Result:
    """Run the command."""
    from ThyroidSynthLib.evaluation.report.inspection import as_text, describe

    description = describe(options.path)
    return Result(description, as_text(description))
