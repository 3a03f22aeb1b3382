"""`thyroidsynth train`: from a cohort to a model file."""

from __future__ import annotations

import argparse
from pathlib import Path

from ThyroidSynthLib.cli.shared.arguments import natural, not_negative
from ThyroidSynthLib.cli.shared.console import Console, Result
from ThyroidSynthLib.model.presets import DEFAULT_PRESET, PRESETS, VARIANTS

NAME = "train"
SUMMARY = "train a model on a cohort"
DESCRIPTION = """\
Train a shape model. The training lives in a job folder with its state, log and checkpoint: Ctrl-C, or a file STOP in
that folder, ends it after the epoch it is in, and the same command goes on from there; so it does after a crash. The
ThyroidSynthTrain script does the same on a machine without this command."""
EPILOG = """\
variants: 'baseline' knows no features; 'fixed' is given them; 'correlation' also keeps the rest free of them.
presets: 'best' takes some ten minutes on a CPU, 'fast' is a first look; 'paper' is exactly as published and wants a
GPU.

several GPUs or machines: start it with torchrun, see docs/scaling.md.

examples:
  thyroidsynth train cohort --out model.safetensors
  thyroidsynth train cohort --out model.safetensors --held-out 20%
  thyroidsynth train cohort --out model.safetensors --variant correlation --preset paper --device cuda
  thyroidsynth train --job model.job                   (go on with a job)
  torchrun --nproc-per-node 4 -m ThyroidSynthLib.cli train cohort --out model.safetensors"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "input",
        nargs="?",
        type=Path,
        metavar="COHORT",
        help="cohort folder, or segmentations that are prepared first; not needed to go on with a job",
    )
    parser.add_argument(
        "--out", dest="model", type=Path, metavar="MODEL", help="model file to write, e.g. model.safetensors"
    )
    parser.add_argument("--job", type=Path, metavar="FOLDER", help="job folder (default: MODEL's name with .job)")
    parser.add_argument("--variant", choices=VARIANTS, default="fixed", help="how features enter (default: fixed)")
    parser.add_argument(
        "--preset",
        choices=tuple(PRESETS),
        default=DEFAULT_PRESET,
        help="training choices (default: %(default)s)",
    )
    parser.add_argument("--epochs", type=natural, default=0, metavar="N", help="epochs; 0 for the preset's (default)")
    parser.add_argument("--seed", type=natural, default=0, help="seed of weights, codes and samples (default: 0)")
    parser.add_argument(
        "--held-out",
        default="0",
        metavar="CASES",
        help="keep cases from the training, to test on: a number such as 40, or a share such as 0.2 or 20%%; "
        "a fair mix of volumes and of glands with and without an isthmus (default: 0)",
    )
    parser.add_argument(
        "--split-seed", type=natural, default=0, metavar="SEED", help="seed of the choice of these cases (default: 0)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument(
        "--checkpoint-every",
        type=not_negative,
        default=30.0,
        metavar="SECONDS",
        help="how much training a crash may cost; 0 for a checkpoint after every epoch (default: 30)",
    )
    parser.add_argument(
        "--include", nargs="+", metavar="ID", help="of cases prepared first: include these manually, whatever quality control says"
    )
    parser.add_argument("--exclude", nargs="+", metavar="ID", help="of cases prepared first: exclude these manually")
    parser.add_argument(
        "--licence", default="", metavar="TEXT", help="licence the model says it has (default: not stated)"
    )
    parser.add_argument("--restart", action="store_true", help="throw away what the job has trained so far")
    parser.set_defaults(usage_error=parser.error)


def run(options: argparse.Namespace, console: Console) -> Result | None:
    """Run the command; of several processes only the first has something to say."""
    from ThyroidSynthLib.common.stop_signals import stop_on_signals
    from ThyroidSynthLib.generation.steer.calibration import calibrated
    from ThyroidSynthLib.generation.training_preview import PreviewWriter
    from ThyroidSynthLib.jobs.job_options import job_of_command_line
    from ThyroidSynthLib.jobs.job_run import follow, run_job
    from ThyroidSynthLib.training.distributed import process_group_of_environment

    with stop_on_signals() as stopped, process_group_of_environment() as process_group:
        if process_group.follows:
            follow(process_group, should_stop=stopped)
            return None
        job = job_of_command_line(options, misused=options.usage_error)
        model = run_job(
            job,
            progress=console.progress,
            should_stop=stopped,
            on_snapshot=PreviewWriter(job),
            finish=calibrated,
            process_group=process_group,
        )
    state = job.read_state()
    document = {
        "status": state.status,
        "model": str(model),
        "job": str(job.path),
        "epochs": state.epoch,
        "cases": state.cases,
        "held_out": state.held_out,
        "loss": state.loss,
        "device": state.device,
    }
    loss = "" if state.loss is None else f", loss {state.loss:.3g}"
    cases = f"{state.cases} cases, {state.held_out} held out" if state.held_out else f"{state.cases} cases"
    text = f"The model is in {model} ({cases}, {state.epoch} epochs on {state.device}{loss})."
    return Result(document, text)
