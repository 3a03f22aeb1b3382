"""`thyroidsynth evaluate`: evaluate a model and write a report."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from ThyroidSynthLib.cli.shared.arguments import (
    add_evaluation_extent,
    add_model,
    add_out,
    add_seed,
    evaluation_options,
)
from ThyroidSynthLib.cli.shared.console import Console, Result
from ThyroidSynthLib.cli.shared.outputs import owning_out

NAME = "evaluate"
SUMMARY = "evaluate a model and write a report"
DESCRIPTION = """\
Measure how well a model reconstructs its training cases and fits the held-out cases of the cohort (beside the score of
a perfect model), how its random thyroids compare with the cohort, how measured features compare with their targets,
the cross-talk between features, and whether training shapes are copied. Writes report.html (self-contained),
evaluation.json, tables and figures."""
EPILOG = """\
examples:
  thyroidsynth evaluate model.safetensors cohort --out evaluation
  thyroidsynth evaluate model.safetensors cohort --quick --out first_look
  thyroidsynth evaluate model.safetensors other_cohort --all-held-out --out independent
  thyroidsynth evaluate model.safetensors cohort --count 1000 --to-target 1000 --out evaluation1000"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add_model(parser)
    parser.add_argument(
        "cohort", type=Path, metavar="COHORT", help="the cohort it was trained on; its other cases are held out"
    )
    parser.add_argument(
        "--all-held-out",
        action="store_true",
        help="the cohort is another one, so that all its cases are held out, whatever their ids",
    )
    add_out(parser, "folder for the report")
    add_seed(parser)
    add_evaluation_extent(parser)
    parser.add_argument(
        "--to-card",
        action="store_true",
        help="also save the numbers beside the model file, where its model card shows them",
    )


@owning_out
def run(options: argparse.Namespace, console: Console) -> Result:
    """Run the command."""
    from ThyroidSynthLib.common.locks import locked_file
    from ThyroidSynthLib.common.progress import stop_on_signals
    from ThyroidSynthLib.common.results import check_outside
    from ThyroidSynthLib.dataset.cohort import Cohort
    from ThyroidSynthLib.evaluation import EVALUATION_FILE
    from ThyroidSynthLib.evaluation.experiments.evaluate import evaluate
    from ThyroidSynthLib.evaluation.report.document import document_of
    from ThyroidSynthLib.evaluation.report.report import check_evaluation_room, write_evaluation
    from ThyroidSynthLib.model.library import check_card_room, put_evaluation_beside
    from ThyroidSynthLib.model.trained_model import TrainedModel

    check_outside(options.out, [options.cohort])
    check_evaluation_room(options.out, overwrite=options.overwrite, inputs=[options.model])
    if options.to_card:
        # Whether it can be written is also known only to the disk.
        with locked_file(check_card_room(options.model, overwrite=options.overwrite)):
            pass
    model, cohort = TrainedModel.load(options.model), Cohort.open(options.cohort)
    with stop_on_signals() as stopped:
        found = evaluate(
            model,
            cohort,
            replace(evaluation_options(options, seed=options.seed), all_held_out=options.all_held_out),
            progress=console.progress,
            should_stop=stopped,
        )
    for note in found.notes:
        console.warn(note)
    report = write_evaluation(found, options.out, overwrite=options.overwrite)
    document = {"report": str(report), **document_of(found)}
    lines = [f"The report is in {report}, its numbers in {options.out / EVALUATION_FILE}."]
    if options.to_card:
        card = put_evaluation_beside(options.model, options.out / EVALUATION_FILE, overwrite=options.overwrite)
        document["card"] = str(card)
        lines.append(f"The model card shows them; they are saved in {card}.")
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
        lines.append(f"Direct sampling, PCC of target and measured: {', '.join(pccs)}.")
    independent = document["steering"]["independent"]
    if independent["thyroids"]:
        lines.append(f"{independent['within']} of {independent['thyroids']} independent targets were met.")
    lines.append(f"{100 * document['validity']['share_of_draws']:.1f}% of the draws gave a valid surface.")
    if cohort.lengths:
        lines.append(cohort.lengths)
    if cohort.synthetic:
        lines.append("The cohort is synthetic: software input, not anatomy.")
    return Result(document, "\n".join(lines))
