"""The Python that runs beside the application."""

from __future__ import annotations

import shutil
import sys


def pythonExecutable() -> str:
    """Give the Python that runs beside Slicer, or the running one where there is no Slicer."""
    return shutil.which("PythonSlicer") or sys.executable
