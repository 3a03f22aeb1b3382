"""Messages of errors that no code foresaw: the file in use, no name of a class, and how to report the fault."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from ThyroidSynthLib.cli.main import main
from ThyroidSynthLib.common.errors import InputError, explained
from ThyroidSynthLib.evaluation.report import inspection


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), "The memory of this computer does not suffice. Use larger voxels"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: 10 TB"), "Use larger voxels"),
        (RecursionError("maximum recursion depth exceeded"), "A file is nested too deeply to be read."),
        (OSError(errno.ENOSPC, "No space left on device", "/x/y"), "/x/y cannot be read or written: No space left"),
        (OSError(errno.EMFILE, "Too many open files", "/x/y"), "raise the limit on open files"),
        (PermissionError(errno.EACCES, "Permission denied", b"/x/y"), "/x/y cannot be read or written: Permission"),
        (KeyError("depth"), "This is a fault of ThyroidSynth, not of yours. Run the command again with --debug"),
        (InputError("x.nii is empty. Export it again."), "x.nii is empty. Export it again."),
    ],
)
def test_an_unforeseen_error_is_explained(error: Exception, expected: str) -> None:
    text = explained(error)

    assert expected in text
    assert type(error).__name__ not in text and "depth'" not in text


def test_the_file_in_use_is_named(monkeypatch, capsys, tmp_path: Path) -> None:
    (tmp_path / "evaluation.json").write_text("{}")

    def failing(path: Path) -> None:
        raise LookupError("no such thing")

    monkeypatch.setattr(inspection, "_evaluation", failing)
    assert main(["info", str(tmp_path)]) == 1

    message = capsys.readouterr().err
    assert f"failed unexpectedly while {tmp_path} was in use (inspection.py, line " in message
    assert "no such thing" in message and "LookupError" not in message and "--debug" in message
