"""Virtual environments of the simulators: one each, with pinned packages, made when they are first needed."""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path

PINS = Path(__file__).resolve().parents[2] / "requirements" / "simulators"

# k-Wave downloads programs at its first import that its solver in Python does not need. Where there is no way to their
# server, empty files take their places.
_WITHOUT_BINARIES = """
import urllib.request
urllib.request.urlretrieve = lambda url, path: open(path, "wb").close()
import kwave
"""


class NotInstallable(Exception):
    """A program cannot be installed here; the message says why."""


def _reachable(host: str) -> bool:
    try:
        socket.create_connection((host, 443), timeout=10).close()
    except OSError:
        return False
    return True


class Environment:
    """The virtual environment of one program.

    Parameters
    ----------
    program : str
        Name of a file of pins, without its suffix.
    root : Path
        Folder of all environments.
    """

    def __init__(self, program: str, root: Path) -> None:
        self.program, self.folder = program, root / program
        self.python = self.folder / "bin" / "python"

    def make(self) -> None:
        """Install the program, unless it is there; `NotInstallable` if that fails."""
        stamp, pins = self.folder / "made-from", self._pins()
        digest = hashlib.sha256("".join(path.read_text() for path in pins).encode()).hexdigest()
        if stamp.exists() and stamp.read_text() == digest:
            return
        if self.program == "gate" and not _reachable("cern.ch"):
            raise NotInstallable(
                "opengate downloads the data of Geant4 from cern.ch, which cannot be reached from here"
            )
        print(f"Installing {self.program} in {self.folder}", flush=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        # The base, because environments of environments find none of their own libraries.
        self._do([getattr(sys, "_base_executable", sys.executable), "-m", "venv", str(self.folder)])
        torch = next((line for line in pins[0].read_text().splitlines() if line.startswith("torch==")), None)
        if torch and self._pip("--no-deps", f"{torch}+cpu", check=False) != 0:
            print("No CPU build of PyTorch was found; taking the one of PyPI.")
        self._pip("-r", str(pins[0]))
        for last in pins[1:]:
            if self.program == "xcist":
                self._unpack(last)
            else:
                self._pip("--no-deps", "--no-build-isolation", "-r", str(last))
        if self.program == "kwave":
            self._do([str(self.python), "-c", _WITHOUT_BINARIES])
        stamp.write_text(digest)

    def run(self, *arguments: str | Path, seconds: float = 1800) -> str:
        """Run this environment's Python and return what it prints; `RuntimeError` with its last lines if it fails."""
        command = [str(self.python), *(str(each) for each in arguments)]
        result = subprocess.run(
            command, env=self._variables(), capture_output=True, text=True, timeout=seconds, check=False
        )
        if result.returncode != 0:
            last = "\n".join((result.stdout + result.stderr).splitlines()[-8:])
            raise RuntimeError(f"{' '.join(command)} failed (exit code {result.returncode}):\n{last}")
        return result.stdout

    def version(self) -> str:
        """Return name and version of the program as pinned."""
        lines = [line for path in reversed(self._pins()) for line in path.read_text().splitlines()]
        return next(line for line in lines if line and not line.startswith("#")).replace("==", " ")

    def _pins(self) -> list[Path]:
        return [path for path in (PINS / f"{self.program}.txt", PINS / f"{self.program}-last.txt") if path.exists()]

    def _variables(self) -> dict[str, str]:
        import os

        variables = {**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": "", "PYTHONWARNINGS": "ignore"}
        if self.program == "mcx":
            # The package of the OpenCL runtime names another folder than its own in the file that registers it.
            vendors = self.folder / "vendors"
            vendors.mkdir(exist_ok=True)
            (vendors / "cpu.icd").write_text(f"{self.folder / 'lib' / 'libintelocl.so'}\n")
            variables |= {"OCL_ICD_VENDORS": str(vendors), "LD_LIBRARY_PATH": str(self.folder / "lib")}
        return variables

    def _unpack(self, pins: Path) -> None:
        """Put the package of a source archive in place; its build fails on Linux, but its library is in it, built."""
        with tempfile.TemporaryDirectory() as temporary:
            download = [str(self.python), "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"]
            self._do([*download, "-d", temporary, "-r", str(pins)])
            (archive,) = Path(temporary).glob("*.tar.gz")
            with tarfile.open(archive) as packed:
                packed.extractall(temporary, filter="data")
            (package,) = Path(temporary).glob("*/*/__init__.py")
            site = sysconfig.get_path("purelib", vars={"base": str(self.folder), "platbase": str(self.folder)})
            shutil.copytree(package.parent, Path(site) / package.parent.name)

    def _pip(self, *arguments: str, check: bool = True) -> int:
        return self._do(
            [str(self.python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *arguments], check=check
        )

    def _do(self, command: list[str], *, check: bool = True) -> int:
        result = subprocess.run(command, env=self._variables_if_made(), capture_output=True, text=True, check=False)
        if check and result.returncode != 0:
            lines = [line for line in result.stderr.splitlines() if line.strip() and "WARNING" not in line]
            raise NotInstallable(lines[-1].strip() if lines else f"{command[0]} failed")
        return result.returncode

    def _variables_if_made(self) -> dict[str, str] | None:
        return self._variables() if self.folder.exists() and self.program != "mcx" else None
