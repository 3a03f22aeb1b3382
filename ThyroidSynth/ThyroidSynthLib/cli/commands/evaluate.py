"""`thyroidsynth evaluate`: how good a model is, as numbers and as a report."""

from __future__ import annotations

import argparse
from pathlib import Path

from ThyroidSynthLib.cli.shared.arguments import add_out, natural, positive_int
from ThyroidSynthLib.cli.shared.console import Console, Result

NAME = "evaluate"
SUMMARY = "evaluate a model and write a report"
DESCRIPTION = """\
Measure how well a model gives its training cases back and fits those cases of the cohort that were held out of
training (beside what a perfect model would score), how its random thyroids compare with the cohort, how what was asked
for compares with what is measured, what changes unasked, and whether shapes are copied. Writes report.html, which needs
no other file, evaluation.json, tables and figures."""
EPILOG = """\
examples:
  thyroidsynth evaluate model.safetensors cohort --out evaluation
  thyroidsynth evaluate model.safetensors cohort --quick --out look
  thyroidsynth evaluate model.safetensors cohort --count 1000 --to-target 1000 --out for_a_paper"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="model file")
    parser.add_argument(
        "cohort", type=Path, metavar="COHORT", help="the cohort it was trained on; its other cases are held out"
    )
    add_out(parser, "folder for the report")
    parser.add_argument("--count", type=positive_int, default=200, metavar="N", help="random thyroids (default: 200)")
    parser.add_argument(
        "--to-target",
        type=natural,
        default=100,
        metavar="N",
        help="how many are also steered exactly, and how many to independent targets (default: 100)",
    )
    parser.add_argument(
        "--moves",
        type=natural,
        default=20,
        metavar="N",
        help="thyroids of which one feature at a time is moved, for the leakage matrix (default: 20)",
    )
    parser.add_argument(
        "--cases", type=positive_int, metavar="N", help="at most so many training and held-out cases (default: all)"
    )
    parser.add_argument("--seed", type=natural, default=0, help="seed of everything random (default: 0)")
    parser.add_argument(
        "--quick", action="store_true", help="a minute's look: a few cases, 50 thyroids, 10 to target, 2 moved"
    )
    parser.add_argument(
        "--to-card", action="store_true", help="also put the numbers beside the model file, for its model card"
    )


def run(options: argparse.Namespace, console: Console) -> Result:
    """Run the command."""
    from ThyroidSynthLib.common.stop_signals import stop_on_signals
    from ThyroidSynthLib.dataset.cohort import Cohort
    from ThyroidSynthLib.evaluation import EVALUATION_FILE
    from ThyroidSynthLib.evaluation.experiments.evaluate import EvaluationOptions, evaluate
    from ThyroidSynthLib.evaluation.report.document import document_of
    from ThyroidSynthLib.evaluation.report.report import check_evaluation_room, write_evaluation
    from ThyroidSynthLib.model.library import check_card_room, put_evaluation_beside
    from ThyroidSynthLib.model.shape_model import ShapeModel

    check_evaluation_room(options.out, overwrite=options.overwrite, inputs=[options.model])
    if options.to_card:
        check_card_room(options.model)
    model, cohort = ShapeModel.load(options.model), Cohort.open(options.cohort)
    chosen = EvaluationOptions(
        cases=options.cases,
        count=options.count,
        to_target=options.to_target,
        moves=options.moves,
        seed=options.seed,
    )
    with stop_on_signals() as stopped:
        found = evaluate(
            model,
            cohort,
            chosen.quick() if options.quick else chosen,
            progress=console.progress,
            should_stop=stopped,
        )
    report = write_evaluation(found, options.out, overwrite=options.overwrite)
    document = {"report": str(report), **document_of(found)}
    lines = [f"The report is in {report}, its numbers in {options.out / EVALUATION_FILE}."]
    if options.to_card:
        card = put_evaluation_beside(options.model, options.out / EVALUATION_FILE)
        document["card"] = str(card)
        lines.append(f"The model card shows them; they lie beside the model in {card}.")
    for key, label in (("reconstruction", "Training"), ("reconstruction_held_out", "Held-out")):
        summary = document[key]
        if "assd_mm" in summary:
            lines.append(
                f"{label} cases ({summary['cases']}): Chamfer {summary['chamfer_mm']['mean']:.2f} mm, "
                f"{summary['chamfer_over_floor']:.2f} times the floor; surface distance "
                f"{summary['assd_mm']['mean']:.2f} mm."
            )
    pccs = [
        f"{name} {value['pcc']:.3f}" for name, value in document["steering"]["direct_sampling"].items() if value["pcc"]
    ]
    if pccs:
        lines.append(f"PCC asked against measured, one-shot: {', '.join(pccs)}.")
    independent = document["steering"]["independent"]
    if independent["thyroids"]:
        lines.append(f"{independent['within']} of {independent['thyroids']} independent targets were met.")
    lines.append(f"{100 * document['validity']['share_of_draws']:.1f}% of the draws gave a sound surface.")
    if cohort.synthetic:
        lines.append("The cohort is synthetic: software input, not anatomy.")
    return Result(document, "\n".join(lines))
