"""Kill commands at random moments and start them twice at once, and check that nothing is lost, mixed or left over.

The commands run in forks of a process that has imported the library, so that a trial takes a second or two. Needs
Linux. `Testing/Robustness/run.py` is the command line.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

# Values that differ from run to run.
_VOLATILE = {"created", "seconds", "time", "heartbeat", "pid", "started", "host", "samples_per_second", "eta_s"}
_COMPLETE = ("already holds", "is not empty")
_REFUSALS = ("Another ThyroidSynth process is writing", "is being trained", *_COMPLETE)
_NOTES = "notes of the user"


@dataclass(frozen=True)
class Trial:
    """A command that writes to the folder ``{out}``.

    Attributes
    ----------
    arguments : tuple of str
        The command line.
    earlier : tuple of str
        The command line of an earlier result in the folder, which the command replaces; empty for a new folder.
    resumes : bool
        Whether an interrupted run without an earlier result leaves a part in place, from which the next continues.
    """

    name: str
    arguments: tuple[str, ...]
    earlier: tuple[str, ...] = ()
    resumes: bool = False


@dataclass
class Report:
    """Numbers of what happened in the trials of a command, and what went wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


class Tester:
    """Runs the trials of one command in subfolders of a folder."""

    def __init__(self, trial: Trial, folder: Path, seed: int) -> None:
        self.trial, self.folder = trial, folder
        self.report = Report()
        self._random = random.Random(f"{trial.name} {seed}")
        self._number = 0
        self._earlier = folder / "earlier"
        (self._earlier / "out").mkdir(parents=True)
        if trial.earlier:
            self._run_undisturbed(trial.earlier, self._earlier)
            (self._earlier / "out" / "notes.txt").write_text(_NOTES, encoding="utf-8")
        else:
            (self._earlier / "out").rmdir()
        (self._earlier / "notes.txt").write_text(_NOTES, encoding="utf-8")
        self._before = content(self._earlier)
        # The first run may have to read files from the disk, so the second is timed.
        for whole in (self._new_folder(), self._new_folder()):
            began = time.monotonic()
            self._run_undisturbed(trial.arguments, whole)
            self.seconds = time.monotonic() - began
        self._after = content(whole)

    def kill(self) -> None:
        """Kill the command at a random moment before it ends; check what it leaves, and the result of a second run."""
        for _ in range(10):
            if self._kill():
                return

    def _kill(self) -> bool:
        folder, moment = self._new_folder(), self._random.uniform(0, 1.05 * self.seconds)
        label = f"{self.trial.name} {folder.name}, killed after {moment:.3f} s"
        pid = self._start(folder, "first")
        ended = _wait(pid, moment)
        if ended is None:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self.report.counts["killed"] += 1
        else:
            self.report.counts["ended before the kill"] += 1
        self._expect(_session_ends(pid), f"{label}: processes are left")
        publishing = any(folder.rglob(".journal.json"))
        self.report.counts["killed while files were put in place"] += publishing
        found = content(folder)
        if not publishing:
            self._check_left(label, found)
        code = _wait(self._start(folder, "again"), 600)
        text = (folder.parent / f"{folder.name} again.log").read_text(encoding="utf-8", errors="replace")
        complete = code == 1 and not self.trial.earlier and any(each in text for each in _COMPLETE)
        self._expect(code == 0 or complete, f"{label}: the second run ended with {code}: {text[-300:]}")
        self._check_end(label, folder)
        return ended is None

    def pair(self) -> None:
        """Start the command twice at once and check the result."""
        folder, moment = self._new_folder(), self._random.choice([0.0, self._random.uniform(0, 0.9 * self.seconds)])
        label = f"{self.trial.name} {folder.name}, second after {moment:.3f} s"
        first = self._start(folder, "first")
        time.sleep(moment)
        second = self._start(folder, "second")
        codes = [_wait(first, 600), _wait(second, 600)]
        for code, name in zip(codes, ("first", "second"), strict=True):
            text = (folder.parent / f"{folder.name} {name}.log").read_text(encoding="utf-8", errors="replace")
            refused = code == 1 and any(refusal in text for refusal in _REFUSALS)
            self._expect(code == 0 or refused, f"{label}: the {name} ended with {code}: {text[-300:]}")
            self.report.counts["refused"] += refused
        self._expect(0 in codes, f"{label}: none of the two succeeded")
        self.report.counts["pairs"] += 1
        self._check_end(label, folder)

    def _check_left(self, label: str, found: dict[str, Any]) -> None:
        """Check what a killed run leaves: the earlier result or the new one, whole."""
        if differences(found, self._before) and differences(found, self._after):
            if self.trial.earlier and not self.trial.resumes:
                fault = differences(found, self._before)
                self._expect(False, f"{label}: neither result is there: {fault}")
            # What is there is a part of the new result, such as the thyroids that the manifest lists.
            wrong = [
                name
                for name, value in found.items()
                if name.endswith((".ply", ".nii.gz", "cohort.json", "model.safetensors"))
                and not any(same(value, known.get(name)) for known in (self._before, self._after))
            ]
            self._expect(not wrong, f"{label}: files are damaged: {wrong}")
        manifest = found.get("out/manifest.json")
        if manifest is not None:
            files = [f"out/{file['path']}" for entry in manifest["thyroids"] for file in entry["files"]]
            self._expect(set(files) <= set(found), f"{label}: the manifest lists missing files")

    def _check_end(self, label: str, folder: Path) -> None:
        found = differences(content(folder), self._after)
        self._expect(not found, f"{label}: the result differs: {found}")
        hidden = [str(path.relative_to(folder)) for path in folder.rglob(".*")]
        self._expect(not hidden, f"{label}: left lying: {hidden}")
        if not self.report.faults:
            shutil.rmtree(folder)

    def _expect(self, condition: bool, fault: str) -> None:
        if not condition:
            self.report.faults.append(fault)

    def _new_folder(self) -> Path:
        self._number += 1
        return Path(shutil.copytree(self._earlier, self.folder / str(self._number)))

    def _run_undisturbed(self, arguments: tuple[str, ...], folder: Path) -> None:
        code = _wait(start(_filled(arguments, folder), folder.with_name(f"{folder.name}.log")), 600)
        if code != 0:
            raise RuntimeError(folder.with_name(f"{folder.name}.log").read_text(encoding="utf-8"))

    def _start(self, folder: Path, name: str) -> int:
        return start(_filled(self.trial.arguments, folder), folder.with_name(f"{folder.name} {name}.log"))


