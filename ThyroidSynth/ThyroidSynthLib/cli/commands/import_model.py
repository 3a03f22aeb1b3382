"""`thyroidsynth import`: turn a checkpoint of the authors' code into a model file."""

from __future__ import annotations

import argparse
from pathlib import Path

from ThyroidSynthLib.cli.shared.console import Console, Result
from ThyroidSynthLib.cli.shared.shapes import set_scale
from ThyroidSynthLib.common.wording import counted
from ThyroidSynthLib.model.importing.authors_checkpoint import FEATURES
from ThyroidSynthLib.model.settings import ACTIVATIONS

NAME = "import"
SUMMARY = "turn a checkpoint of the authors' code into a model"
DESCRIPTION = """\
Read a Lightning checkpoint that the code of the paper's authors saved, and write it as a model file, which can be
generated with, steered, fitted and evaluated as any other. Nothing in the checkpoint is executed: of the pickle in it
only numbers, texts and tensors are read, and a checkpoint that refers to anything else is refused. PyTorch is not
needed."""
EPILOG = """\
The checkpoint does not state the training cases, the scale and the box of the shapes. Give the set that it was trained
on (--cohort), prepared with 'thyroidsynth prepare --authors'; the import then also compares the two.

examples:
  thyroidsynth import checkpoint.ckpt --cohort cohort --out model.safetensors
  thyroidsynth import checkpoint.ckpt --scale-mm 60,40,35 --out model.safetensors
  thyroidsynth import volume_only.ckpt --cohort cohort --features volume --out model.safetensors"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="checkpoint file (.ckpt)")
    parser.add_argument("--out", type=Path, required=True, metavar="MODEL", help="model file to write; must not exist")
    parser.add_argument(
        "--cohort", type=Path, metavar="COHORT", help="the published set that it was trained on, prepared as a cohort"
    )
    parser.add_argument(
        "--features",
        type=_features,
        default=(),
        metavar="NAMES",
        help=f"features that it was conditioned on, in the order of its training, separated by commas: any of "
        f"{', '.join(FEATURES)} (default: all of them, or none)",
    )
    parser.add_argument(
        "--scale-mm",
        type=set_scale,
        metavar="LENGTHS",
        help="without --cohort: millimetres per unit along the set's three axes, as in 60,40,35, or one number for all "
        "(default: unknown, lengths stay in units)",
    )
    parser.add_argument(
        "--activation",
        choices=ACTIVATIONS,
        default=ACTIVATIONS[0],
        help="hidden units of the network, which a checkpoint does not state (default: %(default)s, as published)",
    )
    parser.set_defaults(usage_error=parser.error)


def run(options: argparse.Namespace, console: Console) -> Result:
    """Run the command."""
    from ThyroidSynthLib.common.locks import new_file
    from ThyroidSynthLib.dataset.cohort import Cohort
    from ThyroidSynthLib.model.importing import ImportOptions, import_checkpoint

    if options.scale_mm == "published":
        options.usage_error("the published scale follows from the shapes of the set: give it with --cohort")
    cohort = None if options.cohort is None else Cohort.open(options.cohort)
    with new_file(options.out):
        found = import_checkpoint(
            options.checkpoint, cohort, ImportOptions(options.features, options.scale_mm, options.activation)
        )
        found.model.save(options.out)
    document = {
        "model": str(options.out),
        "variant": found.model.variant,
        "cases": len(found.model.ids),
        "alignment": found.model.frame.alignment,
        "surface_error_mm": found.error_mm,
        "notes": list(found.notes),
    }
    lines = [
        f"The model is in {options.out} ({found.model.variant}, {counted(len(found.model.ids), 'training case')})."
    ]
    if found.error_mm is not None:
        lines.append(
            f"Its distance at the samples of its training cases has an error of {found.error_mm:.2f} mm (root mean "
            "square); a good reconstruction has less than 1 mm."
        )
    lines += [f"{note[0].upper()}{note[1:].rstrip('.')}." for note in found.notes]
    return Result(document, "\n".join(lines))


def _features(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if not names or any(name not in FEATURES for name in names) or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"'{text}' is not valid: give some of {', '.join(FEATURES)}, each once")
    return names
