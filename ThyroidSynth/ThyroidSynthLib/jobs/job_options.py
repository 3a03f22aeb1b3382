"""The options of a training job, and the job folder that they make."""

from __future__ import annotations

import argparse
import math
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.errors import InputError, JobError, OutputError
from ThyroidSynthLib.common.files import real_path, sha256_of
from ThyroidSynthLib.common.reading import checked_file
from ThyroidSynthLib.common.text_files import entry, is_kind
from ThyroidSynthLib.dataset.cohort import COHORT_FILE, Cohort
from ThyroidSynthLib.dataset.cohort_folder import PLAN_FILE
from ThyroidSynthLib.dataset.quality_table import QUALITY_FILE
from ThyroidSynthLib.dataset.splits import HeldOut, held_out_of, held_out_text, hold_out
from ThyroidSynthLib.model.presets import DEFAULT_PRESET, settings_for
from ThyroidSynthLib.model.settings import OMEGA, TrainingSettings

from .job import JobFolder

_KIND = "training job"
_FORMAT_VERSION = 2
_ENTRIES: dict[str, type] = {
    **dict.fromkeys(("input", "cohort", "device", "licence"), str),
    **dict.fromkeys(("include", "exclude"), list),
    "prepare": bool,
    "checkpoint_every_s": float,
    "split_seed": int,
    "settings": dict,
}


@dataclass(frozen=True)
class JobOptions:
    """The options of a training job.

    Attributes
    ----------
    input : Path
        A cohort folder, or segmentations that are first prepared into ``<job>/cohort``.
    model : Path, optional
        Where to write a copy of the model file in addition to the one in the job folder.
    variant, preset : str
        See `model.presets`.
    epochs : int
        0 for the number of the preset.
    activation, omega : str, float
        See `TrainingSettings`.
    device : str
        "auto", "cpu" or "cuda".
    checkpoint_every_s : float
        Seconds between checkpoints, so at most what a crash loses. 0 writes one after every epoch.
    include, exclude : sequence of str, optional
        Ids of cases that are included or excluded manually where cases are prepared first. None keeps
        those of the job in the folder; a new job then has none.
    held_out : HeldOut
        Cases that are held out: a number, a share, or their ids; see `dataset.splits`.
    split_seed : int
        Random seed of their choice. Trainings with the same one hold out the same cases.
    licence : str, optional
        Licence of the model. None keeps the one of the job in the folder; a new job then has none.
    """

    input: Path
    model: Path | None = None
    variant: str = "fixed"
    preset: str = DEFAULT_PRESET
    epochs: int = 0
    activation: str = "relu"
    omega: float = OMEGA
    seed: int = 0
    device: str = "auto"
    checkpoint_every_s: float = 30.0
    include: Sequence[str] | None = None
    exclude: Sequence[str] | None = None
    held_out: HeldOut = 0.0
    split_seed: int = 0
    licence: str | None = None


@contextmanager
def locked_job_of_command_line(options: argparse.Namespace, *, misused: Callable[[str], Any]) -> Iterator[JobFolder]:
    """Lock the job of a command line before it is created or changed, until its training has ended.

    The parameters are those of `job_of_command_line`. `JobError` if another process has locked it.
    """
    with JobFolder(_folder_of(options, misused)).locked():
        yield job_of_command_line(options, misused=misused)


def job_of_command_line(options: argparse.Namespace, *, misused: Callable[[str], Any]) -> JobFolder:
    """Create or open the job of a command line; shared by all commands that train.

    Parameters
    ----------
    options : argparse.Namespace
        The fields of `JobOptions` by their names (``checkpoint_every`` for the seconds), ``job`` and
        ``restart``. Without ``input`` an existing job is resumed as it was configured.
    misused : callable
        Ends the process with the parser's message about a wrong command line.
    """
    folder = _folder_of(options, misused)
    try:
        held_out = held_out_of(options.held_out)
    except InputError as error:
        misused(str(error))
    if options.input is None:
        if options.restart or not JobFolder(folder).exists():
            misused(f"give the input to train on; only an existing job is resumed without it, and {folder} has none")
        return resumed_job(folder)
    # Slicer's command line does not include and exclude cases: in the panel that is done in a table.
    names = {field.name for field in fields(JobOptions)}
    chosen: dict[str, Any] = {name: value for name, value in vars(options).items() if name in names}
    chosen |= {"checkpoint_every_s": options.checkpoint_every, "held_out": held_out, "licence": options.licence or None}
    return job_for(folder, JobOptions(**chosen), restart=options.restart)


def _folder_of(options: argparse.Namespace, misused: Callable[[str], Any]) -> Path:
    if options.job is None and options.model is None:
        misused("give --job, the folder of the training, or the model file to write, or both")
    try:
        return Path(options.job or job_folder_beside(options.model))
    except InputError as error:
        misused(str(error))
        raise


def job_folder_beside(model: Path) -> Path:
    """Return the job folder of a training for which only the model file is given."""
    _refuse_folder(model)
    return model.with_name(f"{model.stem}.job")


