"""Timing on a noisy machine: contenders take turns, and the median of each is compared."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One line of the table; `unit` belongs to `value` and `reference`. A value of None was not measured."""

    work: str
    setting: str
    value: float | None
    unit: str
    reference: float | None = None
    ratio: float | None = None

    @property
    def measured(self) -> str:
        """The value as text."""
        return "not measured" if self.value is None else f"{self.value:,.3g} {self.unit}"


def median_seconds(contenders: dict[str, Callable[[], object]], *, rounds: int) -> dict[str, float]:
    """Run the contenders in turn, once for warming up and `rounds` times, and return the median of each."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, work in contenders.items():
            started = time.perf_counter()
            work()
            if number:
                times[name].append(time.perf_counter() - started)
    return {name: sorted(values)[len(values) // 2] for name, values in times.items()}


def machine() -> str:
    """Return a description of the machine."""
    import torch

    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return (
        f"{name}, {os.cpu_count()} cores, {gpu}; Python {platform.python_version()}, "
        f"PyTorch {torch.__version__} with {torch.get_num_threads()} threads"
    )


def print_table(rows: list[Row]) -> None:
    """Print the rows as a Markdown table."""
    print("| work | setting | ours | reference | ratio |")
    print("|---|---|---|---|---|")
    for row in rows:
        reference = "–" if row.reference is None else f"{row.reference:,.3g} {row.unit}"
        ratio = "–" if row.ratio is None else f"{row.ratio:.1f}×"
        print(f"| {row.work} | {row.setting} | {row.measured} | {reference} | {ratio} |")
