"""What a person who helps needs to know of a training that went wrong, and nothing of the person who asks."""

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

from .job import JobFolder
from .job_options import quality_file
from .machine import Machine

LOG_LINES = 40
_GIB = 1024**3
# From a root to the end of the name; a blank ends a path unless what follows it holds another separator.
_POSIX_PATH = re.compile(r"(?<![\w.:/])/(?:[^\s/:'\",;()]+(?: [^\s/:'\",;()]+)*/)+[^\s/:'\",;()]*")
_WINDOWS_PATH = re.compile(r"(?:\b[A-Za-z]:|\\)[\\/](?:[^\\/:*?\"<>|\r\n]+[\\/])*[^\\/:*?\"<>|\r\n\s]*")


def diagnostics_text(
    *,
    application: Mapping[str, str],
    machine: Machine | None,
    job: JobFolder | None,
    last_error: str = "",
) -> str:
    """Give the text that "Copy diagnostics" puts on the clipboard.

    Paths are cut down to their last name, and the user's name is left out.

    Parameters
    ----------
    application : mapping of str to str
        What the application says of itself, such as its version.
    machine : Machine, optional
        None where it is not known.
    job : JobFolder, optional
        The training it is about.
    last_error : str
        What the user was shown last.
    """
    parts = [
        "ThyroidSynth diagnostics",
        _section("Software", {"ThyroidSynth": __version__, **application, **_here()}),
        _section("Machine", _described(machine) if machine is not None else {"PyTorch": "not asked"}),
    ]
    if job is not None and job.exists():
        parts += _job_parts(job)
    parts.append(f"[Last error]\n{last_error.strip() or 'none'}")
    text = "\n\n".join(parts)
    # Names of folders may hold anything, so those that are known go first, the longest before its parents.
    for folder in sorted(_known_folders(job), key=len, reverse=True):
        text = text.replace(folder, "…")
    return without_personal_names(text) + "\n"


def without_personal_names(text: str) -> str:
    """Cut paths down to their last name and leave out the user's name."""
    # "…/a/b" is what is left of a folder that was known.
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
    # A word that logs are full of, and nobody's name.
    return "" if name == "root" else name


def _here() -> dict[str, str]:
    return {"System": platform.platform(), "Python": platform.python_version()}


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
    said = f"{total / _GIB:.1f} GiB"
    return said if free is None else f"{said}, {free / _GIB:.1f} GiB free"


def _section(title: str, lines: Mapping[str, object]) -> str:
    return "\n".join([f"[{title}]", *(f"{name}: {value}" for name, value in lines.items())])


def _job_parts(job: JobFolder) -> list[str]:
    try:
        state = {name: value for name, value in vars(job.read_state()).items() if name not in ("host", "pid")}
    except ThyroidSynthError as error:
        state = {"unreadable": error}
    try:
        config = job.read_config()
        verdicts = "there" if quality_file(config).is_file() else "not there"
        # Ids of cases may be patients'.
        untold = ("settings", "include", "exclude", "held_out", "held_out_ids")
        told = {name: value for name, value in config.items() if name not in untold}
        told["manually decided cases"] = len(config.get("include", ())) + len(config.get("exclude", ()))
        told["held out cases"] = len(config.get("held_out_ids") or ())
        told["settings"] = json.dumps(config["settings"])
        told["verdicts on cases"] = verdicts
    except (InputError, KeyError, TypeError) as error:
        told = {"unreadable": error}
    try:
        launched = {"launch": read_json(job.launch_file).get("started")}
    except (InputError, AttributeError):
        launched = {}
    files = {path.name: f"{path.stat().st_size} bytes" for path in sorted(job.path.iterdir()) if path.is_file()}
    return [
        _section("Training", {"job folder": job.path.name, **state, **launched}),
        _section("Configuration", told),
        _section("Files", files),
        f"[Log, last {LOG_LINES} lines]\n" + "\n".join(_last_lines(job.log_file)),
    ]


def _last_lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as stream:
            # A log may have grown for weeks.
            stream.seek(max(0, stream.seek(0, 2) - 64 * 1024))
            lines = stream.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return ["no log"]
    return lines[-LOG_LINES:]
