"""Hardware and PyTorch installation of this computer."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


@dataclass(frozen=True)
class Gpu:
    """A GPU that PyTorch can use: its name as reported by the driver, and its total and free memory."""

    name: str
    memory_bytes: int
    free_bytes: int


@dataclass(frozen=True)
class Machine:
    """A computer, as seen by the Python interpreter that trains.

    Attributes
    ----------
    cores : int
        CPU cores that this process may use.
    memory_bytes, free_bytes : int or None
        Total and available main memory; None if unknown.
    torch : str
        Version of PyTorch; empty if it is not installed.
    cuda : str
        Version of CUDA that PyTorch was built with; empty for a CPU build.
    gpus : tuple of Gpu
        The first is the device "cuda".
    problem : str
        Why PyTorch or its GPUs cannot be used; empty if they can.
    """

    cores: int
    memory_bytes: int | None
    free_bytes: int | None
    torch: str = ""
    cuda: str = ""
    gpus: tuple[Gpu, ...] = ()
    problem: str = ""


def describe_machine() -> Machine:
    """Return a description of this computer. Imports PyTorch, which takes seconds."""
    memory, free = main_memory()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        import torch
    except ModuleNotFoundError:
        return Machine(cores, memory, free, problem="PyTorch is not installed.")
    except (ImportError, OSError) as error:  # A library that it needs is missing or does not match.
        return Machine(cores, memory, free, torch=installed_torch(), problem=f"PyTorch cannot be loaded: {error}")
    gpus, problem = [], ""
    try:
        for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
            available, total = torch.cuda.mem_get_info(index)
            gpus.append(Gpu(torch.cuda.get_device_name(index), total, available))
    except RuntimeError as error:  # For example, another program uses the GPU exclusively.
        gpus, problem = [], f"The GPU cannot be used: {error}"
    return Machine(
        cores, memory, free, torch=torch.__version__, cuda=torch.version.cuda or "", gpus=tuple(gpus), problem=problem
    )


def installed_torch() -> str:
    """Return PyTorch's version without importing it; empty if it is not installed."""
    try:
        return version("torch")
    except PackageNotFoundError:
        return ""


def main_memory() -> tuple[int | None, int | None]:
    """Return the total and the available main memory in bytes; None for what is unknown."""
    if sys.platform == "win32":
        return _windows_memory()
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None, None
    return total, _linux_free()


def _linux_free() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)


def _windows_memory() -> tuple[int | None, int | None]:
    if sys.platform != "win32":  # Lets mypy skip what only Windows has.
        return None, None
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong)] + [
            (name, ctypes.c_ulonglong)
            for name in ("total", "free", "total_page", "free_page", "total_virtual", "free_virtual", "extended")
        ]

    status = Status()
    status.length = ctypes.sizeof(Status)
    kernel = ctypes.WinDLL("kernel32")
    if not kernel.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None, None
    return status.total, status.free
