"""What every test needs before the first import: where the code lies, and how to run side by side."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

# Child processes of the tests need the library as well, so the path goes into the environment too.
_CODE = [PROJECT / "ThyroidSynth", PROJECT / "Testing"]
sys.path[:0] = [str(folder) for folder in _CODE if str(folder) not in sys.path]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_CODE[0]), os.environ.get("PYTHONPATH")]))

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("MPLBACKEND", "Agg")

# Who is started in the background of a script ignores Ctrl-C, and so would all processes that tests interrupt.
if signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, None):
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Several workers that each start a thread per core make all of them slow.
if "PYTEST_XDIST_WORKER" in os.environ:
    for threads in (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
        "VTK_SMP_MAX_THREADS",
    ):
        os.environ.setdefault(threads, "1")

# Fixtures: the stand-in for the Slicer application, and small models. Neither imports anything heavy by itself.
pytest_plugins = ["standin.plugin", "support.models_plugin"]
