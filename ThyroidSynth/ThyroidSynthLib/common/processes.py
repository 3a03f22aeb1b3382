"""Processes that outlive the one that started them, told apart from strangers that got their number later."""

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

# Children of this process that have not been seen to end. A child must be asked about once it is
# dead, or it stays in the system's table as a zombie until its parent ends.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class ProcessIdentity:
    """A process that cannot be confused with a later one of the same number.

    Attributes
    ----------
    pid : int
        Its number, which the system gives to another process some time after it has ended.
    started : str
        When it started, in whatever form the system tells it; empty if it had ended already.
    host : str
        The machine it runs on: numbers of another machine mean nothing here.
    """

    pid: int
    started: str
    host: str

    @classmethod
    def of_this_process(cls) -> ProcessIdentity:
        """Give the identity of the running process."""
        return cls(os.getpid(), start_time(os.getpid()) or "", socket.gethostname())

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ProcessIdentity:
        """Read what `to_json` gave."""
        return cls(int(value["pid"]), str(value["started"]), str(value["host"]))

    def to_json(self) -> dict[str, Any]:
        """Give the identity as a plain dictionary."""
        return {"pid": self.pid, "started": self.started, "host": self.host}

    @property
    def is_here(self) -> bool:
        """Whether it runs on this machine, so that it can be watched and stopped."""
        return self.host == socket.gethostname()

    def is_alive(self) -> bool:
        """Say whether this very process is still running on this machine."""
        _reap(self.pid)
        return self.is_here and bool(self.started) and start_time(self.pid) == self.started

    def terminate(self) -> None:
        """Ask it to end. Nothing happens when it has ended already."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once. Nothing happens when it has ended already."""
        self._send(getattr(signal, "SIGKILL", signal.SIGTERM))

    def _send(self, number: int) -> None:
        if self.is_alive():
            # It may end in between, which is what is wanted.
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def launch_detached(command: Sequence[str], *, log: Path, environment: Mapping[str, str]) -> ProcessIdentity:
    """Start a process that goes on when this one ends, and return at once.

    Its output is appended to `log`. A pipe would break when this process ends, and block it when
    nobody reads.
    """
    options = {"start_new_session": True} if sys.platform != "win32" else windows_flags()
    with log.open("ab") as output:
        child = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            **options,
        )
    _children[child.pid] = child
    return ProcessIdentity(child.pid, start_time(child.pid) or "", socket.gethostname())


def windows_flags() -> dict[str, Any]:
    """Give `subprocess.Popen` what keeps a child apart from this process on Windows.

    A group of its own, so that no Ctrl-C meant for this process reaches it, and a console that nobody
    sees. Without any console (``DETACHED_PROCESS``) each worker process it starts would open a window. A
    child outlives its parent there unless the parent runs in a job object that ends with it.
    """
    return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}


def start_time(pid: int) -> str | None:
    """Give a text that tells when a process started, or None when it does not run (any more)."""
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
    # The program's name is in parentheses and may itself hold blanks and parentheses.
    values = text[text.rindex(")") + 2 :].split()
    state, ticks_since_boot = values[0], values[19]
    return None if state in "ZX" else ticks_since_boot


def _start_time_ps(pid: int) -> str | None:
    """Ask `ps`, as on macOS."""
    result = subprocess.run(
        ["ps", "-o", "state=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
    )
    state, _, started = result.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def _start_time_windows(pid: int) -> str | None:
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