def quality_file(config: dict[str, Any]) -> Path:
    """Return the path of the table of verdicts of a job, whether it exists yet or not."""
    return Path(config["cohort"]) / QUALITY_FILE


def is_prepared(source: Path) -> bool:
    """Check whether a folder is a cohort, finished or not, rather than segmentations to prepare."""
    return any((source / name).is_file() for name in (COHORT_FILE, PLAN_FILE))


def decide_cases(job: JobFolder, *, include: Iterable[str], exclude: Iterable[str]) -> None:
    """Store which cases of a job are included and excluded manually; `JobError` if its training has begun."""
    job.refuse_if_running()
    with job.locked():
        if job.checkpoint_file.exists():
            raise JobError("The training has begun, so its cases cannot be changed. Start it from scratch.")
        job.write_config({**job.read_config(), "include": sorted(include), "exclude": sorted(exclude)})


def job_for(folder: Path | str, options: JobOptions, *, restart: bool = False) -> JobFolder:
    """Create the job of these options, or open the one that is in the folder already.

    Parameters
    ----------
    restart : bool
        Delete the results of an earlier training in this folder instead of resuming it.

    Raises
    ------
    JobError
        The folder holds another job or other files, or a job that is running.
    InputError, CohortError
        The input cannot be trained on.
    """
    job = JobFolder(folder)
    with job.locked():
        return _job_for(job, options, restart=restart)


def _job_for(job: JobFolder, options: JobOptions, *, restart: bool) -> JobFolder:
    folder = job.path
    config = _configuration(folder, options, _earlier(job))
    if not job.exists():
        return JobFolder.create(folder, config)
    # Without a checkpoint nothing is lost, so wrong options can be corrected.
    if restart or not job.checkpoint_file.exists():
        job.restart(config)
        return job
    job.refuse_if_running()
    earlier = read_job_config(job)
    differences = _differences(earlier, config)
    if differences:
        raise JobError(
            f"{folder} holds another training job: {'; '.join(differences)}. "
            "Use the options it was started with, restart it or choose another folder."
        )
    # The device, the model file, its licence and the interval of checkpoints may differ from run to run.
    if config["prepare"]:
        config |= {name: earlier[name] for name in ("cohort_checksum", "held_out_ids")}
    job.write_config(config)
    return job


def resumed_job(folder: Path | str, *, device: str | None = None) -> JobFolder:
    """Open the job in a folder, to resume it with the settings and the data it was started with.

    Parameters
    ----------
    device : str, optional
        Where to train, if not on the device of the job.

    Raises
    ------
    JobError
        There is no job in the folder, it is running, or it is of another version of ThyroidSynth.
    """
    job = JobFolder.open(folder)
    job.refuse_if_running()
    config = read_job_config(job)
    if device not in (None, config["device"]):
        with job.locked():
            job.write_config({**config, "device": device})
    return job


def read_job_config(job: JobFolder) -> dict[str, Any]:
    """Read the configuration of a job, whose folder may have been moved since it was written.

    Raises `JobError` if it is not one of this version of ThyroidSynth.
    """
    config = job.read_config()
    if not isinstance(config, dict) or config.get("kind") != _KIND:
        raise _not_a_job(job)
    if config.get("format_version") != _FORMAT_VERSION:
        raise JobError(
            f"{job.config_file} has format version {config.get('format_version')}, and this version of ThyroidSynth "
            f"reads {_FORMAT_VERSION}. Restart the job, or use the version it was made with."
        )
    try:
        for name, kind in _ENTRIES.items():
            entry(config, name, kind=kind)
        for name in ("model", "model_sha256", "cohort_checksum"):
            if config.get(name) is not None:
                entry(config, name, kind=str)
        TrainingSettings.from_json(config["settings"])
        if not isinstance(config.get("held_out"), list) and not is_kind(config.get("held_out"), float):
            raise ValueError("its entry 'held_out' is neither a number nor a list")
        if config.get("held_out_ids") is not None:
            entry(config, "held_out_ids", kind=list)
    except (InputError, ValueError) as error:
        raise JobError(f"{job.config_file} is damaged: {error}. Restart the job with its options.") from error
    # A cohort that the job prepares lies in its folder, wherever that is now.
    return config | ({"cohort": _own_cohort(job.path)} if config["prepare"] else {})


def _earlier(job: JobFolder) -> dict[str, Any]:
    """Read the configuration of the job in the folder; empty if there is none that can be used."""
    try:
        config = job.read_config()
    except InputError:  # There is none yet, or it is damaged, which a restart corrects.
        config = None
    ours = config.get("kind") == _KIND if isinstance(config, dict) else job.state_file.is_file()
    if job.exists() and not ours:
        raise _not_a_job(job)
    return config if isinstance(config, dict) else {}


def _not_a_job(job: JobFolder) -> JobError:
    return JobError(f"{job.config_file} is not a ThyroidSynth training job. Choose a new or an empty folder.")


