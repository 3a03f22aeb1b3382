"""Diagnostics of a failed training for a report to the developers, without personal data."""

from __future__ import annotations

import getpass
import json
import platform
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.errors import InputError, ThyroidSynthError
from ThyroidSynthLib.common.files import read_json

from .job import JobFolder, last_lines
from .job_options import quality_file, read_job_config
from .machine import Machine

LOG_LINES = 40
_GIB = 1024**3
# From the root to the end of the name; a space ends a path unless another separator follows.
_POSIX_PATH = re.compile(r"(?<![\w.:/])/(?:[^\s/:'\",;()]+(?: [^\s/:'\",;()]+)*/)+[^\s/:'\",;()]*")
_WINDOWS_PATH = re.compile(r"(?:\b[A-Za-z]:|\\)[\\/](?:[^\\/:*?\"<>|\r\n]+[\\/])*[^\\/:*?\"<>|\r\n\s]*")


def diagnostics_text(
    *,
    application: Mapping[str, str],
    machine: Machine | None,
    job: JobFolder | None,
    last_error: str = "",
) -> str:
    """Return the text that "Copy diagnostics" puts on the clipboard.

    Of paths only the last name is kept, and the user's name is removed.

    Parameters
    ----------
    application : mapping of str to str
        Properties of the application, such as its version.
    last_error : str
        The last error message shown to the user.
    """
    system = {"System": platform.platform(), "Python": platform.python_version()}
    parts = [
        "ThyroidSynth diagnostics",
        _section("Software", {"ThyroidSynth": __version__, **application, **system}),
        _section("Machine", _described(machine) if machine is not None else {"PyTorch": "unknown"}),
    ]
    if job is not None and job.exists():
        parts += _job_parts(job)
    parts.append(f"[Last error]\n{last_error.strip() or 'none'}")
    text = "\n\n".join(parts)
    # Folder names may hold any character, so known folders are removed first, each before its parents.
    for folder in sorted(_known_folders(job), key=len, reverse=True):
        text = text.replace(folder, "…")
    return without_personal_names(text) + "\n"


def without_personal_names(text: str) -> str:
    """Keep only the last name of each path and remove the user's name."""
    # "…/a/b" remains of a path below a known folder.
    text = re.sub(r"…(?:[\\/][^\s\\/:'\",;()]+)+", lambda found: _last_name(PureWindowsPath(found.group())), text)
    text = _WINDOWS_PATH.sub(lambda found: _last_name(PureWindowsPath(found.group())), text)
    text = _POSIX_PATH.sub(lambda found: _last_name(PurePosixPath(found.group())), text)
    user = _user()
    return re.sub(rf"(?<!\w){re.escape(user)}(?!\w)", "(user)", text) if len(user) > 2 else text


def _known_folders(job: JobFolder | None) -> set[str]:
    paths = [Path.home() / "any"]
    if job is not None:
        paths += [job.path, job.path.resolve()]
        try:
            config = job.read_config()
            paths += [Path(config[name]) for name in ("input", "cohort", "model") if config.get(name)]
        except (InputError, AttributeError, TypeError):
            pass
    return {str(path.parent) for path in paths if len(path.parts) > 2}


def _last_name(path: PurePosixPath | PureWindowsPath) -> str:
    home = Path.home().name
    return "…" if path.name in ("", home) else f"…/{path.name}"


def _user() -> str:
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
    # Frequent in logs, and not a personal name.
    return "" if name == "root" else name


def _described(machine: Machine) -> dict[str, str]:
    lines = {
        "CPU": f"{machine.cores} cores, {platform.machine()}",
        "Memory": _memory(machine.memory_bytes, machine.free_bytes),
        "PyTorch": machine.torch or "not installed",
        "CUDA": machine.cuda or "none",
    }
    for index, gpu in enumerate(machine.gpus):
        lines[f"GPU {index}"] = f"{gpu.name}, {_memory(gpu.memory_bytes, gpu.free_bytes)}"
    return {**lines, "Problem": machine.problem} if machine.problem else lines


def _memory(total: int | None, free: int | None) -> str:
    if total is None:
        return "unknown"
    text = f"{total / _GIB:.1f} GiB"
    return text if free is None else f"{text}, {free / _GIB:.1f} GiB free"


def _section(title: str, lines: Mapping[str, object]) -> str:
    return "\n".join([f"[{title}]", *(f"{name}: {value}" for name, value in lines.items())])


def _job_parts(job: JobFolder) -> list[str]:
    try:
        state = {name: value for name, value in vars(job.read_state()).items() if name not in ("host", "pid")}
    except ThyroidSynthError as error:
        state = {"unreadable": error}
    try:
        config = read_job_config(job)
        # Ids of cases may identify patients.
        omitted = ("settings", "include", "exclude", "held_out", "held_out_ids")
        shown = {name: value for name, value in config.items() if name not in omitted}
        shown["manually included cases"] = len(config["include"])
        shown["manually excluded cases"] = len(config["exclude"])
        shown["held out cases"] = len(config["held_out_ids"] or ())
        shown["settings"] = json.dumps(config["settings"])
        shown["verdicts on cases"] = "present" if quality_file(config).is_file() else "absent"
    except (ThyroidSynthError, KeyError, TypeError) as error:
        shown = {"unreadable": error}
    try:
        launched = {"launch": read_json(job.launch_file).get("started")}
    except (InputError, AttributeError):
        launched = {}
    files = {path.name: f"{path.stat().st_size} bytes" for path in sorted(job.path.iterdir()) if path.is_file()}
    return [
        _section("Training", {"job folder": job.path.name, **state, **launched}),
        _section("Configuration", shown),
        _section("Files", files),
        f"[Log, last {LOG_LINES} lines]\n" + "\n".join(last_lines(job.log_file, LOG_LINES) or ["no log"]),
    ]
