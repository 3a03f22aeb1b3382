"""What a user chooses of a training job, and how the choice becomes the job's folder."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import InputError, JobError
from .job import JobFolder
from .presets import settings_for


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
        Seconds between checkpoints: what a crash may cost.
    """

    input: Path
    model: Path | None = None
    variant: str = "fixed"
    preset: str = "fast"
    epochs: int = 0
    seed: int = 0
    device: str = "auto"
    checkpoint_every_s: float = 30.0


def job_folder_beside(model: Path) -> Path:
    """Give the job folder of a training that was only told which model file to write.

    Raises
    ------
    InputError
        The model file is a folder.
    """
    _refuse_folder(model)
    return model.with_name(f"{model.stem}.job")


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
    config = _configuration(folder, options)
    job = JobFolder(folder)
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
    # Device, place of the model and rhythm of the checkpoints may change from run to run.
    job.write_config({**config, "cohort_checksum": config["cohort_checksum"] or earlier["cohort_checksum"]})
    return job


def _configuration(folder: Path, options: JobOptions) -> dict[str, Any]:
    overrides = {"epochs": options.epochs} if options.epochs else {}
    settings = settings_for(options.preset, options.variant, seed=options.seed, **overrides)
    source = Path(options.input)
    if not source.exists():
        raise InputError(f"{source} does not exist. Give a cohort folder or a folder of TotalSegmentator cases.")
    if options.model is not None:
        _refuse_folder(Path(options.model))
    # A preparation that was not finished is a cohort, too: opening it says what to do.
    prepare = not any((source / name).is_file() for name in ("cohort.json", "prepare.json"))
    return {
        "kind": "training job",
        "format_version": 1,
        "input": str(source.resolve()),
        "prepare": prepare,
        "cohort": str((folder / "cohort" if prepare else source).resolve()),
        "cohort_checksum": None if prepare else _checksum(source),
        "model": str(Path(options.model).resolve()) if options.model else None,
        "device": options.device,
        "checkpoint_every_s": options.checkpoint_every_s,
        "settings": settings.to_json(),
        "versions": _versions(),
    }


def _refuse_folder(model: Path) -> None:
    if model.is_dir():
        raise InputError(f"{model} is a folder, but the model is one file. Add a file name such as model.safetensors.")


def _checksum(cohort_folder: Path) -> str:
    from ..anatomy.cohort import Cohort

    return Cohort.open(cohort_folder).checksum


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
    else:
        same = earlier["cohort_checksum"] == wanted["cohort_checksum"]
    return found if same else [*found, f"it trains on {earlier['input']}"]


def _versions() -> dict[str, str]:
    versions = {"thyroidsynth": __version__, "python": platform.python_version(), "platform": platform.platform()}
    for package in ("numpy", "torch"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return versions
