"""The simulators that phantoms are written for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.export.phantom import Phantom

from .gate import write_gate
from .jwave import write_jwave
from .kwave import write_kwave
from .mcx import write_mcx
from .simpa import write_simpa
from .xcist import write_xcist

SIMULATORS: Mapping[str, Callable[[Phantom, Path], None]] = {
    "xcist": write_xcist,
    "mcx": write_mcx,
    "kwave": write_kwave,
    "jwave": write_jwave,
    "simpa": write_simpa,
    "gate": write_gate,
}
"""Writer of the folder of each simulator, by the name that the option ``--simulator`` takes."""


@dataclass(frozen=True)
class SimulatorFiles:
    """Writes the folders of simulators beside the other files of a phantom; see `write_simulator`.

    Attributes
    ----------
    names : tuple of str
        Any of `SIMULATORS`.
    """

    names: tuple[str, ...]

    def __call__(self, phantom: Phantom, folder: Path) -> None:
        """Write a folder ``simulators/NAME`` for each of `names` into the folder of a phantom."""
        for name in self.names:
            write_simulator(name, phantom, folder / "simulators" / name)


def write_simulator(name: str, phantom: Phantom, folder: Path) -> None:
    """Write a folder with a phantom that a simulator runs by ``python run.py``.

    Parameters
    ----------
    name : str
        One of `SIMULATORS`.
    phantom : Phantom
        What is simulated.
    folder : Path
        A folder that does not exist or is empty.

    Raises
    ------
    InputError
        The simulator is unknown, or needs a value that the materials lack, or voxels of another shape.
    OutputError
        The folder has files.
    """
    if name not in SIMULATORS:
        raise InputError(f"There is no simulator '{name}'. Choose one of: {', '.join(SIMULATORS)}.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} exists and is not an empty folder. Choose another one.")
    folder.mkdir(parents=True, exist_ok=True)
    SIMULATORS[name](phantom, folder)
