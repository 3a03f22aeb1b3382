"""What a training would run on: processor, memory, PyTorch and GPUs, each with what is free of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Gpu:
    """A GPU that PyTorch can use.

    Attributes
    ----------
    name : str
        As its driver calls it.
    memory_bytes, free_bytes : int
        Its memory, and what of it nobody uses now.
    """

    name: str
    memory_bytes: int
    free_bytes: int


@dataclass(frozen=True)
class Machine:
    """A computer as seen by the Python that trains.

    Attributes
    ----------
    cores : int
        Processor cores that may be used.
    memory_bytes, free_bytes : int or None
        Main memory, and what of it can be had; None where the system does not tell.
    torch : str
        Version of PyTorch; empty where there is none.
    cuda : str
        Version of CUDA that PyTorch was built with; empty without.
    gpus : tuple of Gpu
        Those PyTorch can use, first the one that "cuda" means.
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

    def to_json(self) -> dict[str, Any]:
        """Give it as a plain dictionary."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Machine:
        """Read what `to_json` gave."""
        return cls(**{**value, "gpus": tuple(Gpu(**gpu) for gpu in value["gpus"])})


def describe_machine() -> Machine:
    """Look at this computer. Loading PyTorch for it takes seconds."""
    memory, free = main_memory()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        import torch
    except ModuleNotFoundError:
        return Machine(cores, memory, free, problem="PyTorch is not installed.")
    except (ImportError, OSError) as error:  # A library of its own is missing or does not fit.
        return Machine(cores, memory, free, torch=installed_torch(), problem=f"PyTorch cannot be loaded: {error}")
    gpus, problem = [], ""
    try:
        for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
            available, total = torch.cuda.mem_get_info(index)
            gpus.append(Gpu(torch.cuda.get_device_name(index), total, available))
    except RuntimeError as error:  # Such as a GPU that another program holds alone.
        gpus, problem = [], f"The GPU cannot be used: {error}"
    return Machine(
        cores, memory, free, torch=torch.__version__, cuda=torch.version.cuda or "", gpus=tuple(gpus), problem=problem
    )


def installed_torch() -> str:
    """Give PyTorch's version without loading it; empty where there is none."""
    try:
        return version("torch")
    except PackageNotFoundError:
        return ""


def main_memory() -> tuple[int | None, int | None]:
    """Give the main memory and what is free of it, in bytes; None for what the system does not tell."""
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
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong)] + [
            (name, ctypes.c_ulonglong)
            for name in ("total", "free", "total_page", "free_page", "total_virtual", "free_virtual", "extended")
        ]

    status = Status()
    status.length = ctypes.sizeof(Status)
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None, None
    return status.total, status.free