def start(arguments: list[str], log: Path) -> int:
    """Start a command in a fork of this process, in a session of its own, and return the process id."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        os.setsid()
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        from ThyroidSynthLib.cli.main import main

        code = main([*arguments, "--quiet"])
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Runs what ends worker processes, but nothing of this script.
        from multiprocessing.util import _exit_function

        _exit_function()
        os._exit(code)


def content(folder: Path) -> dict[str, Any]:
    """Return what the files in a folder say, without hidden files and what differs from run to run."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not any(part.startswith(".") for part in name.split("/")):
            found[name] = _value(path, str(folder))
    return found


def differences(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Return the names of the files that differ."""
    return sorted(name for name in {*found, *expected} if not same(found.get(name), expected.get(name)))


def same(one: Any, other: Any) -> bool:
    """Compare the values of two files; weights that were trained in two parts may differ by rounding."""
    if isinstance(one, dict) and isinstance(other, dict) and "weights" in one and "weights" in other:
        first, second = one["weights"], other["weights"]
        return first.keys() == second.keys() and all(np.allclose(first[k], second[k], atol=1e-5) for k in first)
    return one == other


def _value(path: Path, folder: str) -> Any:
    if path.name in ("model.safetensors", "checkpoint.safetensors"):
        from safetensors.numpy import load_file

        return {"weights": load_file(path) if path.name.startswith("model") else {}}
    if path.suffix == ".json":
        return _stable(json.loads(path.read_text(encoding="utf-8").replace(folder, "")))
    if path.name in ("train.log", "report.html", "metrics.jsonl"):
        return "exists"  # Has times in it.
    return path.read_bytes()


def _stable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stable(each) for key, each in value.items() if key not in _VOLATILE}
    if isinstance(value, list):
        return [_stable(each) for each in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def _filled(arguments: tuple[str, ...], folder: Path) -> list[str]:
    return [argument.replace("{out}", str(folder / "out")) for argument in arguments]


def _wait(pid: int, seconds: float) -> int | None:
    """Wait for a process and return its exit code; None if it has not ended in time."""
    return _until(lambda: os.waitpid(pid, os.WNOHANG), lambda found: found[0] == pid, seconds)


def _until(call: Callable[[], tuple[int, int]], ended: Callable[[tuple[int, int]], bool], seconds: float) -> int | None:
    end = time.monotonic() + seconds
    while True:
        found = call()
        if ended(found):
            return os.waitstatus_to_exitcode(found[1])
        if time.monotonic() >= end:
            return None
        time.sleep(0.001)


def _session_ends(session: int, seconds: float = 10.0) -> bool:
    """Wait until all processes of a session have ended; return whether they have."""
    end = time.monotonic() + seconds
    while any(_session_of(entry.name) == session for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _session_of(pid: str) -> int | None:
    try:
        values = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if values[0] in "ZX" else int(values[3])
