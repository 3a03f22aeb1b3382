"""`thyroidsynth evaluate`: how good a model is, as numbers and as a report."""

from __future__ import annotations

import argparse
from pathlib import Path

from .arguments import add_out, natural, positive_int
from .console import Console, Result

NAME = "evaluate"
SUMMARY = "evaluate a model and write a report"
DESCRIPTION = """\
Measure how well a model gives its training cases back (beside what a perfect model would score), how its random
thyroids compare with the cohort, and how what was asked for compares with what is measured. Writes report.html, which
needs no other file, evaluation.json, tables and figures."""
EPILOG = """\
examples:
  thyroidsynth evaluate model.safetensors cohort --out evaluation
  thyroidsynth evaluate model.safetensors cohort --quick --out look
  thyroidsynth evaluate model.safetensors cohort --count 1000 --to-target 1000 --out for_a_paper"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="model file")
    parser.add_argument("cohort", type=Path, metavar="COHORT", help="the cohort it was trained on")
    add_out(parser, "folder for the report")
    parser.add_argument("--count", type=positive_int, default=200, metavar="N", help="random thyroids (default: 200)")
    parser.add_argument(
        "--to-target",
        type=natural,
        default=50,
        metavar="N",
        help="how many are also steered exactly (default: 50)",
    )
    parser.add_argument("--cases", type=positive_int, metavar="N", help="training cases to reconstruct (default: all)")
    parser.add_argument("--seed", type=natural, default=0, help="seed of everything random (default: 0)")
    parser.add_argument("--quick", action="store_true", help="at most 16 cases, 50 thyroids, 10 to target")


def run(options: argparse.Namespace, console: Console) -> Result:
    """Run the command."""
    from ..anatomy.cohort import Cohort
    from ..evaluation import EVALUATION_FILE
    from ..evaluation.evaluate import EvaluationOptions, check_free, evaluate
    from ..evaluation.report import write_evaluation
    from ..learning.model import ShapeModel
    from ..learning.stop_signals import stop_on_signals

    check_free(options.out, overwrite=options.overwrite)
    model, cohort = ShapeModel.load(options.model), Cohort.open(options.cohort)
    chosen = EvaluationOptions(cases=options.cases, count=options.count, to_target=options.to_target, seed=options.seed)
    with stop_on_signals() as stopped:
        found = evaluate(
            model,
            cohort,
            chosen.quick() if options.quick else chosen,
            progress=console.progress,
            stop_requested=stopped,
        )
    report = write_evaluation(found, options.out, overwrite=options.overwrite)
    document = {"report": str(report), **found.document()}
    lines = [f"The report is in {report}, its numbers in {options.out / EVALUATION_FILE}."]
    reconstruction = document["reconstruction"]
    if "chamfer_mm" in reconstruction:
        chamfer, ratio = reconstruction["chamfer_mm"]["mean"], reconstruction["chamfer_over_floor"]
        lines.append(f"Reconstruction Chamfer {chamfer:.2f} mm, {ratio:.2f} times the floor.")
    pccs = [f"{name} {value['pcc']:.3f}" for name, value in document["steering"]["one_shot"].items() if value["pcc"]]
    if pccs:
        lines.append(f"PCC asked against measured, one-shot: {', '.join(pccs)}.")
    lines.append(f"{100 * document['validity']['share_of_draws']:.1f}% of the draws gave a sound surface.")
    if cohort.synthetic:
        lines.append("The cohort is synthetic: software input, not anatomy.")
    return Result(document, "\n".join(lines))
