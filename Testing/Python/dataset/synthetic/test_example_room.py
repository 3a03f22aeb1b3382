"""An example dataset is written as a whole, or not at all."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

from ThyroidSynthLib.common.errors import OutputError
from ThyroidSynthLib.common.staging import make_staging
from ThyroidSynthLib.dataset.synthetic import write_example_dataset


def test_a_killed_run_is_started_anew_with_a_warning(tmp_path, caplog):
    (make_staging(tmp_path) / "s0000").mkdir()

    write_example_dataset(tmp_path, cases=1, with_ct=False, workers=1)

    assert "unfinished result of an interrupted command is discarded" in caplog.text
    names = ["SYNTHETIC.txt", "ground_truth.csv", "ground_truth.json", "meta.csv", "s0000"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_an_interrupted_run_leaves_nothing(tmp_path):
    def stop(fraction, message):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_example_dataset(tmp_path / "set", cases=2, with_ct=False, workers=1, progress=stop)
    assert not (tmp_path / "set").exists()


def test_too_little_room_is_noticed_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=10_000_000))

    with pytest.raises(OutputError, match=r"needs [0-9.]+ MB, and 10\.0 MB are free\. Write fewer cases"):
        write_example_dataset(tmp_path / "set", cases=100)
    assert not (tmp_path / "set").exists()
