"""Background processes that continue after the process that started them.

Own code, because psutil is not part of Slicer.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Children of this process that are not known to have ended. A child must be polled once it has ended, or it stays in
# the system's table as a zombie until its parent ends.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class ProcessIdentity:
    """A process on a machine, distinguished by its start time from a later one with the same id.

    The start time has the system's own format; it is empty if the process had already ended.
    """

    pid: int
    started: str
    host: str

    @classmethod
    def of_this_process(cls) -> ProcessIdentity:
        """Return the identity of the running process."""
        return cls(os.getpid(), start_time(os.getpid()) or "", socket.gethostname())

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ProcessIdentity:
        """Return the identity that `to_json` described."""
        return cls(int(value["pid"]), str(value["started"]), str(value["host"]))

    def to_json(self) -> dict[str, Any]:
        """Return the identity as a dictionary for a JSON file."""
        return {"pid": self.pid, "started": self.started, "host": self.host}

    @property
    def is_here(self) -> bool:
        """Whether it runs on this machine, so that it can be watched and stopped."""
        return self.host == socket.gethostname()

    def is_alive(self) -> bool:
        """Check whether the process is still running on this machine."""
        _reap(self.pid)
        return self.is_here and bool(self.started) and start_time(self.pid) == self.started

    def terminate(self) -> None:
        """Ask the process to end, if it is still running."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End the process at once, if it is still running."""
        self._send(getattr(signal, "SIGKILL", signal.SIGTERM))

    def _send(self, number: int) -> None:
        if self.is_alive():
            # It may have ended in the meantime.
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def launch_detached(command: Sequence[str], *, log: Path, environment: Mapping[str, str]) -> ProcessIdentity:
    """Start a process that continues when this one ends, and return at once.

    Its output is appended to `log`, because a pipe would break when this process ends, and block the new process if
    it is not read.
    """
    with log.open("ab") as output:
        child = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,  # No effect on Windows.
            creationflags=background_flags(),
        )
    _children[child.pid] = child
    return ProcessIdentity(child.pid, start_time(child.pid) or "", socket.gethostname())


def background_flags() -> int:
    """Return the `creationflags` of `subprocess.Popen` that separate a child from this process on Windows; else 0.

    The child has its own process group, so that a Ctrl-C for this process does not reach it, and an invisible
    console. Without a console (``DETACHED_PROCESS``) each worker process that it starts would open a window. The child
    continues when its parent ends, unless the parent runs in a job object that ends with it.
    """
    if sys.platform == "win32":
        return subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return 0


def start_time(pid: int) -> str | None:
    """Return the start time of a process in the system's own format, or None if it is not running."""
    if sys.platform == "win32":
        return _start_time_windows(pid)
    if Path("/proc/self/stat").exists():
        return _start_time_linux(pid)
    return _start_time_ps(pid)


def _start_time_linux(pid: int) -> str | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The program's name is in parentheses and may itself contain spaces and parentheses.
    values = text[text.rindex(")") + 2 :].split()
    state, ticks_since_boot = values[0], values[19]
    return None if state in "ZX" else ticks_since_boot


def _start_time_ps(pid: int) -> str | None:
    """Read the start time from `ps`, as on macOS."""
    result = subprocess.run(
        ["ps", "-o", "state=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
    )
    state, _, started = result.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def _start_time_windows(pid: int) -> str | None:
    if sys.platform != "win32":  # Lets mypy skip the rest on other systems.
        raise NotImplementedError
    import ctypes
    from ctypes import wintypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.OpenProcess.restype = wintypes.HANDLE
    query_limited_information, still_active = 0x1000, 259
    handle = kernel.OpenProcess(query_limited_information, False, pid)
    if not handle:
        return None
    handle = wintypes.HANDLE(handle)
    try:
        code = wintypes.DWORD()
        created, exited, in_kernel, in_user = (wintypes.FILETIME() for _ in range(4))
        times = [ctypes.byref(time) for time in (created, exited, in_kernel, in_user)]
        if not kernel.GetExitCodeProcess(handle, ctypes.byref(code)) or code.value != still_active:
            return None
        if not kernel.GetProcessTimes(handle, *times):
            return None
        return str(created.dwHighDateTime << 32 | created.dwLowDateTime)
    finally:
        kernel.CloseHandle(handle)


def _reap(pid: int) -> None:
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]