def _configuration(folder: Path, options: JobOptions, earlier: dict[str, Any]) -> dict[str, Any]:
    if not 0 <= options.checkpoint_every_s < math.inf:
        raise InputError(f"{options.checkpoint_every_s} seconds between checkpoints are impossible. Give 0 or more.")
    overrides = {"epochs": options.epochs} if options.epochs else {}
    network = {"activation": options.activation, "omega": options.omega}
    settings = settings_for(options.preset, options.variant, seed=options.seed, **network, **overrides)
    source = Path(options.input)
    if not source.exists():
        raise InputError(f"{source} does not exist. Give a cohort folder or a folder of TotalSegmentator cases.")
    if not source.is_dir():
        checked_file(source)
    if options.model is not None:
        _refuse_folder(Path(options.model))
        check_model_room(JobFolder(folder), Path(options.model), earlier.get("model_sha256"))
    # A cohort whose preparation was interrupted counts as one, too: opening it says what to do.
    prepare = not is_prepared(source)
    if not prepare and (options.include or options.exclude):
        raise InputError(
            f"{source} is a cohort already, whose cases are fixed. "
            "To include or exclude cases, choose the segmentations it was prepared from."
        )
    # Manual decisions on the cases of one dataset do not apply to another.
    kept = earlier if prepare and earlier.get("input") == str(real_path(source)) else {}
    checksum, held_out_ids = None, None  # Known only after the preparation.
    if not prepare:
        cohort = Cohort.open(source)
        checksum = cohort.checksum
        held_out_ids = list(hold_out(cohort, options.held_out, seed=options.split_seed))
    return {
        "kind": _KIND,
        "format_version": _FORMAT_VERSION,
        "input": str(real_path(source)),
        "prepare": prepare,
        "cohort": _own_cohort(folder) if prepare else str(real_path(source)),
        "cohort_checksum": checksum,
        "include": sorted(kept.get("include", ()) if options.include is None else options.include),
        "exclude": sorted(kept.get("exclude", ()) if options.exclude is None else options.exclude),
        "model": str(real_path(options.model)) if options.model else None,
        # Of the copy that an earlier run of this job wrote, which alone may be replaced.
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
    """Check that writing the model file replaces nothing but the file that an earlier run of the job wrote.

    `written_sha256` is the checksum of that file. Raises `OutputError` if a file of another origin is there, or the
    path is one of the job's own files.
    """
    if real_path(model).parent == real_path(job.path) and model.name != job.model_file.name:
        raise OutputError(f"{model} lies in the job folder among the files of the training. Choose another model file.")
    if not os.path.lexists(model):
        return
    # A run that was killed before it stored the checksum left the same file in its folder.
    own = {written_sha256, sha256_of(job.model_file) if job.model_file.is_file() else None}
    if not model.is_file() or sha256_of(model) not in own:
        raise OutputError(
            f"{model} exists and was not written by this training, so it is not replaced. "
            "Choose another model file, or move the file away."
        )


def _refuse_folder(model: Path) -> None:
    if model.is_dir():
        raise InputError(f"{model} is a folder, but the model is one file. Add a file name such as model.safetensors.")


def _differences(earlier: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """List what makes two configurations different trainings."""
    before, now = (asdict(TrainingSettings.from_json(each["settings"])) for each in (earlier, new))
    found = [f"its {name} is {before[name]}, not {now[name]}" for name in sorted(now) if before[name] != now[name]]
    if earlier["prepare"] or new["prepare"]:
        # The cohort is prepared once, so only its input is compared.
        same = earlier["input"] == new["input"]
        if same and any(sorted(earlier[name]) != sorted(new[name]) for name in ("include", "exclude")):
            found.append("other cases of its input were included or excluded manually")
    else:
        same = earlier["cohort_checksum"] == new["cohort_checksum"]
    if not same:
        return [*found, f"it trains on {earlier['input']}"]
    ids, new_ids = earlier["held_out_ids"], new["held_out_ids"]
    text, new_text = _held_out_text(earlier), _held_out_text(new)
    # The same cases can be described in several ways, so the ids are compared if they are known.
    if text != new_text if ids is None or new_ids is None else ids != new_ids:
        found.append(f"it holds out {text}, not {new_text}" if text != new_text else "it holds out other cases")
    return found


def _held_out_text(config: dict[str, Any]) -> str:
    held_out = config["held_out"]
    if not held_out:
        return "no case"
    text = held_out_text(held_out)
    return text if isinstance(held_out, tuple | list) else f"{text} of the cases by split seed {config['split_seed']}"


def _own_cohort(folder: Path) -> str:
    """Return the folder of the cohort that a job in `folder` prepares."""
    return str(real_path(folder / "cohort"))


def _versions() -> dict[str, str]:
    versions = {"thyroidsynth": __version__, "python": platform.python_version(), "platform": platform.platform()}
    for package in ("numpy", "torch"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return versions
