"""The fuzz test notices what it looks for: each planted fault has its class."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTING = Path(__file__).resolve().parents[2]

# Each plants what a user must never see, in the place of a command.
PLANTED = """
import json, os, sys, time
sys.path[:0] = [{testing!r}]
from pathlib import Path
from fuzzing import judge
from fuzzing.judge import Trial, run_trials

judge.MEMORY_BYTES, judge.TIME_S = 200 << 20, 3.0

def trial(kind, act):
    def make(given, out):
        (given / "x.nii").write_text("bad")
        return lambda: act(given)
    return Trial(kind, "planted", ("x.nii",), make)

def says(text):
    return lambda given: (True, text)

def changes(given):
    (given / "x.nii").write_text("replaced")
    return True, "x.nii is bad. Choose another file."

def writes(given):
    Path("left").write_text("in the working folder")
    return True, "x.nii is bad. Choose another file."

def fills(given):
    kept = bytearray(600 << 20)
    kept[::4096] = b"x" * len(kept[::4096])
    return True, "x.nii is bad. Choose another file."

def raises(given):
    raise KeyError("x.nii")

trials = [
    trial("clear", says("x.nii is empty. Export it again.")),
    trial("accepted", lambda given: (False, "")),
    trial("traceback", raises),
    trial("bare", says("x.nii: ValueError: bad. Choose another file.")),
    trial("bare", says("x.nii cannot be read ([Errno 2] No such file). Check the path.")),
    trial("unclear", says("The file is bad. Choose another file.")),
    trial("unclear", says("x.nii is bad.")),
    trial("unclear", says("x.nii is bad. Choose another file." + "y" * 5000)),
    trial("memory", fills),
    trial("time", lambda given: time.sleep(60)),
    trial("crash", lambda given: os.kill(os.getpid(), 9)),
    trial("changed", changes),
    trial("changed", writes),
]
Path({folder!r}).mkdir()
found = [(each.trial.command, each.kind) for each in run_trials(trials, Path({folder!r}), at_once=4)]
print(json.dumps(found))
"""


@pytest.mark.skipif(os.name == "nt", reason="trials run in forked processes")
def test_planted_faults_are_classified(tmp_path: Path) -> None:
    script = PLANTED.format(testing=str(TESTING), folder=str(tmp_path / "trials"))

    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)

    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert len(found) == 13
    assert [pair for pair in found if pair[0] != pair[1]] == []
