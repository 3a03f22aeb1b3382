"""`thyroidsynth train`: train a model on a cohort."""

from __future__ import annotations

import argparse
from pathlib import Path

from ThyroidSynthLib.cli.shared import numbers
from ThyroidSynthLib.cli.shared.arguments import add_seed, add_training
from ThyroidSynthLib.cli.shared.console import Console, Result
from ThyroidSynthLib.common.wording import counted

NAME = "train"
SUMMARY = "train a model on a cohort"
DESCRIPTION = """\
Train a shape model. The job folder holds the state, log and checkpoint of the training: Ctrl-C, or a file named STOP in
that folder, ends it after the current epoch, and the same command resumes it, also after a crash. The
ThyroidSynthTrain script does the same without an installed thyroidsynth command."""
EPILOG = """\
variants: 'baseline' has no features in its latent code; 'fixed' has; 'correlation' also penalises the correlation of
the trainable dimensions with the features.
presets: 'best' takes some ten minutes on a CPU; 'fast' is for a first look; 'paper' is exactly as published and needs
a GPU.
units: '--activation siren' trains sine units instead of ReLU units, for trials; see docs/decisions/siren.md.

For several GPUs or machines start it with torchrun, see docs/scaling.md.

examples:
  thyroidsynth train cohort --out model.safetensors
  thyroidsynth train cohort --out model.safetensors --held-out 20%
  thyroidsynth train cohort --out model.safetensors --variant correlation --preset paper --device cuda
  thyroidsynth train cohort --out model.safetensors --activation siren
  thyroidsynth train --job model.job                   (resume a job)
  torchrun --nproc-per-node 4 -m ThyroidSynthLib.cli train cohort --out model.safetensors"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "input",
        nargs="?",
        type=Path,
        metavar="COHORT",
        help="cohort folder, or segmentations to prepare first; not needed to resume a job",
    )
    parser.add_argument(
        "--out", dest="model", type=Path, metavar="MODEL", help="model file to write, e.g. model.safetensors"
    )
    parser.add_argument("--job", type=Path, metavar="FOLDER", help="job folder (default: the name of MODEL with .job)")
    add_training(parser)
    add_seed(parser)
    parser.add_argument(
        "--held-out",
        default="0",
        metavar="CASES",
        help="hold out cases for testing: a number such as 40, or a share such as 0.2 or 20%%; stratified by volume "
        "and presence of an isthmus (default: 0)",
    )
    parser.add_argument(
        "--split-seed", type=numbers.seed, default=0, metavar="SEED", help="random seed of that choice (default: 0)"
    )
    parser.add_argument(
        "--checkpoint-every",
        type=numbers.seconds,
        default=30.0,
        metavar="SECONDS",
        help="time between checkpoints; 0 for one after every epoch (default: 30)",
    )
    parser.add_argument(
        "--include", nargs="+", metavar="ID", help="of cases prepared first: include these whatever the rules say"
    )
    parser.add_argument("--exclude", nargs="+", metavar="ID", help="of cases prepared first: exclude these")
    parser.add_argument(
        "--licence", default="", metavar="TEXT", help="licence written in the model file (default: not stated)"
    )
    parser.add_argument(
        "--restart", action="store_true", help="discard the earlier training of the job and start again"
    )
    parser.set_defaults(usage_error=parser.error)


def run(options: argparse.Namespace, console: Console) -> Result | None:
    """Run the command. Only the first process of a group returns a result."""
    from ThyroidSynthLib.common.progress import stop_on_signals
    from ThyroidSynthLib.generation.steer.calibration import calibrated
    from ThyroidSynthLib.generation.training_preview import PreviewWriter
    from ThyroidSynthLib.jobs.job_options import locked_job_of_command_line
    from ThyroidSynthLib.jobs.job_run import follow, run_job
    from ThyroidSynthLib.model.description import describe_model
    from ThyroidSynthLib.model.presets import alignment_for
    from ThyroidSynthLib.training.distributed import process_group_of_environment

    with stop_on_signals() as stopped, process_group_of_environment() as process_group:
        if process_group.follows:
            follow(process_group, should_stop=stopped)
            return None
        with locked_job_of_command_line(options, misused=options.usage_error) as job:
            model = run_job(
                job,
                progress=console.progress,
                should_stop=stopped,
                on_snapshot=PreviewWriter(job),
                finish=calibrated,
                process_group=process_group,
            )
    state = job.read_state()
    described = describe_model(model)
    document = {
        "status": state.status,
        "model": str(model),
        "alignment": described.alignment,
        "job": str(job.path),
        "epochs": state.epoch,
        "cases": state.cases,
        "held_out": state.held_out,
        "loss": state.loss,
        "device": state.device,
    }
    loss = "" if state.loss is None else f", loss {state.loss:.3g}"
    cases = counted(state.cases, "case") + (f", {state.held_out} held out" if state.held_out else "")
    text = f"The model is in {model} ({cases}, {counted(state.epoch, 'epoch')} on {state.device}{loss})."
    if described.preset == "paper" and described.alignment != alignment_for("paper"):
        text += (
            f"\nThe alignment of the cohort is {described.alignment}, that of the paper is {alignment_for('paper')}: "
            f"for a comparison with the paper prepare the cohort with --alignment {alignment_for('paper')}."
        )
    if described.lengths:
        text += f"\n{described.lengths}"
    return Result(document, text)
