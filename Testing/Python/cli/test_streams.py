"""The result and the exit code do not depend on the terminal, its encoding or its streams."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ThyroidSynthLib.cli.main import main
from ThyroidSynthLib.common.streams import LastingStream
from ThyroidSynthLib.evaluation.report import inspection

COMMAND = [sys.executable, "-m", "ThyroidSynthLib.cli"]
posix = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell and its signals")


def output(monkeypatch, encoding: str, *arguments: str) -> str:
    content = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(content, encoding=encoding, write_through=True))
    assert main(arguments) == 0
    return content.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_result_is_printed_in_any_encoding(monkeypatch, model: Path, encoding: str) -> None:
    expected = output(monkeypatch, "utf-8", "info", str(model))

    found = output(monkeypatch, encoding, "info", str(model))

    assert "±" in expected
    assert found == expected.encode(encoding, "backslashreplace").decode(encoding)


@pytest.mark.parametrize("name", ["Müller 10 mm²", os.fsdecode(b"M\xfcller")])
@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_json_is_valid_in_any_encoding(monkeypatch, encoding: str, name: str) -> None:
    monkeypatch.setattr(inspection, "describe", lambda path: {"case": name})

    assert json.loads(output(monkeypatch, encoding, "info", "x", "--json")) == {"case": name}


def test_a_character_that_the_stream_lacks_is_escaped() -> None:
    content = io.BytesIO()
    stream = LastingStream(io.TextIOWrapper(content, encoding="ascii", write_through=True))

    stream.write("12 mm² \udcfc")

    assert content.getvalue() == rb"12 mm\xb2 \udcfc" and not stream.lost


@posix
def test_closed_input_and_a_narrow_ascii_terminal_change_nothing(model: Path, tmp_path: Path) -> None:
    words = [*COMMAND, "generate", str(model), "--count", "2", "--workers", "2", "--format", "none", "--out"]
    narrow = {**os.environ, "COLUMNS": "3", "TERM": "dumb", "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}

    usual = subprocess.run([*words, str(tmp_path / "a")], capture_output=True, text=True)
    odd = subprocess.run(
        ["sh", "-c", '"$@" <&-', "sh", *words, str(tmp_path / "b")], capture_output=True, text=True, env=narrow
    )

    assert (usual.returncode, odd.returncode) == (0, 0), odd.stderr
    assert odd.stdout == usual.stdout.replace(str(tmp_path / "a"), str(tmp_path / "b"))
    assert (tmp_path / "a" / "manifest.csv").read_bytes() == (tmp_path / "b" / "manifest.csv").read_bytes()


@posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_command_after_the_current_thyroid(model: Path, tmp_path: Path, name: str) -> None:
    words = [*COMMAND, "generate", str(model), "--count", "5000", "--workers", "1", "--format", "none", "--quiet"]
    words += ["--out", str(tmp_path / "g")]
    number = getattr(signal, name)
    before = signal.signal(number, signal.SIG_DFL)  # Ignored if the tests run under nohup.
    child = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    signal.signal(number, before)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not any(
        b"t00002" in path.read_bytes() for path in tmp_path.rglob("manifest.csv")
    ):
        assert child.poll() is None
        time.sleep(0.02)

    child.send_signal(number)
    _, errors = child.communicate(timeout=60)

    assert child.returncode == 130 and "Stopped" in errors and "Traceback" not in errors
