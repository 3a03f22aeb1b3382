"""What a user chooses of a training job, and how the choice becomes the job's folder."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.errors import InputError, JobError, OutputError
from ThyroidSynthLib.common.files import sha256_of
from ThyroidSynthLib.dataset.splits import HeldOut, held_out_of, held_out_text, hold_out
from ThyroidSynthLib.model.presets import DEFAULT_PRESET, settings_for

from .job import JobFolder


@dataclass(frozen=True)
class JobOptions:
    """What a user chooses of a training job.

    Attributes
    ----------
    input : Path
        A cohort folder, or segmentations that are prepared into ``<job>/cohort`` first.
    model : Path, optional
        Where a copy of the model file is wanted; the job keeps its own in any case.
    variant, preset : str
        See `presets`.
    epochs : int
        0 for those of the preset.
    seed : int
        Of all randomness of the training.
    device : str
        "auto", "cpu" or "cuda".
    checkpoint_every_s : float
        Seconds between checkpoints: what a crash may cost. 0 writes one after every epoch.
    include, exclude : tuple of str, optional
        Ids of cases that are included or excluded manually where cases are prepared first; None for
        those of the job in the folder, and none in a new one.
    held_out : HeldOut
        Cases the training does not see: a number of them, a share, or their ids; see `anatomy.splits`.
    split_seed : int
        Of the draw of these. Trainings that differ in their own seed only so hold out the same cases.
    licence : str, optional
        Under which the model may be used; None for what the job in the folder says, and nothing in a new one.
    """

    input: Path
    model: Path | None = None
    variant: str = "fixed"
    preset: str = DEFAULT_PRESET
    epochs: int = 0
    seed: int = 0
    device: str = "auto"
    checkpoint_every_s: float = 30.0
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] | None = None
    held_out: HeldOut = 0.0
    split_seed: int = 0
    licence: str | None = None


def job_of_command_line(options: Any, *, misused: Callable[[str], Any]) -> JobFolder:
    """Make or find the job that a command line asks for: one reading of it for all doors.

    Parameters
    ----------
    options : argparse.Namespace
        The fields of `JobOptions` by their names (``checkpoint_every`` for the seconds), ``job`` and
        ``restart``. Without ``input`` a job goes on as it was configured.
    misused : callable
        Ends the process with the parser's message about a wrong command line.

    Raises
    ------
    JobError, InputError, CohortError
        As `job_for`.
    """
    if options.job is None and options.model is None:
        misused("give --job, the folder of the training, or the model file to write, or both")
    try:
        folder = options.job or job_folder_beside(options.model)
        held_out = held_out_of(options.held_out)
    except InputError as error:
        misused(str(error))
    if options.input is None:
        if options.restart or not JobFolder(folder).exists():
            misused(f"give the input, what to train on; only an existing job goes on without it, and {folder} is none")
        return JobFolder.open(folder)
    chosen = JobOptions(
        input=options.input,
        model=options.model,
        variant=options.variant,
        preset=options.preset,
        epochs=options.epochs,
        seed=options.seed,
        device=options.device,
        checkpoint_every_s=options.checkpoint_every,
        include=_ids(options, "include"),
        exclude=_ids(options, "exclude"),
        held_out=held_out,
        split_seed=options.split_seed,
        licence=options.licence or None,
    )
    return job_for(folder, chosen, restart=options.restart)


def _ids(options: Any, name: str) -> tuple[str, ...] | None:
    given = getattr(options, name, None)
    return None if given is None else tuple(given)


def job_folder_beside(model: Path) -> Path:
    """Give the job folder of a training that was only told which model file to write.

    Raises
    ------
    InputError
        The model file is a folder.
    """
    _refuse_folder(model)
    return model.with_name(f"{model.stem}.job")


def quality_file(config: dict[str, Any]) -> Path:
    """Give where the verdicts on the cases of a job stand, once there are any."""
    return Path(config["cohort"]) / "quality.csv"


def is_prepared(source: Path) -> bool:
    """Say whether a folder is a cohort, finished or not, and not a dataset to prepare."""
    return any((source / name).is_file() for name in ("cohort.json", "prepare.json"))


def decide_cases(job: JobFolder, *, include: Iterable[str], exclude: Iterable[str]) -> None:
    """Store which cases of a job are included and excluded manually, before it has begun to train.

    Raises
    ------
    JobError
        It runs, or has begun.
    """
    job.refuse_if_running()
    if job.checkpoint_file.exists():
        raise JobError("This training has begun with its cases. To change them, start it from scratch.")
    job.write_config({**job.read_config(), "include": sorted(include), "exclude": sorted(exclude)})


def job_for(folder: Path | str, options: JobOptions, *, restart: bool = False) -> JobFolder:
    """Make the job for what the user chose, or find the one that is in the folder already.

    Parameters
    ----------
    restart : bool
        Throw away what an earlier run in this folder trained, instead of going on from there.

    Raises
    ------
    JobError
        The folder holds another job, or files that are no job, or a job that is running.
    InputError, CohortError
        What was chosen cannot be trained on.
    """
    folder = Path(folder)
    job = JobFolder(folder)
    config = _configuration(folder, options, _earlier(job))
    if not job.exists():
        return JobFolder.create(folder, config)
    # Without a checkpoint nothing is lost, so a wrong choice can be put right.
    if restart or not job.checkpoint_file.exists():
        job.restart(config)
        return job
    job.refuse_if_running()
    earlier = job.read_config()
    differences = _differences(earlier, config)
    if differences:
        raise JobError(
            f"{folder} holds another training job: {'; '.join(differences)}. "
            "Choose what it was started with, restart it or choose another folder."
        )
    # Device, place and licence of the model and rhythm of the checkpoints may change from run to run.
    if config["prepare"]:
        config |= {name: earlier.get(name) for name in ("cohort_checksum", "held_out_ids")}
    job.write_config(config)
    return job


def resumed_job(folder: Path | str, *, device: str = "auto") -> JobFolder:
    """Return the job in a folder, to go on with the settings it was started with.

    Parameters
    ----------
    device : str
        Where it goes on; "auto" for the device it was started with.

    Raises
    ------
    JobError
        There is no job in the folder, or it runs.
    InputError
        Its configuration is damaged.
    """
    job = JobFolder.open(folder)
    job.refuse_if_running()
    config = job.read_config()
    if device != "auto":
        job.write_config({**config, "device": device})
    return job


def _earlier(job: JobFolder) -> dict[str, Any]:
    try:
        config = job.read_config()
    except InputError:  # None yet, or damaged: a restart may still put that right.
        config = None
    ours = config.get("kind") == "training job" if isinstance(config, dict) else job.state_file.is_file()
    if job.exists() and not ours:
        raise JobError(f"{job.config_file} is of another software than ThyroidSynth. Choose a new or an empty folder.")
    return config if isinstance(config, dict) else {}


def _configuration(folder: Path, options: JobOptions, earlier: dict[str, Any]) -> dict[str, Any]:
    if not 0 <= options.checkpoint_every_s < math.inf:
        raise InputError(f"'{options.checkpoint_every_s}' seconds between checkpoints make no sense. Give 0 or more.")
    overrides = {"epochs": options.epochs} if options.epochs else {}
    settings = settings_for(options.preset, options.variant, seed=options.seed, **overrides)
    source = Path(options.input)
    if not source.exists():
        raise InputError(f"{source} does not exist. Give a cohort folder or a folder of TotalSegmentator cases.")
    if options.model is not None:
        _refuse_folder(Path(options.model))
        check_model_room(JobFolder(folder), Path(options.model), earlier.get("model_sha256"))
    # A preparation that was not finished is a cohort, too: opening it says what to do.
    prepare = not is_prepared(source)
    if not prepare and (options.include or options.exclude):
        raise InputError(
            f"{source} is a cohort already, whose cases are fixed. "
            "To include or exclude cases, choose the segmentations it was prepared from."
        )
    # Manual decisions on the cases of one dataset do not apply to another.
    kept = earlier if prepare and earlier.get("input") == str(source.resolve()) else {}
    # Of cases that are prepared first nobody knows yet which are sound.
    checksum, held_out_ids = (None, None) if prepare else _cohort_and_split(source, options)
    return {
        "kind": "training job",
        "format_version": 1,
        "input": str(source.resolve()),
        "prepare": prepare,
        "cohort": str((folder / "cohort" if prepare else source).resolve()),
        "cohort_checksum": checksum,
        "include": sorted(kept.get("include", ()) if options.include is None else options.include),
        "exclude": sorted(kept.get("exclude", ()) if options.exclude is None else options.exclude),
        "model": str(Path(options.model).resolve()) if options.model else None,
        # Of the copy that an earlier run wrote there, if any: that one may be replaced.
        "model_sha256": earlier.get("model_sha256"),
        "device": options.device,
        "checkpoint_every_s": options.checkpoint_every_s,
        "held_out": options.held_out,
        "split_seed": options.split_seed,
        "held_out_ids": held_out_ids,
        "licence": str(earlier.get("licence") or "") if options.licence is None else options.licence.strip(),
        "settings": settings.to_json(),
        "versions": _versions(),
    }


def check_model_room(job: JobFolder, model: Path, written_sha256: str | None) -> None:
    """Check that a training may write its model file: nothing is there, or what an earlier run of it wrote.

    Parameters
    ----------
    model : Path
        The file to write.
    written_sha256 : str, optional
        Checksum of the model file that an earlier run of the job wrote.

    Raises
    ------
    OutputError
        A file of another origin is there, or the path is one of the job's own files.
    """
    if model.resolve().parent == job.path.resolve() and model.name != job.model_file.name:
        raise OutputError(f"{model} lies in the job folder among the files of the training. Choose another model file.")
    if not os.path.lexists(model):
        return
    # A run that was killed before it noted the checksum left the same file in its folder.
    own = {written_sha256, sha256_of(job.model_file) if job.model_file.is_file() else None}
    if not model.is_file() or sha256_of(model) not in own:
        raise OutputError(
            f"{model} exists and was not written by this training, so it is not replaced. "
            "Choose another model file (--out), or move the file away."
        )


def _refuse_folder(model: Path) -> None:
    if model.is_dir():
        raise InputError(f"{model} is a folder, but the model is one file. Add a file name such as model.safetensors.")


def _cohort_and_split(folder: Path, options: JobOptions) -> tuple[str, list[str]]:
    from ThyroidSynthLib.dataset.cohort import Cohort

    cohort = Cohort.open(folder)
    return cohort.checksum, list(hold_out(cohort, options.held_out, seed=options.split_seed))


def _differences(earlier: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Name what makes two configurations different trainings."""
    names = sorted({*earlier["settings"], *wanted["settings"]})
    found = [
        f"its {name} is {earlier['settings'].get(name)}, not {wanted['settings'].get(name)}"
        for name in names
        if earlier["settings"].get(name) != wanted["settings"].get(name)
    ]
    if earlier["prepare"] or wanted["prepare"]:
        # The cohort is made from the input once; what counts is that it is the same input.
        same = earlier["input"] == wanted["input"]
        cases = [sorted(config.get(name, ())) for config in (earlier, wanted) for name in ("include", "exclude")]
        if same and cases[:2] != cases[2:]:
            found.append("other cases of its input were included or excluded manually")
    else:
        same = earlier["cohort_checksum"] == wanted["cohort_checksum"]
    if not same:
        return [*found, f"it trains on {earlier['input']}"]
    ids, other_ids = (config.get("held_out_ids") for config in (earlier, wanted))
    targets, other = (_held_out(config) for config in (earlier, wanted))
    # The same cases may have been asked for in two ways.
    if targets != other if ids is None or other_ids is None else ids != other_ids:
        found.append(f"it holds out {targets}, not {other}" if targets != other else "it holds out other cases")
    return found


def _held_out(config: dict[str, Any]) -> str:
    """Say what a training holds out; of one before there was a choice: nothing."""
    held_out = config.get("held_out", 0)
    if not held_out:
        return "no case"
    text = held_out_text(held_out)
    return text if isinstance(held_out, tuple | list) else f"{text} of the cases by split seed {config['split_seed']}"


def _versions() -> dict[str, str]:
    versions = {"thyroidsynth": __version__, "python": platform.python_version(), "platform": platform.platform()}
    for package in ("numpy", "torch"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return versions
